// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of an inode (store.h): filling runs, preparing pages, handing them out.
 * Everything about one run happens under its lock.
 */
#include "gmem/store.h"

namespace gmem
{

PageStore::~PageStore()
{
	std::uint64_t number = 0;

	while (aside_)
		aside_.reset(aside_->next);
	for (; Run *const run = runs_.find(number, ~0ull - 1); number++)
		Destroy{}(run);
	number = 0;
	for (; Giant *const giant = giants_.find(number, ~0ull - 1); number++)
		Destroy{}(giant);
}

Result<Run *> PageStore::obtain(PageIndex index)
{
	if (Run *const run = runs_.load(run_number(index)))
		return run;

	GMEM_TRY(run, make<Run>(kind_.shared));
	Run *present = nullptr;
	const Status status = runs_.insert(run_number(index), run.get(), present);

	if (status.ok())
		return run.release();
	if (present)
		return present; /* another task was faster */
	return status;
}

struct page *PageStore::page_at(const Run &run, PageIndex index) const
{
	if (run.block())
		return kapi_page_nth(run.block(), Run::slot_of(index));
	return kapi_cache_peek(inode_, index.value);
}

/* One aligned block for an empty run; false if there is none to be had. */
bool PageStore::fill_block(Run &run, PageIndex index)
{
	const PageIndex start = index.round_down(kRunOrder);
	Result<Block> block = Block::for_run(inode_, start);

	if (!block.ok())
		return false;

	const Result<struct page *> first = block.value().insert(inode_, start);

	if (!first.ok())
		return false;
	become_block(run, first.value());
	return true;
}

/* The empty @run has the pages of the block at @first, which are in the cache now. */
void PageStore::become_block(Run &run, struct page *first)
{
	run.fill(first);
	stats_.add(KAPI_STAT_PAGES, kRunPages);
	if (kind_.mappable)
		stats_.add(KAPI_STAT_SHARED, run.pages_shared());
	stats_.add(KAPI_STAT_RUNS);
}

Result<struct page *> PageStore::fill_page(Run &run, PageIndex index)
{
	const unsigned slot = Run::slot_of(index);

	/* The platform's block has no place for a page from elsewhere. */
	if (run.prepared_as_block())
		return error(EBUSY);

	PageRef page{ kapi_pages_alloc_at(inode_, index.value, 0) };

	if (!page)
		return error(ENOMEM);
	GMEM_CHECK(Status{ kapi_pages_charge(inode_, page.get(), 1) });
	GMEM_CHECK(Status{ kapi_cache_insert(inode_, index.value, page.get(), 1) });
	run.fill(slot, page.get());
	stats_.add(KAPI_STAT_PAGES);
	if (run.shared().test(slot))
		stats_.add(KAPI_STAT_SHARED);
	if (run.whole()) {
		run.comes_small(KAPI_SMALL_NOT);
		stats_.add(KAPI_STAT_RUNS);
		stats_.add(KAPI_STAT_PROMOTIONS);
	}
	return page.release();
}

/*
 * Why a mapping from a place of order @largest_order cannot take in all of @run as it is;
 * KAPI_SMALL_NOT: it can, or nothing is there yet. Three callers add what they alone know:
 * fill() that no block is to be had, get() and view() that the platform does not take it.
 */
[[gnu::always_inline]] inline kapi_small PageStore::why_small(const Run &run,
							      unsigned largest_order) const
{
	const bool whole = run.whole();

	if (!kind_.huge && (largest_order < kRunOrder || !whole))
		return KAPI_SMALL_POLICY;
	if (largest_order < kRunOrder)
		return KAPI_SMALL_PLACE;
	if (run.empty())
		return KAPI_SMALL_NOT;
	if (!run.lost().none())
		return KAPI_SMALL_POISONED;
	if (!run.uniform())
		return KAPI_SMALL_MIXED;
	if (whole)
		return KAPI_SMALL_NOT;

	const kapi_small why = run.came_small();

	return why == KAPI_SMALL_MEMORY || why == KAPI_SMALL_MIXED ? why : KAPI_SMALL_PARTIAL;
}

/*
 * A page for the absent @index. A whole block of them where policy and place
 * allow; @whole_used says whether all of the block would be used, which is asked last
 * because it may be slow to tell.
 */
template <class WholeUsed>
Result<struct page *> PageStore::fill(Run &run, PageIndex index, unsigned largest_order,
				      WholeUsed whole_used)
{
	kapi_small why = why_small(run, largest_order);

	if (why == KAPI_SMALL_NOT) {
		if (!whole_used())
			why = KAPI_SMALL_MIXED;
		else if (fill_block(run, index))
			return page_at(run, index);
		else
			why = KAPI_SMALL_MEMORY;
	}

	const bool first = run.empty();

	GMEM_TRY(page, fill_page(run, index));
	if (first)
		run.comes_small(why);
	stats_.add_small(why);
	return page;
}

/*
 * A page for the absent @index. A run with a part that KVM takes for shared gets
 * small pages: it would not be mapped huge, and the shared part's memory would lie
 * idle. Unless that, too, is of this file.
 */
Result<struct page *> PageStore::new_page(Run &run, PageIndex index, const Access &access)
{
	return fill(run, index, access.largest_order(),
		    [&] { return kind_.mappable || access.takes_all(kRunOrder); });
}

/* The page at @index, if need be a new one. */
Result<struct page *> PageStore::page_for(Run &run, PageIndex index, const Access &access)
{
	if (run.present().test(Run::slot_of(index)))
		return page_at(run, index);
	GMEM_CHECK(split(run, access.platform()));
	return new_page(run, index, access);
}

Status PageStore::split_block(Run &run, Platform &platform)
{
	GMEM_CHECK(platform.split(Pfn{ kapi_page_pfn(run.block()) }));
	run.split();
	return Status{};
}

Status PageStore::split_at(PageIndex index, Platform &platform)
{
	Run *const run = runs_.load(run_number(index));

	if (!run)
		return Status{};
	FillGuard guard{ *this, *run, index };

	return split(*run, platform);
}

/* Pages of @run, which begins at @start, that the hardware has marked are lost, told or not. */
void PageStore::strike_marked(Run &run, PageIndex start)
{
	const PageIndex end = start + kRunPages;

	for (PageIndex index = start;; index = index + 1) {
		index = PageIndex{ kapi_cache_first_poisoned(inode_, index.value, end.value) };
		if (index == end)
			return;
		strike(run, index);
	}
}

Status PageStore::prepare_page(Run &run, unsigned slot, struct page *page, const Access &access,
			       std::int64_t ahead)
{
	if (run.staged().test(slot) || !kapi_pages_come_zeroed())
		kapi_pages_clear(page, 1);
	if (!run.shared().test(slot))
		GMEM_CHECK(access.prepare(ahead, Pfn{ kapi_page_pfn(page) }, 0));
	run.happens<event::kReady>(slot);
	return Status{};
}

Status PageStore::prepare_block(Run &run, const Access &access, std::int64_t ahead)
{
	if (!run.staged().none() || !kapi_pages_come_zeroed())
		kapi_pages_clear(run.block(), kRunPages);
	if (run.shared().all()) {
		run.happens<event::kReady>(0, kRunPages);
		return Status{};
	}

	const Status status = access.prepare(ahead, Pfn{ kapi_page_pfn(run.block()) }, kRunOrder);

	/* A page that is neither the guest's nor the host's goes by way of the platform, too. */
	if (status == kHalfDone)
		run.happens<event::kStranded>(0, kRunPages);
	GMEM_CHECK(status);
	run.happens<event::kReady>(0, kRunPages);
	run.was_prepared_as_block();
	return Status{};
}

/* why_small() for a request of the page at @index, marks of the hardware included. */
[[gnu::always_inline]] inline kapi_small PageStore::look_for_small(Run &run, PageIndex index,
								   unsigned largest_order)
{
	if (largest_order >= kRunOrder) {
		run.asked_for_huge();
		if (run.whole() && run.uniform())
			strike_marked(run, index.round_down(kRunOrder));
	}
	return why_small(run, largest_order);
}

/*
 * Prepares @page, which is at @index, and with it the rest of its run where @all of it
 * can then be mapped as one.
 */
Status PageStore::prepare(Run &run, PageIndex index, struct page *page, const Access &access,
			  bool all)
{
	const unsigned slot = Run::slot_of(index);
	const std::int64_t start = -static_cast<std::int64_t>(slot);

	if (all && run.prepared().none() && access.platform().max_order() >= kRunOrder)
		return prepare_block(run, access, start);

	if (!run.prepared().test(slot))
		GMEM_CHECK(prepare_page(run, slot, page, access, 0));

	if (!all || !(run.shared().all() || access.platform().pages_join()))
		return Status{};
	for (unsigned i = run.prepared().next_clear(0); i < kRunPages;
	     i = run.prepared().next_clear(i))
		GMEM_CHECK(prepare_page(run, i, kapi_page_nth(run.block(), i), access, start + i));
	return Status{};
}

Result<Backing> PageStore::get(PageIndex index, const Access &access)
{
	const unsigned slot = Run::slot_of(index);
	const Giant *const giant = giants_possible_ ? giant_for(index, access) : nullptr;

	GMEM_TRY(run, obtain(index));
	FillGuard guard{ *this, *run, index };
	const bool shared = run->shared().test(slot);

	if (access.share() != Share::kEither && shared != (access.share() == Share::kShared))
		return kOtherState;

	const bool ready = run->prepared().test(slot);
	/* One that comes by itself is counted then. */
	const bool of_block = !ready && (run->empty() || run->present().test(slot));

	GMEM_TRY(page, page_for(*run, index, access));

	if (is_lost(*run, index, page))
		return error(EHWPOISON);

	kapi_small why = look_for_small(*run, index, access.largest_order());
	const bool all = why == KAPI_SMALL_NOT;

	if (!ready)
		GMEM_CHECK(prepare(*run, index, page, access, all));

	const bool huge = all && run->prepared().all() &&
			  (shared || run->prepared_as_block() || access.platform().pages_join());

	if (all && !huge)
		why = KAPI_SMALL_PLATFORM;
	if (of_block && !huge && run->whole())
		stats_.add_small(why);
	if (!shared)
		GMEM_CHECK(access.admit(Pfn{ kapi_page_pfn(page) }, huge ? kRunOrder : 0));
	if (access.use() == Use::kGuests)
		run->happens<event::kFault>(slot);
	else
		run->happens<event::kGiven>(slot);
	kapi_page_hand_out(page, inode_);
	if (!huge) {
		want_promotion(*run);
		return Backing{ PageRef{ page }, 0, why };
	}
	run->handed_out_huge();
	return Backing{ PageRef{ page }, giant && is_giant(*giant, index) ? kGiantOrder : kRunOrder,
			KAPI_SMALL_NOT };
}

RunView PageStore::view(PageIndex start, unsigned largest_order, const Platform &platform)
{
	Run *const run = runs_.load(run_number(start));

	if (!run)
		return {};
	MutexGuard guard{ run->lock };

	if (run->empty())
		return {};

	const bool joins = run->shared().all() || run->prepared_as_block() ||
			   platform.pages_join() ||
			   (run->prepared().none() && platform.max_order() >= kRunOrder);
	kapi_small why = why_small(*run, largest_order);

	if (why == KAPI_SMALL_NOT && !joins)
		why = KAPI_SMALL_PLATFORM;
	return { run->present().count(),
		 run->pages_shared(),
		 run->lost().count(),
		 why == KAPI_SMALL_NOT ? kRunOrder : 0,
		 why,
		 kapi_page_node(page_at(*run, start + run->present().next_set(0))) };
}

/* Whether the page must not be used, be it that the hardware alone has said so. */
bool PageStore::is_lost(Run &run, PageIndex index, struct page *page)
{
	const unsigned slot = Run::slot_of(index);

	if (!kapi_page_poisoned(page))
		return run.unsafe().test(slot);
	if (!run.lost().test(slot))
		strike(run, index);
	return true;
}

Status PageStore::allocate(IndexRange &range, const Turn &turn)
{
	while (!range.empty()) {
		PageIndex index = range.start;
		const IndexRange block = block_around(index, kRunOrder);
		const IndexRange part = range.intersect(block);

		if (kapi_fatal_signal_pending())
			return error(EINTR);
		GMEM_TRY(run, obtain(index));
		FillGuard guard{ *this, *run, index };

		for (; index < part.end; index = index + 1) {
			if (run->present().test(Run::slot_of(index)))
				continue;
			if (kapi_signal_pending())
				return error(EINTR);
			GMEM_CHECK(fill(*run, index, part == block ? kRunOrder : 0,
					[] { return true; }));
		}
		range.start = part.end;
		kapi_cond_resched();
		if (turn.over())
			break;
	}
	return Status{};
}

} /* namespace gmem */
