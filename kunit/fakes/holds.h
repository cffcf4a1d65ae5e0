/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel holders outside of faults. KVM itself holds a shared page, as for a nested guest.
 * KVM's vendor modules hold a private page, as for a vCPU's state.
 */
#ifndef GMEM_FAKES_HOLDS_H
#define GMEM_FAKES_HOLDS_H

#include "kunit/fakes/kvm.h"

namespace fake
{

/* kvm_vcpu_map(), and kvm_vcpu_unmap() at its end. No page it holds becomes private. */
class KernelHold {
    public:
	KernelHold(struct kvm *kvm, std::uint64_t gfn);
	~KernelHold();
	KernelHold(const KernelHold &) = delete;
	KernelHold &operator=(const KernelHold &) = delete;

	int error() const { return error_; }
	/* NULL: there was an error. */
	struct page *page() const { return page_; }

    private:
	int error_;
	struct page *page_ = nullptr;
};

/*
 * kvm_gmem_get_pfn() by a caller that does not throw a stand-in away. Returns the page,
 * with a reference; or NULL, and *@error is set.
 */
struct page *kernel_get_page(struct kvm *kvm, std::uint64_t gfn, int *error);

} /* namespace fake */

#endif /* GMEM_FAKES_HOLDS_H */
