// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages of an inode are shared and which private (store.h). The state is a
 * bit of the run's record; a run without a record is as the file was made. What
 * must happen around a change is in gmem/conversion.h.
 */
#include "gmem/store.h"

namespace gmem
{

/* Up to where all is as at @index; no further than @end. */
PageStore::Stretch PageStore::stretch_at(PageIndex index, PageIndex end) const
{
	std::uint64_t number = run_number(index);
	Run *const run = runs_.find(number, run_number(end - 1));

	if (!run)
		return { end, shared_if(kind_.shared) };
	if (number > run_number(index))
		return { PageIndex{ number << kRunOrder }, shared_if(kind_.shared) };

	MutexGuard guard{ run->lock };
	const unsigned slot = Run::slot_of(index);
	const bool shared = run->shared().test(slot);
	const unsigned to = shared ? run->shared().next_clear(slot) : run->shared().next_set(slot);

	return { std::min(index.round_down(kRunOrder) + to, end), shared_if(shared) };
}

IndexRange PageStore::next_stretch(IndexRange range, Share share) const
{
	return find_stretch(range, share, false, nullptr);
}

IndexRange PageStore::next_stretch_in_chunk(IndexRange range, Share share, const Turn *turn) const
{
	return find_stretch(range, share, true, turn);
}

IndexRange PageStore::find_stretch(IndexRange range, Share share, bool chunk,
				   const Turn *turn) const
{
	const IndexRange none{ range.end, range.end };
	IndexRange found = none;

	for (PageIndex index = range.start; index < range.end;) {
		const Stretch stretch = stretch_at(index, range.end);

		if (stretch.share == share) {
			if (found.empty()) {
				found.start = index;
				if (chunk)
					range = range.intersect(block_around(index, kChunkOrder));
			}
			found.end = std::min(stretch.end, range.end);
		} else if (!found.empty()) {
			break;
		} else if (chunk) {
			if (kapi_fatal_signal_pending())
				return none;
			kapi_cond_resched();
			if (turn && turn->over())
				return { stretch.end, stretch.end };
		}
		index = stretch.end;
	}
	return found;
}

/* The first page of @part, in @run, that may not be used; its end if all may. */
PageIndex PageStore::first_lost(const Run &run, IndexRange part) const
{
	const unsigned slot = Run::slot_of(part.start);
	const PageIndex unsafe = part.start + (run.unsafe().next_set(slot) - slot);

	/* Memory failure marks a page first, and tells afterwards, if at all. */
	return std::min(unsafe, PageIndex{ kapi_cache_first_poisoned(inode_, part.start.value,
								     part.end.value) });
}

Status PageStore::prepare_convert(IndexRange range, PageIndex &at)
{
	for (PageIndex index = range.start; index < range.end;) {
		const IndexRange part = range.intersect(block_around(index, kRunOrder));

		at = index;
		if (kapi_fatal_signal_pending())
			return error(EINTR);
		if (Run *const run = runs_.load(run_number(index))) {
			MutexGuard guard{ run->lock };

			at = first_lost(*run, part);
			if (at < part.end)
				return error(EHWPOISON);
		} else {
			/* Nor are there pages. */
			GMEM_CHECK(set_aside(run_number(index)));
		}
		index = part.end;
		kapi_cond_resched();
	}
	return Status{};
}

/* A record for run @number, which convert() makes known or cancel_convert() frees. */
Status PageStore::set_aside(std::uint64_t number)
{
	GMEM_TRY(run, make_one_of_many<Run>(kind_.shared));
	GMEM_CHECK(runs_.reserve(number));
	run->next = aside_.release();
	aside_ = std::move(run);
	return Status{};
}

void PageStore::cancel_convert(IndexRange range)
{
	while (aside_) {
		aside_.reset(aside_->next);
		kapi_cond_resched();
	}
	if (!range.empty())
		runs_.release(run_number(range.start), run_number(range.end - 1));
}

/* The record of run @number, which there is, or which one was set aside for. */
Run &PageStore::known(std::uint64_t number)
{
	if (Run *const run = runs_.load(number))
		return *run;

	Own<Run> run = std::move(aside_);
	Run *present = nullptr;

	aside_.reset(std::exchange(run->next, nullptr));
	/* Its memory is reserved: it can only be there already. */
	if (runs_.insert(number, run.get(), present).ok())
		return *run.release();
	return *present;
}

/* Pages of @part, in @run, are to be private: no guest sees what is in them. */
void PageStore::leave_content(Run &run, IndexRange part)
{
	const unsigned start = Run::slot_of(part.start), end = start + part.size();

	for (unsigned slot = run.prepared().next_set(start); slot < end;
	     slot = run.prepared().next_set(slot)) {
		if (run.unsafe().test(slot))
			slot++;
		else
			run.happens<event::kLeft>(slot);
	}
}

/*
 * Makes the pages of @part, in @run, the host's where the platform does not leave
 * their content alone; the content is gone then. A page that the platform keeps is lost.
 */
void PageStore::reclaim_and_wipe(Run &run, IndexRange part, bool split, Platform &platform)
{
	for (PageIndex index = part.start; index < part.end; index = index + 1) {
		const unsigned slot = Run::slot_of(index);

		if (!run.prepared().test(slot) || run.unsafe().test(slot))
			continue;

		struct page *const page = page_at(run, index);
		const Pfn pfn{ kapi_page_pfn(page) };

		if (!(split && platform.reclaim(pfn, 1).ok()) && !platform.is_hosts(pfn)) {
			lose<event::kOutOfHand>(run, index);
			continue;
		}
		if (!is_lost(run, index, page))
			kapi_pages_clear(page, 1);
		run.happens<event::kWiped>(slot);
	}
}

PageIndex PageStore::convert(IndexRange range, Share to, Platform &platform, const Turn &turn)
{
	IndexRange rest = range;

	do {
		const IndexRange part = rest.intersect(block_around(rest.start, kRunOrder));
		const unsigned start = Run::slot_of(part.start), end = start + part.size();
		Run *const run = &known(run_number(part.start));
		MutexGuard guard{ run->lock };
		const bool split = this->split(*run, platform).ok();
		const long pages_shared = run->pages_shared();

		if (!platform.keeps_content() && to == Share::kPrivate)
			leave_content(*run, part);
		else if (!platform.keeps_content())
			reclaim_and_wipe(*run, part, split, platform);

		const bool could_be_one = run->could_be_one();

		if (to == Share::kPrivate)
			run->happens<event::kMadePrivate>(start, end);
		else
			run->happens<event::kMadeShared>(start, end);
		note_split(*run, could_be_one);
		stats_.add(KAPI_STAT_SHARED, run->pages_shared() - pages_shared);
		want_promotion(*run);
		kapi_cond_resched();
		rest.start = part.end;
	} while (!rest.empty() && !turn.over());
	return rest.start;
}

} /* namespace gmem */
