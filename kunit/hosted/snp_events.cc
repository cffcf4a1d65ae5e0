// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a guest that knows SNP (guest/events.cc): what ends at once, what KVM does of them,
 * ports and devices in memory, and page state changes; each with user space having a part in it
 * or none. What comes before an event is looked at is in the suite snp_vmgexit.
 *
 * Tests: guest/events.cc.
 */
#include "kunit/hosted/exiting.h"

using namespace gmem_test;

namespace
{

void events_that_end_at_once()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const std::uint64_t code : { 0x76ull, 0x89ull, 0x8aull, 0x8bull, 0x80000003ull }) {
		guest.prepare(code);
		guest.set(kRax, 5);
		guest.set(kRcx, 6);
		guest.set(kRdx, 7);
		guest.ends(0, 0);
		EXPECT_EQ(guest.get(kRax), 5u);
	}
	guest.prepare(0x72);
	guest.set(kRax, 0x100);
	guest.set(kRcx, 0x20);
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(kRax), 0x101u);
	EXPECT_EQ(guest.get(kRbx), 0x102u);
	EXPECT_EQ(guest.get(kRcx), 0x23u);
	EXPECT_EQ(guest.get(kRdx), 0x104u);
	ghcb().msrs = { { 0x10, 0x1234567890abcdef }, { 0xc0000103, 0x55 } };
	guest.prepare(0x6e);
	guest.set(kRcx, 9);
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(kRax), 0x90abcdefu);
	EXPECT_EQ(guest.get(kRdx), 0x12345678u);
	EXPECT_EQ(guest.get(kRcx), 9u);
	guest.prepare(0x87);
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(kRcx), 0x55u);
	guest.prepare(0x27);
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(kRax), 0x400u);
	guest.prepare(0x37);
	guest.set(kRax, 0x455);
	guest.ends(0, 0);
	EXPECT_EQ(ghcb().dr7, 0x455u);
	ghcb().takes_dr7 = false;
	guest.prepare(0x37);
	guest.set(kRax, 1ull << 40);
	guest.ends(1, kInjectGp);
	/* An address is kept for all vCPUs. */
	guest.prepare(0x80000005, 1);
	guest.ends(0, 0);
	guest.prepare(0x80000005, 0, 0x1f36c000);
	guest.ends(0, 0);
	guest.prepare(0x80000005, 1, 9);
	guest.ends(0, 0x1f36c000);
	guest.prepare(0x80000005, 2, 9);
	guest.ends(2, 5);
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(fake::reports(), 0);
}

/* ---- by KVM ----------------------------------------------------------------------------- */

struct Asked {
	std::uint64_t code, info_1;
	fake::Emulated what;
};

constexpr Asked kAsked[] = {
	{ 0x7c, 0, fake::Emulated::Rdmsr },
	{ 0x7c, 1, fake::Emulated::Wrmsr },
	{ 0x81, 0, fake::Emulated::Hypercall },
	{ 0x6f, 0, fake::Emulated::Rdpmc },
};

void prepare_asked(Exiting &guest, const Asked &row)
{
	guest.prepare(row.code, row.info_1);
	guest.set(kRax, 0x101);
	guest.set(kRbx, 0x102);
	guest.set(kRcx, 0x103);
	guest.set(kRdx, 0x104);
	guest.set(kRsi, 0x105);
	guest.set(kCpl, 0);
	ghcb().emulates = true;
	ghcb().answer = { 0x201, 0x202, 0x203, 0x204, 0x205 };
}

void expect_asked(const Asked &row)
{
	EXPECT(ghcb().emulated == row.what);
	EXPECT_EQ(ghcb().seen.rax, 0x101u);
	EXPECT_EQ(ghcb().seen.rbx, 0x102u);
	EXPECT_EQ(ghcb().seen.rcx, 0x103u);
	EXPECT_EQ(ghcb().seen.rdx, 0x104u);
	EXPECT_EQ(ghcb().seen.rsi, 0x105u);
}

