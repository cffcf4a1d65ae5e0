/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Showing statistics (kapi/stats.c).
 */
#ifndef GMEM_KAPI_STATS_H
#define GMEM_KAPI_STATS_H

#include "kapi.h"

struct dentry;
struct seq_file;

long gmem_stat_total(enum kapi_stat stat);
void gmem_stats_debugfs(struct dentry *dir);
void gmem_stats_fdinfo(struct seq_file *m, void *core_file);

#endif /* GMEM_KAPI_STATS_H */
