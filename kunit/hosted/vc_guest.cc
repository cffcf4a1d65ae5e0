// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits of guests that know SNP, which become #VC to them (guest/reflect.cc): which ones, whose,
 * and what of a delivery the guest's memory, its tables and the VMM get to see.
 *
 * Tests: guest/vcpu_memory.cc, guest/reflect.cc, guest/entries.cc, mmu/sev.cc.
 */
#include "kapi/vc.h"

#include <initializer_list>

#include "kapi/accesses.h"
#include "kunit/fakes/accesses.h"
#include "kunit/fakes/guest.h"
#include "kunit/fakes/vc.h"
#include "kunit/hosted/snp_vm.h"

using namespace gmem_test;
using fake::guest_vcpu;
using fake::vc_vcpu;

namespace
{

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kIdt = 600 * kPageBytes, kGdt = 601 * kPageBytes, kCode = 602 * kPageBytes,
			kStack = 605 * kPageBytes;
/* No memslot is there. */
constexpr std::uint64_t kNowhere = 5000 * kPageBytes;
constexpr std::uint64_t kRip = 0x123450, kHandler = 0x56789abcdef0;
constexpr std::uint64_t kGate[] = { (kHandler & 0xffff) | 8ull << 16 | 0x8eull << 40 |
					    (kHandler >> 16 & 0xffff) << 48,
				    kHandler >> 32 };
constexpr std::uint64_t kCodeSegment = 0x00af9b000000ffff;
constexpr unsigned kApicBase = 0x1b, kEfer = 0xc0000080, kGhcb = 0xc0010130;
constexpr int kGoOn = 1;

/* All guests of SNP's type know, and get #VC if @vc. */
struct Aware {
	explicit Aware(bool vc = true)
	{
		fake::set_snp_guests(vc ? KAPI_SNP_GUESTS_AWARE_VC : KAPI_SNP_GUESTS_AWARE);
	}
	~Aware() { fake::set_snp_guests(KAPI_SNP_GUESTS_ASKED); }

	const Setting setting;
};

/* A launched VM without page tables, in 64-bit mode. */
class VcGuest {
    public:
	/* @c_bit: its position; 0: none. */
	explicit VcGuest(unsigned c_bit = 0)
	{
		guest_vcpu() = {};
		guest_vcpu().c_bit = c_bit;
		vc_vcpu() = {};
		fake::accesses().paging = {};
		ready = vm.init() == 0 && vm.start() == 0 && vm.add_memory();
		vm.vm->vcpus = 1;
		ready = ready && vm.finish() == 0;
		vcpu.kvm = vm.vm;
		if (!ready)
			return;
		put(kIdt + 29 * 16, kGate, sizeof(kGate));
		put(kGdt + 8, &kCodeSegment, sizeof(kCodeSegment));
		reset();
	}

	void reset()
	{
		vc_vcpu().state = {
			.rip = kRip,
			.rsp = kStack,
			.rflags = 0x202,
			.cs = { 0, ~0u, 8, 0xa9b },
			.ss = { 0, ~0u, 16, 0xc93 },
			.ldt = {},
			.tr = {},
			.idt = kIdt,
			.gdt = kGdt,
			.idt_limit = 16 * 32 - 1,
			.gdt_limit = 15,
			.cpl = 0,
			.protected_mode = true,
			.long_mode = true,
			.shadow_stacks = false,
		};
	}
	void put(std::uint64_t at, const void *bytes, int size)
	{
		EXPECT_EQ(gmem_kvm_write_page(vm.vm, fake::slot_at(vm.vm, at / kPageBytes),
					      at / kPageBytes, bytes,
					      static_cast<int>(at % kPageBytes), size),
			  0);
	}
	std::uint64_t word(std::uint64_t at)
	{
		std::uint64_t value = ~0ull;

		EXPECT_EQ(gmem_kvm_read_page(fake::slot_at(vm.vm, at / kPageBytes), at / kPageBytes,
					     &value, static_cast<int>(at % kPageBytes), 8),
			  0);
		return value;
	}
	/* @exit() with this code is #VC; the same with another is KVM's. */
	template <class Fn> void must_be_vc(std::uint64_t code, Fn exit)
	{
		const unsigned long entered = vc_vcpu().entered, stock = vc_vcpu().stock;

		vc_vcpu().exit_code = code;
		EXPECT_EQ(exit(), kGoOn);
		EXPECT_EQ(vc_vcpu().entered, entered + 1);
		EXPECT_EQ(vc_vcpu().state.rip, kHandler);
		EXPECT_EQ(vc_vcpu().state.rsp, kStack - 48);
		EXPECT_EQ(word(kStack - 48), code);
		EXPECT_EQ(word(kStack - 40), kRip);
		reset();
		vc_vcpu().exit_code = 0x60;
		EXPECT_EQ(exit(), fake::kStockExit);
		EXPECT_EQ(vc_vcpu().entered, entered + 1);
		EXPECT_EQ(vc_vcpu().stock + guest_vcpu().stock, stock + stock_of_guest + 1);
		stock_of_guest = guest_vcpu().stock;
	}
	int cpuid()
	{
		vc_vcpu().exit_code = 0x72;
		return gmem_kvm_cpuid(&vcpu);
	}
	/* It is KVM's, whatever else could be. */
	void must_be_kvms()
	{
		const unsigned long entered = vc_vcpu().entered;

		EXPECT_EQ(cpuid(), fake::kStockExit);
		EXPECT_EQ(vc_vcpu().entered, entered);
		EXPECT_EQ(vc_vcpu().state.rip, kRip);
	}

