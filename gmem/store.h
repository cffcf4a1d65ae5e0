/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages of an inode: where they come from, what state they are in, how they
 * go. Knows nothing of bindings: a caller that removes pages has unmapped them first
 * (gmem/invalidation.h).
 *
 * What is known of a page, and what may happen to it: docs/pages.md. Pages are zeroed
 * when prepared, not when allocated, unless the allocator has done it already. Filling
 * and handing out: store.cc. First content: content.cc. Shared and private: share.cc.
 * Removal and loss: removal.cc. 1 GiB at once: giant.cc.
 */
#ifndef GMEM_STORE_H
#define GMEM_STORE_H

#include "gmem/block.h"
#include "gmem/giant.h"
#include "gmem/guard.h"
#include "gmem/holder.h"
#include "gmem/memory.h"
#include "gmem/run.h"
#include "gmem/stats.h"
#include "gmem/turn.h"
#include "gmem/xarray.h"

namespace gmem
{

/* A page that a guest may map. */
struct Backing {
	PageRef page;
	/* The aligned block of this order around the page may be mapped as one. */
	unsigned order = 0;
	kapi_small small = KAPI_SMALL_NOT; /* why @order is 0 */
};

/*
 * A page is shared and was asked for as private, or the reverse. What the asker makes of it
 * is in docs/locking.md, "Who holds a page".
 */
inline constexpr Status kOtherState = error(EAGAIN);

/* What can be seen of a run from outside, as it is at the moment. */
struct RunView {
	/* Pages that are there; of those the shared ones, and the lost ones. */
	unsigned present = 0, shared = 0, lost = 0;
	/* A guest's mapping may take in an aligned block of this order; 0 without pages. */
	unsigned order = 0;
	kapi_small small = KAPI_SMALL_NOT; /* why that is a page */
	int node = -1; /* of the first page; -1: there is none */
};

/* How a file was made. */
struct FileKind {
	bool huge = false; /* runs of 2 MiB where they can be had */
	bool mappable = false; /* shared pages are of this file, too, for user space and guests */
	bool shared = false; /* all pages are, at first; else private */
};

/* Where the first content of a page is that is populated. */
enum class Source {
	kInPlace, /* in the page: what user space left there (Fact::kStaged), or zeros */
	kSure, /* elsewhere, to be had under locks */
	kUnsure,
};

class PageStore {
    public:
	explicit PageStore(FileKind kind)
		: kind_(kind),
		  giants_possible_(kind.huge && !kind.mappable && kapi_pages_reserved())
	{
	}
	~PageStore();

	/* Once, before anything else. */
	void attach(struct inode *inode) { inode_ = inode; }

	/*
	 * The page at @index, prepared. -EHWPOISON: it is lost; kOtherState: it is
	 * not as @access wants it; -ENOMEM; or what the platform said. Sleeps.
	 */
	Result<Backing> get(PageIndex index, const Access &access);

