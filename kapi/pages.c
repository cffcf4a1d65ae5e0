// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages as memory: <linux/gfp.h>, <linux/mm.h>, <linux/highmem.h>. What makes
 * them part of a file is in kapi/cache.c.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/pagemap.h>

#include "compat/pages.h"
#include "charge.h"
#include "files.h"
#include "kapi.h"
#include "poison.h"
#include "symbols.h"

/* Blocks are given up early: small pages do, too. */
static gfp_t gfp_of(unsigned int order)
{
	return order ? GFP_HIGHUSER | __GFP_NORETRY | __GFP_NOWARN : GFP_HIGHUSER;
}

/* Each page has a count of its own then. */
static struct page *split(struct page *page, unsigned int order)
{
	if (page && order)
		split_page(page, order);
	return page;
}

struct page *kapi_pages_alloc(unsigned int order)
{
	return split(alloc_pages(gfp_of(order), order), order);
}

struct page *kapi_pages_alloc_at(struct inode *inode, kapi_u64 index, unsigned int order)
{
	const pgoff_t start = round_down(index, 1ul << order);
	struct mempolicy *mpol;
	struct page *page;

	/* Pages that want to lie in different places cannot be one block. */
	if (order && !gmem_inode_policy_is_one(inode, start, 1ul << order))
		return NULL;
	mpol = gmem_inode_policy(inode, index);
	if (!mpol)
		return kapi_pages_alloc(order);
	/* Interleaving counts blocks of that order. */
	page = gmem_alloc_pages_mpol(gfp_of(order), order, mpol, index >> order);
	gmem_mpol_put(mpol);
	return split(page, order);
}

struct page *kapi_pages_alloc_on(struct inode *inode, kapi_u64 index, unsigned int order, int node)
{
	const pgoff_t start = round_down(index, 1ul << order);

	if (!gmem_inode_policy_allows(inode, start, 1ul << order, node) ||
	    !gmem_inode_cpuset_allows(inode, node))
		return NULL;
	return split(alloc_pages_node(node, gfp_of(order) | __GFP_THISNODE, order), order);
}

int kapi_page_node(struct page *page)
{
	return page_to_nid(page);
}

bool kapi_pages_come_zeroed(void)
{
	return want_init_on_alloc(GFP_HIGHUSER) || want_init_on_free();
}

void kapi_pages_clear(struct page *first, kapi_u64 count)
{
	for (kapi_u64 i = 0; i < count; i++) {
		clear_highpage(gmem_nth_page(first, i));
		cond_resched();
	}
}

struct page *kapi_page_nth(struct page *first, kapi_u64 n)
{
	return gmem_nth_page(first, n);
}

kapi_u64 kapi_page_pfn(struct page *page)
{
	return page_to_pfn(page);
}

bool kapi_page_poisoned(struct page *page)
{
	return PageHWPoison(page);
}

kapi_u64 kapi_pages_next_poisoned(struct page *first, kapi_u64 from, kapi_u64 count)
{
	if (!gmem_any_poisoned())
		return count;
	while (from < count && !PageHWPoison(gmem_nth_page(first, from)))
		from++;
	return from;
}

void kapi_page_get(struct page *page)
{
	get_page(page);
}

struct page *kapi_page_zero(void)
{
	get_page(ZERO_PAGE(0));
	return ZERO_PAGE(0);
}

void kapi_page_put(struct page *page)
{
	put_page(page);
}

void kapi_pages_put(struct page *first, kapi_u64 count)
{
	for (kapi_u64 i = 0; i < count; i++)
		put_page(gmem_nth_page(first, i));
}

void kapi_pages_put_array(struct page **pages, unsigned int count)
{
	release_pages(pages, count);
}

void kapi_pages_free_frozen(struct page *first, kapi_u64 count)
{
	const unsigned int order = ilog2(count);

	gmem_uncharge(first, count);
	/* The allocator takes an aligned block back as a whole. */
	if (is_power_of_2(count) && IS_ALIGNED(page_to_pfn(first), count)) {
		set_page_count(first, 1);
		__free_pages(first, order);
		return;
	}
	for (kapi_u64 i = 0; i < count; i++) {
		set_page_count(gmem_nth_page(first, i), 1);
		__free_page(gmem_nth_page(first, i));
	}
}

void kapi_page_leak_frozen(struct page *page)
{
	set_page_count(page, 1);
}

bool kapi_page_trylock(struct page *page)
{
	return trylock_page(page);
}

void kapi_page_unlock(struct page *page)
{
	unlock_page(page);
}

void kapi_drain_batches(void)
{
	gmem_lru_add_drain_all();
}

void kapi_page_wait_unlocked(struct page *page)
{
	folio_wait_locked(page_folio(page));
}
