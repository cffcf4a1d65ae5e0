/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers in structures of the firmware's and of guests, little-endian as the processor is, and
 * aligned to nothing. std::memcpy() would be a call in the module, which is freestanding.
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

	__builtin_memcpy(&value, from, size);
	return value;
}

/* The lowest @size bytes of @value, 8 at the most. */
inline void store_le(std::uint8_t *to, std::uint64_t value, unsigned size)
{
	__builtin_memcpy(to, &value, size);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_LE_H */
