// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMGEXIT of a guest that knows SNP (guest/vmgexit.cc): requests in the MSR, which pages are
 * taken for a GHCB, what the guest finds afterwards, and which registers and bytes nobody touches.
 * What becomes of events is in the suite snp_events, what the bytes mean in snp_ghcb.
 *
 * Tests: arch/x86/snp_vcpu.h, guest/vmgexit.cc, guest/knowing.cc.
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
	   CASE(an_answer_leaves_the_rest_of_the_page), CASE(the_guest_ends_by_the_page),
	   CASE(vcpus_do_not_meet), CASE(the_parameter_says_whose_guest_knows));
