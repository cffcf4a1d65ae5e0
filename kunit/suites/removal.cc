// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/store.h: how pages go, and what becomes of the run they leave.
 *
 * Tests: gmem/removal.cc, gmem/store.cc.
 */
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

Result<Backing> get(const TestFile &file, std::uint64_t index, unsigned largest_order = kRunOrder)
{
	return file.store().get(PageIndex{ index }, file.access(index, largest_order));
}

unsigned order_of(const TestFile &file, std::uint64_t index)
{
	const Result<Backing> backing = get(file, index);

	return backing.ok() ? backing.value().order : 99;
}

void punch(const TestFile &file, std::uint64_t start, std::uint64_t end)
{
	EXPECT(file.inode().punch(pages(start, end)).ok());
}

void a_whole_run_goes_at_once()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(order_of(file, 0), kRunOrder);
	EXPECT_EQ(order_of(file, 512), kRunOrder);
	punch(file, 0, 512);
	EXPECT_EQ(file.cached_pages(0, 512), 0u);
	EXPECT_EQ(file.cached_pages(512, 1024), 512u);
	EXPECT_EQ(platform.reclaims, 1u);
	EXPECT_EQ(platform.reclaimed_pages, 512u);
	/* It comes back as a block, ready anew. */
	EXPECT_EQ(order_of(file, 5), kRunOrder);
	EXPECT_EQ(platform.prepares, 3u);
	EXPECT_EQ(world_page_read(file.cached(5)), 0u);
}

void only_what_is_prepared_is_reclaimed()
{
	NotedPlatform platform{ 0, false };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(file->allocate(pages(0, 1024)).code(), 0);
	for (unsigned i : { 0u, 1u, 2u, 100u, 511u })
		EXPECT_EQ(order_of(file, i), 0u);
	punch(file, 0, 512);
	EXPECT_EQ(platform.reclaimed_pages, 5u);
	EXPECT_EQ(platform.reclaims, 3u);
	EXPECT_EQ(file.cached_pages(0, 1024), 512u);

	/* Page by page too. */
	for (unsigned i : { 600u, 601u })
		EXPECT_EQ(order_of(file, i), 0u);
	punch(file, 600, 700);
	EXPECT_EQ(platform.reclaimed_pages, 7u);
	EXPECT_EQ(file.cached_pages(512, 1024), 412u);
}

void a_hole_ends_the_block()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	EXPECT_EQ(order_of(file, 0), kRunOrder);
	world_page_write(file.cached(8), 8);
	world_page_write(file.cached(7), 7);
	punch(file, 7, 8);
	EXPECT(file.cached(7) == nullptr);
	EXPECT_EQ(file.cached_pages(0, 512), 511u);
	EXPECT_EQ(platform.reclaimed_pages, 1u);
	EXPECT_EQ(order_of(file, 0), 0u);
	EXPECT_EQ(world_page_read(file.cached(8)), 8u);
	/* Something else may have come by the page: the hole's new page may lie anywhere. */
	Result<Backing> backing = get(file, 7);

	REQUIRE(backing.ok());
	EXPECT_EQ(world_page_read(backing.value().page.get()), 0u);
	const bool at_its_place = kapi_page_pfn(file.cached(7)) ==
				  kapi_page_pfn(file.cached(6)) + 1;

	EXPECT_EQ(backing.value().order, at_its_place ? kRunOrder : 0u);
	EXPECT(backing.value().page.get() == file.cached(7));
	EXPECT_EQ(order_of(file, 300), at_its_place ? kRunOrder : 0u);
}

void the_hole_filled_from_elsewhere_is_no_block()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);

	EXPECT_EQ(order_of(file, 0), kRunOrder);
	/* The case keeps the old page, so that the allocator cannot give it again. */
	struct page *const kept = file.cached(7);

	kapi_page_get(kept);
	punch(file, 7, 8);
	EXPECT_EQ(world_page_refs(kept), 1);
	EXPECT_EQ(order_of(file, 7), 0u);
	EXPECT_EQ(file.cached_pages(0, 512), 512u);
	EXPECT_EQ(order_of(file, 100), 0u);
	EXPECT(file.cached(7) != kept);
	for (unsigned i : { 6u, 7u, 8u }) {
		const Result<Backing> backing = get(file, i);

		REQUIRE(backing.ok());
		EXPECT(backing.value().page.get() == file.cached(i));
	}
	kapi_page_put(kept);
	/* All of it gone, it can be a block again. */
	punch(file, 0, 512);
	EXPECT_EQ(order_of(file, 100), kRunOrder);
}