	SnpVm vm;
	struct kvm_vcpu vcpu {};
	bool ready;
	unsigned long stock_of_guest = 0;
};

void each_service()
{
	const Aware aware;
	VcGuest guest;
	struct kvm_vcpu *const vcpu = &guest.vcpu;

	REQUIRE(guest.ready);
	guest.must_be_vc(0x72, [&] { return gmem_kvm_cpuid(vcpu); });
	guest.must_be_vc(0x7b, [&] { return gmem_kvm_pio(vcpu, 1, 0x80, 0); });
	guest.must_be_vc(0x7b, [&] { return gmem_kvm_emulate(vcpu, 0, 0, nullptr, 0); });
	guest.must_be_vc(0x400, [&] { return gmem_kvm_emulate(vcpu, kNowhere, 0x48, nullptr, 0); });
	guest.must_be_vc(0x6f, [&] { return gmem_kvm_rdpmc(vcpu); });
	guest.must_be_vc(0x89, [&] { return gmem_kvm_wbinvd(vcpu); });
	guest.must_be_vc(0x76, [&] { return gmem_kvm_invd(vcpu); });
	guest.must_be_vc(0x8a, [&] { return gmem_kvm_monitor(vcpu); });
	guest.must_be_vc(0x8b, [&] { return gmem_kvm_mwait(vcpu); });
	guest.must_be_vc(0x7c, [&] {
		vc_vcpu().msr = kApicBase;
		return gmem_kvm_rdmsr(vcpu);
	});
	guest.must_be_vc(0x7c, [&] { return gmem_kvm_wrmsr(vcpu); });
	guest.must_be_vc(0x81, [&] { return gmem_kvm_hypercall(vcpu); });
}

void emulation_that_is_not()
{
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);
	/* Memory is there: a page of the guest's, private or shared. */
	vc_vcpu().exit_code = 0x400;
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, kCode, 0, nullptr, 0), fake::kStockExit);
	/* The end of an instruction, or a step over one. */
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, kNowhere, 1, nullptr, 0), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, kNowhere, 4, nullptr, 0), fake::kStockExit);
	vc_vcpu().exit_code = 0x7b;
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, 0, 1, nullptr, 0), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, 0, 4, nullptr, 0), fake::kStockExit);
	EXPECT_EQ(vc_vcpu().entered, 0u);
	/* An address of a memslot's does not matter to I/O. */
	EXPECT_EQ(gmem_kvm_emulate(&guest.vcpu, kCode, 0, nullptr, 0), kGoOn);
	EXPECT_EQ(vc_vcpu().entered, 1u);
}

void registers_that_do_not_exit()
{
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);
	vc_vcpu().exit_code = 0x7c;
	vc_vcpu().msr = kEfer;
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), fake::kStockExit);
	EXPECT_EQ(gmem_kvm_wrmsr(&guest.vcpu), fake::kStockExit);
	/* That one is ours. */
	vc_vcpu().msr = kGhcb;
	guest_vcpu().registers.rax = 0x5678;
	guest_vcpu().registers.rdx = 0x1234;
	EXPECT_EQ(gmem_kvm_wrmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(gmem_kvm_rdmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().msr, 0x123400005678u);
	EXPECT_EQ(vc_vcpu().entered, 0u);
}

