/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page contents that the test vectors of launch digests are over, and
 * digests as text.
 */
#ifndef GMEM_KUNIT_PATTERNS_H
#define GMEM_KUNIT_PATTERNS_H

#include <array>
#include <cstdint>
#include <string_view>

#include "arch/x86/sha384.h"

namespace gmem::test
{

using PageBytes = std::array<std::uint8_t, 4096>;

constexpr PageBytes page_of(std::uint8_t byte)
{
	PageBytes page{};

	for (std::uint8_t &b : page)
		b = byte;
	return page;
}

/* Byte i is i. */
constexpr PageBytes page_counting()
{
	PageBytes page{};

	for (unsigned i = 0; i < page.size(); i++)
		page[i] = static_cast<std::uint8_t>(i);
	return page;
}

/* Little-endian quadword i is 0x0123456789abcdef ^ i. */
constexpr PageBytes page_words()
{
	PageBytes page{};

	for (unsigned i = 0; i < page.size() / 8; i++) {
		for (unsigned b = 0; b < 8; b++)
			page[8 * i + b] = static_cast<std::uint8_t>((0x0123456789abcdefull ^ i) >>
								    8 * b);
	}
	return page;
}

inline constexpr PageBytes kPage0 = page_of(0x00);
inline constexpr PageBytes kPageAA = page_of(0xaa);
inline constexpr PageBytes kPageFF = page_of(0xff);
inline constexpr PageBytes kPageI = page_counting();
inline constexpr PageBytes kPageW = page_words();

/* A digest from its 96 hex digits; zeros if it is none, which no vector has. */
constexpr Sha384Digest digest_from(std::string_view hex)
{
	constexpr std::string_view kDigits = "0123456789abcdef";
	Sha384Digest digest{};

	if (hex.size() != 2 * digest.size())
		return digest;
	for (unsigned i = 0; i < digest.size(); i++)
		digest[i] = static_cast<std::uint8_t>(kDigits.find(hex[2 * i]) << 4 |
						      kDigits.find(hex[2 * i + 1]));
	return digest;
}

/* Whether @digest starts with the bytes of @hex. */
constexpr bool starts_with(const Sha384Digest &digest, std::string_view hex)
{
	constexpr std::string_view kDigits = "0123456789abcdef";

	for (unsigned i = 0; i < hex.size(); i++) {
		if (kDigits[digest[i / 2] >> (i % 2 ? 0 : 4) & 15] != hex[i])
			return false;
	}
	return !hex.empty();
}

} /* namespace gmem::test */

#endif /* GMEM_KUNIT_PATTERNS_H */
