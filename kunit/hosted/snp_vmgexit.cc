// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMGEXIT of a guest that knows SNP (guest/vmgexit.cc, guest/events.cc): what KVM and user space
 * are asked, what the guest finds afterwards, and which registers and bytes nobody touches. What
 * the bytes mean is in the suite snp_ghcb.
 *
 * Tests: arch/x86/snp_vcpu.h, guest/vmgexit.cc, guest/events.cc, guest/knowing.cc.
 */
#include "kunit/hosted/exiting.h"

using namespace gmem_test;

namespace
{

/* ---- the MSR ---------------------------------------------------------------------------- */

void answers_of_the_msr()
{
	Exiting guest{ false };

	REQUIRE(guest.ready);
	guest_vcpu().c_bit = 51;
	EXPECT_EQ(guest.request(0x002), 0x0002000133000001u);
	EXPECT_EQ(guest.request(0x010), 0xfffffffffffff011u);
	EXPECT_EQ(guest.request(0x080), 0x3081u);
	/* The fake's EAX to EDX. */
	EXPECT_EQ(guest.request(0x10000000000004), 0x0010000100000005u);
	EXPECT_EQ(guest.request(0x10000040000004), 0x0010000240000005u);
	EXPECT_EQ(guest.request(0x10000080000004), 0x0000000380000005u);
	EXPECT_EQ(guest.request(0x100000c0000004), 0x00100004c0000005u);
	EXPECT_EQ(fake::reports(), 0);
	/* What there is not the guest finds as it was, and the log has it. */
	for (const std::uint64_t msr : { 0x001ull, 0x016ull, 0x7feull, 0x7013ull }) {
		EXPECT_EQ(guest.request(msr), msr);
		EXPECT_EQ(fake::reports(), 1);
	}
	/* No GHCB at all. */
	EXPECT_EQ(guest.request(0), 0u);
}

void the_guest_ends_by_the_msr()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.write_msr(0x21100);
	EXPECT_EQ(guest.vmgexit(), 0);
	guest.expect_behind();
	EXPECT_EQ(guest_vcpu().ended, 0x21100u);
	EXPECT_EQ(guest.msr(), 0x21100u);
}

void vcpus_are_held()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.write_msr(0x006);
	EXPECT_EQ(guest.vmgexit(), kGoOn);
	guest.expect_behind(true);
	EXPECT_EQ(ghcb().held, 1u);
	EXPECT_EQ(guest.msr(), 0x007u);
	/* By the page. User space is told where it has the APICs. */
	guest.prepare(0x80000004);
	ghcb().ret = 0;
	EXPECT_EQ(guest.vmgexit(), 0);
	guest.expect_behind(true);
	guest.expect_answer(0, 0);
	EXPECT_EQ(ghcb().held, 2u);
}

void pages_are_converted_by_the_msr()
{
	constexpr std::uint64_t kFailed = 0x8000000000000015;
	Exiting guest;

	REQUIRE(guest.ready);
	for (const bool is_private : { true, false }) {
		guest.write_msr(0x5014 | (is_private ? 1ull : 2ull) << 52);
		EXPECT_EQ(guest.vmgexit(), 0);
		guest.expect_behind();
		EXPECT_EQ(ghcb().gpa, 0x5000u);
		EXPECT_EQ(ghcb().pages, 1u);
		EXPECT(ghcb().is_private == is_private && !ghcb().huge);
		EXPECT_EQ(guest.user_answers(), kGoOn);
		EXPECT_EQ(guest.msr(), 0x015u);
	}
	/* Refused. */
	guest.write_msr(0x5014 | 1ull << 52);
	EXPECT_EQ(guest.vmgexit(), 0);
	ghcb().converted = 22;
	EXPECT_EQ(guest.user_answers(), kGoOn);
	EXPECT_EQ(guest.msr(), kFailed);
	/* Nothing that there is; nobody who wants to hear of it. */
	const unsigned long exits = ghcb().exits;

	(void)fake::reports();
	EXPECT_EQ(guest.request(0x5014), kFailed);
	ghcb().tells_conversions = false;
	EXPECT_EQ(guest.request(0x5014 | 1ull << 52), kFailed);
	EXPECT_EQ(ghcb().exits, exits);
	EXPECT_EQ(fake::reports(), 2);
}

/* ---- the page --------------------------------------------------------------------------- */

void pages_that_are_none()
{
	Exiting guest{ false };

	REQUIRE(guest.ready);
	/* Private; no memory; the guest goes on. */
	for (const std::uint64_t gpa : { kPrivateGpa, kNowhere, std::uint64_t{ 1 } << 51 }) {
		guest.write_msr(gpa);
		EXPECT_EQ(guest.vmgexit(), kGoOn);
		guest.expect_behind();
		EXPECT_EQ(guest.msr(), gpa);
		EXPECT_EQ(fake::reports(), 1);
	}
	/* Not registered, and another one that is. */
	guest.prepare(0x8000fffd);

	const auto before = guest.page();

	EXPECT_EQ(guest.vmgexit(), -EINVAL);
	guest.expect_behind();
	EXPECT_EQ(guest.request((kGpa + kPageBytes) | 0x012), (kGpa + kPageBytes) | 0x013);
	guest.write_msr(kGpa);
	EXPECT_EQ(guest.vmgexit(), -EINVAL);
	EXPECT(guest.page() == before);
}

