// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a file counts beside its pages: faults, conversions, holes, splits, and what was
 * refused and why. Pages, runs and promotions are counted in observe.cc and where they
 * come and go.
 *
 * Tests: gmem/stats.cc, gmem/inode.cc.
 */
#include <uapi/gmem.h>

#include "kunit/fakes/holds.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* Counters of @inode as they were, and by how much they have grown. */
class Growth {
    public:
	explicit Growth(Inode &inode) : inode_(inode), before_(inode.store().stats()) {}

	long operator[](kapi_stat stat) const
	{
		return inode_.store().stats().get(stat) - before_[stat];
	}
	/* All that were refused. */
	long refused() const
	{
		long n = 0;

		for (int i = KAPI_STAT_REFUSED_STATE; i <= KAPI_STAT_REFUSED_OTHER; i++)
			n += (*this)[static_cast<kapi_stat>(i)];
		return n;
	}

    private:
	class Copy {
	    public:
		explicit Copy(const Stats &stats)
		{
			for (int i = 0; i < KAPI_STATS_OF_FILES; i++)
				values_[i] = stats.get(static_cast<kapi_stat>(i));
		}
		long operator[](kapi_stat stat) const { return values_[stat]; }

	    private:
		std::array<long, KAPI_STATS_OF_FILES> values_{};
	};

	Inode &inode_;
	const Copy before_;
};

/* Pages handed out to anybody; not those that populate or fallocate made. */
void faults_are_counted()
{
	const Guest g{ 1024, kInitShared };
	const std::atomic<long> &faults = g.file.inode().handle()->faults;

	EXPECT_EQ(faults.load(), 0);
	EXPECT_EQ(g.access(5), 0);
	EXPECT_EQ(faults.load(), 1);
	EXPECT_EQ(g.file.touch(9), 0);
	EXPECT_EQ(faults.load(), 2);
	EXPECT_EQ(fake::fallocate(g.file.handle, false, 512 * kPageSize, 512 * kPageSize), 0);
	EXPECT_EQ(faults.load(), 2);
}

void a_refused_fault_is_no_fault()
{
	const Guest g{ 1024 };
	Growth grown{ g.file.inode() };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 7));
	EXPECT_EQ(grown.refused(), 0);
	EXPECT_EQ(fake::fault(g.vm, 7), -EHWPOISON);
	EXPECT_EQ(grown[KAPI_STAT_REFUSED_LOST], 1);
	EXPECT_EQ(grown.refused(), 1);
	EXPECT_EQ(g.file.inode().handle()->faults.load(), 1);
}

void no_memory_is_refused()
{
	const Guest g{ 1024 };
	Growth grown{ g.file.inode() };

	fake::fail_nth(1);
	EXPECT_EQ(fake::fault(g.vm, 5), -ENOMEM);
	fake::fail_nth(0);
	EXPECT_EQ(grown[KAPI_STAT_REFUSED_MEMORY], 1);
	EXPECT_EQ(grown.refused(), 1);
}

/* User space asks for what the guest has. */
void the_other_state_is_refused()
{
	const Guest g{ 1024, kInitShared };

	EXPECT_EQ(g.file.convert(8, 16, Share::kPrivate), 0);
	Growth grown{ g.file.inode() };

	EXPECT(g.file.touch(9) != 0);
	EXPECT_EQ(grown[KAPI_STAT_REFUSED_STATE], 1);
	EXPECT_EQ(grown.refused(), 1);
}

void conversions_are_counted()
{
	const Guest g{ 1024, kInitShared };
	Growth grown{ g.file.inode() };

	EXPECT_EQ(g.file.touch(9), 0);
	EXPECT_EQ(g.file.convert(8, 16, Share::kPrivate), 0);
	EXPECT_EQ(grown[KAPI_STAT_CONVERSIONS], 1);
	EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
	EXPECT_EQ(grown[KAPI_STAT_CONVERSIONS], 2);

	struct page *const pinned = g.file.pin(9);

	REQUIRE(pinned);
	EXPECT_EQ(g.file.convert(8, 16, Share::kPrivate), -EAGAIN);
	fake::user_unpin(pinned);
	EXPECT_EQ(grown[KAPI_STAT_CONVERSIONS], 2);
	EXPECT_EQ(grown[KAPI_STAT_REFUSED_BUSY], 1);
	EXPECT_EQ(grown.refused(), 1);
}

/* Who is killed has asked for nothing. */
void a_signal_is_no_refusal()
{
	Stats stats;

	stats.add_refused(error(EINTR), KAPI_STAT_REFUSED_BUSY);
	for (int i = KAPI_STAT_REFUSED_STATE; i <= KAPI_STAT_REFUSED_OTHER; i++)
		EXPECT_EQ(stats.get(static_cast<kapi_stat>(i)), 0);
	stats.add_refused(error(EDQUOT), KAPI_STAT_REFUSED_BUSY);
	EXPECT_EQ(stats.get(KAPI_STAT_REFUSED_MEMORY), 1);
	stats.add_refused(error(EIO), KAPI_STAT_REFUSED_BUSY);
	EXPECT_EQ(stats.get(KAPI_STAT_REFUSED_OTHER), 1);
}

void holes_are_counted()
{
	const Guest g{ 1024 };
	Growth grown{ g.file.inode() };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.punch(2, 5), 0);
	EXPECT_EQ(g.punch(600, 700), 0);
	EXPECT_EQ(grown[KAPI_STAT_PUNCHES], 2);
}

/* A run goes page by page, as somebody has one of the pages; but all of it. */
void a_run_that_goes_is_not_split()
{
	const Guest g{ 512 };
	Growth grown{ g.file.inode() };
	int error = 0;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	struct page *const held = fake::kernel_get_page(g.vm, 7, &error);

	EXPECT(held);
	EXPECT_EQ(g.punch(0, 512), 0);
	kapi_page_put(held);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 0);
}

/* A part of a run goes, once; then the rest. */
void a_hole_splits_once()
{
	const Guest g{ 1024 };
	Growth grown{ g.file.inode() };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(fake::fault(g.vm, 600), 0);
	EXPECT_EQ(g.punch(512, 1024), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 0);
	EXPECT_EQ(g.punch(2, 5), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 1);
	EXPECT_EQ(g.punch(9, 12), 0);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 1);
}

void a_conversion_of_a_part_splits()
{
	const Guest g{ 1024, kInitShared };
	Growth grown{ g.file.inode() };

	EXPECT_EQ(g.access(5), 0);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 0);
	EXPECT_EQ(g.file.convert(3, 4, Share::kShared), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 1);
	EXPECT_EQ(g.file.convert(7, 9, Share::kShared), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 1);
	/* One again, and a page of it is lost. */
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 7));
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 2);
	/* With the hardware's mark alone, when somebody looks. */
	EXPECT_EQ(g.access(600), 0);
	g.file.cached(700)->poisoned = true;
	EXPECT_EQ(g.file.punch(600, 601), 0);
	EXPECT_EQ(grown[KAPI_STAT_SPLITS], 3);
}

} /* namespace */

GMEM_SUITE(stats, CASE(faults_are_counted), CASE(a_refused_fault_is_no_fault),
	   CASE(no_memory_is_refused), CASE(the_other_state_is_refused),
	   CASE(conversions_are_counted), CASE(a_signal_is_no_refusal), CASE(holes_are_counted),
	   CASE(a_run_that_goes_is_not_split), CASE(a_hole_splits_once),
	   CASE(a_conversion_of_a_part_splits));
