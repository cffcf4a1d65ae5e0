// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file in user space: mappings of its shared pages (<linux/mm.h>) and the NUMA
 * policy of its ranges (<linux/mempolicy.h>), which mbind() of a mapping sets. Which
 * pages user space may see is the core's to say.
 */
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "files.h"
#include "kapi.h"
#include "symbols.h"

/* Before a page that may become private is looked at again. */
#define BUSY_MS 1

/*
 * The access is tried again after @ms, by a task that is not killed meanwhile; with no lock
 * of the fault's held, where its caller allows that.
 */
static vm_fault_t try_again(struct vm_fault *vmf, unsigned int ms)
{
	const unsigned int flags = vmf->flags;

	if (flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (flags & FAULT_FLAG_ALLOW_RETRY)
		release_fault_lock(vmf);
	if (ms)
		schedule_timeout_killable(msecs_to_jiffies(ms));
	return flags & FAULT_FLAG_ALLOW_RETRY ? VM_FAULT_RETRY : VM_FAULT_NOPAGE;
}

static vm_fault_t gmem_vm_fault(struct vm_fault *vmf)
{
	struct file *const file = vmf->vma->vm_file;

	switch (gmem_file_fault(file->private_data, vmf->pgoff, &vmf->page)) {
	case 0:
		return VM_FAULT_LOCKED;
	case -EBUSY:
		return try_again(vmf, BUSY_MS);
	case -EINTR:
		return try_again(vmf, 0);
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		/*
		 * -ENOMEM, too, as hugetlb has it. VM_FAULT_OOM would have the access
		 * tried again until an OOM kill in the toucher's cgroup has helped, but the
		 * file's owner pays. The owner's cgroup has been through reclaim and the
		 * OOM killer by now: another try would end here again.
		 */
		return VM_FAULT_SIGBUS;
	}
}

static int gmem_vm_set_policy(struct vm_area_struct *vma, struct mempolicy *mpol)
{
	return gmem_mpol_set_shared_policy(gmem_inode_policies(file_inode(vma->vm_file)), vma,
					   mpol);
}

static struct mempolicy *gmem_vm_get_policy(struct vm_area_struct *vma, unsigned long addr,
					    pgoff_t *ilx)
{
	const pgoff_t index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);

	*ilx = index;
	return gmem_inode_policy(file_inode(vma->vm_file), index);
}

static const struct vm_operations_struct gmem_vm_ops = {
	.fault = gmem_vm_fault,
	.set_policy = gmem_vm_set_policy,
	.get_policy = gmem_vm_get_policy,
};

int gmem_fop_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!gmem_inode_policies(file_inode(file)))
		return -ENODEV;
	/* A private mapping would be a copy that no conversion could take back. */
	if (!(vma->vm_flags & VM_SHARED) || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	vma->vm_ops = &gmem_vm_ops;
	return 0;
}

struct mempolicy *gmem_inode_policy(struct inode *inode, pgoff_t index)
{
	struct shared_policy *const policies = gmem_inode_policies(inode);

	return policies ? gmem_mpol_shared_policy_lookup(policies, index) : NULL;
}

bool gmem_inode_policy_is_one(struct inode *inode, pgoff_t start, unsigned long npages)
{
	struct shared_policy *const policies = gmem_inode_policies(inode);
	struct mempolicy *first, *other;
	bool one = true;

	/* A file without any has none anywhere; mbind() meanwhile is for pages to come. */
	if (!policies || RB_EMPTY_ROOT(&policies->root))
		return true;
	first = gmem_mpol_shared_policy_lookup(policies, start);
	for (unsigned long i = 1; i < npages && one; i++) {
		other = gmem_mpol_shared_policy_lookup(policies, start + i);
		one = other == first;
		gmem_mpol_put(other);
	}
	gmem_mpol_put(first);
	return one;
}

bool gmem_inode_policy_allows(struct inode *inode, pgoff_t start, unsigned long npages, int node)
{
	struct mempolicy *mpol;
	bool allows = true;

	if (!gmem_inode_policy_is_one(inode, start, npages))
		return false;
	mpol = gmem_inode_policy(inode, start);
	/* Others say what is liked best. */
	if (mpol && (mpol->mode == MPOL_BIND || mpol->mode == MPOL_INTERLEAVE ||
		     mpol->mode == MPOL_WEIGHTED_INTERLEAVE))
		allows = node_isset(node, mpol->nodes);
	gmem_mpol_put(mpol);
	return allows;
}

struct shared_policy *gmem_policies_new(void)
{
	struct shared_policy *const policies = kzalloc(sizeof(*policies), GFP_KERNEL_ACCOUNT);

	if (policies)
		gmem_mpol_shared_policy_init(policies);
	return policies;
}

void gmem_policies_free(struct shared_policy *policies)
{
	if (!policies)
		return;
	gmem_mpol_free_shared_policy(policies);
	kfree(policies);
}
