// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of the boundary that conversion and mappable files need of KVM, where there
 * is no KVM: files cannot be mapped, attributes are those of the stub of a VM.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>

#include "kvm.h"

void kapi_mmu_split(struct kvm *kvm, struct kvm_memory_slot *slot, u64 start, u64 end) {}

void kapi_mmu_make_stale(struct kvm *kvm, u64 gfn)
{
	kapi_mmu_begin(kvm, gfn, gfn + 1);
	kapi_mmu_end(kvm);
}

int kapi_attributes_read(struct kvm *kvm, u64 *start, u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg)
{
	return -ENOTTY;
}

u64 kapi_kvm_end_gfn(void)
{
	return 1ULL << 40;
}

int kapi_attributes_reserve(struct kvm *kvm, u64 start, u64 end)
{
	return 0;
}

void kapi_attributes_release(struct kvm *kvm, u64 start, u64 end)
{
}

void kapi_attributes_set(struct kvm *kvm, u64 start, u64 end, bool to_private)
{
	world_set_private(kvm, start, end, to_private);
}

void kapi_attributes_changed(struct kvm *kvm, struct kvm_memory_slot *slot, u64 start, u64 end,
			     bool to_private)
{
}

bool kapi_attributes_are(struct kvm *kvm, u64 start, u64 end, bool to_private)
{
	return false;
}

int kapi_attributes_convert(struct kvm *kvm, u64 start, u64 end, bool to_private)
{
	world_set_private(kvm, start, end, to_private);
	return 0;
}

struct kvm_memory_slot *kapi_kvm_next_slot(struct kvm *kvm, u64 start, u64 end)
{
	return NULL;
}

void kapi_slot_mark_gmem(struct kvm_memory_slot *slot, bool gmem)
{
	slot->has_gmem = gmem;
}

unsigned long kapi_slot_hva(const struct kvm_memory_slot *slot, u64 gfn)
{
	return 0;
}

void kapi_slot_mark_only(struct kvm_memory_slot *slot)
{
}

void kapi_slot_unmark_only(struct kvm_memory_slot *slot)
{
}

bool kapi_slot_only(const struct kvm_memory_slot *slot)
{
	return false;
}

u64 kapi_pfn_error(void)
{
	return -EFAULT;
}

int kapi_region_read_gmem(struct kapi_region_gmem *gmem, unsigned long arg)
{
	return -EFAULT;
}

int kapi_region_set_with(struct kvm *kvm, const struct kapi_region *region, void *core)
{
	return -EINVAL;
}

void *kapi_region_pending(struct kvm *kvm)
{
	return NULL;
}

int kapi_stock_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			    struct kvm_memory_slot *slot, int change)
{
	return 0;
}

u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, u64 gfn, bool atomic,
			bool interruptible, bool *async, bool write, bool *writable,
			unsigned long *hva)
{
	return 0;
}

int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, u64 gfn,
			     int max_level, bool is_private)
{
	return max_level;
}
