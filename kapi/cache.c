// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page cache, in batches: <linux/pagemap.h>. A page is in the inode's
 * i_pages and charged to a cgroup (kapi/charge.c) before; its cache reference is the
 * one it was allocated with. It is on no LRU list: nothing may reclaim it, and the LRU's
 * batches would hold references that come and go (kapi/poison.c puts a page
 * there when memory failure asks for it).
 */
#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>

#include "compat/pages.h"
#include "charge.h"
#include "files.h"
#include "kapi.h"
#include "poison.h"
#include "symbols.h"

/*
 * So many pages go in or out under one hold of the tree's lock, which has interrupts
 * off.
 */
#define HOLD_PAGES 512U

/*
 * Counts @count neighbours as file pages, @sign times. They were charged to one
 * cgroup and are of one block, so of one node: one of them stands for all.
 */
static void account(struct page *first, unsigned int count, int sign)
{
	if (count)
		lruvec_stat_mod_folio(gmem_folio_of(first), NR_FILE_PAGES, sign * (int)count);
}

static void enter(struct address_space *mapping, struct folio *folio, kapi_u64 index)
{
	folio->mapping = mapping;
	folio->index = index;
}

/*
 * Stores neighbours of the page that @xas has just stored, in the node that it is
 * in: up to @max, as long as nothing is there. Says how many. xas_store() would
 * walk and count anew for each, and that is most of what an insertion costs.
 */
static unsigned int store_neighbours(struct xa_state *xas, struct page *first, unsigned int max)
{
	struct address_space *const mapping = container_of(xas->xa, struct address_space, i_pages);
	struct xa_node *const node = xas->xa_node;
	unsigned int done = 0;

	/* The only entry of a tree may be index 0 without a node. */
	if (!node || node->shift)
		return 0;
	for (unsigned int at = xas->xa_offset + 1; at < XA_CHUNK_SIZE && done < max; at++) {
		struct folio *const folio = gmem_folio_of(gmem_nth_page(first, done));

		if (xa_entry_locked(xas->xa, node, at))
			break;
		enter(mapping, folio, xas->xa_index + 1 + done);
		rcu_assign_pointer(node->slots[at], folio);
		done++;
	}
	node->count += done;
	return done;
}

/*
 * Stores @count pages, as many as the nodes at hand allow under one hold of the
 * lock. Returns how many went in; fewer than @count is -ENOMEM or -EEXIST in *err.
 */
static unsigned int store(struct address_space *mapping, kapi_u64 index, struct page *first,
			  unsigned int count, int *err)
{
	XA_STATE(xas, &mapping->i_pages, index);
	unsigned int done = 0;

	do {
		const unsigned int before = done, limit = min(count, before + HOLD_PAGES);

		xas_lock_irq(&xas);
		while (done < limit) {
			struct folio *const folio = gmem_folio_of(gmem_nth_page(first, done));

			xas_set(&xas, index + done);
			if (xas_load(&xas)) {
				xas_set_err(&xas, -EEXIST);
				break;
			}
			xas_store(&xas, folio);
			if (xas_error(&xas))
				break;
			enter(mapping, folio, index + done);
			done++;
			done += store_neighbours(&xas, gmem_nth_page(first, done), limit - done);
		}
		mapping->nrpages += done - before;
		account(gmem_nth_page(first, before), done - before, 1);
		xas_unlock_irq(&xas);
		cond_resched();
	} while (xas_nomem(&xas, GFP_KERNEL) || (done < count && !xas_error(&xas)));

	*err = xas_error(&xas);
	return done;
}

/* Takes back what store() did, before anything can have seen it. */
static void unstore(struct address_space *mapping, kapi_u64 index, struct page *first,
		    unsigned int count)
{
	XA_STATE(xas, &mapping->i_pages, index);

	for (unsigned int done = 0; done < count;) {
		const unsigned int before = done, limit = min(count, before + HOLD_PAGES);

		xas_lock_irq(&xas);
		for (; done < limit; done++) {
			xas_set(&xas, index + done);
			xas_store(&xas, NULL);
			gmem_folio_of(gmem_nth_page(first, done))->mapping = NULL;
		}
		mapping->nrpages -= done - before;
		account(gmem_nth_page(first, before), done - before, -1);
		xas_unlock_irq(&xas);
		cond_resched();
	}
}

