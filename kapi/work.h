/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is behind a struct kapi_work.
 */
#ifndef GMEM_KAPI_WORK_H
#define GMEM_KAPI_WORK_H

#include <linux/workqueue.h>

struct gmem_work {
	struct delayed_work work;
	void (*run)(void *arg);
	void *arg;
};

#endif /* GMEM_KAPI_WORK_H */
