// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch by KVM's own commands (mmu/sev.cc): what each needs to have come before, what the
 * launch measures to, and that a VM that goes at any step leaves nothing.
 *
 * Tests: mmu/sev.cc, mmu/accesses.cc, arch/x86/snp_steps.h.
 */
#include "mmu/sev.h"

#include <string>
#include <vector>

#include <uapi/gmem.h>

#include "arch/x86/snp_platform.h"
#include "kapi/sev.h"
#include "kunit/fakes/trace.h"
#include "kunit/hosted/id_vector.h"
#include "kunit/hosted/snp_vm.h"

using namespace gmem_test;

namespace
{

/* A page-aligned page of user space's. */
struct alignas(4096) UserPage {
	unsigned char bytes[4096];
};

UserPage the_page;

void kvms_own_are_left_to_it()
{
	const Setting setting;
	struct kvm *const vm = fake::vm_create(fake::kDefaultVm);

	fake::stock().knows_no_snp = false;
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSnpVm), 0);
	EXPECT(!kapi_kvm_is_snp_model(vm));
	EXPECT_EQ(kapi_kvm_type(vm), fake::kSnpVm);
	kapi_kvm_put(vm);
}

void only_with_the_model()
{
	const Setting setting;
	struct kvm *const vm = fake::vm_create(fake::kDefaultVm);

	for (const kapi_platform platform : { KAPI_PLATFORM_NONE, KAPI_PLATFORM_TDX_MODEL }) {
		fake::set_platform(platform);
		EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSnpVm), -EINVAL);
	}
	kapi_kvm_put(vm);
}

void one_after_the_other()
{
	const Setting setting;
	SnpVm vm;

	EXPECT(kapi_kvm_is_snp_model(vm.vm));
	EXPECT_EQ(kapi_kvm_type(vm.vm), fake::kSwProtectedVm);
	EXPECT_EQ(vm.start(), -ENOTTY);
	EXPECT_EQ(vm.finish(), -ENOTTY);
	EXPECT_EQ(vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL), -EINVAL);
	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.init(), -EPERM);
	EXPECT_EQ(vm.finish(), -EINVAL);
	EXPECT_EQ(vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL), -EINVAL);
	EXPECT_EQ(vm.start(), 0);
	EXPECT_EQ(vm.error, 0u);
	EXPECT_EQ(vm.start(), -EINVAL);
	EXPECT_EQ(vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL), -EINVAL);
	REQUIRE(vm.add_memory());
	EXPECT_EQ(vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL), 0);
	EXPECT_EQ(vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL), -EIO);
	EXPECT(!vm.vm->launched);
	EXPECT_EQ(vm.finish(), 0);
	EXPECT(vm.vm->launched);
	EXPECT_EQ(vm.finish(), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_INVALID_GUEST_STATE);
	EXPECT_EQ(vm.update(1, &the_page, 1, GMEM_PAGE_NORMAL), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_INVALID_GUEST_STATE);
}

void a_start_that_fails_can_be_repeated()
{
	const Setting setting;
	SnpVm vm;

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(kPolicy | 0xff00), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_POLICY_FAILURE);
	for (const std::uint64_t policy : { 0ul, 0x10000ul, 0x20000ul, 0x40000ul | kPolicy,
					    0x100000ul | kPolicy, 1ul << 21 | kPolicy })
		EXPECT_EQ(vm.start(policy), -EINVAL);
	EXPECT_EQ(vm.start(), 0);
}

/* Where the context of one that failed lay may be another guest's. */
void a_start_that_fails_leaves_other_guests_alone()
{
	const Setting setting;

	for (unsigned n = 1; n < 5; n++) {
		SnpVm failing, other;

		EXPECT_EQ(failing.init(), 0);
		EXPECT_EQ(failing.start(kPolicy | 0xff00), -EIO);
		EXPECT_EQ(other.init(), 0);
		EXPECT_EQ(other.start(), 0);
		fake::fail_nth(n);
		(void)failing.start();
		fake::fail_nth(0);
		EXPECT_EQ(other.finish(), 0);
	}
}

