// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of a VM on the TDX model: the life of pages in S-EPT and PAMT, a module
 * that is busy or fails, and rules that are broken.
 *
 * Tests: arch/x86/tdx_platform.cc, arch/x86/model_vm.h, arch/x86/history.h.
 */
#include "arch/x86/tdx_platform.h"

#include <algorithm>

#include "kunit/suites/patterns.h"
#include "kunit/suites/support.h"

namespace
{

using namespace gmem_test;

constexpr std::uint64_t kGfn = 1024;

/* A file whose index 0 is at kGfn, on the model. */
class TdxFile {
    public:
	TdxFile() : setting_(), file{ 1024, 1 } { (void)world_reports(); }

	TdxPlatform &platform() const
	{
		return static_cast<TdxPlatform &>(file.inode().platform());
	}
	Td &td() const { return platform().td(); }
	Pamt &pamt() const { return TdxPlatform::machine()->pamt; }
	int code(std::uint64_t index, std::uint64_t gfn = 0) const
	{
		return file.store()
			.get(PageIndex{ index }, file.access(gfn ? gfn : kGfn + index))
			.status()
			.code();
	}
	void punch(std::uint64_t start, std::uint64_t end) const
	{
		EXPECT(file.inode().punch(pages(start, end)).ok());
	}
	Pfn pfn(std::uint64_t index) const { return Pfn{ kapi_page_pfn(file.cached(index)) }; }
	SeptState state(std::uint64_t index) const
	{
		return td().sept.walk(Gfn{ kGfn + index }, 0).entry->state;
	}
	int populate(std::uint64_t index, const test::PageBytes &bytes, unsigned type = 1) const
	{
		PageContent content{ .type = type, .pages = 1, .measure = true };
		std::uint64_t done;

		return file.store()
			.populate(pages(index, index + 1), file.access(kGfn + index), true,
				  Source::kSure, done,
				  [&](Gfn, Pfn at) {
					  std::copy(bytes.begin(), bytes.end(),
						    static_cast<std::uint8_t *>(
							    kapi_frame(at.value)));
					  return platform().populate(Gfn{ kGfn + index }, at,
								     content);
				  })
			.code();
	}
	void finish() const
	{
		std::uint64_t error = 0;

		EXPECT(platform().finish(error).ok());
	}
	/* What the TD's calls are told, for so many calls. */
	void inject(std::uint64_t status, unsigned calls) const
	{
		td().failure.order(status, calls);
	}

    private:
	struct Setting {
		Setting() { world_set_platform(KAPI_PLATFORM_TDX_MODEL); }
		~Setting() { world_set_platform(KAPI_PLATFORM_NONE); }
	} setting_;

    public:
	TestFile file;
};

void pages_come_and_go()
{
	{
		const TdxFile f;
		REQUIRE(f.file);

		EXPECT_EQ(f.populate(3, test::kPageI), 0);
		EXPECT(f.state(3) == SeptState::Mapped);
		f.finish();
		EXPECT_EQ(f.code(3), 0);
		EXPECT_EQ(f.code(700), 0);
		EXPECT(f.state(700) == SeptState::Pending);
		const Pfn added = f.pfn(3), given = f.pfn(700);

		f.punch(0, 1024);
		EXPECT(f.pamt().lookup(added).type == PageType::Nda);
		EXPECT(f.pamt().lookup(given).type == PageType::Nda);
		EXPECT(f.state(3) == SeptState::Free);
	}
	/* Tables, vCPU and root went as well, and the machine. */
	EXPECT(TdxPlatform::machine() == nullptr);
	EXPECT_EQ(world_reports(), 0);
}

/* The bytes are cleared before the frame can be allocated again. */
void nothing_of_the_guests_is_left()
{
	const TdxFile f;
	REQUIRE(f.file && f.code(3) == 0);
	auto *const bytes = static_cast<std::uint8_t *>(kapi_frame(f.pfn(3).value));

	std::fill_n(bytes, kPageSize, 0x77);
	EXPECT(f.platform().reclaim(f.pfn(3), 1).ok());
	EXPECT(std::equal(test::kPage0.begin(), test::kPage0.end(), bytes));
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn + 3 }, f.pfn(3), 0).ok());
	EXPECT_EQ(world_reports(), 0);
}

