// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's page tables, and KVM's rule for a fault that meets an invalidation:
 * the fault remembers the sequence and gets its page without any lock. Under
 * mmu_lock it drops the page if an invalidation of its gfn is going on, or if any
 * has ended since.
 */
#include "kunit/fakes/kvm.h"

#include <thread>

#include <gmem/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/share.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

std::mutex calls_mutex;
MmuCalls calls;

class Spin {
    public:
	explicit Spin(struct kvm *kvm) : kvm_(kvm) { kvm_->mmu_lock.lock(); }
	~Spin() { kvm_->mmu_lock.unlock(); }

    private:
	struct kvm *kvm_;
};

} /* namespace */

GuestTables::~GuestTables()
{
	zap(0, ~0ull);
}

void GuestTables::set(Block &block, unsigned slot, struct page *page)
{
	struct page *&entry = block.pages[slot];

	if (entry) {
		entry->mapped--;
		block.count--;
	}
	entry = page;
	if (entry) {
		entry->mapped++;
		block.count++;
	}
}

void GuestTables::map(std::uint64_t gfn, struct page *page, unsigned order)
{
	if (order > 9) {
		for (std::uint64_t i = 0; i < 1ull << order; i += 512)
			map(gfn + i, kapi_page_nth(page, i), 9);
		giants_.insert(gfn >> 18);
		return;
	}
	/* A small mapping inside a larger one splits that: same pages, no longer one. */
	giants_.erase(gfn >> 18);

	Block &block = blocks_[gfn / 512];

	for (unsigned i = 0; i < 1u << order; i++) {
		const unsigned slot = gfn % 512 + i;
		struct page *const wanted = kapi_page_nth(page, i);

		if (block.pages[slot] && block.pages[slot] != wanted)
			bug("gfn %#lx: cannot replace a present leaf SPTE with another mapping a "
			    "different PFN",
			    gfn + i);
		if (!wanted->mapping || wanted->refs == 0)
			bug("gfn %#lx: a page that is not in the cache gets mapped", gfn + i);
		if (!block.pages[slot])
			set(block, slot, wanted);
	}
	block.huge = order != 0;
}

void GuestTables::zap(std::uint64_t start, std::uint64_t end, bool flush)
{
	/* A leaf goes as a whole, whatever part of it is meant. */
	auto giant = giants_.lower_bound(start >> 18);

	while (giant != giants_.end() && *giant << 18 < end) {
		const std::uint64_t first = *giant << 18;

		giant = giants_.erase(giant);
		zap(first, first + (1ull << 18), flush);
	}

	auto it = blocks_.lower_bound(start / 512);

	while (it != blocks_.end() && it->first * 512 < end) {
		Block &block = it->second;
		const std::uint64_t base = it->first * 512;
		unsigned from = start > base ? start - base : 0;
		unsigned to = end - base < 512 ? end - base : 512;

		if (from < to && block.huge) {
			block.huge = false;
			from = 0;
			to = 512;
		}
		for (unsigned slot = from; slot < to; slot++) {
			if (vendor() && block.pages[slot])
				vendor()->unmap(base + slot, kapi_page_pfn(block.pages[slot]));
			if (!flush && block.pages[slot] && !in_tlb(base + slot)) {
				tlb_[base + slot] = block.pages[slot];
				block.pages[slot]->mapped++;
			}
			set(block, slot, nullptr);
		}
		it = block.count ? std::next(it) : blocks_.erase(it);
	}
}

void GuestTables::flush(std::uint64_t start, std::uint64_t end)
{
	for (auto it = tlb_.lower_bound(start); it != tlb_.end() && it->first < end;
	     it = tlb_.erase(it))
		it->second->mapped--;
}

void GuestTables::split(std::uint64_t gfn)
{
	const auto it = blocks_.find(gfn / 512);

	giants_.erase(gfn >> 18);
	if (it != blocks_.end())
		it->second.huge = false;
}

struct page *GuestTables::lookup(std::uint64_t gfn, unsigned *order) const
{
	const auto it = blocks_.find(gfn / 512);

	if (it == blocks_.end())
		return nullptr;
	*order = giants_.count(gfn >> 18) ? 18 : it->second.huge ? 9 : 0;
	return it->second.pages[gfn % 512];
}

