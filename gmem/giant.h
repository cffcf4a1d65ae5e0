/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The record of an aligned 1 GiB of a file that was filled from one block of the
 * reserve. Its runs have records of their own; this one knows only whether they
 * are all as they were.
 */
#ifndef GMEM_GIANT_H
#define GMEM_GIANT_H

#include <atomic>

#include "gmem/locks.h"

namespace gmem
{

struct Giant {
	Giant() : lock(KAPI_LOCK_GIANT) {}

	Mutex lock; /* held while it is filled; outside of run locks */
	bool settled = false; /* under the lock: whether it is filled is decided for good */
	/*
	 * Its runs, none of which has pages, are being given some. Set under the lock, read
	 * under the lock of a run. The setter takes each run's lock once.
	 */
	std::atomic<bool> filling{ false };
	/*
	 * All pages are there, prepared, and of one block. Read without the lock:
	 * an invalidation over the whole giant has begun before it is cleared, so a
	 * fault that still saw it set is dropped by its holder.
	 */
	std::atomic<bool> intact{ false };
	/* Of that block; set before intact. Others' by now, perhaps, once it is not. */
	struct page *first = nullptr;
};

} /* namespace gmem */

#endif /* GMEM_GIANT_H */
