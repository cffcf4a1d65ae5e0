// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launches of VMs of SNP's type on the model, for readers of the kernel's debugfs:
 * <linux/debugfs.h>, <linux/seq_file.h>.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "kapi.h"
#include "sev_node.h"

void kapi_seq_print(void *seq, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	seq_vprintf(seq, format, args);
	va_end(args);
}

static int launches_show(struct seq_file *m, void *v)
{
	gmem_launches_show(m, false);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(launches);

static int launch_steps_show(struct seq_file *m, void *v)
{
	gmem_launches_show(m, true);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(launch_steps);

void gmem_launches_debugfs(struct dentry *dir)
{
	debugfs_create_file("launches", 0400, dir, NULL, &launches_fops);
	debugfs_create_file("launch_steps", 0400, dir, NULL, &launch_steps_fops);
}
