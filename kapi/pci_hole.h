/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that PCI holes need (docs/pci-hole.md): the bytes of
 * all ones and where user space has them, and one object of the core's that lives
 * as long as a VM. Plain C; rules as in kapi.h.
 */
#ifndef GMEM_KAPI_PCI_HOLE_H
#define GMEM_KAPI_PCI_HOLE_H

#include "kapi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- VMs and memslots ------------------------------------------------------- */

/* Whether the VM can have memslots that the guest cannot write. */
bool kapi_kvm_has_readonly(struct kvm *kvm);

/*
 * The memslot at @gfn if that is a hole and faults of the vCPU are by gfn now, as
 * they are with two-dimensional paging; or NULL. Cheap while no VM has any. SRCU.
 */
struct kvm_memory_slot *kapi_vcpu_hole(struct kvm_vcpu *vcpu, kapi_u64 gfn);
bool kapi_slot_is_hole(const struct kvm_memory_slot *slot); /* NULL is none */
void kapi_slot_mark_hole(struct kvm_memory_slot *slot, bool hole); /* slots_lock held */
/* Where KVM finds the slot's bytes in user space. slots_lock or SRCU. */
kapi_u64 kapi_slot_user_addr(struct kvm_memory_slot *slot);

/* ---- all ones -------------------------------------------------------------- */

/*
 * Shows @size bytes of all ones in the current task's user space, 2 MiB at a time
 * wherever that fits, to read only. User space cannot take it away. All of them
 * are the same 2 MiB of memory. -ENOMEM, -EINTR. Sleeps.
 */
int kapi_ones_map(kapi_u64 size, kapi_u64 *addr);
/*
 * Takes it away again from the user space that @kvm belongs to, in any task; perhaps a
 * little later. Sleeps.
 */
void kapi_ones_unmap(struct kvm *kvm, kapi_u64 addr, kapi_u64 size);

/* ---- the core's part of a VM ------------------------------------------------ */

/* What was attached, or NULL. Takes kvm->lock; sleeps. */
void *kapi_vm_holes(struct kvm *kvm);
/*
 * Attaches @core for the rest of the VM's life, and pins the module meanwhile; the caller
 * has a reference of the module.
 * -EEXIST: *present was there first; -ENOMEM. Takes kvm->lock; sleeps.
 */
int kapi_vm_holes_attach(struct kvm *kvm, void *core, void **present);

/* The VM goes: the core's entry for what was attached. Sleeps. */
void gmem_vm_holes_gone(struct kvm *kvm, void *core);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_PCI_HOLE_H */
