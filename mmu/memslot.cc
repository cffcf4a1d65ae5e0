// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM memslots as holders of guest memory (memslot.h): bind, unbind, the page
 * for a fault, and begin/unmap/end into the TDP MMU.
 */
#include "mmu/memslot.h"

#include "gmem/locks.h"

namespace gmem
{

SlotMap MemslotBinding::map_of(struct kvm_memory_slot *slot)
{
	const PageIndex start{ kapi_slot_pgoff(slot) };

	return { Gfn{ kapi_slot_base_gfn(slot) }, { start, start + kapi_slot_npages(slot) } };
}

void MemslotBinding::begin(IndexRange reach)
{
	const GfnRange gfns = map_.gfns_of(reach);

	kapi_mmu_begin(kvm_, gfns.start.value, gfns.end.value);
}

void MemslotBinding::unmap(IndexRange range)
{
	const GfnRange gfns = map_.gfns_of(range);

	kapi_mmu_unmap(kvm_, slot_, gfns.start.value, gfns.end.value);
}

void MemslotBinding::end(IndexRange)
{
	kapi_mmu_end(kvm_);
}

void MemslotBinding::orphan()
{
	/* KVM frees the slot later and must not look for the file then. */
	kapi_slot_set_file(slot_, nullptr, range().start.value);
}

void MemslotBinding::destroy()
{
	Destroy{}(this);
}

Status bind_memslot(File &file, struct file *handle, struct kvm *kvm, struct kvm_memory_slot *slot,
		    long long offset)
{
	const std::uint64_t npages = kapi_slot_npages(slot);

	if (file.vm() != kvm || offset < 0 || offset % kPageSize)
		return error(EINVAL);

	const PageIndex start{ static_cast<std::uint64_t>(offset) >> kPageShift };
	const PageIndex end = file.inode().end();

	if (start > end || npages > end - start)
		return error(EINVAL);

	GMEM_TRY(binding, make<MemslotBinding>(kvm, slot, IndexRange{ start, start + npages }));

	ExclusiveInodeLock lock{ file.inode().handle() };
	const Status status = file.bindings().add(*binding);

	if (status == error(EEXIST))
		return Status{ kapi_kvm_overlap_error() };
	GMEM_CHECK(status);
	kapi_slot_set_file(slot, handle, start.value);
	binding.release();
	return Status{};
}

void unbind_memslot(File &file, struct kvm_memory_slot *slot)
{
	ExclusiveInodeLock lock{ file.inode().handle() };
	Binding *const binding = file.bindings().load(PageIndex{ kapi_slot_pgoff(slot) });

	if (!binding)
		return;
	file.bindings().remove(*binding);
	binding->orphan();
	binding->destroy();
}

Access memslot_access(File &file, struct kvm *kvm, const SlotMap &map, Gfn gfn)
{
	const PageIndex index = map.index_of(gfn);
	const unsigned fit = map.fits(index, kGiantOrder) ? kGiantOrder
			     : map.fits(index, kRunOrder) ? kRunOrder
							  : 0;

	return { file.inode().platform(), kvm, gfn, fit };
}

Result<Backing> memslot_page(File &file, struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn)
{
	const SlotMap map = MemslotBinding::map_of(slot);
	const PageIndex index = map.index_of(gfn);

	if (kapi_slot_file(slot) == nullptr)
		return error(EFAULT);
	if (!file.bindings().load(index)) {
		kapi_warn_once("a memslot's file does not know the memslot");
		return error(EIO);
	}

	return file.inode().page(index, memslot_access(file, kvm, map, gfn));
}

} /* namespace gmem */
