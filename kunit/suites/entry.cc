// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmu/entry.cc: arguments, and the way to the stock bodies.
 *
 * Tests: mmu/entry.cc.
 */
#include <gmem/gmem.h>

#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

void create_checks_its_arguments()
{
	struct kvm *const vm = world_vm(1);

	EXPECT_EQ(world_create(vm, 0, 0), -EINVAL);
	EXPECT_EQ(world_create(vm, 1, 0), -EINVAL);
	EXPECT_EQ(world_create(vm, 4095, 0), -EINVAL);
	EXPECT_EQ(world_create(vm, 4097, 0), -EINVAL);
	EXPECT_EQ(world_create(vm, 1ull << 63, 0), -EINVAL);
	EXPECT_EQ(world_create(vm, ~0ull << 12, 0), -EINVAL);
	/* Behind GUEST_MEMFD_FLAG_MMAP and GUEST_MEMFD_FLAG_INIT_SHARED. */
	for (unsigned bit = 2; bit < 64; bit++)
		EXPECT_EQ(world_create(vm, 4096, 1ull << bit), -EINVAL);
	EXPECT_EQ(world_vm_users(vm), 1);

	for (kapi_u64 size : { 4096ull, 1ull << 40, (1ull << 63) - 4096 }) {
		const int fd = world_create(vm, size, 0);

		EXPECT(fd >= 0);
		EXPECT_EQ(world_vm_users(vm), 2);
		if (fd >= 0)
			world_close(fd);
	}
	EXPECT_EQ(world_vm_users(vm), 1);
	world_vm_put(vm);
}

void get_pfn_answers()
{
	TestFile file{ 1024 };
	REQUIRE(file);
	struct kvm_memory_slot *const slot = world_slot(file.vm, 512, 512, true);
	kapi_u64 pfn = 0;
	int order = -1;

	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 512, &pfn, &order), -EFAULT);
	kapi_kvm_slots_lock(file.vm);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 512 * kPageSize), 0);
	kapi_kvm_slots_unlock(file.vm);

	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 700, &pfn, &order), 0);
	EXPECT_EQ(order, 9);
	EXPECT(world_page(pfn) == file.cached(700));
	EXPECT_EQ(world_page_refs(world_page(pfn)), 2);
	kapi_page_put(world_page(pfn));
	/* The caller need not ask for the order. */
	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 1023, &pfn, nullptr), 0);
	EXPECT(world_page(pfn) == file.cached(1023));
	kapi_page_put(world_page(pfn));

	file.close();
	EXPECT_EQ(gmem_get_pfn(file.vm, slot, 700, &pfn, &order), -EFAULT);
	world_slot_free(slot);
}

/* Only where file and guest are aligned alike, and the slot has all of a run. */
void get_pfn_orders()
{
	static constexpr struct {
		unsigned gfn, npages, index, at, order;
	} slots[] = {
		{ 0, 1024, 0, 0, 9 },	    { 0, 1024, 512, 600, 9 }, { 512, 511, 0, 512, 0 },
		{ 1, 1024, 0, 5, 0 },	    { 0, 1024, 1, 5, 0 },     { 100, 1024, 100, 700, 9 },
		{ 100, 1024, 100, 200, 0 }, { 8, 600, 520, 9, 0 },    { 0, 513, 0, 512, 0 },
		{ 0, 513, 0, 511, 9 },
	};

	for (const auto &s : slots) {
		const TestFile file{ 2048 };
		REQUIRE(file);
		struct kvm_memory_slot *const slot = world_slot(file.vm, s.gfn, s.npages, true);
		kapi_u64 pfn;
		int order;

		kapi_kvm_slots_lock(file.vm);
		EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, s.index * kPageSize), 0);
		kapi_kvm_slots_unlock(file.vm);
		EXPECT_EQ(gmem_get_pfn(file.vm, slot, s.at, &pfn, &order), 0);
		EXPECT_EQ(order, (int)s.order);
		EXPECT(world_page(pfn) == file.cached(s.at - s.gfn + s.index));
		kapi_page_put(world_page(pfn));
		kapi_kvm_slots_lock(file.vm);
		gmem_unbind(slot);
		kapi_kvm_slots_unlock(file.vm);
		world_settle();
		world_slot_free(slot);
	}
}

