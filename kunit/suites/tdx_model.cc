// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TDX module's model: PAMT and S-EPT states, the order of operations, locks
 * that are found taken, and epochs.
 *
 * Tests: arch/x86/tdx_model.cc, arch/x86/pamt.cc, arch/x86/sept.cc, arch/x86/regions.h.
 */
#include "arch/x86/tdx_model.h"

#include <algorithm>

#include "kunit/suite.h"
#include "kunit/suites/patterns.h"

namespace
{

using namespace gmem;
using namespace gmem::test;
using namespace gmem::tdx;

constexpr Pfn kBlock{ 0x60000 };
constexpr std::uint64_t kGpa = 0xfffff000;

/*
 * A TD that is being built, with a vCPU and the tables for kGpa and its
 * neighbours. Frames come from pages of the kernel, so that they have bytes.
 */
class Machine {
    public:
	Machine() : block_(kapi_pages_alloc(kRunOrder))
	{
		if (!block_)
			return;
		first_ = Pfn{ kapi_page_pfn(block_) };
		good_ = pamt.cover(first_, kRunPages).ok() && module.mng_create(td, next()).ok() &&
			module.mng_key_config(td).ok() && module.mng_init(td).ok() &&
			module.vp_create(td, next()).ok();
		for (unsigned level = Sept::kRootLevel; level > 0; level--)
			good_ = good_ && module.sept_add(td, round(level), level, next()).ok();
	}
	~Machine()
	{
		(void)module.teardown(td);
		for (unsigned i = 1; i < kRunPages; i++)
			(void)module.page_reclaim(td, first_ + i);
		if (good_ && !module.page_reclaim(td, first_).ok())
			gmem_case_failed(__FILE__, __LINE__, "the TD's root was not given back");
		if (block_)
			kapi_pages_put(block_, kRunPages);
	}

	bool good() const { return good_; }
	/* A frame that was not used yet. */
	Pfn next() { return first_ + next_++; }
	/* The GPA of the table entry of @level above kGpa. */
	static std::uint64_t round(unsigned level)
	{
		return kGpa >> (12 + 9 * level) << (12 + 9 * level);
	}
	SeptState state(std::uint64_t gpa = kGpa)
	{
		return td.sept.walk(Gfn{ gpa >> kPageShift }, 0).entry->state;
	}
	bool add(std::uint64_t gpa, const PageBytes &page)
	{
		last = next();
		return module.page_add(td, gpa, 0, last, page.data()).ok();
	}
	bool extend(std::uint64_t gpa)
	{
		bool good = true;

		for (unsigned at = 0; at < kPageSize; at += kTdxChunkSize)
			good = good && module.mr_extend(td, gpa + at).ok();
		return good;
	}
	std::uint64_t aug(std::uint64_t gpa = kGpa)
	{
		last = next();
		return module.page_aug(td, gpa, 0, last).status;
	}
	PageType type(Pfn pfn) { return pamt.lookup(pfn).type; }

	Pamt pamt;
	TdxModule module{ pamt };
	Td td;
	Pfn last;

    private:
	struct page *block_;
	Pfn first_;
	unsigned next_ = 0;
	bool good_ = false;
};

void builds_and_measures()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.add(kGpa, kPageI));
	EXPECT(m.state() == SeptState::Mapped);
	EXPECT(m.type(m.last) == PageType::Regular);
	EXPECT(m.pamt.lookup(m.last).owner == m.td.tdr);
	EXPECT(std::equal(kPageI.begin(), kPageI.end(),
			  static_cast<const std::uint8_t *>(kapi_frame(m.last.value))));
	EXPECT(m.extend(kGpa));
	EXPECT(m.module.mr_finalize(m.td).ok());
	/* T3 */
	EXPECT(m.td.measurement ==
	       digest_from("cd9d793217c8e5918ad18eca449ba10dcfc5faafc19ceeae46b925d054f3b68f"
			   "85127312438aeba5bc187d9dc73a20fa"));
}

