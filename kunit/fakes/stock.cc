// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock bodies of the functions taken over, the count of entries, and the
 * step in front of memory failure: each notes that it was called.
 */
#include "kunit/fakes/kvm.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/pci_hole.h"

namespace fake
{

namespace
{

Stock noted;
Generation the_generation{};
std::atomic<unsigned long> counts[KAPI_ENTRIES][2];
std::atomic<long> inside;

} /* namespace */

void set_fault_body(std::function<int()> body)
{
	current().fault_body = std::move(body);
}

Generation &generation()
{
	static const bool read = [] {
		const char *const kvm = std::getenv("GMEM_KVM");

		the_generation.binds_in_steps = kvm && std::string_view{ kvm } != "6.12.95";
		the_generation.shared_slots = kvm && std::string_view{ kvm } == "7.3";
		return true;
	}();

	static_cast<void>(read);
	return the_generation;
}

Stock &stock()
{
	return noted;
}

unsigned long entries(kapi_entry entry, bool served)
{
	if (inside)
		bug("%ld entries have not been left", inside.load());
	return counts[entry][served];
}

} /* namespace fake */

using fake::noted;

int kapi_stock_create(struct kvm *, struct kvm_create_guest_memfd *)
{
	noted.create++;
	return noted.answer;
}

int kapi_stock_bind(struct kvm *, struct kvm_memory_slot *, unsigned int, long long)
{
	noted.bind++;
	return noted.answer;
}

bool kapi_binds_in_steps(void)
{
	return fake::generation().binds_in_steps;
}

int kapi_stock_prepare_bind(struct kvm *, struct kvm_memory_slot *, unsigned int, kapi_u64)
{
	noted.prepare_bind++;
	return noted.answer;
}

int kapi_stock_commit_bind(struct kvm *, struct kvm_memory_slot *)
{
	noted.commit_bind++;
	return noted.answer;
}

void kapi_stock_unbind(struct kvm_memory_slot *)
{
	noted.unbind++;
}

int kapi_stock_get_pfn(struct kvm *, struct kvm_memory_slot *, kapi_u64, kapi_u64 *, int *)
{
	noted.get_pfn++;
	return noted.answer;
}

long kapi_stock_populate(struct kvm *, kapi_u64, void *, long, bool, kapi_populate_cb, void *)
{
	noted.populate++;
	return noted.answer;
}

int kapi_stock_init_vm(struct kvm *kvm, unsigned long type)
{
	noted.init_vm++;
	noted.last_type = type;
	if (noted.answer)
		return noted.answer;
	if (type == fake::kSwProtectedVm && !noted.knows_sw_protected)
		return -EINVAL;
	if (type == fake::kSnpVm && noted.knows_no_snp)
		return -EINVAL;
	kvm->type = type;
	return 0;
}

int kapi_stock_check_extension(struct kvm *, long)
{
	noted.check_extension++;
	return noted.answer;
}

int kapi_stock_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *, int)
{
	noted.page_fault++;
	noted.last_error = error;
	if (const int failed = fake::note_fault(vcpu, gpa))
		return failed;
	if (const auto body = std::exchange(fake::current().fault_body, nullptr))
		return body();
	return noted.answer;
}

int kapi_stock_memory_failure(unsigned long, int)
{
	noted.memory_failure++;
	return noted.answer;
}

bool kapi_poison_expose(unsigned long)
{
	return noted.exposed;
}

int kapi_stock_prepare_slot(struct kvm *, const struct kvm_memory_slot *, struct kvm_memory_slot *,
			    int)
{
	return noted.answer;
}

kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *, kapi_u64, bool, bool, bool *, bool,
			     bool *, unsigned long *)
{
	noted.slot_pfn++;
	return fake::kStockPfn;
}

/* As KVM's lpage_info has it: 2 MiB inside of the memslot, private or shared as one. */
int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool)
{
	const kapi_u64 start = gfn / 512 * 512, end = start + 512;
	const bool huge = start >= slot->base_gfn && end <= slot->base_gfn + slot->npages &&
			  fake::range_uniform(kvm, start, end);

	return huge ? max_level : 1;
}

kapi_u64 kapi_stock_prefetch_pfn(const struct kvm_memory_slot *, kapi_u64)
{
	noted.prefetches++;
	return fake::kStockPfn;
}

int kapi_stock_prefetch_pages(struct kvm_memory_slot *, kapi_u64, struct page **, int count)
{
	noted.prefetches++;
	return count;
}

int kapi_stock_vcpu_map(struct kvm_vcpu *, kapi_u64, struct kvm_host_map *, bool)
{
	noted.vcpu_map++;
	return noted.answer;
}

void kapi_host_map_fill(struct kvm_host_map *map, struct page *page, kapi_u64 gfn)
{
	map->page = page;
	map->gfn = gfn;
}

long kapi_stock_pre_fault(struct kvm_vcpu *, struct kvm_pre_fault_memory *range)
{
	noted.pre_fault++;
	noted.prefault_gpa = range ? range->gpa : 0;
	return noted.answer;
}

void kapi_entry_enter(enum kapi_entry)
{
	fake::inside++;
}

void kapi_entry_leave(enum kapi_entry entry, bool served)
{
	fake::counts[entry][served]++;
	fake::inside--;
}
