// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM as the core sees it: VMs, memslots, attributes, the MMU's invalidation and
 * the arch hooks for confidential memory. <linux/kvm_host.h>.
 */
#include <linux/kvm_host.h>

#include <asm/sev.h>

#include <gmem/gmem.h>

#include "compat/kvm.h"
#include "kapi.h"
#include "sev.h"
#include "symbols.h"

/* The core takes callbacks of those who call the module as they are. */
static_assert(__same_type(kapi_populate_cb, gmem_populate_cb));

void kapi_kvm_get(struct kvm *kvm)
{
	kvm_get_kvm(kvm);
}

void kapi_kvm_put(struct kvm *kvm)
{
	kvm_put_kvm(kvm);
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
	return kvm->arch.vm_type;
}

bool kapi_kvm_has_private_mem(struct kvm *kvm)
{
	return kvm_arch_has_private_mem(kvm);
}

/* As kvm_vcpu_has_run(). A flush waits for an exit, and each exit sets it first. */
bool kapi_kvm_has_run(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	if (!atomic_read(&kvm->online_vcpus))
		return false;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (READ_ONCE(vcpu->arch.last_vmentry_cpu) != -1)
			return true;
	}
	return false;
}

bool kapi_kvm_range_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	return gmem_range_has_memory_attributes(kvm, start, end, KVM_MEMORY_ATTRIBUTE_PRIVATE,
						KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

bool kapi_kvm_has_shared_slots(void)
{
	return GMEM_KVM_SHARED_SLOTS;
}

bool kapi_kvm_asks_private(struct kvm *kvm, kapi_u64 gfn)
{
	return !kapi_kvm_has_shared_slots() || kvm_mem_is_private(kvm, gfn);
}

struct kvm *kapi_vcpu_kvm(struct kvm_vcpu *vcpu)
{
	return vcpu->kvm;
}

void kapi_vcpu_exit_shared(struct kvm_vcpu *vcpu, kapi_u64 gfn)
{
	kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(gfn), PAGE_SIZE, false, false, false);
}

bool kapi_vcpu_is_direct(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mmu->root_role.direct;
}

bool kapi_vcpu_is_nested(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.hflags & HF_GUEST_MASK;
}

bool kapi_kvm_tdp_mmu(void)
{
	const bool *const enabled = gmem_tdp_mmu_enabled();

	return READ_ONCE(*enabled);
}

bool kapi_kvm_sw_private(struct kvm_vcpu *vcpu, kapi_u64 gpa)
{
	return vcpu->kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM &&
	       kvm_mem_is_private(vcpu->kvm, gpa_to_gfn(gpa));
}

void kapi_kvm_make_sw_protected(struct kvm *kvm)
{
	kvm->arch.vm_type = KVM_X86_SW_PROTECTED_VM;
	kvm->arch.has_private_mem = true;
}

bool kapi_kvm_made_sw_protected(struct kvm *kvm)
{
	/* A kernel built with the type makes all of them itself, but those of SNP's. */
	return kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM &&
	       (!IS_ENABLED(CONFIG_KVM_SW_PROTECTED_VM) || kapi_kvm_is_snp_model(kvm));
}

int kapi_kvm_overlap_error(void)
{
	return GMEM_KVM_UNSIGNED_OFFSET || kapi_binds_in_steps() ? -EEXIST : -EINVAL;
}

void kapi_create_args(const struct kvm_create_guest_memfd *args, kapi_u64 *size, kapi_u64 *flags)
{
	*size = args->size;
	*flags = args->flags;
}

void kapi_mmu_begin(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	write_lock(&kvm->mmu_lock);
	gmem_mmu_invalidate_begin(kvm);
	gmem_mmu_invalidate_range_add(kvm, start, end);
	write_unlock(&kvm->mmu_lock);
}

/* Whether a flush is due. */
static bool zap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	struct kvm_gfn_range range = {
		.start = start,
		.end = end,
		.slot = slot,
		.may_block = true,
		.attr_filter = KVM_FILTER_PRIVATE | KVM_FILTER_SHARED,
	};

	return gmem_mmu_unmap_gfn_range(kvm, &range);
}

void kapi_mmu_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	write_lock(&kvm->mmu_lock);
	/* Before the lock goes: another unmapping would find nothing, and flush nothing. */
	if (zap(kvm, slot, start, end))
		gmem_flush_remote_tlbs_range(kvm, start, end - start);
	write_unlock(&kvm->mmu_lock);
}