void vmgexit_is_none()
{
	const Aware aware;
	VcGuest guest;
	const std::uint8_t vmgexit[] = { 0xf3, 0x0f, 0x01, 0xd9 };

	REQUIRE(guest.ready);
	guest.put(kCode, vmgexit, sizeof(vmgexit));
	guest_vcpu().registers.rip = guest_vcpu().registers.code = kCode;
	guest_vcpu().registers.wide = true;
	vc_vcpu().exit_code = 0x81;
	vc_vcpu().msr = kGhcb;
	EXPECT_EQ(gmem_kvm_wrmsr(&guest.vcpu), kGoOn);
	EXPECT_EQ(gmem_kvm_hypercall(&guest.vcpu), kGoOn);
	EXPECT_EQ(guest_vcpu().registers.rip, kCode + 4);
	EXPECT_EQ(vc_vcpu().entered, 0u);
}

void whose_exits()
{
	{
		const Aware aware;
		VcGuest guest;

		REQUIRE(guest.ready);
		EXPECT_EQ(guest.cpuid(), kGoOn);
		guest.reset();
		/* The guest of a guest; an event that is to come first. */
		guest.vcpu.direct = false;
		guest.must_be_kvms();
		guest.vcpu.direct = true;
		guest.vcpu.nested = true;
		guest.must_be_kvms();
		guest.vcpu.nested = false;
		vc_vcpu().redelivers = true;
		guest.must_be_kvms();
		vc_vcpu().redelivers = false;
		/* No IDT, as at the first instruction of all. */
		vc_vcpu().state.idt_limit = 0;
		guest.must_be_kvms();
	}
	{
		/* They know, and KVM serves them. */
		const Aware aware{ false };
		VcGuest guest;

		REQUIRE(guest.ready);
		guest.must_be_kvms();
		EXPECT(!gmem_kvm_msr_allowed(&guest.vcpu, kGhcb, 1));
	}
	{
		const Setting setting;
		VcGuest guest;

		REQUIRE(guest.ready);
		guest.must_be_kvms();
		EXPECT(gmem_kvm_msr_allowed(&guest.vcpu, kGhcb, 1));
	}

	/* Whose processor does not exit as such guests need it. */
	const Aware aware;

	guest_vcpu() = {};
	guest_vcpu().can_know = false;

	SnpVm vm;

	EXPECT_EQ(vm.init(1), -EINVAL);
	EXPECT_EQ(vm.init(), -EINVAL);
	guest_vcpu().can_know = true;

	/* What no guest has is not there because all know. */
	SnpVm other;

	EXPECT_EQ(other.init(2), -EINVAL);
	EXPECT_EQ(other.init(3), -EINVAL);
	EXPECT_EQ(other.init(), 0);
	EXPECT(gmem::snp_platform_of(other.vm).get()->knowing());
}

void other_vms_are_kvms()
{
	const Aware aware;
	Guest plain{ 1024 };
	struct kvm_vcpu vcpu {};

	vc_vcpu() = {};
	vc_vcpu().exit_code = 0x72;
	vcpu.kvm = plain.vm;
	EXPECT_EQ(gmem_kvm_cpuid(&vcpu), fake::kStockExit);
}

void frames_where_no_memory_is()
{
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);
	/* Beyond all memory; across its end, where not even the first part is written. */
	for (const std::uint64_t over : { 48ull, 16ull }) {
		const std::uint64_t end = kNpages * kPageBytes;

		vc_vcpu().state.rsp = end + over;
		guest_vcpu().exit_gpa = ~0ull;
		EXPECT_EQ(guest.cpuid(), -EFAULT);
		EXPECT_EQ(guest_vcpu().exit_gpa, end);
		EXPECT_EQ(vc_vcpu().entered, 0u);
		EXPECT_EQ(vc_vcpu().state.rip, kRip);
		EXPECT_EQ(guest.word(end - 32), 0u);
		guest.reset();
	}
	/* A gate. */
	vc_vcpu().state.idt = kNowhere;
	EXPECT_EQ(guest.cpuid(), -EFAULT);
	EXPECT_EQ(guest_vcpu().exit_gpa, kNowhere + 29 * 16);
	guest.reset();
	/* And across two pages that are there. */
	vc_vcpu().state.rsp = kStack - kPageBytes + 16;
	EXPECT_EQ(guest.cpuid(), kGoOn);
	EXPECT_EQ(guest.word(kStack - kPageBytes - 32), 0x72u);
	EXPECT_EQ(guest.word(kStack - kPageBytes), kStack - kPageBytes + 16);
	EXPECT_EQ(guest.word(kStack - kPageBytes + 8), 16u);
}

