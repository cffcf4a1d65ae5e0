// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core asks of the module itself and of the hooks, where there is no KVM. The
 * module serves guest_memfd here, and nothing else: the rest would need a real VM.
 */
#include <linux/errno.h>

#include "kvm.h"

bool kapi_feature(enum kapi_feature feature)
{
	return feature == KAPI_FEATURE_BACKEND;
}

bool kapi_kvm_tdp_mmu(void)
{
	return true;
}

bool kapi_self_get(void)
{
	return true;
}

void kapi_self_put(void)
{
}

bool kapi_faults_matter(void)
{
	return false;
}

void kapi_fault_begin(struct kapi_fault *fault)
{
}

void kapi_fault_end(struct kapi_fault *fault)
{
}

void kapi_fault_note(u64 gfn, int error)
{
}

bool kapi_prefault_begin(struct kapi_prefault *prefault, struct kvm_vcpu *vcpu)
{
	return true;
}

bool kapi_prefault_end(struct kapi_prefault *prefault)
{
	return false;
}

void kapi_slot_request_begin(struct kapi_slot_request *request, struct kvm *kvm)
{
}

void kapi_slot_request_announce(struct kapi_slot_request *request)
{
}

int kapi_slot_request_keep_unmapped(struct kvm *kvm, u64 start, u64 end)
{
	return 0;
}

void kapi_slot_request_end(struct kapi_slot_request *request)
{
}

bool kapi_kvm_made_sw_protected(struct kvm *kvm)
{
	return false;
}

bool kapi_vcpu_is_nested(struct kvm_vcpu *vcpu)
{
	return false;
}

bool kapi_vcpu_is_direct(struct kvm_vcpu *vcpu)
{
	return true;
}

void kapi_host_map_fill(struct kvm_host_map *map, struct page *page, u64 gfn)
{
}

void kapi_stock_free_vm(struct kvm *kvm)
{
}

u64 kapi_stock_prefetch_pfn(const struct kvm_memory_slot *slot, u64 gfn)
{
	return 0;
}

int kapi_stock_prefetch_pages(struct kvm_memory_slot *slot, u64 gfn, struct page **pages, int count)
{
	return 0;
}

int kapi_stock_vcpu_map(struct kvm_vcpu *vcpu, u64 gfn, struct kvm_host_map *map, bool writable)
{
	return -EINVAL;
}

long kapi_stock_pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	return -EOPNOTSUPP;
}
