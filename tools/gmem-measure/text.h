/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers, bytes and GUIDs as text, and back.
 */
#ifndef GMEM_MEASURE_TEXT_H
#define GMEM_MEASURE_TEXT_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/x86/sha384.h"

namespace measure
{

using Guid = std::array<std::uint8_t, 16>;

/* Decimal, or hex with 0x in front; nothing where @text is another thing. */
std::optional<std::uint64_t> parse_number(std::string_view text);
/* With 0x in front. */
std::string hex_number(std::uint64_t number);

/* Of 0 to 15, or -1. */
int hex_digit(char c);
/* Two digits a byte; nothing where a digit is none, or one is left over. */
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);
std::string hex(gmem::ConstBytes bytes);
/* Of the 96 digits of a digest. */
std::optional<gmem::Sha384Digest> parse_digest(std::string_view text);

/* White space is passed over; nothing where it is not base64. */
std::optional<std::vector<std::uint8_t>> parse_base64(std::string_view text);
std::string base64(gmem::ConstBytes bytes);

/* As firmware stores it: the first three groups are little-endian. */
std::string guid_text(const Guid &guid);
/* @text must be one: it is a constant of ours. */
constexpr Guid guid(std::string_view text)
{
	/* Where in the text the two digits of each byte are. */
	constexpr std::array<std::uint8_t, 16> at{ 6,  4,  2,  0,  11, 9,  16, 14,
						   19, 21, 24, 26, 28, 30, 32, 34 };
	const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
	Guid bytes{};

	for (unsigned i = 0; i < bytes.size(); i++)
		bytes[i] = static_cast<std::uint8_t>(digit(text[at[i]]) << 4 |
						     digit(text[at[i] + 1u]));
	return bytes;
}

} /* namespace measure */

#endif /* GMEM_MEASURE_TEXT_H */
