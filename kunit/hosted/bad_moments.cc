// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad moments in the life of a run: nothing is lost, nothing is mapped huge that
 * is not one block, and the next try works.
 *
 * Tests: gmem/store.cc, gmem/run.h.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

void fill(const Guest &g, std::uint64_t start, std::uint64_t end)
{
	for (std::uint64_t gfn = start; gfn < end; gfn++) {
		EXPECT_EQ(fake::fault(g.vm, gfn), 0);
		EXPECT(fake::guest_write(g.vm, gfn, gfn + 1));
	}
}

/* Whether each page of [start, end) but @except has what fill() wrote. */
bool holds(const Guest &g, std::uint64_t start, std::uint64_t end, std::uint64_t except = ~0ull)
{
	for (std::uint64_t gfn = start; gfn < end; gfn++)
		if (gfn != except && (fake::fault(g.vm, gfn) != 0 || g.peek(gfn) != gfn + 1))
			return false;
	return true;
}

void memory_runs_out_in_the_middle_of_a_run()
{
	Guest g{ 1024 };

	fake::set_no_blocks(true);
	fill(g, 0, 20);
	fake::fail_nth(200);
	EXPECT_EQ(g.allocate(0, 1024), -ENOMEM);
	EXPECT(fake::fail_fired());
	const unsigned there = g.file.cached_pages(0, 1024);

	EXPECT(there > 20 && there < 512);
	EXPECT(holds(g, 0, 20));
	EXPECT_EQ(g.allocate(0, 1024), 0);
	EXPECT_EQ(g.file.cached_pages(0, 1024), 1024u);
	EXPECT(holds(g, 0, 20));
	EXPECT_EQ(g.punch(0, 1024), 0);
	EXPECT_EQ(fake::pages_used(), 0);
}

void a_signal_in_a_long_fallocate_loses_nothing()
{
	Guest g{ 8192 };

	fill(g, 0, 512);
	fake::set_signal_after(4);
	EXPECT_EQ(g.allocate(0, 8192), -EINTR);
	EXPECT_EQ(g.file.cached_pages(0, 8192), 4 * 512u);
	fake::set_signal_after(0);
	EXPECT_EQ(g.allocate(0, 8192), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_RUNS), 16);
	EXPECT(holds(g, 0, 512));
	EXPECT_EQ(g.order(0), 9);
}

void poison_of_one_page_leaves_511()
{
	Guest g{ 512 };

	fill(g, 0, 512);
	EXPECT_EQ(g.order(300), 9);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 300));
	EXPECT_EQ(g.order(300), -1);
	EXPECT_EQ(fake::fault(g.vm, 300), -EHWPOISON);
	EXPECT(holds(g, 0, 512, 300));
	for (std::uint64_t gfn = 0; gfn < 512; gfn++)
		EXPECT_EQ(g.order(gfn), gfn == 300 ? -1 : 0);
}

void the_tail_of_an_odd_file_is_small()
{
	Guest g{ 1024 + 300 };

	fill(g, 0, 1024 + 300);
	EXPECT_EQ(g.order(1023), 9);
	EXPECT_EQ(g.order(1024), 0);
	EXPECT_EQ(g.order(1024 + 299), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_RUNS), 2);
	EXPECT_EQ(g.punch(1000, 1024 + 300), 0);
	EXPECT_EQ(g.file.cached_pages(0, 1024 + 300), 1000u);
	EXPECT(holds(g, 0, 1000));
}

/* A run of the file that two slots show a part of each. */
void a_slot_cuts_a_run()
{
	TestFile file{ 1024 };
	struct kvm_memory_slot *slots[2] = {};
	unsigned order;

	fake::slot_add(file.vm, 0, 700, file.fd, 0, &slots[0]);
	fake::slot_add(file.vm, 2048 + 700 % 512, 324, file.fd, 700, &slots[1]);
	for (const std::uint64_t gfn : { 699ul, 2048ul + 700 % 512 }) {
		EXPECT_EQ(fake::fault(file.vm, gfn, &order), 0);
		EXPECT_EQ(order, 0u);
	}
	EXPECT_EQ(fake::fault(file.vm, 5, &order), 0);
	EXPECT_EQ(order, 9u);
	/* Whole in the file, it is still no huge mapping in either. */
	EXPECT_EQ(file->inode().store().stats().get(KAPI_STAT_RUNS), 1);
	EXPECT_EQ(fake::mapped_order(file.vm, 699), 0);
	fake::slot_delete(file.vm, slots[0]);
	fake::slot_delete(file.vm, slots[1]);
}

void a_run_at_the_end_of_the_address_space()
{
	/* The last index of a file of LLONG_MAX bytes is the last but one of its run. */
	constexpr std::uint64_t kEnd = (1ull << 51) - 1, kLast = kEnd - 511;
	constexpr std::uint64_t kGfn = 8192;
	TestFile file{ kEnd };
	struct kvm_memory_slot *slot = nullptr;
	unsigned order;

	REQUIRE(file);
	fake::slot_add(file.vm, kGfn, 512 + 511, file.fd, kLast - 512, &slot);
	REQUIRE(slot);
	EXPECT_EQ(fake::fault(file.vm, kGfn, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT_EQ(fake::fault(file.vm, kGfn + 512 + 510, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(fake::fallocate(fake::file_at(file.fd), false, (kLast - 512) * kPageSize,
				  (512 + 511) * kPageSize),
		  0);
	EXPECT_EQ(file.cached_pages(kLast - 512, kEnd), 512u + 511);
	EXPECT_EQ(fake::fallocate(fake::file_at(file.fd), true, kLast * kPageSize, 511 * kPageSize),
		  0);
	EXPECT_EQ(file.cached_pages(kLast - 512, kEnd), 512u);
	EXPECT_EQ(fake::mapped_order(file.vm, kGfn), 9);
	EXPECT_EQ(fake::mapped_order(file.vm, kGfn + 512 + 510), -1);
	fake::slot_delete(file.vm, slot);
}

} /* namespace */

GMEM_SUITE(bad_moments, CASE(memory_runs_out_in_the_middle_of_a_run),
	   CASE(a_signal_in_a_long_fallocate_loses_nothing), CASE(poison_of_one_page_leaves_511),
	   CASE(the_tail_of_an_odd_file_is_small), CASE(a_slot_cuts_a_run),
	   CASE(a_run_at_the_end_of_the_address_space));
