// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/kvm.c, kapi/takeover.c and kapi/calls.c over a stub of a VM (kvm.h): the
 * rest of the boundary under the suites is the real one.
 */
#include <linux/fs.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <uapi/linux/kvm.h>

#include "kvm.h"

struct world_mmu world_mmu_noted;
struct world_stock world_stock_noted;
enum kapi_platform world_platform = KAPI_PLATFORM_NONE;
static atomic_t vms;

int world_vms(void)
{
	return atomic_read(&vms);
}

struct kvm *world_vm(unsigned long type)
{
	struct kvm *const kvm = kzalloc(sizeof(*kvm), GFP_KERNEL | __GFP_NOFAIL);

	atomic_set(&kvm->users, 1);
	kvm->type = type;
	mutex_init(&kvm->slots_lock);
	atomic_inc(&vms);
	return kvm;
}

void world_vm_put(struct kvm *kvm)
{
	kapi_kvm_put(kvm);
}

int world_vm_users(struct kvm *kvm)
{
	return atomic_read(&kvm->users);
}

void world_set_private(struct kvm *kvm, u64 start, u64 end, bool is_private)
{
	if (is_private)
		bitmap_clear(kvm->shared, start, end - start);
	else
		bitmap_set(kvm->shared, start, end - start);
}

struct kvm_memory_slot *world_slot(struct kvm *kvm, u64 gfn, u64 npages, bool has_gmem)
{
	struct kvm_memory_slot *const slot = kzalloc(sizeof(*slot), GFP_KERNEL | __GFP_NOFAIL);

	slot->kvm = kvm;
	slot->base_gfn = gfn;
	slot->npages = npages;
	slot->has_gmem = has_gmem;
	return slot;
}

void world_slot_free(struct kvm_memory_slot *slot)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		if (slot->kvm->shown[i] == slot)
			slot->kvm->shown[i] = NULL;
	}
	kfree(slot);
}

void world_slot_show(struct kvm_memory_slot *slot)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		if (!slot->kvm->shown[i]) {
			slot->kvm->shown[i] = slot;
			return;
		}
	}
	WARN_ON(1);
}

struct world_mmu world_mmu_calls(void)
{
	return world_mmu_noted;
}

struct world_stock world_stock_calls(void)
{
	return world_stock_noted;
}

void kapi_kvm_get(struct kvm *kvm)
{
	atomic_inc(&kvm->users);
}

void kapi_kvm_put(struct kvm *kvm)
{
	if (!atomic_dec_and_test(&kvm->users))
		return;
	WARN_ON(kvm->in_progress);
	mutex_destroy(&kvm->slots_lock);
	kfree(kvm);
	atomic_dec(&vms);
}

void kapi_kvm_slots_lock(struct kvm *kvm)
{
	mutex_lock(&kvm->slots_lock);
}

int kapi_kvm_slots_lock_killable(struct kvm *kvm)
{
	return mutex_lock_killable(&kvm->slots_lock);
}

void kapi_kvm_slots_unlock(struct kvm *kvm)
{
	mutex_unlock(&kvm->slots_lock);
}

void kapi_kvm_assert_slots_lock(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->slots_lock);
}

unsigned long kapi_kvm_type(struct kvm *kvm)
{
	return kvm->type;
}

bool kapi_kvm_has_private_mem(struct kvm *kvm)
{
	return kvm->type != 0;
}

bool kapi_kvm_has_run(struct kvm *kvm)
{
	return false;
}

bool kapi_kvm_range_private(struct kvm *kvm, u64 start, u64 end)
{
	return find_next_bit(kvm->shared, end, start) >= end;
}

struct kvm *kapi_vcpu_kvm(struct kvm_vcpu *vcpu)
{
	return NULL;
}

bool kapi_kvm_has_shared_slots(void)
{
	return false;
}

bool kapi_kvm_asks_private(struct kvm *kvm, u64 gfn)
{
	return true;
}

void kapi_vcpu_exit_shared(struct kvm_vcpu *vcpu, u64 gfn)
{
}

bool kapi_kvm_sw_private(struct kvm_vcpu *vcpu, u64 gpa)
{
	return false;
}

void kapi_kvm_make_sw_protected(struct kvm *kvm)
{
}

int kapi_kvm_overlap_error(void)
{
	return -EINVAL;
}

void kapi_create_args(const struct kvm_create_guest_memfd *args, u64 *size, u64 *flags)
{
	*size = args->size;
	*flags = args->flags;
}

