/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that PCI holes need (docs/pci-hole.md): requests for
 * memslots, the bytes of all ones and where user space has them, and one object
 * of the core's that lives as long as a VM. Plain C; rules as in kapi.h.
 */
#ifndef GMEM_KAPI_PCI_HOLE_H
#define GMEM_KAPI_PCI_HOLE_H

#include "kapi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- requests for memslots ------------------------------------------------ */

/* What KVM_SET_USER_MEMORY_REGION and KVM_SET_USER_MEMORY_REGION2 have in common. */
struct kapi_region {
	unsigned int slot;
	unsigned int flags;
	kapi_u64 gpa;
	kapi_u64 size;
	kapi_u64 user_addr;
};

/* The VM behind the file that KVM_CREATE_VM made. */
struct kvm *kapi_file_vm(struct file *file);
/* Reads the argument of either ioctl. -EFAULT. Sleeps. */
int kapi_region_read(struct kapi_region *region, unsigned long arg);
/*
 * KVM's own answer to the request, of which @region has all that is not zero.
 * slots_lock held. Sleeps.
 */
int kapi_region_set(struct kvm *kvm, const struct kapi_region *region);

/* Whether the current task may change the VM: it has its memory, and KVM has not given it up. */
bool kapi_kvm_usable(struct kvm *kvm);
/* Whether the VM can have memslots that the guest cannot write. */
bool kapi_kvm_has_readonly(struct kvm *kvm);

/* The live memslot of number @slot as in a request, or NULL. slots_lock held. */
struct kvm_memory_slot *kapi_kvm_slot_by_id(struct kvm *kvm, unsigned int slot);
/*
 * The memslot at @gfn if that is a hole and faults of the vCPU are by gfn now, as
 * they are with two-dimensional paging; or NULL. Cheap while no VM has any. SRCU.
 */
struct kvm_memory_slot *kapi_vcpu_hole(struct kvm_vcpu *vcpu, kapi_u64 gfn);
bool kapi_slot_is_hole(struct kvm_memory_slot *slot);
void kapi_slot_mark_hole(struct kvm_memory_slot *slot); /* slots_lock held */
/* Where KVM finds the slot's bytes in user space. slots_lock or SRCU. */
kapi_u64 kapi_slot_user_addr(struct kvm_memory_slot *slot);

/* ---- all ones -------------------------------------------------------------- */

/* Whether there is a way to ask for holes: KVM's ioctl was taken over. */
bool kapi_holes_possible(void);

/*
 * Shows @size bytes of all ones in the current task's user space, 2 MiB at a time
 * wherever that fits, to read only. User space cannot take it away. All of them
 * are the same 2 MiB of memory. -ENOMEM, -EINTR. Sleeps.
 */
int kapi_ones_map(kapi_u64 size, kapi_u64 *addr);
/*
 * Takes it away again from the user space that @kvm belongs to, whoever the
 * current task is; perhaps a little later. Sleeps.
 */
void kapi_ones_unmap(struct kvm *kvm, kapi_u64 addr, kapi_u64 size);

/* ---- the core's part of a VM ------------------------------------------------ */

/* What was attached, or NULL. Takes kvm->lock; sleeps. */
void *kapi_vm_holes(struct kvm *kvm);
/*
 * Attaches @core for the rest of the VM's life, and pins the module meanwhile.
 * -EEXIST: *present was there first; -ENOMEM. Takes kvm->lock; sleeps.
 */
int kapi_vm_holes_attach(struct kvm *kvm, void *core, void **present);

/* The VM goes: the core's entry for what was attached. Sleeps. */
void gmem_vm_holes_gone(struct kvm *kvm, void *core);

/* ---- KVM's ioctl (kapi/takeover.c, mmu/entry.cc) ------------------------------ */

/* The body of kvm_vm_ioctl(). */
long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);
/* Where it lands for requests of memslots. */
long gmem_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_PCI_HOLE_H */