void kvm_sees_the_ghcbs_registers()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const Asked &row : kAsked) {
		prepare_asked(guest, row);
		guest.ends(0, 0, true);
		expect_asked(row);
		EXPECT_EQ(guest.get(kRax), 0x201u);
		EXPECT_EQ(guest.get(kRbx), 0x202u);
		EXPECT_EQ(guest.get(kRcx), 0x203u);
		EXPECT_EQ(guest.get(kRdx), 0x204u);
		/* Faults are for the guest's own handler to raise. */
		for (const int vector : { 13, 6 }) {
			prepare_asked(guest, row);
			ghcb().fault = vector;
			guest.ends(1, 0x80000300u + static_cast<unsigned>(vector));
		}
		/* What KVM_RUN has to say. */
		prepare_asked(guest, row);
		ghcb().ret = -EIO;
		EXPECT_EQ(guest.vmgexit(), -EIO);
		Exiting::expect_registers();
		ghcb().ret = 0;
		prepare_asked(guest, row);
		EXPECT_EQ(guest.vmgexit(), 0);
		guest.expect_answer(0, 0);
		ghcb().ret = kGoOn;
	}
}

void user_space_has_a_part_in_it()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const Asked &row : kAsked) {
		prepare_asked(guest, row);
		ghcb().by_user = true;
		guest.waits();
		expect_asked(row);
		EXPECT_EQ(guest.user_answers(), kGoOn);
		guest.expect_answer(0, 0);
		EXPECT_EQ(guest.get(kRax), 0x201u);
		EXPECT_EQ(guest_vcpu().retired, 0u);
		/* It says that there is no such thing. */
		prepare_asked(guest, row);
		guest.waits();
		ghcb().fault = 13;
		EXPECT_EQ(guest.user_answers(), kGoOn);
		guest.expect_answer(1, kInjectGp);
		EXPECT_EQ(guest_vcpu().retired, 1u);
		EXPECT_EQ(guest_vcpu().registers.rip, kRip + 4);
		/* It never answers, and the vCPU is elsewhere when it comes back. */
		prepare_asked(guest, row);
		guest.waits();
		ghcb().awaits = false;
		EXPECT_EQ(guest.request(0x080), 0x3081u);
		EXPECT_EQ(gmem_kvm_vmgexit_answered(&guest.vcpu), kGoOn);
		ghcb().by_user = false;
	}
}

void users_make_no_hypercalls()
{
	Exiting guest;

	REQUIRE(guest.ready);
	prepare_asked(guest, kAsked[2]);
	guest.set(kCpl, 3);
	guest.ends(0, 0);
	EXPECT(ghcb().emulated == fake::Emulated::None);
	EXPECT_EQ(guest.get(kRax), ~0ull);
}

/* ---- I/O -------------------------------------------------------------------------------- */

std::uint64_t io(unsigned size, bool in, bool string)
{
	return 0xf60000 | size << 4 | (in ? 1 : 0) | (string ? 4 : 0);
}

void ports()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const bool by_user : { false, true }) {
		for (const unsigned size : { 1u, 2u, 4u }) {
			const std::uint64_t mask = (1ull << 8 * size) - 1;

			ghcb().by_user = by_user;
			guest.prepare(0x7b, io(size, false, false));
			guest.set(kRax, 0x8877665544332211);
			EXPECT_EQ(guest.vmgexit(), by_user ? 0 : kGoOn);
			guest.expect_behind();
			EXPECT_EQ(ghcb().port, 0xf6u);
			EXPECT_EQ(ghcb().size, size);
			EXPECT_EQ(ghcb().count, 1u);
			EXPECT(!ghcb().in);
			EXPECT_EQ(ghcb().data, 0x8877665544332211 & mask);
			if (by_user) {
				EXPECT_EQ(guest.user_answers(), kGoOn);
			}
			guest.expect_answer(0, 0);
			/* Of an input the processor keeps what is above 16 bits. */
			guest.prepare(0x7b, io(size, true, false));
			guest.set(kRax, 0x8877665544332211);
			EXPECT_EQ(guest.vmgexit(), by_user ? 0 : kGoOn);
			if (by_user) {
				EXPECT_EQ(guest.user_answers(), kGoOn);
			}
			guest.expect_answer(0, 0);
			EXPECT_EQ(guest.get(kRax), (size == 4 ? 0 : 0x8877665544332211 & ~mask) |
							   (0x5a5a5a5a5a5a5a5a & mask));
		}
	}
	ghcb().by_user = false;
	for (const unsigned size : { 3u, 5u, 6u, 7u }) {
		guest.prepare(0x7b, io(size, true, false));
		guest.ends(2, 5);
	}
	ghcb().size = 77;
	guest.prepare(0x7b, io(0, true, false));
	guest.ends(0, 0);
	EXPECT_EQ(ghcb().size, 77u);
}

