/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charging pages to a cgroup (kapi/charge.c), for others in kapi/.
 */
#ifndef GMEM_KAPI_CHARGE_H
#define GMEM_KAPI_CHARGE_H

#include <linux/mm.h>

#include "kapi.h"

/* A page of ours is a folio by itself, which page_folio() would have to find out. */
static inline struct folio *gmem_folio_of(struct page *page)
{
	VM_WARN_ON_ONCE(PageCompound(page));
	return (struct folio *)page;
}

/* Ends the charge of the pages, which are in no page cache. Sleeps. */
void gmem_uncharge(struct page *first, kapi_u64 count);

#endif /* GMEM_KAPI_CHARGE_H */
