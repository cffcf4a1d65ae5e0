// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of pages, shared or private, in the store: which pages have which, and what a
 * conversion makes of pages, their content and their runs.
 *
 * Tests: gmem/share.cc.
 */
#include "arch/x86/snp_platform.h"
#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

void absent_pages_have_a_state_too()
{
	const Guest g{ 2048, kInitShared };

	EXPECT_EQ(g.file.convert(3, 1030, Share::kPrivate), 0);
	EXPECT(g.file.shared(0, 3) && g.file.is_private(3, 1030) && g.file.shared(1030, 2048));
	EXPECT(g.attributes(0, 3, false) && g.attributes(3, 1030, true));
	EXPECT(g.attributes(1030, 2048, false));
	EXPECT_EQ(g.file.inode().handle()->nrpages, 0u);
	EXPECT_EQ(g.file.touch(3), -EFAULT);
	EXPECT_EQ(g.file.user_read(2), 0u);
	EXPECT_EQ(g.read(3), 0u);
	/* A punch changes nothing of it. */
	EXPECT_EQ(g.file.punch(0, 2048), 0);
	EXPECT(g.file.shared(0, 3) && g.file.is_private(3, 1030) && g.file.shared(1030, 2048));
}

/* Guest pages that are as wanted keep their mapping and are not even looked at. */
void only_what_changes_is_touched()
{
	const Guest g{ 1024, kInitShared };

	EXPECT_EQ(g.file.convert(0, 8, Share::kPrivate), 0);
	for (unsigned i = 0; i < 16; i++)
		EXPECT(g.write(i, 100 + i));
	const fake::MmuCalls before = fake::mmu_calls();

	/* Private already. */
	EXPECT_EQ(g.file.convert(0, 8, Share::kPrivate), 0);
	EXPECT_EQ(fake::mmu_calls().begins, before.begins);
	EXPECT_EQ(g.order(3), 0);

	EXPECT_EQ(g.file.convert(4, 12, Share::kPrivate), 0);
	EXPECT_EQ(fake::mmu_calls().unmaps, before.unmaps + 1);
	EXPECT_EQ(fake::mmu_calls().unmap_start, 8u);
	EXPECT_EQ(fake::mmu_calls().unmap_end, 12u);
	for (unsigned i = 0; i < 16; i++)
		EXPECT_EQ(g.order(i), i >= 8 && i < 12 ? -1 : 0);
	for (unsigned i = 0; i < 16; i++)
		EXPECT_EQ(g.read(i), 100 + i);
}

void alternating_pages()
{
	const Guest g{ 1024, kInitShared };

	for (unsigned i = 500; i < 530; i += 2)
		EXPECT_EQ(g.file.convert(i, i + 1, Share::kPrivate), 0);
	for (unsigned i = 500; i < 530; i++) {
		EXPECT_EQ(g.file.is_private(i, i + 1), i % 2 == 0);
		EXPECT(g.write(i, i));
	}
	EXPECT_EQ(g.file.convert(498, 532, Share::kPrivate), 0);
	EXPECT(g.file.is_private(498, 532) && g.file.shared(0, 498) && g.file.shared(532, 1024));
	for (unsigned i = 500; i < 530; i++) {
		EXPECT_EQ(g.order(i), i % 2 ? -1 : 0);
		EXPECT_EQ(g.read(i), i);
	}
	EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
	EXPECT(g.file.shared(0, 1024));
}

/* next_stretch() over runs with and without records, from any place. */
void stretches()
{
	const Guest g{ 3000, kInitShared };
	const auto found = [&](std::uint64_t start, std::uint64_t end, bool shared) {
		return g.file.store().next_stretch(pages(start, end), shared_if(shared));
	};

	EXPECT(found(0, 3000, true) == pages(0, 3000));
	EXPECT(found(0, 3000, false).empty());
	EXPECT(found(7, 7, true).empty());
	EXPECT_EQ(g.file.convert(1500, 1600, Share::kPrivate), 0);
	EXPECT(found(0, 3000, true) == pages(0, 1500));
	EXPECT(found(0, 3000, false) == pages(1500, 1600));
	EXPECT(found(1500, 3000, true) == pages(1600, 3000));
	EXPECT(found(1550, 1570, false) == pages(1550, 1570));
	EXPECT(found(1550, 1570, true).empty());
	EXPECT(found(1600, 3000, false).empty());
	EXPECT(found(0, 1550, false) == pages(1500, 1550));
	/* A file that begins private. */
	const GuestFile p{ g.vm, 3000, kMmap };

	EXPECT(p.store().next_stretch(pages(3, 3000), Share::kPrivate) == pages(3, 3000));
	EXPECT_EQ(p.convert(1024, 1536, Share::kShared), 0);
	EXPECT(p.store().next_stretch(pages(3, 3000), Share::kPrivate) == pages(3, 1024));
	EXPECT(p.store().next_stretch(pages(3, 3000), Share::kShared) == pages(1024, 1536));
	EXPECT(p.store().next_stretch(pages(1030, 3000), Share::kPrivate) == pages(1536, 3000));
}