int kapi_cache_insert(struct inode *inode, kapi_u64 index, struct page *first, unsigned int count)
{
	unsigned int stored;
	int ret;

	stored = store(inode->i_mapping, index, first, count, &ret);
	if (ret) {
		unstore(inode->i_mapping, index, first, stored);
		return ret;
	}
	inode_add_bytes(inode, (loff_t)count << PAGE_SHIFT);
	gmem_inode_count_node(inode, page_to_nid(first), count);
	return 0;
}

struct page *kapi_cache_peek(struct inode *inode, kapi_u64 index)
{
	return xa_load(&inode->i_mapping->i_pages, index);
}

unsigned int kapi_cache_take(struct inode *inode, kapi_u64 *index, kapi_u64 end,
			     struct page **pages, unsigned int max, struct page **busy)
{
	struct address_space *const mapping = inode->i_mapping;
	XA_STATE(xas, &mapping->i_pages, *index);
	struct folio *folio;
	unsigned int taken = 0;

	*index = end;
	xas_lock_irq(&xas);
	xas_for_each(&xas, folio, end - 1) {
		if (taken == max) {
			*index = xas.xa_index;
			break;
		}
		if (!folio_trylock(folio)) {
			folio_get(folio);
			*busy = folio_page(folio, 0);
			*index = xas.xa_index;
			break;
		}
		/* A fault was under way when it was unmapped; the lock keeps others off. */
		if (folio_mapped(folio)) {
			xas_pause(&xas);
			xas_unlock_irq(&xas);
			unmap_mapping_pages(mapping, folio->index, 1, false);
			xas_lock_irq(&xas);
			xas_set(&xas, folio->index);
			xas_load(&xas);
		}
		xas_store(&xas, NULL);
		folio->mapping = NULL;
		lruvec_stat_mod_folio(folio, NR_FILE_PAGES, -1);
		pages[taken++] = folio_page(folio, 0);
	}
	mapping->nrpages -= taken;
	xas_unlock_irq(&xas);

	for (unsigned int i = 0; i < taken; i++) {
		gmem_inode_count_node(inode, page_to_nid(pages[i]), -1);
		unlock_page(pages[i]);
	}
	inode_sub_bytes(inode, (loff_t)taken << PAGE_SHIFT);
	return taken;
}

bool kapi_cache_take_run(struct inode *inode, kapi_u64 index, struct page *first,
			 unsigned int order)
{
	struct address_space *const mapping = inode->i_mapping;
	const unsigned int count = 1U << order;
	XA_STATE(xas, &mapping->i_pages, index);
	unsigned int frozen;

	for (frozen = 0; frozen < count; frozen++) {
		struct folio *const folio = page_folio(gmem_nth_page(first, frozen));

		if (folio_test_lru(folio) || !folio_ref_freeze(folio, 1))
			break;
	}
	if (frozen < count) {
		while (frozen--)
			folio_ref_unfreeze(page_folio(gmem_nth_page(first, frozen)), 1);
		return false;
	}

	xas_lock_irq(&xas);
	xas_set_order(&xas, index, order);
	xas_store(&xas, NULL);
	mapping->nrpages -= count;
	account(first, count, -1);
	xas_unlock_irq(&xas);

	for (unsigned int i = 0; i < count; i++)
		gmem_folio_of(gmem_nth_page(first, i))->mapping = NULL;
	inode_sub_bytes(inode, (loff_t)count << PAGE_SHIFT);
	gmem_inode_count_node(inode, page_to_nid(first), -(long)count);
	return true;
}

static void unfreeze(struct page **pages, unsigned int count)
{
	while (count--)
		folio_ref_unfreeze(page_folio(pages[count]), 1);
}

