/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of one run: what is known of the 512 pages of an aligned 2 MiB
 * piece of a file, and the one place where that changes (docs/pages.md). Huge is not a
 * property of pages here but a fact about them: a run is whole while all its pages are
 * present and sit in one aligned physical block. The pages themselves are counted one by
 * one and live in the page cache.
 */
#ifndef GMEM_RUN_H
#define GMEM_RUN_H

#include <atomic>
#include <utility>

#include "gmem/bitmap.h"
#include "gmem/facts.h"
#include "gmem/locks.h"
#include "gmem/memory.h"
#include "gmem/types.h"

namespace gmem
{

using RunBitmap = Bitmap<kRunPages>;

/* Everything but the lock, huge() and joined() is protected by the lock. */
class Run {
    public:
	explicit Run(bool all_shared) : lock(KAPI_LOCK_RUN)
	{
		if (all_shared)
			facts_[number(Fact::kShared)].set_all();
	}

	static constexpr unsigned slot_of(PageIndex index) { return index.value % kRunPages; }

	const RunBitmap &present() const GMEM_REQUIRES(lock) { return of(Fact::kPresent); }
	const RunBitmap &prepared() const GMEM_REQUIRES(lock) { return of(Fact::kPrepared); }
	const RunBitmap &faulted() const GMEM_REQUIRES(lock) { return of(Fact::kFaulted); }
	const RunBitmap &has_content() const GMEM_REQUIRES(lock) { return of(Fact::kHasContent); }
	const RunBitmap &lost() const GMEM_REQUIRES(lock) { return of(Fact::kLost); }
	const RunBitmap &unsafe() const GMEM_REQUIRES(lock) { return of(Fact::kUnsafe); }
	const RunBitmap &shared() const GMEM_REQUIRES(lock) { return of(Fact::kShared); }
	const RunBitmap &staged() const GMEM_REQUIRES(lock) { return of(Fact::kStaged); }

	bool empty() const GMEM_REQUIRES(lock) { return present().none(); }
	bool uniform() const GMEM_REQUIRES(lock) { return shared().none() || shared().all(); }
	/* How many pages that are present are shared. */
	unsigned pages_shared() const GMEM_REQUIRES(lock) { return shared().common(present()); }
	/* Pages that are the platform's. */
	RunBitmap owned() const GMEM_REQUIRES(lock) { return prepared().without(shared()); }
	bool owns(unsigned slot) const GMEM_REQUIRES(lock)
	{
		return prepared().test(slot) && !shared().test(slot);
	}

	/* ---- events ---- */

	/* To the pages of slots [from, to), to each the same. */
	template <Event kEvent> void happens(unsigned from, unsigned to) GMEM_REQUIRES(lock)
	{
		if (!happens_to<kEvent>(from, to, std::make_index_sequence<kFacts>{}))
			kapi_warn_once("a page is in no state for what happens to it");
		if constexpr (kEvent.ends_huge()) {
			end(huge_);
			wanted_promotion_ = false;
		}
		if constexpr (kEvent.of_unmapped())
			end(joined_);
		if (kEvent.clears.has(Fact::kPresent) && empty()) {
			block_ = nullptr;
			prepared_as_block_ = false;
			came_small_ = KAPI_SMALL_NOT;
		}
	}
	template <Event kEvent> void happens(unsigned slot) GMEM_REQUIRES(lock)
	{
		happens<kEvent>(slot, slot + 1);
	}

	/* Filled with @block, as a whole. */
	void fill(struct page *block) GMEM_REQUIRES(lock)
	{
		happens<event::kFilled>(0, kRunPages);
		block_ = block;
	}
	/* Filled at @slot with @page, wherever that lies. */
	void fill(unsigned slot, const struct page *page) GMEM_REQUIRES(lock)
	{
		if (block_ && page != kapi_page_nth(block_, slot))
			block_ = nullptr;
		happens<event::kFilled>(slot);
	}
	/* All its pages have been copied to @block, and are those of it now. */
	void move_to(struct page *block) GMEM_REQUIRES(lock)
	{
		block_ = block;
		came_small_ = KAPI_SMALL_NOT;
	}

	/* Why its first page came by itself; KAPI_SMALL_NOT: none did, or all are one block. */
	void comes_small(kapi_small why) GMEM_REQUIRES(lock) { came_small_ = why; }
	kapi_small came_small() const GMEM_REQUIRES(lock) { return came_small_; }

	/* ---- the run as a block ---- */

