// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory: user mappings of a file's pages (kapi/mmap.c and the part of
 * kapi/cache.c that is about them), KVM's attributes (kapi/attributes.c), and a VM's
 * slots and mappings as conversion sees them.
 */
#include "kunit/fakes/share.h"

#include <uapi/gmem.h>

#include "kapi/c_bit.h"
#include "kunit/fakes/core.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"

#include <thread>

namespace fake
{

namespace
{

std::atomic<unsigned long> drained, slept;
std::atomic<bool> threads;
/* References for a moment, with the sleeps left to them; ~0: until drained. */
struct Moment {
	struct page *page;
	unsigned sleeps;
};
constexpr unsigned kUntilDrained = ~0u;
std::mutex moments_mutex;
std::vector<Moment> moments;
std::function<void()> on_sleep;
std::function<void(std::uint64_t)> before_look;

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

void moment_passes(bool by_drain)
{
	std::vector<struct page *> over;

	{
		const std::lock_guard guard{ moments_mutex };

		std::erase_if(moments, [&](Moment &moment) {
			const bool is_over = moment.sleeps == kUntilDrained
						     ? by_drain
						     : !by_drain && --moment.sleeps == 0;

			if (is_over)
				over.push_back(moment.page);
			return is_over;
		});
	}
	for (struct page *const page : over)
		kapi_page_put(page);
}

/* Takes [start, end) out of the reserved gfns. Returns how many of it were reserved. */
std::uint64_t take_reserved(struct kvm *kvm, std::uint64_t start, std::uint64_t end)
{
	std::map<std::uint64_t, std::uint64_t> &reserved = kvm->reserved;
	std::uint64_t taken = 0;

	for (auto it = reserved.begin(); it != reserved.end();) {
		const auto [from, to] = *it;
		const std::uint64_t first = std::max(from, start), last = std::min(to, end);

		if (first >= last) {
			++it;
			continue;
		}
		taken += last - first;
		it = reserved.erase(it);
		if (from < first)
			reserved[from] = first;
		if (last < to)
			reserved[last] = to;
	}
	return taken;
}

void check_nothing_reserved(struct kvm *kvm)
{
	/* While other threads run, the reservation may be one of theirs. */
	if (!threads && !kvm->reserved.empty())
		bug("what was reserved for attributes is neither used nor given back");
}

/* User space has no private page mapped or pinned; KVM holds none as a shared one. */
void check_private_page(struct page *page)
{
	if (page->user_mapped)
		bug("index %#lx is private, and user space has it mapped", page->index);
	if (page->pinned)
		bug("index %#lx is private, and user space has it pinned", page->index);
	if (page->kernel_held)
		bug("index %#lx is private, and KVM has it in its hands", page->index);
}

/* Calls @fn(gfns) for what @slot shows of the file's pages [start, end). */
template <class Fn>
void for_shown(const kvm_memory_slot &slot, std::uint64_t start, std::uint64_t end, Fn fn)
{
	start = std::max<std::uint64_t>(start, slot.pgoff);
	end = std::min<std::uint64_t>(end, slot.pgoff + slot.npages);
	for (; start < end; start++)
		fn(start - slot.pgoff + slot.base_gfn);
}

/* Checks the pages [start, end) of @file, all of which are private, or shared. */
void check_stretch(struct file *file, std::uint64_t start, std::uint64_t end, bool is_private)
{
	if (is_private) {
		for_each_page(file->inode, start, end, [](struct page *page) {
			check_private_page(page);
			return true;
		});
	}
	if (!core_converts(file))
		return;

	struct kvm *const kvm = core_vm(file);

	for (const auto &slot : kvm->slots) {
		if (slot->file != file)
			continue;
		for_shown(*slot, start, end, [&](auto gfn) {
			if (kapi_kvm_range_private(kvm, gfn, gfn + 1) != is_private)
				bug("gfn %#lx: its attribute is not the file's", gfn);
		});
	}
}

void check_file(struct file *file)
{
	const std::uint64_t npages = file->inode->size >> 12;

	for (std::uint64_t index = 0; index < npages;) {
		const Stretch stretch = core_stretch(file, index);

		check_stretch(file, index, stretch.end, stretch.is_private);
		index = stretch.end;
	}
}

} /* namespace */

void check_shares()
{
	if (!sched::active() && !threads)
		for_each_file(check_file);
}

void set_threads(bool running)
{
	threads = running;
}

void user_unmap(struct page *page)
{
	for (int n = page->user_mapped.exchange(0); n > 0; n--)
		kapi_page_put(page);
}

struct page *user_pin(struct file *file, std::uint64_t index)
{
	struct page *pinned = nullptr;
	std::uint64_t *content;

