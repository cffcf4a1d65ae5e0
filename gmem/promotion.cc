// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promotion: in the background, a run whose pages are all there but lie here and
 * there moves into one block, so that it is mapped huge again. Guests go on
 * running; one that touches the run waits for the copy of 2 MiB.
 */
#include "gmem/file.h"
#include "gmem/invalidation.h"
#include "gmem/locks.h"

namespace gmem
{

namespace
{

/* Time for a guest to finish with a run, and for a page in use to be let go. */
constexpr unsigned kDelayMs = 100;

} /* namespace */

Inode::Inode(Platform &platform, FileKind kind) : platform_(platform), store_(kind)
{
	kapi_work_init(&promotions_, run_promotions, this);
}

Result<Backing> Inode::page(PageIndex index, const Access &access)
{
	Result<Backing> backing = store_.get(index, access);

	/* Pages of some platforms cannot be copied, nor be joined by copying. */
	if (store_.promotion_wanted() && platform().pages_join())
		kapi_work_schedule(&promotions_, kDelayMs);
	return backing;
}

void Inode::run_promotions(void *self)
{
	static_cast<Inode *>(self)->promote_runs();
}

void Inode::promote_runs()
{
	PageIndex from{ 0 };

	for (;;) {
		const Result<PageIndex> run = store_.next_promotion(from);

		if (!run.ok())
			break;
		promote_run(run.value());
		from = run.value() + kRunPages;
		kapi_cond_resched();
	}
	if (store_.next_promotion(PageIndex{ 0 }).ok())
		kapi_work_schedule(&promotions_, kDelayMs);
}

void Inode::promote_run(PageIndex start)
{
	struct page *const block = kapi_pages_alloc_at(inode_, start.value, kRunOrder);

	if (!block) {
		store_.give_up_promotion(start);
		return;
	}

	SharedInodeLock lock{ inode_ };
	Invalidation invalidation{ *this, block_around(start, kRunOrder) };

	invalidation.unmap();
	if (!store_.promote(start, block).ok())
		kapi_pages_put(block, kRunPages);
}

} /* namespace gmem */
