// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory: files that user space maps, guests' shared accesses, default VMs
 * whose memory is such a file. Conversion is in convert*.cc.
 *
 * Tests: mmu/slots.cc, mmu/faults.cc, gmem/share.cc.
 */
#include "kunit/hosted/share.h"

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

void user_space_maps_shared_pages_only()
{
	const ShareGuest g{ 1024, kMmap };

	EXPECT_EQ(g.file.touch(5), -EFAULT);
	EXPECT(g.file.cached(5) == nullptr);
	EXPECT_EQ(g.file.convert(5, 6, Share::kShared), 0);
	EXPECT_EQ(g.file.user_read(5), 0u);
	EXPECT_EQ(g.file.touch(4), -EFAULT);
	EXPECT_EQ(g.file.touch(6), -EFAULT);
	/* Past the end. */
	EXPECT_EQ(g.file.touch(1024), -EINVAL);
	EXPECT_EQ(g.file.touch(~0ull >> 12), -EINVAL);
}

void user_space_and_guest_see_the_same()
{
	const ShareGuest g{ 1024 };

	EXPECT(g.file.user_write(5, 77));
	EXPECT_EQ(g.read(5), 77u);
	EXPECT(g.write(700, 78));
	EXPECT_EQ(g.file.user_read(700), 78u);
	EXPECT(fake::fault(g.vm, 5) == -ENOENT);
}

void shared_accesses_are_huge()
{
	const ShareGuest g{ 1300 };
	unsigned order = 99;

	EXPECT_EQ(g.access(700, &order), 0);
	EXPECT_EQ(order, kRunOrder);
	EXPECT_EQ(g.order(1023), static_cast<int>(kRunOrder));
	/* Short of a run. */
	EXPECT_EQ(g.access(1100, &order), 0);
	EXPECT_EQ(order, 0u);
	/* Its neighbours were zeroed with it. */
	EXPECT_EQ(g.file.user_read(701), 0u);
}

void shared_accesses_of_a_misaligned_memslot_are_small()
{
	const ShareGuest g{ 2048 };
	struct kvm_memory_slot *slot;
	unsigned order = 99;

	const ShareFile other{ g.vm, 2048, kInitShared };

	EXPECT_EQ(fake::slot_add(g.vm, 4097, 1024, other.fd, 0, &slot), 0);
	EXPECT_EQ(g.access(4700, &order), 0);
	EXPECT_EQ(order, 0u);
	/* User space had the file's run huge: no matter. */
	EXPECT_EQ(other.touch(5), 0);
	EXPECT_EQ(g.access(4701, &order), 0);
	EXPECT_EQ(order, 0u);
	fake::slot_delete(g.vm, slot);
}

void a_poisoned_shared_page_is_an_error_to_all()
{
	const ShareGuest g{ 1024 };

	EXPECT(g.file.user_write(5, 77));
	EXPECT(g.write(6, 78));
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	fake::return_to_user();
	EXPECT(!g.file.mapped(5));
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(g.file.touch(5), -EHWPOISON);
	EXPECT_EQ(g.access(5), -EHWPOISON);
	/* The rest of the run is as it was, and no longer huge. */
	unsigned order = 99;

	EXPECT_EQ(g.access(6, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.file.user_read(6), 78u);
}

void a_punch_takes_user_mappings_out()
{
	const ShareGuest g{ 1024 };

	EXPECT(g.file.user_write(5, 77));
	EXPECT(g.file.user_write(700, 78));
	EXPECT_EQ(g.file.punch(0, 6), 0);
	EXPECT(g.file.cached(5) == nullptr);
	EXPECT(g.file.mapped(700));
	/* Shared still, and empty. */
	EXPECT_EQ(g.file.user_read(5), 0u);
	EXPECT_EQ(g.file.punch(0, 1024), 0);
	EXPECT(!g.file.mapped(700));
	EXPECT_EQ(g.read(700), 0u);
}

void a_pinned_page_outlives_its_punch()
{
	const ShareGuest g{ 512 };
	struct page *const pinned = g.file.pin(5);

	REQUIRE(pinned);
	pinned->content = 77;
	EXPECT_EQ(g.file.punch(0, 512), 0);
	/* The owner of the pin writes to a page that is no file's. */
	EXPECT_EQ(pinned->content.load(), 77u);
	EXPECT_EQ(g.file.user_read(5), 0u);
	fake::user_unpin(pinned);
}

void a_fault_waits_for_a_locked_page()
{
	const ShareGuest g{ 512 };

	EXPECT(g.file.user_write(5, 77));
	struct page *const page = g.file.cached(5);

	kapi_cache_unmap_user(g.file.inode().handle(), 5, 6);
	EXPECT(fake::page_trylock(page));
	struct Touch {
		const ShareGuest &g;
		std::uint64_t content;
	} touch{ g, 0 };
	void *const thread = world_thread(
		[](void *arg) {
			Touch &t = *static_cast<Touch *>(arg);

			t.content = t.g.file.user_read(5);
		},
		&touch);

	fake::page_unlock(page);
	world_join(thread);
	EXPECT_EQ(touch.content, 77u);
}

void without_memory_there_is_no_fault()
{
	const ShareGuest g{ 512 };

	for (unsigned n = 1; n <= 6; n++) {
		fake::fail_nth(n);
		const int ret = g.file.touch(5);

		fake::fail_nth(0);
		EXPECT(ret == 0 || ret == -ENOMEM);
		EXPECT_EQ(g.file.punch(0, 512), 0);
	}
	EXPECT_EQ(g.file.user_read(5), 0u);
}

void default_vms_run_from_the_file_alone()
{
	ShareGuest g{ 1024, kInitShared, fake::kDefaultVm };
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
	ShareGuest g{ 1024, kMmap, fake::kDefaultVm };

	EXPECT_EQ(region2(g.vm, 0, 0, 1024, g.file.fd, 0), 0);
	EXPECT(g.write(5, 55));
	EXPECT_EQ(g.file.touch(5), -EFAULT);
	EXPECT_EQ(g.order(5), static_cast<int>(kRunOrder));
}

void requests_for_shared_memslots_are_checked()
{
	ShareGuest g{ 1024, kInitShared, fake::kDefaultVm };
	const ShareFile plain{ g.vm, 1024, 0 };
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
	ShareGuest g{ 512, kInitShared, fake::kDefaultVm };

	fake::set_vm_usable(false);
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), -EIO);
	fake::set_vm_usable(true);
	EXPECT_EQ(region2(g.vm, 0, 0, 512, g.file.fd, 0), 0);
}

