/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What time it is on a clock that is never set.
 */
#ifndef GMEM_SELFTESTS_CLOCK_H
#define GMEM_SELFTESTS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

/* In seconds. */
static inline double now(void)
{
	return now_ns() / 1e9;
}

#endif /* GMEM_SELFTESTS_CLOCK_H */
