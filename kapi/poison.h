/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel knows of pages that the hardware has marked, for others in kapi/.
 */
#ifndef GMEM_KAPI_POISON_H
#define GMEM_KAPI_POISON_H

#include <linux/atomic.h>

/* The kernel's variable: how many pages are marked PG_hwpoison; NULL: it has no symbol. */
atomic_long_t *gmem_poisoned_pages(void);

/*
 * Whether there may be any that the module was not told of. A page is counted shortly
 * after it is marked; a memory failure that is between the two will tell.
 */
static inline bool gmem_any_poisoned(void)
{
	const atomic_long_t *const count = gmem_poisoned_pages();

	return !count || atomic_long_read(count);
}

#endif /* GMEM_KAPI_POISON_H */
