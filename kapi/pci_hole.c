// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes: the 2 MiB of all ones and the mapping of them that KVM's memslots
 * point to (<linux/mm.h>), and an object that goes with
 * a VM (<linux/kvm_host.h>). What is asked for, and where, is mmu/pci_hole.cc.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <uapi/gmem.h>

#include "compat/pfn.h"
#include "hooks.h"
#include "pci_hole.h"
#include "slots.h"

/* The flag is kept in the memslot, where it must not mean anything to KVM. */
static_assert(!(KVM_MEM_PCI_HOLE & (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY |
				    KVM_MEM_GUEST_MEMFD | KVM_MEMSLOT_INVALID)));

/* ---- memslots ------------------------------------------------------------------ */

bool kapi_kvm_has_readonly(struct kvm *kvm)
{
	return kvm_arch_has_readonly_mem(kvm);
}

bool kapi_slot_is_hole(const struct kvm_memory_slot *slot)
{
	return slot && slot->flags & KVM_MEM_PCI_HOLE;
}

void kapi_slot_mark_hole(struct kvm_memory_slot *slot, bool hole)
{
	slot->flags &= ~KVM_MEM_PCI_HOLE;
	if (hole)
		slot->flags |= KVM_MEM_PCI_HOLE;
}

kapi_u64 kapi_slot_user_addr(struct kvm_memory_slot *slot)
{
	return slot->userspace_addr;
}

/* VMs that have, or have had, a hole. */
static atomic_t vms_with_holes;

int gmem_vms_with_holes(void)
{
	return atomic_read(&vms_with_holes);
}

struct kvm_memory_slot *kapi_vcpu_hole(struct kvm_vcpu *vcpu, kapi_u64 gfn)
{
	struct kvm_memory_slot *slot;

	if (!atomic_read(&vms_with_holes) || !vcpu->arch.mmu->root_role.direct ||
	    !VALID_PAGE(vcpu->arch.mmu->root.hpa))
		return NULL;
	slot = __gfn_to_memslot(kvm_vcpu_memslots(vcpu), gfn);
	return kapi_slot_is_hole(slot) ? slot : NULL;
}

/* ---- all ones ------------------------------------------------------------------- */

#define ONES_ORDER (PMD_SHIFT - PAGE_SHIFT)

static DEFINE_MUTEX(ones_mutex); /* protects the making of: */
static struct page *ones;

/* The pages are counted one by one: KVM takes references of those it maps. */
static int ones_make(void)
{
	struct page *run;

	guard(mutex)(&ones_mutex);
	if (ones)
		return 0;
	run = alloc_pages(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN, ONES_ORDER);
	if (!run)
		return -ENOMEM;
	split_page(run, ONES_ORDER);
	memset(page_address(run), 0xff, PMD_SIZE);
	ones = run;
	return 0;
}

static vm_fault_t ones_fault(struct vm_fault *vmf)
{
	const struct vm_area_struct *const vma = vmf->vma;
	const unsigned long block = vmf->address & PMD_MASK;
	const pmd_t pmd = pmdp_get_lockless(vmf->pmd);

	/*
	 * Not left to ->huge_fault(), which is not called where transparent huge
	 * pages are off: these are no such pages, nothing is ever split or freed.
	 * Another fault may have put the huge entry there since this one began.
	 */
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && (pmd_none(pmd) || pmd_leaf(pmd)) &&
	    block >= vma->vm_start && block + PMD_SIZE <= vma->vm_end)
		return gmem_insert_pmd(vmf, ones);
	return vmf_insert_pfn(vmf->vma, vmf->address,
			      page_to_pfn(ones) + ((vmf->address - block) >> PAGE_SHIFT));
}

static int ones_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct ones_vm_ops = {
	.fault = ones_fault,
	.may_split = ones_may_split,
};

/*
 * Sealed, so that user space can neither unmap it nor map something else over
 * it: KVM would go on to take what is there for the hole. Frames without pages,
 * so that nothing migrates, swaps, merges or pins them.
 */
static int ones_mmap(struct file *file, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTCOPY | VM_DONTDUMP |
				  VM_SEALED);
	vma->vm_ops = &ones_vm_ops;
	return 0;
}

/* Each mapping holds its file, and that the module. */
static const struct file_operations ones_fops = {
	.owner = THIS_MODULE,
	.mmap = ones_mmap,
};

