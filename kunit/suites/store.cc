// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/store.h: how pages come and get ready. What content they get is in content.cc, how
 * they go in removal.cc.
 *
 * Tests: gmem/store.cc, gmem/run.h.
 */
#include "kunit/suites/store.h"

using namespace gmem_test;

namespace
{

void a_run_comes_as_one_block()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);
	const Got first = get(file, 100);

	REQUIRE(first.code == 0);
	EXPECT_EQ(first.order, kRunOrder);
	EXPECT_EQ(file.cached_pages(0, 512), 512u);
	EXPECT_EQ(file.cached_pages(512, 1024), 0u);
	EXPECT_EQ(kapi_page_pfn(first.page) % 512, 100u);
	EXPECT_EQ(world_page_refs(first.page), 1);
	/* Prepared at one stroke and once. */
	EXPECT_EQ(platform.prepares, 1u);
	EXPECT_EQ(platform.prepared_pages, 512u);
	EXPECT(!platform.misaligned);
	for (unsigned i : { 0u, 511u, 100u }) {
		const Got again = get(file, i);

		EXPECT_EQ(again.order, kRunOrder);
		EXPECT(again.page == file.cached(i));
		EXPECT_EQ(world_page_read(again.page), 0u);
	}
	EXPECT_EQ(platform.prepares, 1u);
}

void get_gives_a_reference()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);
	Result<Backing> backing = file.store().get(PageIndex{ 5 }, file.access(5));

	REQUIRE(backing.ok());
	EXPECT_EQ(world_page_refs(backing.value().page.get()), 2);
}

void small_where_a_block_does_not_fit()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(get(file, 100, 0).order, 0u);
	EXPECT_EQ(file.cached_pages(0, 1024), 1u);
	EXPECT_EQ(platform.prepared_pages, 1u);
	/* A run that has begun small goes on small. */
	EXPECT_EQ(get(file, 101).order, 0u);
	EXPECT_EQ(file.cached_pages(0, 512), 2u);
	/* A run that is a block is not mapped as one where only a part of it is shown. */
	EXPECT_EQ(get(file, 600).order, kRunOrder);
	EXPECT_EQ(get(file, 700, 0).order, 0u);
}

void small_by_policy()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform, FileKind{} };
	REQUIRE(file);

	EXPECT_EQ(get(file, 100).order, 0u);
	EXPECT_EQ(file.cached_pages(0, 1024), 1u);
	EXPECT_EQ(file->allocate(pages(512, 1024)).code(), 0);
	EXPECT_EQ(file.cached_pages(0, 1024), 513u);
	/* Nor is it promoted when all of it is there. */
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(get(file, i).order, 0u);
	EXPECT(!file.store().next_promotion(PageIndex{ 0 }).ok());
}

void small_where_a_part_is_shared()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	world_set_private(file.vm, 511, 512, false);
	EXPECT_EQ(get(file, 100).order, 0u);
	EXPECT_EQ(file.cached_pages(0, 512), 1u);
	EXPECT_EQ(get(file, 600).order, kRunOrder);
}

/* 512 pages one by one never make a huge mapping, wherever they lie. */
void small_pages_stay_small()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(get(file, i, 0).order, 0u);
	EXPECT_EQ(file.cached_pages(0, 512), 512u);
	EXPECT_EQ(get(file, 7).order, 0u);
	EXPECT_EQ(platform.prepares, 512u);
}

void allocated_is_not_prepared()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1100, platform };
	REQUIRE(file);

	EXPECT_EQ(file->allocate(pages(0, 1100)).code(), 0);
	EXPECT_EQ(file.cached_pages(0, 1100), 1100u);
	EXPECT_EQ(platform.prepares, 0u);
	/* Whole runs are blocks, what sticks out is not. */
	EXPECT_EQ(get(file, 1).order, kRunOrder);
	EXPECT_EQ(get(file, 600).order, kRunOrder);
	EXPECT_EQ(get(file, 1024, 0).order, 0u);
	EXPECT_EQ(platform.prepared_pages, 1025u);
	EXPECT_EQ(file->allocate(pages(0, 1100)).code(), 0);
	EXPECT_EQ(file->allocate(pages(0, 1101)).code(), -EINVAL);
	EXPECT_EQ(file->allocate(pages(1100, 1101)).code(), -EINVAL);
}

