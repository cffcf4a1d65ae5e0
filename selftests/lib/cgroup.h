/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory cgroups, directly below the root of the hierarchy. Needs root.
 */
#ifndef SELFTESTS_CGROUP_H
#define SELFTESTS_CGROUP_H

#include "vm.h"

/* Writes @text to the file of @group; "" is the root, whose file has no slash. */
void cgroup_put(const char *group, const char *name, const char *text);
/* Reads that file into @text, with a zero behind; @size is that of @text. */
void cgroup_get(const char *group, const char *name, char *text, size_t size);
/* A new one, or an old one that is empty; skips the test where there are none. */
void cgroup_make(const char *group, u64 limit);
/* The caller moves there; NULL: to the root. */
void cgroup_enter(const char *group);
/* Bytes that it is charged with. */
u64 cgroup_current(const char *group);
/* Waits until it is charged with next to nothing, which the test fails without. */
void cgroup_settle(const char *group);
void cgroup_remove(const char *group);

#endif
