// SPDX-License-Identifier: GPL-2.0-only
/*
 * How pages go (store.h): removed and freed through the platform, or lost where they are.
 *
 * Removal can meet a page that memory failure or the migration code has locked for a
 * moment; waiting for a page lock inside the run lock could deadlock with
 * gmem_inode_poisoned(), which comes in with the page locked, so such a page is handed to
 * the caller.
 */
#include "gmem/store.h"

#include <array>

#include "gmem/trace.h"

namespace gmem
{

namespace
{

/* Pages are taken out of the cache in batches of this many. */
constexpr unsigned kBatch = 64;

} /* namespace */

/* The page at @slot has left the cache. */
void PageStore::forget(Run &run, unsigned slot)
{
	if (run.whole())
		stats_.add(KAPI_STAT_RUNS, -1);
	stats_.add(KAPI_STAT_PAGES, -1);
	if (run.shared().test(slot))
		stats_.add(KAPI_STAT_SHARED, -1);
	run.happens<event::kRemoved>(slot);
	run.promotion_tries = 0;
}

/* Frees those of @count pages from @first on that the platform gave back; how many it did not. */
unsigned PageStore::free_reclaimed(struct page *first, unsigned count, Platform &platform)
{
	unsigned leaked = 0;

	for (unsigned i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (platform.is_hosts(Pfn{ kapi_page_pfn(page) })) {
			kapi_pages_free_frozen(page, 1);
		} else {
			kapi_page_leak_frozen(page);
			leaked++;
		}
	}
	return leaked;
}

/*
 * Takes a whole run out and frees it as one block, if the cache has the only reference
 * of each page. @leaked: so many are not freed.
 */
bool PageStore::remove_whole(Run &run, PageIndex start, Platform &platform, unsigned &leaked)
{
	struct page *const block = run.block();

	if (!kapi_cache_take_run(inode_, start.value, block, kRunOrder))
		return false;

	const RunBitmap owned = run.owned();

	if (kind_.mappable)
		stats_.add(KAPI_STAT_SHARED, -static_cast<long>(run.pages_shared()));
	run.happens<event::kRemoved>(0, kRunPages);
	stats_.add(KAPI_STAT_PAGES, -static_cast<long>(kRunPages));
	stats_.add(KAPI_STAT_RUNS, -1);
	/* Stretches of the platform's and of other pages in turn. */
	for (unsigned from = 0; from < kRunPages;) {
		const bool ours = !owned.test(from);
		const unsigned to = ours ? owned.next_set(from) : owned.next_clear(from);
		struct page *const first = kapi_page_nth(block, from);

		if (ours || platform.reclaim(Pfn{ kapi_page_pfn(first) }, to - from).ok())
			kapi_pages_free_frozen(first, to - from);
		else
			leaked += free_reclaimed(first, to - from, platform);
		from = to;
	}
	return true;
}

/*
 * Gives pages that have left the cache back to the host, neighbours by one call.
 * Those that may be freed are moved to the front: how many. The others are leaked
 * on purpose.
 */
unsigned PageStore::reclaim_removed(Run &run, struct page **pages, unsigned count, bool split,
				    Platform &platform)
{
	const RunBitmap owned = run.owned(), unsafe = run.unsafe();
	const auto slot_of = [&](unsigned i) { return kapi_cache_index(pages[i]) % kRunPages; };
	unsigned kept = 0;

	for (unsigned from = 0; from < count;) {
		const unsigned slot = slot_of(from);
		const bool keep = unsafe.test(slot);
		const bool reclaim = !keep && owned.test(slot);
		const Pfn first{ kapi_page_pfn(pages[from]) };
		unsigned to = from;

		do {
			forget(run, slot_of(to++));
		} while (to < count && reclaim && owned.test(slot_of(to)) &&
			 !unsafe.test(slot_of(to)) &&
			 Pfn{ kapi_page_pfn(pages[to]) } == first + (to - from));

		const bool all = !reclaim || (split && platform.reclaim(first, to - from).ok());

		for (; from < to; from++) {
			if (!keep && (all || platform.is_hosts(Pfn{ kapi_page_pfn(pages[from]) })))
				pages[kept++] = pages[from];
		}
	}
	return kept;
}

PageRef PageStore::remove_from(Run &run, IndexRange range, Platform &platform)
{
	const unsigned before = run.present().count();
	unsigned leaked = 0;
	PageRef busy = take_from(run, range, platform, leaked);

	if (leaked)
		stats_.add(KAPI_STAT_LEAKED, leaked);
	if (is_traced(KAPI_TRACE_RECLAIM) && before != run.present().count()) {
		const kapi_event_reclaim event{ range.start.value, before - run.present().count(),
						leaked };

		kapi_trace_reclaim(inode_, &event);
	}
	return busy;
}

/* Takes pages of @range, in @run, out and frees all but those that are @leaked. */
PageRef PageStore::take_from(Run &run, IndexRange range, Platform &platform, unsigned &leaked)
{
	/* Pages in the cache that no record knows are of a giant that is being filled. */
	if (run.empty())
		return PageRef{};
	break_giant(range.start);
	/* The allocator does not look for marks in a block. */
	if (run.whole())
		strike_marked(run, range.start.round_down(kRunOrder));
	if (range.size() == kRunPages && run.whole() && run.lost().none() &&
	    remove_whole(run, range.start, platform, leaked))
		return PageRef{};

	const bool could_be_one = run.could_be_one();
	std::array<struct page *, kBatch> pages;
	struct page *busy = nullptr;
	PageIndex index = range.start;
	/* A part of a block that the platform took as one cannot go as it is. */
	const bool split = this->split(run, platform).ok();

	while (index < range.end && !busy) {
		const unsigned taken = kapi_cache_take(inode_, &index.value, range.end.value,
						       pages.data(), kBatch, &busy);
		const unsigned kept = reclaim_removed(run, pages.data(), taken, split, platform);

		leaked += taken - kept;
		kapi_pages_put_array(pages.data(), kept);
	}
	note_split(run, could_be_one);
	return PageRef{ busy };
}

PageRef PageStore::remove(IndexRange range, Platform &platform)
{
	PageRef busy;

	do
		busy = remove(range, platform, Turn{});
	while (!busy && !range.empty());
	return busy;
}

PageRef PageStore::remove(IndexRange &range, Platform &platform, const Turn &turn)
{
	std::uint64_t number = run_number(range.start);
	const std::uint64_t last = run_number(range.end - 1);

	while (Run *const run = runs_.find(number, last)) {
		const IndexRange block = block_around(PageIndex{ number << kRunOrder }, kRunOrder);
		const IndexRange part = range.intersect(block);

		{
			MutexGuard guard{ run->lock };

			range.start = part.start;
			if (PageRef busy = remove_from(*run, part, platform))
				return busy;
		}
		range.start = part.end;
		kapi_cond_resched();
		if (number++ == last || turn.over())
			return PageRef{};
	}
	range.start = range.end;
	return PageRef{};
}

IndexRange PageStore::next_to_remove(IndexRange range) const
{
	if (range.empty() || block_around(range.start, kChunkOrder).covers(range))
		return range;

	std::uint64_t number = run_number(range.start);

	if (!runs_.find(number, run_number(range.end - 1)))
		return { range.end, range.end };
	return range.intersect(block_around(PageIndex{ number << kRunOrder }, kChunkOrder));
}

void PageStore::note_split(const Run &run, bool before)
{
	if (before && !run.could_be_one() && !run.empty())
		stats_.add(KAPI_STAT_SPLITS);
}

template <Event kEvent> void PageStore::lose(Run &run, PageIndex index)
{
	const bool could_be_one = run.could_be_one();

	break_giant(index);
	run.happens<kEvent>(Run::slot_of(index));
	note_split(run, could_be_one);
}

template void PageStore::lose<event::kStruck>(Run &run, PageIndex index);
template void PageStore::lose<event::kOutOfHand>(Run &run, PageIndex index);

template <Event kEvent> void PageStore::lose(PageIndex index)
{
	Run *const run = runs_.load(run_number(index));

	if (!run)
		return;
	MutexGuard guard{ run->lock };

	if (run->present().test(Run::slot_of(index)))
		lose<kEvent>(*run, index);
}

void PageStore::poisoned(PageIndex index)
{
	lose<event::kStruck>(index);
}

void PageStore::unmap_failed(PageIndex index)
{
	lose<event::kOutOfHand>(index);
}

} /* namespace gmem */