	/* It may be unmapped again before it is pinned, as in the kernel. */
	while (user_touch(file, index, &content) == 0 && !pinned) {
		for_each_page(file->inode, index, index + 1, [&](struct page *page) {
			if (page->user_mapped) {
				kapi_page_get(page);
				page->pinned++;
				pinned = page;
			}
			return false;
		});
	}
	return pinned;
}

void user_unpin(struct page *page)
{
	page->pinned--;
	kapi_page_put(page);
	return_to_user();
}

void hold_until_sleep(struct page *page, unsigned n)
{
	const std::lock_guard guard{ moments_mutex };

	kapi_page_get(page);
	moments.push_back({ page, n });
}

void hold_until_drained(struct page *page)
{
	hold_until_sleep(page, kUntilDrained);
}

void set_on_sleep(std::function<void()> fn)
{
	on_sleep = std::move(fn);
}

int convert(struct file *file, std::uint64_t start, std::uint64_t end, bool to_private,
	    std::uint64_t *at)
{
	struct kvm_memory_attributes2 args = {};

	args.offset = start << 12;
	args.size = (end - start) << 12;
	args.attributes = to_private ? kPrivateAttribute : 0;
	/* The descriptor lookup's reference. */
	if (!file_get_active(file))
		bug("a file that is gone is converted");

	const long ret = gmem_file_convert(file->core, &args);

	check_nothing_reserved(core_vm(file));
	kapi_file_put(file);
	return_to_user();
	check_shares();
	if (at)
		*at = args.error_offset >> 12;
	return static_cast<int>(ret);
}

long set_attributes(struct kvm *kvm, std::uint64_t start, std::uint64_t end, bool to_private)
{
	const AttributeRequest request{ start, end, to_private };
	const long ret = gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(kvm), kSetAttributes,
					   reinterpret_cast<unsigned long>(&request));

	check_nothing_reserved(kvm);
	return_to_user();
	check_shares();
	return ret;
}