void stacks_by_the_c_bit()
{
	constexpr std::uint64_t kMask = 1ull << 33;
	const Aware aware;
	VcGuest guest{ 33 };

	REQUIRE(guest.ready);
	vc_vcpu().state.rsp |= kMask;
	vc_vcpu().state.idt |= kMask;
	vc_vcpu().state.gdt |= kMask;
	EXPECT_EQ(guest.cpuid(), kGoOn);
	EXPECT_EQ(vc_vcpu().state.rsp, (kMask | kStack) - 48);
	EXPECT_EQ(guest.word(kStack - 48), 0x72u);
	/* The page is shared, so that with the bit nothing is there. */
	guest.reset();
	fake::set_private(guest.vm.vm, kStack / kPageBytes - 1, kStack / kPageBytes, false);
	vc_vcpu().state.rsp |= kMask;
	EXPECT_EQ(guest.cpuid(), -EFAULT);
	EXPECT_EQ(guest_vcpu().exit_gpa, kStack - 48);
	EXPECT_EQ(vc_vcpu().state.rip, kRip);
}

void faults_of_deliveries()
{
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);

	const std::uint64_t absent[] = { kGate[0] & ~(1ull << 47), kGate[1] };

	guest.put(kIdt + 29 * 16, absent, sizeof(absent));
	EXPECT_EQ(guest.cpuid(), kGoOn);
	EXPECT_EQ(vc_vcpu().vector, 11u);
	EXPECT_EQ(vc_vcpu().error_code, 29u * 8 + 2);
	EXPECT_EQ(vc_vcpu().entered, 0u);
	EXPECT_EQ(guest_vcpu().fault_addr, ~0ull);

	/* Tables that map nothing. */
	fake::accesses().paging.root = 620 * kPageBytes;
	fake::accesses().paging.levels = 4;
	vc_vcpu().vector = 0;
	EXPECT_EQ(guest.cpuid(), kGoOn);
	EXPECT_EQ(vc_vcpu().vector, 0u);
	EXPECT_EQ(guest_vcpu().fault_addr, kIdt + 29 * 16);
	EXPECT_EQ(guest_vcpu().fault_code, 0u);
	EXPECT_EQ(vc_vcpu().entered, 0u);
	fake::accesses().paging = {};
}

/* What the guest's access to @gpa comes to: 0x404 to its handler, or KVM's own body. */
bool is_vc_to(VcGuest &guest, std::uint64_t gpa)
{
	const unsigned long entered = vc_vcpu().entered, stock = fake::stock().page_fault;

	EXPECT_EQ(gmem_kvm_page_fault(&guest.vcpu, gpa, KAPI_PFERR_WRITE, nullptr, 0), kGoOn);

	const bool is_vc = vc_vcpu().entered == entered + 1;

	EXPECT_EQ(fake::stock().page_fault.load(), stock + !is_vc);
	if (is_vc) {
		EXPECT_EQ(guest.word(kStack - 48), 0x404u);
		EXPECT_EQ(guest.word(kStack - 40), kRip);
	}
	guest.reset();
	return is_vc;
}

/*
 * The guest executes the four bytes of @code with these in RAX, RCX and RDX, and once more where
 * nothing has come of it.
 */
void execute(VcGuest &guest, const std::uint8_t (&code)[4], std::uint64_t rax, std::uint64_t rcx,
	     std::uint64_t rdx)
{
	const unsigned long entered = vc_vcpu().entered;
	kapi_registers &regs = guest_vcpu().registers;

	guest.put(kCode, code, sizeof(code));
	for (unsigned tries = 0; tries < 2; tries++) {
		regs = { .rax = rax,
			 .rcx = rcx,
			 .rdx = rdx,
			 .rip = kCode,
			 .rflags = 2,
			 .code = kCode,
			 .cpl = 0,
			 .wide = true };
		EXPECT_EQ(gmem_kvm_undefined(&guest.vcpu), kGoOn);
		if (regs.rip != kCode || vc_vcpu().entered != entered)
			break;
	}
}

/* PVALIDATE of @gpa. */
void validate(VcGuest &guest, std::uint64_t gpa, bool to, std::uint64_t size = 0)
{
	const kapi_registers &regs = guest_vcpu().registers;

	execute(guest, { 0xf2, 0x0f, 0x01, 0xff }, gpa, size, to);
	EXPECT_EQ(regs.rip, kCode + 4);
	EXPECT_EQ(regs.rax, 0u);
	EXPECT(!(regs.rflags & 1));
}