/* Freezes all pages of [index, index + count) into @pages, or none. */
static int freeze_all(struct address_space *mapping, kapi_u64 index, struct page **pages,
		      unsigned int count)
{
	XA_STATE(xas, &mapping->i_pages, index);
	struct folio *folio;
	unsigned int frozen = 0;

	rcu_read_lock();
	xas_for_each(&xas, folio, index + count - 1) {
		if (xas_retry(&xas, folio))
			continue;
		if (xas.xa_index != index + frozen || folio_test_lru(folio) ||
		    !folio_ref_freeze(folio, 1))
			break;
		pages[frozen++] = folio_page(folio, 0);
	}
	rcu_read_unlock();
	if (frozen == count)
		return 0;
	unfreeze(pages, frozen);
	return -EBUSY;
}

/* Copies @pages into @block; a byte that cannot be read is an error, not the end. */
static int copy_all(struct page *block, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		/* A copy that cannot read it has told memory failure, which comes later. */
		if (PageHWPoison(pages[i]) || copy_mc_highpage(gmem_nth_page(block, i), pages[i]))
			return -EHWPOISON;
	}
	return 0;
}

int kapi_cache_replace_run(struct inode *inode, kapi_u64 index, struct page *block,
			   unsigned int order)
{
	struct address_space *const mapping = inode->i_mapping;
	const unsigned int count = 1U << order;
	XA_STATE(xas, &mapping->i_pages, index);
	struct folio *folio, *old;
	struct page **pages;
	int ret;

	pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	ret = freeze_all(mapping, index, pages, count);
	if (ret)
		goto out;
	ret = copy_all(block, pages, count);
	if (ret) {
		unfreeze(pages, count);
		goto out;
	}

	xas_lock_irq(&xas);
	xas_for_each(&xas, old, index + count - 1) {
		folio = gmem_folio_of(gmem_nth_page(block, xas.xa_index - index));
		enter(mapping, folio, xas.xa_index);
		xas_store(&xas, folio); /* over an entry: cannot fail */
		/* Each may be of another node than its neighbour. */
		lruvec_stat_mod_folio(old, NR_FILE_PAGES, -1);
	}
	account(block, count, 1);
	xas_unlock_irq(&xas);

	for (unsigned int i = 0; i < count; i++) {
		gmem_folio_of(pages[i])->mapping = NULL;
		set_page_count(pages[i], 1);
		gmem_inode_count_node(inode, page_to_nid(pages[i]), -1);
	}
	gmem_inode_count_node(inode, page_to_nid(block), count);
	release_pages(pages, count);
out:
	kvfree(pages);
	return ret;
}

void kapi_cache_unmap_user(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	/* Marks of poison, too, which only this removes: there may be another page now. */
	unmap_mapping_pages(inode->i_mapping, start, end - start, true);
}

/* The index of the first page in [start, end) that @is(); @end if none is. */
static __always_inline kapi_u64 first_that(struct inode *inode, kapi_u64 start, kapi_u64 end,
					   bool (*is)(struct folio *folio))
{
	XA_STATE(xas, &inode->i_mapping->i_pages, start);
	struct folio *folio;
	kapi_u64 found = end;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (xas_retry(&xas, folio))
			continue;
		if (is(folio)) {
			found = xas.xa_index;
			break;
		}
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return found;
}

static bool is_used(struct folio *folio)
{
	return folio_ref_count(folio) != 1;
}

static bool is_poisoned(struct folio *folio)
{
	return PageHWPoison(folio_page(folio, 0));
}

kapi_u64 kapi_cache_first_used(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	/* No page is taken out; guests put pages in, and hold none for long. */
	lockdep_assert_held_write(&inode->i_mapping->invalidate_lock);
	return first_that(inode, start, end, is_used);
}

kapi_u64 kapi_cache_first_poisoned(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	/* As kapi_pages_next_poisoned(). */
	if (!gmem_any_poisoned())
		return end;
	return first_that(inode, start, end, is_poisoned);
}

int kapi_cache_node(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	XA_STATE(xas, &inode->i_mapping->i_pages, start);
	struct folio *folio;
	int node = NUMA_NO_NODE;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (xas_retry(&xas, folio))
			continue;
		if (node == NUMA_NO_NODE)
			node = folio_nid(folio);
		if (node != folio_nid(folio)) {
			node = -EXDEV;
			break;
		}
	}
	rcu_read_unlock();
	return node;
}

kapi_u64 kapi_cache_index(struct page *page)
{
	return page_folio(page)->index;
}
