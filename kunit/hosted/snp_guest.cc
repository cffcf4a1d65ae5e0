// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that know that they are SNP's (guest/entries.cc): which VMs have them, what becomes of
 * their pages, blocks and conversions, and that every other vCPU is KVM's own.
 *
 * Tests: guest/entries.cc, guest/private_page.h, mmu/accesses.cc, mmu/memslot.cc.
 */
#include "kapi/guest.h"

#include <initializer_list>

#include "kapi/accesses.h"
#include "kapi/misdeeds.h"
#include "kunit/fakes/accesses.h"
#include "kunit/fakes/guest.h"
#include "kunit/fakes/vc.h"
#include "kunit/hosted/snp_vm.h"

using namespace gmem_test;
using fake::guest_vcpu;

namespace
{

constexpr std::uint64_t kSnpActive = 1;
constexpr std::uint64_t kPageBytes = 4096;
/* Where the guest's code is; where no memslot is, and where none can be. */
constexpr std::uint64_t kCode = 600 * kPageBytes, kNowhere = 5000 * kPageBytes,
			kBeyond = 1ull << 45;
constexpr std::uint64_t kCarry = 1, kFlags = 0x202;
constexpr int kGoOn = 1;

using Code = std::initializer_list<std::uint8_t>;
constexpr Code kPvalidate{ 0xf2, 0x0f, 0x01, 0xff }, kRmpadjust{ 0xf3, 0x0f, 0x01, 0xfe };
constexpr Code kVmgexit{ 0xf3, 0x0f, 0x01, 0xd9 }, kVmmcall{ 0x0f, 0x01, 0xd9, 0x90 };
constexpr Code kUd2{ 0x0f, 0x0b, 0x90, 0x90 };

/* A launched VM without page tables, whose one vCPU is fake::guest_vcpu(). */
class SnpGuest {
    public:
	explicit SnpGuest(std::uint64_t features = kSnpActive)
	{
		guest_vcpu() = {};
		fake::vc_vcpu() = {};
		fake::accesses().paging = {};
		ready = vm.init(features) == 0 && vm.start() == 0 && vm.add_memory() &&
			vm.finish() == 0;
		vcpu.kvm = vm.vm;
	}

	/* The instruction at @at is one of @bytes. */
	void put(Code bytes, std::uint64_t at = kCode)
	{
		for (const std::uint8_t byte : bytes) {
			EXPECT_EQ(gmem_kvm_write_page(fake::slot_at(vm.vm, at / kPageBytes),
						      at / kPageBytes, byte, at % kPageBytes),
				  0);
			at++;
		}
	}
	/* The exit that it makes, with its operands. */
	int undefined(Code bytes, std::uint64_t rax, std::uint64_t rcx, std::uint64_t rdx)
	{
		put(bytes);
		set(kCode, rax, rcx, rdx);
		return gmem_kvm_undefined(&vcpu);
	}
	/* At @at, in 64-bit code. */
	static void set(std::uint64_t at, std::uint64_t rax, std::uint64_t rcx, std::uint64_t rdx)
	{
		guest_vcpu().registers = { .rax = rax,
					   .rcx = rcx,
					   .rdx = rdx,
					   .rip = at,
					   .rflags = kFlags,
					   .code = at,
					   .cpl = 0,
					   .wide = true };
	}
	/* It must come to an end, with EAX; at the second try, where a block was to be split. */
	std::uint64_t ends(Code bytes, std::uint64_t rax, std::uint64_t rcx, std::uint64_t rdx)
	{
		const unsigned long before = guest_vcpu().retired;

		EXPECT_EQ(undefined(bytes, rax, rcx, rdx), kGoOn);
		if (guest_vcpu().retired == before) {
			EXPECT_EQ(undefined(bytes, rax, rcx, rdx), kGoOn);
		}
		EXPECT_EQ(guest_vcpu().retired, before + 1);
		EXPECT_EQ(guest_vcpu().registers.rip, kCode + bytes.size());
		return guest_vcpu().registers.rax;
	}
	static bool carry() { return guest_vcpu().registers.rflags & kCarry; }
	int hypercall(Code bytes)
	{
		put(bytes);
		guest_vcpu().registers.rip = guest_vcpu().registers.code = kCode;
		guest_vcpu().registers.wide = true;
		return gmem_kvm_hypercall(&vcpu);
	}
	int write_msr(std::uint64_t value)
	{
		guest_vcpu().registers.rax = value & 0xffffffff;
		guest_vcpu().registers.rdx = value >> 32;
		return gmem_kvm_wrmsr(&vcpu);
	}
	std::uint64_t sev_status()
	{
		msr_data msr{ ~0ull };

		EXPECT_EQ(gmem_kvm_sev_status(&vcpu, &msr), 0);
		return msr.data;
	}
	gmem::RmpEntry entry(std::uint64_t gpa)
	{
		unsigned order;
		struct page *const page = vm.vm->tables.lookup(gpa / kPageBytes, &order);

		return gmem::SnpPlatform::machine()->rmp.lookup(gmem::Pfn{ kapi_page_pfn(page) });
	}

