// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics: the totals, and showing them in debugfs (gmem/stats) and in a
 * file's fdinfo.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "files.h"
#include "stats.h"

static const char *const names[KAPI_STATS] = {
	[KAPI_STAT_PAGES] = "pages",
	[KAPI_STAT_SHARED] = "pages_shared",
	[KAPI_STAT_RUNS] = "runs_2m",
	[KAPI_STAT_GIANTS] = "runs_1g",
	[KAPI_STAT_FALLBACK_MEMORY] = "fallback_memory",
	[KAPI_STAT_FALLBACK_PLACE] = "fallback_place",
	[KAPI_STAT_FALLBACK_SHARED] = "fallback_shared",
	[KAPI_STAT_FALLBACK_PARTIAL] = "fallback_partial",
	[KAPI_STAT_FALLBACK_POISONED] = "fallback_poisoned",
	[KAPI_STAT_FALLBACK_PLATFORM] = "fallback_platform",
	[KAPI_STAT_FALLBACK_POLICY] = "fallback_policy",
	[KAPI_STAT_PROMOTIONS] = "promotions",
	[KAPI_STAT_PROMOTION_NS] = "promotion_ns",
	[KAPI_STAT_LEAKED] = "leaked",
	[KAPI_STAT_CONVERSIONS] = "conversions",
	[KAPI_STAT_PUNCHES] = "punches",
	[KAPI_STAT_SPLITS] = "splits",
	[KAPI_STAT_REFUSED_STATE] = "refused_state",
	[KAPI_STAT_REFUSED_BUSY] = "refused_busy",
	[KAPI_STAT_REFUSED_LOST] = "refused_lost",
	[KAPI_STAT_REFUSED_MEMORY] = "refused_memory",
	[KAPI_STAT_REFUSED_OTHER] = "refused_other",
	[KAPI_STAT_REPORTS] = "platform_reports",
	[KAPI_STAT_BUSY] = "platform_waits",
};

static atomic_long_t totals[KAPI_STATS];

void kapi_stat_add(enum kapi_stat stat, long n)
{
	atomic_long_add(n, &totals[stat]);
}

long gmem_stat_total(enum kapi_stat stat)
{
	return atomic_long_read(&totals[stat]);
}

static int stats_show(struct seq_file *m, void *v)
{
	for (int i = 0; i < KAPI_STATS; i++)
		seq_printf(m, "%s %ld\n", names[i], gmem_stat_total(i));
	seq_printf(m, "faults %ld\n", gmem_faults_total());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

void gmem_stats_debugfs(struct dentry *dir)
{
	debugfs_create_file("stats", 0444, dir, NULL, &stats_fops);
}

void gmem_stats_fdinfo(struct seq_file *m, void *core_file)
{
	for (int i = 0; i < KAPI_STATS_OF_FILES; i++)
		seq_printf(m, "gmem_%s:\t%ld\n", names[i], gmem_file_stat(core_file, i));
}
