// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on shared pages: user space's, through its mapping of the file, and guests', which
 * KVM would serve by a user address.
 *
 * Tests: mmu/faults.cc, gmem/file.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

void user_space_maps_shared_pages_only()
{
	const Guest g{ 1024, kMmap };

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
	const Guest g{ 1024, kInitShared };

	EXPECT(g.file.user_write(5, 77));
	EXPECT_EQ(g.read(5), 77u);
	EXPECT(g.write(700, 78));
	EXPECT_EQ(g.file.user_read(700), 78u);
	EXPECT(fake::fault(g.vm, 5) == -ENOENT);
}

void shared_accesses_are_huge()
{
	const Guest g{ 1300, kInitShared };
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
	const Guest g{ 2048, kInitShared };
	struct kvm_memory_slot *slot;
	unsigned order = 99;

	const GuestFile other{ g.vm, 2048, kInitShared };

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
	const Guest g{ 1024, kInitShared };

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
	const Guest g{ 1024, kInitShared };

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
	const Guest g{ 512, kInitShared };
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
	const Guest g{ 512, kInitShared };

	EXPECT(g.file.user_write(5, 77));
	struct page *const page = g.file.cached(5);

	kapi_cache_unmap_user(g.file.inode().handle(), 5, 6);
	EXPECT(fake::page_trylock(page));
	struct Touch {
		const Guest &g;
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
	const Guest g{ 512, kInitShared };

	for (unsigned n = 1; n <= 6; n++) {
		fake::fail_nth(n);
		const int ret = g.file.touch(5);

		fake::fail_nth(0);
		EXPECT(ret == 0 || ret == -ENOMEM);
		EXPECT_EQ(g.file.punch(0, 512), 0);
	}
	EXPECT_EQ(g.file.user_read(5), 0u);
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

GMEM_SUITE(faults, CASE(user_space_maps_shared_pages_only), CASE(user_space_and_guest_see_the_same),
	   CASE(shared_accesses_are_huge), CASE(shared_accesses_of_a_misaligned_memslot_are_small),
	   CASE(a_poisoned_shared_page_is_an_error_to_all), CASE(a_punch_takes_user_mappings_out),
	   CASE(a_pinned_page_outlives_its_punch), CASE(a_fault_waits_for_a_locked_page),
	   CASE(without_memory_there_is_no_fault),
	   CASE(shared_accesses_of_other_files_are_kvms_own));
