/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc/PID/fdinfo says of a file (docs/architecture.md, "Statistics").
 */
#ifndef GMEM_KAPI_FDINFO_H
#define GMEM_KAPI_FDINFO_H

struct file;
struct seq_file;

/* Sleeps; says less if the task is killed meanwhile. */
void gmem_show_fdinfo(struct seq_file *m, struct file *file);

#endif /* GMEM_KAPI_FDINFO_H */