	/*
	 * The part at the front of @range, in one run, that populate() does not refuse
	 * as it is now; or why it refuses its first page. -ENOMEM.
	 */
	Result<IndexRange> populatable(IndexRange range, bool ran);
	/* Whether a guest may see a page of @range, which is in one run. */
	bool prepared_in(IndexRange range)
	{
		Run *const run = runs_.load(run_number(range.start));
		const unsigned slot = Run::slot_of(range.start);

		if (!run)
			return false;
		MutexGuard guard{ run->lock };

		return run->prepared().next_set(slot) < slot + range.size();
	}
	/*
	 * Gives the pages of @range, in one run, their content in turn by @fill(Gfn,
	 * Pfn) -> Status, which also makes each the platform's; @access is of the
	 * first, @ran: a vCPU has run, so pages that guests were shown may have content.
	 * No page of @range is mapped. Stops, @done pages later, before a page but the first that
	 * populatable() refuses, and where one fails: -EEXIST, it has content; -EINVAL,
	 * it is shared; -EHWPOISON, -ENOMEM, -EINTR; -EFAULT, a guest may see it and it
	 * is not sure that @fill finds the content; or what @fill said, the page is
	 * then as new, or as user space left it. No guest comes by a page of the run meanwhile.
	 */
	template <class Fill>
	Status populate(IndexRange range, const MemslotAccess &access, bool ran, Source source,
			std::uint64_t &done, Fill fill)
	{
		done = 0;
		GMEM_TRY(run, obtain(range.start));
		FillGuard guard{ *this, *run, range.start };
		GMEM_TRY(front, populatable(*run, range, ran));

		for (; done < front.size(); done++) {
			const PageIndex index = range.start + done;

			if (kapi_signal_pending())
				return error(EINTR);
			GMEM_TRY(page, page_for(*run, index, access));
			if (run->prepared().test(Run::slot_of(index))) {
				/* Something may be in it, by way of a neighbour's huge mapping. */
				if (source == Source::kUnsure)
					return error(EFAULT);
				GMEM_CHECK(reclaim_unused(*run, index, page, access.platform()));
			}

			const bool staged = source == Source::kInPlace &&
					    run->staged().test(Run::slot_of(index));

			if (source == Source::kInPlace && !staged)
				kapi_pages_clear(page, 1);

			const Status status = fill(access.gfn() + done, Pfn{ kapi_page_pfn(page) });

			if (!status.ok()) {
				settle_failed_populate(*run, index, page, status, access.platform(),
						       staged);
				return status;
			}
			run->happens<event::kPopulated>(Run::slot_of(index));
			kapi_cond_resched();
		}
		return Status{};
	}

	/*
	 * Pages for the front of @range, unprepared, until @turn is over; @range is then
	 * what is left, less than before. -EINTR, -ENOMEM: some may be there.
	 */
	Status allocate(IndexRange &range, const Turn &turn);

	/*
	 * Takes @range's pages out and frees them through the platform. Returns
	 * nothing when done, or a page that another task has locked: wait for it and
	 * call again.
	 */
	PageRef remove(IndexRange range, Platform &platform);
	/*
	 * The same until @turn is over, of one run at least. @range is then what is left,
	 * from the page returned on if there is one.
	 */
	PageRef remove(IndexRange &range, Platform &platform, const Turn &turn);
	/*
	 * What of @range to unmap and remove() first: the part in the first chunk
	 * (kChunkOrder) that may have pages; or empty: no more have. A range in one chunk
	 * is not looked at.
	 */
	IndexRange next_to_remove(IndexRange range) const;

	/*
	 * The pages of the run around @index, should it have any, are the platform's one by one
	 * from now on. What the platform said. Sleeps.
	 */
	Status split_at(PageIndex index, Platform &platform);

	/* Hardware poison struck the page at @index. */
	void poisoned(PageIndex index);
	/* A holder could not unmap the page at @index: it is lost, and never used again. */
	void unmap_failed(PageIndex index);

	/*
	 * ---- shared and private: gmem/share.cc; slots_lock of the VM, and the inode lock
	 * held exclusively ----
	 */

	/* The first stretch of @range that is @share, as long as it is; or empty. */
	IndexRange next_stretch(IndexRange range, Share share) const;
	/*
	 * The same, as far as it is in one chunk (kChunkOrder); or empty, as it also is when
	 * the task is killed. Empty and not at the end of @range: @turn is over, and it goes
	 * on from there. Sleeps.
	 */
	IndexRange next_stretch_in_chunk(IndexRange range, Share share,
					 const Turn *turn = nullptr) const;
	/*
	 * Makes sure that convert() of @range has what it needs. -ENOMEM, -EINTR;
	 * -EHWPOISON: the page at @at is lost. Nothing visible has changed.
	 */
	Status prepare_convert(IndexRange range, PageIndex &at);
	/* There will be no convert() of @range, nor of any other that is prepared. */
	void cancel_convert(IndexRange range);
	/*
	 * @range, which is mapped nowhere, is now private, or shared, up to the index
	 * returned: at least one run, and all unless @turn is over. Cannot fail.
	 */
	PageIndex convert(IndexRange range, Share to, Platform &platform, const Turn &turn);
	/* Whether a mapping of the run around @index may take in all of it. Any context. */
	bool huge_at(PageIndex index) const
	{
		const Run *const run = runs_.load(run_number(index));

		return run && run->huge();
	}
	/* Whether unmapping the page at @index alone may take more with it. */
	bool joined_at(PageIndex index) const
	{
		const Run *const run = runs_.load(run_number(index));

		return giants_possible_ || (run && run->joined());
	}

