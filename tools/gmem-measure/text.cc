// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers and bytes as text (text.h).
 */
#include "tools/gmem-measure/text.h"

#include <algorithm>
#include <charconv>

#include <openssl/evp.h>

namespace measure
{

std::optional<std::uint64_t> parse_number(std::string_view text)
{
	std::uint64_t number = 0;
	int base = 10;

	if (text.starts_with("0x") || text.starts_with("0X")) {
		text.remove_prefix(2);
		base = 16;
	}
	const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number,
						    base);

	if (failure != std::errc{} || end != text.data() + text.size())
		return std::nullopt;
	return number;
}

std::string hex_number(std::uint64_t number)
{
	std::array<char, 16> digits;
	const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;

	return "0x" + std::string(digits.data(), end);
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text)
{
	std::vector<std::uint8_t> bytes(text.size() / 2);

	if (text.size() % 2)
		return std::nullopt;
	for (std::size_t i = 0; i < bytes.size(); i++) {
		const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return std::nullopt;
		bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
	}
	return bytes;
}

std::string hex(gmem::ConstBytes bytes)
{
	static constexpr char kDigits[] = "0123456789abcdef";
	std::string text;

	text.reserve(2 * bytes.size());
	for (const std::uint8_t byte : bytes) {
		text += kDigits[byte >> 4];
		text += kDigits[byte & 15];
	}
	return text;
}

std::optional<gmem::Sha384Digest> parse_digest(std::string_view text)
{
	const auto bytes = parse_hex(text);
	gmem::Sha384Digest digest;

	if (!bytes || bytes->size() != digest.size())
		return std::nullopt;
	std::copy(bytes->begin(), bytes->end(), digest.begin());
	return digest;
}

std::optional<std::vector<std::uint8_t>> parse_base64(std::string_view text)
{
	std::string compact;

	std::copy_if(text.begin(), text.end(), std::back_inserter(compact),
		     [](unsigned char c) { return c != ' ' && (c < '\t' || c > '\r'); });

	const std::size_t padding = compact.size() -
				    std::min(compact.find_last_not_of('=') + 1, compact.size());
	std::vector<std::uint8_t> bytes(compact.size() / 4 * 3);

	if (compact.empty() || compact.size() % 4 || padding > 2)
		return std::nullopt;
	if (EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char *>(compact.data()),
			    static_cast<int>(compact.size())) != static_cast<int>(bytes.size()))
		return std::nullopt;
	bytes.erase(bytes.end() - static_cast<std::ptrdiff_t>(padding), bytes.end());
	return bytes;
}

std::string base64(gmem::ConstBytes bytes)
{
	/* With its padding, and a NUL. */
	std::vector<unsigned char> text((bytes.size() + 2) / 3 * 4 + 1);

	EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
	return { text.begin(), text.end() - 1 };
}

std::string guid_text(const Guid &g)
{
	const Guid shown{ g[3], g[2], g[1],  g[0],  g[5],  g[4],  g[7],	 g[6],
			  g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15] };
	std::string text = hex(shown);

	for (const std::size_t dash : { 20u, 16u, 12u, 8u })
		text.insert(dash, 1, '-');
	return text;
}

} /* namespace measure */
