// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling 1 GiB of a file from one block of the reserve. What happens to the
 * runs later is the same as for all others (store.cc); the first of them that
 * changes makes the giant an ordinary gigabyte for good.
 */
#include "gmem/store.h"

namespace gmem
{

/* The giant around @index, filled if it can be; NULL where there cannot be one. */
Giant *PageStore::giant_for(PageIndex index, const Access &access)
{
	const std::uint64_t number = index.value >> kGiantOrder;

	/* Files with giants have no shared pages. */
	if (access.largest_order() < kGiantOrder || access.share() == Share::kShared ||
	    !access.platform().pages_join())
		return nullptr;

	Giant *giant = giants_.load(number);

	if (!giant) {
		Result<Own<Giant>> made = make<Giant>();

		if (!made.ok())
			return nullptr;
		if (giants_.insert(number, made.value().get(), giant).ok())
			giant = made.value().release();
		else if (!giant)
			return nullptr;
	}

	MutexGuard guard{ giant->lock };

	if (!giant->settled)
		giant->settled = fill_giant(*giant, index, access);
	return giant;
}

/*
 * Waits until the giant around @index is filled, without the lock of @run meanwhile. The
 * giant's pages must be one block, so no other task may put a page into a run of it.
 */
void PageStore::let_giant_be_filled(Run &run, PageIndex index)
{
	for (;;) {
		Giant *const giant = giants_.load(index.value >> kGiantOrder);

		if (!giant || !giant->filling.load())
			return;
		run.lock.unlock();
		{
			MutexGuard wait{ giant->lock };
		}
		run.lock.lock();
	}
}

/*
 * Whether no run of the giant at @start has pages, or is shared. Each has a record
 * then, and a task that would fill the run has seen that the giant is being filled.
 * -ENOMEM.
 */
Result<bool> PageStore::all_new(PageIndex start)
{
	for (std::uint64_t i = 0; i < 1ull << kGiantOrder; i += kRunPages) {
		GMEM_TRY(run, obtain(start + i));
		MutexGuard guard{ run->lock };

		if (!run->empty() || !run->shared().none())
			return false;
	}
	return true;
}

/* Gives all runs of the giant one block; whether the answer is final. */
bool PageStore::fill_giant(Giant &giant, PageIndex index, const Access &access)
{
	const PageIndex start = index.round_down(kGiantOrder);

	if (!access.takes_all(kGiantOrder))
		return false;

	giant.filling.store(true);
	const Result<bool> wanted = all_new(start);
	bool settled = wanted.ok() && !wanted.value();

	if (wanted.ok() && wanted.value()) {
		Result<Block> block = Block::for_giant(inode_);

		/* All of it goes in, or back to the reserve. */
		if (block.ok()) {
			const Result<struct page *> first = block.value().insert(inode_, start);

			settled = first.ok();
			if (settled)
				become_giant(giant, index, first.value(), access);
		}
	}
	giant.filling.store(false);
	return settled;
}

/* The block at @first is in the cache. Nothing here can fail, so no page gets lost. */
void PageStore::become_giant(Giant &giant, PageIndex index, struct page *first,
			     const Access &access)
{
	const PageIndex start = index.round_down(kGiantOrder);

	/* From here on a page that is taken out breaks the giant, which is not mapped yet. */
	stats_.add(KAPI_STAT_GIANTS);
	giant.first = first;
	giant.intact.store(true);
	for (std::uint64_t i = 0; i < 1ull << kGiantOrder; i += kRunPages) {
		Run &run = *runs_.load(run_number(start + i));
		MutexGuard guard{ run.lock };

		become_block(run, kapi_page_nth(first, i));
		/* Memory failure knew no record to tell, and a conversion has come before. */
		strike_marked(run, start + i);
		if (!run.lost().none() || !run.shared().none() ||
		    !prepare_block(run, access, static_cast<std::int64_t>(start + i - index)).ok())
			break_giant(start);
	}
}

/*
 * Whether the giant around @index may be mapped as one. A page that the hardware alone
 * has marked ends that.
 */
bool PageStore::is_giant(const Giant &giant, PageIndex index)
{
	constexpr std::uint64_t kPages = 1ull << kGiantOrder;

	if (!giant.intact.load())
		return false;
	/* Not by way of the page cache: others' runs are not locked, and may go meanwhile. */
	if (kapi_pages_next_poisoned(giant.first, 0, kPages) == kPages)
		return true;
	break_giant(index);
	return false;
}

/* A page of the giant around @index is about to go, or is lost. */
void PageStore::break_giant(PageIndex index)
{
	Giant *const giant = giants_.load(index.value >> kGiantOrder);

	if (giant && giant->intact.exchange(false))
		stats_.add(KAPI_STAT_GIANTS, -1);
}

} /* namespace gmem */