void a_page_of_a_huge_run()
{
	const Guest g{ 1024, kInitShared };
	unsigned order = 99;

	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	for (unsigned i = 0; i < 512; i += 7)
		EXPECT(g.write(i, i));
	EXPECT_EQ(g.order(9), static_cast<int>(kRunOrder));
	EXPECT_EQ(g.file.convert(7, 8, Share::kShared), 0);
	/* The rest stays mapped. */
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(g.order(i), i == 7 ? -1 : 0);
	EXPECT_EQ(g.access(8, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.file.user_read(7), 7u);
	EXPECT_EQ(g.access(7, &order), 0);
	EXPECT_EQ(order, 0u);
	/* And is huge again when it is whole. */
	EXPECT_EQ(g.file.convert(7, 8, Share::kPrivate), 0);
	EXPECT_EQ(g.access(7, &order), 0);
	EXPECT_EQ(order, kRunOrder);
	for (unsigned i = 0; i < 512; i += 7)
		EXPECT_EQ(g.read(i), i);
	/* The same of shared memory. */
	EXPECT_EQ(g.access(600, &order), 0);
	EXPECT_EQ(order, kRunOrder);
	EXPECT_EQ(g.file.convert(1023, 1024, Share::kPrivate), 0);
	EXPECT_EQ(g.order(600), 0);
	EXPECT_EQ(g.access(601, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.file.convert(1023, 1024, Share::kShared), 0);
	EXPECT_EQ(g.access(1023, &order), 0);
	EXPECT_EQ(order, kRunOrder);
}

/* Whole runs go back and forth as one; no page of them is copied or freed. */
void whole_runs()
{
	const Guest g{ 1536, kInitShared };

	EXPECT(g.file.user_write(5, 5) && g.file.user_write(700, 700));
	struct page *const before = g.file.cached(700);

	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(g.file.convert(0, 1536, Share::kPrivate), 0);
		EXPECT_EQ(g.read(700), 700u);
		EXPECT_EQ(g.order(700), static_cast<int>(kRunOrder));
		EXPECT_EQ(g.file.convert(0, 1536, Share::kShared), 0);
		EXPECT_EQ(g.read(5), 5u);
		EXPECT_EQ(g.order(5), static_cast<int>(kRunOrder));
	}
	EXPECT(g.file.cached(700) == before);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 0);
}

/* On platforms that do not keep content, pages are zero on the other side. */
void content_goes_on_models()
{
	for (const kapi_platform model : { KAPI_PLATFORM_SNP_MODEL, KAPI_PLATFORM_TDX_MODEL }) {
		fake::set_platform(model);
		{
			const Guest g{ 1024, kInitShared };
			unsigned order = 99;

			fake::set_platform(KAPI_PLATFORM_NONE);
			EXPECT(g.file.user_write(5, 77));
			EXPECT(g.file.user_write(6, 66));
			EXPECT_EQ(g.file.convert(5, 6, Share::kPrivate), 0);
			EXPECT_EQ(g.read(5), 0u);
			EXPECT_EQ(g.file.user_read(6), 66u);
			EXPECT(g.write(5, 78));
			EXPECT_EQ(g.file.convert(5, 6, Share::kShared), 0);
			EXPECT_EQ(g.file.user_read(5), 0u);
			/* From a block that the platform took as one. */
			EXPECT_EQ(g.file.convert(512, 1024, Share::kPrivate), 0);
			EXPECT_EQ(g.access(600, &order), 0);
			EXPECT_EQ(order, model == KAPI_PLATFORM_SNP_MODEL ? kRunOrder : 0u);
			EXPECT(g.write(600, 1) && g.write(601, 2));
			EXPECT_EQ(g.file.convert(601, 602, Share::kShared), 0);
			EXPECT_EQ(g.file.user_read(601), 0u);
			EXPECT_EQ(g.read(600), 1u);
			EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate), 0);
			EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
			EXPECT_EQ(g.file.user_read(600), 0u);
			EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 0);
		}
		fake::return_to_user();
		EXPECT_EQ(fake::reports(), 0);
	}
}

