// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM does for VMGEXIT (kapi/ghcb.h), of the one vCPU that tests have.
 */
#include "kunit/fakes/ghcb.h"

#include <cstring>
#include <utility>

#include "kunit/fakes/fakes.h"

using fake::ghcb;

namespace
{

/* KVM's own completion of what user space has a part in. */
int complete(struct kvm_vcpu *)
{
	if (ghcb().emulated != fake::Emulated::None)
		ghcb().registers = ghcb().answer;
	if (ghcb().to)
		std::memset(ghcb().to, ghcb().device, ghcb().size * std::size_t{ ghcb().count });
	ghcb().to = nullptr;
	return ghcb().ret;
}

/* A device's @count values, which are written or go to @data. */
int access(void *data, bool in)
{
	ghcb().emulated = fake::Emulated::None;
	ghcb().to = in ? data : nullptr;
	ghcb().data = 0;
	if (!in)
		std::memcpy(&ghcb().data, data, ghcb().size);
	if (!ghcb().by_user)
		return complete(nullptr);
	ghcb().completes = true;
	ghcb().exits++;
	return 0;
}

} /* namespace */

fake::GhcbVcpu &fake::ghcb()
{
	static GhcbVcpu one;

	return one;
}

int fake::emulate(Emulated what)
{
	ghcb().emulated = what;
	ghcb().seen = ghcb().registers;
	if (ghcb().by_user) {
		ghcb().completes = true;
		ghcb().exits++;
		return 0;
	}
	return complete(nullptr);
}

bool fake::answer(struct kvm_vcpu *vcpu, int &ret)
{
	if (!std::exchange(ghcb().awaits, false))
		return false;
	ret = gmem_kvm_vmgexit_answered(vcpu);
	return true;
}

void kapi_vcpu_swap(struct kvm_vcpu *, struct kapi_ghcb_registers *registers)
{
	std::swap(ghcb().registers, *registers);
}

int kapi_vcpu_rdpmc(struct kvm_vcpu *)
{
	return fake::emulate(fake::Emulated::Rdpmc);
}

int kapi_vcpu_reset_hold(struct kvm_vcpu *)
{
	ghcb().held++;
	return ghcb().ret;
}

int kapi_vcpu_take_fault(struct kvm_vcpu *)
{
	return std::exchange(ghcb().fault, -1);
}

void kapi_vcpu_cpuid(struct kvm_vcpu *, struct kapi_ghcb_registers *registers)
{
	const kapi_u64 function = registers->rax, leaf = registers->rcx;

	*registers = { function + 1, function + 2, leaf + 3, function + 4, registers->rsi };
}

bool kapi_vcpu_msr(struct kvm_vcpu *, unsigned index, kapi_u64 *value)
{
	const auto at = ghcb().msrs.find(index);

	if (at == ghcb().msrs.end())
		return false;
	*value = at->second;
	return true;
}

kapi_u64 kapi_vcpu_dr7(struct kvm_vcpu *)
{
	return ghcb().dr7;
}

bool kapi_vcpu_set_dr7(struct kvm_vcpu *, kapi_u64 value)
{
	if (ghcb().takes_dr7)
		ghcb().dr7 = value;
	return ghcb().takes_dr7;
}

int kapi_vcpu_port_io(struct kvm_vcpu *, unsigned size, unsigned port, void *data, unsigned count,
		      bool in)
{
	ghcb().size = size;
	ghcb().port = port;
	ghcb().count = count;
	ghcb().in = in;
	return access(data, in);
}

int kapi_vcpu_mmio(struct kvm_vcpu *, bool write, kapi_u64 gpa, unsigned size, void *data)
{
	ghcb().size = size;
	ghcb().count = 1;
	ghcb().gpa = gpa;
	ghcb().write = write;
	return access(data, !write);
}

kapi_completion kapi_vcpu_await(struct kvm_vcpu *)
{
	if (!std::exchange(ghcb().completes, false))
		return nullptr;
	ghcb().awaits = true;
	return complete;
}

int kapi_vcpu_complete(struct kvm_vcpu *vcpu, kapi_completion completion)
{
	return completion(vcpu);
}

bool kapi_kvm_tells_conversions(struct kvm *)
{
	return ghcb().tells_conversions;
}

void kapi_vcpu_exit_convert(struct kvm_vcpu *, kapi_u64 gpa, kapi_u64 pages, bool is_private,
			    bool huge)
{
	ghcb().gpa = gpa;
	ghcb().pages = pages;
	ghcb().is_private = is_private;
	ghcb().huge = huge;
	ghcb().exits++;
	ghcb().awaits = true;
}

kapi_u64 kapi_vcpu_converted(struct kvm_vcpu *)
{
	return ghcb().converted;
}
