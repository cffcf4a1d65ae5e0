// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes of the kernel objects that the core embeds without seeing them. Never
 * linked: Kbuild reads kapi_sizes.h out of its assembly.
 */
#include <linux/interval_tree.h>
#include <linux/kbuild.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "work.h"

#define WORDS(type) DIV_ROUND_UP(sizeof(type), sizeof(unsigned long))

int main(void);

int main(void)
{
	DEFINE(KAPI_MUTEX_WORDS, WORDS(struct mutex));
	DEFINE(KAPI_XARRAY_WORDS, WORDS(struct xarray));
	DEFINE(KAPI_INTERVAL_WORDS, WORDS(struct interval_tree_node));
	DEFINE(KAPI_INTERVALS_WORDS, WORDS(struct rb_root_cached));
	DEFINE(KAPI_WORK_WORDS, WORDS(struct gmem_work));
	DEFINE(KAPI_PINS_MAX, 32);
	return 0;
}