void allocation_of_a_part_is_a_part()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1536, platform };
	REQUIRE(file);

	EXPECT_EQ(file->allocate(pages(510, 1025)).code(), 0);
	EXPECT_EQ(file.cached_pages(0, 510), 0u);
	EXPECT_EQ(file.cached_pages(510, 1025), 515u);
	EXPECT_EQ(file.cached_pages(1025, 1536), 0u);
	EXPECT_EQ(get(file, 700).order, kRunOrder);
	EXPECT_EQ(get(file, 511).order, 0u);
}

/* A page with content, its neighbours without: joined when asked for as one. */
void neighbours_are_prepared_one_by_one()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	EXPECT_EQ(populate(file, 3, 0, 42), 0);
	EXPECT_EQ(file.cached_pages(0, 512), 512u);
	EXPECT_EQ(platform.prepares, 0u);
	const Got got = get(file, 9);

	EXPECT_EQ(got.order, kRunOrder);
	EXPECT_EQ(platform.prepares, 511u);
	EXPECT_EQ(platform.prepared_pages, 511u);
	EXPECT_EQ(world_page_read(file.cached(3)), 42u);
	EXPECT_EQ(world_page_read(file.cached(4)), 0u);
	EXPECT_EQ(world_page_read(file.cached(511)), 0u);
	EXPECT_EQ(get(file, 3).order, kRunOrder);
}

/* Where pages do not join, only one prepare of all makes a huge mapping. */
void unjoined_pages_stay_small()
{
	NotedPlatform platform{ 0, false };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	for (unsigned i = 0; i < 512; i++) {
		EXPECT_EQ(get(file, i).order, 0u);
		EXPECT_EQ(platform.prepares, i + 1);
	}
	EXPECT_EQ(get(file, 7).order, 0u);
	EXPECT_EQ(platform.prepares, 512u);
}

/* The same where a block can be prepared, but a page of it was before. */
void prepared_one_by_one_is_not_as_one()
{
	NotedPlatform platform{ kRunOrder, false };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(populate(file, i, 0, i), 0);
	EXPECT_EQ(get(file, 7).order, 0u);
	EXPECT_EQ(get(file, 600).order, kRunOrder);
	EXPECT_EQ(platform.prepares, 1u);
}

void failed_prepare_can_be_repeated()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	platform.fail_prepare = true;
	EXPECT_EQ(get(file, 3).code, -EIO);
	EXPECT_EQ(get(file, 600, 0).code, -EIO);
	EXPECT_EQ(platform.prepares, 0u);
	platform.fail_prepare = false;
	EXPECT_EQ(get(file, 3).order, kRunOrder);
	EXPECT_EQ(get(file, 600, 0).code, 0);
	EXPECT_EQ(platform.prepared_pages, 513u);
}

void poison_where_nothing_is()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };

	REQUIRE(file);
	file.store().poisoned(PageIndex{ 5 });
	EXPECT(file.store().get(PageIndex{ 5 }, file.access(5)).status().ok());
	EXPECT_EQ(file.store().get(PageIndex{ 6 }, file.access(6)).value().order, kRunOrder);
	/* A run with no such page. */
	EXPECT(file.inode().punch(pages(7, 8)).ok());
	file.store().poisoned(PageIndex{ 7 });
	EXPECT(file.store().get(PageIndex{ 7 }, file.access(7)).status().ok());
}

} /* namespace */

GMEM_SUITE(store, CASE(a_run_comes_as_one_block), CASE(get_gives_a_reference),
	   CASE(small_where_a_block_does_not_fit), CASE(small_by_policy),
	   CASE(small_where_a_part_is_shared), CASE(small_pages_stay_small),
	   CASE(allocated_is_not_prepared), CASE(allocation_of_a_part_is_a_part),
	   CASE(neighbours_are_prepared_one_by_one), CASE(unjoined_pages_stay_small),
	   CASE(prepared_one_by_one_is_not_as_one), CASE(failed_prepare_can_be_repeated),
	   CASE(poison_where_nothing_is));
