// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch by the ioctls on a file (mmu/launch.cc): arguments, what reaches the
 * platform and the measurement, what comes back when the firmware refuses.
 *
 * Tests: mmu/launch.cc, mmu/populate.cc.
 */
#include <uapi/gmem.h>

#include "arch/x86/snp_platform.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"
#include "kunit/suites/patterns.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kNpages = 1024;

/* A guest on a platform; its ioctls. */
class LaunchGuest {
    public:
	explicit LaunchGuest(kapi_platform platform) : setting_(platform), guest(kNpages) {}

	long populate(gmem_launch_populate &args) const
	{
		struct file *const handle = fake::file_at(guest.file.fd);
		const long ret = gmem_file_populate(handle, guest.file.core(), &args);

		fake::return_to_user();
		return ret;
	}
	long populate(std::uint64_t gfn, const void *source, std::uint64_t npages = 1,
		      unsigned type = GMEM_PAGE_NORMAL) const
	{
		gmem_launch_populate args{ .gpa = gfn * kPageSize,
					   .source = reinterpret_cast<std::uintptr_t>(source),
					   .npages = npages,
					   .type = type,
					   .flags = GMEM_POPULATE_MEASURE,
					   .done = ~0ull,
					   .firmware_error = ~0ull };
		const long ret = populate(args);

		EXPECT_EQ(args.done, ret > 0 ? static_cast<std::uint64_t>(ret) : 0);
		EXPECT_EQ(args.firmware_error != 0, ret == -EIO);
		return ret;
	}
	long finish() const
	{
		gmem_launch_finish args{ ~0ull };
		const long ret = gmem_file_finish(guest.file.core(), &args);

		EXPECT_EQ(args.firmware_error != 0, ret == -EIO);
		return ret;
	}
	long measurement(gmem_launch_measurement &args) const
	{
		return gmem_file_measurement(guest.file.core(), &args);
	}
	SnpFirmware &firmware() const { return SnpPlatform::machine()->firmware; }

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
	test::PageBytes pages[3] = { test::kPageI, test::kPageW, test::kPageFF };
};

void what_is_populated_is_measured()
{
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };
	static Source source;
	gmem_launch_measurement measured{};
	Result<SnpDigest> expected = SnpDigest::create();
	REQUIRE(l.guest.slot && expected.ok());

	EXPECT_EQ(l.measurement(measured), -EPERM);
	EXPECT_EQ(l.populate(5, &source, 3), 3);
	EXPECT_EQ(l.populate(600, nullptr), 1);
	EXPECT_EQ(l.populate(6, &source), -EEXIST);
	for (std::uint64_t i = 0; i < 3; i++) {
		const auto *const frame = static_cast<const std::uint8_t *>(
			kapi_frame(kapi_page_pfn(l.guest.file.cached(5 + i))));

		EXPECT(std::equal(source.pages[i].begin(), source.pages[i].end(), frame));
		EXPECT(expected.value()
			       .add_page(SnpPageType::Normal, (5 + i) * kPageSize, source.pages[i])
			       .ok());
	}
	EXPECT(expected.value().add_page(SnpPageType::Normal, 600 * kPageSize, test::kPage0).ok());
	EXPECT_EQ(l.finish(), 0);
	EXPECT_EQ(l.measurement(measured), 0);
	EXPECT(std::equal(expected.value().value().begin(), expected.value().value().end(),
			  measured.digest));
	EXPECT_EQ(l.populate(7, &source), -EEXIST);
	EXPECT_EQ(l.populate(8, &source), -EIO);
	EXPECT_EQ(l.finish(), -EIO);
}

/* The platform gives it back before it is launched. */
void a_prefaulted_page_is_launched()
{
	for (const kapi_platform platform : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		gmem_launch_measurement measured{}, expected{};
		static Source source;

		for (const bool prefault : { false, true }) {
			const LaunchGuest l{ platform };

			if (prefault) {
				EXPECT_EQ(fake::prefault(l.guest.vm, 4), 0);
				EXPECT_EQ(fake::prefault(l.guest.vm, 5), 0);
			}
			EXPECT_EQ(l.populate(5, &source, 3), 3);
			EXPECT_EQ(l.populate(5, &source), -EEXIST);
			EXPECT_EQ(fake::fault(l.guest.vm, 4), 0);
			EXPECT_EQ(fake::fault(l.guest.vm, 6), 0);
			EXPECT_EQ(l.populate(4, &source), -EEXIST);
			EXPECT_EQ(l.finish(), 0);
			EXPECT_EQ(l.measurement(prefault ? measured : expected), 0);
			EXPECT_EQ(fake::reports(), 0);
		}
		EXPECT(std::equal(measured.digest, measured.digest + sizeof(measured.digest),
				  expected.digest));
	}
}

void only_up_to_the_end_of_the_slot()
{
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };
	static Source source;
	REQUIRE(l.guest.slot);

	EXPECT_EQ(l.populate(kNpages - 2, &source, 3), 2);
}

