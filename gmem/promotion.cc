// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promotion: in the background, a run whose pages are all there but lie here and
 * there moves into one block, so that it is mapped huge again. Guests go on
 * running; one that touches the run waits for the copy of 2 MiB. A run is unmapped only
 * once there is a block for it, on the node of its own pages, that can be paid for.
 */
#include "gmem/invalidation.h"
#include "gmem/locks.h"
#include "gmem/pace.h"
#include "gmem/trace.h"

namespace gmem
{

namespace
{

/* While the cgroup cannot pay, tries are further and further apart, up to this. */
constexpr unsigned kMaxBackoffMs = 30000;
/* So many runs at a time: a call that waits for the work to end waits for no more. */
constexpr unsigned kBatchRuns = 16;
/* A page in use for a moment stops a promotion; for longer, it is not worth it. */
constexpr std::uint8_t kPromotionTries = 8;

/* Of all files. */
constinit Pace pace;

} /* namespace */

/* @run has changed, or is asked for where it fits: it may have come to want promotion. */
void PageStore::want_promotion(Run &run)
{
	if (kind_.huge && run.wants_promotion()) {
		run.promotion_tries = kPromotionTries;
		promotion_wanted_.store(true);
	}
}

Result<PageIndex> PageStore::next_promotion(PageIndex from)
{
	std::uint64_t number = run_number(from + (kRunPages - 1));

	while (Run *const run = runs_.find(number, ~0ull)) {
		MutexGuard guard{ run->lock };

		if (run->promotion_tries)
			return PageIndex{ number << kRunOrder };
		number++;
	}
	return error(ENOENT);
}

Result<int> PageStore::promotable(Run &run, PageIndex start)
{
	const std::uint8_t tries = std::exchange(run.promotion_tries, 0);

	if (!tries || !run.promotable())
		return error(EBUSY);
	strike_marked(run, start);
	if (!run.lost().none())
		return error(EHWPOISON);

	const int node = kapi_cache_node(inode_, start.value, start.value + kRunPages);

	if (node < 0)
		return Status{ node };
	run.promotion_tries = tries;
	return node;
}

Result<int> PageStore::promotable(PageIndex start)
{
	GMEM_TRY(run, obtain(start));
	MutexGuard guard{ run->lock };

	return promotable(*run, start);
}

Status PageStore::promote(PageIndex start, Block &block)
{
	GMEM_TRY(run, obtain(start));
	MutexGuard guard{ run->lock };
	GMEM_TRY(node, promotable(*run, start));

	if (node != block.node())
		return error(EBUSY);
	run->promotion_tries--;

	const Result<struct page *> first = block.replace(inode_, start);

	/* A page that cannot be read is lost once memory failure says so. */
	if (first.ok() || first.status() == error(EHWPOISON))
		run->promotion_tries = 0;
	GMEM_CHECK(first);
	run->move_to(first.value());
	stats_.add(KAPI_STAT_RUNS);
	stats_.add(KAPI_STAT_PROMOTIONS);
	return Status{};
}

void PageStore::give_up_promotion(PageIndex start)
{
	if (Run *const run = runs_.load(run_number(start))) {
		MutexGuard guard{ run->lock };

		run->promotion_tries = 0;
	}
}

void Inode::run_promotions(void *self)
{
	Inode &inode = *static_cast<Inode *>(self);
	const std::uint64_t began = kapi_cpu_ns();
	const unsigned delay = inode.promote_runs();

	inode.store_.stats().add(KAPI_STAT_PROMOTION_NS, static_cast<long>(kapi_cpu_ns() - began));
	if (delay)
		kapi_work_schedule(&inode.promotions_, delay);
}

/* Promotes some runs. Says in how many milliseconds to go on; 0: no more want it. */
unsigned Inode::promote_runs()
{
	const unsigned mib = kapi_setting_promotion_mib();

	for (unsigned n = 0; mib && n < kBatchRuns; n++) {
		const Result<PageIndex> run = store_.next_promotion(next_promotion_);

		if (!run.ok()) {
			next_promotion_ = PageIndex{ 0 };
			return store_.next_promotion(next_promotion_).ok() ? kPromotionDelayMs : 0;
		}
		if (const unsigned wait = pace.wait_ms(kRunPages * kPageSize, mib, kapi_now_ns()))
			return wait;
		if (promote_run(run.value()) == error(EDQUOT)) {
			backoff_ms_ = std::clamp(2 * backoff_ms_, kPromotionDelayMs, kMaxBackoffMs);
			return backoff_ms_;
		}
		backoff_ms_ = 0;
		next_promotion_ = run.value() + kRunPages;
		kapi_cond_resched();
	}
	return mib ? 1 : 0;
}

/* -EDQUOT: the file's cgroup cannot pay for a second set of its pages now. */
Status Inode::promote_run(PageIndex start)
{
	return traced(
		KAPI_TRACE_PROMOTION, [&] { return move_run(start); },
		[&](Status status, std::uint64_t ns) {
			const kapi_event_promotion event{ start.value, status.code(), ns };

			kapi_trace_promotion(inode_, &event);
		});
}

Status Inode::move_run(PageIndex start)
{
	GMEM_TRY(node, store_.promotable(start));
	Result<Block> block = Block::for_run_on(inode_, start, node);

	if (!block.ok()) {
		if (block.status() != error(EDQUOT))
			store_.give_up_promotion(start);
		return block.status();
	}

	SharedInodeLock lock{ inode_ };
	Invalidation invalidation{ *this, block_around(start, kRunOrder) };

	invalidation.unmap();
	return store_.promote(start, block.value());
}

} /* namespace gmem */
