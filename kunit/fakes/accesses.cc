// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM's own accesses depend on (kapi/accesses.h). The stock bodies note that they were
 * called; clocks are bytes that tests know.
 */
#include "kapi/accesses.h"

#include <cstring>

#include "kunit/fakes/accesses.h"
#include "kunit/fakes/kvm.h"

using fake::accesses;

fake::Accesses &fake::accesses()
{
	static Accesses one;

	return one;
}

struct kapi_paging kapi_vcpu_paging(struct kvm_vcpu *)
{
	return accesses().paging;
}

void kapi_exception_fill(struct x86_exception *exception, kapi_u64 addr, unsigned error_code)
{
	if (exception)
		*exception = { addr, error_code };
}

kapi_u64 kapi_no_gpa(void)
{
	return ~0ull;
}

bool kapi_exchange(void *at, unsigned size, kapi_u64 old, kapi_u64 wanted)
{
	if (std::memcmp(at, &old, size) != 0)
		return false;
	std::memcpy(at, &wanted, size);
	return true;
}

kapi_u64 kapi_hva_cache_gpa(const struct gfn_to_hva_cache *cache)
{
	return cache->gpa;
}

kapi_u64 kapi_pfn_cache_gpa(const struct gfn_to_pfn_cache *cache)
{
	return cache->gpa;
}

void kapi_pvclock_write(struct kvm_vcpu *, const struct pvclock_vcpu_time_info *, bool, void *to)
{
	std::memset(to, fake::kClockByte, KAPI_PVCLOCK_SIZE);
}

kapi_u64 kapi_vcpu_steal_gpa(struct kvm_vcpu *)
{
	return accesses().steal_gpa;
}

void kapi_steal_time_write(struct kvm_vcpu *, void *to)
{
	std::memset(to, fake::kClockByte, KAPI_STEAL_TIME_SIZE);
}

void kapi_msr_answer(struct msr_data *msr, kapi_u64 value)
{
	msr->data = value;
}

int kapi_stock_read_page(struct kvm_memory_slot *slot, kapi_u64 gfn, void *data, int offset,
			 int len)
{
	const auto at = accesses().users.find(gfn);

	accesses().stock++;
	if (!slot)
		return -EFAULT;
	if (at == accesses().users.end())
		std::memset(data, fake::kUsersByte, static_cast<std::size_t>(len));
	else
		std::memcpy(data, at->second.data() + offset, static_cast<std::size_t>(len));
	return 0;
}

int kapi_stock_write_page(struct kvm *, struct kvm_memory_slot *slot, kapi_u64 gfn,
			  const void *data, int offset, int len)
{
	const auto at = accesses().users.find(gfn);

	accesses().stock++;
	if (!slot)
		return -EFAULT;
	if (at != accesses().users.end())
		std::memcpy(at->second.data() + offset, data, static_cast<std::size_t>(len));
	return 0;
}

int kapi_stock_read_cached(struct kvm *, struct gfn_to_hva_cache *, void *data, unsigned,
			   unsigned long len)
{
	accesses().stock++;
	std::memset(data, fake::kUsersByte, len);
	return 0;
}

int kapi_stock_write_cached(struct kvm *, struct gfn_to_hva_cache *, void *, unsigned,
			    unsigned long)
{
	accesses().stock++;
	return 0;
}

void kapi_stock_steal_time(struct kvm_vcpu *)
{
	accesses().stock++;
}

int kapi_stock_get_msr(struct kvm_vcpu *, struct msr_data *)
{
	accesses().stock++;
	return 1;
}

kapi_u64 kapi_stock_walk(struct kvm_vcpu *, void *, kapi_u64, kapi_u64, struct x86_exception *,
			 bool)
{
	accesses().stock++;
	return kapi_no_gpa();
}

void kapi_stock_pvclock(struct kvm_vcpu *, struct gfn_to_pfn_cache *, unsigned,
			struct pvclock_vcpu_time_info *, bool)
{
	accesses().stock++;
}
