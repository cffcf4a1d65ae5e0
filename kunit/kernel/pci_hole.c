// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/pci_hole.h where there is no KVM: no VM has a hole. Their suite runs on
 * the host alone.
 */
#include <linux/errno.h>

#include "../../kapi/pci_hole.h"

struct kvm *kapi_file_vm(struct file *file)
{
	return NULL;
}

int kapi_region_read(struct kapi_region *region, unsigned int ioctl, unsigned long arg)
{
	return -EFAULT;
}

int kapi_region_set(struct kvm *kvm, const struct kapi_region *region)
{
	return -EINVAL;
}

bool kapi_kvm_usable(struct kvm *kvm)
{
	return false;
}

bool kapi_kvm_may_have_memory(struct kvm *kvm)
{
	return true;
}

bool kapi_kvm_has_readonly(struct kvm *kvm)
{
	return false;
}

struct kvm_memory_slot *kapi_kvm_slot_by_id(struct kvm *kvm, unsigned int slot)
{
	return NULL;
}

struct kvm_memory_slot *kapi_vcpu_hole(struct kvm_vcpu *vcpu, u64 gfn)
{
	return NULL;
}

bool kapi_slot_is_hole(const struct kvm_memory_slot *slot)
{
	return false;
}

void kapi_slot_mark_hole(struct kvm_memory_slot *slot, bool hole)
{
}

u64 kapi_slot_user_addr(struct kvm_memory_slot *slot)
{
	return 0;
}

int kapi_ones_map(u64 size, u64 *addr)
{
	return -ENOMEM;
}

void kapi_ones_unmap(struct kvm *kvm, u64 addr, u64 size)
{
}

void *kapi_vm_holes(struct kvm *kvm)
{
	return NULL;
}

int kapi_vm_holes_attach(struct kvm *kvm, void *core, void **present)
{
	return -ENOMEM;
}

long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	return 0;
}