void kapi_mmu_begin(struct kvm *kvm, u64 start, u64 end)
{
	kvm->in_progress++;
	world_mmu_noted.begins++;
	world_mmu_noted.begin_start = start;
	world_mmu_noted.begin_end = end;
}

void kapi_mmu_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, u64 start, u64 end)
{
	might_sleep();
	WARN_ON(!kvm->in_progress);
	world_mmu_noted.unmaps++;
	world_mmu_noted.unmap_start = start;
	world_mmu_noted.unmap_end = end;
}

bool kapi_mmu_zap(struct kvm *kvm, struct kvm_memory_slot *slot, u64 start, u64 end)
{
	kapi_mmu_unmap(kvm, slot, start, end);
	return true;
}

void kapi_mmu_flush(struct kvm *kvm, u64 start, u64 end)
{
}

void kapi_mmu_end(struct kvm *kvm)
{
	WARN_ON(!kvm->in_progress);
	kvm->in_progress--;
	world_mmu_noted.ends++;
}

u64 kapi_slot_base_gfn(struct kvm_memory_slot *slot)
{
	return slot->base_gfn;
}

u64 kapi_slot_npages(struct kvm_memory_slot *slot)
{
	return slot->npages;
}

u64 kapi_slot_pgoff(struct kvm_memory_slot *slot)
{
	return slot->pgoff;
}

bool kapi_slot_has_gmem(const struct kvm_memory_slot *slot)
{
	return slot->has_gmem;
}

struct file *kapi_slot_file(struct kvm_memory_slot *slot)
{
	return READ_ONCE(slot->file);
}

struct file *kapi_slot_file_get(struct kvm_memory_slot *slot)
{
	return get_file_active(&slot->file);
}

void kapi_slot_set_file(struct kvm_memory_slot *slot, struct file *file, u64 pgoff)
{
	slot->pgoff = pgoff;
	WRITE_ONCE(slot->file, file);
}

struct kvm_memory_slot *kapi_kvm_slot_of(struct kvm *kvm, u64 gfn)
{
	for (int i = 0; i < WORLD_SLOTS; i++) {
		struct kvm_memory_slot *const slot = kvm->shown[i];

		if (slot && gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot;
	}
	return NULL;
}

int kapi_arch_prepare(struct kvm *kvm, u64 gfn, u64 pfn, unsigned int order)
{
	return 0;
}

void kapi_arch_reclaim(u64 pfn, u64 count)
{
}

int kapi_arch_assigned(u64 pfn)
{
	return -ENODEV;
}

int kapi_stock_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	world_stock_noted.create++;
	return 0;
}

int kapi_stock_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
		    long long offset)
{
	world_stock_noted.bind++;
	return 0;
}

bool kapi_binds_in_steps(void)
{
	return false;
}

int kapi_stock_prepare_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			    u64 offset)
{
	return 0;
}

int kapi_stock_commit_bind(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return 0;
}

void kapi_stock_unbind(struct kvm_memory_slot *slot)
{
	world_stock_noted.unbind++;
}

int kapi_stock_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, u64 gfn, u64 *pfn,
		       int *max_order)
{
	world_stock_noted.get_pfn++;
	return 0;
}

long kapi_stock_populate(struct kvm *kvm, u64 gfn, void *src, long npages, bool writeback,
			 kapi_populate_cb cb, void *opaque)
{
	world_stock_noted.populate++;
	return 0;
}

int kapi_stock_init_vm(struct kvm *kvm, unsigned long type)
{
	return 0;
}

int kapi_stock_check_extension(struct kvm *kvm, long extension)
{
	return 0;
}

int kapi_stock_page_fault(struct kvm_vcpu *vcpu, u64 gpa, u64 error, void *insn, int insn_len)
{
	return 0;
}

int kapi_stock_memory_failure(unsigned long pfn, int flags)
{
	return 0;
}

void kapi_entry_enter(enum kapi_entry entry)
{
}

void kapi_entry_leave(enum kapi_entry entry, bool served)
{
}

unsigned int kapi_setting_promotion_mib(void)
{
	return 2048;
}

enum kapi_huge kapi_setting_huge(void)
{
	return KAPI_HUGE_ALWAYS;
}

enum kapi_platform kapi_setting_platform(void)
{
	return world_platform;
}

bool kapi_setting_backend_stock(void)
{
	return false;
}
