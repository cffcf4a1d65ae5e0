// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/store.h: the first content of pages, once for each, and what becomes of a page whose
 * content failed to come.
 *
 * Tests: gmem/content.cc.
 */
#include "kunit/suites/store.h"

using namespace gmem_test;

namespace
{

void shared_pages_are_not_populated()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform, { .huge = true, .mappable = true, .shared = true } };

	REQUIRE(file);
	EXPECT_EQ(populate(file, 3, 0, 42), -EINVAL);
	EXPECT_EQ(file.cached_pages(0, 512), 0u);
}

/* A page that a neighbour's mapping may show stays as it is until the content is at hand. */
void not_taken_back_for_content_that_may_be_missing()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	EXPECT_EQ(get(file, 9).order, kRunOrder);
	world_page_write(file.cached(4), 41);
	EXPECT_EQ(populate(file, 4, 0, 42, kRunOrder, false), -EFAULT);
	EXPECT_EQ(world_page_read(file.cached(4)), 41u);
	EXPECT_EQ(get(file, 4).order, kRunOrder);
	EXPECT_EQ(platform.prepares, 1u);
}

void content_comes_once()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(populate(file, 3, 0, 42), 0);
	EXPECT_EQ(populate(file, 3, 0, 43), -EEXIST);
	EXPECT_EQ(world_page_read(file.cached(3)), 42u);
	EXPECT_EQ(get(file, 3).code, 0);
	EXPECT_EQ(world_page_read(file.cached(3)), 42u);
	/* Nor to a page that was asked for. A neighbour prepared with it can still have content. */
	EXPECT_EQ(get(file, 600).code, 0);
	EXPECT_EQ(populate(file, 600, 0, 43), -EEXIST);
	EXPECT_EQ(populate(file, 601, 0, 43), 0);
	EXPECT_EQ(populate(file, 601, 0, 44), -EEXIST);
	EXPECT_EQ(world_page_read(file.cached(600)), 0u);
	EXPECT_EQ(world_page_read(file.cached(601)), 43u);
	/* Prepared and half-filled: no later step would clear it. */
	EXPECT_EQ(populate(file, 602, -EFAULT, 43), -EFAULT);
	EXPECT_EQ(world_page_read(file.cached(602)), 0u);
}

void failed_content_leaves_a_new_page()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(populate(file, 3, -EFAULT, 42), -EFAULT);
	EXPECT_EQ(populate(file, 4, -EIO, 42, 0), -EIO);
	EXPECT_EQ(get(file, 3).code, 0);
	EXPECT_EQ(world_page_read(file.cached(3)), 0u);
	EXPECT_EQ(world_page_read(file.cached(4)), 0u);

	EXPECT_EQ(populate(file, 700, -EIO, 42), -EIO);
	EXPECT_EQ(populate(file, 700, 0, 43), 0);
	EXPECT_EQ(world_page_read(file.cached(700)), 43u);
}

} /* namespace */

GMEM_SUITE(content, CASE(shared_pages_are_not_populated),
	   CASE(not_taken_back_for_content_that_may_be_missing), CASE(content_comes_once),
	   CASE(failed_content_leaves_a_new_page));
