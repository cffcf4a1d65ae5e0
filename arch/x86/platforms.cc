// SPDX-License-Identifier: GPL-2.0-only
/*
 * The platforms without state of a VM's, none at all and KVM's arch hooks, and
 * the list of VMs on the models.
 */
#include "arch/x86/platforms.h"

#include "arch/x86/snp_platform.h"
#include "arch/x86/tdx_platform.h"
#include "gmem/guard.h"
#include "kapi/kapi.h"

namespace gmem
{

namespace
{

/* Default and software-protected VMs: memory is the guest's as it is. */
class PlainPlatform final : public Platform {
    public:
	constexpr PlainPlatform() = default;

	Status prepare(struct kvm *, Gfn, Pfn, unsigned) override { return Status{}; }
	Status reclaim(Pfn, std::uint64_t) override { return Status{}; }
	bool is_hosts(Pfn) override { return true; }
	bool keeps_content() const override { return true; }
	unsigned max_order() const override { return kRunOrder; }
	bool pages_join() const override { return true; }
};

/*
 * VMs whose memory the vendor module of KVM owns. The hook of 6.12 takes an order
 * but may do less than asked, and its way back reports failures to the log only:
 * where there is an RMP, it is looked at afterwards.
 */
class KvmArchPlatform final : public Platform {
    public:
	constexpr KvmArchPlatform() = default;

	Status prepare(struct kvm *kvm, Gfn gfn, Pfn pfn, unsigned order) override;
	Status reclaim(Pfn pfn, std::uint64_t count) override;
	bool is_hosts(Pfn pfn) override { return kapi_arch_assigned(pfn.value) <= 0; }
	unsigned max_order() const override { return kRunOrder; }
	bool pages_join() const override { return false; }
	const char *name() const override { return "kvm"; }
	Status admit(Gfn, Pfn pfn, unsigned) override
	{
		return kapi_arch_assigned(pfn.value) == 0 ? error(EIO) : Status{};
	}
};

Status KvmArchPlatform::prepare(struct kvm *kvm, Gfn gfn, Pfn pfn, unsigned order)
{
	GMEM_CHECK(Status{ kapi_arch_prepare(kvm, gfn.value, pfn.value, order) });
	/* Its 2 MiB entry, or else only the first frame's. */
	for (std::uint64_t i = 1; i < 1ull << order; i++) {
		if (kapi_arch_assigned(pfn.value + i) != 0)
			continue;

		const Status status{ kapi_arch_prepare(kvm, gfn.value + i, pfn.value + i, 0) };

		if (!status.ok()) {
			/* All or nothing; or else it is a block that must not be freed. */
			return reclaim(pfn, i).ok() ? status : kHalfDone;
		}
	}
	return Status{};
}

Status KvmArchPlatform::reclaim(Pfn pfn, std::uint64_t count)
{
	Status result;

	kapi_arch_reclaim(pfn.value, count);
	for (std::uint64_t i = 0; i < count; i++) {
		if (is_hosts(pfn + i))
			continue;
		kapi_stat_add(KAPI_STAT_REPORTS, 1);
		kapi_report("frame %#llx is still assigned to a guest: leaked",
			    static_cast<unsigned long long>(pfn.value + i));
		result = error(EIO);
	}
	return result;
}

constinit PlainPlatform plain;
constinit KvmArchPlatform kvm_arch;

/* VMs on the models; under the lock of the list. */
constinit ModelVm *models;

using ListGuard = OnlyGuard<kapi_platforms_lock, kapi_platforms_unlock>;

} /* namespace */

Result<ModelVm *> ModelVm::of(struct kvm *vm, Result<ModelVm *> (*create)(struct kvm *))
{
	ListGuard guard;

	for (ModelVm *model = models; model; model = model->next_) {
		if (model->vm_ == vm) {
			model->uses_++;
			return model;
		}
	}

	if (!create)
		return error(ENOENT);

	GMEM_TRY(model, create(vm));
	model->next_ = models;
	models = model;
	return model;
}

void ModelVm::hold()
{
	ListGuard guard;

	uses_++;
}

void ModelVm::drop()
{
	/* The VM may go with its platform, and must not do so under the lock. */
	struct kvm *const vm = vms_ ? nullptr : vm_;

	if (vm)
		kapi_kvm_get(vm);
	{
		ListGuard guard;

		if (--uses_ == 0) {
			ModelVm **link = &models;

			while (*link != this)
				link = &(*link)->next_;
			*link = next_;
			destroy();
		}
	}
	if (vm)
		kapi_kvm_put(vm);
}

void ModelVm::vm_gone(struct kvm *vm)
{
	ModelVm *model;

	{
		ListGuard guard;

		for (model = models; model; model = model->next_) {
			if (model->vms_ && model->vm_ == vm)
				break;
		}
		/* Another VM may come to lie where this one did. */
		if (model)
			model->vm_ = nullptr;
	}
	if (model)
		model->drop();
}

void ModelVm::show_launches(void *seq, bool steps)
{
	ListGuard guard;

	for (ModelVm *model = models; model; model = model->next_)
		model->show_launch(seq, steps);
}

bool memory_is_plain(struct kvm *kvm)
{
	const unsigned long type = kapi_kvm_type(kvm);

	return type == KAPI_VM_DEFAULT ||
	       (type == KAPI_VM_SW_PROTECTED && kapi_setting_platform() == KAPI_PLATFORM_NONE);
}

Result<Platform *> platform_for(struct kvm *kvm)
{
	if (kapi_kvm_type(kvm) > KAPI_VM_SW_PROTECTED)
		return &kvm_arch;
	if (memory_is_plain(kvm))
		return &plain;

	GMEM_TRY(model, ModelVm::of(kvm, kapi_setting_platform() == KAPI_PLATFORM_SNP_MODEL
						 ? SnpPlatform::create
						 : TdxPlatform::create));
	return model;
}

} /* namespace gmem */

void gmem_launches_show(void *seq, bool steps)
{
	gmem::ModelVm::show_launches(seq, steps);
}
