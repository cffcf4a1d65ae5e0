/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What PVALIDATE and RMPADJUST do to the guest that executes them, decided without KVM: from registers, a translation and the answers of the reverse map table. Where the
 * public descriptions leave something open, docs/snp-guest.md says what was chosen.
 */
#ifndef GMEM_GUEST_INSTRUCTIONS_H
#define GMEM_GUEST_INSTRUCTIONS_H

#include "arch/x86/rmp.h"
#include "guest/decode.h"
#include "kapi/guest.h"
#include "mmu/walk.h"

namespace gmem
{

/* The guest's memory, as the vCPU has it now. */
class GuestPages {
    public:
	GuestPages(const GuestPages &) = delete;
	GuestPages &operator=(const GuestPages &) = delete;

	/* Bits of a linear address that count; the others repeat the last of them. */
	virtual unsigned address_bits() const = 0;
	virtual Translation translate(std::uint64_t addr) = 0;
	/*
	 * The instructions, on the guest's private page at @gpa. -EAGAIN: that is just
	 * changing; or what brings no page to a guest's fault.
	 */
	virtual Result<RmpAnswer> pvalidate(std::uint64_t gpa, RmpSize size, bool validate) = 0;
	virtual Result<RmpAnswer> rmpadjust(std::uint64_t gpa, RmpSize size,
					    const RmpAdjust &adjust) = 0;

    protected:
	GuestPages() = default;
	~GuestPages() = default;
};

/* How an instruction ended. */
struct Executed {
	enum class End : std::uint8_t {
		Retired, /* the registers have what it left */
		Undefined, /* #UD */
		Protection, /* #GP(0) */
		PageFault, /* #PF at @addr with @error_code */
		Nested, /* the VMM hears that the page at the gpa @addr should be private */
		Again, /* nothing has happened, and it is executed again */
	};

	End end = End::Retired;
	std::uint64_t addr = 0;
	unsigned error_code = 0;
	Status status{}; /* of Nested: KVM_RUN's */
	const char *broken = nullptr; /* the rule that the guest has broken, for the log */
	/* Retired with an error, where hardware raises #VC for a page that is not validated. */
	bool not_validated = false;
};

/* @vmpl: the level that the vCPU runs at. */
Executed pvalidate(kapi_registers &regs, const Instruction &instruction, unsigned vmpl,
		   GuestPages &pages);
Executed rmpadjust(kapi_registers &regs, const Instruction &instruction, unsigned vmpl,
		   GuestPages &pages);

/* To the instruction behind it, whatever it did. */
void step_over(kapi_registers &regs, const Instruction &instruction);

/* What SEV_STATUS says of a guest with these features in its save areas. */
std::uint64_t sev_status(std::uint64_t vmsa_features);

} /* namespace gmem */

#endif /* GMEM_GUEST_INSTRUCTIONS_H */
