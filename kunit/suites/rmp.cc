// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map table: states, RMPUPDATE and PSMASH with each of their codes.
 *
 * Tests: arch/x86/rmp.cc, arch/x86/regions.h.
 */
#include "arch/x86/rmp.h"

#include "kunit/suite.h"

namespace
{

using namespace gmem;

constexpr Pfn kBlock{ 0x40000 };
constexpr std::uint32_t kAsid = 7;
constexpr std::uint64_t kGpa = 0x80000000, kHugeSize = kRunPages * kPageSize;

constexpr RmpUpdate private_page(std::uint64_t gpa, RmpSize size = RmpSize::k4K)
{
	return { gpa, true, size, false, kAsid };
}

constexpr RmpUpdate kShared{}, kSharedHuge{ .size = RmpSize::k2M };

/* A table with one region; left as it was found. */
struct Table : Rmp {
	Table() { covered = cover(kBlock, kRunPages).ok(); }
	~Table()
	{
		if (lookup(kBlock).size == RmpSize::k2M) {
			(void)update(kBlock, kSharedHuge);
			return;
		}
		for (unsigned i = 0; i < kRunPages; i++) {
			RmpEntry entry = lookup(kBlock + i);

			if (entry.immutable) {
				entry.immutable = false;
				firmware_set(kBlock + i, entry, Command::PageReclaim);
			}
			(void)update(kBlock + i, kShared);
		}
	}

	bool covered;
};

void starts_as_hypervisor()
{
	Table rmp;

	REQUIRE(rmp.covered);
	EXPECT(rmp.lookup(kBlock).state() == RmpState::Hypervisor);
	EXPECT(rmp.all_hypervisor(kBlock, kRunPages));
	EXPECT(rmp.lookup(kBlock + kRunPages).state() == RmpState::Hypervisor);
}

void states_follow_fields()
{
	const auto state = [](bool assigned, bool validated, unsigned asid, bool immutable,
			      std::uint64_t gpa = 0, bool vmsa = false) {
		return RmpEntry{ .gpa = gpa,
				 .asid = static_cast<std::uint16_t>(asid),
				 .assigned = assigned,
				 .immutable = immutable,
				 .vmsa = vmsa,
				 .validated = validated }
			.state();
	};

	EXPECT(state(0, 0, 0, 0) == RmpState::Hypervisor);
	EXPECT(state(0, 0, 0, 1) == RmpState::HvFixed);
	EXPECT(state(1, 0, 0, 1) == RmpState::Firmware);
	EXPECT(state(1, 0, 0, 1, 0, true) == RmpState::Context);
	EXPECT(state(1, 0, 0, 1, 0x1000) == RmpState::Metadata);
	EXPECT(state(1, 0, 0, 0) == RmpState::Reclaim);
	EXPECT(state(1, 0, 9, 1) == RmpState::PreGuest);
	EXPECT(state(1, 1, 9, 1) == RmpState::PreSwap);
	EXPECT(state(1, 0, 9, 0) == RmpState::GuestInvalid);
	EXPECT(state(1, 1, 9, 0) == RmpState::GuestValid);
	EXPECT(state(0, 1, 0, 0) == RmpState::Broken);
	EXPECT(state(0, 0, 9, 0) == RmpState::Broken);
	EXPECT(state(1, 1, 0, 0) == RmpState::Broken);
}

void update_assigns_and_shares()
{
	Table rmp;

	EXPECT(rmp.update(kBlock + 3, private_page(kGpa)) == RmpCode::Ok);
	EXPECT(rmp.lookup(kBlock + 3).state() == RmpState::GuestInvalid);
	EXPECT_EQ(rmp.lookup(kBlock + 3).gpa, kGpa);
	EXPECT_EQ(rmp.lookup(kBlock + 3).asid, kAsid);
	EXPECT(!rmp.all_hypervisor(kBlock, kRunPages));
	EXPECT(rmp.all_hypervisor(kBlock, 3));
	EXPECT(rmp.update(kBlock + 3, kShared) == RmpCode::Ok);
	EXPECT(rmp.all_hypervisor(kBlock, kRunPages));
}

/* What only validation gives does not outlive a change of the entry. */
void update_resets_the_rest()
{
	Table rmp;
	RmpEntry entry;

	REQUIRE(rmp.update(kBlock, private_page(kGpa)) == RmpCode::Ok);
	entry = rmp.lookup(kBlock);
	entry.validated = entry.vmsa = true;
	entry.perms = { 1, 3, 7 };
	rmp.firmware_set(kBlock, entry, Rmp::Command::LaunchUpdate);
	EXPECT(rmp.lookup(kBlock).state() == RmpState::GuestValid);
	EXPECT(rmp.update(kBlock, private_page(kGpa)) == RmpCode::Ok);
	entry = rmp.lookup(kBlock);
	EXPECT(!entry.validated && !entry.vmsa);
	EXPECT(entry.perms == decltype(entry.perms){});
}

void update_input()
{
	Table rmp;

	EXPECT(rmp.update(kBlock + 1, private_page(kGpa, RmpSize::k2M)) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, { .immutable = true }) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, { .asid = kAsid }) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock + kRunPages, private_page(kGpa)) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, private_page(kGpa + 1)) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, private_page(1ull << 51)) == RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, private_page(kGpa + kPageSize, RmpSize::k2M)) ==
	       RmpCode::FailInput);
	EXPECT(rmp.update(kBlock, { kGpa, true, RmpSize::k4K, false, 0x3ff }) ==
	       RmpCode::FailInput);
	EXPECT(rmp.all_hypervisor(kBlock, kRunPages));
}

