// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instructions (instructions.h).
 */
#include "guest/instructions.h"

namespace gmem
{

namespace
{

using End = Executed::End;

/* Of RFLAGS. */
constexpr std::uint64_t kCarry = 1 << 0;
constexpr std::uint64_t kParity = 1 << 2;
constexpr std::uint64_t kAdjust = 1 << 4;
constexpr std::uint64_t kZero = 1 << 6;
constexpr std::uint64_t kSign = 1 << 7;
constexpr std::uint64_t kOverflow = 1 << 11;
constexpr std::uint64_t kResume = 1 << 16;

constexpr unsigned kVmpls = 4;
/* RMPADJUST's RDX. */
constexpr std::uint64_t kTarget = 0xff;
constexpr unsigned kPermsShift = 8;
constexpr std::uint64_t kPerms = 0xff;
constexpr std::uint64_t kVmsa = 1 << 16;
constexpr std::uint64_t kAdjustKnown = kTarget | kPerms << kPermsShift | kVmsa;
/* Read, write, execute by users and by supervisors. */
constexpr std::uint64_t kPermsKnown = 0xf;

constexpr std::uint64_t kSize2M = kPageSize * kRunPages;

/* Whether the lowest four bits, which all codes have room in, are an even number. */
bool is_even(unsigned value)
{
	value ^= value >> 2;
	return !((value ^ value >> 1) & 1);
}

/* The flags that follow the return code, as if that were the result of an addition. */
std::uint64_t flags_of(std::uint64_t flags, RmpCode code)
{
	const unsigned value = static_cast<unsigned>(code);

	flags &= ~(kParity | kAdjust | kZero | kSign | kOverflow);
	return flags | (value ? 0 : kZero) | (is_even(value) ? kParity : 0);
}

/* The instruction ends with @code, for which the guest may be to blame. */
Executed retire(kapi_registers &regs, const Instruction &instruction, RmpCode code,
		const char *broken = nullptr)
{
	regs.rax = static_cast<std::uint64_t>(code);
	regs.rflags = flags_of(regs.rflags, code);
	step_over(regs, instruction);
	return { .broken = broken };
}

bool is_canonical(std::uint64_t addr, unsigned bits)
{
	const unsigned shift = 64 - bits;

	return static_cast<std::uint64_t>(static_cast<std::int64_t>(addr << shift) >> shift) ==
	       addr;
}

std::uint64_t address_of(const kapi_registers &regs, const Instruction &instruction)
{
	return instruction.short_address ? regs.rax & 0xffffffff : regs.rax;
}

/*
 * Of ECX, and of PVALIDATE's EDX, the lowest bit counts alone: Linux has a bool there, above which
 * its compiler leaves what was in the register.
 */
RmpSize size_of(const kapi_registers &regs)
{
	return regs.rcx & 1 ? RmpSize::k2M : RmpSize::k4K;
}

/* What is wrong with the page that both of them name, before it is looked for; NULL: nothing. */
const char *wrong_page(const kapi_registers &regs, std::uint64_t addr)
{
	/* Where in its page the address is makes no difference. */
	if (size_of(regs) == RmpSize::k2M && addr % kSize2M >= kPageSize)
		return "an address that is not aligned";
	return nullptr;
}

/* An instruction that got as far as the reverse map table, at @gpa. */
Executed end_with(kapi_registers &regs, const Instruction &instruction,
		  const Result<RmpAnswer> &result, std::uint64_t gpa)
{
	const RmpAnswer &answer = result.value();

	if (result.status() == error(EAGAIN))
		return { .end = End::Again };
	if (!result.ok())
		return { .end = End::Nested, .addr = gpa, .status = result.status() };
	switch (answer.fault) {
	case RmpAnswer::Fault::None:
		return retire(regs, instruction, answer.code,
			      answer.code == RmpCode::FailPermission
				      ? "permissions that its own VMPL has not"
				      : nullptr);
	case RmpAnswer::Fault::NotGuests:
		return { .end = End::Nested,
			 .addr = gpa,
			 .status = error(EFAULT),
			 .broken = "a page that is not private" };
	case RmpAnswer::Fault::TooLarge:
		return { .end = End::Again };
	case RmpAnswer::Fault::NotValidated:
		break;
	}

	Executed executed = retire(regs, instruction, RmpCode::FailInput,
				   "a page that is not validated");

	executed.not_validated = true;
	return executed;
}

} /* namespace */

Executed pvalidate(kapi_registers &regs, const Instruction &instruction, unsigned vmpl,
		   GuestPages &pages)
{
	const std::uint64_t addr = address_of(regs, instruction);
	const bool validate = (regs.rdx & 1) != 0;

	if (regs.cpl != 0 || (regs.wide && !is_canonical(addr, pages.address_bits())))
		return { .end = End::Protection };
	/* Whatever fails leaves this so: guests look at the flag before the code. */
	regs.rflags &= ~kCarry;
	if (const char *const wrong = wrong_page(regs, addr))
		return retire(regs, instruction, RmpCode::FailInput, wrong);
	if (vmpl != 0)
		return retire(regs, instruction, RmpCode::FailPermission, "not by VMPL0");

	const Translation at = pages.translate(addr);

	if (!at.found)
		return { .end = End::PageFault, .addr = addr, .error_code = at.error_code };

	const Result<RmpAnswer> answer = pages.pvalidate(at.gpa, size_of(regs), validate);
	Executed executed = end_with(regs, instruction, answer, at.gpa);

	if (executed.end == End::Retired && is_ok(answer.value().code) && !answer.value().changed) {
		regs.rflags |= kCarry;
		executed.broken = validate ? "validated already" : "not validated anyway";
	}
	return executed;
}

Executed rmpadjust(kapi_registers &regs, const Instruction &instruction, unsigned vmpl,
		   GuestPages &pages)
{
	const std::uint64_t addr = address_of(regs, instruction);
	const RmpAdjust adjust{
		.by = vmpl,
		.target = static_cast<unsigned>(regs.rdx & kTarget),
		.perms = static_cast<std::uint8_t>(regs.rdx >> kPermsShift & kPerms),
		.vmsa = (regs.rdx & kVmsa) != 0,
	};

	if (!regs.wide)
		return { .end = End::Undefined };
	if (regs.cpl != 0 || !is_canonical(addr, pages.address_bits()))
		return { .end = End::Protection };
	if (const char *const wrong = wrong_page(regs, addr))
		return retire(regs, instruction, RmpCode::FailInput, wrong);
	if (regs.rdx & ~kAdjustKnown || adjust.perms & ~kPermsKnown || adjust.target >= kVmpls)
		return retire(regs, instruction, RmpCode::FailInput,
			      "an operand with reserved bits");
	if (adjust.vmsa && size_of(regs) == RmpSize::k2M)
		return retire(regs, instruction, RmpCode::FailInput, "a save area of 2 MiB");
	if (adjust.target <= vmpl)
		return retire(regs, instruction, RmpCode::FailPermission,
			      "a VMPL that is not below its own");

	const Translation at = pages.translate(addr);

	if (!at.found)
		return { .end = End::PageFault, .addr = addr, .error_code = at.error_code };
	return end_with(regs, instruction, pages.rmpadjust(at.gpa, size_of(regs), adjust), at.gpa);
}

void step_over(kapi_registers &regs, const Instruction &instruction)
{
	regs.rip += instruction.length;
	if (!regs.wide)
		regs.rip &= 0xffffffff;
	regs.rflags &= ~kResume;
}

std::uint64_t sev_status(std::uint64_t vmsa_features)
{
	constexpr std::uint64_t kSev = 1 << 0, kSevEs = 1 << 1;
	/* The first of the features is SNP itself. */
	constexpr unsigned kFeaturesShift = 2;

	return kSev | kSevEs | vmsa_features << kFeaturesShift;
}

} /* namespace gmem */
