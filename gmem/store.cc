// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of an inode (store.h): filling runs, preparing pages, removing them.
 *
 * Everything about one run happens under its lock. Removal can meet a page that
 * memory failure or the migration code has locked for a moment; waiting for a
 * page lock inside the run lock could deadlock with gmem_inode_poisoned(), which
 * comes in with the page locked, so such a page is handed to the caller.
 */
#include "gmem/store.h"

#include <array>

namespace gmem
{

namespace
{

/* Pages are taken out of the cache in batches of this many. */
constexpr unsigned kBatch = 64;

/* A page in use for a moment stops a promotion; for longer, it is not worth it. */
constexpr std::uint8_t kPromotionTries = 8;

} /* namespace */

PageStore::~PageStore()
{
	std::uint64_t number = 0;

	while (aside_)
		aside_ = std::move(aside_->next);
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
		return present; /* somebody was faster */
	return status;
}

struct page *PageStore::page_at(const Run &run, PageIndex index) const
{
	if (run.block)
		return kapi_page_nth(run.block, Run::slot_of(index));
	return kapi_cache_peek(inode_, index.value);
}

/* One aligned block for an empty run; false if there is none to be had. */
bool PageStore::fill_block(Run &run, PageIndex index)
{
	struct page *const block = kapi_pages_alloc_at(inode_, index.value, kRunOrder);

	if (!block)
		return false;
	if (insert_block(run, index, block))
		return true;
	kapi_pages_put(block, kRunPages);
	return false;
}

/* Takes the references of @block's pages if it can. */
bool PageStore::insert_block(Run &run, PageIndex index, struct page *block)
{
	if (kapi_cache_insert(inode_, index.round_down(kRunOrder).value, block, kRunPages) != 0)
		return false;
	run.block = block;
	run.present.set_all();
	stats_.add(KAPI_STAT_PAGES, kRunPages);
	stats_.add(KAPI_STAT_RUNS);
	return true;
}

Result<struct page *> PageStore::fill_page(Run &run, PageIndex index, unsigned fit)
{
	struct page *const page = kapi_pages_alloc_at(inode_, index.value, 0);

	if (!page)
		return error(ENOMEM);

	const Status status{ kapi_cache_insert(inode_, index.value, page, 1) };

	if (!status.ok()) {
		kapi_page_put(page);
		return status;
	}
	/* A page from elsewhere: the run's pages are no longer one block. */
	if (run.block && page != kapi_page_nth(run.block, Run::slot_of(index)))
		run.block = nullptr;
	run.present.set(Run::slot_of(index));
	stats_.add(KAPI_STAT_PAGES);
	if (!run.present.all())
		return page;
	if (run.block) {
		stats_.add(KAPI_STAT_RUNS);
		stats_.add(KAPI_STAT_PROMOTIONS);
	} else if (kind_.huge && fit >= kRunOrder) {
		run.promotion_tries = kPromotionTries;
		promotion_wanted_.store(true);
	}
	return page;
}

/*
 * A page for the absent @index. A whole block of them where policy and place
 * allow; @worth says whether all of the block would be used, which is asked last
 * because it may be slow to tell.
 */
template <class Worth>
Result<struct page *> PageStore::fill(Run &run, PageIndex index, unsigned fit, Worth worth)
{
	if (kind_.huge) {
		if (fit < kRunOrder)
			stats_.add(KAPI_STAT_FALLBACK_PLACE);
		else if (!run.empty())
			stats_.add(KAPI_STAT_FALLBACK_PARTIAL);
		else if (!worth())
			stats_.add(KAPI_STAT_FALLBACK_SHARED);
		else if (fill_block(run, index))
			return page_at(run, index);
		else
			stats_.add(KAPI_STAT_FALLBACK_MEMORY);
	}
	return fill_page(run, index, fit);
}

/*
 * A page for the absent @index. A run with a part that KVM takes for shared gets
 * small pages: it would not be mapped huge, and the shared part's memory would lie
 * idle. Unless that, too, is of this file.
 */
Result<struct page *> PageStore::new_page(Run &run, PageIndex index, const Access &access)
{
	return fill(run, index, access.fit, [&] {
		if (kind_.mappable || access.run_private)
			return true;

		const GfnRange block = block_around(access.gfn, kRunOrder);

		return kapi_kvm_range_private(access.vm, block.start.value, block.end.value);
	});
}

/* The page at @index, if need be a new one. */
Result<struct page *> PageStore::page_for(Run &run, PageIndex index, const Access &access)
{
	if (run.present.test(Run::slot_of(index)))
		return page_at(run, index);
	return new_page(run, index, access);
}

Status PageStore::prepare_page(Run &run, unsigned slot, struct page *page, const Access &access,
			       Gfn gfn)
{
	if (!kapi_pages_come_zeroed())
		kapi_pages_clear(page, 1);
	if (!run.shared.test(slot))
		GMEM_CHECK(access.platform.prepare(access.vm, gfn, Pfn{ kapi_page_pfn(page) }, 0));
	run.prepared.set(slot);
	return Status{};
}

Status PageStore::prepare_block(Run &run, const Access &access)
{
	if (!kapi_pages_come_zeroed())
		kapi_pages_clear(run.block, kRunPages);
	if (run.shared.all()) {
		run.prepared.set_all();
		return Status{};
	}

	const Status status = access.platform.prepare(access.vm, access.gfn.round_down(kRunOrder),
						      Pfn{ kapi_page_pfn(run.block) }, kRunOrder);

	/* What is neither the guest's nor the host's goes by way of the platform, too. */
	if (status.ok() || status == error(ENOTRECOVERABLE))
		run.prepared.set_all();
	GMEM_CHECK(status);
	run.as_one = true;
	return Status{};
}

/*
 * Prepares @page, which is at @index, and with it the rest of its run when the run
 * can then be mapped as one.
 */
Status PageStore::prepare(Run &run, PageIndex index, struct page *page, const Access &access)
{
	const unsigned slot = Run::slot_of(index);
	const bool as_one = access.fit >= kRunOrder && run.whole() && run.lost.none() &&
			    run.uniform();

	if (as_one && run.prepared.none() && access.platform.max_order() >= kRunOrder)
		return prepare_block(run, access);

	if (!run.prepared.test(slot))
		GMEM_CHECK(prepare_page(run, slot, page, access, access.gfn));

	if (!as_one || !(run.shared.all() || access.platform.pages_join()))
		return Status{};
	for (unsigned i = run.prepared.next_clear(0); i < kRunPages; i = run.prepared.next_clear(i))
		GMEM_CHECK(prepare_page(run, i, kapi_page_nth(run.block, i), access,
					access.gfn.round_down(kRunOrder) + i));
	return Status{};
}

Result<Backing> PageStore::get(PageIndex index, const Access &access)
{
	const unsigned slot = Run::slot_of(index);
	const Giant *const giant = giants_possible_ ? giant_for(index, access) : nullptr;

	GMEM_TRY(run, obtain(index));
	MutexGuard guard{ run->lock };
	const bool shared = run->shared.test(slot);

	if (access.share != Share::kEither && shared != (access.share == Share::kShared))
		return error(EAGAIN);
	GMEM_TRY(page, page_for(*run, index, access));

	if (kapi_page_poisoned(page) || run->unsafe.test(slot))
		return error(EHWPOISON);
	if (!run->prepared.test(slot))
		GMEM_CHECK(prepare(*run, index, page, access));

	const bool huge = access.fit >= kRunOrder && run->whole() && run->prepared.all() &&
			  run->lost.none() && run->uniform() &&
			  (shared || run->as_one || access.platform.pages_join());

	if (!shared)
		GMEM_CHECK(access.platform.admit(access.gfn, Pfn{ kapi_page_pfn(page) },
						 huge ? kRunOrder : 0));
	(access.guest ? run->shown : run->claimed).set(slot);
	kapi_page_get(page);
	if (!huge)
		return Backing{ PageRef{ page }, 0 };
	run->huge.store(true);
	return Backing{ PageRef{ page }, giant && giant->intact.load() ? kGiantOrder : kRunOrder };
}

Result<IndexRange> PageStore::populatable(IndexRange range, bool ran)
{
	GMEM_TRY(run, obtain(range.start));
	MutexGuard guard{ run->lock };

	return populatable(*run, range, ran);
}

Result<IndexRange> PageStore::populatable(const Run &run, IndexRange range, bool ran) const
{
	IndexRange front{ range.start, range.start };

	if (run.empty() && run.shared.none())
		return range;
	for (; front.end < range.end; front.end = front.end + 1) {
		const Status status = refusal(run, front.end, ran);

		if (status.ok())
			continue;
		if (front.empty())
			return status;
		break;
	}
	return front;
}

/* Why the page cannot be populated; 0: it can. */
Status PageStore::refusal(const Run &run, PageIndex index, bool ran) const
{
	const unsigned slot = Run::slot_of(index);

	if (run.shared.test(slot))
		return error(EINVAL);
	if (!run.present.test(slot))
		return Status{};
	if (kapi_page_poisoned(page_at(run, index)) || run.unsafe.test(slot))
		return error(EHWPOISON);
	if (run.claimed.test(slot) || (ran && run.shown.test(slot)))
		return error(EEXIST);
	return Status{};
}

Result<struct page *> PageStore::page_to_populate(Run &run, PageIndex index, const Access &access,
						  bool sure)
{
	if (!run.present.test(Run::slot_of(index)))
		return new_page(run, index, access);

	struct page *const page = page_at(run, index);

	if (run.prepared.test(Run::slot_of(index))) {
		/* Something may be in it, by way of a neighbour's huge mapping. */
		if (!sure)
			return error(EFAULT);
		break_giant(index);
		GMEM_CHECK(take_back(run, Run::slot_of(index), page, access.platform));
	}
	return page;
}

/* A page that was prepared and has no content becomes the host's again. */
Status PageStore::take_back(Run &run, unsigned slot, struct page *page, Platform &platform)
{
	if (run.as_one)
		GMEM_CHECK(platform.split(Pfn{ kapi_page_pfn(run.block) }));
	run.as_one = false;
	GMEM_CHECK(platform.reclaim(Pfn{ kapi_page_pfn(page) }, 1));
	run.prepared.reset(slot);
	run.shown.reset(slot);
	return Status{};
}

void PageStore::settle_populate(Run &run, PageIndex index, struct page *page, Status status)
{
	const unsigned slot = Run::slot_of(index);

	/* A page that is nobody's is reclaimed at its end like the guest's, or leaked. */
	if (status.ok() || status == error(ENOTRECOVERABLE)) {
		run.prepared.set(slot);
		run.claimed.set(slot);
	} else {
		/* Half-filled; where pages come zeroed nobody clears it later. */
		kapi_pages_clear(page, 1);
	}
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
		MutexGuard guard{ run->lock };

		for (; index < part.end; index = index + 1) {
			if (run->present.test(Run::slot_of(index)))
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

/* The page at @slot has left the cache. */
void PageStore::forget(Run &run, unsigned slot)
{
	if (run.whole())
		stats_.add(KAPI_STAT_RUNS, -1);
	stats_.add(KAPI_STAT_PAGES, -1);
	run.present.reset(slot);
	run.prepared.reset(slot);
	run.claimed.reset(slot);
	run.shown.reset(slot);
	run.lost.reset(slot);
	run.unsafe.reset(slot);
	run.as_one = false;
	run.huge.store(false);
	run.promotion_tries = 0;
	if (run.empty())
		run.block = nullptr;
}

/* Frees those of @count pages from @first on that the platform gave back. */
void PageStore::free_returned(struct page *first, unsigned count, Platform &platform)
{
	for (unsigned i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (platform.is_hosts(Pfn{ kapi_page_pfn(page) })) {
			kapi_pages_free_frozen(page, 1);
		} else {
			kapi_page_leak_frozen(page);
			stats_.add(KAPI_STAT_LEAKED);
		}
	}
}

/*
 * Takes a whole run out and frees it as one block, if nobody has a reference of
 * its pages beside the cache.
 */
bool PageStore::remove_whole(Run &run, PageIndex start, Platform &platform)
{
	struct page *const block = run.block;

	if (!kapi_cache_take_run(inode_, start.value, block, kRunOrder))
		return false;

	const RunBitmap owned = run.owned();

	run.present.reset_all();
	run.prepared.reset_all();
	run.shown.reset_all();
	run.claimed.reset_all();
	run.as_one = false;
	run.huge.store(false);
	run.block = nullptr;
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
			free_returned(first, to - from, platform);
		from = to;
	}
	return true;
}

/*
 * Gives pages that have left the cache back to the host, neighbours by one call.
 * Those that may be freed are moved to the front: how many. The others are leaked
 * on purpose.
 */
unsigned PageStore::reclaim_batch(Run &run, struct page **pages, unsigned count, bool split,
				  Platform &platform)
{
	const RunBitmap owned = run.owned(), unsafe = run.unsafe;
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
			else
				stats_.add(KAPI_STAT_LEAKED);
		}
	}
	return kept;
}