/* Not even where the guest has registered it. */
void a_private_page_is_not_looked_at()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.prepare(0x8000fffd);
	fake::set_private(guest.vm.vm, kGhcbGfn, kGhcbGfn + 1, true);

	const auto before = guest.page();
	const unsigned long stock = fake::accesses().stock;

	EXPECT_EQ(guest.vmgexit(), kGoOn);
	EXPECT(guest.page() == before);
	EXPECT_EQ(fake::accesses().stock, stock);
	EXPECT_EQ(fake::reports(), 1);
}

void errors_of_pages()
{
	constexpr struct {
		std::uint64_t code;
		unsigned error;
	} kRows[] = {
		{ 0x6f, 4 }, { 0x72, 4 }, { 0x80000001, 4 }, { 0x80000013, 4 }, { 0x78, 6 },
	};
	Exiting guest;

	REQUIRE(guest.ready);
	for (const auto &row : kRows) {
		guest.prepare(row.code);
		guest.ends(2, row.error);
		EXPECT_EQ(fake::reports(), 1);
	}
	guest.prepare(0x8000fffd);
	guest.page()[0xffc] = 1;
	guest.ends(2, 2);
	(void)fake::reports();
	/* A version is for the log. */
	for (const unsigned version : { 0u, 1u, 2u, 3u }) {
		guest.prepare(0x8000fffd);
		guest.page()[0xffa] = static_cast<std::uint8_t>(version);
		guest.ends(0, 3);
		EXPECT_EQ(fake::reports(), version == 3);
	}
}

void an_answer_leaves_the_rest_of_the_page()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.prepare(0x8000fffd);
	for (unsigned at = 0; at < kPageBytes; at++) {
		if ((at < kCode || at >= kScratch) && (at < 0x3f0 || at >= 0x400) && at < 0xffa)
			guest.page()[at] = 0x77;
	}

	const auto before = guest.page();

	guest.ends(0, 3);
	for (unsigned at = 0; at < kPageBytes; at++) {
		const bool answered = (at >= kInfo1 && at < kScratch) || (at & ~7u) == kRax ||
				      (at >= kRcx && at < kRbx + 8) || (at >= 0x3f0 && at < 0x400);

		EXPECT(answered || guest.page()[at] == before[at]);
	}
	/* Of registers that were not valid nothing is told. */
	EXPECT_EQ(guest.get(kRax), 0u);
}

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

void the_guest_ends_by_the_page()
{
	Exiting guest;

	REQUIRE(guest.ready);
	guest.prepare(0x8000fffe, 0x12);
	EXPECT_EQ(guest.vmgexit(), 0);
	guest.expect_behind();
	EXPECT_EQ(guest_vcpu().ended, kGpa);
	guest.prepare(0x8000ffff, 0x78);
	EXPECT_EQ(guest.vmgexit(), -EINVAL);
	guest.expect_behind();
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
		guest.prepare(code, 0xfee00020, 9);
		guest.set(kScratch, kBuffer);
		guest.ends(2, 5);
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

/* Each vCPU is in the middle of its own. */
void vcpus_do_not_meet()
{
	Exiting guest;

	REQUIRE(guest.ready);
	ghcb().by_user = true;
	guest.prepare(0x80000001, 0xfee00020, 8);
	guest.set(kScratch, kBuffer);
	guest.waits();
	ghcb().by_user = false;
	guest_vcpu().nr = 1;
	/* It has not registered the page. */
	guest.write_msr(kGpa);
	EXPECT_EQ(guest.vmgexit(), -EINVAL);
	EXPECT_EQ(guest.request(kGpa | 0x012), kGpa | 0x013);
	guest_vcpu().nr = 0;
	EXPECT_EQ(guest.msr(), kGpa);
	EXPECT_EQ(guest.user_answers(), kGoOn);
	EXPECT_EQ(guest.get(0x800), 0x5a5a5a5a5a5a5a5au);
}

/* ---- which guests ----------------------------------------------------------------------- */

void the_parameter_says_whose_guest_knows()
{
	const Setting setting;

	guest_vcpu() = {};
	fake::set_snp_guests(KAPI_SNP_GUESTS_AWARE);
	{
		SnpVm vm;
		struct kvm_vcpu vcpu {};

		vcpu.kvm = vm.vm;
		EXPECT_EQ(vm.init(), 0);
		EXPECT(gmem::Knowing{ &vcpu }.knows());
		/* No other feature comes with it. */
		SnpVm other;

		EXPECT_EQ(other.init(3), -EINVAL);
		EXPECT_EQ(other.init(1), 0);
	}
	/* Where none can, none is made that should. */
	guest_vcpu().can_know = false;

	SnpVm vm;

	EXPECT_EQ(vm.init(), -EINVAL);
	fake::set_snp_guests(KAPI_SNP_GUESTS_ASKED);
	EXPECT_EQ(vm.init(), 0);
}

} /* namespace */

GMEM_SUITE(snp_vmgexit, CASE(answers_of_the_msr), CASE(the_guest_ends_by_the_msr),
	   CASE(vcpus_are_held), CASE(pages_are_converted_by_the_msr), CASE(pages_that_are_none),
	   CASE(a_private_page_is_not_looked_at), CASE(errors_of_pages),
	   CASE(an_answer_leaves_the_rest_of_the_page), CASE(events_that_end_at_once),
	   CASE(the_guest_ends_by_the_page), CASE(kvm_sees_the_ghcbs_registers),
	   CASE(user_space_has_a_part_in_it), CASE(users_make_no_hypercalls), CASE(ports),
	   CASE(strings), CASE(devices_in_memory), CASE(page_state_changes),
	   CASE(an_answer_that_has_no_place), CASE(vcpus_do_not_meet),
	   CASE(the_parameter_says_whose_guest_knows));
