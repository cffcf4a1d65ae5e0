// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map table under the guest's own instructions, PVALIDATE and RMPADJUST: whose
 * pages they may name, of which size, and what they leave in the entry.
 *
 * Tests: arch/x86/rmp.cc.
 */
#include "arch/x86/rmp.h"

#include "kunit/suite.h"

namespace
{

using namespace gmem;
using Fault = RmpAnswer::Fault;

constexpr Pfn kBlock{ 0x40000 };
constexpr std::uint32_t kAsid = 7;
constexpr std::uint64_t kGpa = 0x80000000;

/* A table with one region, all of it one guest's: one entry, or one a page. */
struct Table : Rmp {
	explicit Table(RmpSize size)
	{
		ready = cover(kBlock, kRunPages).ok();
		for (unsigned i = 0; i < (size == RmpSize::k2M ? 1 : kRunPages); i++)
			(void)update(kBlock + i,
				     { kGpa + i * kPageSize, true, size, false, kAsid });
	}
	~Table()
	{
		const bool huge = lookup(kBlock).size == RmpSize::k2M;

		for (unsigned i = 0; i < (huge ? 1 : kRunPages); i++)
			(void)update(kBlock + i, { .size = huge ? RmpSize::k2M : RmpSize::k4K });
	}

	/* The page at @slot, as the guest names it. */
	static RmpPage page(unsigned slot, RmpSize size)
	{
		return { kBlock + slot, kAsid, kGpa + slot * kPageSize, size };
	}
	RmpAnswer validate(unsigned slot, RmpSize size, bool validated = true)
	{
		return pvalidate(page(slot, size), validated);
	}