/* mmu_invalidate_retry_gfn() */
static bool stale(struct kvm *kvm, std::uint64_t seq, std::uint64_t gfn)
{
	if (kvm->invalidate_in_progress) {
		if (kvm->range_end == 0)
			bug("an invalidation without a range is in progress");
		if (gfn >= kvm->range_start && gfn < kvm->range_end)
			return true;
	}
	return kvm->invalidate_seq != seq;
}

bool covered(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages)
{
	Spin guard{ kvm };

	return kvm->invalidate_in_progress && kvm->range_start <= gfn &&
	       kvm->range_end >= gfn + npages;
}

/* kvm_mmu_hugepage_adjust(): what KVM allows of the order it is offered. */
static bool may_be_huge(struct kvm *kvm, const struct kvm_memory_slot *slot, std::uint64_t gfn,
			unsigned order)
{
	const std::uint64_t start = gfn >> order << order, end = start + (1ull << order);

	return start >= slot->base_gfn && end <= slot->base_gfn + slot->npages &&
	       range_uniform(kvm, start, end);
}

/* __kvm_faultin_pfn() of a shared page: 1, or -EFAULT. */
static int shared_pfn_of_kvm(const struct kvm_memory_slot *slot, std::uint64_t gfn, kapi_u64 *pfn)
{
	bool writable = false;
	unsigned long hva = ~0ul;
	const kapi_u64 found = gmem_kvm_fault_slot_pfn(slot, gfn, false, false, nullptr, true,
						       &writable, &hva);

	*pfn = found;
	if (found == kStockPfn)
		return 1;
	if (!writable || hva != kapi_slot_hva(slot, gfn))
		bug("gfn %#lx: writable %d, at %#lx in user space", gfn, writable, hva);
	return found == kapi_pfn_error() ? -EFAULT : 1;
}

/* The same as user space sees it: 0, or the exit's error. -ENODEV: not of a file of ours. */
static int shared_pfn(const struct kvm_memory_slot *slot, std::uint64_t gfn, kapi_u64 *pfn)
{
	kvm_vcpu vcpu{ slot->kvm };

	*pfn = kapi_pfn_error();
	set_fault_body([=] { return shared_pfn_of_kvm(slot, gfn, pfn); });

	const int ret = gmem_kvm_page_fault(&vcpu, gfn << 12, KAPI_PFERR_WRITE, nullptr, 0);

	if (ret == 1)
		return *pfn == kStockPfn ? -ENODEV : *pfn == kapi_pfn_error() ? -EAGAIN : 0;
	if (kapi_slot_only(slot) && vcpu.exit_gfn != gfn)
		bug("gfn %#lx: the exit says %#lx", gfn, vcpu.exit_gfn);
	return ret;
}

/* kvm_mmu_max_mapping_level(), as an order; under mmu_lock. */
static int shared_order(struct kvm *kvm, const struct kvm_memory_slot *slot, std::uint64_t gfn)
{
	const int level = gmem_kvm_mapping_level(kvm, slot, gfn, 3, false);

	if (level != 1 && level != 2)
		bug("gfn %#lx: a mapping of level %d", gfn, level);
	return level == 2 ? 9 : 0;
}