void what_fails_of_a_shared_memslot_leaves_nothing()
{
	ShareGuest g{ 512, kInitShared, fake::kDefaultVm };

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
	ShareGuest g{ 512, kInitShared, fake::kDefaultVm };

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
	ShareGuest g{ 512, kInitShared };
	const unsigned long before = fake::stock_vm_ioctls();

	/* A VM with private memory; other flags; the older ioctl. */
	EXPECT_EQ(region2(g.vm, 0, 8192, 512, g.file.fd, 0), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 1);
	ShareGuest d{ 512, kInitShared, fake::kDefaultVm };

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
		const ShareFile mmap{ vm, 512, kMmap }, init{ vm, 512, kInitShared };
		const ShareFile only{ vm, 512, GUEST_MEMFD_FLAG_INIT_SHARED };

		EXPECT(mmap.handle && mmap.is_private(0, 512));
		EXPECT(init.handle && init.shared(0, 512));
		/* User space cannot map it: it serves private faults alone. */
		EXPECT(only.handle && only.is_private(0, 512));
		world_vm_put(vm);
	}
	fake::return_to_user();
}

/* A memslot of a file that cannot be mapped has its shared memory elsewhere. */
void shared_accesses_of_other_files_are_kvms_own()
{
	const Guest g{ 512 };
	const unsigned long before = fake::stock().slot_pfn;

	fake::set_private(g.vm, 5, 6, false);
	EXPECT_EQ(fake::shared_fault(g.vm, 5), -ENODEV);
	EXPECT_EQ(fake::stock().slot_pfn.load(), before + 1);
	EXPECT_EQ(gmem_kvm_mapping_level(g.vm, g.slot, 5, 2, false), 1);
	EXPECT_EQ(gmem_kvm_slot_pfn(nullptr, 5, false, false, nullptr, true, nullptr, nullptr),
		  fake::kStockPfn);
}

} /* namespace */

GMEM_SUITE(share, CASE(user_space_maps_shared_pages_only), CASE(user_space_and_guest_see_the_same),
	   CASE(shared_accesses_are_huge), CASE(shared_accesses_of_a_misaligned_memslot_are_small),
	   CASE(a_poisoned_shared_page_is_an_error_to_all), CASE(a_punch_takes_user_mappings_out),
	   CASE(a_pinned_page_outlives_its_punch), CASE(a_fault_waits_for_a_locked_page),
	   CASE(without_memory_there_is_no_fault), CASE(default_vms_run_from_the_file_alone),
	   CASE(a_default_vm_may_have_private_pages),
	   CASE(requests_for_shared_memslots_are_checked), CASE(a_vm_that_is_not_usable),
	   CASE(what_fails_of_a_shared_memslot_leaves_nothing),
	   CASE(memslots_on_files_do_not_change), CASE(other_requests_are_kvms_own),
	   CASE(without_kvms_functions_nothing_is_mappable), CASE(flags_by_the_type_of_the_vm),
	   CASE(shared_accesses_of_other_files_are_kvms_own));
