/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that the creation of vCPUs by their guest needs (guest/ap.h): finding
 * another vCPU and having it reset, the registers that a save area gives, the bodies of the three
 * functions that are taken over for it, and the core's entries.
 */
#ifndef GMEM_KAPI_AP_H
#define GMEM_KAPI_AP_H

#include "vc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- another vCPU of the VM ---------------------------------------------------------------- */

/*
 * The vCPU that the VMM has made with @id, which its guest takes for the number of its APIC;
 * NULL: none. It stays as long as the VM.
 */
struct kvm_vcpu *kapi_kvm_vcpu_by_id(struct kvm *kvm, unsigned int id);
/*
 * Has KVM reset the vCPU, as by INIT, before it next enters the guest: kvm_vcpu_reset(), in the
 * vCPU's own task. A running or waiting one is kicked. Any context.
 */
void kapi_vcpu_request_reset(struct kvm_vcpu *vcpu);
/* Not any more. Any context. */
void kapi_vcpu_forget_reset(struct kvm_vcpu *vcpu);
/* Bits of a guest-physical address, as the vCPU's CPUID has them. */
unsigned int kapi_vcpu_address_bits(struct kvm_vcpu *vcpu);

/* ---- the current task's vCPU, which is loaded, and is being reset -------------------------- */

/* What vectors and the FPU have. */
struct kapi_fpu_state {
	unsigned int mxcsr;
	unsigned short control, status, opcode;
	unsigned char tags; /* as of FXSAVE, one bit a register: not empty */
	kapi_u64 rip, rdp;
	unsigned char x87[8][10], xmm[16][16], ymm[16][16]; /* YMM: the upper halves */
};

/* What a save area gives. */
struct kapi_vcpu_state {
	struct kapi_segment es, cs, ss, ds, fs, gs, ldt, tr;
	kapi_u64 gdt, idt; /* where they lie */
	unsigned int gdt_limit, idt_limit;
	kapi_u64 efer, cr0, cr2, cr3, cr4, dr6, dr7, rflags, rip;
	kapi_u64 c_bit; /* the bit of CR3 beside @cr3 that is no address's, or 0 */
	kapi_u64 gprs[16]; /* as instructions count them: RAX, RCX, RDX, RBX, RSP ... R15 */
	kapi_u64 star, lstar, cstar, sfmask, kernel_gs_base;
	kapi_u64 sysenter_cs, sysenter_esp, sysenter_eip;
	kapi_u64 pat, xcr0, xss;
	unsigned int pkru, tsc_aux;
	struct kapi_fpu_state fpu;
};

/*
 * The vCPU has this state, and runs when it next can. False: KVM knows that the processor would
 * refuse it, or it cannot be had (no memory); part of it is there. Sleeps.
 */
bool kapi_vcpu_set_state(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state);
/*
 * It has no state that a processor enters a guest with. gmem_kvm_events() is called before it
 * could be entered with the one that it has, from here on until it is not refused any more.
 */
void kapi_vcpu_refuse(struct kvm_vcpu *vcpu);
/* Whether a vCPU was ever refused, since the module is loaded. */
extern bool kapi_any_refused;
/*
 * Whether KVM_RUN is about to enter the guest: it waits for nothing, and no reset is requested.
 * Then KVM_RUN exits as where VMRUN fails, KVM_EXIT_FAIL_ENTRY.
 */
bool kapi_vcpu_is_entering(struct kvm_vcpu *vcpu);
void kapi_vcpu_exit_refused(struct kvm_vcpu *vcpu);
/* What INIT does to a vCPU whose registers are its guest's alone: its APIC, and what is pending. */
void kapi_vcpu_init(struct kvm_vcpu *vcpu);
/*
 * Whether KVM's own body has to reset it, whoever has its registers. The processor has left it
 * none: after a shutdown SVM's VMCB is undefined, and KVM empties it, with what keeps the guest
 * in its own memory. Or it has those of a guest of its guest's, which INIT ends.
 */
bool kapi_vcpu_lacks_state(struct kvm_vcpu *vcpu);
/* Out of system management mode, of which kvm_vcpu_reset() knows nothing. */
void kapi_vcpu_leave_smm(struct kvm_vcpu *vcpu);
/* It waits as by HLT, or it does not. */
void kapi_vcpu_set_halted(struct kvm_vcpu *vcpu, bool halted);

/* KVM's SRCU; the first returns what the other takes. May be nested. */
int kapi_kvm_read_lock(struct kvm *kvm);
void kapi_kvm_read_unlock(struct kvm *kvm, int token);

/* ---- the bodies ---------------------------------------------------------------------------- */

void kapi_stock_reset(struct kvm_vcpu *vcpu, bool init);
void kapi_stock_sipi(struct kvm_vcpu *vcpu, unsigned char vector);
int kapi_stock_events(struct kvm_vcpu *vcpu);

/* ==== the core's entries (guest/ap.cc) ======================================================== */

/*
 * Of VMs of SNP's type on the model, each the stock body's for a guest that does not know SNP:
 * the vCPU is reset, as it is made or (@init) by INIT or a request; it gets SIPI. Sleep.
 */
void gmem_kvm_reset(struct kvm_vcpu *vcpu, bool init);
void gmem_kvm_sipi(struct kvm_vcpu *vcpu, unsigned char vector);
/* It takes INIT and SIPI that are pending. Less than 0: KVM_RUN exits, as kvm_run says. */
int gmem_kvm_events(struct kvm_vcpu *vcpu);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_AP_H */
