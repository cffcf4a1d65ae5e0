/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What PCI holes need of KVM: requests for memslots, with KVM's own rules for
 * them, and all ones in user space. The memslots here are apart from those of
 * kvm.h, which have guest_memfd.
 */
#ifndef GMEM_FAKES_PCI_HOLE_H
#define GMEM_FAKES_PCI_HOLE_H

#include <cstdint>
#include <vector>

#include "kapi/pci_hole.h"
#include "kunit/fakes/kvm.h"

namespace fake
{

/* KVM_MEM_READONLY, and how many memslots a VM may have. */
inline constexpr unsigned kReadonlyFlag = KAPI_MEM_READONLY, kUserSlots = 32764;

/* KVM_SET_USER_MEMORY_REGION as user space calls it, through gmem_kvm_vm_ioctl(). */
long request_region(struct kvm *kvm, const struct kapi_region &region);
/* KVM_SET_USER_MEMORY_REGION2 likewise. */
struct Region2 {
	struct kapi_region region;
	struct kapi_region_gmem gmem;
};
long request_region2(struct kvm *kvm, const Region2 &request);
/* KVM's own part of it: without the flag. */
int plain_region(struct kvm *kvm, const struct kapi_region &region);

/* A memslot of number @id, and where its bytes are; NULL: there is none. */
struct kvm_memory_slot *region_slot(struct kvm *kvm, unsigned id);
std::uint64_t region_user_addr(struct kvm *kvm, unsigned id);

/* Pieces of ones that user space has now. */
unsigned long ones_pieces();
/* Faults in holes that KVM's body has had since the last look. */
std::vector<std::uint64_t> hole_faults();
/* The nth of them from now on fails, and all after it; 0: none does. */
void fail_hole_fault(unsigned long n);
/* For KVM's body: notes the fault if it is in a hole; 0 or how it fails. */
int note_fault(struct kvm_vcpu *vcpu, std::uint64_t gpa);

void set_vm_usable(bool usable);
/* The one VM whose memory callers may not have; NULL: they may have any. */
void deny_memory_of(struct kvm *kvm);
unsigned long stock_vm_ioctls();

/* The VM goes, with its memslots. */
void vm_holes_destroy(struct kvm *kvm);
/* For check_clean(). */
void check_holes();

} /* namespace fake */

#endif /* GMEM_FAKES_PCI_HOLE_H */
