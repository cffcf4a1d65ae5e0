/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of one run: what is known of the 512 pages of an aligned 2 MiB
 * piece of a file. Huge is not a property of pages here but a fact about them:
 * a run is whole while all its pages are present and sit in one aligned
 * physical block. The pages themselves are counted one by one and live in the
 * page cache.
 */
#ifndef GMEM_RUN_H
#define GMEM_RUN_H

#include <atomic>

#include "gmem/bitmap.h"
#include "gmem/locks.h"
#include "gmem/memory.h"
#include "gmem/types.h"

namespace gmem
{

using RunBitmap = Bitmap<kRunPages>;

/* Everything but the lock and huge is protected by the lock. */
struct Run {
	explicit Run(bool all_shared) : lock(KAPI_LOCK_RUN)
	{
		if (all_shared)
			shared.set_all();
	}

	static constexpr unsigned slot_of(PageIndex index) { return index.value % kRunPages; }

	bool empty() const { return present.none(); }
	bool whole() const { return block && present.all(); }
	bool uniform() const { return shared.none() || shared.all(); }
	/* Pages that are the platform's. */
	RunBitmap owned() const { return prepared.without(shared); }
	bool owns(unsigned slot) const { return prepared.test(slot) && !shared.test(slot); }

	Mutex lock;
	/*
	 * First page of the physical block that every present page is in, at its
	 * place; NULL when the run is empty or its pages lie here and there.
	 */
	struct page *block = nullptr;
	RunBitmap present; /* has a page in the page cache */
	RunBitmap prepared; /* ... that is zeroed or populated, and the platform's */
	/*
	 * ... that has content: it was populated, or asked for by somebody who may have
	 * written to it. Its neighbours in a huge mapping are prepared with it, but may
	 * still be populated.
	 */
	RunBitmap claimed;
	/* ... that was asked for by itself, for guests: has content if one has run */
	RunBitmap shown;
	RunBitmap lost; /* ... that memory failure has struck */
	RunBitmap unsafe; /* ... lost because somebody may still use it: never to be freed */
	RunBitmap shared; /* user space may see it; pages that are absent have a state, too */
	/* All were prepared by one call, so one mapping may show them on any platform. */
	bool as_one = false;
	/*
	 * It was handed out as one, and nothing has happened to it since. Read without
	 * the lock: who clears it has begun an invalidation, or will before it ends.
	 */
	std::atomic<bool> huge{ false };
	/* All present but not one block, where it could be mapped huge: make it one. */
	std::uint8_t promotion_tries = 0; /* so often at the most */
	/* Of a record that is nobody's yet: another one. */
	Own<Run> next;
};

} /* namespace gmem */

#endif /* GMEM_RUN_H */
