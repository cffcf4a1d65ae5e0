/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The time on a clock that is never set, and how a test waits. A machine may be many times
 * slower than another, and may stop for a while at any moment. So no test fails for the
 * clock's time alone. An event that must come is awaited, with PATIENCE. Steps that must
 * happen often enough are repeated until they have. A call that must not take long is
 * measured beside another, or is the best of several. Other files neither sleep nor set
 * alarms (scripts/lint-waits), but for the runner's own (tap.c).
 */
#ifndef GMEM_SELFTESTS_CLOCK_H
#define GMEM_SELFTESTS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

/* Seconds after which what has not come is taken never to come. */
#define PATIENCE	300

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

/* Lets @us microseconds pass, for others: that they have used them is not certain. */
static inline void let_pass(unsigned int us)
{
	usleep(us);
}

/* Waits until @cond, which must come; the message is the rule that is broken else. */
#define AWAIT(cond, ...)						\
	do {								\
		const double end_ = now() + PATIENCE;			\
									\
		while (!(cond)) {					\
			CHECK(now() < end_, __VA_ARGS__);		\
			let_pass(5000);					\
		}							\
	} while (0)

/*
 * Whether what goes on until @end is over. It is not before enough has happened, on a
 * slow machine, too: @enough.
 */
static inline bool over_at(double end, bool enough)
{
	return now() >= end + (enough ? 0 : PATIENCE);
}

/* Ends the process, as a signal does, if it is still there when PATIENCE is over. */
static inline void die_if_stuck(void)
{
	alarm(PATIENCE);
}

#endif /* GMEM_SELFTESTS_CLOCK_H */
