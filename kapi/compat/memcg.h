/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Charging a run of pages to a cgroup at once.
 */
#ifndef GMEM_KAPI_COMPAT_MEMCG_H
#define GMEM_KAPI_COMPAT_MEMCG_H

#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/version.h>

/*
 * "mm: memcontrol: convert objcg to be per-memcg per-node type" and what went before it: a
 * folio belongs to a node's obj_cgroup, and charging is one step: what counts pages without
 * having them, and what gives a folio its owner, can no longer be called from outside.
 */
#define GMEM_MEMCG_CHARGES_FOLIOS (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/*
 * Makes the cgroup pay for @count pages, all of one node; freeing a page pays it back. 0 or
 * -ENOMEM: then it pays for none. Sleeps, as far as @gfp allows.
 */
int gmem_memcg_charge(struct mem_cgroup *memcg, struct page *first, unsigned int count, gfp_t gfp);

#endif /* GMEM_KAPI_COMPAT_MEMCG_H */