void files_ioctls_are_not_for_it()
{
	const Setting setting;
	SnpVm vm;
	gmem_launch_populate populate{};
	gmem_launch_finish finish{};

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(), 0);
	REQUIRE(vm.add_memory());

	struct file *const handle = fake::file_at(vm.fd);
	void *const core = kapi_file_core(handle);

	populate.source = reinterpret_cast<std::uintptr_t>(&the_page);
	populate.npages = 1;
	populate.type = GMEM_PAGE_NORMAL;
	EXPECT_EQ(gmem_file_populate(handle, core, &populate), -EOPNOTSUPP);
	EXPECT_EQ(gmem_file_finish(core, &finish), -EOPNOTSUPP);
	fake::return_to_user();
	EXPECT_EQ(vm.finish(), 0);
}

/* Nothing but the launch gives a page to a guest that has not been launched. */
void no_guest_runs_before()
{
	const Setting setting;
	SnpVm vm;

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(), 0);
	REQUIRE(vm.add_memory());
	EXPECT_EQ(fake::fault(vm.vm, 5), -EINVAL);
	EXPECT_EQ(vm.finish(), 0);
	EXPECT_EQ(fake::fault(vm.vm, 5), 0);
}

/* The launch of @vm, of a page of each kind and its vCPUs, as the digest has it. */
Sha384Digest expected(int vcpus)
{
	Result<SnpDigest> made = SnpDigest::create();
	SnpDigest &digest = made.value();
	std::vector<std::uint8_t> area(kPageSize);

	EXPECT(digest.add_page(SnpPageType::Normal, 0, the_page.bytes).ok());
	EXPECT(digest.add_page(SnpPageType::Zero, kPageSize, {}).ok());
	EXPECT(digest.add_page(SnpPageType::Secrets, 2 * kPageSize, {}).ok());
	EXPECT(digest.add_page(SnpPageType::Unmeasured, 3 * kPageSize, {}).ok());
	for (int nr = 0; nr < vcpus; nr++) {
		fake::fill_vmsa(area.data(), static_cast<unsigned>(nr), 1);
		EXPECT(digest.add_page(SnpPageType::Vmsa, 0xfffffffff000, area).ok());
	}
	return digest.value();
}

bool launch_pages_of_each_kind(SnpVm &vm)
{
	return vm.init() == 0 && vm.start() == 0 && vm.add_memory() &&
	       vm.update(0, &the_page, 1, GMEM_PAGE_NORMAL) == 0 &&
	       vm.update(1, nullptr, 1, GMEM_PAGE_ZERO) == 0 &&
	       vm.update(2, &the_page, 1, GMEM_PAGE_SECRETS) == 0 &&
	       vm.update(3, &the_page, 1, GMEM_PAGE_UNMEASURED) == 0;
}

void all_that_was_launched_is_measured()
{
	const Setting setting;

	the_page.bytes[100] = 7;
	for (const int vcpus : { 0, 1, 3 }) {
		SnpVm vm;

		REQUIRE(launch_pages_of_each_kind(vm));
		vm.vm->vcpus = vcpus;
		EXPECT_EQ(vm.finish(), 0);
		EXPECT(vm.measurement() == expected(vcpus));
	}
}

void vcpus_in_use()
{
	const Setting setting;
	SnpVm vm;

	REQUIRE(launch_pages_of_each_kind(vm));
	vm.vm->vcpus = -EBUSY;
	EXPECT_EQ(vm.finish(), -EBUSY);
	EXPECT(!vm.vm->launched);
	vm.vm->vcpus = 0;
	EXPECT_EQ(vm.finish(), 0);
	EXPECT(vm.measurement() == expected(0));
	/* INIT2 comes before them. */
	SnpVm late;

	late.vm->vcpus = 1;
	EXPECT_EQ(late.init(), -EINVAL);
	late.vm->vcpus = 0;
	EXPECT_EQ(late.init(), 0);
}

/* A vCPU that is in use, whichever it is, has left nothing measured. */
void a_finish_that_is_too_early_can_be_repeated()
{
	const Setting setting;

	for (int busy = 0; busy < 3; busy++) {
		SnpVm vm;

		REQUIRE(launch_pages_of_each_kind(vm));
		vm.vm->vcpus = 3;
		vm.vm->busy_vcpu = busy;
		for (int i = 0; i < 20; i++)
			EXPECT_EQ(vm.finish(), -EBUSY);
		vm.vm->busy_vcpu = -1;
		EXPECT_EQ(vm.finish(), 0);
		EXPECT(vm.measurement() == expected(3));
	}
	EXPECT_EQ(fake::reports(), 0);
}