void update_of_immutable()
{
	Table rmp;

	REQUIRE(rmp.update(kBlock + 2, { kGpa, true, RmpSize::k4K, true, kAsid }) == RmpCode::Ok);
	EXPECT(rmp.lookup(kBlock + 2).state() == RmpState::PreGuest);
	EXPECT(rmp.update(kBlock + 2, kShared) == RmpCode::FailPermission);
	EXPECT(rmp.update(kBlock + 2, private_page(kGpa)) == RmpCode::FailPermission);
	EXPECT(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::FailPermission);
	EXPECT(rmp.lookup(kBlock + 2).state() == RmpState::PreGuest);
}

void huge_reads_as_each_of_its_frames()
{
	Table rmp;

	REQUIRE(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::Ok);
	for (unsigned i = 0; i < kRunPages; i++) {
		const RmpEntry entry = rmp.lookup(kBlock + i);

		EXPECT(entry.state() == RmpState::GuestInvalid);
		EXPECT(entry.size == RmpSize::k2M);
		EXPECT_EQ(entry.gpa, kGpa + i * kPageSize);
	}
	/* A huge entry is not in its own way. */
	EXPECT(rmp.update(kBlock, private_page(kGpa + kHugeSize, RmpSize::k2M)) == RmpCode::Ok);
	EXPECT(rmp.update(kBlock, kSharedHuge) == RmpCode::Ok);
	EXPECT(rmp.all_hypervisor(kBlock, kRunPages));
}

void overlaps()
{
	Table rmp;

	REQUIRE(rmp.update(kBlock + 511, private_page(kGpa)) == RmpCode::Ok);
	EXPECT(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::FailOverlap);
	EXPECT(rmp.update(kBlock, kSharedHuge) == RmpCode::FailOverlap);
	REQUIRE(rmp.update(kBlock + 511, kShared) == RmpCode::Ok);
	REQUIRE(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::Ok);
	EXPECT(rmp.update(kBlock, kShared) == RmpCode::FailOverlap);
	EXPECT(rmp.update(kBlock + 5, kShared) == RmpCode::FailOverlap);
	EXPECT(rmp.update(kBlock + 5, private_page(kGpa)) == RmpCode::FailOverlap);
}

void psmash_keeps_owner_and_validation()
{
	Table rmp;

	REQUIRE(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::Ok);
	RmpEntry base = rmp.lookup(kBlock);

	base.validated = true;
	rmp.firmware_set(kBlock, base, Rmp::Command::LaunchUpdate);
	EXPECT(rmp.psmash(kBlock) == RmpCode::Ok);
	for (unsigned i = 0; i < kRunPages; i++) {
		const RmpEntry entry = rmp.lookup(kBlock + i);

		EXPECT(entry.size == RmpSize::k4K);
		EXPECT(entry.state() == RmpState::GuestValid);
		EXPECT_EQ(entry.gpa, kGpa + i * kPageSize);
		EXPECT_EQ(entry.asid, kAsid);
	}
	EXPECT(rmp.update(kBlock + 5, kShared) == RmpCode::Ok);
	EXPECT(rmp.lookup(kBlock + 6).state() == RmpState::GuestValid);
}

void psmash_codes()
{
	Table rmp;

	EXPECT(rmp.psmash(kBlock + 1) == RmpCode::FailInput);
	EXPECT(rmp.psmash(kBlock + kRunPages) == RmpCode::FailInput);
	EXPECT(rmp.psmash(kBlock) == RmpCode::FailNotEligible);
	REQUIRE(rmp.update(kBlock, private_page(kGpa)) == RmpCode::Ok);
	EXPECT(rmp.psmash(kBlock) == RmpCode::FailNotEligible);
	REQUIRE(rmp.update(kBlock, kShared) == RmpCode::Ok);
	REQUIRE(rmp.update(kBlock, { kGpa, true, RmpSize::k2M, true, kAsid }) == RmpCode::Ok);
	EXPECT(rmp.psmash(kBlock) == RmpCode::FailPermission);

	RmpEntry entry = rmp.lookup(kBlock);

	entry.immutable = false;
	rmp.firmware_set(kBlock, entry, Rmp::Command::PageReclaim);
}

void injected_failures_change_nothing()
{
	Table rmp;

	rmp.inject_update(RmpCode::FailInuse, 2);
	EXPECT(rmp.update(kBlock, private_page(kGpa)) == RmpCode::FailInuse);
	EXPECT(rmp.update(kBlock, private_page(kGpa)) == RmpCode::FailInuse);
	EXPECT(rmp.all_hypervisor(kBlock, kRunPages));
	EXPECT(rmp.update(kBlock, private_page(kGpa, RmpSize::k2M)) == RmpCode::Ok);
	rmp.inject_psmash(RmpCode::FailInuse, 1);
	EXPECT(rmp.psmash(kBlock) == RmpCode::FailInuse);
	EXPECT(rmp.lookup(kBlock).size == RmpSize::k2M);
	EXPECT(rmp.psmash(kBlock) == RmpCode::Ok);
}

} /* namespace */

GMEM_SUITE(rmp, CASE(starts_as_hypervisor), CASE(states_follow_fields),
	   CASE(update_assigns_and_shares), CASE(update_resets_the_rest), CASE(update_input),
	   CASE(update_of_immutable), CASE(huge_reads_as_each_of_its_frames), CASE(overlaps),
	   CASE(psmash_keeps_owner_and_validation), CASE(psmash_codes),
	   CASE(injected_failures_change_nothing));