void order_of_passes_matters()
{
	Machine m;

	REQUIRE(m.good());
	/* T5, at two pages of another table. */
	for (unsigned level = 2; level > 0; level--)
		(void)m.module.sept_add(m.td, 0xffc84000 >> (12 + 9 * level) << (12 + 9 * level),
					level, m.next());
	EXPECT(m.add(0xffc84000, kPageW) && m.extend(0xffc84000));
	EXPECT(m.add(0xffc85000, kPageI) && m.extend(0xffc85000));
	EXPECT(m.module.mr_finalize(m.td).ok());
	EXPECT(m.td.measurement ==
	       digest_from("b286f4a5a77d7e836d736eca84b277922079bfed0f2f730e62639921e6bb1541"
			   "de1b721e5d328272ff4c23bef58dafc0"));
}

void lifecycle_comes_first()
{
	Pamt pamt;
	TdxModule module{ pamt };
	Td td;

	EXPECT_EQ(module.mng_create(td, kBlock).status, kOperandAddrRange | kR8);
	REQUIRE(pamt.cover(kBlock, 2).ok());
	EXPECT_EQ(module.page_aug(td, 0, 0, kBlock).status, kPageMetadataIncorrect | kTdr);
	REQUIRE(module.mng_create(td, kBlock).ok());
	EXPECT_EQ(module.mng_init(td).status, kKeysNotConfigured);
	EXPECT_EQ(module.page_aug(td, 0, 0, kBlock + 1).status, kKeysNotConfigured);
	REQUIRE(module.mng_key_config(td).ok());
	EXPECT_EQ(module.page_aug(td, 0, 0, kBlock + 1).status, kOpStateIncorrect);
	EXPECT_EQ(module.mr_finalize(td).status, kOpStateIncorrect);
	REQUIRE(module.mng_init(td).ok());
	EXPECT_EQ(module.mr_finalize(td).status, kNoVcpus);
	REQUIRE(module.vp_create(td, kBlock + 1).ok());
	EXPECT_EQ(module.page_reclaim(td, kBlock + 1).status, kLifecycleIncorrect);
	REQUIRE(module.teardown(td).ok());
	EXPECT_EQ(module.page_aug(td, 0, 0, kBlock + 1).status, kLifecycleIncorrect);
	EXPECT_EQ(module.page_reclaim(td, kBlock).status, kAssociatedPagesExist);
	EXPECT(module.page_reclaim(td, kBlock + 1).ok());
	EXPECT_EQ(module.page_reclaim(td, kBlock + 1).status, kPageMetadataIncorrect | kRcx);
	EXPECT(module.page_reclaim(td, kBlock).ok());
}

/* Everything is wrong at first. After each status its cause is put right, in order. */
void page_add_checks_in_order()
{
	Machine m;

	REQUIRE(m.good());
	std::uint64_t gpa = 1ull << 51;
	unsigned level = 1;
	Pfn page{ 0x123456789 };
	const void *source = nullptr;
	const auto status = [&] {
		return m.module.page_add(m.td, gpa, level, page, source).status;
	};

	m.td.tdr_lock.shared = 1;
	EXPECT_EQ(status(), kOperandBusy | kTdr);
	m.td.tdr_lock.shared = 0;
	EXPECT_EQ(status(), kOperandInvalid | kRcx);
	level = 0;
	EXPECT_EQ(status(), kOperandInvalid | kRcx);
	gpa = 0x80000000000;
	EXPECT_EQ(status(), kEptWalkFailed | kRcx);
	REQUIRE(m.add(kGpa, kPageI));
	gpa = kGpa;
	EXPECT_EQ(status(), kEptEntryStateIncorrect | kRcx);
	gpa = kGpa - kPageSize;
	EXPECT_EQ(status(), kOperandInvalid | kR9);
	source = kPageW.data();
	EXPECT_EQ(status(), kOperandAddrRange | kR8);
	page = m.last;
	m.pamt.set_locked(page, true);
	EXPECT_EQ(status(), kOperandBusy | kR8);
	m.pamt.set_locked(page, false);
	EXPECT_EQ(status(), kPageMetadataIncorrect | kR8);
	page = m.next();
	EXPECT_EQ(status(), kSuccess);
}

