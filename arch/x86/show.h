/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What files of debugfs have in common.
 */
#ifndef GMEM_ARCH_X86_SHOW_H
#define GMEM_ARCH_X86_SHOW_H

#include "arch/x86/sha384.h"
#include "kapi/kapi.h"

namespace gmem
{

inline void print_hex(void *seq, ConstBytes bytes)
{
	for (const std::uint8_t byte : bytes)
		kapi_seq_print(seq, "%02x", byte);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SHOW_H */
