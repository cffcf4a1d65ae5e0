// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents of pages for launches, see launch_pages.h.
 */
#include "launch_pages.h"

#include <string.h>

unsigned char page_zero[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
unsigned char page_bytes[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
unsigned char page_words[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

void launch_pages_fill(void)
{
	unsigned int i;

	for (i = 0; i < PAGE_SIZE; i++)
		page_bytes[i] = i;
	for (i = 0; i < PAGE_SIZE / 8; i++) {
		u64 word = 0x0123456789abcdefULL ^ i;

		memcpy(page_words + 8 * i, &word, 8);
	}
}