	/*
	 * First page of the physical block that every present page is in, at its
	 * place; NULL when the run is empty or its pages lie here and there.
	 */
	struct page *block() const GMEM_REQUIRES(lock) { return block_; }
	bool whole() const GMEM_REQUIRES(lock) { return block_ && present().all(); }
	/* Whether one mapping could show all of it, as far as it is the run's to say. */
	bool could_be_one() const GMEM_REQUIRES(lock)
	{
		return whole() && uniform() && lost().none();
	}

	/* All were prepared by one call, so one mapping may show them on any platform. */
	bool prepared_as_block() const GMEM_REQUIRES(lock) { return prepared_as_block_; }
	void was_prepared_as_block() GMEM_REQUIRES(lock) { prepared_as_block_ = true; }
	void split() GMEM_REQUIRES(lock) { prepared_as_block_ = false; }

	/*
	 * Whether it was handed out as one, and nothing has happened to it since. Read
	 * without the lock: the call that clears it has begun an invalidation, or will
	 * before the call ends.
	 */
	bool huge() const { return huge_.load(); }
	/* Whether a mapping of all of it may exist; likewise. */
	bool joined() const { return joined_.load(); }
	void handed_out_huge() GMEM_REQUIRES(lock)
	{
		huge_.store(true);
		joined_.store(true);
	}

	/* Whether all of it is there, ready and of one kind, and only not one block. */
	bool promotable() const GMEM_REQUIRES(lock)
	{
		return !block_ && prepared().all() && lost().none() && uniform();
	}
	/* A place where it could be mapped huge asks for it. */
	void asked_for_huge() GMEM_REQUIRES(lock) { asked_for_huge_ = true; }
	/*
	 * Whether it has come to want promotion since this was last asked: it is
	 * promotable, and could be mapped huge then.
	 */
	bool wants_promotion() GMEM_REQUIRES(lock)
	{
		const bool now = asked_for_huge_ && promotable();

		return now && !std::exchange(wanted_promotion_, now);
	}

	Mutex lock;
	std::uint8_t promotion_tries = 0; /* how often it may still be tried; 0: it is not to be */
	/* Of a record that is not in the store yet: the next such. */
	Run *next = nullptr;

    private:
	static constexpr unsigned number(Fact fact) { return static_cast<unsigned>(fact); }
	const RunBitmap &of(Fact fact) const GMEM_REQUIRES(lock) { return facts_[number(fact)]; }

	template <Event kEvent, std::size_t... kFact>
	bool happens_to(unsigned from, unsigned to, std::index_sequence<kFact...>)
		GMEM_REQUIRES(lock)
	{
		/* All are asked before any is changed. */
		const bool possible = (asks<kEvent, Fact{ kFact }>(from, to) && ...);

		(changes<kEvent, Fact{ kFact }>(from, to), ...);
		return possible;
	}
	template <Event kEvent, Fact kFact>
	bool asks(unsigned from, unsigned to) const GMEM_REQUIRES(lock)
	{
		if constexpr (kEvent.has.has(kFact))
			return of(kFact).has_all(from, to);
		else if constexpr (kEvent.lacks.has(kFact))
			return of(kFact).has_none(from, to);
		else
			return true;
	}
	template <Event kEvent, Fact kFact>
	void changes(unsigned from, unsigned to) GMEM_REQUIRES(lock)
	{
		if constexpr (kEvent.sets.has(kFact))
			facts_[number(kFact)].set_range(from, to);
		else if constexpr (kEvent.clears.has(kFact))
			facts_[number(kFact)].reset_range(from, to);
	}

	/* A store that others must see costs more than a look. */
	static void end(std::atomic<bool> &is)
	{
		if (is.load(std::memory_order_relaxed))
			is.store(false);
	}

	RunBitmap facts_[kFacts] GMEM_GUARDED_BY(lock);
	struct page *block_ GMEM_GUARDED_BY(lock) = nullptr;
	bool prepared_as_block_ GMEM_GUARDED_BY(lock) = false;
	std::atomic<bool> huge_{ false };
	std::atomic<bool> joined_{ false };
	kapi_small came_small_ GMEM_GUARDED_BY(lock) = KAPI_SMALL_NOT;
	bool asked_for_huge_ GMEM_GUARDED_BY(lock) = false;
	bool wanted_promotion_ GMEM_GUARDED_BY(lock) = false; /* when that was last asked */
};

} /* namespace gmem */

#endif /* GMEM_RUN_H */
