/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics of one inode; every change goes into the totals, too. Faults are not among
 * them (kapi_page_hand_out()).
 */
#ifndef GMEM_STATS_H
#define GMEM_STATS_H

#include <array>
#include <atomic>

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

class Stats {
    public:
	/* Inlined: a copy of its own in each source, of which one is kept, cannot be traced. */
	[[gnu::always_inline]] void add(kapi_stat stat, long n = 1)
	{
		values_[stat].fetch_add(n, std::memory_order_relaxed);
		kapi_stat_add(stat, n);
	}
	/* One more page that is small, for @why, which is not KAPI_SMALL_NOT. */
	[[gnu::always_inline]] void add_small(kapi_small why)
	{
		static_assert(int{ KAPI_STAT_FALLBACK_POLICY } - int{ KAPI_STAT_FALLBACK_MEMORY } ==
			      int{ KAPI_SMALL_POLICY } - int{ KAPI_SMALL_MEMORY });
		add(static_cast<kapi_stat>(KAPI_STAT_FALLBACK_MEMORY + int{ why } -
					   int{ KAPI_SMALL_MEMORY }));
	}
	/*
	 * A fault or a conversion was refused with @status. A page in the other state and a
	 * page in use are one errno, EAGAIN: @again says which counts. What a signal has ended
	 * was not refused.
	 */
	void add_refused(Status status, kapi_stat again);
	long get(kapi_stat stat) const { return values_[stat].load(std::memory_order_relaxed); }

    private:
	std::array<std::atomic<long>, KAPI_STATS_OF_FILES> values_{};
};

} /* namespace gmem */

#endif /* GMEM_STATS_H */
