// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc/PID/fdinfo says of a file: its kind and its VM, where its pages are, and
 * its statistics. Lines are an interface: more may come, none goes or changes.
 */
#include <linux/cgroup.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/nsproxy.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "fdinfo.h"
#include "files.h"
#include "kapi.h"
#include "stats.h"

/* Of this file; counts up when a line is added. */
#define FDINFO_VERSION 2

static void show_identity(struct seq_file *m, const struct inode *inode,
			  const struct kapi_description *is)
{
	seq_printf(m, "gmem_version:\t%d\n", FDINFO_VERSION);
	seq_printf(m, "gmem_size:\t%llu\n", (u64)i_size_read(inode));
	seq_printf(m, "gmem_vm:\t%d\n", is->vm->userspace_pid);
	seq_printf(m, "gmem_vm_type:\t%lu\n", (unsigned long)is->vm->arch.vm_type);
	seq_printf(m, "gmem_platform:\t%s\n", is->platform);
	seq_printf(m, "gmem_huge:\t%d\n", is->huge);
	seq_printf(m, "gmem_mappable:\t%d\n", is->mappable);
	seq_printf(m, "gmem_open:\t%d\n", is->open);
	seq_printf(m, "gmem_bound:\t%d\n", is->bound);
}

/* As in numa_maps; nodes without pages are left out. */
static void show_nodes(struct seq_file *m, struct inode *inode)
{
	int node;

	seq_puts(m, "gmem_nodes:\t");
	for_each_online_node(node) {
		const long npages = gmem_inode_node_pages(inode, node);

		if (npages)
			seq_printf(m, "N%d=%ld ", node, npages);
	}
	seq_putc(m, '\n');
}

/* The cgroup that pays, as the reader's cgroup namespace has it. */
static void show_cgroup(struct seq_file *m, struct inode *inode)
{
#ifdef CONFIG_MEMCG
	struct mem_cgroup *const memcg = gmem_inode_memcg(inode);
	char *path;

	if (!memcg)
		return;
	path = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!path)
		return;
	if (cgroup_path_ns(memcg->css.cgroup, path, PATH_MAX, current->nsproxy->cgroup_ns) > 0)
		seq_printf(m, "gmem_cgroup:\t%s\n", path);
	kfree(path);
#endif
}

void gmem_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct inode *const inode = file_inode(file);
	struct kapi_description is;

	if (gmem_file_describe(file->private_data, &is))
		return;
	show_identity(m, inode, &is);
	seq_printf(m, "gmem_created_ns:\t%llu\n", gmem_inode_created(inode));
	show_cgroup(m, inode);
	show_nodes(m, inode);
	gmem_stats_fdinfo(m, file->private_data);
	seq_printf(m, "gmem_faults:\t%ld\n", gmem_inode_faults(inode));
}
