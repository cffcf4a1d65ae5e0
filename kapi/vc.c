// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs whose guest may get #VC (vc.h): <linux/kvm_host.h>. As in guest.c, processors with SVM
 * have RIP, RSP and what is before and after each exit in struct kvm_vcpu.
 */
#include <linux/kvm_host.h>

#include <asm/desc_defs.h>
#include <asm/processor-flags.h>

#include "compat/kvm.h"
#include "segments.h"
#include "symbols.h"
#include "vc.h"

kapi_u64 kapi_vcpu_exit_code(struct kvm_vcpu *vcpu)
{
	u32 code, event, event_error;
	u64 info1, info2;

	gmem_x86_ops()->get_exit_info(vcpu, &code, &info1, &info2, &event, &event_error);
	return code;
}

bool kapi_vcpu_redelivers(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.exception.injected || vcpu->arch.interrupt.injected ||
	       vcpu->arch.nmi_injected;
}

unsigned int kapi_vcpu_msr_index(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.regs[VCPU_REGS_RCX];
}

/* ---- segments -------------------------------------------------------------------------- */

static struct kapi_segment get_segment(struct kvm_vcpu *vcpu, int nr)
{
	struct kvm_segment segment;

	gmem_x86_ops()->get_segment(vcpu, &segment, nr);
	return gmem_segment_of_kvm(&segment);
}

static void set_segment(struct kvm_vcpu *vcpu, int nr, const struct kapi_segment *from)
{
	struct kvm_segment segment = gmem_segment_for_kvm(from);

	gmem_x86_ops()->set_segment(vcpu, &segment, nr);
}

void kapi_vcpu_event_state(struct kvm_vcpu *vcpu, struct kapi_event_state *state)
{
	struct desc_ptr idt, gdt;

	gmem_x86_ops()->get_idt(vcpu, &idt);
	gmem_x86_ops()->get_gdt(vcpu, &gdt);
	*state = (struct kapi_event_state){
		.rip = gmem_vcpu_rip(vcpu),
		.rsp = vcpu->arch.regs[VCPU_REGS_RSP],
		.rflags = gmem_vcpu_rflags(vcpu),
		.cs = get_segment(vcpu, VCPU_SREG_CS),
		.ss = get_segment(vcpu, VCPU_SREG_SS),
		.ldt = get_segment(vcpu, VCPU_SREG_LDTR),
		.tr = get_segment(vcpu, VCPU_SREG_TR),
		.idt = idt.address,
		.gdt = gdt.address,
		.idt_limit = idt.size,
		.gdt_limit = gdt.size,
		.cpl = gmem_x86_ops()->get_cpl(vcpu),
		.protected_mode = vcpu->arch.cr0 & X86_CR0_PE,
		.long_mode = vcpu->arch.efer & EFER_LMA,
		.shadow_stacks = vcpu->arch.cr4 & X86_CR4_CET,
	};
}

/* The vendor's module has the CPL with SS, which changes with the CPL alone. */
void kapi_vcpu_set_event_state(struct kvm_vcpu *vcpu, const struct kapi_event_state *state)
{
	const bool other_cpl = gmem_x86_ops()->get_cpl(vcpu) != state->cpl;

	gmem_vcpu_rip(vcpu) = state->rip;
	vcpu->arch.regs[VCPU_REGS_RSP] = state->rsp;
	set_segment(vcpu, VCPU_SREG_CS, &state->cs);
	if (other_cpl)
		set_segment(vcpu, VCPU_SREG_SS, &state->ss);
	gmem_vcpu_set_rflags(vcpu, state->rflags);
	gmem_x86_ops()->set_interrupt_shadow(vcpu, 0);
}

void kapi_vcpu_exception(struct kvm_vcpu *vcpu, unsigned int vector, unsigned int error_code)
{
	gmem_queue_exception_code(vcpu, vector, error_code);
}