void strings()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const bool by_user : { false, true }) {
		ghcb().by_user = by_user;
		guest.prepare(0x7b, io(2, true, true), 4);
		guest.set(kScratch, kBuffer + 8);
		EXPECT_EQ(guest.vmgexit(), by_user ? 0 : kGoOn);
		EXPECT_EQ(ghcb().count, 4u);
		if (by_user) {
			/* Meanwhile others write where they like. */
			guest.page().fill(0xff);
			EXPECT_EQ(guest.user_answers(), kGoOn);
			EXPECT_EQ(guest.get(kScratch), ~0ull);
		}
		guest.expect_answer(0, 0);
		EXPECT_EQ(guest.get(0x808), 0x5a5a5a5a5a5a5a5au);
		EXPECT_EQ(guest.page()[0x807], by_user ? 0xff : 0);
		EXPECT_EQ(guest.page()[0x810], by_user ? 0xff : 0);
	}
	ghcb().by_user = false;
	guest.prepare(0x7b, io(4, false, true), 2);
	guest.set(kScratch, kBuffer);
	guest.set(kRax, 7);
	guest.page()[0x800] = 0x12;
	guest.ends(0, 0);
	EXPECT_EQ(ghcb().data, 0x12u);
	EXPECT_EQ(guest.get(kRax), 7u);

	constexpr struct {
		std::uint64_t count, at;
	} kOutside[] = {
		{ 0x7f1, kBuffer }, { 2, kBuffer + 0x7ef },  { 1, kGpa },	 { 1, 0 },
		{ ~0ull, kBuffer }, { 1ull << 32, kBuffer }, { 1, kBuffer - 1 }, { 1, kPrivateGpa },
	};

	for (const auto &row : kOutside) {
		guest.prepare(0x7b, io(1, true, true), row.count);
		guest.set(kScratch, row.at);
		guest.ends(2, 3);
	}
	guest.prepare(0x7b, io(1, true, true), 0x7f0);
	guest.set(kScratch, kBuffer);
	guest.ends(0, 0);
	EXPECT_EQ(guest.page()[0xfef], 0x5a);
	EXPECT_EQ(guest.page()[0xff0], 0);
	guest.prepare(0x7b, io(1, true, true), 0);
	guest.set(kScratch, kBuffer);
	guest.ends(0, 0);
}

void devices_in_memory()
{
	Exiting guest;

	REQUIRE(guest.ready);
	for (const bool by_user : { false, true }) {
		ghcb().by_user = by_user;
		guest.prepare(0x80000001, 0xfee00020, 4);
		guest.set(kScratch, kBuffer);
		EXPECT_EQ(guest.vmgexit(), by_user ? 0 : kGoOn);
		guest.expect_behind();
		EXPECT_EQ(ghcb().gpa, 0xfee00020u);
		EXPECT_EQ(ghcb().size, 4u);
		EXPECT(!ghcb().write);
		if (by_user) {
			EXPECT_EQ(guest.user_answers(), kGoOn);
		}
		guest.expect_answer(0, 0);
		EXPECT_EQ(guest.get(0x800), 0x5a5a5a5au);
		guest.prepare(0x80000002, 0xfee00080, 8);
		guest.set(kScratch, kBuffer + 0x7e8);
		guest.page()[0xfe8] = 0x34;
		EXPECT_EQ(guest.vmgexit(), by_user ? 0 : kGoOn);
		EXPECT(ghcb().write);
		EXPECT_EQ(ghcb().data, 0x34u);
		if (by_user) {
			EXPECT_EQ(guest.user_answers(), kGoOn);
		}
		guest.expect_answer(0, 0);
	}
	ghcb().by_user = false;
	for (const std::uint64_t code : { 0x80000001ull, 0x80000002ull }) {
		for (const std::uint64_t size : { 3, 5, 6, 7, 9, 16 }) {
			guest.prepare(code, 0xfee00020, size);
			guest.set(kScratch, kBuffer);
			guest.ends(2, 5);
		}
		guest.prepare(code, 0xfee00020, 8);
		guest.set(kScratch, kBuffer + 0x7e9);
		guest.ends(2, 3);
		ghcb().gpa = 0;
		guest.prepare(code, 0xfee00020, 0);
		guest.set(kScratch, kBuffer);
		guest.ends(0, 0);
		EXPECT_EQ(ghcb().gpa, 0u);
	}
}

