/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Little-endian numbers in the firmware's structures.
 */
#ifndef GMEM_ARCH_X86_LE_H
#define GMEM_ARCH_X86_LE_H

#include <cstdint>

namespace gmem
{

/* Of @size bytes at @from, 8 at the most. */
inline std::uint64_t load_le(const std::uint8_t *from, unsigned size)
{
	std::uint64_t value = 0;

	for (unsigned i = size; i > 0; i--)
		value = value << 8 | from[i - 1];
	return value;
}

/* The lowest @size bytes of @value. */
inline void store_le(std::uint8_t *to, std::uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[i] = static_cast<std::uint8_t>(value >> 8 * i);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_LE_H */