int user_touch(struct file *file, std::uint64_t index, std::uint64_t **content)
{
	struct page *page = nullptr;

	if (!file_get_active(file))
		bug("a file that is gone is touched");

	int ret = gmem_file_fault(file->core, index, &page);

	/* A fault is tried again. */
	for (; ret == -EBUSY; ret = gmem_file_fault(file->core, index, &page)) {
		if (sched::active())
			sched::wait("user fault",
				    [&] { return !core_becomes_private(file, index); });
		else
			std::this_thread::yield();
	}
	if (ret == 0) {
		if (!page->locked || !page->mapping || page->index != index)
			bug("index %#lx: not the page, or not locked", index);
		if (core_is_private(file, index))
			bug("index %#lx is private, and handed to user space", index);
		sched::step("user fault");
	}
	/* __do_fault() looks at this once more. */
	if (ret == 0 && page->poisoned) {
		page_unlock(page);
		kapi_page_put(page);
		ret = -EHWPOISON;
	} else if (ret == 0) {
		/* The mapping's reference is the fault's. */
		page->user_mapped++;
		*content = reinterpret_cast<std::uint64_t *>(&page->content);
		page_unlock(page);
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

} /* namespace fake */

using namespace fake;

void kapi_cache_unmap_user(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_cache_unmap_user");
	sched::step("unmap_user");
	for_each_page(inode, start, end, [](struct page *page) {
		user_unmap(page);
		return true;
	});
}

kapi_u64 kapi_cache_first_used(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	sched::step("cache_first_used");
	if (!inode->invalidate_lock.held_exclusively())
		bug("references are looked at without the inode lock");
	for_each_page(inode, start, end, [&](struct page *page) {
		/* Read once: a guest's fault may take a reference in the middle. */
		const bool used = page->refs != 1;

		if (used)
			end = page->index;
		return !used;
	});
	return end;
}

void fake::set_before_look(std::function<void(std::uint64_t)> fn)
{
	before_look = std::move(fn);
}

kapi_u64 kapi_cache_first_poisoned(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_cache_first_poisoned");
	sched::step("cache_first_poisoned");
	if (before_look)
		before_look(start);
	for_each_page(inode, start, end, [&](struct page *page) {
		const bool marked = page->poisoned;

		if (marked)
			end = page->index;
		return !marked;
	});
	return end;
}

void kapi_drain_batches(void)
{
	might_sleep("kapi_drain_batches");
	drained++;
	moment_passes(true);
}

void kapi_sleep(unsigned int)
{
	might_sleep("kapi_sleep");
	slept++;
	sched::step("sleep");
	moment_passes(false);
	if (on_sleep)
		on_sleep();
}

kapi_u64 kapi_kvm_end_gfn(void)
{
	return kEndGfn;
}

int kapi_attributes_reserve(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_attributes_reserve");
	kapi_kvm_assert_slots_lock(kvm);
	if (start >= end || end > kEndGfn)
		bug("attributes reserved for [%#lx, %#lx)", start, end);
	if (kapi_fatal_signal_pending())
		return -EINTR;
	if (fail_now())
		return -ENOMEM;
	take_reserved(kvm, start, end);
	kvm->reserved[start] = end;
	return 0;
}

void kapi_attributes_release(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_attributes_release");
	kapi_kvm_assert_slots_lock(kvm);
	take_reserved(kvm, start, end);
}

void kapi_attributes_set(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	kapi_kvm_assert_slots_lock(kvm);
	sched::step("attributes_set");
	work();
	if (to_private && take_reserved(kvm, start, end) != end - start)
		bug("attributes of [%#lx, %#lx) are set that were not reserved", start, end);
	kvm->mmu_lock.lock();
	for (kapi_u64 gfn = start; gfn < end && gfn < kGfns; gfn++) {
		unsigned order;

		if (kvm->is_private[gfn] != to_private &&
		    (kvm->tables.lookup(gfn, &order) || kvm->tables.in_tlb(gfn)))
			bug("the attribute of gfn %#lx changes while a guest has it mapped", gfn);
	}
	kvm->mmu_lock.unlock();
	for (const auto &slot : kvm->slots) {
		struct file *const file = slot->file;

		if (!to_private || !file || !file->inode)
			continue;
		for_each_page(file->inode, slot->pgoff, slot->pgoff + slot->npages,
			      [&](struct page *page) {
				      const std::uint64_t gfn = page->index - slot->pgoff +
								slot->base_gfn;

				      if (gfn >= start && gfn < end)
					      check_private_page(page);
				      return true;
			      });
	}

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

bool kapi_attributes_are(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	might_sleep("kapi_attributes_are");
	kapi_kvm_assert_slots_lock(kvm);
	/* The fake has none from there on. */
	for (kapi_u64 gfn = start; gfn < end && gfn < kGfns; gfn++) {
		if (kvm->is_private[gfn] != to_private)
			return false;
	}
	return end <= kGfns || !to_private || kvm->is_private_beyond;
}

/* No guest maps by its C-bit what is just becoming shared. */
static void check_c_bit(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	const struct kvm_memory_slot *const alias = kapi_kvm_alias(kvm);

	if (alias && end <= alias->npages && !covered(kvm, alias->base_gfn + start, end - start))
		bug("attributes of [%#lx, %#lx) change, and the C-bit lets faults through", start,
		    end);
}

int kapi_attributes_convert(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	/* The fake has no attributes from there on. */
	const kapi_u64 last = to_private ? end : std::min(end, kGfns);

	while (start < last) {
		const kapi_u64 stop = std::min(last, (start | (kAttributesChunk - 1)) + 1);

		if (kapi_fatal_signal_pending()) {
			kapi_attributes_release(kvm, start, end);
			return -EINTR;
		}
		if (!kapi_attributes_are(kvm, start, stop, to_private)) {
			check_c_bit(kvm, start, stop);
			kapi_mmu_begin(kvm, start, stop);
			mmu_zap(kvm, start, stop);
			kapi_attributes_set(kvm, start, stop, to_private);
			kapi_mmu_end(kvm);
		} else {
			take_reserved(kvm, start, stop);
		}
		start = stop;
	}
	return 0;
}

int kapi_attributes_read(struct kvm *kvm, kapi_u64 *start, kapi_u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg)
{
	const auto *const request = reinterpret_cast<const AttributeRequest *>(arg);

	if (ioctl != kSetAttributes)
		return -ENOTTY;
	if (!request)
		return -EFAULT;
	if (request->start >= request->end || !kapi_kvm_has_private_mem(kvm))
		return -EINVAL;
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

kapi_u64 kapi_pfn_error(void)
{
	return static_cast<kapi_u64>(-EFAULT);
}
