// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/accesses.h: nothing in the suites that run in the kernel reads a guest's
 * memory for it.
 */
#include <linux/errno.h>

#include "../../kapi/accesses.h"
#include "kvm.h"

struct kapi_paging kapi_vcpu_paging(struct kvm_vcpu *vcpu)
{
	return (struct kapi_paging){};
}

void kapi_exception_fill(struct x86_exception *exception, u64 addr, unsigned int error_code)
{
}

u64 kapi_no_gpa(void)
{
	return ~0ull;
}

bool kapi_exchange(void *at, unsigned int size, u64 old, u64 wanted)
{
	return false;
}

u64 kapi_hva_cache_gpa(const struct gfn_to_hva_cache *cache)
{
	return ~0ull;
}

u64 kapi_pfn_cache_gpa(const struct gfn_to_pfn_cache *cache)
{
	return ~0ull;
}

void kapi_pvclock_write(struct kvm_vcpu *vcpu, const struct pvclock_vcpu_time_info *clock,
			bool unstable, void *to)
{
}

u64 kapi_vcpu_steal_gpa(struct kvm_vcpu *vcpu)
{
	return ~0ull;
}

void kapi_steal_time_write(struct kvm_vcpu *vcpu, void *to)
{
}

void kapi_msr_answer(struct msr_data *msr, u64 value)
{
}

int kapi_stock_read_page(struct kvm_memory_slot *slot, u64 gfn, void *data, int offset, int len)
{
	return -EFAULT;
}

int kapi_stock_write_page(struct kvm *kvm, struct kvm_memory_slot *slot, u64 gfn, const void *data,
			  int offset, int len)
{
	return -EFAULT;
}

int kapi_stock_read_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			   unsigned int offset, unsigned long len)
{
	return -EFAULT;
}

int kapi_stock_write_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			    unsigned int offset, unsigned long len)
{
	return -EFAULT;
}

void kapi_stock_steal_time(struct kvm_vcpu *vcpu)
{
}

int kapi_stock_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr)
{
	return 1;
}

u64 kapi_stock_walk(struct kvm_vcpu *vcpu, void *walk, u64 addr, u64 access,
		    struct x86_exception *exception, bool wide)
{
	return ~0ull;
}

void kapi_stock_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache, unsigned int offset,
			struct pvclock_vcpu_time_info *clock, bool unstable)
{
}
