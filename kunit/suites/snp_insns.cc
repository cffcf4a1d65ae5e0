// SPDX-License-Identifier: GPL-2.0-only
/*
 * What PVALIDATE and RMPADJUST do to a guest (guest/): the bytes by which they and VMGEXIT are
 * known, each operand and each error, as the public descriptions have them, and not as the
 * code does. The memory behind them answers as each row says.
 *
 * Tests: guest/decode.cc, guest/instructions.cc.
 */
#include "guest/instructions.h"

#include "kunit/suite.h"

namespace
{

using namespace gmem;
using End = Executed::End;
using Fault = RmpAnswer::Fault;

/* ---- bytes ----------------------------------------------------------------------------- */

struct Bytes {
	std::uint8_t bytes[kInstructionMax];
	unsigned size;
	bool wide;
	Opcode opcode;
	unsigned length;
	bool short_address;
};

constexpr Bytes kBytes[] = {
	{ { 0xf2, 0x0f, 0x01, 0xff }, 4, true, Opcode::Pvalidate, 4, false },
	{ { 0xf3, 0x0f, 0x01, 0xfe }, 4, true, Opcode::Rmpadjust, 4, false },
	{ { 0xf3, 0x0f, 0x01, 0xd9 }, 4, true, Opcode::Vmgexit, 4, false },
	{ { 0xf2, 0x0f, 0x01, 0xff }, 4, false, Opcode::Pvalidate, 4, true },
	{ { 0xf3, 0x0f, 0x01, 0xd9 }, 4, false, Opcode::Vmgexit, 4, true },
	/* What follows is not looked at. */
	{ { 0xf2, 0x0f, 0x01, 0xff, 0xcc, 0xf3 }, 6, true, Opcode::Pvalidate, 4, false },
	/* VMMCALL, PSMASH, RMPUPDATE, RMPQUERY, RDTSCP, and what is nothing. */
	{ { 0x0f, 0x01, 0xd9, 0x90 }, 4, true, Opcode::Other, 0, false },
	{ { 0xf2, 0x0f, 0x01, 0xd9 }, 4, true, Opcode::Other, 0, false },
	{ { 0xf3, 0x0f, 0x01, 0xff }, 4, true, Opcode::Other, 0, false },
	{ { 0xf2, 0x0f, 0x01, 0xfe }, 4, true, Opcode::Other, 0, false },
	{ { 0xf3, 0x0f, 0x01, 0xfd }, 4, true, Opcode::Other, 0, false },
	{ { 0x0f, 0x01, 0xf9, 0x90 }, 4, true, Opcode::Other, 0, false },
	{ { 0x0f, 0x01, 0xff, 0x90 }, 4, true, Opcode::Other, 0, false },
	{ { 0x0f, 0x01, 0xfe, 0x90 }, 4, true, Opcode::Other, 0, false },
	{ { 0x0f, 0x0b, 0x01, 0xff }, 4, true, Opcode::Other, 0, false },
	{ { 0xf2, 0x0f, 0x00, 0xff }, 4, true, Opcode::Other, 0, false },
	/* Of two the last counts. */
	{ { 0xf3, 0xf2, 0x0f, 0x01, 0xff }, 5, true, Opcode::Pvalidate, 5, false },
	{ { 0xf2, 0xf3, 0x0f, 0x01, 0xff }, 5, true, Opcode::Other, 0, false },
	{ { 0xf2, 0xf3, 0x0f, 0x01, 0xfe }, 5, true, Opcode::Rmpadjust, 5, false },
	/* Sizes, segments, REX. */
	{ { 0x66, 0xf2, 0x0f, 0x01, 0xff }, 5, true, Opcode::Pvalidate, 5, false },
	{ { 0x67, 0xf2, 0x0f, 0x01, 0xff }, 5, true, Opcode::Pvalidate, 5, true },
	{ { 0xf2, 0x67, 0x0f, 0x01, 0xff }, 5, true, Opcode::Pvalidate, 5, true },
	{ { 0x2e, 0x65, 0xf2, 0x0f, 0x01, 0xff }, 6, true, Opcode::Pvalidate, 6, false },
	{ { 0xf2, 0x48, 0x0f, 0x01, 0xff }, 5, true, Opcode::Pvalidate, 5, false },
	/* DEC EAX in other code, and void where it is not the last. */
	{ { 0xf2, 0x48, 0x0f, 0x01, 0xff }, 5, false, Opcode::Other, 0, false },
	{ { 0x48, 0xf2, 0x0f, 0x01, 0xff }, 5, true, Opcode::Other, 0, false },
	/* LOCK is for none of them. */
	{ { 0xf0, 0xf2, 0x0f, 0x01, 0xff }, 5, true, Opcode::Other, 0, false },
	/* Not all there. */
	{ { 0xf2, 0x0f, 0x01 }, 3, true, Opcode::Other, 0, false },
	{ { 0xf2 }, 1, true, Opcode::Other, 0, false },
	{ {}, 0, true, Opcode::Other, 0, false },
	/* As long as can be. */
	{ { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0xf2, 0x0f, 0x01,
	    0xff },
	  15,
	  true,
	  Opcode::Pvalidate,
	  15,
	  false },
	{ { 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
	    0x2e },
	  15,
	  true,
	  Opcode::Other,
	  0,
	  false },
};

void each_is_known_by_its_bytes()
{
	for (const Bytes &row : kBytes) {
		const Instruction found = decode({ row.bytes, row.size }, row.wide);

		EXPECT(found.opcode == row.opcode);
		EXPECT_EQ(found.length, row.length);
		EXPECT(found.short_address == row.short_address);
	}
}

/* ---- operands and errors --------------------------------------------------------------- */

constexpr std::uint64_t kAddr = 0xffff888000200000, kGpa = 0x40200000, kRip = 0xffffffff81000ffe;
constexpr std::uint64_t kCarry = 1, kParity = 4, kAdjust = 0x10, kZero = 0x40, kSign = 0x80,
			kOverflow = 0x800, kResume = 0x10000, kInterrupts = 0x200;
/* All that may follow the return code. */
constexpr std::uint64_t kStatus = kParity | kAdjust | kZero | kSign | kOverflow;

/* One page, and what the reverse map table says of it. */
struct Pages final : GuestPages {
	explicit Pages(RmpAnswer says, Status fails = {}) : says_(says), fails_(fails) {}
	~Pages() = default;

