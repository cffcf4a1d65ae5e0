// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promotion: which runs of small pages are moved into a block, when, and that they keep
 * their content. Where the block comes from, its charge, and the pace: blocks.cc.
 *
 * Tests: gmem/promotion.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* A run filled page by page where there was no block; then there is one. */
void runs_become_huge_again()
{
	Guest g{ 1024 };
	unsigned order;

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++) {
		/* Every other page elsewhere, so that they are no block by chance. */
		EXPECT_EQ(fake::fault(g.vm, i * 37 % 512, &order), 0);
		EXPECT_EQ(order, 0u);
		EXPECT(fake::guest_write(g.vm, i * 37 % 512, i));
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
		if (i * 37 % 512 != 3)
			EXPECT_EQ(g.read(i * 37 % 512), i);
	}
	EXPECT_EQ(g.read(3), 0u);
}

void a_page_in_use_delays_promotion()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, i * 37 % 512), 0);
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
		EXPECT_EQ(g.allocate(i * 37 % 512, i * 37 % 512 + 1), 0);
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
		EXPECT_EQ(fake::fault(g.vm, i * 37 % 512), 0);
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
	Guest g{ 512, fake::kSnpVm };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, i * 37 % 512), 0);
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

} /* namespace */

GMEM_SUITE(promotion, CASE(runs_become_huge_again), CASE(a_page_in_use_delays_promotion),
	   CASE(no_promotion_before_all_is_prepared), CASE(promotion_gives_up),
	   CASE(no_promotion_where_it_would_not_help));
