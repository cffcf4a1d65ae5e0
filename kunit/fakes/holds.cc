// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel holders outside of faults (holds.h).
 */
#include "kunit/fakes/holds.h"

#include <gmem/gmem.h>

#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"

namespace fake
{

KernelHold::KernelHold(struct kvm *kvm, std::uint64_t gfn)
{
	struct kvm_vcpu vcpu {
		kvm
	};
	struct kvm_host_map map;

	kvm->srcu.lock_shared();
	error_ = gmem_kvm_vcpu_map(&vcpu, gfn, &map, true);
	kvm->srcu.unlock_shared();
	page_ = map.page;
	if (error_ && page_)
		bug("kvm_vcpu_map() fails with %d and gives a page", error_);
	if (page_)
		page_->kernel_held++;
	sched::step("kernel hold: page at hand");
}

KernelHold::~KernelHold()
{
	if (!page_)
		return;
	page_->kernel_held--;
	kapi_page_put(page_);
}

struct page *kernel_get_page(struct kvm *kvm, std::uint64_t gfn, int *error)
{
	struct page *page = nullptr;
	gmem_u64 pfn;

	kvm->srcu.lock_shared();
	struct kvm_memory_slot *const slot = slot_at(kvm, gfn);

	sched::step("kernel get: slot at hand");
	*error = slot && slot->has_gmem ? gmem_get_pfn(kvm, slot, gfn, &pfn, nullptr) : -ENOENT;
	kvm->srcu.unlock_shared();
	if (*error == 0) {
		struct page *const zero = kapi_page_zero();

		page = page_of_pfn(pfn);
		if (page == zero)
			bug("gfn %#lx: a stand-in outside of a fault", gfn);
		kapi_page_put(zero);
	}
	return page;
}

} /* namespace fake */