void bad_arguments_change_nothing()
{
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };
	static Source source;
	REQUIRE(l.guest.slot);
	const auto at = reinterpret_cast<std::uintptr_t>(&source);
	const auto refused = [&](gmem_launch_populate args) {
		args.done = args.firmware_error = 77;
		EXPECT_EQ(l.populate(args), -EINVAL);
		EXPECT_EQ(args.done, 0u);
		EXPECT_EQ(args.firmware_error, 0u);
	};

	refused({ 1, at, 1, GMEM_PAGE_NORMAL, 0, 0, 0 });
	refused({ 0, at + 8, 1, GMEM_PAGE_NORMAL, 0, 0, 0 });
	refused({ 0, at, 0, GMEM_PAGE_NORMAL, 0, 0, 0 });
	refused({ 0, at, (1ull << 40) + 1, GMEM_PAGE_NORMAL, 0, 0, 0 });
	refused({ 0, at, 1, GMEM_PAGE_NORMAL, 2, 0, 0 });
	/* No slot there; one of another file; a part that is shared. */
	refused({ kNpages * kPageSize, at, 1, GMEM_PAGE_NORMAL, 0, 0, 0 });

	const int other = world_create(l.guest.vm, 512 * kPageSize, 0);
	struct kvm_memory_slot *slot;

	EXPECT_EQ(fake::slot_add(l.guest.vm, 4096, 512, other, 0, &slot), 0);
	refused({ 4096 * kPageSize, at, 1, GMEM_PAGE_NORMAL, 0, 0, 0 });
	fake::slot_delete(l.guest.vm, slot);
	fake::close_fd(other);
	fake::set_private(l.guest.vm, 9, 10, false);
	refused({ 9 * kPageSize, at, 1, GMEM_PAGE_NORMAL, 0, 0, 0 });
	EXPECT_EQ(l.guest.file.cached_pages(0, kNpages), 0u);
}

void a_refused_cpuid_table_comes_back_corrected()
{
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };
	static Source source;
	test::PageBytes &table = source.pages[0];
	REQUIRE(l.guest.slot);

	table = test::kPage0;
	table[9] = 1; /* reserved */
	table[16 + 24] = 0x55; /* a register's value */
	/* No memory for the copy; the source has gone when it is to be written. */
	fake::fail_nth(1);
	EXPECT_EQ(l.populate(3, &table, 1, GMEM_PAGE_CPUID), -ENOMEM);
	fake::set_user_gone_for_writing(true);
	gmem_launch_populate args{
		3 * kPageSize, reinterpret_cast<std::uintptr_t>(&table), 1, GMEM_PAGE_CPUID, 0, 0, 0
	};

	EXPECT_EQ(l.populate(args), -EFAULT);
	EXPECT(args.firmware_error != 0);
	EXPECT_EQ(table[9], 1);
	fake::set_user_gone_for_writing(false);

	EXPECT_EQ(l.populate(3, &table, 1, GMEM_PAGE_CPUID), -EIO);
	EXPECT_EQ(table[9], 0);
	EXPECT_EQ(table[16 + 24], 0x55);
	EXPECT_EQ(l.populate(3, &table, 1, GMEM_PAGE_CPUID), 1);
}

void content_that_cannot_be_undone_is_an_io_error()
{
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };
	static Source source;
	REQUIRE(l.guest.slot);

	l.firmware().inject_launch_update(SnpStatus::HardwareError, 1);
	l.firmware().inject_page_reclaim(SnpStatus::HardwareError, 1);
	EXPECT_EQ(l.populate(3, &source), -EIO);
}

void none_without_a_model()
{
	const LaunchGuest l{ KAPI_PLATFORM_NONE };
	static Source source;
	gmem_launch_measurement measured{};
	REQUIRE(l.guest.slot);

	EXPECT_EQ(l.populate(3, &source), -EOPNOTSUPP);
	EXPECT_EQ(l.finish(), -EOPNOTSUPP);
	EXPECT_EQ(l.measurement(measured), -EOPNOTSUPP);
	/* The page is as new. */
	EXPECT_EQ(fake::fault(l.guest.vm, 3), 0);
	EXPECT_EQ(l.guest.peek(3), 0u);
}

/* A guest wrote to page 5 by way of the mapping of its neighbour; @refused does not. */
template <class Refused> void content_outlives(const LaunchGuest &l, Refused refused)
{
	REQUIRE(l.guest.slot);
	EXPECT_EQ(fake::fault(l.guest.vm, 4), 0);
	const bool huge = fake::mapped_order(l.guest.vm, 5) == static_cast<int>(kRunOrder);

	if (!huge)
		EXPECT_EQ(fake::prefault(l.guest.vm, 5), 0);
	EXPECT(fake::guest_write(l.guest.vm, 5, 55));
	const unsigned long calls = fake::populate_calls(), unmaps = fake::mmu_calls().unmaps;

	refused();
	EXPECT_EQ(fake::populate_calls(), calls);
	EXPECT_EQ(l.guest.peek(5), 55u);
	EXPECT_EQ(fake::fault(l.guest.vm, 5), 0);
	EXPECT_EQ(l.guest.peek(5), 55u);
	EXPECT_EQ(fake::mmu_calls().unmaps, unmaps);
}

