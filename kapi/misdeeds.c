// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root's orders for misdeeds of the SNP model, in debugfs: snp_misdeeds is written to with
 * "NAME [TIMES [AFTER]]", and reads as a line for each.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "misdeeds.h"

static int misdeeds_show(struct seq_file *m, void *v)
{
	gmem_misdeeds_show(m);
	return 0;
}

static int misdeeds_open(struct inode *inode, struct file *file)
{
	return single_open(file, misdeeds_show, NULL);
}

/* One order a write. -EINVAL: it is none. */
static ssize_t misdeeds_write(struct file *file, const char __user *from, size_t size, loff_t *pos)
{
	unsigned long long times = 1, after = 0;
	char line[64], name[32], *words;
	int end = 0, ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, size))
		return -EFAULT;
	line[size] = '\0';
	words = strim(line);
	if (sscanf(words, "%31s%n %llu%n %llu%n", name, &end, &times, &end, &after, &end) < 1 ||
	    words[end] || times > U32_MAX || after > U32_MAX)
		return -EINVAL;
	ret = gmem_misdeed_order(name, times, after);
	return ret ?: size;
}

static const struct file_operations misdeeds_fops = {
	.owner = THIS_MODULE,
	.open = misdeeds_open,
	.read = seq_read,
	.write = misdeeds_write,
	.llseek = seq_lseek,
	.release = single_release,
};

void gmem_misdeeds_debugfs(struct dentry *dir)
{
	debugfs_create_file("snp_misdeeds", 0600, dir, NULL, &misdeeds_fops);
}