static int fault_in_srcu(struct kvm *kvm, std::uint64_t gfn, bool is_private, unsigned *order)
{
	struct kvm_memory_slot *const slot = slot_at(kvm, gfn);
	const std::uint64_t seq = kvm->invalidate_seq;
	kapi_u64 pfn = 0;
	int max_order = -1;

	sched::step("fault: sequence read");
	if (!slot || kapi_kvm_range_private(kvm, gfn, gfn + 1) != is_private)
		return -ENOENT;
	if (!slot->has_gmem)
		return -EFAULT;

	const bool from_file = is_private || (generation().shared_slots && kapi_slot_only(slot));
	const int ret = from_file ? gmem_kvm_fault_pfn(kvm, slot, gfn, &pfn, &max_order)
				  : shared_pfn(slot, gfn, &pfn);

	if (ret)
		return ret;
	if (!from_file)
		max_order = 0;
	if (max_order != 0 && max_order != 9 && max_order != 18)
		bug("get_pfn says order %d", max_order);
	sched::step("fault: page at hand");

	const unsigned vendor_order = vendor() ? vendor()->max_order(pfn) : 18;
	struct page *const page = page_of_pfn(pfn);
	{
		Spin guard{ kvm };

		if (stale(kvm, seq, gfn)) {
			kapi_page_put(page);
			return -EAGAIN;
		}

		if (kapi_kvm_range_private(kvm, gfn, gfn + 1) != is_private)
			bug("gfn %#lx is mapped as %s, and is not", gfn,
			    is_private ? "private" : "shared");
		if (slot->alias &&
		    !kapi_kvm_range_private(kvm, gfn - slot->base_gfn, gfn - slot->base_gfn + 1))
			bug("gfn %#lx is mapped by the C-bit, and is shared", gfn);

		unsigned use = from_file ? max_order : shared_order(kvm, slot, gfn);

		if (use && ((pfn ^ gfn) & ((1ull << use) - 1)))
			bug("gfn %#lx and pfn %#lx are not aligned alike", gfn, pfn);
		while (use && (!may_be_huge(kvm, slot, gfn, use) || use > vendor_order))
			use -= 9;
		if (vendor() && vendor()->map(gfn >> use << use, pfn >> use << use, use) != 0) {
			kapi_page_put(page);
			return -EAGAIN;
		}
		kvm->tables.map(gfn >> use << use, page_of_pfn(pfn >> use << use), use);
		if (order)
			*order = use;
	}
	kapi_page_put(page);
	sched::step("fault: done");
	return 0;
}

bool map_from_vendor(struct kvm *kvm, std::uint64_t gfn, std::uint64_t pfn)
{
	Spin guard{ kvm };

	if (stale(kvm, kvm->invalidate_seq, gfn))
		return false;
	kvm->tables.map(gfn, page_of_pfn(pfn), 0);
	return true;
}

static int fault_as(struct kvm *kvm, std::uint64_t gfn, bool is_private, unsigned *order)
{
	kvm->srcu.lock_shared();
	const int ret = fault_in_srcu(kvm, gfn, is_private, order);
	kvm->srcu.unlock_shared();
	return_to_user();
	return ret;
}

int fault(struct kvm *kvm, std::uint64_t gfn, unsigned *order)
{
	kvm->ran = true;
	return fault_as(kvm, gfn, true, order);
}

int prefault(struct kvm *kvm, std::uint64_t gfn, unsigned *order)
{
	return fault_as(kvm, gfn, true, order);
}

int shared_fault(struct kvm *kvm, std::uint64_t gfn, unsigned *order)
{
	kvm->ran = true;
	return fault_as(kvm, gfn, false, order);
}

int guest_access(struct kvm *kvm, std::uint64_t gfn, unsigned *order)
{
	kvm->ran = true;
	return fault_as(kvm, gfn, kapi_kvm_range_private(kvm, gfn, gfn + 1), order);
}

int fault_in(struct kvm *kvm, std::uint64_t gfn, unsigned *order)
{
	for (;;) {
		const int ret = fault(kvm, gfn, order);

		if (ret != -EAGAIN)
			return ret;
		if (!sched::active())
			std::this_thread::yield();
	}
}

bool guest_read(struct kvm *kvm, std::uint64_t gfn, std::uint64_t *content)
{
	Spin guard{ kvm };
	unsigned order;
	struct page *const page = kvm->tables.lookup(gfn, &order);

	kvm->ran = true;
	if (page)
		*content = page->content;
	return page;
}

bool guest_write(struct kvm *kvm, std::uint64_t gfn, std::uint64_t content)
{
	Spin guard{ kvm };
	unsigned order;
	struct page *const page = kvm->tables.lookup(gfn, &order);

	kvm->ran = true;
	if (page)
		page->content = content;
	return page;
}

int mapped_order(struct kvm *kvm, std::uint64_t gfn)
{
	Spin guard{ kvm };
	unsigned order;

	return kvm->tables.lookup(gfn, &order) ? static_cast<int>(order) : -1;
}

MmuCalls mmu_calls()
{
	const std::lock_guard guard{ calls_mutex };

	return calls;
}

void mmu_zap(struct kvm *kvm, std::uint64_t start, std::uint64_t end)
{
	Spin guard{ kvm };

	kvm->tables.zap(start, end);
}

