/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that #VC needs (guest/vc.h): what a vCPU has exited for, the
 * registers that the delivery of an exception reads and writes, the bodies of the functions
 * that serve such exits, and the core's entries (guest/reflect.cc). Processors with SVM.
 */
#ifndef GMEM_KAPI_VC_H
#define GMEM_KAPI_VC_H

#include "guest.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether guests that know SNP get #VC where hardware would raise it (docs/snp-guest.md). */
static inline bool kapi_guests_get_vc(void)
{
	return kapi_setting_snp_guests() == KAPI_SNP_GUESTS_AWARE_VC;
}

/* ---- a vCPU that has exited, and is the current task's ------------------------------------- */

/* The exit's code as the processor has given it: SVM_EXIT_*. */
kapi_u64 kapi_vcpu_exit_code(struct kvm_vcpu *vcpu);
/* Whether the exit came while an event was delivered, which KVM delivers again. */
bool kapi_vcpu_redelivers(struct kvm_vcpu *vcpu);
/* ECX, which names an MSR. */
unsigned int kapi_vcpu_msr_index(struct kvm_vcpu *vcpu);

/*
 * A segment register. Rights are those of the descriptor: bits 0 to 7 its bits 40 to 47, bits 8
 * to 11 its bits 52 to 55. All 0: it is not to be used.
 */
struct kapi_segment {
	kapi_u64 base;
	unsigned int limit; /* in bytes */
	unsigned short selector, rights;
};

struct kapi_event_state {
	kapi_u64 rip, rsp, rflags;
	struct kapi_segment cs, ss, ldt, tr;
	kapi_u64 idt, gdt; /* where they lie */
	unsigned int idt_limit, gdt_limit;
	unsigned int cpl;
	bool protected_mode, long_mode; /* CR0.PE, EFER.LMA */
	bool shadow_stacks; /* CR4.CET */
};

void kapi_vcpu_event_state(struct kvm_vcpu *vcpu, struct kapi_event_state *state);
/* The vCPU goes on with RIP, RSP, RFLAGS, CS and SS as in @state, and its CPL. */
void kapi_vcpu_set_event_state(struct kvm_vcpu *vcpu, const struct kapi_event_state *state);
/* Exception @vector, which has an error code, at the instruction. */
void kapi_vcpu_exception(struct kvm_vcpu *vcpu, unsigned int vector, unsigned int error_code);

/* ---- the bodies ------------------------------------------------------------------------ */

int kapi_stock_cpuid(struct kvm_vcpu *vcpu);
int kapi_stock_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in);
int kapi_stock_emulate(struct kvm_vcpu *vcpu, kapi_u64 gpa, int how, void *insn, int insn_len);
int kapi_stock_rdpmc(struct kvm_vcpu *vcpu);
int kapi_stock_wbinvd(struct kvm_vcpu *vcpu);
int kapi_stock_invd(struct kvm_vcpu *vcpu);
int kapi_stock_monitor(struct kvm_vcpu *vcpu);
int kapi_stock_mwait(struct kvm_vcpu *vcpu);

/* ==== the core's entries (guest/reflect.cc) =================================================== */

/*
 * KVM is about to do for a guest of SNP's type on the model what its instruction says. Each is
 * the stock body's unless the guest is to get #VC. Sleep; KVM's answers to an exit.
 */
int gmem_kvm_cpuid(struct kvm_vcpu *vcpu);
int gmem_kvm_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in);
/* @how: bits EMULTYPE_*. @gpa: of a nested page fault. */
int gmem_kvm_emulate(struct kvm_vcpu *vcpu, kapi_u64 gpa, int how, void *insn, int insn_len);
int gmem_kvm_rdpmc(struct kvm_vcpu *vcpu);
int gmem_kvm_wbinvd(struct kvm_vcpu *vcpu);
int gmem_kvm_invd(struct kvm_vcpu *vcpu);
int gmem_kvm_monitor(struct kvm_vcpu *vcpu);
int gmem_kvm_mwait(struct kvm_vcpu *vcpu);
/*
 * A nested page fault on private memory at @gpa, which has no C-bit. True: the guest has not
 * validated the page, and gets #VC; *@ret is KVM's answer. kvm->srcu held. Sleeps.
 */
bool gmem_kvm_unvalidated(struct kvm_vcpu *vcpu, kapi_u64 gpa, int *ret);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_VC_H */
