// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory: user mappings of a file's pages (kapi/mmap.c and what of
 * kapi/cache.c minds them), KVM's attributes (kapi/attributes.c), and a VM's slots
 * and mappings as conversion sees them.
 */
#include "kunit/fakes/share.h"

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

std::atomic<unsigned long> drained, slept;
bool mappable = true;

/* Calls @fn for the pages of [start, end) in order, until it says no. */
template <class Fn>
void for_each_page(struct inode *inode, std::uint64_t start, std::uint64_t end, Fn fn)
{
	const std::lock_guard guard{ inode->cache_mutex };

	for (auto it = inode->cache.lower_bound(start / 512);
	     it != inode->cache.end() && it->first * 512 < end; ++it) {
		for (struct page *const page : it->second.pages) {
			if (page && page->index >= start && page->index < end && !fn(page))
				return;
		}
	}
}

} /* namespace */

int user_touch(struct file *file, std::uint64_t index, std::uint64_t **content)
{
	struct page *page = nullptr;

	if (!file_get_active(file))
		bug("a file that is gone is touched");

	const int ret = gmem_file_fault(file->core, index, &page);

	if (ret == 0) {
		if (!page->locked || !page->mapping || page->index != index)
			bug("index %#lx: not the page, or not locked", index);
		/* The mapping's reference is the fault's. */
		page->user_mapped++;
		page_unlock(page);
		*content = reinterpret_cast<std::uint64_t *>(&page->content);
	}
	kapi_file_put(file);
	return_to_user();
	return ret;
}

bool user_mapped(struct inode *inode, std::uint64_t index)
{
	bool mapped = false;

	for_each_page(inode, index, index + 1, [&](struct page *page) {
		mapped = page->user_mapped > 0;
		return false;
	});
	return mapped;
}

unsigned long batches_drained()
{
	return drained;
}

unsigned long times_slept()
{
	return slept;
}

void set_files_mappable(bool are)
{
	mappable = are;
}

} /* namespace fake */

using namespace fake;

void kapi_cache_unmap_user(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_cache_unmap_user");
	sched::step("unmap_user");
	for_each_page(inode, start, end, [](struct page *page) {
		for (int n = page->user_mapped.exchange(0); n > 0; n--)
			kapi_page_put(page);
		return true;
	});
}

int kapi_cache_unused(struct inode *inode, kapi_u64 start, kapi_u64 end, kapi_u64 *at)
{
	int ret = 0;

	sched::step("cache_unused");
	if (!inode->invalidate_lock.held_exclusively())
		bug("references are looked at without the inode lock");
	for_each_page(inode, start, end, [&](struct page *page) {
		if (page->refs == 1)
			return true;
		*at = page->index;
		ret = -EAGAIN;
		return false;
	});
	return ret;
}

void kapi_drain_batches(void)
{
	might_sleep("kapi_drain_batches");
	drained++;
}

void kapi_sleep(unsigned int)
{
	might_sleep("kapi_sleep");
	slept++;
	sched::step("sleep");
}

int kapi_attributes_reserve(struct kvm *kvm, kapi_u64, kapi_u64)
{
	might_sleep("kapi_attributes_reserve");
	kapi_kvm_assert_slots_lock(kvm);
	return fail_now() ? -ENOMEM : 0;
}

void kapi_attributes_set(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	kapi_kvm_assert_slots_lock(kvm);
	sched::step("attributes_set");

	const std::unique_lock guard{ kvm->attributes_mutex };

	for (kapi_u64 gfn = start; gfn < end && gfn < kGfns; gfn++)
		kvm->is_private[gfn] = to_private;
}

void kapi_attributes_changed(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start,
			     kapi_u64 end, bool)
{
	kapi_kvm_assert_slots_lock(kvm);
	if (start < slot->base_gfn || end > slot->base_gfn + slot->npages)
		bug("attributes of [%#lx, %#lx) outside of the slot", start, end);
	if (!kvm->invalidate_in_progress)
		bug("attributes change outside of an invalidation");
}

void kapi_attributes_convert(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	kapi_mmu_begin(kvm, start, end);
	mmu_zap(kvm, start, end);
	kapi_attributes_set(kvm, start, end, to_private);
	kapi_mmu_end(kvm);
}

int kapi_attributes_read(struct kvm *, kapi_u64 *start, kapi_u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg)
{
	const auto *const request = reinterpret_cast<const AttributeRequest *>(arg);

	if (ioctl != kSetAttributes)
		return -ENOTTY;
	if (!request)
		return -EFAULT;
	*start = request->start;
	*end = request->end;
	*to_private = request->to_private;
	return 0;
}

struct kvm_memory_slot *kapi_kvm_next_slot(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	struct kvm_memory_slot *first = nullptr;

	kapi_kvm_assert_slots_lock(kvm);
	for (const auto &slot : kvm->slots) {
		if (slot->base_gfn < end && start < slot->base_gfn + slot->npages &&
		    (!first || slot->base_gfn < first->base_gfn))
			first = slot.get();
	}
	return first;
}

void kapi_slot_mark_gmem(struct kvm_memory_slot *slot, bool gmem)
{
	slot->has_gmem = gmem;
}

unsigned long kapi_slot_hva(const struct kvm_memory_slot *slot, kapi_u64 gfn)
{
	return (gfn - slot->base_gfn) << 12;
}

void kapi_slot_mark_only(struct kvm_memory_slot *slot)
{
	slot->only = true;
}

bool kapi_slot_only(const struct kvm_memory_slot *slot)
{
	return slot && slot->only;
}

kapi_u64 kapi_pfn_error(void)
{
	return static_cast<kapi_u64>(-EFAULT);
}

bool kapi_entry_attached(enum kapi_entry)
{
	return mappable;
}
