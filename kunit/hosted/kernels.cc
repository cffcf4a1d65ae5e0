// SPDX-License-Identifier: GPL-2.0-only
/*
 * What differs between kernels as the core sees it: a memslot that is prepared and later
 * bound, and shared pages that kvm_gmem_get_pfn() is asked for. All other suites run on
 * these interfaces, too (GMEM_KVM in the environment, kunit/Makefile).
 *
 * Tests: mmu/memslot.cc, mmu/entry.cc.
 */
#include <uapi/gmem.h>

#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* KVM as it is said, until the case is over. */
class Kernel {
    public:
	Kernel(bool binds_in_steps, bool shared_slots) : before_(fake::generation())
	{
		fake::generation() = { binds_in_steps, shared_slots };
	}
	~Kernel() { fake::generation() = before_; }
	Kernel(const Kernel &) = delete;
	Kernel &operator=(const Kernel &) = delete;

    private:
	const fake::Generation before_;
};

/* A memslot between the two steps, not in use yet, and KVM's reference of the file. */
class Prepared {
    public:
	Prepared(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages, int fd,
		 std::uint64_t offset)
		: slot_(fake::slot_make(kvm, gfn, npages)), kvm_(kvm)
	{
		kapi_kvm_slots_lock(kvm);
		error = gmem_kvm_prepare_bind(kvm, slot_.get(), fd, offset);
	}
	~Prepared()
	{
		if (error == 0)
			kapi_file_put(kapi_slot_file(slot_.get()));
		kapi_kvm_slots_unlock(kvm_);
	}
	Prepared(const Prepared &) = delete;
	Prepared &operator=(const Prepared &) = delete;

	int commit() { return gmem_kvm_commit_bind(kvm_, slot_.get()); }
	struct kvm_memory_slot *slot() const { return slot_.get(); }

	int error;

    private:
	std::unique_ptr<kvm_memory_slot> slot_;
	struct kvm *const kvm_;
};

void nothing_is_bound_before_the_commit()
{
	const Kernel kernel{ true, false };
	const TestFile file{ 1024 };
	const struct file &handle = *fake::file_at(file.fd);
	const long references = handle.refs;

	for (const bool commit : { false, true }) {
		Prepared prepared{ file.vm, 0, 512, file.fd, 512 * kPageSize };

		EXPECT_EQ(prepared.error, 0);
		EXPECT_EQ(kapi_slot_pgoff(prepared.slot()), 512u);
		EXPECT_EQ(handle.refs.load(), references + 1);
		EXPECT(File::of(fake::file_at(file.fd))->bindings().load(PageIndex{ 512 }) ==
		       nullptr);
		if (!commit)
			continue;
		EXPECT_EQ(prepared.commit(), 0);
		EXPECT(File::of(fake::file_at(file.fd))->bindings().load(PageIndex{ 512 }) !=
		       nullptr);
		gmem_unbind(prepared.slot());
		/* The unbinding does not know of KVM's reference. */
		kapi_slot_set_file(prepared.slot(), fake::file_at(file.fd), 512);
	}
	EXPECT_EQ(handle.refs.load(), references);
}

void what_is_refused_is_refused_early()
{
	const Kernel kernel{ true, false };
	const TestFile file{ 512 }, other{ 512 };

	EXPECT_EQ(Prepared(file.vm, 0, 512, 9999, 0).error, -EBADF);
	EXPECT_EQ(Prepared(file.vm, 0, 512, other.fd, 0).error, -EINVAL);
	EXPECT_EQ(Prepared(file.vm, 0, 512, file.fd, kPageSize).error, -EINVAL);
	EXPECT_EQ(Prepared(file.vm, 0, 512, file.fd, 1).error, -EINVAL);
	EXPECT_EQ(Prepared(file.vm, 0, 512, file.fd, 1ull << 63).error, -EINVAL);
	EXPECT_EQ(Prepared(file.vm, 0, 512, file.fd, 0).error, 0);
}

void an_overlap_shows_at_the_commit()
{
	const Kernel kernel{ true, false };
	const Guest g{ 512 };
	{
		Prepared prepared{ g.vm, 4096, 1, g.file.fd, 511 * kPageSize };

		EXPECT_EQ(prepared.error, 0);
		EXPECT_EQ(prepared.commit(), -EEXIST);
		EXPECT(kapi_slot_file(prepared.slot()) != nullptr);
	}
	EXPECT_EQ(fake::fault(g.vm, 511), 0);
}

void shared_pages_come_from_the_file()
{
	const Kernel kernel{ true, true };
	const Guest g{ 1024, kInitShared };
	unsigned order = 0;

	EXPECT(g.file.user_write(5, 77));
	EXPECT_EQ(g.access(5, &order), 0);
	EXPECT_EQ(g.read(5), 77u);
	EXPECT_EQ(order, kRunOrder);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(g.read(5), 77u);
	EXPECT_EQ(g.read(600), 0u);
	EXPECT_EQ(fake::shared_fault(g.vm, 5), -ENOENT);
}

