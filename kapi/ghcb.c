// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM does for VMGEXIT of guests on the model (ghcb.h): <linux/kvm_host.h>. Its functions
 * for SEV-ES know nothing of the vendor's module, and take their data from wherever it is.
 */
#include <linux/kvm_host.h>

#include <asm/msr-index.h>

#include "ghcb.h"
#include "symbols.h"

void kapi_vcpu_swap(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers)
{
	unsigned long *const regs = vcpu->arch.regs;
	const struct kapi_ghcb_registers before = {
		.rax = regs[VCPU_REGS_RAX],
		.rbx = regs[VCPU_REGS_RBX],
		.rcx = regs[VCPU_REGS_RCX],
		.rdx = regs[VCPU_REGS_RDX],
		.rsi = regs[VCPU_REGS_RSI],
	};

	regs[VCPU_REGS_RAX] = registers->rax;
	regs[VCPU_REGS_RBX] = registers->rbx;
	regs[VCPU_REGS_RCX] = registers->rcx;
	regs[VCPU_REGS_RDX] = registers->rdx;
	regs[VCPU_REGS_RSI] = registers->rsi;
	*registers = before;
}

int kapi_vcpu_rdpmc(struct kvm_vcpu *vcpu)
{
	return gmem_vcpu_rdpmc(vcpu);
}

int kapi_vcpu_reset_hold(struct kvm_vcpu *vcpu)
{
	return gmem_vcpu_reset_hold(vcpu);
}

int kapi_vcpu_take_fault(struct kvm_vcpu *vcpu)
{
	struct kvm_queued_exception *const queued = &vcpu->arch.exception;

	/* A trap of the instruction before is none of its faults. */
	if (!queued->pending || (queued->vector != GP_VECTOR && queued->vector != UD_VECTOR))
		return -1;
	queued->pending = false;
	queued->has_error_code = false;
	return queued->vector;
}

void kapi_vcpu_cpuid(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers)
{
	u32 eax = registers->rax, ebx, ecx = registers->rcx, edx;

	gmem_vcpu_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	registers->rax = eax;
	registers->rbx = ebx;
	registers->rcx = ecx;
	registers->rdx = edx;
}

bool kapi_vcpu_msr(struct kvm_vcpu *vcpu, unsigned int index, kapi_u64 *value)
{
	return !gmem_vcpu_get_msr(vcpu, index, value);
}

kapi_u64 kapi_vcpu_dr7(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.dr7;
}

bool kapi_vcpu_set_dr7(struct kvm_vcpu *vcpu, kapi_u64 value)
{
	return !gmem_vcpu_set_dr(vcpu, 7, value);
}

int kapi_vcpu_port_io(struct kvm_vcpu *vcpu, unsigned int size, unsigned int port, void *data,
		      unsigned int count, bool in)
{
	return gmem_vcpu_string_io(vcpu, size, port, data, count, in);
}

int kapi_vcpu_mmio(struct kvm_vcpu *vcpu, bool write, kapi_u64 gpa, unsigned int size, void *data)
{
	/* KVM of 6.12 leaves it to what the guest's last emulated access was. */
	vcpu->mmio_is_write = write;
	return gmem_vcpu_mmio(vcpu, write, gpa, size, data);
}

/* ---- with user space ------------------------------------------------------------------- */

/*
 * KVM calls it from KVM_RUN, by a pointer into this module that it keeps for as long as user
 * space takes. The VM holds the module (docs/architecture.md, "Lifetimes"), and a vCPU is never
 * there without its VM. If it goes instead, nobody calls, and what the exchange has goes with
 * the VM's platform, which outlives the vCPUs.
 */
static int answered(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_vmgexit_answered(vcpu);
}

kapi_completion kapi_vcpu_await(struct kvm_vcpu *vcpu)
{
	const kapi_completion kvms = vcpu->arch.complete_userspace_io;

	if (kvms)
		vcpu->arch.complete_userspace_io = answered;
	return kvms;
}

int kapi_vcpu_complete(struct kvm_vcpu *vcpu, kapi_completion completion)
{
	return completion(vcpu);
}

bool kapi_kvm_tells_conversions(struct kvm *kvm)
{
	return kvm->arch.hypercall_exit_enabled & 1u << KVM_HC_MAP_GPA_RANGE;
}

void kapi_vcpu_exit_convert(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 pages, bool is_private,
			    bool huge)
{
	struct kvm_run *const run = vcpu->run;

	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gpa;
	run->hypercall.args[1] = pages;
	run->hypercall.args[2] = is_private ? KVM_MAP_GPA_RANGE_ENCRYPTED :
					      KVM_MAP_GPA_RANGE_DECRYPTED;
	run->hypercall.args[2] |= huge ? KVM_MAP_GPA_RANGE_PAGE_SZ_2M :
					 KVM_MAP_GPA_RANGE_PAGE_SZ_4K;
	/* VMMs that write an answer on errors alone are told to have none. */
	run->hypercall.ret = 0;
	run->hypercall.flags = 0;
	vcpu->arch.complete_userspace_io = answered;
}

kapi_u64 kapi_vcpu_converted(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->hypercall.ret);
}
