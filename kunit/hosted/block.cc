// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks (gmem/block.h): a run or a giant gets a complete block, or none, and a vain
 * attempt spoils nothing. Promotion, which takes blocks as well: promotion.cc.
 *
 * Tests: gmem/block.cc, gmem/giant.cc.
 */
#include <thread>

#include "kunit/fakes/share.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kGiant = 1ull << kGiantOrder;

unsigned order_of_fault(const Guest &g, std::uint64_t gfn)
{
	unsigned order = 99;

	return fake::fault(g.vm, gfn, &order) ? 99 : order;
}

long giants(const Guest &g)
{
	return g.file.store().stats().get(KAPI_STAT_GIANTS);
}

/* ---- runs ----------------------------------------------------------------- */

/* The allocator does not look at the pages of the block that it hands out. */
void a_block_with_a_marked_page_is_not_used()
{
	struct page *const block = kapi_pages_alloc(kRunOrder);
	Guest g{ 1024 };

	kapi_page_nth(block, kRunPages + 300)->poisoned = true;
	EXPECT_EQ(order_of_fault(g, 5), 0u);
	EXPECT_EQ(fake::cgroup_pages(), 1);
	EXPECT_EQ(order_of_fault(g, 600), 9u);
	kapi_pages_put(block, kRunPages);
}

/* ---- giants --------------------------------------------------------------- */

void a_run_that_is_there_dissolves_no_block()
{
	fake::set_reserve(1);
	Guest g{ kGiant }, other{ kGiant };

	const unsigned long requests = fake::reserve_requests();

	EXPECT_EQ(g.allocate(100, 101), 0);
	EXPECT_EQ(order_of_fault(g, 5000), 9u);
	EXPECT_EQ(kapi_pages_reserved(), 1u);
	EXPECT_EQ(fake::reserve_requests(), requests);
	EXPECT_EQ(order_of_fault(other, 5000), 18u);
}

void who_cannot_pay_gets_no_block()
{
	fake::set_reserve(1);
	Guest g{ kGiant }, other{ kGiant };

	fake::set_cgroup_limit(kGiant - 1);
	EXPECT_EQ(order_of_fault(g, 5000), 9u);
	EXPECT_EQ(kapi_pages_reserved(), 1u);
	EXPECT_EQ(fake::cgroup_pages(), static_cast<long>(kRunPages));
	EXPECT_EQ(giants(g), 0);
	fake::set_cgroup_limit(2 * kGiant);
	EXPECT_EQ(order_of_fault(other, 5000), 18u);
}

/* As long as nothing has come, the next one may have more luck. */
void an_attempt_in_vain_spoils_no_giant()
{
	fake::set_reserve(1);
	Guest g{ kGiant };

	fake::set_cgroup_limit(0);
	EXPECT_EQ(fake::fault(g.vm, 5000), -ENOMEM);
	fake::set_cgroup_limit(kGiant);
	EXPECT_EQ(order_of_fault(g, 5000), 18u);
	EXPECT_EQ(giants(g), 1);
}

void a_giant_that_is_not_published_goes_back_whole()
{
	for (unsigned n = 1;; n++) {
		{
			fake::set_reserve(1);
			Guest g{ kGiant };
			unsigned order = 0;

			fake::fail_nth(n);
			const int ret = fake::fault(g.vm, 5000, &order);
			const bool fired = fake::fail_fired();

			fake::fail_nth(0);
			if (ret == 0 && order == kGiantOrder) {
				EXPECT(!fired);
				EXPECT(n > 512); /* records, the block, its place */
				return;
			}
			EXPECT_EQ(kapi_pages_reserved(), 1u);
			EXPECT(fake::cgroup_pages() <= static_cast<long>(kRunPages));
			EXPECT_EQ(giants(g), 0);
		}
		fake::check_clean();
		/* All of the 512 records fail alike. */
		if (n == 8)
			n = 510;
	}
}

void marked_blocks_of_the_reserve_stay_there()
{
	fake::set_reserve(2);
	fake::reserve_page(0, 77777)->poisoned = true;
	{
		Guest first{ kGiant }, second{ kGiant };

		EXPECT_EQ(order_of_fault(first, 5000), 18u);
		EXPECT_EQ(fake::reserve_spoiled(), 1u);
		EXPECT_EQ(kapi_pages_reserved(), 0u);
		EXPECT_EQ(order_of_fault(second, 5000), 9u);
		EXPECT(!fake::reserve_page(0, 0)->used);
		EXPECT_EQ(fake::reserve_spoiled(), 1u);
	}
}

/* Memory failure comes while the pages are in the cache, and no record knows them. */
void a_mark_while_a_giant_is_filled()
{
	fake::set_reserve(1);
	Guest g{ kGiant };

	fake::set_before_look([&](std::uint64_t index) {
		if (index == 0)
			std::thread([&] {
				g.file.cached(700)->content = 77;
				EXPECT(fake::memory_failure(g.file.inode().handle(), 700));
			}).join();
	});
	EXPECT_EQ(fake::fault(g.vm, 5000), -EAGAIN);
	fake::set_before_look(nullptr);
	EXPECT_EQ(giants(g), 0);
	EXPECT_EQ(order_of_fault(g, 5000), 9u);
	EXPECT_EQ(fake::fault(g.vm, 700), -EHWPOISON);
	EXPECT_EQ(order_of_fault(g, 701), 0u);
	/* Nor has the host cleared the page. */
	EXPECT_EQ(g.file.cached(700)->content.load(), 77u);
}

/* Only from nodes that the faulting task may have memory of. */
void giants_come_from_allowed_nodes()
{
	fake::set_nodes(2);
	fake::set_reserve(2);
	fake::set_task_nodes(2);
	Guest g{ kGiant }, other{ kGiant };

	EXPECT_EQ(order_of_fault(g, 5000), 18u);
	EXPECT_EQ(kapi_page_node(g.file.cached(5000)), 1);
	EXPECT_EQ(order_of_fault(other, 5000), 9u);
	EXPECT_EQ(kapi_pages_reserved(), 1u);
}

} /* namespace */

GMEM_SUITE(block, CASE(a_block_with_a_marked_page_is_not_used),
	   CASE(a_run_that_is_there_dissolves_no_block), CASE(who_cannot_pay_gets_no_block),
	   CASE(an_attempt_in_vain_spoils_no_giant),
	   CASE(a_giant_that_is_not_published_goes_back_whole),
	   CASE(marked_blocks_of_the_reserve_stay_there), CASE(a_mark_while_a_giant_is_filled),
	   CASE(giants_come_from_allowed_nodes));
