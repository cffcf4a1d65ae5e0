/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memslots on mappable files in VMs without private memory, where KVM does not make them
 * itself (kapi_kvm_has_shared_slots()): it takes guest_memfd for private memory alone.
 */
#ifndef GMEM_MMU_SLOTS_H
#define GMEM_MMU_SLOTS_H

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

/* Whether @region, of @ioctl, is for set_shared_slot(). */
bool wants_shared_slot(struct kvm *kvm, unsigned int ioctl, const struct kapi_region &region);

/*
 * Makes a memslot whose memory is a mappable file of this VM, and nothing else.
 * -EBADF: no such descriptor; -EINVAL: not such a file, or as KVM_SET_USER_MEMORY_REGION2
 * has it; -EEXIST, -ENOMEM; nothing has changed then. Takes slots_lock; sleeps.
 */
Status set_shared_slot(struct kvm *kvm, const struct kapi_region &region,
		       const struct kapi_region_gmem &gmem);

/* Whether the memslot that KVM is working on is one that set_shared_slot() makes. */
bool making_shared_slot(struct kvm *kvm);
/*
 * Then, in place of KVM's own kvm_arch_prepare_memory_region(): makes it a memslot with
 * guest_memfd, and binds it before vCPUs see it, unless KVM has that done in a step of
 * its own. slots_lock held. Sleeps.
 */
Status prepare_shared_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			   struct kvm_memory_slot *slot, int change);

} /* namespace gmem */

#endif /* GMEM_MMU_SLOTS_H */