/* Nor has one that found no memory, whenever. */
void a_finish_without_memory_can_be_repeated()
{
	const Setting setting;
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		SnpVm vm;

		REQUIRE(launch_pages_of_each_kind(vm));
		vm.vm->vcpus = 2;
		fake::fail_nth(n);

		const long ret = vm.finish();

		failed = fake::fail_fired();
		fake::fail_nth(0);
		if (ret == -ENOMEM) {
			EXPECT_EQ(vm.finish(), 0);
			EXPECT(vm.measurement() == expected(2));
		}
	}
	EXPECT_EQ(fake::reports(), 0);
}

/* The page that was refused, and no page before it. */
void a_cpuid_table_comes_back_corrected()
{
	const Setting setting;
	static UserPage tables[3];
	SnpVm vm;

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(), 0);
	REQUIRE(vm.add_memory());
	tables[0].bytes[20] = 5; /* a leaf's function, behind a count of none */
	tables[1].bytes[9] = 1; /* reserved */
	/* That a part is done is no error, and says nothing of one. */
	EXPECT_EQ(vm.update(0, tables, 3, GMEM_PAGE_CPUID), 0);
	EXPECT_EQ(vm.error, ~0u);
	EXPECT_EQ(tables[0].bytes[20], 5);
	EXPECT_EQ(tables[1].bytes[9], 0);
	EXPECT_EQ(vm.update(1, &tables[1], 2, GMEM_PAGE_CPUID), 0);
}

struct Ids {
	unsigned char block[KAPI_SNP_ID_BLOCK_SIZE], auth[KAPI_SNP_ID_AUTH_SIZE];

	Ids()
	{
		std::copy_n(id_vector_block, sizeof(block), block);
		id_vector_auth(auth);
	}
};

long finish_with(SnpVm &vm, Ids &ids, bool author = true)
{
	kapi_snp_finish args{};

	args.id_block_uaddr = reinterpret_cast<std::uintptr_t>(ids.block);
	args.id_auth_uaddr = reinterpret_cast<std::uintptr_t>(ids.auth);
	args.id_block_en = 1;
	args.auth_key_en = author;
	args.host_data[31] = 9;
	return vm.command(KAPI_SNP_LAUNCH_FINISH, &args);
}

void id_blocks()
{
	const Setting setting;
	SnpVm vm;
	Ids ids;

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(), 0);
	REQUIRE(vm.add_memory());
	EXPECT_EQ(finish_with(vm, ids), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_BAD_MEASUREMENT);
	EXPECT_EQ(vm.update(0, nullptr, 1, GMEM_PAGE_ZERO), 0);
	ids.auth[0]++;
	EXPECT_EQ(finish_with(vm, ids), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_INVALID_PARAM);
	ids.auth[0]--;
	ids.auth[0x50]++;
	EXPECT_EQ(finish_with(vm, ids), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_BAD_SIGNATURE);
	ids.auth[0x50]--;
	EXPECT_EQ(finish_with(vm, ids), 0);
	EXPECT_EQ(vm.error, 0u);

	SnpPlatform &platform =
		static_cast<SnpPlatform &>(File::of(fake::file_at(vm.fd))->inode().platform());

	EXPECT_EQ(platform.guest().host_data[31], 9);
	EXPECT(std::equal(platform.guest().id_keys.id.begin(), platform.guest().id_keys.id.end(),
			  id_vector_id_digest));
	EXPECT(std::equal(platform.guest().id_keys.author.begin(),
			  platform.guest().id_keys.author.end(), id_vector_author_digest));
}

/* By then hardware would have encrypted what would be read. */
void vcpus_are_not_measured_again()
{
	const Setting setting;
	SnpVm vm;
	Ids ids;

	REQUIRE(launch_pages_of_each_kind(vm));
	vm.vm->vcpus = 2;
	EXPECT_EQ(finish_with(vm, ids), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_BAD_MEASUREMENT);
	EXPECT_EQ(vm.finish(), -EINVAL);
	vm.vm->vcpus = 3;
	EXPECT_EQ(vm.finish(), -EINVAL);
	EXPECT(!vm.vm->launched);

	SnpVm launched;

	REQUIRE(launch_pages_of_each_kind(launched));
	launched.vm->vcpus = 1;
	EXPECT_EQ(launched.finish(), 0);
	EXPECT_EQ(launched.finish(), -EINVAL);
}