	SnpVm vm;
	struct kvm_vcpu vcpu {};
	bool ready;

    private:
	int gmem_kvm_write_page(struct kvm_memory_slot *slot, std::uint64_t gfn,
				const std::uint8_t &byte, std::uint64_t offset)
	{
		return ::gmem_kvm_write_page(vm.vm, slot, gfn, &byte, static_cast<int>(offset), 1);
	}
};

void the_launch_says_whose_guest_knows()
{
	const Setting setting;
	SnpGuest knowing, other{ 0 };

	REQUIRE(knowing.ready && other.ready);
	EXPECT_EQ(knowing.sev_status(), 7u);
	EXPECT_EQ(other.sev_status(), 0u);
	EXPECT(!gmem_kvm_msr_allowed(&knowing.vcpu, 0xc0010130, 1));
	/* As a vCPU is while KVM makes it. */
	knowing.vcpu.direct = false;
	EXPECT(!gmem_kvm_msr_allowed(&knowing.vcpu, 0xc0010130, 1));
	EXPECT(gmem_kvm_msr_allowed(&other.vcpu, 0xc0010130, 1));

	/* No other feature is there to be asked for. */
	for (const std::uint64_t features : { 2ull, 3ull, 1ull << 5 | 1, 1ull << 63 }) {
		SnpVm vm;

		EXPECT_EQ(vm.init(features), -EINVAL);
		EXPECT_EQ(vm.init(), 0);
	}
	/* Nor this one where the processor does not exit for what they do. */
	guest_vcpu().can_know = false;

	SnpVm vm;

	EXPECT_EQ(vm.init(kSnpActive), -EINVAL);
	EXPECT_EQ(vm.init(), 0);
}

void other_vcpus_are_kvms()
{
	const Setting setting;
	SnpGuest other{ 0 };

	REQUIRE(other.ready);
	EXPECT_EQ(other.undefined(kPvalidate, 0, 0, 1), fake::kStockExit);
	EXPECT_EQ(other.hypercall(kVmgexit), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_rdmsr(&other.vcpu), fake::kStockExit);
	EXPECT_EQ(other.write_msr(0x100), fake::kStockExit);

	/* The guest of a guest. */
	SnpGuest nesting;

	REQUIRE(nesting.ready);
	nesting.vcpu.direct = false;
	EXPECT_EQ(nesting.undefined(kPvalidate, 0, 0, 1), fake::kStockExit);
	EXPECT_EQ(nesting.hypercall(kVmgexit), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_rdmsr(&nesting.vcpu), fake::kStockExit);
	EXPECT_EQ(nesting.write_msr(0x100), fake::kStockExit);
	/* On page tables of the guest's own alone, without nested paging. */
	nesting.vcpu.direct = true;
	nesting.vcpu.nested = true;
	EXPECT_EQ(nesting.undefined(kPvalidate, 0, 0, 1), fake::kStockExit);
	EXPECT_EQ(nesting.hypercall(kVmgexit), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_rdmsr(&nesting.vcpu), fake::kStockExit);
	EXPECT_EQ(nesting.write_msr(0x100), fake::kStockExit);

	/* A software-protected VM on the model is none of SNP's type. */
	Guest plain{ 1024 };
	struct kvm_vcpu vcpu {};

	vcpu.kvm = plain.vm;
	EXPECT_EQ(gmem_kvm_undefined(&vcpu), fake::kStockExit);
	EXPECT_EQ(guest_vcpu().retired, 0u);
}

void what_is_undefined_stays_so()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(guest.undefined(kUd2, 0, 0, 1), fake::kStockExit);
	EXPECT_EQ(guest.undefined(kVmgexit, 0, 0, 1), fake::kStockExit);
	EXPECT_EQ(guest.undefined({ 0xf2, 0x0f, 0x01, 0xfe }, 0, 0, 1), fake::kStockExit);
	/* In 32-bit code, of the two, only PVALIDATE is there. */
	guest.put(kRmpadjust);
	guest_vcpu().registers.wide = false;
	guest_vcpu().registers.code = kCode;
	EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), fake::kStockExit);
	/* Where no code is. */
	guest_vcpu().registers.code = kNowhere;
	EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), fake::kStockExit);
	EXPECT_EQ(guest_vcpu().retired, 0u);
}