void parents_first()
{
	Machine m;
	const std::uint64_t far = 0x8000000000;

	REQUIRE(m.good());
	EXPECT_EQ(m.aug(far), kEptWalkFailed | kRcx);
	EXPECT_EQ(m.module.sept_add(m.td, far, 1, m.next()).status, kEptWalkFailed | kRcx);
	EXPECT_EQ(m.module.sept_add(m.td, far, 0, m.next()).status, kOperandInvalid | kRcx);
	EXPECT_EQ(m.module.sept_add(m.td, far + kPageSize, 3, m.next()).status,
		  kOperandInvalid | kRcx);
	EXPECT_EQ(m.module.sept_add(m.td, kGpa & ~0x1fffffull, 1, m.next()).status,
		  kEptEntryStateIncorrect | kRcx);
	for (unsigned level = 3; level > 0; level--)
		EXPECT(m.module.sept_add(m.td, far, level, m.next()).ok());
	EXPECT_EQ(m.aug(far), kSuccess);

	/* What the walk found comes with the failure. */
	const auto result = m.module.sept_add(m.td, far, 1, m.next());

	EXPECT_EQ(result.rdx, 1u | 0x84u << 8);
}

void extend_needs_an_added_page()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT_EQ(m.module.mr_extend(m.td, kGpa + 0x80).status, kOperandInvalid | kRcx);
	EXPECT_EQ(m.module.mr_extend(m.td, 0x8000000000).status, kEptEntryNotPresent | kRcx);
	EXPECT_EQ(m.module.mr_extend(m.td, kGpa).status, kEptEntryNotPresent);
	REQUIRE(m.aug() == kSuccess);
	EXPECT_EQ(m.module.mr_extend(m.td, kGpa).status, kEptEntryNotPresent);
}

void nothing_is_built_after_finalize()
{
	Machine m;

	REQUIRE(m.good() && m.add(kGpa, kPageI) && m.module.mr_finalize(m.td).ok());
	const Sha384Digest measurement = m.td.measurement;

	EXPECT_EQ(m.module.page_add(m.td, kGpa - kPageSize, 0, m.next(), kPageI.data()).status,
		  kOpStateIncorrect);
	EXPECT_EQ(m.module.mr_extend(m.td, kGpa).status, kOpStateIncorrect);
	EXPECT_EQ(m.module.mr_finalize(m.td).status, kOpStateIncorrect);
	EXPECT(m.td.measurement == measurement);
	EXPECT_EQ(m.aug(kGpa - kPageSize), kSuccess);
}

void locks_are_found_taken()
{
	Machine m;

	REQUIRE(m.good() && m.add(kGpa, kPageI));
	/* Building takes the root exclusively, the rest shares it. */
	m.td.tdr_lock.shared = 1;
	EXPECT_EQ(m.module.mr_extend(m.td, kGpa).status, kOperandBusy | kTdr);
	EXPECT_EQ(m.module.mr_finalize(m.td).status, kOperandBusy | kTdr);
	EXPECT_EQ(m.aug(kGpa - kPageSize), kSuccess);
	m.td.tdr_lock = { .exclusive = true };
	EXPECT_EQ(m.aug(kGpa - 2 * kPageSize), kOperandBusy | kTdr);
	EXPECT_EQ(m.module.track(m.td).status, kOperandBusy | kTdr);
	m.td.tdr_lock = {};
	/* Blocking takes the tree exclusively, tracking does not take it. */
	m.td.sept_lock.shared = 1;
	EXPECT_EQ(m.module.range_block(m.td, kGpa, 0).status, kOperandBusy | kSeptTree);
	EXPECT_EQ(m.aug(kGpa - 2 * kPageSize), kSuccess);
	m.td.sept_lock = { .exclusive = true };
	EXPECT_EQ(m.aug(kGpa - 3 * kPageSize), kOperandBusy | kSeptTree);
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kOperandBusy | kSeptTree);
	EXPECT(m.module.track(m.td).ok());
	m.td.sept_lock = {};
	m.td.epoch_lock.shared = 1;
	EXPECT_EQ(m.module.track(m.td).status, kOperandBusy | kTdEpoch);
	m.td.epoch_lock = {};
	m.td.sept.walk(Gfn{ kGpa >> kPageShift }, 0).entry->locked = true;
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kOperandBusy | kRcx);
	m.td.sept.walk(Gfn{ kGpa >> kPageShift }, 0).entry->locked = false;
	m.td.op_state_lock.shared = 1;
	EXPECT_EQ(m.module.mr_finalize(m.td).status, kOperandBusy | kOpState);
	m.td.op_state_lock = {};
	EXPECT(m.module.mr_finalize(m.td).ok());
}