	unsigned address_bits() const override { return bits; }
	Translation translate(std::uint64_t addr) override
	{
		translated = addr;
		return { found, kGpa, found ? 0 : 0x11u };
	}
	Result<RmpAnswer> pvalidate(std::uint64_t gpa, RmpSize size, bool validate) override
	{
		asked++;
		asked_gpa = gpa;
		asked_size = size;
		asked_validate = validate;
		return answer();
	}
	Result<RmpAnswer> rmpadjust(std::uint64_t gpa, RmpSize size, const RmpAdjust &to) override
	{
		asked++;
		asked_gpa = gpa;
		asked_size = size;
		adjust = to;
		return answer();
	}

	bool found = true;
	unsigned bits = 48;
	unsigned asked = 0;
	std::uint64_t translated = 0, asked_gpa = 0;
	RmpSize asked_size = RmpSize::k4K;
	bool asked_validate = false;
	RmpAdjust adjust{};

    private:
	Result<RmpAnswer> answer() const
	{
		if (!fails_.ok())
			return fails_;
		return says_;
	}

	const RmpAnswer says_;
	const Status fails_;
};

constexpr RmpAnswer kChanged{ .changed = true }, kSame{};

constexpr RmpAnswer fault(Fault fault)
{
	return { .fault = fault };
}

constexpr RmpAnswer code(RmpCode code)
{
	return { .code = code };
}

/* Registers with everything else set that must be kept, or may not be left. */
kapi_registers registers(std::uint64_t rcx, std::uint64_t rdx, std::uint64_t rax = kAddr)
{
	return { .rax = rax,
		 .rcx = rcx,
		 .rdx = rdx,
		 .rip = kRip,
		 .rflags = kInterrupts | kCarry | kAdjust | kSign | kOverflow | kResume | 2,
		 .code = kRip,
		 .cpl = 0,
		 .wide = true };
}

constexpr Instruction kPvalidate{ Opcode::Pvalidate, 4, false };
constexpr Instruction kRmpadjust{ Opcode::Rmpadjust, 4, false };

struct Row {
	std::uint64_t rcx, rdx;
	unsigned vmpl;
	RmpAnswer says;
	/* What the guest sees. */
	std::uint64_t eax;
	bool carry;
	bool asked; /* whether it came as far as the table */
};

/* EAX 0, 1, 2, 6; the flag says that nothing has changed. */
constexpr Row kPvalidates[] = {
	{ 0, 1, 0, kChanged, 0, false, true },
	{ 0, 0, 0, kChanged, 0, false, true },
	{ 1, 1, 0, kChanged, 0, false, true },
	{ 1, 0, 0, kChanged, 0, false, true },
	{ 0, 1, 0, kSame, 0, true, true },
	{ 0, 0, 0, kSame, 0, true, true },
	{ 1, 1, 0, kSame, 0, true, true },
	{ 1, 1, 0, code(RmpCode::FailSizeMismatch), 6, false, true },
	/* The lowest bits are the operands: Linux' EDX is 0x17600, and means 0. */
	{ 1ull << 32, 1, 0, kChanged, 0, false, true },
	{ 0, 1ull << 32 | 1, 0, kChanged, 0, false, true },
	{ 2, 1, 0, kChanged, 0, false, true },
	{ 3, 1, 0, kChanged, 0, false, true },
	{ 0x80000000, 1, 0, kChanged, 0, false, true },
	{ 0, 0x17600, 0, kChanged, 0, false, true },
	{ 0, 0x80000001, 0, kChanged, 0, false, true },
	/* Only VMPL0 may. */
	{ 0, 1, 1, kChanged, 2, false, false },
	{ 0, 1, 3, kChanged, 2, false, false },
};

constexpr Row kRmpadjusts[] = {
	/* Linux' look whether it is VMPL0, and from VMPL1. */
	{ 0, 0x00001, 0, kChanged, 0, false, true },
	{ 0, 0x00001, 0, kSame, 0, false, true },
	{ 0, 0x00001, 1, kChanged, 2, false, false },
	/* A save area, made and unmade. */
	{ 0, 0x10001, 0, kChanged, 0, false, true },
	{ 0, 0x10001, 0, fault(Fault::NotValidated), 1, false, true },
	{ 1, 0x10001, 0, kChanged, 1, false, false },
	{ 0, 0x00f03, 0, kChanged, 0, false, true },
	{ 1, 0x00102, 1, kChanged, 0, false, true },
	{ 0, 0x00302, 1, code(RmpCode::FailPermission), 2, false, true },
	{ 1, 0x00001, 0, code(RmpCode::FailSizeMismatch), 6, false, true },
	/* Not below the own level. */
	{ 0, 0x00000, 0, kChanged, 2, false, false },
	{ 0, 0x00002, 2, kChanged, 2, false, false },
	{ 0, 0x00001, 3, kChanged, 2, false, false },
	/* No such VMPL, permission or bit. */
	{ 0, 0x00004, 0, kChanged, 1, false, false },
	{ 0, 0x000ff, 0, kChanged, 1, false, false },
	{ 0, 0x01001, 0, kChanged, 1, false, false },
	{ 0, 0x08001, 0, kChanged, 1, false, false },
	{ 0, 0x20001, 0, kChanged, 1, false, false },
	{ 0, 1ull << 63 | 1, 0, kChanged, 1, false, false },
	/* The lowest bit is the size. */
	{ 0xf2, 0x00001, 0, kChanged, 0, false, true },
	{ 0xff, 0x00001, 0, kChanged, 0, false, true },
};

/* The flags that go with a return code; parity is even for 0 and 6. */
std::uint64_t status_of(std::uint64_t eax)
{
	return (eax == 0 ? kZero : 0) | (eax == 0 || eax == 6 ? kParity : 0);
}

template <class Fn> void check_row(const Row &row, const Instruction &instruction, Fn execute)
{
	Pages pages{ row.says };
	kapi_registers regs = registers(row.rcx, row.rdx);
	const kapi_registers before = regs;
	const Executed executed = execute(regs, instruction, row.vmpl, pages);

	EXPECT(executed.end == End::Retired);
	EXPECT_EQ(regs.rax, row.eax);
	EXPECT_EQ(regs.rip, before.rip + 4);
	EXPECT_EQ(regs.rflags & kStatus, status_of(row.eax));
	EXPECT_EQ(regs.rflags & ~(kStatus | kCarry), kInterrupts | 2);
	EXPECT(regs.rcx == before.rcx && regs.rdx == before.rdx);
	EXPECT_EQ(pages.asked, row.asked);
	if (row.asked) {
		EXPECT_EQ(pages.translated, kAddr);
		EXPECT_EQ(pages.asked_gpa, kGpa);
		EXPECT((pages.asked_size == RmpSize::k2M) == (row.rcx & 1));
	}
	/* Each broken rule is one for the log, but a size, which guests try. */
	EXPECT((executed.broken != nullptr) == ((row.eax != 0 && row.eax != 6) || row.carry));
}

void pvalidate_by_its_operands()
{
	for (const Row &row : kPvalidates) {
		check_row(row, kPvalidate,
			  [&](auto &regs, auto &instruction, auto vmpl, Pages &pages) {
				  const Executed executed = pvalidate(regs, instruction, vmpl,
								      pages);

				  EXPECT_EQ(regs.rflags & kCarry, row.carry);
				  EXPECT(!pages.asked || pages.asked_validate == (row.rdx & 1));
				  return executed;
			  });
	}
}

void rmpadjust_by_its_operands()
{
	for (const Row &row : kRmpadjusts) {
		check_row(row, kRmpadjust,
			  [&](auto &regs, auto &instruction, auto vmpl, Pages &pages) {
				  const Executed executed = rmpadjust(regs, instruction, vmpl,
								      pages);

				  /* It has no part in the flag. */
				  EXPECT(regs.rflags & kCarry);
				  if (pages.asked) {
					  EXPECT_EQ(pages.adjust.by, vmpl);
					  EXPECT_EQ(pages.adjust.target, row.rdx & 0xff);
					  EXPECT_EQ(pages.adjust.perms, row.rdx >> 8 & 0xff);
					  EXPECT_EQ(pages.adjust.vmsa, row.rdx >> 16 & 1);
				  }
				  return executed;
			  });
	}
}

/* Both of them; each time anew. */
template <class Fn> void with_both(Fn check)
{
	check(kPvalidate, pvalidate);
	check(kRmpadjust, rmpadjust);
}

void addresses_that_are_wrong()
{
	with_both([](const Instruction &instruction, auto execute) {
		/* Not aligned to what ECX says. */
		for (const auto &[rcx, rax] :
		     { std::pair<std::uint64_t, std::uint64_t>{ 1, kAddr + 0x1000 },
		       { 1, kAddr + 0x1ff000 },
		       { 1, kAddr + 0x1fffff } }) {
			Pages pages{ kChanged };
			kapi_registers regs = registers(rcx, 1, rax);

			EXPECT(execute(regs, instruction, 0, pages).end == End::Retired);
			EXPECT_EQ(regs.rax, 1u);
			EXPECT_EQ(pages.asked, 0u);
		}
		/* Anywhere in the first page of it, which OVMF makes use of. */
		for (const auto &[rcx, rax] :
		     { std::pair<std::uint64_t, std::uint64_t>{ 0, kAddr + 1 },
		       { 0, kAddr + 0x1fff },
		       { 1, kAddr + 0xfff } }) {
			Pages pages{ kChanged };
			kapi_registers regs = registers(rcx, 1, rax);

			EXPECT(execute(regs, instruction, 0, pages).end == End::Retired);
			EXPECT_EQ(regs.rax, 0u);
			EXPECT_EQ(pages.translated, rax);
		}
		/* Not canonical, with four levels of tables and with five. */
		for (const auto &[bits, rax] :
		     { std::pair<unsigned, std::uint64_t>{ 48, 1ull << 47 },
		       { 48, 1ull << 63 },
		       { 48, 0xffff700000000000 },
		       { 48, 0xff00000000000000 },
		       { 57, 1ull << 56 },
		       { 57, 0xfe00000000000000 } }) {
			Pages pages{ kChanged };
			kapi_registers regs = registers(0, 1, rax);
			const kapi_registers before = regs;

			pages.bits = bits;
			EXPECT(execute(regs, instruction, 0, pages).end == End::Protection);
			EXPECT_EQ(regs.rip, before.rip);
			EXPECT_EQ(pages.asked, 0u);
		}
		for (const auto &[bits, rax] :
		     { std::pair<unsigned, std::uint64_t>{ 48, 0x00007ffffffff000 },
		       { 48, 0xffff800000000000 },
		       { 57, 1ull << 47 },
		       { 57, 0xff00000000000000 } }) {
			Pages pages{ kChanged };
			kapi_registers regs = registers(0, 1, rax);

			pages.bits = bits;
			EXPECT(execute(regs, instruction, 0, pages).end == End::Retired);
			EXPECT_EQ(pages.translated, rax);
		}
		/* Not mapped. */
		Pages pages{ kChanged };
		kapi_registers regs = registers(0, 1);

		pages.found = false;

		const Executed executed = execute(regs, instruction, 0, pages);

		EXPECT(executed.end == End::PageFault);
		EXPECT_EQ(executed.addr, kAddr);
		EXPECT_EQ(executed.error_code, 0x11u);
		EXPECT_EQ(regs.rip, kRip);
		EXPECT_EQ(pages.asked, 0u);
	});
}

void only_supervisors_may()
{
	with_both([](const Instruction &instruction, auto execute) {
		for (const unsigned cpl : { 1u, 2u, 3u }) {
			Pages pages{ kChanged };
			kapi_registers regs = registers(0, 1);

			regs.cpl = cpl;
			EXPECT(execute(regs, instruction, 0, pages).end == End::Protection);
			EXPECT_EQ(regs.rip, kRip);
			EXPECT_EQ(regs.rax, kAddr);
			EXPECT_EQ(pages.asked, 0u);
		}
	});
}

/* One of them was made for firmware, too, which begins there. */
void code_that_is_not_64_bit()
{
	constexpr Instruction kShort{ Opcode::Pvalidate, 4, true };
	Pages pages{ kChanged };
	kapi_registers regs = registers(0, 1, 0xdead000000200000);

	regs.wide = false;
	regs.rip = 0xfffffffe;
	EXPECT(pvalidate(regs, kShort, 0, pages).end == End::Retired);
	EXPECT_EQ(pages.translated, 0x200000u);
	EXPECT_EQ(regs.rip, 2u);

	regs = registers(0, 1);
	regs.wide = false;
	EXPECT(rmpadjust(regs, { Opcode::Rmpadjust, 4, true }, 0, pages).end == End::Undefined);

	/* In 64-bit code an address may be short, too. */
	regs = registers(0, 1, 0xdead000000200000);
	EXPECT(pvalidate(regs, kShort, 0, pages).end == End::Retired);
	EXPECT_EQ(pages.translated, 0x200000u);
	EXPECT_EQ(regs.rip, kRip + 4);
}

void pages_that_are_not_the_guests_end_in_the_vmm()
{
	with_both([](const Instruction &instruction, auto execute) {
		Pages pages{ fault(Fault::NotGuests) };
		kapi_registers regs = registers(0, 1);
		const Executed executed = execute(regs, instruction, 0, pages);

		EXPECT(executed.end == End::Nested);
		EXPECT_EQ(executed.addr, kGpa);
		EXPECT(executed.status == error(EFAULT));
		EXPECT(executed.broken != nullptr);
		EXPECT_EQ(regs.rip, kRip);
		EXPECT_EQ(regs.rax, kAddr);

		/* What does not bring a page to a fault does not bring it here. */
		Pages lost{ kChanged, error(EHWPOISON) };
		const Executed failed = execute(regs, instruction, 0, lost);

		EXPECT(failed.end == End::Nested);
		EXPECT(failed.status == error(EHWPOISON));
		EXPECT(failed.broken == nullptr);
	});
}

void what_changes_meanwhile_is_executed_again()
{
	with_both([](const Instruction &instruction, auto execute) {
		Pages busy{ kChanged, error(EAGAIN) }, large{ fault(Fault::TooLarge) };
		kapi_registers regs = registers(0, 1);

		EXPECT(execute(regs, instruction, 0, busy).end == End::Again);
		EXPECT(execute(regs, instruction, 0, large).end == End::Again);
		EXPECT_EQ(regs.rip, kRip);
		EXPECT_EQ(regs.rax, kAddr);
	});
}

/* ---- registers ------------------------------------------------------------------------- */

void sev_status_follows_the_features()
{
	/* SEV, SEV-ES, SNP; then the features, from bit 3 on. */
	EXPECT_EQ(sev_status(1), 7u);
	EXPECT_EQ(sev_status(1 | 1 << 5), 7u | 1 << 7);
}

} /* namespace */

GMEM_SUITE(snp_insns, CASE(each_is_known_by_its_bytes), CASE(pvalidate_by_its_operands),
	   CASE(rmpadjust_by_its_operands), CASE(addresses_that_are_wrong),
	   CASE(only_supervisors_may), CASE(code_that_is_not_64_bit),
	   CASE(pages_that_are_not_the_guests_end_in_the_vmm),
	   CASE(what_changes_meanwhile_is_executed_again), CASE(sev_status_follows_the_features));
