// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SNP firmware's model: a launch from its context to its end, the checks of
 * SNP_LAUNCH_UPDATE in their order, and reclaiming.
 *
 * Tests: arch/x86/snp_model.cc.
 */
#include "arch/x86/snp_model.h"

#include <algorithm>

#include "kunit/suite.h"
#include "kunit/suites/patterns.h"

namespace
{

using namespace gmem;
using namespace gmem::test;

constexpr Pfn kBlock{ 0x40000 };
constexpr Pfn kGctx = kBlock + 511, kPage = kBlock + 1;
constexpr std::uint32_t kAsid = 5;
constexpr std::uint64_t kGpa = 0xfffff000;

/* A machine with a guest in LAUNCH and one page in PRE_GUEST. */
class Machine {
    public:
	Machine()
	{
		good_ = rmp.cover(kBlock, kRunPages).ok() &&
			rmp.update(kGctx, { 0, true, RmpSize::k4K, true, 0 }) == RmpCode::Ok &&
			firmware.gctx_create(guest, kGctx) == SnpStatus::Success &&
			firmware.launch_start(guest) == SnpStatus::Success &&
			firmware.activate(guest, kAsid) == SnpStatus::Success && give(kPage, kGpa);
	}
	~Machine()
	{
		firmware.set_initialized(true);
		(void)firmware.decommission(guest);
		for (unsigned i = 0; i < kRunPages; i++) {
			(void)firmware.page_reclaim(kBlock + i, RmpSize::k4K);
			(void)rmp.update(kBlock + i, {});
		}
		if (!rmp.all_hypervisor(kBlock, kRunPages))
			gmem_case_failed(__FILE__, __LINE__, "a frame was not given back");
	}

	bool good() const { return good_; }
	bool give(Pfn pfn, std::uint64_t gpa, std::uint32_t asid = kAsid)
	{
		return rmp.update(pfn, { gpa, true, RmpSize::k4K, true, asid }) == RmpCode::Ok;
	}
	SnpLaunchUpdate normal() { return { .page = kPage, .type = 1, .data = bytes }; }
	/* Whether a failed update left page and digest alone. */
	bool untouched()
	{
		return rmp.lookup(kPage).state() == RmpState::PreGuest &&
		       guest.digest.value() == Sha384Digest{};
	}

	Rmp rmp;
	SnpFirmware firmware{ rmp };
	SnpGuest guest;
	PageBytes bytes = kPageI;

    private:
	bool good_;
};

void update_validates_and_measures()
{
	Machine m;

	REQUIRE(m.good());
	SnpLaunchUpdate update = m.normal();

	update.perms = { 1, 3, 15 };
	EXPECT(m.firmware.launch_update(m.guest, update) == SnpStatus::Success);
	const RmpEntry entry = m.rmp.lookup(kPage);

	EXPECT(entry.state() == RmpState::GuestValid);
	EXPECT(!entry.vmsa);
	EXPECT(entry.perms == update.perms);
	EXPECT(starts_with(m.guest.digest.value(), "79d7e453f7b5"));
	EXPECT(m.bytes == kPageI);
	/* Populated is populated. */
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::InvalidPageState);
}

void gpa_comes_from_the_rmp()
{
	Machine m;
	PageBytes bytes = kPageW;

	REQUIRE(m.good() && m.give(kPage + 1, 0xffffe000));
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::Success);
	EXPECT(m.firmware.launch_update(m.guest, { .page = kPage + 1, .type = 1, .data = bytes }) ==
	       SnpStatus::Success);
	EXPECT(starts_with(m.guest.digest.value(), "b2ccdd077642"));
}

/* Everything is wrong at first. After each status its cause is put right, in order. */
void update_checks_in_order()
{
	Machine m;

	REQUIRE(m.good());
	SnpGuest stray;
	SnpGuest *guest = &stray;
	SnpLaunchUpdate update{ .reserved = 1,
				.page = kPage + 1,
				.size = RmpSize::k2M,
				.type = 2,
				.imi = true,
				.data = m.bytes };
	const auto expect = [&](SnpStatus status) {
		return m.firmware.launch_update(*guest, update) == status;
	};

	stray.gctx = kPage;
	m.firmware.set_initialized(false);
	EXPECT(expect(SnpStatus::InvalidParam));
	update.reserved = 0;
	EXPECT(expect(SnpStatus::InvalidPlatformState));
	m.firmware.set_initialized(true);
	EXPECT(expect(SnpStatus::InvalidGuest));
	stray.gctx = kGctx;
	EXPECT(expect(SnpStatus::InvalidPageState));
	update.page = kPage;
	EXPECT(expect(SnpStatus::InvalidPageSize));
	update.size = RmpSize::k4K;
	update.type = 7;
	EXPECT(expect(SnpStatus::InvalidParam));
	update.type = 0;
	EXPECT(expect(SnpStatus::InvalidParam));
	update.type = 1;
	EXPECT(expect(SnpStatus::InvalidGuestState));
	stray.state = SnpGuest::State::Launch;
	EXPECT(expect(SnpStatus::Inactive));
	stray.asid = kAsid + 1;
	EXPECT(expect(SnpStatus::InvalidPageOwner));
	guest = &m.guest;
	EXPECT(expect(SnpStatus::InvalidParam));
	EXPECT(m.untouched());
	update.imi = false;
	EXPECT(expect(SnpStatus::Success));
}