/* ---- page state changes ----------------------------------------------------------------- */

void page_state_changes()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.prepare_psc({ 0x0010000000005000, 0x0010000000006000, 0x0020000000009000 });
	guest.waits();
	guest.expect_behind();
	EXPECT_EQ(ghcb().gpa, 0x5000u);
	EXPECT_EQ(ghcb().pages, 2u);
	EXPECT(ghcb().is_private && !ghcb().huge);
	/* What is asked is what was asked, whoever writes to the page. */
	guest.page().fill(0xff);
	EXPECT_EQ(guest.user_answers(), 0);
	EXPECT_EQ(ghcb().gpa, 0x9000u);
	EXPECT(!ghcb().is_private);
	EXPECT_EQ(guest.user_answers(), kGoOn);
	guest.expect_answer(0, 0);
	EXPECT_EQ(guest.get(0x800), 2ull << 16 | 3);
	EXPECT_EQ(guest.get(0x810), 0x0010000000006001u);
	EXPECT_EQ(guest.get(0x818), 0x0020000000009001u);
	EXPECT_EQ(guest.get(0x820), ~0ull);
	EXPECT_EQ(guest_vcpu().retired, 1u);

	/* It is refused in the middle, and goes on there. */
	guest.prepare_psc({ 0x0010000000005000, 0x0110000000200000 });
	guest.waits();
	EXPECT_EQ(guest.user_answers(), 0);
	EXPECT_EQ(ghcb().pages, 512u);
	EXPECT(ghcb().huge);
	ghcb().converted = 1;
	EXPECT_EQ(guest.user_answers(), kGoOn);
	guest.expect_answer(0, 0x10000000000);
	EXPECT_EQ(guest.get(0x800), 1ull << 16 | 1);
	EXPECT_EQ(guest.get(0x810), 0x0110000000200000u);
	EXPECT_EQ(fake::reports(), 1);
	ghcb().converted = 0;
	guest.set(kCode, 0x80000010);
	guest.set(kInfo1, 0);
	guest.set(kInfo2, 0);
	guest.set(kScratch, kBuffer);
	guest.waits();
	EXPECT_EQ(ghcb().gpa, 0x200000u);
	EXPECT_EQ(guest.user_answers(), kGoOn);
	guest.expect_answer(0, 0);

	/* Nobody wants to hear of it; it is wrong. */
	ghcb().tells_conversions = false;
	guest.prepare_psc({ 0x0010000000005000 });
	guest.ends(0, 0x10000000000);
	ghcb().tells_conversions = true;
	guest.prepare_psc({ 0x0110000000201000 });
	guest.ends(0, 0x100000002);
	guest.prepare_psc({ 0 });
	guest.page()[0x802] = 253;
	guest.ends(0, 0x100000001);
	guest.prepare_psc({ 0x0010000000005000 });
	guest.set(kScratch, kBuffer + 0x7ec);
	guest.ends(2, 3);
}

void an_answer_that_has_no_place()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.prepare_psc({ 0x0010000000005000 });
	guest.waits();
	guest.vm.drop_memory();
	EXPECT_EQ(guest.user_answers(), -EFAULT);
}

} /* namespace */

GMEM_SUITE(snp_events, CASE(events_that_end_at_once), CASE(kvm_sees_the_ghcbs_registers),
	   CASE(user_space_has_a_part_in_it), CASE(users_make_no_hypercalls), CASE(ports),
	   CASE(strings), CASE(devices_in_memory), CASE(page_state_changes),
	   CASE(an_answer_that_has_no_place));
