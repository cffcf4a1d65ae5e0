/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that guests need which know that they are SNP's, on a machine
 * without SNP (guest/): registers of a vCPU that has exited, how it goes on, the bodies of the
 * functions that are taken over for it, and the core's entries.
 */
#ifndef GMEM_KAPI_GUEST_H
#define GMEM_KAPI_GUEST_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvm_vcpu;
struct msr_data;

/*
 * Whether this machine's processors exit for what such a guest does, those with SVM, and KVM has
 * what the guest asks for then.
 */
bool kapi_guests_can_know(void);
/* Which guests of VMs of SNP's type know that they are SNP's. */
enum kapi_snp_guests {
	KAPI_SNP_GUESTS_ASKED, /* those whose launch asks for it */
	KAPI_SNP_GUESTS_AWARE, /* all */
	KAPI_SNP_GUESTS_AWARE_VC, /* all, and what is #VC on hardware is #VC to them */
};

enum kapi_snp_guests kapi_setting_snp_guests(void);

/* Whether the log may have one more report that a guest has brought about. */
bool kapi_guest_may_report(void);

/* Of a vCPU that has exited, and is the current task's. */
struct kapi_registers {
	kapi_u64 rax, rcx, rdx, rip, rflags;
	kapi_u64 code; /* linear address of RIP */
	unsigned int cpl;
	bool wide; /* in 64-bit code */
};

void kapi_vcpu_registers(struct kvm_vcpu *vcpu, struct kapi_registers *registers);
/* The instruction at RIP is over: RAX, RIP and RFLAGS are as in @registers from here on. */
void kapi_vcpu_retire(struct kvm_vcpu *vcpu, const struct kapi_registers *registers);
/* The instruction at RIP was RDMSR of @value, or WRMSR. What the entry returns. */
int kapi_vcpu_read_msr(struct kvm_vcpu *vcpu, kapi_u64 value);
int kapi_vcpu_wrote_msr(struct kvm_vcpu *vcpu);
/* #GP(0), and #PF. */
void kapi_vcpu_protection_fault(struct kvm_vcpu *vcpu);
void kapi_vcpu_page_fault(struct kvm_vcpu *vcpu, kapi_u64 addr, unsigned int error_code);
/* KVM_RUN exits: for an access to @gpa as to a private page; as the guest asks for its end. */
void kapi_vcpu_exit_private(struct kvm_vcpu *vcpu, kapi_u64 gpa);
void kapi_vcpu_exit_terminated(struct kvm_vcpu *vcpu, kapi_u64 ghcb_msr);

/* Counts from 0 in the VM. */
unsigned int kapi_vcpu_nr(struct kvm_vcpu *vcpu);
/* The C-bit's position that the vCPU's CPUID tells, or 0. */
unsigned int kapi_vcpu_c_bit(struct kvm_vcpu *vcpu);

/* ---- the bodies ------------------------------------------------------------------------ */

int kapi_stock_undefined(struct kvm_vcpu *vcpu);
int kapi_stock_hypercall(struct kvm_vcpu *vcpu);
int kapi_stock_rdmsr(struct kvm_vcpu *vcpu);
int kapi_stock_wrmsr(struct kvm_vcpu *vcpu);
bool kapi_stock_msr_allowed(struct kvm_vcpu *vcpu, unsigned int index, unsigned int type);

/* ==== the core's entries (guest/entries.cc) =================================================== */

/*
 * Of VMs of SNP's type on the model: an undefined instruction, a hypercall, RDMSR and WRMSR of
 * the GHCB MSR. Each is the stock body's for a guest that does not know SNP. Sleep; KVM's
 * answers to an exit: 1, the guest goes on; 0 and errors: KVM_RUN returns.
 */
int gmem_kvm_undefined(struct kvm_vcpu *vcpu);
int gmem_kvm_hypercall(struct kvm_vcpu *vcpu);
int gmem_kvm_rdmsr(struct kvm_vcpu *vcpu);
int gmem_kvm_wrmsr(struct kvm_vcpu *vcpu);
/* Whether a vCPU may have the GHCB MSR without an exit. */
bool gmem_kvm_msr_allowed(struct kvm_vcpu *vcpu, unsigned int index, unsigned int type);
/* SEV_STATUS. */
int gmem_kvm_sev_status(struct kvm_vcpu *vcpu, struct msr_data *msr);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_GUEST_H */
