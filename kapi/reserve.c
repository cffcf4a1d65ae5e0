// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve of 1 GiB blocks (reserve.h). A block comes back when it cannot be paid
 * for, or could not be used.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/topology.h>

#include "charge.h"
#include "kapi.h"
#include "reserve.h"
#include "symbols.h"

#define BLOCK_PAGES BIT(GMEM_RESERVE_ORDER)

/* Linked through the first page of each block. */
static LIST_HEAD(reserve);
/* Those with a page that memory failure has marked: never given out. */
static LIST_HEAD(spoiled);
static DEFINE_SPINLOCK(reserve_lock);
static unsigned int reserved;
/* A block that one cannot pay for is back before another looks for it. */
static DEFINE_MUTEX(taking);

static void put(struct page *block)
{
	spin_lock(&reserve_lock);
	list_add(&block->lru, &reserve);
	reserved++;
	spin_unlock(&reserve_lock);
}

unsigned int gmem_reserve_fill(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct page *const block =
			gmem_alloc_contig_pages(BLOCK_PAGES, GFP_HIGHUSER | __GFP_NOWARN);

		if (!block)
			break;
		put(block);
	}
	return reserved;
}

/* As the allocator decides for a page: by the task's cpuset and its policy. */
static bool task_may_have(int node)
{
	const struct mempolicy *const mpol = current->mempolicy;

	return node_isset(node, cpuset_current_mems_allowed) &&
	       !(mpol && mpol->mode == MPOL_BIND && !node_isset(node, mpol->nodes));
}

/* One of the task's own node, else any that it may have; NULL: there is none. */
static struct page *take(void)
{
	struct page *block, *found = NULL;

	spin_lock(&reserve_lock);
	list_for_each_entry(block, &reserve, lru) {
		if (!task_may_have(page_to_nid(block)))
			continue;
		if (!found || page_to_nid(block) == numa_node_id())
			found = block;
		if (page_to_nid(found) == numa_node_id())
			break;
	}
	if (found) {
		list_del(&found->lru);
		reserved--;
	}
	spin_unlock(&reserve_lock);
	return found;
}

static bool is_spoiled(struct page *block)
{
	const kapi_u64 at = kapi_pages_next_poisoned(block, 0, BLOCK_PAGES);

	if (at == BLOCK_PAGES)
		return false;
	pr_err("page %#lx of the reserve is poisoned, its block of 1 GiB is not used\n",
	       page_to_pfn(block) + (unsigned long)at);
	spin_lock(&reserve_lock);
	list_add(&block->lru, &spoiled);
	spin_unlock(&reserve_lock);
	return true;
}

struct page *kapi_reserve_take(struct inode *inode)
{
	struct page *block;

	guard(mutex)(&taking);
	do {
		block = take();
	} while (block && is_spoiled(block));
	if (block && kapi_pages_charge(inode, block, BLOCK_PAGES)) {
		put(block);
		return NULL;
	}
	return block;
}

void kapi_reserve_return(struct page *first)
{
	gmem_uncharge(first, BLOCK_PAGES);
	put(first);
}

void gmem_reserve_drop(void)
{
	struct page *block, *next;

	list_splice_init(&spoiled, &reserve);
	list_for_each_entry_safe(block, next, &reserve, lru) {
		list_del(&block->lru);
		/* A marked page is not taken back by the allocator. */
		free_contig_range(page_to_pfn(block), BLOCK_PAGES);
	}
	reserved = 0;
}

unsigned int kapi_pages_reserved(void)
{
	return READ_ONCE(reserved);
}