void pages_that_are_not_validated()
{
	constexpr std::uint64_t kPage = 5 * kPageBytes, kBlock = 512 * kPageBytes;
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);
	fake::stock().answer = kGoOn;
	EXPECT(is_vc_to(guest, kPage));
	validate(guest, kPage, true);
	EXPECT(!is_vc_to(guest, kPage));
	EXPECT(is_vc_to(guest, kPage + kPageBytes));
	/* What the guest takes back it has no longer mapped. */
	EXPECT_EQ(fake::fault_in(guest.vm.vm, kPage / kPageBytes), 0);
	EXPECT_EQ(fake::mapped_order(guest.vm.vm, kPage / kPageBytes), 0);
	validate(guest, kPage, false);
	EXPECT_EQ(fake::mapped_order(guest.vm.vm, kPage / kPageBytes), -1);
	EXPECT(is_vc_to(guest, kPage));
	/* All of a block. Its first pages are the stack's and the tables', which stay small. */
	EXPECT(is_vc_to(guest, kBlock + kPageBytes));

	/* Pages that became private are to be validated again. */
	validate(guest, kPage, true);
	fake::set_private(guest.vm.vm, kPage / kPageBytes, kPage / kPageBytes + 1, false);
	EXPECT(!is_vc_to(guest, kPage)); /* shared: KVM's */
	/* No handler yet: as for any guest. */
	vc_vcpu().state.idt_limit = 0;
	EXPECT(!is_vc_to(guest, kPage + kPageBytes));
	/* A vCPU of a guest's guest has no such pages. */
	guest.vcpu.direct = false;
	EXPECT(!is_vc_to(guest, kPage + kPageBytes));
}

/* RMPADJUST of the page at @gpa for VMPL1. */
void adjust(VcGuest &guest, std::uint64_t gpa)
{
	execute(guest, { 0xf3, 0x0f, 0x01, 0xfe }, gpa, 0, 0x101);
}

void rmpadjust_of_a_page_that_is_not_validated()
{
	constexpr std::uint64_t kPage = 5 * kPageBytes;
	const kapi_registers &regs = guest_vcpu().registers;

	{
		const Aware aware;
		VcGuest guest;

		REQUIRE(guest.ready);
		adjust(guest, kPage);
		EXPECT_EQ(vc_vcpu().entered, 1u);
		EXPECT_EQ(guest.word(kStack - 48), 0x404u);
		/* It has not been executed. */
		EXPECT_EQ(regs.rip, kCode);
		EXPECT_EQ(regs.rax, kPage);
		guest.reset();
		validate(guest, kPage, true);
		adjust(guest, kPage);
		EXPECT_EQ(regs.rip, kCode + 4);
		EXPECT_EQ(regs.rax, 0u);
		EXPECT_EQ(vc_vcpu().entered, 1u);
	}

	const Aware aware{ false };
	VcGuest guest;

	REQUIRE(guest.ready);
	adjust(guest, kPage);
	EXPECT_EQ(vc_vcpu().entered, 0u);
	EXPECT_EQ(regs.rip, kCode + 4);
	EXPECT_EQ(regs.rax, 1u);
}

/* PVALIDATE takes a block back of which the memslot that is there now has not the last page. */
void a_block_that_the_memslot_ends_in()
{
	constexpr std::uint64_t kBlock = 512 * kPageBytes;
	const Aware aware;
	VcGuest guest;

	REQUIRE(guest.ready);
	validate(guest, kBlock, true, 1);
	fake::slot_delete(guest.vm.vm, guest.vm.slot);
	EXPECT_EQ(fake::slot_add(guest.vm.vm, 0, kNpages - 1, guest.vm.fd, 0, &guest.vm.slot), 0);
	EXPECT_EQ(fake::fault_in(guest.vm.vm, 512), 0);
	EXPECT_EQ(fake::mapped_order(guest.vm.vm, 512), 0);
	validate(guest, kBlock, false, 1);
	EXPECT_EQ(fake::mapped_order(guest.vm.vm, 512), -1);
}

void kvm_maps_pages_that_are_not_validated()
{
	const Aware aware{ false };
	VcGuest guest;

	REQUIRE(guest.ready);
	fake::stock().answer = kGoOn;
	EXPECT(!is_vc_to(guest, 5 * kPageBytes));
}

} /* namespace */

GMEM_SUITE(vc_guest, CASE(each_service), CASE(emulation_that_is_not),
	   CASE(registers_that_do_not_exit), CASE(vmgexit_is_none), CASE(whose_exits),
	   CASE(other_vms_are_kvms), CASE(frames_where_no_memory_is), CASE(stacks_by_the_c_bit),
	   CASE(faults_of_deliveries), CASE(pages_that_are_not_validated),
	   CASE(rmpadjust_of_a_page_that_is_not_validated), CASE(a_block_that_the_memslot_ends_in),
	   CASE(kvm_maps_pages_that_are_not_validated));
