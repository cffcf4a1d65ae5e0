// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for memslots on mappable files, default VMs whose memory is such a file, and what
 * is offered to which VM.
 *
 * Tests: mmu/slots.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr unsigned kGmemFlag = 1u << 2, kDirtyFlag = 1u << 0;

/* KVM_SET_USER_MEMORY_REGION2 of a default VM; pages. */
long region2(struct kvm *vm, unsigned id, std::uint64_t gfn, std::uint64_t npages, int fd,
	     std::uint64_t offset, unsigned flags = kGmemFlag, std::uint64_t user_addr = 0)
{
	const fake::Region2 request{ { id, flags, gfn * kPageSize, npages * kPageSize, user_addr },
				     { offset * kPageSize, static_cast<unsigned>(fd) } };

	return fake::request_region2(vm, request);
}

void default_vms_run_from_the_file_alone()
{
	Guest g{ 1024, kInitShared, fake::kDefaultVm };
	unsigned order = 99;

	EXPECT_EQ(region2(g.vm, 3, 512, 1024, g.file.fd, 0), 0);
	EXPECT_EQ(g.access(600, &order), 0);
	EXPECT_EQ(order, kRunOrder);
	EXPECT(g.write(600, 66));
	EXPECT_EQ(g.file.user_read(88), 66u);
	EXPECT_EQ(g.file.punch(0, 512), 0);
	EXPECT_EQ(g.read(600), 0u);
	/* Nothing converts. */
	EXPECT_EQ(g.file.convert(0, 1, Share::kPrivate), -EINVAL);
	EXPECT(fake::set_attributes(g.vm, 512, 513, true) <= 0);
	EXPECT(g.file.shared(0, 1024));
	/* Deleted with size 0, bound anew elsewhere. */
	EXPECT_EQ(region2(g.vm, 3, 512, 0, g.file.fd, 0), 0);
	EXPECT_EQ(g.access(600), -ENOENT);
	EXPECT_EQ(region2(g.vm, 3, 0, 512, g.file.fd, 512, kGmemFlag, 0x7000000), 0);
	EXPECT_EQ(g.access(5), 0);
	/* The file goes first. */
	g.file.close();
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(g.access(5), -EFAULT);
}

/* Without GUEST_MEMFD_FLAG_INIT_SHARED user space may not see what the guest may. */
void a_default_vm_may_have_private_pages()
{
	Guest g{ 1024, kMmap, fake::kDefaultVm };

	EXPECT_EQ(region2(g.vm, 0, 0, 1024, g.file.fd, 0), 0);
	EXPECT(g.write(5, 55));
	EXPECT_EQ(g.file.touch(5), -EFAULT);
	EXPECT_EQ(g.order(5), static_cast<int>(kRunOrder));
}

void requests_for_shared_memslots_are_checked()
{
	Guest g{ 1024, kInitShared, fake::kDefaultVm };
	const GuestFile plain{ g.vm, 1024, 0 };
	const int foreign = world_foreign_fd();
	struct kvm *const vm = g.vm;

	EXPECT_EQ(region2(vm, 0, 0, 1024, 9999, 0), -EBADF);
	EXPECT_EQ(region2(vm, 0, 0, 1024, foreign, 0), -EINVAL);
	EXPECT_EQ(region2(vm, 0, 0, 1024, plain.fd, 0), -EINVAL);
	EXPECT_EQ(region2(vm, 0, 0, 1025, g.file.fd, 0), -EINVAL);
	EXPECT_EQ(region2(vm, 0, 0, 1024, g.file.fd, 1), -EINVAL);
	EXPECT_EQ(region2(vm, 0, 0, 1024, g.file.fd, ~0ull >> 12), -EINVAL);
	EXPECT_EQ(region2(vm, fake::kUserSlots, 0, 1024, g.file.fd, 0), -EINVAL);
	/* An offset within a page. */
	const fake::Region2 odd{ { 0, kGmemFlag, 0, kPageSize, 0 },
				 { 1, static_cast<unsigned>(g.file.fd) } };

	EXPECT_EQ(fake::request_region2(vm, odd), -EINVAL);
	EXPECT_EQ(File::of(g.file.handle)->bindings().first_overlapping(pages(0, 1024)) == nullptr,
		  true);
	/* Deleting what there is not. */
	EXPECT_EQ(region2(vm, 0, 0, 0, g.file.fd, 0), -EINVAL);

	EXPECT_EQ(region2(vm, 0, 0, 512, g.file.fd, 0), 0);
	/* It can only be deleted; its place in the file and among gfns is taken. */
	EXPECT_EQ(region2(vm, 0, 0, 512, g.file.fd, 0), -EINVAL);
	EXPECT_EQ(region2(vm, 1, 4096, 512, g.file.fd, 0), kapi_kvm_overlap_error());
	EXPECT_EQ(region2(vm, 1, 100, 512, g.file.fd, 512), -EEXIST);
	EXPECT_EQ(region2(vm, 1, 512, 512, g.file.fd, 512), 0);
	/* Another VM's file. */
	struct kvm *const other = world_vm(fake::kDefaultVm);

	EXPECT_EQ(region2(other, 0, 0, 512, g.file.fd, 0), -EINVAL);
	world_vm_put(other);
	world_close(foreign);
}

/* Another process, or a VM that KVM has given up. */
void a_vm_that_is_not_usable()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };

	fake::set_vm_usable(false);
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), -EIO);
	fake::set_vm_usable(true);
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), 0);
}

