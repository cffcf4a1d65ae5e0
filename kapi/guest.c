// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs of guests that know SNP (guest.h): <linux/kvm_host.h>. Processors with SVM have RIP
 * and RAX in struct kvm_vcpu after each exit, and take them from there.
 */
#include <linux/kvm_host.h>
#include <linux/ratelimit.h>

#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>

#include "compat/kvm.h"
#include "guest.h"
#include "kapi.h"
#include "symbols.h"

#define CPUID_ENCRYPTION 0x8000001f
#define C_BIT_MASK	 0x3f

bool kapi_guests_can_know(void)
{
	return boot_cpu_has(X86_FEATURE_SVM) && gmem_x86_ops() && gmem_symbols_ghcb();
}

bool kapi_guest_may_report(void)
{
	static DEFINE_RATELIMIT_STATE(reports, 5 * HZ, 10);

	return __ratelimit(&reports);
}

static bool is_wide(struct kvm_vcpu *vcpu)
{
	int db, l;

	if (!(vcpu->arch.efer & EFER_LMA))
		return false;
	gmem_x86_ops()->get_cs_db_l_bits(vcpu, &db, &l);
	return l;
}

void kapi_vcpu_registers(struct kvm_vcpu *vcpu, struct kapi_registers *registers)
{
	const unsigned long *const regs = vcpu->arch.regs;

	*registers = (struct kapi_registers){
		.rax = regs[VCPU_REGS_RAX],
		.rcx = regs[VCPU_REGS_RCX],
		.rdx = regs[VCPU_REGS_RDX],
		.rip = gmem_vcpu_rip(vcpu),
		.rflags = gmem_vcpu_rflags(vcpu),
		.code = gmem_vcpu_linear_rip(vcpu),
		.cpl = gmem_x86_ops()->get_cpl(vcpu),
		.wide = is_wide(vcpu),
	};
}

void kapi_vcpu_retire(struct kvm_vcpu *vcpu, const struct kapi_registers *registers)
{
	vcpu->arch.regs[VCPU_REGS_RAX] = registers->rax;
	gmem_vcpu_rip(vcpu) = registers->rip;
	gmem_vcpu_set_rflags(vcpu, registers->rflags);
	gmem_x86_ops()->set_interrupt_shadow(vcpu, 0);
	if (registers->rflags & X86_EFLAGS_TF)
		gmem_queue_exception_payload(vcpu, DB_VECTOR, DR_STEP);
}

int kapi_vcpu_read_msr(struct kvm_vcpu *vcpu, kapi_u64 value)
{
	vcpu->arch.regs[VCPU_REGS_RAX] = (u32)value;
	vcpu->arch.regs[VCPU_REGS_RDX] = value >> 32;
	return gmem_vcpu_skip(vcpu);
}

int kapi_vcpu_wrote_msr(struct kvm_vcpu *vcpu)
{
	return gmem_vcpu_skip(vcpu);
}

void kapi_vcpu_protection_fault(struct kvm_vcpu *vcpu)
{
	gmem_queue_exception_code(vcpu, GP_VECTOR, 0);
}

void kapi_vcpu_page_fault(struct kvm_vcpu *vcpu, kapi_u64 addr, unsigned int error_code)
{
	vcpu->arch.cr2 = addr;
	gmem_queue_exception_code(vcpu, PF_VECTOR, error_code);
}

void kapi_vcpu_exit_private(struct kvm_vcpu *vcpu, kapi_u64 gpa)
{
	kvm_prepare_memory_fault_exit(vcpu, gpa & PAGE_MASK, PAGE_SIZE, false, false, true);
}

void kapi_vcpu_exit_terminated(struct kvm_vcpu *vcpu, kapi_u64 ghcb_msr)
{
	struct kvm_run *const run = vcpu->run;

	run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	run->system_event.type = KVM_SYSTEM_EVENT_SEV_TERM;
	run->system_event.ndata = 1;
	run->system_event.data[0] = ghcb_msr;
}

unsigned int kapi_vcpu_nr(struct kvm_vcpu *vcpu)
{
	return vcpu->vcpu_idx;
}

unsigned int kapi_vcpu_c_bit(struct kvm_vcpu *vcpu)
{
	int i;

	for (i = 0; i < vcpu->arch.cpuid_nent; i++) {
		if (vcpu->arch.cpuid_entries[i].function == CPUID_ENCRYPTION)
			return vcpu->arch.cpuid_entries[i].ebx & C_BIT_MASK;
	}
	return 0;
}