	bool ready;
};

void a_page_is_validated_and_rescinded()
{
	Table rmp{ RmpSize::k4K };

	REQUIRE(rmp.ready);
	EXPECT(rmp.validate(3, RmpSize::k4K).changed);
	EXPECT(rmp.lookup(kBlock + 3).state() == RmpState::GuestValid);
	EXPECT(rmp.lookup(kBlock + 2).state() == RmpState::GuestInvalid);
	EXPECT(rmp.lookup(kBlock + 4).state() == RmpState::GuestInvalid);

	/* Once more changes nothing, and is no error. */
	const RmpAnswer again = rmp.validate(3, RmpSize::k4K);

	EXPECT(again.fault == Fault::None && is_ok(again.code) && !again.changed);
	EXPECT(rmp.lookup(kBlock + 3).validated);
	EXPECT(rmp.validate(3, RmpSize::k4K, false).changed);
	EXPECT(rmp.lookup(kBlock + 3).state() == RmpState::GuestInvalid);
	EXPECT(!rmp.validate(3, RmpSize::k4K, false).changed);
}

void a_block_is_validated_as_one()
{
	Table rmp{ RmpSize::k2M };

	REQUIRE(rmp.ready);
	EXPECT(rmp.validate(0, RmpSize::k2M).changed);
	for (unsigned i = 0; i < kRunPages; i++)
		EXPECT(rmp.lookup(kBlock + i).state() == RmpState::GuestValid);
	/* And each of its pages stays so when it is split. */
	EXPECT(rmp.psmash(kBlock) == RmpCode::Ok);
	EXPECT(!rmp.validate(511, RmpSize::k4K).changed);
	EXPECT(rmp.validate(511, RmpSize::k4K, false).changed);
	EXPECT(rmp.lookup(kBlock + 510).validated);
}

void sizes_that_do_not_match()
{
	Table small{ RmpSize::k4K };

	REQUIRE(small.ready);
	EXPECT(small.validate(0, RmpSize::k2M).code == RmpCode::FailSizeMismatch);
	EXPECT(small.rmpadjust(Table::page(0, RmpSize::k2M), { .target = 1 }).code ==
	       RmpCode::FailSizeMismatch);
	EXPECT(!small.lookup(kBlock).validated);

	Table large{ RmpSize::k2M };

	REQUIRE(large.ready);
	for (const unsigned slot : { 0u, 1u, 511u }) {
		EXPECT(large.validate(slot, RmpSize::k4K).fault == Fault::TooLarge);
		EXPECT(large.rmpadjust(Table::page(slot, RmpSize::k4K), { .target = 1 }).fault ==
		       Fault::TooLarge);
	}
	/* Of 2 MiB, but beginning inside of the entry. */
	EXPECT(large.validate(1, RmpSize::k2M).code == RmpCode::FailSizeMismatch);
	EXPECT(!large.lookup(kBlock).validated);
}

void pages_that_are_not_the_guests()
{
	Table rmp{ RmpSize::k4K };
	RmpPage page = Table::page(1, RmpSize::k4K);

	REQUIRE(rmp.ready);
	const auto refused = [&](const RmpPage &other) {
		return rmp.pvalidate(other, true).fault == Fault::NotGuests &&
		       rmp.rmpadjust(other, { .target = 1 }).fault == Fault::NotGuests;
	};

	page.asid = kAsid + 1;
	EXPECT(refused(page));
	page = Table::page(1, RmpSize::k4K);
	page.gpa += kPageSize;
	EXPECT(refused(page));
	page = Table::page(1, RmpSize::k4K);
	page.pfn = kBlock + kRunPages; /* no entry */
	EXPECT(refused(page));
	EXPECT(rmp.update(kBlock + 1, {}) == RmpCode::Ok);
	EXPECT(refused(Table::page(1, RmpSize::k4K)));
	/* On its way to the guest: the firmware's meanwhile. */
	EXPECT(rmp.update(kBlock + 1, { kGpa + kPageSize, true, RmpSize::k4K, true, kAsid }) ==
	       RmpCode::Ok);
	EXPECT(refused(Table::page(1, RmpSize::k4K)));

	RmpEntry entry = rmp.lookup(kBlock + 1);

	entry.immutable = false;
	rmp.firmware_set(kBlock + 1, entry, Rmp::Command::PageReclaim);
	EXPECT(rmp.validate(1, RmpSize::k4K).changed);
}

void permissions_are_given_downwards()
{
	constexpr std::uint8_t kRead = 1, kWrite = 2;
	Table rmp{ RmpSize::k4K };
	const RmpPage page = Table::page(9, RmpSize::k4K);

	REQUIRE(rmp.ready);
	EXPECT(rmp.rmpadjust(page, { .target = 1, .perms = kRead }).fault == Fault::NotValidated);
	EXPECT(rmp.validate(9, RmpSize::k4K).changed);
	EXPECT(rmp.rmpadjust(page, { .target = 1, .perms = kRead | kWrite }).changed);
	EXPECT(!rmp.rmpadjust(page, { .target = 1, .perms = kRead | kWrite }).changed);
	EXPECT(is_ok(rmp.rmpadjust(page, { .by = 1, .target = 2, .perms = kRead }).code));
	/* VMPL2 has no right to write, and cannot give it. */
	EXPECT(rmp.rmpadjust(page, { .by = 2, .target = 3, .perms = kRead | kWrite }).code ==
	       RmpCode::FailPermission);
	EXPECT(is_ok(rmp.rmpadjust(page, { .by = 2, .target = 3, .perms = kRead }).code));

	const RmpEntry entry = rmp.lookup(kBlock + 9);

	EXPECT_EQ(entry.perms[0], kRead | kWrite);
	EXPECT_EQ(entry.perms[1], kRead);
	EXPECT_EQ(entry.perms[2], kRead);
	EXPECT(rmp.lookup(kBlock + 8).perms == RmpEntry{}.perms);
}

/* A page that has gone and come again is not the old vCPU's to leave. */
void a_use_is_one_vcpus()
{
	Table rmp{ RmpSize::k4K };
	const RmpPage page = Table::page(0, RmpSize::k4K);
	const auto make_area = [&] {
		EXPECT(rmp.validate(0, RmpSize::k4K).changed);
		EXPECT(rmp.rmpadjust(page, { .target = 1, .vmsa = true }).changed);
	};

	REQUIRE(rmp.ready);
	make_area();
	EXPECT(rmp.enter_vmsa(page, 0).changed);
	EXPECT(rmp.enter_vmsa(page, 1).code == RmpCode::FailInuse);
	rmp.leave_vmsa(page, 1);
	EXPECT(rmp.enter_vmsa(page, 1).code == RmpCode::FailInuse);
	EXPECT(rmp.update(kBlock, {}) == RmpCode::Ok);
	EXPECT(rmp.update(kBlock, { page.gpa, true, RmpSize::k4K, false, kAsid }) == RmpCode::Ok);
	make_area();
	EXPECT(rmp.enter_vmsa(page, 1).changed);
	rmp.leave_vmsa(page, 0);
	EXPECT(rmp.rmpadjust(page, { .target = 1 }).code == RmpCode::FailInuse);
	rmp.leave_vmsa(page, 1);
	EXPECT(rmp.rmpadjust(page, { .target = 1 }).changed);
}

void save_areas_are_vmpl0s_to_make()
{
	Table rmp{ RmpSize::k4K };
	const RmpPage page = Table::page(0, RmpSize::k4K);

	REQUIRE(rmp.ready);
	EXPECT(rmp.validate(0, RmpSize::k4K).changed);
	EXPECT(rmp.rmpadjust(page, { .target = 1, .vmsa = true }).changed);
	EXPECT(rmp.lookup(kBlock).vmsa);
	/* From another level the bit is ignored. */
	EXPECT(is_ok(rmp.rmpadjust(page, { .by = 1, .target = 2 }).code));
	EXPECT(rmp.lookup(kBlock).vmsa);
	EXPECT(rmp.rmpadjust(page, { .target = 1 }).changed);
	EXPECT(!rmp.lookup(kBlock).vmsa);
	EXPECT(is_ok(rmp.rmpadjust(page, { .by = 1, .target = 2, .vmsa = true }).code));
	EXPECT(!rmp.lookup(kBlock).vmsa);
}

void what_the_hypervisor_changes_is_validated_no_more()
{
	Table rmp{ RmpSize::k4K };
	const RmpPage page = Table::page(5, RmpSize::k4K);

	REQUIRE(rmp.ready);
	EXPECT(rmp.validate(5, RmpSize::k4K).changed);
	EXPECT(rmp.rmpadjust(page, { .target = 1, .perms = 0xf, .vmsa = true }).changed);
	EXPECT(rmp.update(kBlock + 5, { page.gpa, true, RmpSize::k4K, false, kAsid }) ==
	       RmpCode::Ok);

	const RmpEntry entry = rmp.lookup(kBlock + 5);

	EXPECT(!entry.validated && !entry.vmsa);
	EXPECT(entry.perms == RmpEntry{}.perms);
}

} /* namespace */

GMEM_SUITE(rmp_guest, CASE(a_page_is_validated_and_rescinded), CASE(a_block_is_validated_as_one),
	   CASE(sizes_that_do_not_match), CASE(pages_that_are_not_the_guests),
	   CASE(permissions_are_given_downwards), CASE(a_use_is_one_vcpus),
	   CASE(save_areas_are_vmpl0s_to_make),
	   CASE(what_the_hypervisor_changes_is_validated_no_more));