int kapi_ones_map(kapi_u64 size, kapi_u64 *addr)
{
	struct file *file;
	unsigned long ret;

	ret = ones_make();
	if (ret)
		return ret;
	file = anon_inode_getfile("[gmem-pci-hole]", &ones_fops, NULL, O_RDONLY);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = vm_mmap(file, 0, size, PROT_READ, MAP_SHARED, 0);
	fput(file);
	if (IS_ERR_VALUE(ret))
		return ret;
	*addr = ret;
	return 0;
}

static void unmap_from_current(unsigned long addr, unsigned long size)
{
	struct mm_struct *const mm = current->mm;
	struct vm_area_struct *vma;

	mmap_write_lock(mm);
	vma = find_vma(mm, addr);
	if (!vma || vma->vm_start != addr || vma->vm_ops != &ones_vm_ops) {
		mmap_write_unlock(mm);
		return;
	}
	vm_flags_clear(vma, VM_SEALED);
	mmap_write_unlock(mm);
	vm_munmap(addr, size);
}

struct unmap_work {
	struct work_struct work;
	struct mm_struct *mm;
	unsigned long addr, size;
};

static void unmap_later(struct work_struct *work)
{
	struct unmap_work *const w = container_of(work, struct unmap_work, work);

	kthread_use_mm(w->mm);
	unmap_from_current(w->addr, w->size);
	kthread_unuse_mm(w->mm);
	mmput(w->mm);
	kfree(w);
	module_put(THIS_MODULE);
}

void kapi_ones_unmap(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	struct unmap_work *w;

	if (current->mm == kvm->mm) {
		unmap_from_current(addr, size);
		return;
	}
	/* A process that is gone has taken its mappings along. */
	if (!mmget_not_zero(kvm->mm))
		return;
	/* Without memory it stays, and the module with it, until the process ends. */
	w = kmalloc(sizeof(*w), GFP_KERNEL);
	if (!w) {
		mmput_async(kvm->mm);
		return;
	}
	INIT_WORK(&w->work, unmap_later);
	w->mm = kvm->mm;
	w->addr = addr;
	w->size = size;
	/* The VM has one still. */
	__module_get(THIS_MODULE);
	schedule_work(&w->work);
}

/* ---- the core's part of a VM ------------------------------------------------------ */

/*
 * A device of KVM's that user space has no descriptor of: KVM destroys it with
 * the VM, which saves us one more function taken over.
 */
static void holes_destroy(struct kvm_device *dev)
{
	gmem_vm_holes_gone(dev->kvm, dev->private);
	kfree(dev);
	atomic_dec(&vms_with_holes);
	/* What is left of this call is over before gmem_detach() is. */
	module_put(THIS_MODULE);
}

static const struct kvm_device_ops holes_ops = {
	.name = "gmem-pci-hole",
	.destroy = holes_destroy,
};

static struct kvm_device *holes_of(struct kvm *kvm)
{
	struct kvm_device *dev;

	lockdep_assert_held(&kvm->lock);
	list_for_each_entry(dev, &kvm->devices, vm_node) {
		if (dev->ops == &holes_ops)
			return dev;
	}
	return NULL;
}

void *kapi_vm_holes(struct kvm *kvm)
{
	struct kvm_device *dev;

	guard(mutex)(&kvm->lock);
	dev = holes_of(kvm);
	return dev ? dev->private : NULL;
}

int kapi_vm_holes_attach(struct kvm *kvm, void *core, void **present)
{
	struct kvm_device *dev;

	guard(mutex)(&kvm->lock);
	dev = holes_of(kvm);
	if (dev) {
		*present = dev->private;
		return -EEXIST;
	}
	dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	if (!dev)
		return -ENOMEM;
	/* The caller has a reference, too. */
	__module_get(THIS_MODULE);
	dev->ops = &holes_ops;
	dev->kvm = kvm;
	dev->private = core;
	list_add_rcu(&dev->vm_node, &kvm->devices);
	atomic_inc(&vms_with_holes);
	return 0;
}

/* ---- module --------------------------------------------------------------------------- */

void gmem_pci_hole_exit(void)
{
	if (ones)
		kapi_pages_put(ones, 1 << ONES_ORDER);
}
