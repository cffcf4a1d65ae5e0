// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs whose memory a vendor module of KVM owns: the calls that the hooks and
 * callbacks of SNP and TDX get, and hooks that do less than they are asked or fail.
 *
 * Tests: arch/x86/platforms.cc, mmu/populate.cc, gmem/platform.h.
 */
#include "kunit/fakes/vendors.h"

#include <algorithm>

#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

using fake::SnpVendor;
using fake::TdxVendor;

std::uint64_t pfn_of(const Guest &g, std::uint64_t index)
{
	return kapi_page_pfn(g.file.cached(index));
}

/* What goes back to the allocator is not a guest's. */
SnpVendor *checked;

void check_freed(std::uint64_t pfn)
{
	EXPECT(!checked->entry(pfn).assigned);
}

class FreeCheck {
    public:
	explicit FreeCheck(SnpVendor &vendor)
	{
		checked = &vendor;
		fake::set_free_check(check_freed);
	}
	~FreeCheck() { fake::set_free_check(nullptr); }
};

void snp_takes_a_run_by_one_call()
{
	SnpVendor snp;
	const FreeCheck check{ snp };
	const Guest g{ 1024, kPlain, fake::kSnpVm };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 9);
	EXPECT_EQ(snp.prepares, 1u);
	EXPECT(snp.entry(pfn_of(g, 300)).size == RmpSize::k2M);
	EXPECT_EQ(snp.entry(pfn_of(g, 300)).gpa, 300u << kPageShift);
	/* KVM smashes what a part of is given back. */
	EXPECT_EQ(g.punch(7, 9), 0);
	EXPECT_EQ(snp.psmashes, 1u);
	EXPECT(snp.entry(pfn_of(g, 300)).state() == RmpState::GuestInvalid);
	EXPECT_EQ(fake::fault(g.vm, 300), 0);
	EXPECT_EQ(g.order(300), 0);
	EXPECT_EQ(fake::fault(g.vm, 7), 0);
	EXPECT_EQ(snp.prepares, 2u);
	EXPECT_EQ(g.punch(0, 512), 0);
	/* A whole one goes as one. */
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(snp.psmashes, 1u);
	EXPECT_EQ(snp.warnings, 0u);
}

void snp_launches()
{
	SnpVendor snp;
	const FreeCheck check{ snp };
	const Guest g{ 1024, kPlain, fake::kSnpVm };
	SnpVendor::Page normal{ snp, 1 }, unknown{ snp, 7 };
	const auto populate = [&](std::uint64_t gfn, long n, SnpVendor::Page &page) {
		return fake::populate(g.vm, gfn, world_user_memory(), n, SnpVendor::post_populate,
				      &page);
	};

	EXPECT_EQ(populate(600, 3, normal), 3);
	EXPECT(snp.entry(pfn_of(g, 602)).state() == RmpState::GuestValid);
	EXPECT_EQ(populate(602, 2, normal), -EEXIST);
	EXPECT_EQ(populate(603, 1, unknown), -EIO);
	EXPECT(unknown.status == SnpStatus::InvalidParam);
	EXPECT(snp.entry(pfn_of(g, 603)).state() == RmpState::Hypervisor);
	EXPECT_EQ(populate(601, 1, normal), -EEXIST);
	EXPECT_EQ(populate(603, 1, normal), 1);
	/* Prepared for a neighbour's sake: given back first. */
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(populate(6, 1, normal), 1);
	EXPECT(snp.entry(pfn_of(g, 6)).state() == RmpState::GuestValid);
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	EXPECT_EQ(g.order(6), 0);
	EXPECT(snp.firmware.launch_finish(snp.guest) == SnpStatus::Success);
	EXPECT_EQ(populate(700, 1, normal), -EIO);
	EXPECT_EQ(snp.warnings, 0u);
}