void set_private(struct kvm *kvm, std::uint64_t start, std::uint64_t end, bool is_private)
{
	kvm->slots_lock.lock();
	kapi_mmu_begin(kvm, start, end);
	{
		Spin guard{ kvm };

		kvm->tables.zap(start, end);
	}
	{
		const std::unique_lock guard{ kvm->attributes_mutex };

		for (std::uint64_t gfn = start; gfn < end; gfn++)
			kvm->is_private[gfn] = is_private;
	}
	kapi_mmu_end(kvm);
	kvm->slots_lock.unlock();
	return_to_user();
}

} /* namespace fake */

using namespace fake;

void kapi_mmu_begin(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	sched::step("mmu_begin");
	if (start >= end)
		bug("an invalidation of nothing: [%#lx, %#lx)", start, end);
	Spin guard{ kvm };

	if (kvm->invalidate_in_progress++ == 0)
		kvm->range_start = kvm->range_end = 0;
	if (kvm->range_end == 0) {
		kvm->range_start = start;
		kvm->range_end = end;
	} else {
		kvm->range_start = std::min(kvm->range_start, start);
		kvm->range_end = std::max(kvm->range_end, end);
	}

	const std::lock_guard counts{ calls_mutex };

	calls.begins++;
	calls.begin_start = start;
	calls.begin_end = end;
}

static void check_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	if (slot->kvm != kvm || start < slot->base_gfn || start >= end ||
	    end > slot->base_gfn + slot->npages)
		bug("unmapping [%#lx, %#lx) outside of the slot", start, end);
	if (!kvm->invalidate_in_progress || start < kvm->range_start || end > kvm->range_end)
		bug("unmapping [%#lx, %#lx) outside of an invalidation", start, end);
}

static void count_unmap(kapi_u64 start, kapi_u64 end, unsigned flushes)
{
	const std::lock_guard counts{ calls_mutex };

	calls.unmaps++;
	calls.flushes += flushes;
	calls.unmap_start = start;
	calls.unmap_end = end;
}

void kapi_mmu_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_mmu_unmap");
	sched::step("mmu_unmap");
	Spin guard{ kvm };

	check_unmap(kvm, slot, start, end);
	kvm->tables.zap(start, end);
	count_unmap(start, end, 1);
}

bool kapi_mmu_zap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_mmu_zap");
	sched::step("mmu_zap");
	work();
	if (!kvm->slots_lock.held())
		bug("[%#lx, %#lx) is zapped without slots_lock", start, end);
	Spin guard{ kvm };

	check_unmap(kvm, slot, start, end);
	kvm->tables.zap(start, end, false);
	count_unmap(start, end, 0);
	return kvm->tables.tlb_size();
}

void kapi_mmu_flush(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	sched::step("mmu_flush");
	Spin guard{ kvm };

	/* A huge leaf is flushed as a whole. */
	kvm->tables.flush(start & ~511ull, (end + 511) & ~511ull);

	const std::lock_guard counts{ calls_mutex };

	calls.flushes++;
}

void kapi_mmu_end(struct kvm *kvm)
{
	sched::step("mmu_end");
	Spin guard{ kvm };

	if (!kvm->invalidate_in_progress)
		bug("an invalidation ends that has not begun");
	if (kvm->invalidate_in_progress == 1 && kvm->tables.tlb_size())
		bug("an invalidation ends, and TLBs have %zu pages of it", kvm->tables.tlb_size());
	kvm->invalidate_seq++;
	kvm->invalidate_in_progress--;

	const std::lock_guard counts{ calls_mutex };

	calls.ends++;
}

void kapi_mmu_split(struct kvm *kvm, struct kvm_memory_slot *, kapi_u64 start, kapi_u64 end)
{
	might_sleep("kapi_mmu_split");
	Spin guard{ kvm };

	for (const kapi_u64 edge : { start, end }) {
		if (edge % 512)
			kvm->tables.split(edge);
	}
}

void kapi_mmu_make_stale(struct kvm *kvm, kapi_u64 gfn)
{
	kapi_mmu_begin(kvm, gfn, gfn + 1);
	kapi_mmu_end(kvm);
}
