// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots, files and VMs: every order of coming and going.
 *
 * Tests: gmem/file.cc, gmem/inode.cc, mmu/memslot.cc.
 */
#include <gmem/gmem.h>

#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

/* Memslots that go with the case. */
class Slot {
    public:
	Slot(const TestFile &file, std::uint64_t gfn, std::uint64_t npages)
		: slot_(world_slot(file.vm, gfn, npages, true)), vm_(file.vm)
	{
	}
	~Slot() { world_slot_free(slot_); }
	Slot(const Slot &) = delete;
	Slot &operator=(const Slot &) = delete;

	operator kvm_memory_slot *() const { return slot_; }

	int bind(int fd, std::uint64_t index) const
	{
		kapi_kvm_slots_lock(vm_);
		const int ret = gmem_bind(vm_, slot_, fd, index * kPageSize);
		kapi_kvm_slots_unlock(vm_);
		world_settle();
		return ret;
	}
	void unbind() const
	{
		kapi_kvm_slots_lock(vm_);
		gmem_unbind(slot_);
		kapi_kvm_slots_unlock(vm_);
		world_settle();
	}

    private:
	struct kvm_memory_slot *const slot_;
	struct kvm *const vm_;
};

void binding_shows_in_slot_and_file()
{
	const TestFile file{ 2048 };
	REQUIRE(file);
	const Slot slot{ file, 512, 1000 };

	EXPECT_EQ(slot.bind(file.fd, 24), 0);
	EXPECT(kapi_slot_file(slot) != nullptr);
	EXPECT_EQ(kapi_slot_pgoff(slot), 24u);
	EXPECT(file->bindings().load(PageIndex{ 23 }) == nullptr);
	EXPECT(file->bindings().load(PageIndex{ 24 }) != nullptr);
	EXPECT(file->bindings().load(PageIndex{ 1023 }) != nullptr);
	EXPECT(file->bindings().load(PageIndex{ 1024 }) == nullptr);
	slot.unbind();
	EXPECT(kapi_slot_file(slot) == nullptr);
	EXPECT(file->bindings().load(PageIndex{ 24 }) == nullptr);
	/* Its place is free again. */
	EXPECT_EQ(slot.bind(file.fd, 24), 0);
	slot.unbind();
}

void bad_binds_are_refused()
{
	const TestFile file{ 1024 }, other{ 1024 };
	REQUIRE(file && other);
	const Slot slot{ file, 0, 512 }, foreign{ other, 0, 512 }, large{ file, 0, 1025 };

	EXPECT_EQ(slot.bind(4711, 0), -EBADF);
	EXPECT_EQ(slot.bind(file.fd, 513), -EINVAL);
	EXPECT_EQ(slot.bind(file.fd, 1025), -EINVAL);
	EXPECT_EQ(slot.bind(file.fd, 1ull << 40), -EINVAL);
	EXPECT_EQ(large.bind(file.fd, 0), -EINVAL);
	EXPECT_EQ(foreign.bind(file.fd, 0), -EINVAL); /* another VM's file */
	kapi_kvm_slots_lock(file.vm);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, -4096), -EINVAL);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 5), -EINVAL);
	kapi_kvm_slots_unlock(file.vm);
	EXPECT(kapi_slot_file(slot) == nullptr);
	EXPECT(file->bindings().first_overlapping(pages(0, 1024)) == nullptr);
	/* The very end is still inside. */
	EXPECT_EQ(slot.bind(file.fd, 512), 0);
	slot.unbind();
}

void overlaps_are_refused()
{
	const TestFile file{ 2048 };
	REQUIRE(file);
	const Slot first{ file, 0, 512 }, second{ file, 4096, 512 };

	EXPECT_EQ(first.bind(file.fd, 512), 0);
	for (unsigned start : { 1u, 512u, 1023u })
		EXPECT_EQ(second.bind(file.fd, start), kapi_kvm_overlap_error());
	EXPECT(kapi_slot_file(second) == nullptr);
	EXPECT_EQ(second.bind(file.fd, 0), 0);
	second.unbind();
	EXPECT_EQ(second.bind(file.fd, 1024), 0);
	second.unbind();
	first.unbind();
}