void removal_needs_block_and_track()
{
	Machine m;
	unsigned parity = 0;

	REQUIRE(m.good() && m.add(kGpa, kPageI) && m.module.mr_finalize(m.td).ok());
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kRangeNotBlocked | kRcx);
	REQUIRE(m.module.vp_enter(m.td, parity).ok());
	EXPECT(m.module.range_block(m.td, kGpa, 0).ok());
	EXPECT(m.state() == SeptState::Blocked);
	EXPECT_EQ(m.module.range_block(m.td, kGpa, 0).status, kRangeAlreadyBlocked);
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kTrackingNotDone);
	EXPECT(m.module.track(m.td).ok());
	/* The vCPU that entered before may have the page in its TLB. */
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kTrackingNotDone);
	EXPECT_EQ(m.module.track(m.td).status, kPreviousEpochBusy);
	EXPECT_EQ(m.module.page_wbinvd(m.last).status, kPageMetadataIncorrect | kRcx);
	m.module.vp_exit(m.td, parity);
	/* One that enters now cannot. */
	REQUIRE(m.module.vp_enter(m.td, parity).ok());
	EXPECT(m.module.page_remove(m.td, kGpa, 0).ok());
	m.module.vp_exit(m.td, parity);
	EXPECT(m.state() == SeptState::Free);
	EXPECT(m.type(m.last) == PageType::Nda);
	EXPECT(m.module.page_wbinvd(m.last).ok());
	EXPECT_EQ(m.module.page_remove(m.td, kGpa, 0).status, kEptEntryStateIncorrect | kRcx);
}

void removal_while_building_needs_neither()
{
	Machine m;

	REQUIRE(m.good() && m.add(kGpa, kPageI));
	EXPECT(m.module.page_remove(m.td, kGpa, 0).ok());
	EXPECT(m.add(kGpa, kPageW));
}

void pending_pages()
{
	Machine m;

	REQUIRE(m.good() && m.module.mr_finalize(m.td).ok() && m.aug() == kSuccess);
	EXPECT(m.state() == SeptState::Pending);
	EXPECT_EQ(m.aug(), kEptEntryStateIncorrect | kRcx);
	EXPECT(m.module.range_block(m.td, kGpa, 0).ok());
	EXPECT(m.state() == SeptState::PendingBlocked);
	EXPECT(m.module.range_unblock(m.td, kGpa, 0).ok());
	EXPECT(m.state() == SeptState::Pending);
	EXPECT_EQ(m.module.range_unblock(m.td, kGpa, 0).status, kRangeNotBlocked | kRcx);
}

void tables_block_too()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.module.range_block(m.td, kGpa & ~0x1fffffull, 1).ok());
	EXPECT_EQ(m.module.range_block(m.td, kGpa & ~0x1fffffull, 1).status, kRangeAlreadyBlocked);
	EXPECT(m.module.range_unblock(m.td, kGpa & ~0x1fffffull, 1).ok());
	EXPECT_EQ(m.module.range_block(m.td, kGpa, 0).status, kEptEntryStateIncorrect | kRcx);
}

void a_page_has_one_owner()
{
	Machine m;
	Td other;

	REQUIRE(m.good() && m.aug() == kSuccess);
	EXPECT_EQ(m.module.mng_create(other, m.last).status, kPageMetadataIncorrect | kR8);
	EXPECT_EQ(m.module.page_aug(m.td, kGpa - kPageSize, 0, m.last).status,
		  kPageMetadataIncorrect | kR8);
}