void measures_in_one_pass()
{
	const TdxFile f;
	Measurement digest{};
	Result<TdxMrtd> expected = TdxMrtd::create();
	REQUIRE(f.file && expected.ok());

	const auto page = [&](std::uint64_t index, const test::PageBytes &bytes) {
		const std::uint64_t gpa = (kGfn + index) << kPageShift;

		EXPECT_EQ(f.populate(index, bytes), 0);
		EXPECT(expected.value().add(gpa).ok());
		for (unsigned at = 0; at < kPageSize; at += kTdxChunkSize)
			EXPECT(expected.value()
				       .extend(gpa + at,
					       ConstBytes{ bytes }.subspan(at, kTdxChunkSize))
				       .ok());
	};

	page(5, test::kPageW);
	page(4, test::kPageI);
	EXPECT(f.platform().measurement(digest) == error(EPERM));
	f.finish();
	EXPECT(f.platform().measurement(digest).ok());
	EXPECT(digest == expected.value().finalize().value());
	EXPECT_EQ(f.populate(6, test::kPageI), -EIO);
	EXPECT_EQ(f.populate(4, test::kPageI), -EEXIST);
}

void busy_for_a_while_is_retried()
{
	const TdxFile f;
	REQUIRE(f.file);

	(void)world_naps();
	f.inject(tdx::kOperandBusy | tdx::kTdr, 3);
	EXPECT_EQ(f.code(0), 0);
	EXPECT_EQ(world_naps(), 3);
	f.finish();
	f.inject(tdx::kOperandBusy | tdx::kSeptTree, 7);
	f.punch(0, 1);
	EXPECT_EQ(world_naps(), 7);
	EXPECT(f.state(0) == SeptState::Free);
	EXPECT_EQ(world_reports(), 0);
}

void busy_for_ever_is_an_error()
{
	const TdxFile f;
	REQUIRE(f.file);

	f.inject(tdx::kOperandBusy | tdx::kTdr, Injection<std::uint64_t>::kForever);
	EXPECT_EQ(f.code(0), -EBUSY);
	EXPECT_EQ(f.populate(1, test::kPageI), -EBUSY);
	f.inject(0, 0);
	EXPECT_EQ(f.code(0), 0);
	EXPECT_EQ(f.populate(1, test::kPageI), 0);
	EXPECT(world_reports() > 0);
}

/* A vCPU in the guest since before the block: the page may be in its TLB. */
void what_cannot_be_removed_is_leaked()
{
	const TdxFile f;
	unsigned parity = 0;
	REQUIRE(f.file && f.populate(0, test::kPageI) == 0);

	f.finish();
	REQUIRE(TdxPlatform::machine()->module.vp_enter(f.td(), parity).ok());
	struct page *const lost = f.file.cached(0);
	const Pfn pfn = f.pfn(0);

	f.punch(0, 1);
	EXPECT(world_reports() > 0);
	EXPECT(f.file.cached(0) == nullptr);
	EXPECT_EQ(world_page_refs(lost), 1);
	EXPECT(f.pamt().lookup(pfn).type == PageType::Regular);
	EXPECT(f.state(0) == SeptState::Blocked);
	/* The case gives back what the core must not. */
	TdxPlatform::machine()->module.vp_exit(f.td(), parity);
	EXPECT(TdxPlatform::machine()->module.page_remove(f.td(), kGfn << kPageShift, 0).ok());
	kapi_page_put(lost);
}

