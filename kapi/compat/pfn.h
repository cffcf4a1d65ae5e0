/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames put into page tables by number: "mm: remove callers of pfn_t functionality" (6.17)
 * took the type away that had flags next to the number.
 */
#ifndef GMEM_KAPI_COMPAT_PFN_H
#define GMEM_KAPI_COMPAT_PFN_H

#include <linux/huge_mm.h>
#include <linux/version.h>

#define GMEM_PFN_IS_NUMBER (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0))

#if !GMEM_PFN_IS_NUMBER
#include <linux/pfn_t.h>
#endif

/* Maps the 2 MiB from @first on, read-only, as vmf_insert_pfn_pmd() does. */
static inline vm_fault_t gmem_insert_pmd(struct vm_fault *vmf, struct page *first)
{
#if GMEM_PFN_IS_NUMBER
	return vmf_insert_pfn_pmd(vmf, page_to_pfn(first), false);
#else
	return vmf_insert_pfn_pmd(vmf, page_to_pfn_t(first), false);
#endif
}

#endif /* GMEM_KAPI_COMPAT_PFN_H */