void referenced_runs_go_page_by_page()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 512, platform };
	REQUIRE(file);
	struct page *held;
	{
		Result<Backing> backing = get(file, 100);

		REQUIRE(backing.ok());
		held = backing.value().page.release();
	}
	world_page_write(held, 5);
	punch(file, 0, 512);
	EXPECT_EQ(file.cached_pages(0, 512), 0u);
	EXPECT_EQ(platform.reclaimed_pages, 512u);
	/* The reference keeps the page as it is. */
	EXPECT_EQ(world_page_refs(held), 1);
	EXPECT_EQ(world_page_read(held), 5u);
	EXPECT_EQ(order_of(file, 100), kRunOrder);
	EXPECT(file.cached(100) != held);
	kapi_page_put(held);
}

void ranges_are_exact()
{
	static constexpr unsigned bounds[] = { 0, 1, 63, 64, 65, 511, 512, 513, 1023, 1024, 1500 };
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1500, platform };
	REQUIRE(file);

	for (unsigned start : bounds) {
		for (unsigned end : bounds) {
			if (start >= end)
				continue;
			EXPECT_EQ(file->allocate(pages(0, 1500)).code(), 0);
			punch(file, start, end);
			EXPECT_EQ(file.cached_pages(0, start), start);
			EXPECT_EQ(file.cached_pages(start, end), 0u);
			EXPECT_EQ(file.cached_pages(end, 1500), 1500 - end);
		}
	}
	EXPECT_EQ(platform.reclaims, 0u);
}

struct Later {
	struct page *page;
	unsigned long spins;
};

void unlock_later(void *arg)
{
	Later &later = *static_cast<Later *>(arg);

	/* The remover takes its reference before it waits. */
	while (world_page_refs(later.page) < 2)
		kapi_cond_resched();
	world_page_unlock(later.page);
}

void a_locked_page_is_waited_for()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	/* Allocated, not whole: removal goes page by page. */
	EXPECT_EQ(file->allocate(pages(0, 200)).code(), 0);
	EXPECT_EQ(file->allocate(pages(512, 600)).code(), 0);
	Later later{ file.cached(100), 0 };

	EXPECT(world_page_trylock(later.page));
	void *const other = world_thread(unlock_later, &later);

	REQUIRE(other);
	punch(file, 0, 1024);
	world_join(other);
	EXPECT_EQ(file.cached_pages(0, 1024), 0u);
}

void what_cannot_be_reclaimed_is_never_used_again()
{
	NotedPlatform platform{ kRunOrder, true };
	const TestFile file{ 1024, platform };
	REQUIRE(file);

	EXPECT_EQ(order_of(file, 0), kRunOrder);
	EXPECT_EQ(order_of(file, 512), kRunOrder);
	struct page *const whole = file.cached(0), *const single = file.cached(600);

	platform.fail_reclaim = true;
	punch(file, 0, 512);
	punch(file, 600, 601);
	platform.fail_reclaim = false;
	EXPECT_EQ(file.cached_pages(0, 512), 0u);
	EXPECT(file.cached(600) == nullptr);
	/* No page goes back to the allocator: each keeps a reference. */
	EXPECT_EQ(world_page_refs(whole), 1);
	EXPECT_EQ(world_page_refs(kapi_page_nth(whole, 511)), 1);
	EXPECT_EQ(world_page_refs(single), 1);
	EXPECT_EQ(order_of(file, 0), kRunOrder);
	EXPECT(file.cached(0) != whole);
	/* The case gives back what the core must not. */
	kapi_pages_put(whole, kRunPages);
	kapi_page_put(single);
}

void closing_frees_all()
{
	NotedPlatform platform{ kRunOrder, true };
	TestFile file{ 2000, platform };
	REQUIRE(file);

	EXPECT_EQ(order_of(file, 0), kRunOrder);
	EXPECT_EQ(get(file, 700, 0).status().code(), 0);
	EXPECT_EQ(file->allocate(pages(1900, 2000)).code(), 0);
	file.close();
	EXPECT_EQ(platform.reclaimed_pages, 513u);
}

} /* namespace */

GMEM_SUITE(removal, CASE(a_whole_run_goes_at_once), CASE(only_what_is_prepared_is_reclaimed),
	   CASE(a_hole_ends_the_block), CASE(the_hole_filled_from_elsewhere_is_no_block),
	   CASE(referenced_runs_go_page_by_page), CASE(ranges_are_exact),
	   CASE(a_locked_page_is_waited_for), CASE(what_cannot_be_reclaimed_is_never_used_again),
	   CASE(closing_frees_all));
