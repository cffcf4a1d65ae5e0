/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kapi/files.c tells the rest of the boundary of the file type.
 */
#ifndef GMEM_KAPI_FILES_H
#define GMEM_KAPI_FILES_H

#include <linux/types.h>

struct address_space;
struct file;
struct folio;
struct inode;
struct mem_cgroup;
struct mempolicy;
struct shared_policy;
struct vm_area_struct;

/* Whether the folio is in the cache of an inode of ours; it is locked. */
bool gmem_folio_is_ours(struct folio *folio);
/*
 * The same of a mapping that may be anything, or a pointer to nowhere: it is read without
 * faulting. RCU keeps one of ours.
 */
bool gmem_mapping_looks_ours(const struct address_space *mapping);
/* Whom the inode's pages are charged to. */
struct mem_cgroup *gmem_inode_memcg(struct inode *inode);
/* When it was made: nanoseconds since boot, sleep included. */
u64 gmem_inode_created(struct inode *inode);
/* So many pages more, or less, are on the node now. Any context. */
void gmem_inode_count_node(struct inode *inode, int node, long npages);
long gmem_inode_node_pages(struct inode *inode, int node);
/* Pages that were handed out, of this inode's and of all. */
long gmem_inode_faults(struct inode *inode);
long gmem_faults_total(void);
/*
 * Whether the cpuset of the process that made the file has the node; it may no longer
 * be there, then every node is as good.
 */
bool gmem_inode_cpuset_allows(struct inode *inode, int node);
/* NUMA policies of a file that can be mapped; NULL for others. */
struct shared_policy *gmem_inode_policies(struct inode *inode);

/* ---- kapi/mmap.c -------------------------------------------------------------- */

/* -ENODEV: the file cannot be mapped; -EINVAL: not MAP_SHARED. */
int gmem_fop_mmap(struct file *file, struct vm_area_struct *vma);
/* The policy for one page, with a reference, or NULL. */
struct mempolicy *gmem_inode_policy(struct inode *inode, pgoff_t index);
/* Whether all pages have the same. */
bool gmem_inode_policy_is_one(struct inode *inode, pgoff_t start, unsigned long npages);
/* Whether all pages have the same, and it does not keep them from the node. */
bool gmem_inode_policy_allows(struct inode *inode, pgoff_t start, unsigned long npages, int node);
struct shared_policy *gmem_policies_new(void); /* NULL without memory */
void gmem_policies_free(struct shared_policy *policies);

#endif /* GMEM_KAPI_FILES_H */