void blocks_and_their_pages_are_validated()
{
	const Setting setting;
	SnpGuest guest;
	unsigned order;

	REQUIRE(guest.ready);
	/* Of memory that nobody has touched, as one. */
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 1), 0u);
	EXPECT(!guest.carry());
	EXPECT_EQ(fake::fault(guest.vm.vm, 5, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT(guest.entry(0).validated && guest.entry(511 * kPageBytes).validated);
	/* Twice. */
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 1), 0u);
	EXPECT(guest.carry());
	/* A page of the block: it is split, and the guest tries again. */
	const unsigned long retired = guest_vcpu().retired;

	EXPECT_EQ(guest.undefined(kPvalidate, 7 * kPageBytes, 0, 0), kGoOn);
	EXPECT_EQ(guest_vcpu().retired, retired);
	EXPECT_EQ(guest_vcpu().registers.rip, kCode);
	EXPECT_EQ(fake::mapped_order(guest.vm.vm, 5), 0);
	EXPECT_EQ(guest.ends(kPvalidate, 7 * kPageBytes, 0, 0), 0u);
	EXPECT(!guest.carry());
	EXPECT_EQ(fake::fault(guest.vm.vm, 7, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(fake::fault(guest.vm.vm, 8, &order), 0);
	EXPECT(!guest.entry(7 * kPageBytes).validated);
	EXPECT(guest.entry(8 * kPageBytes).validated);
	/* As one it is no more. */
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 0), 6u);
	EXPECT(!guest.carry());
	/* And its pages go one by one. */
	guest.vm.drop_memory();
}

void what_is_converted_is_to_be_validated_again()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(guest.ends(kPvalidate, 3 * kPageBytes, 0, 1), 0u);
	EXPECT(!guest.carry());
	EXPECT_EQ(guest.ends(kPvalidate, 3 * kPageBytes, 0, 1), 0u);
	EXPECT(guest.carry());
	EXPECT_EQ(fake::fallocate(fake::file_at(guest.vm.fd), true, 3 * kPageBytes, kPageBytes), 0);
	EXPECT_EQ(guest.ends(kPvalidate, 3 * kPageBytes, 0, 1), 0u);
	EXPECT(!guest.carry());
}

void pages_that_are_not_private_end_in_the_vmm()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	fake::set_private(guest.vm.vm, 9, 10, false);
	for (const std::uint64_t gpa : { 9 * kPageBytes, kNowhere, kBeyond }) {
		for (const Code &code : { kPvalidate, kRmpadjust }) {
			guest_vcpu().exit_gpa = ~0ull;
			EXPECT_EQ(guest.undefined(code, gpa, 0, 1), -EFAULT);
			EXPECT_EQ(guest_vcpu().exit_gpa, gpa);
			EXPECT_EQ(guest_vcpu().registers.rip, kCode);
		}
	}
	EXPECT_EQ(guest_vcpu().retired, 0u);
	EXPECT_EQ(fake::reports(), 6);
	/* The VMM makes it private, and the instruction ends. */
	fake::set_private(guest.vm.vm, 9, 10, true);
	EXPECT_EQ(guest.ends(kPvalidate, 9 * kPageBytes, 0, 1), 0u);
}

