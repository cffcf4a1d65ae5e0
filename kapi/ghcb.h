/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that VMGEXIT needs (guest/vmgexit.cc): what KVM does for a guest of
 * SNP by itself, asked by the GHCB, and how an exchange goes on that user space has a part in.
 */
#ifndef GMEM_KAPI_GHCB_H
#define GMEM_KAPI_GHCB_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvm;
struct kvm_vcpu;

/* What a GHCB gives and gets of a guest's registers. */
struct kapi_ghcb_registers {
	kapi_u64 rax, rbx, rcx, rdx, rsi;
};

/*
 * All of this is of a vCPU that has exited by VMGEXIT, and is the current task's. Those that
 * return int sleep and answer as KVM to an exit: 1: done; 0: user space has a part in it, or
 * KVM_RUN returns for another reason; errors: KVM_RUN's.
 */

/* Exchanges the vCPU's registers for *@registers. */
void kapi_vcpu_swap(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers);
/*
 * KVM's answers to RDPMC, and to holding the vCPU until it is reset; both go on behind the
 * instruction at RIP.
 */
int kapi_vcpu_rdpmc(struct kvm_vcpu *vcpu);
int kapi_vcpu_reset_hold(struct kvm_vcpu *vcpu);
/* The vector of a fault that KVM has queued for the guest, which never gets it; -1: none. */
int kapi_vcpu_take_fault(struct kvm_vcpu *vcpu);
/* CPUID of EAX and ECX in *@registers, which gets all four. */
void kapi_vcpu_cpuid(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers);
/* An MSR of the guest's; false: it has none. */
bool kapi_vcpu_msr(struct kvm_vcpu *vcpu, unsigned int index, kapi_u64 *value);
kapi_u64 kapi_vcpu_dr7(struct kvm_vcpu *vcpu);
/* False: no such value. */
bool kapi_vcpu_set_dr7(struct kvm_vcpu *vcpu, kapi_u64 value);
/*
 * @count accesses to @port of @size bytes each, 1, 2 or 4; and one of up to 8 bytes to what is
 * at @gpa, which is no memory. @data stays where it is until this is done.
 */
int kapi_vcpu_port_io(struct kvm_vcpu *vcpu, unsigned int size, unsigned int port, void *data,
		      unsigned int count, bool in);
int kapi_vcpu_mmio(struct kvm_vcpu *vcpu, bool write, kapi_u64 gpa, unsigned int size, void *data);

/* ---- with user space ------------------------------------------------------------------- */

/* What KVM calls for the vCPU when user space has answered; NULL: nothing. */
typedef int (*kapi_completion)(struct kvm_vcpu *vcpu);

/*
 * Has KVM call gmem_kvm_vmgexit_answered() in place of its own completion, which is returned;
 * NULL, and nothing is done: it waits for no answer.
 */
kapi_completion kapi_vcpu_await(struct kvm_vcpu *vcpu);
/* Calls what kapi_vcpu_await() has returned. */
int kapi_vcpu_complete(struct kvm_vcpu *vcpu, kapi_completion completion);

/* Whether user space wants to hear of conversions that the guest asks for. */
bool kapi_kvm_tells_conversions(struct kvm *kvm);
/*
 * KVM_RUN exits for a conversion of @pages of 4 KiB at @gpa, which lie in blocks of 2 MiB if
 * @huge; gmem_kvm_vmgexit_answered() is called then.
 */
void kapi_vcpu_exit_convert(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 pages, bool is_private,
			    bool huge);
/* What user space has answered; 0: it is done. */
kapi_u64 kapi_vcpu_converted(struct kvm_vcpu *vcpu);

/* ==== the core's entry (guest/vmgexit.cc) ===================================================== */

/* User space has answered; KVM's SRCU is held. KVM's answer to an exit. */
int gmem_kvm_vmgexit_answered(struct kvm_vcpu *vcpu);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_GHCB_H */