void stock_files_go_to_the_stock_body()
{
	struct kvm *const vm = world_vm(1);
	const int fd = world_foreign_fd();
	struct kvm_memory_slot *const slot = world_slot(vm, 0, 512, true);
	struct file *const file = kapi_file_from_fd(fd);
	const struct world_stock before = world_stock_calls();
	kapi_u64 pfn;
	int order;

	REQUIRE(file);
	kapi_kvm_slots_lock(vm);
	EXPECT_EQ(gmem_bind(vm, slot, fd, 0), 0);
	EXPECT_EQ(world_stock_calls().bind, before.bind + 1);
	/* What the stock body would have done. */
	kapi_slot_set_file(slot, file, 0);
	EXPECT_EQ(gmem_get_pfn(vm, slot, 5, &pfn, &order), 0);
	EXPECT_EQ(world_stock_calls().get_pfn, before.get_pfn + 1);
	world_slot_show(slot);
	EXPECT_EQ(gmem_populate(vm, 5, nullptr, 1, nullptr, nullptr), 0);
	EXPECT_EQ(world_stock_calls().populate, before.populate + 1);
	gmem_unbind(slot);
	EXPECT_EQ(world_stock_calls().unbind, before.unbind + 1);
	/* A slot without a file has nothing to undo. */
	kapi_slot_set_file(slot, nullptr, 0);
	gmem_unbind(slot);
	EXPECT_EQ(world_stock_calls().unbind, before.unbind + 1);
	kapi_kvm_slots_unlock(vm);
	kapi_file_put(file);
	world_close(fd);
	EXPECT_EQ(world_stock_calls().create, before.create);
	world_slot_free(slot);
	world_vm_put(vm);
}

void ours_never_reach_the_stock_bodies()
{
	const struct world_stock before = world_stock_calls();
	{
		TestFile file{ 512 };
		REQUIRE(file);
		struct kvm_memory_slot *const slot = world_slot(file.vm, 0, 512, true);
		kapi_u64 pfn;

		kapi_kvm_slots_lock(file.vm);
		EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 0), 0);
		EXPECT_EQ(gmem_get_pfn(file.vm, slot, 5, &pfn, nullptr), 0);
		kapi_page_put(world_page(pfn));
		gmem_unbind(slot);
		kapi_kvm_slots_unlock(file.vm);
		world_settle();
		world_slot_free(slot);
	}
	EXPECT_EQ(world_stock_calls().create, before.create);
	EXPECT_EQ(world_stock_calls().bind, before.bind);
	EXPECT_EQ(world_stock_calls().get_pfn, before.get_pfn);
	EXPECT_EQ(world_stock_calls().unbind, before.unbind);
}

int never_called(struct kvm *, gmem_u64, gmem_u64, void *, int, void *)
{
	gmem_case_failed(__FILE__, __LINE__, "populate calls back");
	return 0;
}

void populate_checks_its_arguments()
{
	TestFile file{ 512 };
	REQUIRE(file);
	struct kvm_memory_slot *const slot = world_slot(file.vm, 0, 512, true);
	struct kvm_memory_slot *const plain = world_slot(file.vm, 1024, 512, false);

	world_slot_show(slot);
	world_slot_show(plain);
	kapi_kvm_slots_lock(file.vm);
	EXPECT_EQ(gmem_populate(file.vm, 5, nullptr, 1, never_called, nullptr), -EFAULT);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 0), 0);
	EXPECT_EQ(gmem_populate(file.vm, 5, nullptr, -1, never_called, nullptr), -EINVAL);
	EXPECT_EQ(gmem_populate(file.vm, 512, nullptr, 1, never_called, nullptr), -EINVAL);
	EXPECT_EQ(gmem_populate(file.vm, 1024, nullptr, 1, never_called, nullptr), -EINVAL);
	EXPECT_EQ(gmem_populate(file.vm, 5, nullptr, 0, never_called, nullptr), 0);
	kapi_kvm_slots_unlock(file.vm);

	world_set_private(file.vm, 5, 6, false);
	kapi_kvm_slots_lock(file.vm);
	EXPECT_EQ(gmem_populate(file.vm, 5, nullptr, 1, never_called, nullptr), -EINVAL);
	gmem_unbind(slot);
	kapi_kvm_slots_unlock(file.vm);
	world_settle();
	EXPECT_EQ(file.cached_pages(0, 512), 0u);
	world_slot_free(slot);
	world_slot_free(plain);
}

} /* namespace */

GMEM_SUITE(entry, CASE(create_checks_its_arguments), CASE(get_pfn_answers), CASE(get_pfn_orders),
	   CASE(stock_files_go_to_the_stock_body), CASE(ours_never_reach_the_stock_bodies),
	   CASE(populate_checks_its_arguments));