bool kapi_mmu_zap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	bool flush;

	write_lock(&kvm->mmu_lock);
	flush = zap(kvm, slot, start, end);
	write_unlock(&kvm->mmu_lock);
	return flush;
}

void kapi_mmu_flush(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	gmem_flush_remote_tlbs_range(kvm, start, end - start);
}

void kapi_mmu_split(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end)
{
	const kapi_u64 pages = KVM_PAGES_PER_HPAGE(PG_LEVEL_2M);

	if (!kvm->arch.tdp_mmu_roots.next)
		return;
	/* A mapping that lies wholly inside goes as it is. */
	write_lock(&kvm->mmu_lock);
	if (!IS_ALIGNED(start, pages))
		gmem_tdp_mmu_try_split_huge_pages(kvm, slot, start, start + 1, PG_LEVEL_4K);
	if (!IS_ALIGNED(end, pages))
		gmem_tdp_mmu_try_split_huge_pages(kvm, slot, end - 1, end, PG_LEVEL_4K);
	write_unlock(&kvm->mmu_lock);
}

void kapi_mmu_make_stale(struct kvm *kvm, kapi_u64 gfn)
{
	kapi_mmu_begin(kvm, gfn, gfn + 1);
	kapi_mmu_end(kvm);
}

void kapi_mmu_end(struct kvm *kvm)
{
	write_lock(&kvm->mmu_lock);
	gmem_mmu_invalidate_end(kvm);
	write_unlock(&kvm->mmu_lock);
}

kapi_u64 kapi_slot_base_gfn(struct kvm_memory_slot *slot)
{
	return slot->base_gfn;
}

kapi_u64 kapi_slot_npages(struct kvm_memory_slot *slot)
{
	return slot->npages;
}

kapi_u64 kapi_slot_pgoff(struct kvm_memory_slot *slot)
{
	return slot->gmem.pgoff;
}

bool kapi_slot_has_gmem(const struct kvm_memory_slot *slot)
{
	return slot && !(slot->flags & KVM_MEMSLOT_INVALID) && gmem_slot_has_gmem(slot);
}

struct file *kapi_slot_file(struct kvm_memory_slot *slot)
{
	return READ_ONCE(slot->gmem.file);
}

struct file *kapi_slot_file_get(struct kvm_memory_slot *slot)
{
	return get_file_active(&slot->gmem.file);
}

void kapi_slot_set_file(struct kvm_memory_slot *slot, struct file *file, kapi_u64 pgoff)
{
	slot->gmem.pgoff = pgoff;
	WRITE_ONCE(slot->gmem.file, file);
}

struct kvm_memory_slot *kapi_kvm_next_slot(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	struct kvm_memslot_iter iter;

	lockdep_assert_held(&kvm->slots_lock);
	kvm_for_each_memslot_in_gfn_range(&iter, kvm_memslots(kvm), start, end)
		return iter.slot;
	return NULL;
}

void kapi_slot_mark_gmem(struct kvm_memory_slot *slot, bool gmem)
{
	if (gmem)
		slot->flags |= KVM_MEM_GUEST_MEMFD;
	else
		slot->flags &= ~KVM_MEM_GUEST_MEMFD;
}

unsigned long kapi_slot_hva(const struct kvm_memory_slot *slot, kapi_u64 gfn)
{
	return __gfn_to_hva_memslot(slot, gfn);
}

kapi_u64 kapi_pfn_error(void)
{
	return KVM_PFN_ERR_FAULT;
}

struct kvm_memory_slot *kapi_kvm_slot_of(struct kvm *kvm, kapi_u64 gfn)
{
	return gmem_gfn_to_memslot(kvm, gfn);
}

void kapi_host_map_fill(struct kvm_host_map *map, struct page *page, kapi_u64 gfn)
{
	*map = (struct kvm_host_map){
		.page = page,
		.hva = page_address(page),
		.pfn = page_to_pfn(page),
		.gfn = gfn,
	};
}

int kapi_arch_prepare(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, unsigned int order)
{
	return gmem_arch_prepare(kvm, gfn, pfn, order);
}

int kapi_arch_assigned(kapi_u64 pfn)
{
	bool assigned;
	int level;
	const int ret = snp_lookup_rmpentry(pfn, &assigned, &level);

	return ret ? ret : assigned;
}

void kapi_arch_reclaim(kapi_u64 pfn, kapi_u64 count)
{
	gmem_arch_invalidate(pfn, pfn + count);
}
