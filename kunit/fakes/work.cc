// SPDX-License-Identifier: GPL-2.0-only
/*
 * Background work: each work waits in a list until a test lets it run. The clock of this
 * file goes on by the work's delay then. And the totals of the statistics.
 */
#include "kunit/fakes/work.h"

#include <array>
#include <atomic>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

struct Work {
	void (*run)(void *);
	void *arg;
	std::atomic<bool> waiting;
	std::atomic<bool> running;
	std::atomic<unsigned> delay_ms;
};

std::mutex mutex;
std::vector<Work *> queue;
std::array<std::atomic<long>, KAPI_STATS> totals;
std::atomic<std::uint64_t> clock_ns{ 1000000000 }, cpu_ns;
std::atomic<unsigned> delay, promotion_mib{ 2048 };
thread_local bool working;

Work *to_work(struct kapi_work *work)
{
	static_assert(sizeof(Work) <= sizeof(kapi_work));
	return std::launder(reinterpret_cast<Work *>(work->opaque));
}

/* The first in the list, marked as running; NULL: none. */
Work *take_work()
{
	const std::lock_guard guard{ mutex };

	for (auto it = queue.begin(); it != queue.end(); ++it) {
		Work *const work = *it;

		if (work->running)
			continue;
		queue.erase(it);
		work->running = true;
		work->waiting = false;
		return work;
	}
	return nullptr;
}

} /* namespace */

bool run_work()
{
	Work *const work = take_work();

	if (!work)
		return false;
	let_pass(work->delay_ms);
	working = true;
	work->run(work->arg);
	working = false;
	return_to_user();
	work->running = false;
	return true;
}

bool in_worker()
{
	return working;
}

unsigned last_delay()
{
	return delay;
}

std::uint64_t now()
{
	return clock_ns;
}

void let_pass(unsigned ms)
{
	clock_ns += std::uint64_t{ ms } * 1000000;
}

void set_promotion_mib(unsigned mib)
{
	promotion_mib = mib;
}

long stat_total(kapi_stat stat)
{
	return totals[stat];
}

void check_work()
{
	const std::lock_guard guard{ mutex };

	promotion_mib = 2048;
	if (!queue.empty())
		bug("%zu works are left waiting", queue.size());
	if (totals[KAPI_STAT_PAGES] || totals[KAPI_STAT_RUNS])
		bug("statistics tell of %ld pages and %ld runs when there are none",
		    totals[KAPI_STAT_PAGES].load(), totals[KAPI_STAT_RUNS].load());
}

} /* namespace fake */

using namespace fake;

void kapi_work_init(struct kapi_work *work, void (*run)(void *arg), void *arg)
{
	new (work->opaque) Work{ run, arg, false, false, 0 };
}

void kapi_work_schedule(struct kapi_work *work, unsigned int delay_ms)
{
	Work *const w = to_work(work);
	const std::lock_guard guard{ mutex };

	if (w->waiting.exchange(true))
		return;
	w->delay_ms = delay = delay_ms;
	queue.push_back(w);
}

kapi_u64 kapi_now_ns(void)
{
	return clock_ns;
}

kapi_u64 kapi_cpu_ns(void)
{
	return cpu_ns += 1000;
}

unsigned int kapi_setting_promotion_mib(void)
{
	return promotion_mib;
}

void kapi_work_cancel(struct kapi_work *work)
{
	Work *const w = to_work(work);

	might_sleep("kapi_work_cancel");
	sched::step("work_cancel");
	/* It may schedule itself again while it runs. */
	for (;;) {
		{
			const std::lock_guard guard{ mutex };

			if (w->waiting.exchange(false))
				std::erase(queue, w);
			if (!w->running)
				return;
		}
		if (sched::active())
			sched::wait("work", [w] { return !w->running; });
		else
			std::this_thread::yield();
	}
}

void kapi_stat_add(enum kapi_stat stat, long n)
{
	totals[stat] += n;
}
