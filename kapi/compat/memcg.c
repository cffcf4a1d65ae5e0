// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging a run of pages at once (memcg.h). Charging them one by one would cost more than
 * taking them from the allocator does.
 */
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "../charge.h"
#include "../symbols.h"
#include "memcg.h"
#include "pages.h"

/* Runs of 1 GiB take their time. */
static void rest(unsigned int done)
{
	if (done % MAX_ORDER_NR_PAGES == MAX_ORDER_NR_PAGES - 1)
		cond_resched();
}

#if GMEM_MEMCG_CHARGES_FOLIOS

#ifndef NR_PAGES_IN_LARGE_FOLIO
#error "a folio does not say its size in a field"
#endif

/*
 * Only whole folios are charged, and ours are single pages. So one that is not memory stands
 * for the run: a folio of @count pages on the stack, of the run's node. Of a folio the kernel
 * reads its node and size, and writes its owner. Each page gets that owner then, and a
 * reference for it, as the parts of a folio that is split do.
 */
int gmem_memcg_charge(struct mem_cgroup *memcg, struct page *first, unsigned int count, gfp_t gfp)
{
	struct folio stand_in = { .page.flags = first->flags };
	struct mem_cgroup *const active = set_active_memcg(memcg);
	int ret;

	if (count > 1) {
		__SetPageHead(&stand_in.page);
		stand_in._nr_pages = count;
	}
	ret = gmem_mem_cgroup_charge(&stand_in, gfp);
	set_active_memcg(active);
	if (ret)
		return ret;
	obj_cgroup_get_many(folio_objcg(&stand_in), count - 1);
	for (unsigned int i = 0; i < count; i++) {
		gmem_folio_of(gmem_nth_page(first, i))->memcg_data = stand_in.memcg_data;
		rest(i);
	}
	return 0;
}

#else

int gmem_memcg_charge(struct mem_cgroup *memcg, struct page *first, unsigned int count, gfp_t gfp)
{
	const int ret = gmem_mem_cgroup_try_charge(memcg, gfp, count);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < count; i++) {
		gmem_mem_cgroup_commit_charge(gmem_folio_of(gmem_nth_page(first, i)), memcg);
		rest(i);
	}
	return 0;
}

#endif
