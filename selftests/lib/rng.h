/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random numbers that a seed reproduces (splitmix64), each thread with a state of
 * its own. Nothing here knows KVM.
 */
#ifndef SELFTESTS_RNG_H
#define SELFTESTS_RNG_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "tap.h"

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 to @n - 1. */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* True once in @n times. */
static inline bool rng_once_in(struct rng *rng, uint64_t n)
{
	return rng_below(rng, n) == 0;
}

/* The seed of this run: SEED of the environment, or any. */
static inline uint64_t rng_seed(void)
{
	const char *text = getenv("SEED");
	uint32_t seed;

	if (text)
		return strtoull(text, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = 1;
	return seed;
}

#endif
