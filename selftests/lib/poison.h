/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware poison on a page of a guest_memfd of either backend, through
 * gmem_test.ko (selftests/kmod).
 */
#ifndef SELFTESTS_POISON_H
#define SELFTESTS_POISON_H

#include <stdbool.h>
#include <stdint.h>

/* Skip the test unless gmem_test.ko is loaded. */
void poison_require(void);

/*
 * What memory_failure() of the page at @index of @fd answers; @held: while the page has
 * another reference. -ENOENT: there is no page.
 */
int poison_try(int fd, uint64_t index, bool held);

/*
 * Have the kernel handle a memory failure of the page at @index of @fd. What
 * memory_failure() makes of it is in the guest's next touch.
 */
void poison_page(int fd, uint64_t index);

#endif
