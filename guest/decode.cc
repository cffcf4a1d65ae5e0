// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decoding (decode.h). All of them are 0F 01 with a third byte and F2 or F3 before.
 */
#include "guest/decode.h"

#include <cstddef>

namespace gmem
{

namespace
{

constexpr std::uint8_t kRepne = 0xf2, kRep = 0xf3;
constexpr std::uint8_t kOperandSize = 0x66, kAddressSize = 0x67;

constexpr struct {
	std::uint8_t prefix, last;
	Opcode opcode;
} kOpcodes[] = {
	{ kRepne, 0xff, Opcode::Pvalidate },
	{ kRep, 0xfe, Opcode::Rmpadjust },
	{ kRep, 0xd9, Opcode::Vmgexit },
};

/* Prefixes that mean nothing to these instructions; segments are not looked at. */
bool is_idle_prefix(std::uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case kOperandSize:
		return true;
	default:
		return false;
	}
}

bool is_rex(std::uint8_t byte)
{
	return (byte & 0xf0) == 0x40;
}

/* What comes before the opcode. */
struct Prefixes {
	std::size_t length = 0;
	std::uint8_t repeat = 0; /* the last one counts */
	bool address_size = false;
};

Prefixes read_prefixes(std::span<const std::uint8_t> bytes, bool wide)
{
	Prefixes prefixes;

	for (const std::uint8_t byte : bytes) {
		if (byte == kRepne || byte == kRep)
			prefixes.repeat = byte;
		else if (byte == kAddressSize)
			prefixes.address_size = true;
		else if (!is_idle_prefix(byte))
			break;
		prefixes.length++;
	}
	/* Anywhere but right before the opcode it is void, which nobody writes. */
	if (wide && prefixes.length < bytes.size() && is_rex(bytes[prefixes.length]))
		prefixes.length++;
	return prefixes;
}

} /* namespace */

Instruction decode(std::span<const std::uint8_t> bytes, bool wide)
{
	constexpr std::size_t kOpcodeLength = 3;
	const Prefixes prefixes = read_prefixes(bytes, wide);
	const std::size_t length = prefixes.length + kOpcodeLength;

	if (length > bytes.size() || length > kInstructionMax)
		return {};

	const std::span<const std::uint8_t> opcode = bytes.subspan(prefixes.length);

	if (opcode[0] != 0x0f || opcode[1] != 0x01)
		return {};
	for (const auto &known : kOpcodes) {
		if (opcode[2] == known.last && prefixes.repeat == known.prefix)
			return { known.opcode, static_cast<unsigned>(length),
				 !wide || prefixes.address_size };
	}
	return {};
}

} /* namespace gmem */
