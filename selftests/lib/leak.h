/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program may not leave behind: memory, slab and descriptors.
 * Compares counters only; knows neither KVM nor TAP.
 */
#ifndef SELFTESTS_LEAK_H
#define SELFTESTS_LEAK_H

#include <stdbool.h>
#include <stddef.h>

struct leak_mark {
	/* Pages that are neither free nor slab, in KiB. */
	long used_kib;
	long slab_kib;
};

/*
 * Growth that is noise: stacks and page tables kept for reuse. A test that wants
 * its leak found uses more than this.
 */
#define LEAK_USED_KIB	(4 * 1024)
#define LEAK_SLAB_KIB	(32 * 1024)

/* Take the counters, after caches were dropped. Needs root. */
struct leak_mark leak_take(void);

/*
 * Wait up to @seconds for the counters to come back to @before (much is freed
 * late, after an RCU grace period). Return whether they did, and describe
 * the difference in @text. Slab does not count on a kernel with KASAN, which
 * keeps freed objects back by the hundred MiB; that one has kmemleak.
 */
bool leak_settled(const struct leak_mark *before, unsigned int seconds,
		  char *text, size_t len);

/* Open descriptors of this process. */
unsigned int leak_count_fds(void);

#endif
