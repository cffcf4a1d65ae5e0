// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks (gmem/block.h): a run or a giant gets a complete block, or none, and a vain
 * attempt unmaps no guest. And promotion (gmem/promotion.cc), which unmaps only for a
 * complete block.
 *
 * Tests: gmem/block.cc, gmem/giant.cc, gmem/promotion.cc, gmem/pace.h.
 */
#include <thread>

#include "kunit/fakes/share.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kGiant = 1ull << kGiantOrder;
constexpr unsigned kNodes01 = 3;

unsigned order_of_fault(const Guest &g, std::uint64_t gfn)
{
	unsigned order = 99;

	return fake::fault(g.vm, gfn, &order) ? 99 : order;
}

long giants(const Guest &g)
{
	return g.file.store().stats().get(KAPI_STAT_GIANTS);
}

long promotions(const Guest &g)
{
	return g.file.store().stats().get(KAPI_STAT_PROMOTIONS);
}

/* The guest writes each page of the run at @start, in an order that makes no block. */
void scatter(const Guest &g, std::uint64_t start)
{
	fake::set_no_blocks(true);
	for (std::uint64_t i = 0; i < kRunPages; i++) {
		const std::uint64_t gfn = start + i * 37 % kRunPages;

		EXPECT_EQ(fake::fault(g.vm, gfn), 0);
		EXPECT(fake::guest_write(g.vm, gfn, gfn + 1));
	}
	fake::set_no_blocks(false);
}

/* The run at @start has its content, which guests can read. */
bool intact(const Guest &g, std::uint64_t start)
{
	for (std::uint64_t gfn = start; gfn < start + kRunPages; gfn++) {
		if (fake::fault(g.vm, gfn) || g.read(gfn) != gfn + 1)
			return false;
	}
	return true;
}

/* Pages of the run at @start that are on @node. */
unsigned pages_on(const Guest &g, std::uint64_t start, int node)
{
	unsigned n = 0;

	for (std::uint64_t i = start; i < start + kRunPages; i++)
		n += kapi_page_node(g.file.cached(i)) == node;
	return n;
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

/* ---- promotion ------------------------------------------------------------ */

void promotion_stays_on_the_node()
{
	fake::set_nodes(2);
	Guest g{ 512 };

	fake::set_task_nodes(2);
	scatter(g, 0);
	EXPECT_EQ(pages_on(g, 0, 1), 512u);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 1);
	EXPECT_EQ(pages_on(g, 0, 1), 512u);
	EXPECT(intact(g, 0));
}

void a_run_on_two_nodes_is_left_alone()
{
	fake::set_nodes(2);
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++) {
		fake::set_task_nodes(i == 300 ? 2 : 1);
		EXPECT_EQ(fake::fault(g.vm, i * 37 % 512), 0);
	}
	fake::set_no_blocks(false);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 0);
	/* The guest was not unmapped, and there is no second try. */
	EXPECT_EQ(g.order(5), 0);
	EXPECT(!fake::run_work());
}

void a_node_that_is_not_allowed_gets_no_block()
{
	static constexpr unsigned masks[][2] = { { 1, kNodes01 }, { kNodes01, 1 } };

	for (const auto &[policy, cpuset] : masks) {
		fake::set_nodes(2);
		Guest g{ 512 };

		fake::set_task_nodes(2);
		scatter(g, 0);
		fake::set_file_nodes(policy, cpuset);
		EXPECT(fake::run_work());
		EXPECT_EQ(promotions(g), 0);
		EXPECT_EQ(g.order(5), 0);
		fake::set_file_nodes(kNodes01, kNodes01);
	}
}

void a_marked_page_is_never_copied()
{
	Guest g{ 512 };

	scatter(g, 0);
	g.file.cached(300)->poisoned = true;
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 0);
	EXPECT_EQ(g.order(5), 0);
	EXPECT_EQ(fake::free_blocks(), 47);
	EXPECT(!fake::run_work());
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	g.file.cached(300)->poisoned = false;
}

void a_page_that_cannot_be_read_undoes_all()
{
	Guest g{ 512 };

	scatter(g, 0);
	fake::set_copy_that_fails(300);
	EXPECT(fake::run_work());
	fake::set_copy_that_fails(-1);
	EXPECT_EQ(promotions(g), 0);
	EXPECT_EQ(fake::cgroup_pages(), 512);
	EXPECT(intact(g, 0));
	/* Another try would fail again, so there is none. */
	EXPECT(!fake::run_work());
}

/* Preallocated without blocks, then used by the guest: huge, once all of a run is. */
void preallocated_runs_are_promoted()
{
	Guest g{ 1024 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 1024; i++)
		EXPECT_EQ(g.allocate(i * 37 % 1024, i * 37 % 1024 + 1), 0);
	for (unsigned gfn = 0; gfn < 1023; gfn++)
		EXPECT_EQ(fake::fault(g.vm, gfn), 0);
	fake::set_no_blocks(false);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 1);
	EXPECT(!fake::run_work());
	EXPECT_EQ(fake::fault(g.vm, 1023), 0);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 2);
	EXPECT_EQ(order_of_fault(g, 5), 9u);
	EXPECT_EQ(order_of_fault(g, 1000), 9u);
}

