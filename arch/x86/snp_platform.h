/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM on the SNP model: what KVM's SNP code does to pages of guest_memfd, done
 * to the model, with each of its rules checked on the way.
 */
#ifndef GMEM_ARCH_X86_SNP_PLATFORM_H
#define GMEM_ARCH_X86_SNP_PLATFORM_H

#include "arch/x86/model_vm.h"
#include "arch/x86/snp_model.h"
#include "gmem/bitmap.h"

namespace gmem
{

/* What all VMs share. */
struct SnpMachine {
	SnpMachine() { asids.set(0); /* the hypervisor's */ }

	Rmp rmp;
	SnpFirmware firmware{ rmp };
	Bitmap<1024> asids; /* in use; under the lock of the list of VMs */
};

class SnpPlatform final : public ModelVm {
    public:
	/* For ModelVm::of(). -ENOMEM; -ENOSPC: no ASID is left; -EIO. */
	static Result<ModelVm *> create(struct kvm *vm);
	/* For tests; NULL while no VM is on the model. */
	static SnpMachine *machine();

	explicit SnpPlatform(struct kvm *vm) : ModelVm(vm), lock_(KAPI_LOCK_VM_MODEL) {}
	~SnpPlatform();
	/* For Machine::add(). */
	Status launch();

	Status prepare(struct kvm *vm, Gfn gfn, Pfn pfn, unsigned order) override;
	Status reclaim(Pfn pfn, std::uint64_t count) override;
	bool is_hosts(Pfn pfn) override;
	unsigned max_order() const override { return kRunOrder; }
	bool pages_join() const override { return false; }
	Status admit(Gfn gfn, Pfn pfn, unsigned order) override;
	Status split(Pfn pfn) override;
	Status may_populate(PageContent &content) override;
	Status populate(Gfn gfn, Pfn pfn, PageContent &content) override;
	Status finish(std::uint64_t &firmware_error) override;
	Status measurement(Measurement &out) override;

	const SnpGuest &guest() const { return guest_; }

    private:
	void destroy() override { Destroy{}(this); }
	Status broken(Pfn pfn, const char *what);
	Status share(Pfn pfn, RmpSize size, Patience &patience);
	Status reclaim_entry(Pfn pfn, const RmpEntry &entry, std::uint64_t count,
			     Patience &patience);
	Status undo_populate(Pfn pfn);

	Mutex lock_; /* of the guest: its commands come one at a time */
	SnpGuest guest_;
	struct page *gctx_ = nullptr;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_PLATFORM_H */
