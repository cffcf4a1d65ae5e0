// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware poison and pages that are on no LRU list. memory_failure() handles a
 * page only if it finds it on one, so ours are put there in front of it.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/page_ref.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/swap.h>

#include "compat/pages.h"
#include "kapi.h"
#include "files.h"
#include "symbols.h"

/* Two reports of one page at once must not add it twice. */
static DEFINE_MUTEX(expose_lock);

/*
 * Whether @page looks like one of ours, by reading alone. What is not ours is left as
 * it is: what stands where folios have their mapping, lock and count is another thing
 * in a slab or a page table, and no one may sleep on the lock there.
 */
static bool looks_ours(struct page *page, struct address_space **mapping)
{
	/* Ours are single pages of the page cache: no part of a folio, of no type. */
	if (PageCompound(page) || page_has_type(page) || !page_ref_count(page))
		return false;
	*mapping = READ_ONCE(page->mapping);
	/* Anonymous and movable pages have other things there, and say so in low bits. */
	if (!*mapping || (unsigned long)*mapping & GMEM_MAPPING_FLAGS)
		return false;
	return gmem_mapping_looks_ours(*mapping);
}

/* The folio of @page with a reference if it is one of ours, or has been just now. */
static struct folio *get_ours(struct page *page)
{
	struct address_space *mapping, *now;
	struct folio *folio = NULL;

	/* In this section no inode that the page is found to belong to is freed. */
	rcu_read_lock();
	if (looks_ours(page, &mapping)) {
		folio = page_folio(page);
		if (!folio_try_get(folio))
			folio = NULL;
	}
	/*
	 * It may have been freed and become another's before there was a reference.
	 * From here on it cannot: its lock is that of a page.
	 */
	if (folio && (!looks_ours(page, &now) || now != mapping)) {
		folio_put(folio);
		folio = NULL;
	}
	rcu_read_unlock();
	return folio;
}

bool kapi_poison_expose(unsigned long pfn)
{
	struct page *const page = pfn_to_online_page(pfn);
	struct folio *folio;
	bool ours;

	if (!page)
		return false;
	folio = get_ours(page);
	if (!folio)
		return false;

	mutex_lock(&expose_lock);
	/* With the lock and a reference the page stays in its cache, if it is still there. */
	folio_lock(folio);
	ours = gmem_folio_is_ours(folio);
	/* One that is poisoned has been handled, taken off the list, and uncharged. */
	if (ours && !folio_test_lru(folio) && !PageHWPoison(page))
		folio_add_lru(folio);
	folio_unlock(folio);
	if (ours)
		gmem_lru_add_drain_all();
	mutex_unlock(&expose_lock);

	folio_put(folio);
	return ours;
}
