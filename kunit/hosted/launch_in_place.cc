// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch without a source (mmu/launch.cc): what user space wrote to pages while they were
 * shared becomes the guest's first content, and is measured. Nothing else that may be in a
 * frame does.
 *
 * Tests: mmu/launch.cc, gmem/content.cc.
 */
#include <algorithm>
#include <cstring>

#include "arch/x86/snp_platform.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"
#include "kunit/suites/patterns.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kNpages = 1024;

/* A guest on a model whose file can be mapped. */
class InPlace {
    public:
	explicit InPlace(kapi_platform platform, std::uint64_t flags = kMmap)
		: setting_(platform), guest(kNpages, flags)
	{
	}

	long populate(std::uint64_t gfn, const void *source = nullptr, unsigned npages = 1,
		      unsigned type = GMEM_PAGE_NORMAL) const
	{
		gmem_launch_populate args{ .gpa = gfn * kPageSize,
					   .source = reinterpret_cast<std::uintptr_t>(source),
					   .npages = npages,
					   .type = type,
					   .flags = GMEM_POPULATE_MEASURE,
					   .done = 0,
					   .firmware_error = 0 };
		const long ret = gmem_file_populate(guest.file.handle, File::of(guest.file.handle),
						    &args);

		fake::return_to_user();
		return ret;
	}
	gmem_launch_measurement finish() const
	{
		gmem_launch_finish end{};
		gmem_launch_measurement measured{};

		EXPECT_EQ(gmem_file_finish(File::of(guest.file.handle), &end), 0);
		EXPECT_EQ(gmem_file_measurement(File::of(guest.file.handle), &measured), 0);
		return measured;
	}
	std::uint8_t *frame(std::uint64_t index) const
	{
		return static_cast<std::uint8_t *>(
			kapi_frame(kapi_page_pfn(guest.file.cached(index))));
	}
	/* User space writes @bytes by its mapping. The fakes' pages have a word beside them. */
	void write(std::uint64_t index, const test::PageBytes &bytes, std::uint64_t word = 77) const
	{
		EXPECT(guest.file.user_write(index, word));
		std::copy(bytes.begin(), bytes.end(), frame(index));
	}
	bool holds(std::uint64_t index, const test::PageBytes &bytes) const
	{
		return std::equal(bytes.begin(), bytes.end(), frame(index));
	}

    private:
	struct Setting {
		explicit Setting(kapi_platform platform) { fake::set_platform(platform); }
		~Setting()
		{
			fake::set_platform(KAPI_PLATFORM_NONE);
			(void)fake::reports();
		}
	} setting_;

    public:
	Guest guest;
};

struct alignas(4096) Source {
	test::PageBytes pages[3] = { test::kPageI, test::kPageW, test::kPage0 };
};

bool same(const gmem_launch_measurement &a, const gmem_launch_measurement &b)
{
	return std::memcmp(a.digest, b.digest, sizeof(a.digest)) == 0;
}

/* The launch measures to the same as a launch from a source. */
void what_user_space_wrote_is_launched()
{
	for (const kapi_platform platform : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		gmem_launch_measurement expected;
		static Source source;

		{
			const InPlace l{ platform };

			EXPECT_EQ(l.populate(5, &source, 3), 3);
			expected = l.finish();
		}
		for (const std::uint64_t flags : { kMmap, kInitShared }) {
			const InPlace l{ platform, flags };

			EXPECT_EQ(l.guest.file.convert(0, 512, Share::kShared), 0);
			l.write(5, source.pages[0]);
			l.write(6, source.pages[1]);
			EXPECT_EQ(l.guest.file.convert(0, 512, Share::kPrivate), 0);
			/* The third was never touched: zeros. */
			EXPECT_EQ(l.populate(5, nullptr, 3), 3);
			EXPECT(l.holds(5, source.pages[0]) && l.holds(6, source.pages[1]) &&
			       l.holds(7, test::kPage0));
			EXPECT_EQ(l.populate(5), -EEXIST);
			EXPECT_EQ(l.guest.access(5), 0);
			EXPECT(same(l.finish(), expected));
			EXPECT_EQ(fake::reports(), 0);
		}
	}
}

