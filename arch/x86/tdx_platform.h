/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM on the TDX model: the SEAMCALLs that KVM's TDX code makes for the pages
 * of guest_memfd, in its order, with its retries.
 */
#ifndef GMEM_ARCH_X86_TDX_PLATFORM_H
#define GMEM_ARCH_X86_TDX_PLATFORM_H

#include "arch/x86/model_vm.h"
#include "arch/x86/tdx_model.h"

namespace gmem
{

/* What all VMs share. */
struct TdxMachine {
	Pamt pamt;
	TdxModule module{ pamt };
};

class TdxPlatform final : public ModelVm {
    public:
	/* For ModelVm::of(). -ENOMEM, -EIO. */
	static Result<ModelVm *> create(struct kvm *vm);
	/* For tests; NULL while no VM is on the model. */
	static TdxMachine *machine();

	explicit TdxPlatform(struct kvm *vm) : ModelVm(vm) {}
	~TdxPlatform();
	/* For Machine::add(). */
	Status launch();

	Status prepare(struct kvm *vm, Gfn gfn, Pfn pfn, unsigned order) override;
	Status reclaim(Pfn pfn, std::uint64_t count) override;
	bool is_hosts(Pfn pfn) override;
	unsigned max_order() const override { return 0; }
	bool pages_join() const override { return false; }
	const char *name() const override { return "tdx-model"; }
	Status admit(Gfn gfn, Pfn pfn, unsigned order) override;
	Status may_populate(PageContent &content) override;
	Status populate(Gfn gfn, Pfn pfn, PageContent &content) override;
	Status finish(std::uint64_t &firmware_error) override;
	Status measurement(Measurement &out) override;

	Td &td() { return td_; }

    private:
	void destroy() override { Destroy{}(this); }
	Result<Pfn> own_page();
	template <class Map> Status map(Gfn gfn, std::uint64_t &code, Map map_page);
	Status broken(Pfn pfn, const char *what);
	bool is_ours(Pfn pfn);
	Status block(Pfn pfn, std::uint64_t count, Patience &patience);
	Status remove(Pfn pfn, Patience &patience);
	bool runnable();

	Td td_;
	XArray<struct page> own_pages_; /* root, vCPU and tables, by frame */
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_TDX_PLATFORM_H */