void the_log_has_what_was_broken()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	(void)fake::reports();
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 1), 0u);
	EXPECT_EQ(fake::reports(), 0);
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 1), 0u); /* nothing changed */
	EXPECT_EQ(guest.ends(kPvalidate, kPageBytes, 1, 1), 1u);
	EXPECT_EQ(guest.ends(kRmpadjust, 0, 1, 0), 2u);
	EXPECT_EQ(fake::reports(), 3);
	/* And not more than it may. */
	guest_vcpu().may_report = false;
	EXPECT_EQ(guest.ends(kPvalidate, kPageBytes, 1, 1), 1u);
	EXPECT_EQ(fake::reports(), 0);
}

void permissions_are_adjusted()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	/* Not before it is validated. */
	EXPECT_EQ(guest.ends(kRmpadjust, 0, 1, 1), 1u);
	EXPECT_EQ(guest.ends(kPvalidate, 0, 1, 1), 0u);
	EXPECT_EQ(guest.ends(kRmpadjust, 0, 1, 0x0f02), 0u);
	EXPECT_EQ(fake::fault(guest.vm.vm, 0), 0);
	EXPECT_EQ(guest.entry(0).perms[1], 0xf);
	/* A save area is one page. */
	EXPECT_EQ(guest.ends(kRmpadjust, kPageBytes, 0, 0x10001), 0u);
	EXPECT_EQ(fake::fault(guest.vm.vm, 1), 0);
	EXPECT(guest.entry(kPageBytes).vmsa);
	EXPECT_EQ(guest.ends(kRmpadjust, kPageBytes, 0, 0x00001), 0u);
	EXPECT(!guest.entry(kPageBytes).vmsa);
}

void faults_of_addresses()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(guest.undefined(kPvalidate, 1ull << 47, 0, 1), kGoOn);
	EXPECT_EQ(guest_vcpu().protection_faults, 1u);
	EXPECT_EQ(guest_vcpu().registers.rip, kCode);

	/* One entry of four tables maps the code; nothing else is mapped. */
	const std::uint64_t root = 610 * kPageBytes;
	const std::uint64_t entries[][2] = {
		{ root, root + kPageBytes },
		{ root + kPageBytes, root + 2 * kPageBytes },
		{ root + 2 * kPageBytes + 8 * (kCode >> 21), root + 3 * kPageBytes },
		{ root + 3 * kPageBytes + 8 * (kCode >> 12 & 511), kCode }
	};

	for (const auto &[at, to] : entries) {
		const std::uint64_t value = to | 3;

		for (unsigned i = 0; i < 8; i++)
			guest.put({ static_cast<std::uint8_t>(value >> 8 * i) }, at + i);
	}
	guest.put(kPvalidate);
	fake::accesses().paging.root = root;
	fake::accesses().paging.levels = 4;
	EXPECT_EQ(guest.undefined(kPvalidate, 0x123456000, 0, 1), kGoOn);
	EXPECT_EQ(guest_vcpu().fault_addr, 0x123456000u);
	EXPECT_EQ(guest_vcpu().fault_code, 0u);
	EXPECT_EQ(guest_vcpu().retired, 0u);
	fake::accesses().paging = {};
}

void code_across_two_pages()
{
	const Setting setting;
	SnpGuest guest;
	const std::uint64_t at = kCode + kPageBytes - 2;

	REQUIRE(guest.ready);
	guest.put(kPvalidate, at);
	SnpGuest::set(at, 0, 1, 1);
	EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().retired, 1u);
	EXPECT_EQ(guest_vcpu().registers.rip, at + 4);

	/* The last page of memory: what would follow is not looked for, or is not there. */
	const std::uint64_t end = kNpages * kPageBytes;

	guest.put(kPvalidate, end - 4);
	SnpGuest::set(end - 4, 0, 1, 1);
	EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().retired, 2u);
	guest_vcpu().registers.code = end - 2;
	EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), fake::kStockExit);
}

