// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware poison and pages that are on no LRU list. memory_failure() handles a
 * page only if it finds it on one, so ours are put there in front of it.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/swap.h>

#include "kapi.h"
#include "files.h"
#include "symbols.h"

/* Two reports of one page at once must not add it twice. */
static DEFINE_MUTEX(expose_lock);

bool kapi_poison_expose(unsigned long pfn)
{
	struct page *const page = pfn_to_online_page(pfn);
	struct folio *folio;
	bool ours;

	if (!page)
		return false;
	folio = page_folio(page);
	if (!folio_try_get(folio))
		return false;

	mutex_lock(&expose_lock);
	/* With the lock and a reference the page stays in its cache. */
	folio_lock(folio);
	ours = gmem_folio_is_ours(folio);
	if (ours && !folio_test_lru(folio))
		folio_add_lru(folio);
	folio_unlock(folio);
	if (ours)
		gmem_lru_add_drain_all();
	mutex_unlock(&expose_lock);

	folio_put(folio);
	return ours;
}
