/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs of struct page, and what says of a folio's mapping that it is none.
 */
#ifndef GMEM_KAPI_COMPAT_PAGES_H
#define GMEM_KAPI_COMPAT_PAGES_H

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/version.h>

/*
 * "mm: remove nth_page()" (6.18): a run that the allocator gives has its struct pages side by
 * side.
 */
#define GMEM_PAGES_ADJOIN (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0))

static inline struct page *gmem_nth_page(struct page *first, unsigned long n)
{
#if GMEM_PAGES_ADJOIN
	return first + n;
#else
	return nth_page(first, n);
#endif
}

/* "mm: rename PAGE_MAPPING_* to FOLIO_MAPPING_*" (6.17). */
#define GMEM_FOLIO_MAPPING (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0))

#if GMEM_FOLIO_MAPPING
#define GMEM_MAPPING_FLAGS FOLIO_MAPPING_FLAGS
#else
#define GMEM_MAPPING_FLAGS PAGE_MAPPING_FLAGS
#endif

#endif /* GMEM_KAPI_COMPAT_PAGES_H */
