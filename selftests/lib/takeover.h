/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions of the kernel that gmem.ko takes over, and whether it has them: a VM
 * that reaches as many of them as a VMM can, as the user "nobody". For programs that
 * run as root and load and unload gmem.ko themselves.
 */
#ifndef SELFTESTS_TAKEOVER_H
#define SELFTESTS_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>

#define NOBODY	65534

/* What gmem.ko takes over of this kernel; takeover_begin() asks it the first time. */
extern const char *hooked_names[];
extern size_t nr_hooked;

/*
 * Whether takeover_check() makes KVM call @name. What it does not reach is for nested
 * guests' shadow page tables.
 */
bool takeover_reaches(const char *name);

/*
 * The state at the start of a test, whatever the one before has left: gmem.ko is not
 * loaded, gmem_test.ko is, ftrace is on, all users may open /dev/kvm, and klog_says()
 * begins here.
 */
void takeover_begin(void);

/* Loads gmem.ko, which must have attached everything. */
void takeover_load(void);

/*
 * Require that guest_memfd is ours, by what files are, what guests get and what the
 * counters of gmem.ko say. NULL, or the name of an optional function that was not to be
 * had: then there are no extensions, and the rest is checked.
 */
void takeover_check(const char *without);

/* Call @fn in a child that is the user "nobody", and can still read its own /proc. */
void as_nobody(void (*fn)(const void *arg), const void *arg);

/* Whether @fd is a guest_memfd of gmem.ko: of a file system of its own. */
bool file_is_ours(int fd);

#endif
