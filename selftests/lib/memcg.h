/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two memory cgroups: "owner", which is limited and pays for the files made in it, and
 * "other", for processes that use the files. Both are below the root and last until
 * memcg_end().
 */
#ifndef SELFTESTS_MEMCG_H
#define SELFTESTS_MEMCG_H

#include <stdint.h>

/* Make them, of which "owner" can have @limit bytes; skips the test without cgroups. */
void memcg_begin(uint64_t limit);
/* The calling process is in @group, "owner", "other" or "", from now on. */
void memcg_enter(const char *group);
void memcg_set_limit(const char *limit);
/* What @group uses. */
uint64_t memcg_bytes(const char *group);
/* How often a process of "owner" was killed for want of memory. */
uint64_t memcg_kills(void);
/* The caller leaves the cgroups, in which no other process is. */
void memcg_end(void);

#endif
