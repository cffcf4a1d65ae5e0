/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charging pages in steps (kapi/charge.c), for who must know that they can be paid
 * for before there are any.
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

/*
 * Makes the cgroup of who made the file pay for @count pages: 0 or -ENOMEM. They
 * must then be told by one of the next two. Sleeps.
 */
int gmem_charge_begin(struct inode *inode, unsigned int count);
/* These are they. Sleeps. */
void gmem_charge_commit(struct inode *inode, struct page *first, unsigned int count);
/* There are none. */
void gmem_charge_cancel(struct inode *inode, unsigned int count);
/* Nobody pays for the pages, which are in no page cache, any more. Sleeps. */
void gmem_uncharge(struct page *first, kapi_u64 count);

#endif /* GMEM_KAPI_CHARGE_H */
