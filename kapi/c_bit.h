/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that the C-bit needs (mmu/c_bit.h): a memslot of KVM's own at the
 * addresses with that bit, which stands for the VMM's memslots at those without: the alias. It
 * has no memory of its own, not even a user address, is made at the end of the launch, and goes
 * with the VM.
 */
#ifndef GMEM_KAPI_C_BIT_H
#define GMEM_KAPI_C_BIT_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvm;
struct kvm_memory_slot;
struct kvm_pre_fault_memory;
struct kvm_vcpu;

/*
 * The C-bit's position that the CPUID of the VM's vCPU @nr tells, or 0. -EBUSY: the vCPU is in
 * use. kvm->lock.
 */
int kapi_kvm_c_bit(struct kvm *kvm, unsigned int nr);
/* How many bits of an address nested page tables translate on this host. */
unsigned int kapi_nested_bits(void);

/* Whether a VM has, or has had, an alias: set before one is seen, and never taken back. */
extern bool kapi_any_alias;
/* The VM's alias; NULL: it has none. slots_lock or SRCU. */
struct kvm_memory_slot *kapi_kvm_alias(struct kvm *kvm);
/* Any context. NULL is none. */
bool kapi_slot_is_alias(const struct kvm_memory_slot *slot);
/* The VM that an alias is of. */
struct kvm *kapi_alias_kvm(const struct kvm_memory_slot *alias);
/* Whether KVM is about to delete the memslot. */
bool kapi_slot_is_going(const struct kvm_memory_slot *slot);
/*
 * Has KVM make the alias of [start, end), gfns; prepare_alias() is asked meanwhile. Errors as
 * of KVM_SET_USER_MEMORY_REGION. slots_lock held; sleeps.
 */
int kapi_alias_make(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/* Whether the memslot that KVM is working on is that. slots_lock held. */
bool kapi_alias_pending(struct kvm *kvm);
/* Makes @slot, which is not in use yet, the alias of @kvm. */
void kapi_slot_make_alias(struct kvm_memory_slot *slot, struct kvm *kvm);
/*
 * Makes the attributes of the 1 << @order gfns at @start private, which nothing but the end of
 * the VM undoes. None of them may be set. -ENOMEM. slots_lock held; sleeps.
 */
int kapi_alias_make_private(struct kvm *kvm, kapi_u64 start, unsigned int order);

/* KVM_RUN's exit for memory, if that is what it is, names the address without @bits. */
void kapi_vcpu_exit_without(struct kvm_vcpu *vcpu, kapi_u64 bits);

/* The address that is to be pre-faulted, and the stock body, as if it were @gpa. */
kapi_u64 kapi_prefault_gpa(const struct kvm_pre_fault_memory *range);
long kapi_stock_pre_fault_at(struct kvm_vcpu *vcpu, const struct kvm_pre_fault_memory *range,
			     kapi_u64 gpa);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_C_BIT_H */