/* One page where a run was asked for: the rest is asked for page by page. */
void a_hook_that_does_one_page()
{
	SnpVendor snp;
	const FreeCheck check{ snp };
	const Guest g{ 512, kPlain, fake::kSnpVm };

	snp.zeal = SnpVendor::Zeal::FirstPage;
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(snp.prepares, 512u);
	EXPECT(snp.entry(pfn_of(g, 511)).state() == RmpState::GuestInvalid);
	EXPECT_EQ(g.order(5), 0);
	EXPECT_EQ(g.order(6), -1);
	EXPECT_EQ(g.punch(5, 6), 0);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(snp.warnings, 0u);
}

/* Says that it has, and has not: no guest gets to see the page. */
void a_hook_that_does_nothing()
{
	SnpVendor snp;
	const Guest g{ 512, kPlain, fake::kSnpVm };

	snp.zeal = SnpVendor::Zeal::Nothing;
	EXPECT_EQ(fake::fault(g.vm, 5), -EIO);
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(fake::fault(g.vm, 6), -EIO);
}

/* In the middle of a run: all of it is the host's again. */
void a_hook_that_fails()
{
	for (const long calls : { 0L, 1L, 2L, 300L, 511L }) {
		SnpVendor snp;
		const FreeCheck check{ snp };
		const Guest g{ 512, kPlain, fake::kSnpVm };

		snp.zeal = SnpVendor::Zeal::FirstPage;
		snp.fail_after = calls;
		EXPECT_EQ(fake::fault(g.vm, 5), -EINVAL);
		EXPECT_EQ(g.order(5), -1);
		for (unsigned i = 0; i < 512; i++)
			EXPECT(!snp.entry(pfn_of(g, i)).assigned);
		snp.fail_after = -1;
		snp.zeal = SnpVendor::Zeal::All;
		EXPECT_EQ(fake::fault(g.vm, 5), 0);
		EXPECT_EQ(g.order(5), 9);
	}
}

/* KVM only warns; the RMP tells which pages the host must not have. */
void a_page_that_stays_assigned()
{
	SnpVendor snp;
	const FreeCheck check{ snp };
	const Guest g{ 512, kPlain, fake::kSnpVm };
	struct page *lost;

	snp.zeal = SnpVendor::Zeal::FirstPage;
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	lost = g.file.cached(100);
	(void)fake::reports();
	snp.rmp.inject_update(RmpCode::FailPermission, 1, 100);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(snp.warnings, 1u);
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT_EQ(lost->refs.load(), 1);
	EXPECT(snp.entry(kapi_page_pfn(lost)).assigned);
	EXPECT(snp.rmp.update(Pfn{ kapi_page_pfn(lost) }, {}) == RmpCode::Ok);
	kapi_page_put(lost);
}

/* KVM_TDX_INIT_MEM_REGION of @n pages: how many were added, or an error. */
long add_pages(const Guest &g, TdxVendor &tdx, std::uint64_t gfn, long n)
{
	return fake::populate(g.vm, gfn, world_user_memory(), n, TdxVendor::post_populate, &tdx);
}

void tdx_adds_in_one_pass()
{
	TdxVendor tdx;

	fake::set_vendor(&tdx);
	{
		const Guest g{ 1024, kPlain, fake::kTdxVm };
		unsigned order;

		EXPECT_EQ(add_pages(g, tdx, 600, 2), 2);
		/* Added, and at once extended, page by page. */
		EXPECT_EQ(tdx.calls.size(), 34u);
		for (unsigned i = 0; i < tdx.calls.size(); i++)
			EXPECT(tdx.calls[i] ==
			       (i % 17 ? TdxVendor::Call::Extend : TdxVendor::Call::Add));
		EXPECT_EQ(add_pages(g, tdx, 601, 1), -EEXIST);
		/* Before the launch ends, a fault brings no page that was not added. */
		EXPECT_EQ(fake::fault(g.vm, 700), -EAGAIN);
		tdx.finalized = true;
		tdx.calls.clear();
		EXPECT_EQ(fake::fault(g.vm, 700, &order), 0);
		EXPECT_EQ(order, 0u);
		EXPECT_EQ(fake::fault(g.vm, 600), 0);
		EXPECT(tdx.calls == std::vector{ TdxVendor::Call::Aug });
		/* Unmapped before it is freed: block, track, remove. */
		const std::uint64_t pfn = pfn_of(g, 700);

		tdx.calls.clear();
		EXPECT_EQ(g.punch(700, 701), 0);
		EXPECT(!tdx.owns(pfn));
		EXPECT((tdx.calls == std::vector{ TdxVendor::Call::Block, TdxVendor::Call::Track,
						  TdxVendor::Call::Remove }));
	}
}

