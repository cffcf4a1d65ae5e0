// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots of VMs without private memory on mappable files (slots.h). KVM makes an
 * ordinary memslot of the request; before vCPUs see it, it becomes one with
 * guest_memfd.
 */
#include "mmu/slots.h"

#include "gmem/guard.h"
#include "mmu/memslot.h"

namespace gmem
{

namespace
{

struct Pending {
	File &file;
	struct file *handle;
	std::uint64_t offset;
};

} /* namespace */

bool wants_shared_slot(struct kvm *kvm, unsigned int ioctl, const struct kapi_region &region)
{
	return ioctl == KAPI_IOCTL_SET_REGION2 && region.flags == KAPI_MEM_GUEST_MEMFD &&
	       !kapi_kvm_has_private_mem(kvm);
}

Status set_shared_slot(struct kvm *kvm, const struct kapi_region &region,
		       const struct kapi_region_gmem &gmem)
{
	struct kapi_region plain = region;
	GMEM_TRY(lock, KillableSlotsLock::take(kvm));

	plain.flags = 0;
	if (region.size == 0)
		return Status{ kapi_region_set(kvm, &plain) };
	if (gmem.offset % kPageSize || gmem.offset + region.size < gmem.offset)
		return error(EINVAL);
	/* Such memslots can only be made and deleted. */
	if (kapi_kvm_slot_by_id(kvm, region.slot))
		return error(EINVAL);

	const FileRef handle{ kapi_file_from_fd(gmem.fd) };

	if (!handle)
		return error(EBADF);

	File *const file = File::of(handle.get());

	if (!file || !file->inode().store().kind().mappable)
		return error(EINVAL);

	Pending pending{ *file, handle.get(), gmem.offset };

	return Status{ kapi_region_set_with(kvm, &plain, &pending) };
}

bool making_shared_slot(struct kvm *kvm)
{
	return kapi_region_pending(kvm) != nullptr;
}

Status prepare_shared_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			   struct kvm_memory_slot *slot, int change)
{
	const Pending &pending = *static_cast<Pending *>(kapi_region_pending(kvm));
	const auto offset = static_cast<long long>(pending.offset);

	/* KVM lets the memslot name its file now, and then has it bound. */
	if (kapi_binds_in_steps()) {
		GMEM_TRY(start, check_bind(pending.file, kvm, slot, offset));
		GMEM_CHECK(Status{ kapi_stock_prepare_slot(kvm, old, slot, change) });
		kapi_slot_set_file(slot, pending.handle, start.value);
		kapi_slot_mark_gmem(slot, true);
		return Status{};
	}

	GMEM_CHECK(bind_memslot(pending.file, pending.handle, kvm, slot, offset));

	const Status status{ kapi_stock_prepare_slot(kvm, old, slot, change) };

	if (status.ok()) {
		kapi_slot_mark_gmem(slot, true);
	} else {
		unbind_memslot(pending.file, slot);
		kapi_slot_unmark_only(slot);
	}
	return status;
}

} /* namespace gmem */
