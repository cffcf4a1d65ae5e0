/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instructions that only guests of SNP have, as their bytes say. Processors without SNP
 * take them for undefined ones, or for VMMCALL.
 */
#ifndef GMEM_GUEST_DECODE_H
#define GMEM_GUEST_DECODE_H

#include <cstdint>
#include <span>

namespace gmem
{

enum class Opcode : std::uint8_t { Other, Pvalidate, Rmpadjust, Vmgexit };

struct Instruction {
	Opcode opcode = Opcode::Other;
	unsigned length = 0;
	bool short_address = false; /* rAX is EAX */
};

/* No instruction is longer. */
inline constexpr unsigned kInstructionMax = 15;

/*
 * The instruction that @bytes begin with, in 64-bit code if @wide. Other: none of the above,
 * or not all of it is there.
 */
Instruction decode(std::span<const std::uint8_t> bytes, bool wide);

} /* namespace gmem */

#endif /* GMEM_GUEST_DECODE_H */