void hypercalls_are_told_from_vmgexit()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(guest.hypercall(kVmmcall), fake::kStockExit);
	EXPECT_EQ(guest_vcpu().retired, 0u);

	/* No GHCB is named. */
	EXPECT_EQ(guest.write_msr(0), kGoOn);
	guest_vcpu().registers.rax = 0x1234;
	EXPECT_EQ(guest.hypercall(kVmgexit), kGoOn);
	EXPECT_EQ(guest_vcpu().registers.rip, kCode + 4);
	EXPECT_EQ(guest_vcpu().registers.rax, 0x1234u);
	/* The guest wants to end. */
	EXPECT_EQ(guest.write_msr(0x13100), kGoOn);
	EXPECT_EQ(guest.hypercall(kVmgexit), 0);
	EXPECT_EQ(guest_vcpu().ended, 0x13100u);
	/* The hypervisor's features. */
	EXPECT_EQ(guest.write_msr(0x080), kGoOn);
	EXPECT_EQ(guest.hypercall(kVmgexit), kGoOn);
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 0x3081u);
}

void each_vcpu_has_a_ghcb_msr()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	guest_vcpu().c_bit = 41;
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 0x0002000129000001u);
	EXPECT_EQ(guest.write_msr(0xfedcba9876543210), kGoOn);
	guest_vcpu().nr = 1;
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 0x0002000129000001u);
	EXPECT_EQ(guest.write_msr(5), kGoOn);
	guest_vcpu().nr = 0;
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 0xfedcba9876543210u);
	EXPECT_EQ(guest.write_msr(6), kGoOn);
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 6u);
	EXPECT_EQ(guest_vcpu().skipped, 7u);
}

/* Of memory that is not to be had the VMM hears, and nothing is lost. */
void what_fails_is_told_to_the_vmm()
{
	const Setting setting;
	SnpGuest guest;
	bool failed = false;

	REQUIRE(guest.ready);
	for (unsigned long n = 1;; n++) {
		fake::fail_nth(n);

		const int ret = guest.write_msr(n);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		EXPECT_EQ(ret, fired ? -ENOMEM : kGoOn);
		if (!fired)
			break;
		failed = true;
	}
	EXPECT(failed);
}

/* What root orders (guest/misdeeds.h): the suite of that name has the rest. */
void answers_that_are_lies()
{
	const Setting setting;
	SnpGuest guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(gmem_misdeed_order("pvalidate-size", 1, 0), 0);
	EXPECT_EQ(guest.ends(kPvalidate, 0, 0, 1), 0u);
	EXPECT_EQ(guest.ends(kPvalidate, 512 * kPageBytes, 1, 1), 6u);
	EXPECT_EQ(guest.ends(kPvalidate, 512 * kPageBytes, 1, 1), 0u);
	EXPECT(!guest.carry());
	EXPECT_EQ(gmem_misdeed_order("pvalidate-same", 1, 0), 0);
	EXPECT_EQ(guest.ends(kPvalidate, 0, 0, 1), 0u); /* it is so */
	EXPECT(guest.carry());
	EXPECT_EQ(guest.ends(kPvalidate, 0, 0, 0), 0u);
	EXPECT(guest.carry());
	EXPECT_EQ(guest.ends(kPvalidate, 0, 0, 1), 0u);
	EXPECT(!guest.carry());
}

} /* namespace */

GMEM_SUITE(snp_guest, CASE(the_launch_says_whose_guest_knows), CASE(other_vcpus_are_kvms),
	   CASE(what_is_undefined_stays_so), CASE(blocks_and_their_pages_are_validated),
	   CASE(what_is_converted_is_to_be_validated_again),
	   CASE(pages_that_are_not_private_end_in_the_vmm), CASE(the_log_has_what_was_broken),
	   CASE(permissions_are_adjusted), CASE(faults_of_addresses), CASE(code_across_two_pages),
	   CASE(hypercalls_are_told_from_vmgexit), CASE(each_vcpu_has_a_ghcb_msr),
	   CASE(what_fails_is_told_to_the_vmm), CASE(answers_that_are_lies));