void what_fails_of_a_shared_memslot_leaves_nothing()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };

	for (unsigned n = 1;; n++) {
		fake::fail_nth(n);
		const long ret = region2(g.vm, 0, 0, 512, g.file.fd, 0);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		if (!fired) {
			EXPECT_EQ(ret, 0);
			EXPECT(n > 3);
			break;
		}
		EXPECT(ret == -ENOMEM || ret == -EFAULT);
		EXPECT(!File::of(g.file.handle)->bindings().first_overlapping(pages(0, 512)));
		EXPECT_EQ(g.access(5), -ENOENT);
	}
	/* KVM's own part of it. */
	EXPECT_EQ(region2(g.vm, 0, 0, 0, g.file.fd, 0), 0);
	fake::stock().answer = -EINTR;
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), -EINTR);
	fake::stock().answer = 0;
	EXPECT(!File::of(g.file.handle)->bindings().first_overlapping(pages(0, 512)));
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), 0);
}

/*
 * KVM would make a new memslot of one whose flags change, and free the one that the
 * file knows.
 */
void memslots_on_files_do_not_change()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };

	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), 0);
	EXPECT_EQ(fake::request_region(g.vm, { 0, kDirtyFlag, 0, 512 * kPageSize, 0 }), -EINVAL);
	EXPECT_EQ(fake::request_region(g.vm, { 0, 0, 512 * kPageSize, 512 * kPageSize, 0 }),
		  -EINVAL);
	EXPECT_EQ(g.access(5), 0);
	EXPECT_EQ(g.file.punch(0, 512), 0);
	/* Deleting it by the older ioctl works. */
	EXPECT_EQ(fake::request_region(g.vm, { 0, 0, 0, 0, 0 }), 0);
	EXPECT_EQ(g.access(5), -ENOENT);
}

void other_requests_are_kvms_own()
{
	Guest g{ 512, kInitShared };
	const unsigned long before = fake::stock_vm_ioctls();

	/* A VM with private memory; other flags; the older ioctl. */
	EXPECT_EQ(region2(g.vm, 0, 8192, 512, g.file.fd, 0), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 1);
	Guest d{ 512, kInitShared, fake::kDefaultVm };

	EXPECT_EQ(region2(d.vm, 0, 0, 512, d.file.fd, 0, kGmemFlag | kDirtyFlag), 0);
	EXPECT_EQ(fake::request_region(d.vm, { 0, kGmemFlag, 0, 512 * kPageSize, 0 }), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 3);
	/* No request of gmem's is under way: KVM's prepare runs as it is. */
	d.vm->slots_lock.lock();
	EXPECT_EQ(gmem_kvm_prepare_slot(d.vm, nullptr, nullptr, 0), 0);
	fake::stock().answer = -ENOMEM;
	EXPECT_EQ(gmem_kvm_prepare_slot(d.vm, nullptr, nullptr, 0), -ENOMEM);
	fake::stock().answer = 0;
	d.vm->slots_lock.unlock();
}

/* A part of KVM could not be taken over: there are no mappable files. */
void without_kvms_functions_nothing_is_mappable()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm), *const plain = world_vm(0);
	constexpr long kFlags = KVM_CAP_GUEST_MEMFD_FLAGS, kConverts = GMEM_CAP_MEMORY_ATTRIBUTES;
	constexpr int kPrivate = fake::kPrivateAttribute;
	const auto has_files = [](struct kvm *of) {
		return gmem_kvm_check_extension(of, KAPI_CAP_GUEST_MEMFD);
	};

	fake::stock().answer = 0;
	EXPECT_EQ(gmem_kvm_check_extension(vm, kConverts), kPrivate);
	EXPECT_EQ(gmem_kvm_check_extension(plain, kConverts), 0);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kConverts), kPrivate);
	EXPECT_EQ(has_files(plain), 1);
	fake::set_features(~static_cast<unsigned>(KAPI_FEATURE_SHARED));
	EXPECT_EQ(gmem_kvm_check_extension(vm, kConverts), 0);
	EXPECT_EQ(gmem_kvm_check_extension(vm, kFlags), 0);
	EXPECT_EQ(has_files(plain), 0);
	EXPECT_EQ(world_create(vm, kPageSize, kMmap), -EINVAL);
	const unsigned long before = fake::stock_vm_ioctls();

	EXPECT_EQ(region2(plain, 0, 0, 512, 0, 0), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 1);
	fake::set_features(~0u);
	world_vm_put(vm);
	world_vm_put(plain);
}

void flags_by_the_type_of_the_vm()
{
	constexpr long kFlags = KVM_CAP_GUEST_MEMFD_FLAGS;

	for (const unsigned long type :
	     { fake::kDefaultVm, fake::kSwProtectedVm, fake::kSnpVm, fake::kTdxVm }) {
		struct kvm *const vm = world_vm(type);

		EXPECT_EQ(gmem_kvm_check_extension(vm, kFlags), static_cast<int>(kInitShared));
		const GuestFile mmap{ vm, 512, kMmap }, init{ vm, 512, kInitShared };
		const GuestFile only{ vm, 512, GUEST_MEMFD_FLAG_INIT_SHARED };

		EXPECT(mmap.handle && mmap.is_private(0, 512));
		EXPECT(init.handle && init.shared(0, 512));
		/* User space cannot map it: it serves private faults alone. */
		EXPECT(only.handle && only.is_private(0, 512));
		world_vm_put(vm);
	}
	fake::return_to_user();
}

} /* namespace */

GMEM_SUITE(slots, CASE(default_vms_run_from_the_file_alone),
	   CASE(a_default_vm_may_have_private_pages),
	   CASE(requests_for_shared_memslots_are_checked), CASE(a_vm_that_is_not_usable),
	   CASE(what_fails_of_a_shared_memslot_leaves_nothing),
	   CASE(memslots_on_files_do_not_change), CASE(other_requests_are_kvms_own),
	   CASE(without_kvms_functions_nothing_is_mappable), CASE(flags_by_the_type_of_the_vm));