void calls_out_of_order()
{
	Machine m;
	unsigned parity = 0;
	const std::uint64_t far = 0x8000000000;

	REQUIRE(m.good());
	/* Its key and its root are there, it is initialized, and does not run yet. */
	EXPECT_EQ(m.module.mng_key_config(m.td).status, kLifecycleIncorrect);
	EXPECT_EQ(m.module.mng_init(m.td).status, kOpStateIncorrect);
	EXPECT_EQ(m.module.vp_enter(m.td, parity).status, kOpStateIncorrect);
	EXPECT_EQ(m.module.sept_add(m.td, far, 3, m.td.tdr).status, kPageMetadataIncorrect | kR8);
	EXPECT_EQ(m.module.range_block(m.td, far, 0).status, kEptWalkFailed | kRcx);
	EXPECT_EQ(m.module.range_unblock(m.td, far, 0).status, kEptWalkFailed | kRcx);
	EXPECT_EQ(m.module.range_unblock(m.td, kGpa + 1, 0).status, kOperandInvalid | kRcx);
	EXPECT_EQ(m.module.page_remove(m.td, far, 0).status, kEptWalkFailed | kRcx);
	/* A page that was added, blocked and let go again is as it was. */
	REQUIRE(m.add(kGpa, kPageI) && m.module.mr_finalize(m.td).ok());
	EXPECT(m.module.range_block(m.td, kGpa, 0).ok());
	EXPECT(m.module.range_unblock(m.td, kGpa, 0).ok());
	EXPECT(m.state() == SeptState::Mapped);
	EXPECT_EQ(m.module.vp_create(m.td, m.next()).status, kOpStateIncorrect);
	/* Not while a vCPU is inside. */
	REQUIRE(m.module.vp_enter(m.td, parity).ok());
	EXPECT_EQ(m.module.teardown(m.td).status, kOperandBusy | kTdr);
	m.module.vp_exit(m.td, parity);
	REQUIRE(m.module.teardown(m.td).ok());
	EXPECT_EQ(m.module.teardown(m.td).status, kLifecycleIncorrect);
	EXPECT_EQ(m.module.mng_init(m.td).status, kLifecycleIncorrect);
	EXPECT_EQ(m.module.vp_enter(m.td, parity).status, kLifecycleIncorrect);
	m.pamt.set_locked(m.last, true);
	EXPECT_EQ(m.module.page_reclaim(m.td, m.last).status, kOperandBusy | kRcx);
	m.pamt.set_locked(m.last, false);
}

void more_locks_are_found_taken()
{
	Machine m;
	SeptEntry *const entry = m.td.sept.walk(Gfn{ kGpa >> kPageShift }, 0).entry;
	const std::uint64_t far = 0x8000000000;

	REQUIRE(m.good());
	m.td.op_state_lock = { .exclusive = true };
	EXPECT_EQ(m.aug(), kOperandBusy | kOpState);
	m.td.op_state_lock = {};
	m.td.sept_lock = { .exclusive = true };
	EXPECT_EQ(m.module.sept_add(m.td, far, 3, m.next()).status, kOperandBusy | kSeptTree);
	EXPECT_EQ(m.module.range_unblock(m.td, kGpa, 0).status, kOperandBusy | kSeptTree);
	m.td.sept_lock = {};
	entry->locked = true;
	EXPECT_EQ(m.aug(), kOperandBusy | kRcx);
	entry->locked = false;

	SeptEntry *const root = m.td.sept.walk(Gfn{ far >> kPageShift }, 3).entry;

	root->locked = true;
	EXPECT_EQ(m.module.sept_add(m.td, far, 3, m.next()).status, kOperandBusy | kRcx);
	root->locked = false;
}

void injected_failures_change_nothing()
{
	Machine m;

	REQUIRE(m.good());
	m.td.failure.order(kOperandBusy | kTdr, 2);
	EXPECT_EQ(m.aug(), kOperandBusy | kTdr);
	EXPECT_EQ(m.module.track(m.td).status, kOperandBusy | kTdr);
	EXPECT(m.state() == SeptState::Free);
	EXPECT_EQ(m.aug(), kSuccess);
}

} /* namespace */

GMEM_SUITE(tdx_model, CASE(builds_and_measures), CASE(order_of_passes_matters),
	   CASE(lifecycle_comes_first), CASE(page_add_checks_in_order), CASE(parents_first),
	   CASE(extend_needs_an_added_page), CASE(nothing_is_built_after_finalize),
	   CASE(locks_are_found_taken), CASE(removal_needs_block_and_track),
	   CASE(removal_while_building_needs_neither), CASE(pending_pages), CASE(tables_block_too),
	   CASE(a_page_has_one_owner), CASE(calls_out_of_order), CASE(more_locks_are_found_taken),
	   CASE(injected_failures_change_nothing));