void another_policy_than_the_blocks()
{
	const Setting setting;
	SnpVm vm;
	Ids ids;

	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(kPolicy | 1 << 19), 0);
	REQUIRE(vm.add_memory());
	EXPECT_EQ(vm.update(0, nullptr, 1, GMEM_PAGE_ZERO), 0);
	EXPECT_EQ(finish_with(vm, ids), -EIO);
	EXPECT_EQ(vm.error, KAPI_SEV_POLICY_FAILURE);
}

/* After each step, with memory and without. */
void a_vm_that_goes_leaves_nothing()
{
	const Setting setting;

	for (int steps = 0; steps < 5; steps++) {
		for (const bool memory : { false, true }) {
			SnpVm vm;

			vm.vm->vcpus = 0;
			if (steps > 0)
				EXPECT_EQ(vm.init(), 0);
			vm.vm->vcpus = 2;
			if (memory)
				EXPECT(vm.add_memory());
			if (steps > 1)
				EXPECT_EQ(vm.start(), 0);
			if (steps > 2 && memory)
				EXPECT_EQ(vm.update(7, &the_page, 1, GMEM_PAGE_NORMAL), 0);
			if (steps > 3)
				EXPECT_EQ(vm.finish(), 0);
		}
		EXPECT(!SnpPlatform::machine());
		EXPECT_EQ(fake::reports(), 0);
	}
}

/* A file's pages may go after the VM: the platform waits for them. */
void memory_that_outlives_the_vm()
{
	const Setting setting;
	SnpVm vm;

	REQUIRE(launch_pages_of_each_kind(vm));
	EXPECT_EQ(vm.finish(), 0);

	Inode &inode = File::of(fake::file_at(vm.fd))->inode();

	kapi_inode_hold(inode.handle());
	vm.drop_memory();

	struct kvm *const gone = vm.vm;

	kapi_kvm_put(vm.vm);
	vm.vm = nullptr;
	fake::return_to_user();
	EXPECT(SnpPlatform::machine());
	/* One that comes to lie at the same address has none yet. */
	EXPECT(ModelVm::of(gone, nullptr).status() == error(ENOENT));
	/* Another VM is another guest. */
	{
		SnpVm other;

		EXPECT_EQ(other.init(), 0);
		EXPECT_EQ(other.start(), 0);
	}
	kapi_inode_put(inode.handle());
	fake::return_to_user();
	EXPECT(!SnpPlatform::machine());
	EXPECT_EQ(fake::reports(), 0);
}

void asids_run_out_and_come_back()
{
	const Setting setting;

	for (int round = 0; round < 2; round++) {
		std::vector<std::unique_ptr<SnpVm>> vms;
		long ret = 0;

		while (vms.size() < 2000 && ret == 0) {
			vms.push_back(std::make_unique<SnpVm>());
			ret = vms.back()->init();
		}
		EXPECT_EQ(ret, -EBUSY);
		EXPECT_EQ(vms.size(), static_cast<std::size_t>(Rmp::kMaxAsid) + 1);
	}
}

/* As gmem-measure reads them. */
void steps_are_told()
{
	const Setting setting;
	SnpVm vm;
	std::string lines;

	gmem_launches_show(&lines, true);
	EXPECT(lines.empty());
	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(vm.start(), 0);
	REQUIRE(vm.add_memory());
	EXPECT_EQ(vm.update(5, nullptr, 2, GMEM_PAGE_ZERO), 0);
	gmem_launches_show(&lines, true);
	EXPECT(lines == "{\"kind\": \"snp\", \"steps\": [{\"type\": 3, \"gpa\": \"0x5000\"}, "
			"{\"type\": 3, \"gpa\": \"0x6000\"}]}\n");
	for (std::uint64_t gfn = 7; gfn < 300; gfn++)
		EXPECT_EQ(vm.update(gfn, &the_page, 1, GMEM_PAGE_NORMAL), 0);
	lines.clear();
	gmem_launches_show(&lines, true);
	EXPECT(lines.find("\"gpa\": \"0x12b000\", \"contents\": \"") != std::string::npos);
	lines.clear();
	gmem_launches_show(&lines, false);
	EXPECT(lines.starts_with("launching "));
	EXPECT_EQ(vm.finish(), 0);
	lines.clear();
	gmem_launches_show(&lines, false);
	EXPECT(lines.starts_with("launched "));
	EXPECT(lines.ends_with(" policy 0x30000\n"));
}