/* The S-EPT entry of one page stays locked. The page's neighbours go all the same. */
void only_the_page_that_fails_is_leaked()
{
	const TdxFile f;
	REQUIRE(f.file);
	for (std::uint64_t i = 0; i < 512; i++)
		EXPECT_EQ(f.code(i), 0);
	f.finish();
	struct page *const lost = f.file.cached(77);
	const Pfn first = f.pfn(0);
	SeptEntry *const entry = f.td().sept.walk(Gfn{ kGfn + 77 }, 0).entry;
	(void)world_naps();

	entry->locked = true;
	f.punch(0, 512);
	EXPECT_EQ(world_naps(), static_cast<long>(kBusyTries));
	EXPECT_EQ(f.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT_EQ(f.file.cached_pages(0, 512), 0u);
	EXPECT_EQ(world_page_refs(lost), 1);
	EXPECT(f.pamt().lookup(first + 77).type == PageType::Regular);
	EXPECT(f.pamt().lookup(first).type == PageType::Nda);
	EXPECT(f.pamt().lookup(first + 511).type == PageType::Nda);
	EXPECT(world_reports() > 0);
	entry->locked = false;
	EXPECT(f.platform().reclaim(first + 77, 1).ok());
	kapi_page_put(lost);
}

void tracking_that_fails_keeps_all()
{
	const TdxFile f;
	REQUIRE(f.file && f.code(0) == 0 && f.code(1) == 0);
	struct page *const first = f.file.cached(0);

	f.finish();
	f.td().epoch_lock.shared = 1;
	f.punch(0, 2);
	EXPECT_EQ(f.file.store().stats().get(KAPI_STAT_LEAKED), 2);
	EXPECT(world_reports() > 0);
	f.td().epoch_lock = {};
	EXPECT(f.platform().reclaim(Pfn{ kapi_page_pfn(first) }, 2).ok());
	kapi_pages_put(first, 2);
}

void refused_content_leaves_the_page_the_hosts()
{
	const TdxFile f;
	REQUIRE(f.file);

	EXPECT_EQ(f.populate(0, test::kPageI, 5), -EIO);
	EXPECT(f.pamt().lookup(f.pfn(0)).type == PageType::Nda);
	EXPECT_EQ(f.populate(0, test::kPageI), 0);
}

void broken_rules_are_errors_with_a_report()
{
	const TdxFile f, g;
	REQUIRE(f.file && g.file && f.code(0) == 0 && g.code(0) == 0);
	const auto told = [] { return world_reports() == 1; };

	EXPECT_EQ(world_reports(), 0);
	EXPECT_EQ(f.code(0, kGfn + 1), -EIO);
	EXPECT(told());
	EXPECT(f.platform().admit(Gfn{ kGfn }, g.pfn(0), 0) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().admit(Gfn{ kGfn }, f.pfn(0), kRunOrder) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn + 9 }, g.pfn(0), 0) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().reclaim(g.pfn(0), 1) == error(EIO));
	EXPECT(told());
	EXPECT(f.platform().reclaim(f.pfn(0), 1).ok());
	EXPECT(f.platform().reclaim(f.pfn(0), 1) == error(EIO));
	EXPECT(told());
	/* Put right, so that the file can go. */
	EXPECT(f.platform().prepare(f.file.vm, Gfn{ kGfn }, f.pfn(0), 0).ok());
}

} /* namespace */

GMEM_SUITE(tdx_platform, CASE(pages_come_and_go), CASE(nothing_of_the_guests_is_left),
	   CASE(measures_in_one_pass), CASE(busy_for_a_while_is_retried),
	   CASE(busy_for_ever_is_an_error), CASE(what_cannot_be_removed_is_leaked),
	   CASE(only_the_page_that_fails_is_leaked), CASE(tracking_that_fails_keeps_all),
	   CASE(refused_content_leaves_the_page_the_hosts),
	   CASE(broken_rules_are_errors_with_a_report));
