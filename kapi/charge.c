// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging pages: <linux/memcontrol.h>. The cgroup of the file's owner pays, whichever
 * task touches a page first. Freeing a page uncharges it.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "charge.h"
#include "compat/memcg.h"
#include "compat/pages.h"
#include "files.h"
#include "kapi.h"
#include "reserve.h"
#include "symbols.h"

/*
 * Small pages may still fit where a block does not: the OOM killer does not run for a
 * block of 2 MiB, and nothing is reclaimed for one of 1 GiB.
 */
static gfp_t charge_gfp(unsigned int count)
{
	if (count == BIT(GMEM_RESERVE_ORDER))
		return GFP_NOWAIT | __GFP_NOWARN;
	return count > 1 ? GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN : GFP_KERNEL;
}

int kapi_pages_charge(struct inode *inode, struct page *first, unsigned int count)
{
	if (mem_cgroup_disabled())
		return 0;
	return gmem_memcg_charge(gmem_inode_memcg(inode), first, count, charge_gfp(count));
}

void gmem_uncharge(struct page *first, kapi_u64 count)
{
	struct folio_batch batch;

	folio_batch_init(&batch);
	for (kapi_u64 i = 0; i < count; i++) {
		if (folio_batch_add(&batch, gmem_folio_of(gmem_nth_page(first, i))) &&
		    i < count - 1)
			continue;
		gmem_mem_cgroup_uncharge_folios(&batch);
		folio_batch_reinit(&batch);
		cond_resched();
	}
}
