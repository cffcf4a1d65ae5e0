/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages that the published vectors of launch digests are about.
 */
#ifndef SELFTESTS_LAUNCH_PAGES_H
#define SELFTESTS_LAUNCH_PAGES_H

#include "vm.h"

/* All zeros; byte i is i; word i is 0x0123456789abcdef ^ i. Aligned to a page. */
extern unsigned char page_zero[PAGE_SIZE], page_bytes[PAGE_SIZE], page_words[PAGE_SIZE];

/* Before they are used. */
void launch_pages_fill(void);

#endif
