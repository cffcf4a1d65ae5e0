// SPDX-License-Identifier: GPL-2.0-only
/*
 * Background work: <linux/workqueue.h>; and the time that it takes: <linux/ktime.h>.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "compat/wq.h"
#include "kapi.h"
#include "symbols.h"
#include "work.h"

static struct gmem_work *to_work(struct kapi_work *work)
{
	BUILD_BUG_ON(sizeof(struct gmem_work) > sizeof(struct kapi_work));
	return (struct gmem_work *)work;
}

static void run_work(struct work_struct *work)
{
	struct gmem_work *const w = container_of(to_delayed_work(work), struct gmem_work, work);

	w->run(w->arg);
}

void kapi_work_init(struct kapi_work *work, void (*run)(void *arg), void *arg)
{
	struct gmem_work *const w = to_work(work);

	INIT_DELAYED_WORK(&w->work, run_work);
	w->run = run;
	w->arg = arg;
}

void kapi_work_schedule(struct kapi_work *work, unsigned int delay_ms)
{
	queue_delayed_work(gmem_unbound_wq, &to_work(work)->work, msecs_to_jiffies(delay_ms));
}

void kapi_work_cancel(struct kapi_work *work)
{
	cancel_delayed_work_sync(&to_work(work)->work);
}

kapi_u64 kapi_now_ns(void)
{
	return ktime_get_ns();
}

kapi_u64 kapi_cpu_ns(void)
{
	return gmem_task_sched_runtime(current);
}
