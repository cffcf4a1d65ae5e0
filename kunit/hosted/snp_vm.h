/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM of SNP's type for the hosted suites, launched by KVM's own commands.
 */
#ifndef GMEM_HOSTED_SNP_VM_H
#define GMEM_HOSTED_SNP_VM_H

#include <algorithm>

#include <uapi/gmem.h>

#include "arch/x86/snp_platform.h"
#include "kapi/sev.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/platform.h"
#include "kunit/fakes/sev.h"
#include "kunit/hosted/guest.h"
#include "mmu/sev.h"

namespace gmem_test
{

inline constexpr std::uint64_t kNpages = 1024;
inline constexpr std::uint64_t kPolicy = 0x30000;

/* The machine has the model, and KVM no VMs of SNP's type. */
struct Setting {
	Setting()
	{
		fake::set_platform(KAPI_PLATFORM_SNP_MODEL);
		fake::stock().knows_no_snp = true;
	}
	~Setting()
	{
		fake::set_platform(KAPI_PLATFORM_NONE);
		fake::set_snp_guests(KAPI_SNP_GUESTS_ASKED);
		fake::stock().knows_no_snp = false;
		(void)fake::reports();
	}
};

class SnpVm {
    public:
	SnpVm() : vm(fake::vm_create(fake::kDefaultVm))
	{
		std::fill(vm->is_private.begin(), vm->is_private.end(), true);
		EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSnpVm), 0);
	}
	~SnpVm()
	{
		drop_memory();
		if (vm)
			kapi_kvm_put(vm);
		fake::return_to_user();
	}
	SnpVm(const SnpVm &) = delete;
	SnpVm &operator=(const SnpVm &) = delete;

	/* -EIO has the firmware's status in @error. */
	long command(unsigned id, void *data, int node = fake::kSevNode)
	{
		kapi_sev_cmd cmd{ id, 0, reinterpret_cast<std::uintptr_t>(data), ~0u, node };
		const long ret = gmem::serve_sev_command(vm,
							 reinterpret_cast<std::uintptr_t>(&cmd));

		error = cmd.error;
		fake::return_to_user();
		return ret;
	}
	long init(std::uint64_t vmsa_features = 0)
	{
		kapi_sev_init args{};

		args.vmsa_features = vmsa_features;
		return command(KAPI_SEV_INIT2, &args);
	}
	long start(std::uint64_t policy = kPolicy)
	{
		kapi_snp_start args{};

		args.policy = policy;
		return command(KAPI_SNP_LAUNCH_START, &args);
	}
	long update(std::uint64_t gfn, void *source, std::uint64_t npages, unsigned type)
	{
		kapi_snp_update args{};

		args.gfn_start = gfn;
		args.uaddr = reinterpret_cast<std::uintptr_t>(source);
		args.len = npages * kPageSize;
		args.type = static_cast<unsigned char>(type);
		return command(KAPI_SNP_LAUNCH_UPDATE, &args);
	}
	long finish()
	{
		kapi_snp_finish args{};

		return command(KAPI_SNP_LAUNCH_FINISH, &args);
	}
	bool add_memory()
	{
		fd = world_create(vm, kNpages * kPageSize, 0);
		return fd >= 0 && fake::slot_add(vm, 0, kNpages, fd, 0, &slot) == 0;
	}
	void drop_memory()
	{
		if (slot)
			fake::slot_delete(vm, slot);
		if (fd >= 0)
			world_close(fd);
		slot = nullptr;
		fd = -1;
	}
	Sha384Digest measurement() const
	{
		gmem_launch_measurement args{};
		Sha384Digest digest;

		EXPECT_EQ(gmem_file_measurement(kapi_file_core(fake::file_at(fd)), &args), 0);
		std::copy_n(args.digest, digest.size(), digest.begin());
		return digest;
	}

	struct kvm *vm;
	struct kvm_memory_slot *slot = nullptr;
	int fd = -1;
	unsigned error = 0;
};

} /* namespace gmem_test */

#endif /* GMEM_HOSTED_SNP_VM_H */