/* An added page cannot be mapped again: it is not unmapped to find that out. */
void tdx_keeps_what_was_added()
{
	TdxVendor tdx;

	fake::set_vendor(&tdx);
	{
		const Guest g{ 1024, kPlain, fake::kTdxVm };
		EXPECT_EQ(add_pages(g, tdx, 600, 2), 2);
		tdx.calls.clear();
		EXPECT_EQ(add_pages(g, tdx, 600, 2), -EEXIST);
		EXPECT(tdx.calls.empty());
		EXPECT_EQ(add_pages(g, tdx, 598, 5), 2);
		EXPECT_EQ(std::count(tdx.calls.begin(), tdx.calls.end(), TdxVendor::Call::Remove),
			  0);
		for (std::uint64_t i = 598; i < 602; i++) {
			EXPECT(tdx.owns(pfn_of(g, i)));
			EXPECT_EQ(g.order(i), 0);
		}
	}
}

/* The page before it goes, as a pre-fault had mapped that one. The added page stays. */
void tdx_keeps_what_was_added_beside_a_prefault()
{
	TdxVendor tdx;

	fake::set_vendor(&tdx);
	{
		const Guest g{ 1024, kPlain, fake::kTdxVm };
		EXPECT_EQ(add_pages(g, tdx, 701, 1), 1);
		tdx.finalized = true;
		EXPECT_EQ(fake::prefault(g.vm, 700), 0);
		tdx.calls.clear();
		EXPECT_EQ(add_pages(g, tdx, 700, 2), 1);
		EXPECT_EQ(std::count(tdx.calls.begin(), tdx.calls.end(), TdxVendor::Call::Remove),
			  1);
		EXPECT_EQ(g.order(701), 0);
	}
}

/* A new page is mapped nowhere. A pre-faulted page is unmapped first, and it alone. */
void tdx_adds_new_pages_without_an_invalidation()
{
	TdxVendor tdx;

	fake::set_vendor(&tdx);
	{
		const Guest g{ 1024, kPlain, fake::kTdxVm };
		fake::MmuCalls before = fake::mmu_calls();

		for (std::uint64_t gfn = 600; gfn < 604; gfn++)
			EXPECT_EQ(add_pages(g, tdx, gfn, 1), 1);
		EXPECT_EQ(add_pages(g, tdx, 600, 1), -EEXIST);
		EXPECT_EQ(fake::mmu_calls().begins, before.begins);
		EXPECT_EQ(fake::mmu_calls().unmaps, before.unmaps);
		EXPECT_EQ(fake::mmu_calls().ends, before.ends);
		tdx.finalized = true;
		EXPECT_EQ(fake::prefault(g.vm, 700), 0);
		before = fake::mmu_calls();
		EXPECT_EQ(add_pages(g, tdx, 700, 1), 1);
		EXPECT_EQ(fake::mmu_calls().begins, before.begins + 1);
		EXPECT_EQ(fake::mmu_calls().ends, before.ends + 1);
		EXPECT_EQ(fake::mmu_calls().unmap_start, 700u);
		EXPECT_EQ(fake::mmu_calls().unmap_end, 701u);
	}
}

} /* namespace */

GMEM_SUITE(vendors, CASE(snp_takes_a_run_by_one_call), CASE(snp_launches),
	   CASE(a_hook_that_does_one_page), CASE(a_hook_that_does_nothing), CASE(a_hook_that_fails),
	   CASE(a_page_that_stays_assigned), CASE(tdx_adds_in_one_pass),
	   CASE(tdx_keeps_what_was_added), CASE(tdx_keeps_what_was_added_beside_a_prefault),
	   CASE(tdx_adds_new_pages_without_an_invalidation));