/* As SNP's own code asks: it keeps what it gets. */
void who_asks_gets_what_the_attribute_says()
{
	const Kernel kernel{ true, true };
	const Guest g{ 512, kInitShared };
	kapi_u64 pfn;

	for (const bool is_private : { false, true }) {
		if (is_private)
			EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
		EXPECT_EQ(gmem_kvm_get_pfn(g.vm, g.slot, 5, &pfn, nullptr), 0);
		EXPECT_EQ(fake::page_of_pfn(pfn), g.file.cached(5));
		EXPECT_EQ(g.file.convert(0, 512, private_if(!is_private)),
			  is_private ? 0 : -EAGAIN);
		kapi_page_put(fake::page_of_pfn(pfn));
		EXPECT_EQ(g.file.convert(0, 512, private_if(is_private)), 0);
	}
	/* The exported one is for private pages alone, on each kernel. */
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	EXPECT_EQ(gmem_get_pfn(g.vm, g.slot, 5, &pfn, nullptr), -EAGAIN);
}

/* KVM makes them, and finds what it maps for itself by user address. */
void memslots_of_kvms_own_are_left_to_it()
{
	const Kernel kernel{ true, true };
	const Guest g{ 512, kInitShared };
	struct kvm *const plain = world_vm(fake::kDefaultVm);
	{
		const GuestFile file{ plain, 512, kInitShared };
		const unsigned long before = fake::stock().vcpu_map;
		kvm_vcpu vcpu{ g.vm };
		kvm_host_map map;

		fake::request_region2(plain, { { 0, KAPI_MEM_GUEST_MEMFD, 0, 512 * kPageSize, 0 },
					       { 0, static_cast<unsigned>(file.fd) } });
		EXPECT(fake::region_slot(plain, 0) == nullptr);
		EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5, &map, true), fake::stock().answer);
		EXPECT_EQ(fake::stock().vcpu_map, before + 1);
	}
	world_vm_put(plain);
}

/* What KVM does by itself it does with this backend, too, whatever else is not wanted. */
void what_kvm_has_itself_is_no_extension()
{
	const Kernel kernel{ true, true };
	constexpr unsigned kNoExtensions = KAPI_FEATURE_BACKEND | KAPI_FEATURE_SW_PROTECTED;
	constexpr long kFlags = KVM_CAP_GUEST_MEMFD_FLAGS;

	for (const bool tdp_mmu : { true, false }) {
		struct kvm *const plain = world_vm(fake::kDefaultVm);

		fake::set_features(tdp_mmu ? kNoExtensions : ~0u);
		fake::set_tdp_mmu(tdp_mmu);
		EXPECT_EQ(gmem_kvm_check_extension(plain, kFlags), static_cast<int>(kInitShared));
		EXPECT_EQ(gmem_kvm_check_extension(nullptr, kFlags), static_cast<int>(kInitShared));
		for (const long cap :
		     { long{ GMEM_CAP_MEMORY_ATTRIBUTES }, long{ GMEM_CAP_MEMORY_ATTRIBUTES_OLD },
		       long{ KVM_CAP_GUEST_MEMFD_LINK } })
			EXPECT_EQ(gmem_kvm_check_extension(plain, cap), 0);
		{
			const GuestFile shared{ plain, 512, kInitShared };
			const GuestFile not_at_first{ plain, 512, kMmap };

			EXPECT(shared.handle && not_at_first.handle);
			EXPECT(shared.user_write(5, 77));
		}
		world_vm_put(plain);
	}

	/* Nothing can make memory of theirs shared or private. */
	fake::set_features(kNoExtensions);
	fake::set_tdp_mmu(true);
	const Guest g{ 512, kMmap };

	EXPECT_EQ(gmem_kvm_check_extension(g.vm, kFlags), static_cast<int>(kMmap));
	EXPECT_EQ(world_create(g.vm, kPageSize, kInitShared), -EINVAL);
	EXPECT(g.file.handle && g.file.is_private(0, 512));
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), -ENOTTY);
	EXPECT(!g.file.user_write(5, 77));
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 512, true), 0);
	EXPECT_EQ(g.access(5), 0);
	/* A page is for both kinds of accesses then, as KVM's own. */
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 512, false), 0);
	EXPECT_EQ(g.access(5), 0);
	EXPECT(g.file.is_private(0, 512));
	EXPECT(!g.file.user_write(5, 77));
}

} /* namespace */

GMEM_SUITE(kernels, CASE(nothing_is_bound_before_the_commit),
	   CASE(what_is_refused_is_refused_early), CASE(an_overlap_shows_at_the_commit),
	   CASE(shared_pages_come_from_the_file), CASE(who_asks_gets_what_the_attribute_says),
	   CASE(memslots_of_kvms_own_are_left_to_it), CASE(what_kvm_has_itself_is_no_extension));
