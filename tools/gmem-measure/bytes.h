/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Little-endian numbers at offsets of a stretch of bytes. Each look is checked: one
 * past the end is Refused, with a message about the bytes that were wanted.
 */
#ifndef GMEM_MEASURE_BYTES_H
#define GMEM_MEASURE_BYTES_H

#include <string>

#include "arch/x86/sha384.h"
#include "tools/gmem-measure/refused.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

class Bytes {
    public:
	/* @what is its name in messages; it must outlive this. */
	Bytes(gmem::ConstBytes bytes, const char *what) : bytes_(bytes), what_(what) {}

	std::uint64_t size() const { return bytes_.size(); }
	gmem::ConstBytes all() const { return bytes_; }

	gmem::ConstBytes at(std::uint64_t offset, std::uint64_t length) const
	{
		if (offset > size() || length > size() - offset)
			throw Refused(std::string(what_) + " ends at " + hex_number(size()) +
				      ", before the " + std::to_string(length) + " bytes at " +
				      hex_number(offset));
		return bytes_.subspan(offset, length);
	}
	Bytes part(std::uint64_t offset, std::uint64_t length, const char *what) const
	{
		return { at(offset, length), what };
	}

	std::uint16_t u16(std::uint64_t offset) const { return number<std::uint16_t>(offset); }
	std::uint32_t u32(std::uint64_t offset) const { return number<std::uint32_t>(offset); }
	std::uint64_t u64(std::uint64_t offset) const { return number<std::uint64_t>(offset); }
	Guid guid(std::uint64_t offset) const
	{
		Guid guid;
		const gmem::ConstBytes bytes = at(offset, guid.size());

		std::copy(bytes.begin(), bytes.end(), guid.begin());
		return guid;
	}

    private:
	template <class T> T number(std::uint64_t offset) const
	{
		std::uint64_t value = 0;
		unsigned shift = 0;

		for (const std::uint8_t byte : at(offset, sizeof(T))) {
			value |= std::uint64_t{ byte } << shift;
			shift += 8;
		}
		return static_cast<T>(value);
	}

	gmem::ConstBytes bytes_;
	const char *what_;
};

} /* namespace measure */

#endif /* GMEM_MEASURE_BYTES_H */