PageRef PageStore::remove_from(Run &run, IndexRange range, Platform &platform)
{
	break_giant(range.start);
	if (range.size() == kRunPages && run.whole() && run.lost.none() &&
	    remove_whole(run, range.start, platform))
		return PageRef{};

	std::array<struct page *, kBatch> pages;
	struct page *busy = nullptr;
	PageIndex index = range.start;
	/* A part of a block that the platform took as one cannot go as it is. */
	const bool split = !run.as_one || platform.split(Pfn{ kapi_page_pfn(run.block) }).ok();

	while (index < range.end && !busy) {
		const unsigned taken = kapi_cache_take(inode_, &index.value, range.end.value,
						       pages.data(), kBatch, &busy);
		const unsigned kept = reclaim_batch(run, pages.data(), taken, split, platform);

		kapi_pages_put_array(pages.data(), kept);
	}
	if (split)
		run.as_one = false;
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

template <class Fn> void PageStore::lose(PageIndex index, Fn also)
{
	Run *const run = runs_.load(run_number(index));
	const unsigned slot = Run::slot_of(index);

	if (!run)
		return;
	MutexGuard guard{ run->lock };

	break_giant(index);
	run->huge.store(false);
	if (run->present.test(slot)) {
		run->lost.set(slot);
		also(*run, slot);
	}
}

void PageStore::poisoned(PageIndex index)
{
	lose(index, [](Run &, unsigned) {});
}

void PageStore::unmap_failed(PageIndex index)
{
	lose(index, [](Run &run, unsigned slot) { run.unsafe.set(slot); });
}

Result<PageIndex> PageStore::next_promotion(PageIndex from)
{
	std::uint64_t number = run_number(from + (kRunPages - 1));

	while (Run *const run = runs_.find(number, ~0ull)) {
		MutexGuard guard{ run->lock };

		if (run->promotion_tries)
			return PageIndex{ number << kRunOrder };
		number++;
	}
	return error(ENOENT);
}

Status PageStore::promote(PageIndex start, struct page *block)
{
	GMEM_TRY(run, obtain(start));
	MutexGuard guard{ run->lock };

	if (!run->promotion_tries)
		return error(EBUSY);
	run->promotion_tries--;
	if (!run->lost.none() || !run->prepared.all())
		return error(EBUSY);
	GMEM_CHECK(Status{ kapi_cache_replace_run(inode_, start.value, block, kRunOrder) });
	run->promotion_tries = 0;
	run->block = block;
	stats_.add(KAPI_STAT_RUNS);
	stats_.add(KAPI_STAT_PROMOTIONS);
	return Status{};
}

void PageStore::give_up_promotion(PageIndex start)
{
	if (Run *const run = runs_.load(run_number(start))) {
		MutexGuard guard{ run->lock };

		run->promotion_tries = 0;
	}
}

} /* namespace gmem */
