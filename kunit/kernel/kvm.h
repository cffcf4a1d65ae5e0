/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM and its memslots for suites that have none of KVM's.
 */
#ifndef GMEM_KUNIT_KERNEL_KVM_H
#define GMEM_KUNIT_KERNEL_KVM_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "../../kapi/kapi.h"
#include "../world.h"

#define WORLD_GFNS 16384
#define WORLD_SLOTS 8

struct kvm_memory_slot {
	struct kvm *kvm;
	u64 base_gfn;
	u64 npages;
	u64 pgoff;
	bool has_gmem;
	struct file *file;
};

struct kvm {
	atomic_t users;
	unsigned long type;
	struct mutex slots_lock;
	struct kvm_memory_slot *shown[WORLD_SLOTS];
	DECLARE_BITMAP(shared, WORLD_GFNS);
	unsigned long in_progress;
};

extern struct world_mmu world_mmu_noted;
extern struct world_stock world_stock_noted;
extern enum kapi_platform world_platform;

/* VMs that are there. */
int world_vms(void);

#endif /* GMEM_KUNIT_KERNEL_KVM_H */