/*
 * A page that there is no place for in a block that the platform does not split: user space
 * would touch it again and again, as it does beside a conversion, which ends.
 */
void user_space_does_not_wait_for_a_split()
{
	fake::set_platform(KAPI_PLATFORM_SNP_MODEL);
	{
		const Guest g{ 512, kMmap };
		Rmp &rmp = SnpPlatform::machine()->rmp;
		unsigned order = 99;

		fake::set_platform(KAPI_PLATFORM_NONE);
		EXPECT_EQ(g.access(3, &order), 0);
		EXPECT_EQ(order, kRunOrder);

		struct page *const lost = g.file.cached(9);
		const Pfn pfn{ kapi_page_pfn(lost) };

		rmp.inject_psmash(RmpCode::FailInuse, Injection<RmpCode>::kForever);
		EXPECT_EQ(g.file.punch(9, 10), 0);
		EXPECT_EQ(g.file.convert(9, 10, Share::kShared), 0);
		EXPECT_EQ(g.file.touch(9), -EIO);
		rmp.inject_psmash(RmpCode::Ok, 0);
		EXPECT_EQ(g.file.user_read(9), 0u);
		EXPECT_EQ(g.file.punch(0, 512), 0);
		EXPECT(rmp.update(pfn, {}) == RmpCode::Ok);
		kapi_page_put(lost);
	}
	fake::return_to_user();
	(void)fake::reports();
}

/* Real SNP: the RMP's entries come and go. */
void hardware_owns_private_pages_only()
{
	const Guest g{ 512, kMmap, fake::kSnpVm };

	EXPECT(g.write(5, 77));
	EXPECT(g.file.cached(5)->owned);
	EXPECT_EQ(g.file.convert(0, 512, Share::kShared), 0);
	EXPECT(!g.file.cached(5)->owned);
	EXPECT_EQ(g.file.user_read(5), 0u);
	EXPECT(g.file.user_write(5, 78));
	EXPECT_EQ(g.file.convert(5, 6, Share::kPrivate), 0);
	EXPECT(!g.file.cached(5)->owned);
	EXPECT_EQ(g.read(5), 0u);
	EXPECT(g.file.cached(5)->owned);
	EXPECT_EQ(g.file.punch(0, 512), 0);
}

void without_blocks_pages_convert_and_are_promoted()
{
	const Guest g{ 512, kInitShared };
	unsigned order = 99;

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT(g.write(scattered(i), i));
	fake::set_no_blocks(false);
	EXPECT(g.file.user_write(5, 55));
	EXPECT_EQ(g.file.convert(100, 200, Share::kPrivate), 0);
	/* Of two kinds it would not be mapped as one. */
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	EXPECT_EQ(g.file.convert(100, 200, Share::kShared), 0);
	EXPECT_EQ(g.access(5), 0);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
	/* User mappings show the new pages. */
	EXPECT_EQ(g.file.user_read(5), 55u);
	for (unsigned i = 0; i < 512; i++) {
		if (scattered(i) != 5)
			EXPECT_EQ(g.read(scattered(i)), i);
	}
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	EXPECT_EQ(g.access(5, &order), 0);
	EXPECT_EQ(order, kRunOrder);
}

} /* namespace */

GMEM_SUITE(share, CASE(absent_pages_have_a_state_too), CASE(only_what_changes_is_touched),
	   CASE(alternating_pages), CASE(stretches), CASE(a_page_of_a_huge_run), CASE(whole_runs),
	   CASE(content_goes_on_models), CASE(user_space_does_not_wait_for_a_split),
	   CASE(hardware_owns_private_pages_only),
	   CASE(without_blocks_pages_convert_and_are_promoted));