void huge_update_is_512_pages()
{
	static constexpr unsigned kWhole = kRunPages * kPageSize;
	Machine m;
	const Pfn block = kBlock + kRunPages;
	auto *const data = static_cast<std::uint8_t *>(kapi_alloc(kWhole));
	Result<SnpDigest> expected = SnpDigest::create();

	REQUIRE(m.good() && data && expected.ok() && m.rmp.cover(block, kRunPages).ok());
	REQUIRE(m.rmp.update(block, { 0x80000000, true, RmpSize::k2M, true, kAsid }) ==
		RmpCode::Ok);
	for (unsigned i = 0; i < kRunPages; i++)
		EXPECT(expected.value()
			       .add_page(SnpPageType::Normal, 0x80000000 + i * kPageSize, kPage0)
			       .ok());

	SnpLaunchUpdate update{
		.page = block, .size = RmpSize::k2M, .type = 5, .data = { data, kWhole }
	};

	/* Secrets, CPUID tables and VMSAs are single pages. */
	for (const std::uint8_t type : { 2, 5, 6 }) {
		update.type = type;
		EXPECT(m.firmware.launch_update(m.guest, update) == SnpStatus::InvalidPageSize);
	}
	update.type = 1;
	EXPECT(m.firmware.launch_update(m.guest, update) == SnpStatus::Success);
	EXPECT(m.guest.digest.value() == expected.value().value());
	EXPECT(m.rmp.lookup(block + 300).state() == RmpState::GuestValid);
	EXPECT(m.rmp.update(block, { .size = RmpSize::k2M }) == RmpCode::Ok);
	kapi_free(data);
}

void types_have_their_effects()
{
	Machine m;

	REQUIRE(m.good());
	SnpLaunchUpdate update = m.normal();
	unsigned next = 2;
	const auto run = [&](std::uint8_t type, const PageBytes &content) {
		m.bytes = content;
		update.type = type;
		update.page = kBlock + next++;
		return m.give(update.page, kGpa) &&
		       m.firmware.launch_update(m.guest, update) == SnpStatus::Success;
	};

	EXPECT(run(3, kPageAA) && m.bytes == kPage0);
	EXPECT(run(4, kPageAA) && m.bytes == kPageAA);
	EXPECT(run(5, kPageAA) && m.bytes[0] == 3 && m.bytes[1] == 0 && m.bytes[4095] == 0);
	for (unsigned i = 0; i < 4; i++) {
		const SnpKey &key = m.guest.messages.keys[i];

		EXPECT(std::equal(key.begin(), key.end(), m.bytes.begin() + 0x20 + 0x20 * i));
	}
	EXPECT(std::all_of(m.bytes.begin() + 0xa0, m.bytes.end(),
			   [](std::uint8_t byte) { return byte == 0; }));
	EXPECT(run(2, kPageAA) && m.rmp.lookup(update.page).vmsa);
	EXPECT(run(6, kPage0) && !m.rmp.lookup(update.page).vmsa);
}

void bad_cpuid_table_comes_back_corrected()
{
	Machine m;

	REQUIRE(m.good());
	SnpLaunchUpdate update = m.normal();

	update.type = 6;
	m.bytes = kPage0;
	m.bytes[0] = 65; /* one more entry than there may be */
	m.bytes[9] = 1; /* reserved in the header */
	m.bytes[16 + 40] = 1; /* reserved in the first entry */
	m.bytes[16 + 24] = 0x55; /* a register's value */
	EXPECT(m.firmware.launch_update(m.guest, update) == SnpStatus::InvalidParam);
	EXPECT(m.untouched());
	EXPECT_EQ(m.bytes[0], 64);
	EXPECT_EQ(m.bytes[9], 0);
	EXPECT_EQ(m.bytes[16 + 40], 0);
	EXPECT_EQ(m.bytes[16 + 24], 0x55);
	EXPECT(m.firmware.launch_update(m.guest, update) == SnpStatus::Success);
}

