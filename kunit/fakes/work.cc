// SPDX-License-Identifier: GPL-2.0-only
/*
 * Background work: waits in a list until a test lets it run. And the totals of
 * the statistics.
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
};

std::mutex mutex;
std::vector<Work *> queue;
std::array<std::atomic<long>, KAPI_STATS> totals;

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
	work->run(work->arg);
	return_to_user();
	work->running = false;
	return true;
}

long stat_total(kapi_stat stat)
{
	return totals[stat];
}

void check_work()
{
	const std::lock_guard guard{ mutex };

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
	new (work->opaque) Work{ run, arg, false, false };
}

void kapi_work_schedule(struct kapi_work *work, unsigned int)
{
	Work *const w = to_work(work);
	const std::lock_guard guard{ mutex };

	if (!w->waiting.exchange(true))
		queue.push_back(w);
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
