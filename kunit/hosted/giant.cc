// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giants (gmem/giant.h): a gigabyte of a file from one block of the reserve, and
 * everything that makes it an ordinary one.
 *
 * Tests: gmem/giant.cc.
 */
#include <chrono>
#include <memory>
#include <thread>

#include "kunit/fakes/sched.h"
#include "kunit/fakes/share.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kGiant = 1ull << kGiantOrder;

/* A guest with a giant at hand. */
class GiantGuest : public Guest {
    public:
	explicit GiantGuest(std::uint64_t npages = kGiant) : Guest(reserve(npages)) {}

	long giants() const { return file.store().stats().get(KAPI_STAT_GIANTS); }
	unsigned fault(std::uint64_t gfn) const
	{
		unsigned order = 99;

		return fake::fault(vm, gfn, &order) ? 99 : order;
	}

    private:
	static std::uint64_t reserve(std::uint64_t npages)
	{
		fake::set_reserve(1);
		return npages;
	}
};

void a_gigabyte_is_mapped_as_one()
{
	GiantGuest g;

	EXPECT_EQ(g.fault(1000), 18u);
	EXPECT_EQ(g.order(kGiant - 1), 18);
	EXPECT_EQ(g.peek(kGiant - 1), 0u);
	EXPECT_EQ(g.giants(), 1);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_PAGES), static_cast<long>(kGiant));
}

void only_where_it_fits()
{
	/* Short of a page; and where a part of it is shared. */
	GiantGuest small{ kGiant - 1 };

	EXPECT_EQ(small.fault(1000), 9u);
	EXPECT_EQ(small.giants(), 0);

	GiantGuest shared;

	fake::set_private(shared.vm, 5, 6, false);
	EXPECT_EQ(shared.fault(1000), 9u);
	EXPECT_EQ(shared.giants(), 0);
	/* Tried once. */
	fake::set_private(shared.vm, 5, 6, true);
	EXPECT_EQ(shared.fault(2000), 9u);
	EXPECT_EQ(shared.giants(), 0);
}

void without_a_reserve_runs_do()
{
	GiantGuest first, second;

	EXPECT_EQ(first.fault(1000), 18u);
	EXPECT_EQ(second.fault(1000), 9u);
}

void a_run_that_is_there_already_stays()
{
	GiantGuest g;

	EXPECT_EQ(g.allocate(100, 101), 0);
	struct page *const there = g.file.cached(100);

	EXPECT_EQ(g.fault(5000), 9u);
	EXPECT_EQ(g.giants(), 0);
	EXPECT(g.file.cached(100) == there);
	EXPECT_EQ(g.fault(100), 0u);
	EXPECT_EQ(g.file.cached_pages(0, kGiant), 512u + 1u);
}

void the_first_hole_ends_it()
{
	GiantGuest g;

	EXPECT_EQ(g.fault(1000), 18u);
	EXPECT(fake::guest_write(g.vm, 9000, 9));
	EXPECT_EQ(g.punch(77, 78), 0);
	EXPECT_EQ(g.giants(), 0);
	/* Pages outside of the hole's run stay mapped. */
	EXPECT_EQ(g.order(9000), 9);
	EXPECT_EQ(g.peek(9000), 9u);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(g.fault(5), 9u);
	EXPECT_EQ(g.giants(), 0);
}

void poison_ends_it()
{
	GiantGuest g;

	EXPECT_EQ(g.fault(1000), 18u);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	EXPECT_EQ(g.giants(), 0);
	EXPECT_EQ(g.order(9000), 9);
	EXPECT_EQ(g.fault(6), 0u);
}

/* Half-filled by a populate that fails, a page waits to be prepared anew. */
void a_failed_populate_ends_it()
{
	GiantGuest g;
	Filler failing{ .fail_at = 0 };

	EXPECT_EQ(g.fault(1000), 18u);
	EXPECT_EQ(failing.populate(g.vm, 5, 1), -EIO);
	EXPECT_EQ(g.fault(9000), 9u);
	EXPECT_EQ(g.giants(), 0);
	EXPECT_EQ(g.fault(5), 9u);
	EXPECT_EQ(g.peek(5), 0u);
}

/* A hole made in its beginning while its end is still being filled. */
void a_hole_while_it_is_filled()
{
	GiantGuest g;

	fake::set_before_look([&](std::uint64_t index) {
		if (index == kGiant - 512)
			std::thread([&] { g.punch(5, 6); }).join();
	});
	EXPECT_EQ(fake::fault(g.vm, 1000), -EAGAIN);
	fake::set_before_look(nullptr);
	EXPECT(g.file.cached(5) == nullptr);
	EXPECT_EQ(g.giants(), 0);
	EXPECT_EQ(g.fault(1000), 9u);
}

/* A hole made before its run has got pages counts as made before the giant. */
void a_hole_where_it_is_not_filled_yet()
{
	GiantGuest g;

	fake::set_before_look([&](std::uint64_t index) {
		if (index == 0)
			std::thread([&] { g.punch(1000, 1001); }).join();
	});
	EXPECT_EQ(fake::fault(g.vm, 1000), -EAGAIN);
	fake::set_before_look(nullptr);
	EXPECT_EQ(g.giants(), 1);
	EXPECT_EQ(g.fault(1000), 18u);
	EXPECT_EQ(g.peek(1000), 0u);
}

/* A fallocate of a page of the giant waits meanwhile, and gets the block's page. */
void a_fallocate_while_it_is_filled()
{
	GiantGuest g;
	std::thread other;

	fake::set_before_look([&](std::uint64_t index) {
		if (index != 512 || other.joinable())
			return;
		other = std::thread([&] { EXPECT_EQ(g.allocate(2048, 2049), 0); });
		/* Time enough to be in the way. */
		std::this_thread::sleep_for(std::chrono::milliseconds(200));
	});
	EXPECT_EQ(g.fault(1000), 18u);
	fake::set_before_look(nullptr);
	other.join();
	EXPECT_EQ(g.giants(), 1);
	EXPECT(g.file.cached(2048) == kapi_page_nth(g.file.cached(0), 2048));
}

/*
 * The giant's first run is punched, in any order of the steps, while a fault is about to
 * map all of the giant. The fault looks at the block as it was before.
 */
void its_beginning_goes_while_it_is_mapped()
{
	static std::unique_ptr<GiantGuest> g;

	fake::sched::explore({ [] {
				      g = std::make_unique<GiantGuest>();
				      EXPECT_EQ(g->fault(1000), 18u);
			      },
			       { [] {
					const int ret = fake::fault(g->vm, 1000);

					EXPECT(ret == 0 || ret == -EAGAIN);
				},
				 [] { g->punch(0, kRunPages); } },
			       [] {
				       EXPECT_EQ(g->giants(), 0);
				       EXPECT_EQ(g->fault(1000), 9u);
				       g.reset();
				       fake::check_clean();
			       } },
			     1);
}

} /* namespace */

GMEM_SUITE(giant, CASE(a_gigabyte_is_mapped_as_one), CASE(only_where_it_fits),
	   CASE(without_a_reserve_runs_do), CASE(a_run_that_is_there_already_stays),
	   CASE(the_first_hole_ends_it), CASE(poison_ends_it), CASE(a_failed_populate_ends_it),
	   CASE(a_hole_while_it_is_filled), CASE(a_hole_where_it_is_not_filled_yet),
	   CASE(a_fallocate_while_it_is_filled), CASE(its_beginning_goes_while_it_is_mapped));
