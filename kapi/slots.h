/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kapi/slots.c tells the rest of the boundary of memslots on mappable files, and
 * kapi/requests.c of requests for memslots.
 */
#ifndef GMEM_KAPI_SLOTS_H
#define GMEM_KAPI_SLOTS_H

#include "types.h"

/* How many memslots are marked kapi_slot_mark_only(). Any context. */
int gmem_slots_only(void);
/* How many VMs have, or have had, a hole (kapi/pci_hole.c). Any context. */
int gmem_vms_with_holes(void);
/* False of a default VM, while no VM has a memslot of ours or a hole. Any context. */
bool gmem_kvm_may_be_ours(const struct kvm *kvm);

/*
 * Whether KVM_PRE_FAULT_MEMORY of this vCPU concerns the module, or has to be kept from what
 * KVM does by itself: it would try for ever. Any context.
 */
bool gmem_prefault_matters(const struct kvm_vcpu *vcpu);

#endif /* GMEM_KAPI_SLOTS_H */