	/* The first run at or after @from that wants to be promoted; its first page. */
	Result<PageIndex> next_promotion(PageIndex from);
	/*
	 * Whether the run at @start can be promoted as it is: the node of its pages, of
	 * which the block must be. Else it wants it no more: -EBUSY, it has changed;
	 * -EHWPOISON, a page is lost; -EXDEV, its pages are of several nodes. -ENOMEM.
	 */
	Result<int> promotable(PageIndex start);
	/*
	 * Moves the run at @start, which is mapped nowhere, into @block. Errors as
	 * promotable(); also -EBUSY: a page is in use; -EHWPOISON: one cannot be read, and
	 * the run stays as it is for good.
	 */
	Status promote(PageIndex start, Block &block);
	/* There is no block for it. */
	void give_up_promotion(PageIndex start);
	/* Whether a run has come to want it since this was last asked. */
	bool promotion_wanted()
	{
		return promotion_wanted_.load(std::memory_order_relaxed) &&
		       promotion_wanted_.exchange(false);
	}

	/* No mapping takes in more than an aligned block of this order. */
	unsigned max_order() const { return giants_possible_ ? kGiantOrder : kRunOrder; }

	/* The run at @start as it is where blocks of order @largest_order can be mapped. Sleeps. */
	RunView view(PageIndex start, unsigned largest_order, const Platform &platform);

	Stats &stats() { return stats_; }
	const FileKind &kind() const { return kind_; }

    private:
	static std::uint64_t run_number(PageIndex index) { return index.value >> kRunOrder; }

	/* The lock of a run, for callers that may fill it: no giant fills it meanwhile. */
	class GMEM_GUARD_OBJECT FillGuard {
	    public:
		FillGuard(PageStore &store, Run &run, PageIndex index) GMEM_ACQUIRES(run.lock)
			: run_(run)
		{
			run_.lock.lock();
			if (store.giants_possible_)
				store.let_giant_be_filled(run_, index);
		}
		~FillGuard() GMEM_RELEASES() { run_.lock.unlock(); }
		FillGuard(const FillGuard &) = delete;
		FillGuard &operator=(const FillGuard &) = delete;

	    private:
		Run &run_;
	};