void commands_are_told()
{
	const Setting setting;
	SnpVm s;

	REQUIRE(s.add_memory());
	fake::listen(true);
	EXPECT_EQ(s.init(), 0);
	EXPECT_EQ(fake::traces().launch.phase, KAPI_LAUNCH_INIT);
	EXPECT_EQ(s.start(~0ull), -EINVAL);
	EXPECT_EQ(fake::traces().launch.phase, KAPI_LAUNCH_START);
	EXPECT_EQ(fake::traces().launch.ret, -EINVAL);
	EXPECT_EQ(s.start(), 0);
	EXPECT_EQ(s.update(0, &the_page, 1, GMEM_PAGE_NORMAL), 0);
	EXPECT_EQ(fake::traces().launch.phase, KAPI_LAUNCH_POPULATE);
	EXPECT_EQ(fake::traces().launch.done, 1u);
	EXPECT_EQ(s.finish(), 0);
	EXPECT_EQ(fake::traces().launch.phase, KAPI_LAUNCH_FINISH);
	EXPECT(fake::traces().launch.vm == s.vm);
	/* What is no command of a launch is not told. */
	const unsigned told = fake::traces().count[KAPI_TRACE_LAUNCH];

	EXPECT(s.command(KAPI_SEV_LAUNCH_START, nullptr) != 0);
	EXPECT_EQ(fake::traces().count[KAPI_TRACE_LAUNCH], told);
	fake::listen(false);
}

void regions_are_the_vms()
{
	const Setting setting;
	SnpVm vm;
	kapi_enc_region region{ 0x1000, 0x2000 };
	const auto serve = [&](bool add) {
		const long ret = gmem::serve_sev_region(
			vm.vm, reinterpret_cast<std::uintptr_t>(&region), add);

		fake::return_to_user();
		return ret;
	};

	EXPECT_EQ(serve(true), -ENOTTY);
	EXPECT_EQ(serve(false), -ENOTTY);
	EXPECT_EQ(vm.init(), 0);
	EXPECT_EQ(serve(false), -EINVAL);
	EXPECT_EQ(serve(true), 0);
	EXPECT_EQ(serve(true), 0);
	EXPECT_EQ(serve(false), 0);
	region.size++;
	EXPECT_EQ(serve(false), -EINVAL);
	region.size = 0;
	EXPECT_EQ(serve(true), -EINVAL);
	/* One is left for the VM's end. */
	EXPECT_EQ(vm.vm->regions.size(), 1u);
}

/* What it takes fails once, each: the VM can go, and none of it is left. */
void whatever_fails()
{
	const Setting setting;

	for (unsigned n = 1;; n++) {
		SnpVm vm;
		bool failed = false;
		const auto is = [&](long ret) {
			failed |= ret != 0;
			return ret == 0;
		};

		vm.vm->vcpus = 0;
		fake::fail_nth(n);
		if (is(vm.init()) && is(vm.start()) && is(!vm.add_memory()) &&
		    is(vm.update(1, &the_page, 1, GMEM_PAGE_NORMAL))) {
			vm.vm->vcpus = 2;
			is(vm.finish());
		}
		const bool struck = fake::fail_fired();

		fake::fail_nth(0);
		EXPECT(struck || !failed);
		if (!struck)
			break;
		REQUIRE(n < 200);
	}
	EXPECT(!SnpPlatform::machine());
	EXPECT_EQ(fake::reports(), 0);
}

} /* namespace */

GMEM_SUITE(sev, CASE(kvms_own_are_left_to_it), CASE(only_with_the_model), CASE(one_after_the_other),
	   CASE(a_start_that_fails_can_be_repeated),
	   CASE(a_start_that_fails_leaves_other_guests_alone), CASE(files_ioctls_are_not_for_it),
	   CASE(no_guest_runs_before), CASE(all_that_was_launched_is_measured), CASE(vcpus_in_use),
	   CASE(a_finish_that_is_too_early_can_be_repeated),
	   CASE(a_finish_without_memory_can_be_repeated), CASE(vcpus_are_not_measured_again),
	   CASE(a_cpuid_table_comes_back_corrected), CASE(id_blocks),
	   CASE(another_policy_than_the_blocks), CASE(a_vm_that_goes_leaves_nothing),
	   CASE(memory_that_outlives_the_vm), CASE(asids_run_out_and_come_back),
	   CASE(steps_are_told), CASE(commands_are_told), CASE(regions_are_the_vms),
	   CASE(whatever_fails));
