// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for memslots (<linux/kvm_host.h>), and what the core wants done to one
 * between KVM's checks of the request and the moment vCPUs see it.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "compat/kvm.h"
#include "kapi.h"
#include "slots.h"
#include "symbols.h"

struct kvm *kapi_file_vm(struct file *file)
{
	return file->private_data;
}

int kapi_region_read(struct kapi_region *region, unsigned int ioctl, unsigned long arg)
{
	struct kvm_userspace_memory_region user;

	if (ioctl != KVM_SET_USER_MEMORY_REGION && ioctl != KVM_SET_USER_MEMORY_REGION2)
		return -ENOTTY;
	if (copy_from_user(&user, (void __user *)arg, sizeof(user)))
		return -EFAULT;
	*region = (struct kapi_region){
		.slot = user.slot,
		.flags = user.flags,
		.gpa = user.guest_phys_addr,
		.size = user.memory_size,
		.user_addr = user.userspace_addr,
	};
	return 0;
}

int kapi_region_read_gmem(struct kapi_region_gmem *gmem, unsigned long arg)
{
	struct kvm_userspace_memory_region2 user;

	if (copy_from_user(&user, (void __user *)arg, sizeof(user)))
		return -EFAULT;
	gmem->offset = user.guest_memfd_offset;
	gmem->fd = user.guest_memfd;
	return 0;
}

static struct kvm_userspace_memory_region2 kernels(const struct kapi_region *region)
{
	return (struct kvm_userspace_memory_region2){
		.slot = region->slot,
		.flags = region->flags,
		.guest_phys_addr = region->gpa,
		.memory_size = region->size,
		.userspace_addr = region->user_addr,
	};
}

/* Beyond are memslots of KVM's own. */
static bool is_users(const struct kapi_region *region)
{
	return (u16)region->slot < KVM_USER_MEM_SLOTS;
}

int kapi_region_set(struct kvm *kvm, const struct kapi_region *region)
{
	const struct kvm_userspace_memory_region2 mem = kernels(region);

	return is_users(region) ? gmem_set_memory_region(kvm, &mem) : -EINVAL;
}

bool kapi_kvm_usable(struct kvm *kvm)
{
	return kvm->mm == current->mm && !kvm->vm_dead;
}

struct kvm_memory_slot *kapi_kvm_slot_by_id(struct kvm *kvm, unsigned int slot)
{
	const int as_id = slot >> 16;

	if (as_id >= kvm_arch_nr_memslot_as_ids(kvm))
		return NULL;
	return id_to_memslot(__kvm_memslots(kvm, as_id), (u16)slot);
}

struct pending {
	struct list_head link;
	struct kvm *kvm;
	void *core;
};

static LIST_HEAD(pendings);
static DEFINE_SPINLOCK(pendings_lock);

int gmem_region_set_pending(struct kvm *kvm, const struct kvm_userspace_memory_region2 *region,
			    void *core)
{
	struct pending pending = { .kvm = kvm, .core = core };
	int ret;

	spin_lock(&pendings_lock);
	list_add(&pending.link, &pendings);
	spin_unlock(&pendings_lock);
	ret = gmem_set_memory_region(kvm, region);
	spin_lock(&pendings_lock);
	list_del(&pending.link);
	spin_unlock(&pendings_lock);
	return ret;
}

int kapi_region_set_with(struct kvm *kvm, const struct kapi_region *region, void *core)
{
	const struct kvm_userspace_memory_region2 mem = kernels(region);

	return is_users(region) ? gmem_region_set_pending(kvm, &mem, core) : -EINVAL;
}

static struct pending *pending_of(struct kvm *kvm)
{
	struct pending *pending;

	lockdep_assert_held(&pendings_lock);
	list_for_each_entry(pending, &pendings, link) {
		/* cppcheck-suppress uninitvar */
		if (pending->kvm == kvm)
			return pending;
	}
	return NULL;
}

void *kapi_region_pending(struct kvm *kvm)
{
	struct pending *pending;

	lockdep_assert_held(&kvm->slots_lock);
	if (list_empty_careful(&pendings))
		return NULL;
	spin_lock(&pendings_lock);
	pending = pending_of(kvm);
	spin_unlock(&pendings_lock);
	/* With slots_lock it stays. */
	return pending ? pending->core : NULL;
}

/* ---- memslots on mappable files ---------------------------------------------------- */

/*
 * Flags of the kernel's own, which begin at bit 16. KVM that knows such memslots has a flag
 * for them, and sets that for the stock backend's, too: what is counted has one of ours.
 */
#define SLOT_COUNTED BIT(18)
#define SLOT_MARKS (SLOT_COUNTED | GMEM_KVM_SLOT_GMEM_ONLY)
static_assert(!(SLOT_COUNTED & (KVM_MEMSLOT_INVALID | GMEM_KVM_SLOT_GMEM_ONLY)));

static atomic_t slots_only;

int gmem_slots_only(void)
{
	return atomic_read(&slots_only);
}

bool notrace gmem_kvm_may_be_ours(const struct kvm *kvm)
{
	return kvm->arch.vm_type != KVM_X86_DEFAULT_VM || gmem_slots_only() ||
	       gmem_vms_with_holes();
}

void kapi_slot_mark_only(struct kvm_memory_slot *slot)
{
	__module_get(THIS_MODULE);
	atomic_inc(&slots_only);
	slot->flags |= SLOT_MARKS;
}

void kapi_slot_unmark_only(struct kvm_memory_slot *slot)
{
	if (!(slot->flags & SLOT_COUNTED))
		return;
	slot->flags &= ~SLOT_MARKS;
	atomic_dec(&slots_only);
	module_put(THIS_MODULE);
}

bool kapi_slot_only(const struct kvm_memory_slot *slot)
{
	return slot && slot->flags & SLOT_COUNTED;
}
