/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kapi/slots.c does for the rest of the boundary, and tells it of memslots on mappable
 * files; and what kapi/requests.c tells of requests for memslots.
 */
#ifndef GMEM_KAPI_SLOTS_H
#define GMEM_KAPI_SLOTS_H

#include "types.h"

struct kvm_userspace_memory_region2;

/*
 * KVM's own answer to the request, for any memslot; meanwhile @core is what
 * kapi_region_pending() of @kvm answers. slots_lock held. Sleeps.
 */
int gmem_region_set_pending(struct kvm *kvm, const struct kvm_userspace_memory_region2 *region,
			    void *core);

/* How many memslots are marked kapi_slot_mark_only(). Any context. */
int gmem_slots_only(void);
/* How many VMs have, or have had, a hole (kapi/pci_hole.c). Any context. */
int gmem_vms_with_holes(void);
/* False of a default VM, while no VM has a memslot of ours or a hole. Any context. */
bool gmem_kvm_may_be_ours(const struct kvm *kvm);

/*
 * Whether KVM_PRE_FAULT_MEMORY of this vCPU concerns the module, or has to be kept from what
 * KVM does by itself: it would try for ever. Task context.
 */
bool gmem_prefault_matters(const struct kvm_vcpu *vcpu);

#endif /* GMEM_KAPI_SLOTS_H */
