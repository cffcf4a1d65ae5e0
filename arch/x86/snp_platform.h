/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM on the SNP model: what KVM's SNP code does to pages of guest_memfd, done
 * to the model, with each of its rules checked on the way.
 */
#ifndef GMEM_ARCH_X86_SNP_PLATFORM_H
#define GMEM_ARCH_X86_SNP_PLATFORM_H

#include "arch/x86/model_vm.h"
#include "arch/x86/snp_chip.h"
#include "arch/x86/snp_model.h"
#include "arch/x86/snp_vcpu.h"
#include "gmem/bitmap.h"
#include "gmem/locks.h"
#include "gmem/xarray.h"

namespace gmem
{

/* What all VMs share. */
struct SnpMachine {
	SnpMachine() { asids.set(0); /* the hypervisor's */ }

	Rmp rmp;
	/* The list's lock is held. */
	SnpFirmware firmware{ rmp, SnpChip::get() };
	Bitmap<1024> asids; /* in use; under the lock of the list of VMs */
};

class SnpPlatform final : public ModelVm {
    public:
	/* For ModelVm::of(). -ENOMEM; -ENOSPC: no ASID is left; -EIO. */
	static Result<ModelVm *> create(struct kvm *vm);
	/* The same of a VM whose launch is by commands, below. -ENOMEM. */
	static Result<ModelVm *> create_for_commands(struct kvm *vm);
	/* For tests; NULL while no VM is on the model. */
	static SnpMachine *machine();

	/* @by_commands: the launch is, and the platform is the VM's. */
	explicit SnpPlatform(struct kvm *vm, bool by_commands = false)
		: ModelVm(vm, by_commands), by_commands_(by_commands), lock_(KAPI_LOCK_VM_MODEL)
	{
	}
	~SnpPlatform();
	/* For Machine::add(). */
	Status launch();

	/*
	 * What KVM's commands do, one of a VM's at a time; each sleeps. What the firmware
	 * says comes back in the last argument, where it has been asked.
	 *
	 * init: -EINVAL a second time; -EBUSY: no ASID is left. @knowing: the guest is to know
	 * that it is one of SNP's (docs/snp-guest.md).
	 */
	Status init(std::uint64_t vmsa_features, unsigned ghcb_version, bool knowing);
	bool initialized() const { return asid_ != 0; }
	std::uint64_t vmsa_features() const { return vmsa_features_; }
	bool knowing() const { return knowing_; }
	unsigned ghcb_version() const { return ghcb_version_; }
	/* What a guest keeps there for its vCPUs. */
	std::atomic<std::uint64_t> &jump_table() { return jump_table_; }
	/* -EIO; -ENOMEM. */
	Status start(const SnpLaunchStart &start, SnpStatus &status);
	bool started() const { return gctx_ != nullptr; }
	/*
	 * Keeps @vmsa as the save area of one more vCPU, in front of those that are kept, until
	 * the VM goes or drop_vmsas(). -ENOMEM.
	 */
	Status push_vmsa(ConstBytes vmsa);
	/* Measures all of them; none twice. -EIO, -EBUSY, -ENOMEM: a part may have been. */
	Status measure_vmsas(SnpStatus &status);
	bool vmsas_measured() const { return vmsas_ && vmsas_->measured; }
	void drop_vmsas();
	Status finish(const SnpLaunchFinish &finish, SnpStatus &status);

	/* The guest's instructions, on its page at @gfn that has @pfn. Each sleeps. */
	RmpAnswer pvalidate(Gfn gfn, Pfn pfn, RmpSize size, bool validate);
	RmpAnswer rmpadjust(Gfn gfn, Pfn pfn, RmpSize size, const RmpAdjust &adjust);
	/* Whether the guest may access its page at @gfn, which has @pfn. Sleeps. */
	bool is_validated(Gfn gfn, Pfn pfn);
	/*
	 * Its message to the firmware, as SnpFirmware has it; one at a time. -EINTR: killed
	 * before. Sleeps.
	 */
	Result<SnpStatus> request(SnpMessage request, SnpMessage answer);
	/* For a misdeed (guest/misdeeds.h), a copy of the last answer to it. -ENOMEM. Sleeps. */
	Status keep_answer(std::span<const std::uint8_t, kPageSize> answer);
	/* False: there is none. Sleeps. */
	bool copy_answer(std::span<std::uint8_t, kPageSize> to);
	/*
	 * What is kept of the vCPU with the number @nr, whose own task alone calls these. NULL:
	 * nothing yet; the other makes it. -ENOMEM.
	 */
	const SnpVcpu *vcpu_if_kept(unsigned nr) const { return vcpus_.load(nr); }
	Result<SnpVcpu *> vcpu(unsigned nr);