/* 0: unbind first, 1: unbind second, 2: close; in every order. */
void all_orders_of_the_end()
{
	static constexpr int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (const auto &order : orders) {
		TestFile file{ 2048 };
		REQUIRE(file);
		const Slot first{ file, 0, 700 }, second{ file, 1024, 1024 };

		EXPECT_EQ(first.bind(file.fd, 0), 0);
		EXPECT_EQ(second.bind(file.fd, 1024), 0);
		EXPECT_EQ(world_vm_users(file.vm), 2);
		EXPECT_EQ(file->allocate(pages(0, 2048)).code(), 0);
		for (int step : order) {
			if (step == 0)
				first.unbind();
			else if (step == 1)
				second.unbind();
			else
				file.close();
			if (step == 2) {
				EXPECT(kapi_slot_file(first) == nullptr);
				EXPECT(kapi_slot_file(second) == nullptr);
			}
		}
		/* A file keeps its VM as long as it is there. */
		EXPECT_EQ(world_vm_users(file.vm), 1);
	}
}

void release_invalidates_the_bound()
{
	TestFile file{ 2048 };
	REQUIRE(file);
	const Slot slot{ file, 512, 700 };
	const struct world_mmu before = world_mmu_calls();

	EXPECT_EQ(slot.bind(file.fd, 100), 0);
	EXPECT_EQ(world_mmu_calls().begins, before.begins);
	file.close();
	EXPECT_EQ(world_mmu_calls().begins, before.begins + 1);
	EXPECT_EQ(world_mmu_calls().unmaps, before.unmaps + 1);
	EXPECT_EQ(world_mmu_calls().ends, before.ends + 1);
	EXPECT_EQ(world_mmu_calls().begin_start, 512u);
	EXPECT_EQ(world_mmu_calls().begin_end, 1212u);
	EXPECT_EQ(world_mmu_calls().unmap_start, 512u);
	EXPECT_EQ(world_mmu_calls().unmap_end, 1212u);
}

void punch_tells_the_gfns()
{
	const TestFile file{ 2048 };
	REQUIRE(file);
	const Slot slot{ file, 5000, 1000 };

	EXPECT_EQ(slot.bind(file.fd, 100), 0);
	EXPECT_EQ(gmem_file_fallocate(file.file, true, 600 * kPageSize, 4 * kPageSize), 0);
	EXPECT_EQ(world_mmu_calls().unmap_start, 5500u);
	EXPECT_EQ(world_mmu_calls().unmap_end, 5504u);
	EXPECT_EQ(world_mmu_calls().begin_start, 5412u);
	EXPECT_EQ(world_mmu_calls().begin_end, 5924u);
	slot.unbind();
}

void pages_outlive_bindings()
{
	const TestFile file{ 512 };
	REQUIRE(file);
	const Slot slot{ file, 0, 512 };
	kapi_u64 pfn, again;

	EXPECT_EQ(slot.bind(file.fd, 0), 0);
	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 9, &pfn, nullptr), 0);
	kapi_page_put(world_page(pfn));
	slot.unbind();
	EXPECT_EQ(file.cached_pages(0, 512), 512u);
	EXPECT_EQ(slot.bind(file.fd, 0), 0);
	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 9, &again, nullptr), 0);
	kapi_page_put(world_page(again));
	EXPECT_EQ(again, pfn);
	slot.unbind();
}

} /* namespace */

GMEM_SUITE(file, CASE(binding_shows_in_slot_and_file), CASE(bad_binds_are_refused),
	   CASE(overlaps_are_refused), CASE(all_orders_of_the_end),
	   CASE(release_invalidates_the_bound), CASE(punch_tells_the_gfns),
	   CASE(pages_outlive_bindings));