/* Such a frame has the allocator's leavings: pages are zeroed when prepared, not before. */
void a_frame_that_nobody_wrote_is_zeros()
{
	for (const bool come_zeroed : { false, true }) {
		const InPlace l{ KAPI_PLATFORM_SNP_MODEL };
		static Source source;

		fake::set_pages_come_zeroed(come_zeroed);
		EXPECT_EQ(fake::fallocate(l.guest.file.handle, false, 0, 16 * kPageSize), 0);
		if (!come_zeroed)
			std::memset(l.frame(3), 0xaa, kPageSize);
		EXPECT_EQ(l.populate(3), 1);
		EXPECT(l.holds(3, test::kPage0));
		/* A pre-faulted page is the platform's, and then the host's again. */
		EXPECT_EQ(l.guest.access(5), 0);
		std::memset(l.frame(5), 0xbb, kPageSize);
		EXPECT_EQ(l.populate(5), -EEXIST);
		EXPECT_EQ(fake::prefault(l.guest.vm, 600), 0);
		std::memset(l.frame(601), 0xcc, kPageSize);
		EXPECT_EQ(l.populate(601), 1);
		EXPECT(l.holds(601, test::kPage0));
		fake::set_pages_come_zeroed(false);
	}
}

/* User space's content does not reach the guest in any other way, nor come back. */
void it_is_only_for_the_launch()
{
	for (const bool come_zeroed : { false, true }) {
		const InPlace l{ KAPI_PLATFORM_SNP_MODEL, kInitShared };

		fake::set_pages_come_zeroed(come_zeroed);
		for (const unsigned index : { 5u, 9u, 606u, 607u, 700u })
			l.write(index, test::kPageI, 70);
		EXPECT_EQ(l.guest.file.convert(0, 1024, Share::kPrivate), 0);
		EXPECT_EQ(l.guest.file.convert(606, 608, Share::kShared), 0);
		EXPECT_EQ(l.guest.file.user_read(606), 0u);
		EXPECT_EQ(l.guest.file.convert(606, 608, Share::kPrivate), 0);
		/* The page that was not touched since still has the content. */
		EXPECT_EQ(l.populate(606, nullptr, 2), 2);
		EXPECT(l.holds(606, test::kPage0));
		EXPECT(l.holds(607, test::kPageI));
		/* A hole takes it away. */
		EXPECT_EQ(l.guest.file.punch(700, 701), 0);
		EXPECT_EQ(l.populate(700), 1);
		EXPECT(l.holds(700, test::kPage0));
		/* So does the guest, of the whole run if the platform takes that as one. */
		EXPECT_EQ(l.guest.read(5), 0u);
		EXPECT_EQ(l.guest.read(9), 0u);
		EXPECT_EQ(l.populate(5), -EEXIST);
		fake::set_pages_come_zeroed(false);
	}
}

/* All at once, as one block. */
void a_whole_run_that_is_not_launched_is_zeros()
{
	for (const bool come_zeroed : { false, true }) {
		const InPlace l{ KAPI_PLATFORM_SNP_MODEL, kInitShared };

		fake::set_pages_come_zeroed(come_zeroed);
		for (unsigned index = 0; index < 512; index += 100)
			l.write(index, test::kPageI, 70);
		EXPECT_EQ(l.guest.file.convert(0, 512, Share::kPrivate), 0);
		for (unsigned index = 0; index < 512; index += 50)
			EXPECT_EQ(l.guest.read(index), 0u);
		fake::set_pages_come_zeroed(false);
	}
}

/* So that it can be tried again. */
void a_refused_page_keeps_what_was_in_it()
{
	const InPlace l{ KAPI_PLATFORM_SNP_MODEL, kInitShared };
	static Source source;

	l.write(5, test::kPageI);
	l.write(6, test::kPageW);
	EXPECT_EQ(l.guest.file.convert(0, 512, Share::kPrivate), 0);
	SnpPlatform::machine()->firmware.inject_launch_update(SnpStatus::HardwareError, 1);
	EXPECT_EQ(l.populate(5), -EIO);
	EXPECT(l.holds(5, test::kPageI));
	EXPECT_EQ(l.populate(5), 1);
	EXPECT(l.holds(5, test::kPageI));
	/* From a source there is nothing to keep: half of it may be there. */
	SnpPlatform::machine()->firmware.inject_launch_update(SnpStatus::HardwareError, 1);
	EXPECT_EQ(l.populate(6, &source), -EIO);
	EXPECT(l.holds(6, test::kPage0));
}

/* A lost page is not to be had, staged or not. */
void a_lost_page_is_not_launched()
{
	const InPlace l{ KAPI_PLATFORM_SNP_MODEL, kInitShared };

	l.write(5, test::kPageI);
	EXPECT_EQ(l.guest.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT(fake::memory_failure(l.guest.file.inode().handle(), 5));
	fake::return_to_user();
	EXPECT_EQ(l.populate(5), -EHWPOISON);
}

} /* namespace */

GMEM_SUITE(launch_in_place, CASE(what_user_space_wrote_is_launched),
	   CASE(a_frame_that_nobody_wrote_is_zeros), CASE(it_is_only_for_the_launch),
	   CASE(a_whole_run_that_is_not_launched_is_zeros),
	   CASE(a_refused_page_keeps_what_was_in_it), CASE(a_lost_page_is_not_launched));