/* Ready, then reclaimed for content that does not come: it is ready when used again. */
void a_run_that_is_no_longer_prepared_waits()
{
	Guest g{ 512 };
	Filler failing{ .fail_at = 0 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::prefault(g.vm, i * 37 % 512), 0);
	fake::set_no_blocks(false);
	EXPECT_EQ(failing.populate(g.vm, 5, 1), -EIO);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 0);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 1);
}

/* The page may still have a user, which would go on with the old page. */
void a_page_that_could_not_be_unmapped_stays()
{
	struct page *page;

	{
		Guest g{ 512 };

		scatter(g, 0);
		page = g.file.cached(300);
		g.file.store().unmap_failed(PageIndex{ 300 });
		EXPECT(fake::run_work());
		EXPECT_EQ(promotions(g), 0);
		EXPECT(!fake::run_work());
	}
	/* The file's reference, which is never dropped. */
	kapi_page_put(page);
}

void at_its_limit_a_cgroup_is_left_alone()
{
	Guest g{ 1024 };
	unsigned delay = 0;

	scatter(g, 0);
	scatter(g, 512);
	fake::set_cgroup_limit(1024 + 511);
	const unsigned long asked = fake::block_charges();

	for (unsigned i = 1; i <= 20; i++) {
		EXPECT(fake::run_work());
		/* One request a try, and ever longer delays. No guest is unmapped. */
		EXPECT_EQ(fake::block_charges(), asked + i);
		EXPECT(fake::last_delay() >= std::min(2 * delay, 30000u));
		delay = fake::last_delay();
		EXPECT_EQ(g.order(5), 0);
		EXPECT_EQ(g.order(600), 0);
	}
	EXPECT_EQ(delay, 30000u);
	EXPECT_EQ(promotions(g), 0);
	fake::set_cgroup_limit(1024 + 512);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 2);
	EXPECT_EQ(fake::cgroup_pages(), 1024);
	EXPECT(intact(g, 0));
	EXPECT(intact(g, 512));
}

void promotion_has_a_rate()
{
	Guest g{ 4096 };
	unsigned works = 0;

	for (unsigned start = 0; start < 4096; start += 512)
		scatter(g, start);
	/* A run a second: the first at once, of 8. */
	fake::set_promotion_mib(2);
	const std::uint64_t began = fake::now();

	while (works < 1000 && fake::run_work())
		works++;
	EXPECT_EQ(promotions(g), 8);
	EXPECT(fake::now() - began >= 7 * 1000000000ull - 120000000);
	EXPECT(fake::now() - began < 8 * 1000000000ull);
	EXPECT(works < 20);
	fake::let_pass(1000);
}

void runs_are_promoted_a_gigabyte_a_second()
{
	Guest g{ 8192 };

	for (unsigned start = 0; start < 8192; start += 512)
		scatter(g, start);
	const std::uint64_t began = fake::now();

	for (unsigned works = 0; works < 1000 && fake::run_work();)
		works++;
	EXPECT_EQ(promotions(g), 16);
	/* 32 MiB, and the wait at the beginning. */
	EXPECT(fake::now() - began <= 1000000000ull / 32 + 100000000);
}

/* The end of a work can be waited for: it does a batch, not a whole file. */
void promotion_goes_by_batches()
{
	Guest g{ 10240 };

	for (unsigned start = 0; start < 10240; start += 512)
		scatter(g, start);
	fake::set_promotion_mib(1u << 20);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 16);
	EXPECT(fake::run_work());
	EXPECT_EQ(promotions(g), 20);
	EXPECT(!fake::run_work());
}

void promotion_can_be_off()
{
	Guest g{ 512 };

	scatter(g, 0);
	fake::set_promotion_mib(0);
	EXPECT(fake::run_work());
	EXPECT(!fake::run_work());
	EXPECT_EQ(promotions(g), 0);
}

void its_time_can_be_seen()
{
	Guest g{ 512 };

	scatter(g, 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_PROMOTION_NS), 0);
	EXPECT(fake::run_work());
	EXPECT(g.file.store().stats().get(KAPI_STAT_PROMOTION_NS) > 0);
}

} /* namespace */

GMEM_SUITE(blocks, CASE(a_block_with_a_marked_page_is_not_used),
	   CASE(a_run_that_is_there_dissolves_no_block), CASE(who_cannot_pay_gets_no_block),
	   CASE(an_attempt_in_vain_spoils_no_giant),
	   CASE(a_giant_that_is_not_published_goes_back_whole),
	   CASE(marked_blocks_of_the_reserve_stay_there), CASE(a_mark_while_a_giant_is_filled),
	   CASE(giants_come_from_allowed_nodes), CASE(promotion_stays_on_the_node),
	   CASE(a_run_on_two_nodes_is_left_alone), CASE(a_node_that_is_not_allowed_gets_no_block),
	   CASE(a_marked_page_is_never_copied), CASE(a_page_that_cannot_be_read_undoes_all),
	   CASE(preallocated_runs_are_promoted), CASE(a_run_that_is_no_longer_prepared_waits),
	   CASE(a_page_that_could_not_be_unmapped_stays), CASE(at_its_limit_a_cgroup_is_left_alone),
	   CASE(promotion_has_a_rate), CASE(runs_are_promoted_a_gigabyte_a_second),
	   CASE(promotion_goes_by_batches), CASE(promotion_can_be_off), CASE(its_time_can_be_seen));
