/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages by a NUMA policy.
 */
#ifndef GMEM_KAPI_COMPAT_MPOL_H
#define GMEM_KAPI_COMPAT_MPOL_H

#include <linux/version.h>

/*
 * "mm/mempolicy: add alloc_frozen_pages()" (6.15): alloc_pages_mpol() is called from nowhere
 * else, and its pages have a count of 0.
 */
#define GMEM_MPOL_GIVES_FROZEN (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))

#endif /* GMEM_KAPI_COMPAT_MPOL_H */
