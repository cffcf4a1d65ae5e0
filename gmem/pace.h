/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast background work may go, whatever the number of files that ask for it: a
 * rate, and a little ahead of it for work that comes after a pause.
 */
#ifndef GMEM_PACE_H
#define GMEM_PACE_H

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "gmem/types.h"

namespace gmem
{

class Pace {
    public:
	/*
	 * Asks to do @bytes more at @now, in nanoseconds, where @mib a second may be done, at
	 * least 1. 0: go ahead; else ask again in so many milliseconds.
	 */
	unsigned wait_ms(std::uint64_t bytes, unsigned mib, std::uint64_t now)
	{
		const std::uint64_t cost = bytes * kSecond / (std::uint64_t{ mib } << 20);
		const std::uint64_t earliest = now > kAhead ? now - kAhead : 0;
		std::uint64_t free = free_.load();
		std::uint64_t begin;

		do {
			begin = std::max(free, earliest);
			if (begin > now)
				return (begin - now + kMillisecond - 1) / kMillisecond;
		} while (!free_.compare_exchange_weak(free, begin + cost));
		return 0;
	}

    private:
	static constexpr std::uint64_t kMillisecond = 1000000, kSecond = 1000 * kMillisecond;
	/* More than a timer of the kernel is late. */
	static constexpr std::uint64_t kAhead = 20 * kMillisecond;

	/* When what was asked for so far will have taken its time. */
	std::atomic<std::uint64_t> free_{ 0 };
};

} /* namespace gmem */

#endif /* GMEM_PACE_H */
