// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promotion: which runs of small pages are moved into a block, when, and that they keep
 * their content; where the block comes from, its charge, and the pace. No guest is unmapped
 * before there is a complete block.
 *
 * Tests: gmem/promotion.cc, gmem/pace.h.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr unsigned kNodes01 = 3;

unsigned order_of_fault(const Guest &g, std::uint64_t gfn)
{
	unsigned order = 99;

	return fake::fault(g.vm, gfn, &order) ? 99 : order;
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
		const std::uint64_t gfn = start + scattered(i);

		EXPECT_EQ(fake::fault(g.vm, gfn), 0);
		EXPECT(fake::guest_write(g.vm, gfn, gfn + 1));
	}
	fake::set_no_blocks(false);
}

/* The run at @start has its content, which guests can read. */
bool intact(const Guest &g, std::uint64_t start)
{
	for (std::uint64_t gfn = start; gfn < start + kRunPages; gfn++) {
		if (fake::fault(g.vm, gfn) || g.peek(gfn) != gfn + 1)
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

/* A run filled page by page where there was no block; then there is one. */
void runs_become_huge_again()
{
	Guest g{ 1024 };
	unsigned order;

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++) {
		/* Every other page elsewhere, so that they are no block by chance. */
		EXPECT_EQ(fake::fault(g.vm, scattered(i), &order), 0);
		EXPECT_EQ(order, 0u);
		EXPECT(fake::guest_write(g.vm, scattered(i), i));
	}
	EXPECT(fake::run_work()); /* in vain */
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	EXPECT_EQ(g.punch(3, 4), 0);
	EXPECT(!fake::run_work());
	EXPECT_EQ(fake::fault(g.vm, 3), 0);
	fake::set_no_blocks(false);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
	EXPECT(!fake::run_work());
	EXPECT_EQ(g.order(0), -1);
	EXPECT_EQ(fake::fault(g.vm, 0, &order), 0);
	EXPECT_EQ(order, 9u);
	for (unsigned i = 0; i < 512; i++) {
		if (scattered(i) != 3)
			EXPECT_EQ(g.peek(scattered(i)), i);
	}
	EXPECT_EQ(g.peek(3), 0u);
}

void a_page_in_use_delays_promotion()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, scattered(i)), 0);
	struct page *const held = g.file.cached(5);

	kapi_page_get(held);
	fake::set_no_blocks(false);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	kapi_page_put(held);
	EXPECT(fake::run_work()); /* it asked to come again */
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
}

/* There is nothing to copy yet. */
void no_promotion_before_all_is_prepared()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(g.allocate(scattered(i), scattered(i) + 1), 0);
	EXPECT_EQ(g.punch(3, 4), 0);
	EXPECT_EQ(fake::fault(g.vm, 3), 0);
	fake::set_no_blocks(false);
	EXPECT(!fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	/* With the last that is prepared there is. */
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, i), 0);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
}

void promotion_gives_up()
{
	Guest g{ 512 };
	unsigned works = 0;

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, scattered(i)), 0);
	struct page *const held = g.file.cached(5);

	kapi_page_get(held);
	fake::set_no_blocks(false);
	while (fake::run_work() && works < 100)
		works++;
	EXPECT(works > 1 && works < 20);
	kapi_page_put(held);
}

void no_promotion_where_it_would_not_help()
{
	/* Pages of SNP cannot be copied. */
	Guest g{ 512, kPlain, fake::kSnpVm };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, scattered(i)), 0);
	fake::set_no_blocks(false);
	EXPECT(!fake::run_work());

	/* Nor is a run in two slots ever mapped as one. */
	TestFile file{ 512 };
	struct kvm_memory_slot *slots[2];

	EXPECT_EQ(fake::slot_add(file.vm, 0, 256, file.fd, 0, &slots[0]), 0);
	EXPECT_EQ(fake::slot_add(file.vm, 1024, 256, file.fd, 256, &slots[1]), 0);
	for (unsigned i = 0; i < 256; i++) {
		EXPECT_EQ(fake::fault(file.vm, i), 0);
		EXPECT_EQ(fake::fault(file.vm, 1024 + i), 0);
	}
	EXPECT(!fake::run_work());
	fake::slot_delete(file.vm, slots[0]);
	fake::slot_delete(file.vm, slots[1]);
}

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
		EXPECT_EQ(fake::fault(g.vm, scattered(i)), 0);
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
		EXPECT_EQ(g.allocate(scattered(i, 1024), scattered(i, 1024) + 1), 0);
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
		EXPECT_EQ(fake::prefault(g.vm, scattered(i)), 0);
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

GMEM_SUITE(promotion, CASE(runs_become_huge_again), CASE(a_page_in_use_delays_promotion),
	   CASE(no_promotion_before_all_is_prepared), CASE(promotion_gives_up),
	   CASE(no_promotion_where_it_would_not_help), CASE(promotion_stays_on_the_node),
	   CASE(a_run_on_two_nodes_is_left_alone), CASE(a_node_that_is_not_allowed_gets_no_block),
	   CASE(a_marked_page_is_never_copied), CASE(a_page_that_cannot_be_read_undoes_all),
	   CASE(preallocated_runs_are_promoted), CASE(a_run_that_is_no_longer_prepared_waits),
	   CASE(a_page_that_could_not_be_unmapped_stays), CASE(at_its_limit_a_cgroup_is_left_alone),
	   CASE(promotion_has_a_rate), CASE(runs_are_promoted_a_gigabyte_a_second),
	   CASE(promotion_goes_by_batches), CASE(promotion_can_be_off), CASE(its_time_can_be_seen));