	Result<Run *> obtain(PageIndex index);
	struct page *page_at(const Run &run, PageIndex index) const GMEM_REQUIRES(run.lock);
	template <class WholeUsed>
	Result<struct page *> fill(Run &run, PageIndex index, unsigned largest_order,
				   WholeUsed whole_used) GMEM_REQUIRES(run.lock);
	Result<struct page *> new_page(Run &run, PageIndex index, const Access &access)
		GMEM_REQUIRES(run.lock);
	Result<struct page *> page_for(Run &run, PageIndex index, const Access &access)
		GMEM_REQUIRES(run.lock);
	bool fill_block(Run &run, PageIndex index) GMEM_REQUIRES(run.lock);
	void become_block(Run &run, struct page *first) GMEM_REQUIRES(run.lock);
	Result<struct page *> fill_page(Run &run, PageIndex index) GMEM_REQUIRES(run.lock);
	/* Pages of @run can be the host's one by one then. Or what the platform said. */
	Status split(Run &run, Platform &platform) GMEM_REQUIRES(run.lock)
	{
		return run.prepared_as_block() ? split_block(run, platform) : Status{};
	}
	Status split_block(Run &run, Platform &platform) GMEM_REQUIRES(run.lock);
	void strike_marked(Run &run, PageIndex start) GMEM_REQUIRES(run.lock);
	void strike(Run &run, PageIndex index) GMEM_REQUIRES(run.lock)
	{
		lose<event::kStruck>(run, index);
	}
	/* Counts it if @run could be shown as one, @before, and cannot any more. */
	void note_split(const Run &run, bool before) GMEM_REQUIRES(run.lock);
	bool is_lost(Run &run, PageIndex index, struct page *page) GMEM_REQUIRES(run.lock);
	kapi_small why_small(const Run &run, unsigned largest_order) const GMEM_REQUIRES(run.lock);
	kapi_small look_for_small(Run &run, PageIndex index, unsigned largest_order)
		GMEM_REQUIRES(run.lock);
	void want_promotion(Run &run) GMEM_REQUIRES(run.lock);
	Status prepare(Run &run, PageIndex index, struct page *page, const Access &access, bool all)
		GMEM_REQUIRES(run.lock);
	Status prepare_page(Run &run, unsigned slot, struct page *page, const Access &access,
			    std::int64_t ahead) GMEM_REQUIRES(run.lock);
	Status prepare_block(Run &run, const Access &access, std::int64_t ahead)
		GMEM_REQUIRES(run.lock);
	Result<IndexRange> populatable(Run &run, IndexRange range, bool ran)
		GMEM_REQUIRES(run.lock);
	Status refusal(Run &run, PageIndex index, bool ran) GMEM_REQUIRES(run.lock);
	Status reclaim_unused(Run &run, PageIndex index, struct page *page, Platform &platform)
		GMEM_REQUIRES(run.lock);
	void settle_failed_populate(Run &run, PageIndex index, struct page *page, Status status,
				    Platform &platform, bool staged) GMEM_REQUIRES(run.lock);
	bool remove_whole(Run &run, PageIndex start, Platform &platform, unsigned &leaked)
		GMEM_REQUIRES(run.lock);
	PageRef remove_from(Run &run, IndexRange range, Platform &platform) GMEM_REQUIRES(run.lock);
	PageRef take_from(Run &run, IndexRange range, Platform &platform, unsigned &leaked)
		GMEM_REQUIRES(run.lock);
	unsigned free_reclaimed(struct page *first, unsigned count, Platform &platform);
	unsigned reclaim_removed(Run &run, struct page **pages, unsigned count, bool split,
				 Platform &platform) GMEM_REQUIRES(run.lock);
	Result<int> promotable(Run &run, PageIndex start) GMEM_REQUIRES(run.lock);
	void forget(Run &run, unsigned slot) GMEM_REQUIRES(run.lock);
	template <Event kEvent> void lose(PageIndex index);
	/* kStruck or kOutOfHand. */
	template <Event kEvent> void lose(Run &run, PageIndex index) GMEM_REQUIRES(run.lock);
	void leave_content(Run &run, IndexRange part) GMEM_REQUIRES(run.lock);
	void reclaim_and_wipe(Run &run, IndexRange part, bool split, Platform &platform)
		GMEM_REQUIRES(run.lock);

	/* gmem/share.cc */
	struct Stretch {
		PageIndex end;
		Share share;
	};
	Stretch stretch_at(PageIndex index, PageIndex end) const;
	IndexRange find_stretch(IndexRange range, Share share, bool chunk, const Turn *turn) const;
	PageIndex first_lost(const Run &run, IndexRange part) const GMEM_REQUIRES(run.lock);
	Status set_aside(std::uint64_t number);
	Run &known(std::uint64_t number);

	/* gmem/giant.cc */
	Giant *giant_for(PageIndex index, const Access &access);
	bool fill_giant(Giant &giant, PageIndex index, const Access &access);
	Result<bool> all_new(PageIndex start);
	void become_giant(Giant &giant, PageIndex index, struct page *first, const Access &access);
	void let_giant_be_filled(Run &run, PageIndex index) GMEM_REQUIRES(run.lock);
	void break_giant(PageIndex index);
	bool is_giant(const Giant &giant, PageIndex index);

	struct inode *inode_ = nullptr;
	const FileKind kind_;
	/* Fixed for life: how far an invalidation must reach depends on it. */
	const bool giants_possible_;
	std::atomic<bool> promotion_wanted_{ false };
	Stats stats_;
	XArray<Giant> giants_; /* by index >> kGiantOrder; likewise */
	XArray<Run> runs_; /* by run number; never emptied before the inode goes */
	/*
	 * Records for a conversion under way. Some stay unused: a fault has made that run's
	 * record first. Inode lock held exclusively.
	 */
	Own<Run> aside_;
};

} /* namespace gmem */

#endif /* GMEM_STORE_H */
