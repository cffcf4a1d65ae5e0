// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve of 1 GiB blocks (reserve.h).
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/spinlock.h>

#include "kapi.h"
#include "reserve.h"
#include "symbols.h"

#define BLOCK_PAGES BIT(GMEM_RESERVE_ORDER)

/* Linked through the first page of each block. */
static LIST_HEAD(reserve);
static DEFINE_SPINLOCK(reserve_lock);
static unsigned int reserved;

unsigned int gmem_reserve_fill(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct page *const block =
			gmem_alloc_contig_pages(BLOCK_PAGES, GFP_HIGHUSER | __GFP_NOWARN);

		if (!block)
			break;
		spin_lock(&reserve_lock);
		list_add(&block->lru, &reserve);
		reserved++;
		spin_unlock(&reserve_lock);
	}
	return reserved;
}

struct page *gmem_reserve_take(void)
{
	struct page *block;

	spin_lock(&reserve_lock);
	block = list_first_entry_or_null(&reserve, struct page, lru);
	if (block) {
		list_del(&block->lru);
		reserved--;
	}
	spin_unlock(&reserve_lock);
	return block;
}

void gmem_reserve_drop(void)
{
	struct page *block;

	while ((block = gmem_reserve_take()))
		free_contig_range(page_to_pfn(block), BLOCK_PAGES);
}

unsigned int kapi_pages_reserved(void)
{
	return READ_ONCE(reserved);
}