	/*
	 * Save areas of vCPUs, by the number of each (snp_ap.cc). Any task.
	 *
	 * The next reset of the vCPU gives it the save area at @gpa, or SnpSaveArea::kNone. @now:
	 * that reset is requested, and the one that it has is out of use from here on. -ENOMEM.
	 */
	Status give_save_area(struct kvm_vcpu *vcpu, std::uint64_t gpa, bool now);
	/*
	 * At a reset: whether that is so, and which; it has none from here on. No reset is requested
	 * any more: one that has nothing to take would be an INIT that nobody has sent.
	 */
	bool take_save_area(struct kvm_vcpu *vcpu, std::uint64_t &gpa);
	/* It runs from the guest's page at @gfn that has @pfn: Rmp::enter_vmsa(). And no more. */
	RmpAnswer enter_save_area(unsigned nr, Gfn gfn, Pfn pfn);
	void leave_save_area(unsigned nr);
	/* For the vCPU's own task; NULL: the guest has never given it one. */
	SnpSaveArea *save_area(unsigned nr) { return save_areas_.load(nr); }

	Status prepare(struct kvm *vm, Gfn gfn, Pfn pfn, unsigned order) override;
	Status reclaim(Pfn pfn, std::uint64_t count) override;
	bool is_hosts(Pfn pfn) override;
	unsigned max_order() const override { return kRunOrder; }
	bool pages_join() const override { return false; }
	const char *name() const override { return "snp-model"; }
	Status admit(Gfn gfn, Pfn pfn, unsigned order) override;
	Status split(Pfn pfn) override;
	Status may_populate(PageContent &content) override;
	Status populate(Gfn gfn, Pfn pfn, PageContent &content) override;
	Status finish(std::uint64_t &firmware_error) override;
	Status measurement(Measurement &out) override;
	void show_launch(void *seq, bool steps) override;

	const SnpGuest &guest() const { return guest_; }

    private:
	void destroy() override { Destroy{}(this); }
	Status broken(Pfn pfn, const char *what);
	Status make_hypervisors(Pfn pfn, RmpSize size, Patience &patience);
	Status reclaim_entry(Pfn pfn, const RmpEntry &entry, std::uint64_t count,
			     Patience &patience);
	Status undo_populate(Pfn pfn);
	Status take_asid();
	Status begin(const SnpLaunchStart &start, SnpStatus &status);
	void end();
	Status assign_immutable(Pfn pfn, std::uint64_t gpa);
	SnpStatus launch_update(Pfn pfn, RmpSize size, std::uint8_t type);

	/* The save area of a vCPU. */
	struct Vmsa {
		PageRef page;
		bool measured = false;
		Own<Vmsa> next;
	};

	Status measure_vmsa(Vmsa &area, SnpStatus &status);
	void leave(unsigned nr, SnpSaveArea &area);

	const bool by_commands_;
	std::atomic<bool> launched_{ false };
	Mutex lock_; /* of the guest: its commands come one at a time */
	SnpGuest guest_;
	struct page *gctx_ = nullptr;
	std::uint32_t asid_ = 0; /* 0: none yet */
	/* Of the commands alone, which kvm->lock lets in one at a time. */
	std::uint64_t vmsa_features_ = 0;
	Own<Vmsa> vmsas_;
	unsigned ghcb_version_ = 0;
	std::atomic<std::uint64_t> jump_table_{ 0 };
	Own<std::array<std::uint8_t, kPageSize>> answer_; /* under lock_ */
	std::atomic<bool> knowing_{ false }; /* does not change once there is a vCPU */
	XArray<SnpVcpu> vcpus_; /* by the number of each */
	XArray<SnpSaveArea> save_areas_; /* the same; what they say, under lock_ */
};

using SnpPlatformRef = Ref<SnpPlatform, drop_platform<SnpPlatform>>;

/* A use of the platform of a VM of SNP's type; none: the VM has none. */
SnpPlatformRef snp_platform_of(struct kvm *kvm);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_PLATFORM_H */