void a_platform_that_cannot_populate_leaves_the_page()
{
	const LaunchGuest l{ KAPI_PLATFORM_NONE };
	static Source source;

	content_outlives(l, [&] {
		EXPECT_EQ(l.populate(5, &source), -EOPNOTSUPP);
		EXPECT_EQ(l.populate(5, nullptr), -EOPNOTSUPP);
	});
}

void a_launch_that_is_over_leaves_the_page()
{
	static Source source;
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };

	content_outlives(l, [&] {
		EXPECT_EQ(l.finish(), 0);
		EXPECT_EQ(l.populate(5, &source), -EIO);
	});
}

/* One that only a pre-fault has asked for: it would be reclaimed. */
void a_td_that_is_finalized_leaves_the_page()
{
	static Source source;
	const LaunchGuest l{ KAPI_PLATFORM_TDX_MODEL };
	REQUIRE(l.guest.slot);

	EXPECT_EQ(fake::prefault(l.guest.vm, 5), 0);
	EXPECT_EQ(l.populate(5, &source, 1, GMEM_PAGE_ZERO), -EIO);
	EXPECT_EQ(fake::mapped_order(l.guest.vm, 5), 0);
	EXPECT_EQ(l.finish(), 0);
	EXPECT_EQ(l.populate(5, &source), -EIO);
	EXPECT_EQ(fake::mapped_order(l.guest.vm, 5), 0);
}

void page_types_that_there_are_not_leave_the_page()
{
	static Source source;
	const LaunchGuest l{ KAPI_PLATFORM_SNP_MODEL };

	content_outlives(l, [&] {
		for (const unsigned type : { 0u, 7u, 255u, 256u + GMEM_PAGE_NORMAL, ~0u })
			EXPECT_EQ(l.populate(5, &source, 1, type), -EIO);
		/* Of these one comes at a time. */
		EXPECT_EQ(l.populate(5, &source, 2, GMEM_PAGE_VMSA), -EIO);
		EXPECT_EQ(l.populate(5, &source, 2, GMEM_PAGE_SECRETS), -EIO);
	});
	/* A call without such a fault populates. */
	EXPECT_EQ(l.populate(6, &source), 1);
}

/* The source is not there any more. */
void a_source_that_has_gone_leaves_the_page()
{
	static Source source;

	for (const kapi_platform platform : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		const LaunchGuest l{ platform };
		REQUIRE(l.guest.slot);

		EXPECT_EQ(platform == KAPI_PLATFORM_TDX_MODEL ? fake::prefault(l.guest.vm, 5)
							      : fake::fault(l.guest.vm, 4),
			  0);
		fake::page_of_pfn(kapi_page_pfn(l.guest.file.cached(5)))->content = 55;
		const unsigned long unmaps = fake::mmu_calls().unmaps;

		fake::fail_nth(1);
		EXPECT_EQ(l.populate(5, &source), -EFAULT);
		EXPECT(fake::fail_fired());
		fake::fail_nth(0);
		EXPECT_EQ(fake::mmu_calls().unmaps, unmaps);
		EXPECT_EQ(l.guest.file.cached(5)->content.load(), 55u);
	}
}

void each_import_fails_once()
{
	static Source source;
	bool fired = true;

	for (unsigned long n = 1; fired; n++) {
		const LaunchGuest l{ KAPI_PLATFORM_TDX_MODEL };
		gmem_launch_populate args{ 3 * kPageSize,
					   reinterpret_cast<std::uintptr_t>(&source),
					   1,
					   GMEM_PAGE_NORMAL,
					   0,
					   0,
					   0 };
		REQUIRE(l.guest.slot && n < 100);

		fake::fail_nth(n);
		const long ret = l.populate(args);

		fired = fake::fail_fired();
		fake::fail_nth(0);
		/* What KVM's own callback fails with is its own; a lost source is pinned again. */
		EXPECT(ret == 1 || (fired && (ret == -ENOMEM || ret == -EIO || ret == -EFAULT)));
		if (ret != 1)
			EXPECT_EQ(l.populate(args), 1);
		EXPECT_EQ(l.finish(), 0);
	}
}

} /* namespace */

GMEM_SUITE(launch, CASE(what_is_populated_is_measured), CASE(a_prefaulted_page_is_launched),
	   CASE(only_up_to_the_end_of_the_slot), CASE(bad_arguments_change_nothing),
	   CASE(a_refused_cpuid_table_comes_back_corrected),
	   CASE(content_that_cannot_be_undone_is_an_io_error), CASE(none_without_a_model),
	   CASE(a_platform_that_cannot_populate_leaves_the_page),
	   CASE(a_launch_that_is_over_leaves_the_page),
	   CASE(a_td_that_is_finalized_leaves_the_page),
	   CASE(page_types_that_there_are_not_leave_the_page),
	   CASE(a_source_that_has_gone_leaves_the_page), CASE(each_import_fails_once));