void commands_need_a_platform_and_a_guest()
{
	Machine m;
	SnpGuest none;
	const Pfn page = kBlock + 20;

	REQUIRE(m.good());
	none.gctx = page;
	EXPECT(m.firmware.launch_start(none) == SnpStatus::InvalidGuest);
	EXPECT(m.firmware.activate(none, kAsid) == SnpStatus::InvalidGuest);
	EXPECT(m.firmware.launch_finish(none) == SnpStatus::InvalidGuest);
	m.firmware.set_initialized(false);
	EXPECT(m.firmware.gctx_create(none, page) == SnpStatus::InvalidPlatformState);
	EXPECT(m.firmware.launch_start(none) == SnpStatus::InvalidPlatformState);
	EXPECT(m.firmware.activate(none, kAsid) == SnpStatus::InvalidPlatformState);
	EXPECT(m.firmware.launch_finish(none) == SnpStatus::InvalidPlatformState);
	m.firmware.set_initialized(true);
	/* A context is a page of the firmware's, and small. */
	EXPECT(m.firmware.gctx_create(none, page) == SnpStatus::InvalidPageState);
	const Pfn block = kBlock + kRunPages;

	REQUIRE(m.rmp.cover(block, kRunPages).ok());
	REQUIRE(m.rmp.update(block, { 0, true, RmpSize::k2M, true, 0 }) == RmpCode::Ok);
	EXPECT(m.firmware.gctx_create(none, block) == SnpStatus::InvalidPageSize);
	EXPECT(m.firmware.page_reclaim(block, RmpSize::k2M) == SnpStatus::Success);
	EXPECT(m.rmp.update(block, { .size = RmpSize::k2M }) == RmpCode::Ok);
	/* Of a 2 MiB entry, its first page. */
	REQUIRE(m.rmp.update(block, { 0x80000000, true, RmpSize::k2M, true, kAsid }) ==
		RmpCode::Ok);
	EXPECT(m.firmware.launch_update(
		       m.guest,
		       { .page = block + 1, .size = RmpSize::k2M, .type = 1, .data = m.bytes }) ==
	       SnpStatus::InvalidAddress);
	EXPECT(m.firmware.page_reclaim(block, RmpSize::k2M) == SnpStatus::Success);
	EXPECT(m.rmp.update(block, { .size = RmpSize::k2M }) == RmpCode::Ok);
}

void nothing_after_finish()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.firmware.launch_start(m.guest) == SnpStatus::InvalidGuestState);
	EXPECT(m.firmware.launch_finish(m.guest) == SnpStatus::Success);
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::InvalidGuestState);
	EXPECT(m.firmware.launch_finish(m.guest) == SnpStatus::InvalidGuestState);
	EXPECT(m.untouched());
}

void context_rules()
{
	Machine m;
	SnpGuest other;

	REQUIRE(m.good());
	EXPECT(m.firmware.gctx_create(other, kPage) == SnpStatus::InvalidPageState);
	EXPECT(m.firmware.gctx_create(other, kGctx) == SnpStatus::InvalidPageState);
	EXPECT(m.firmware.activate(m.guest, kAsid + 1) == SnpStatus::AsidOwned);
	EXPECT(m.firmware.activate(m.guest, 0) == SnpStatus::InvalidAsid);
	EXPECT(m.firmware.activate(m.guest, 0x3ff) == SnpStatus::InvalidAsid);
	EXPECT(m.firmware.decommission(m.guest) == SnpStatus::Success);
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::InvalidGuest);
	EXPECT(m.firmware.decommission(m.guest) == SnpStatus::InvalidGuest);
}

void reclaim()
{
	Machine m;

	REQUIRE(m.good());
	EXPECT(m.firmware.page_reclaim(kPage, RmpSize::k2M) == SnpStatus::InvalidPageSize);
	EXPECT(m.firmware.page_reclaim(kGctx, RmpSize::k4K) == SnpStatus::InvalidPageState);
	EXPECT(m.firmware.page_reclaim(kPage, RmpSize::k4K) == SnpStatus::Success);
	EXPECT(m.rmp.lookup(kPage).state() == RmpState::GuestInvalid);
	/* Again, and of a page that never was: nothing to do. */
	EXPECT(m.firmware.page_reclaim(kPage, RmpSize::k4K) == SnpStatus::Success);
	EXPECT(m.firmware.page_reclaim(kPage + 1, RmpSize::k4K) == SnpStatus::Success);
}

void injected_failures_change_nothing()
{
	Machine m;

	REQUIRE(m.good());
	m.firmware.inject_launch_update(SnpStatus::HardwareError, 1);
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::HardwareError);
	EXPECT(m.untouched());
	m.firmware.inject_page_reclaim(SnpStatus::InvalidPlatformState, 1);
	EXPECT(m.firmware.page_reclaim(kPage, RmpSize::k4K) == SnpStatus::InvalidPlatformState);
	EXPECT(m.untouched());
	EXPECT(m.firmware.launch_update(m.guest, m.normal()) == SnpStatus::Success);
}

} /* namespace */

GMEM_SUITE(snp_model, CASE(update_validates_and_measures), CASE(gpa_comes_from_the_rmp),
	   CASE(update_checks_in_order), CASE(huge_update_is_512_pages),
	   CASE(types_have_their_effects), CASE(bad_cpuid_table_comes_back_corrected),
	   CASE(commands_need_a_platform_and_a_guest), CASE(nothing_after_finish),
	   CASE(context_rules), CASE(reclaim), CASE(injected_failures_change_nothing));
