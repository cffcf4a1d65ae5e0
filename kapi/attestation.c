// SPDX-License-Identifier: GPL-2.0-only
/*
 * What attestation on the SNP model takes of user space, by files of the kernel's debugfs: who
 * signs reports, and the certificates that guests get with them. <linux/debugfs.h>,
 * <linux/seq_file.h>.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"
#include "sev_node.h"

/* More is no table of certificates, whatever it is. */
#define TABLE_MOST (64 << 10)

static int snp_vcek_show(struct seq_file *m, void *v)
{
	gmem_snp_vcek_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(snp_vcek);

/* A table comes whole, by one write. */
static ssize_t certificates_write(struct file *file, const char __user *from, size_t size,
				  loff_t *ppos)
{
	void *table;
	int ret;

	if (*ppos)
		return -EINVAL;
	if (size > TABLE_MOST)
		return -EFBIG;
	table = memdup_user(from, size);
	if (IS_ERR(table))
		return PTR_ERR(table);
	ret = gmem_snp_certificates_store(table, size);
	kfree(table);
	if (ret)
		return ret;
	*ppos = size;
	return size;
}

static const struct file_operations certificates_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = certificates_write,
};

void gmem_attestation_debugfs(struct dentry *dir)
{
	debugfs_create_file("snp_vcek", 0400, dir, NULL, &snp_vcek_fops);
	debugfs_create_file("snp_certificates", 0200, dir, NULL, &certificates_fops);
}
