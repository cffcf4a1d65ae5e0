/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of KVM's own accesses set and see (kunit/fakes/accesses.cc).
 */
#ifndef GMEM_FAKES_ACCESSES_H
#define GMEM_FAKES_ACCESSES_H

#include <array>
#include <cstdint>
#include <map>

#include "kapi/accesses.h"

struct x86_exception {
	std::uint64_t address, error_code;
};

struct gfn_to_hva_cache {
	std::uint64_t gpa;
};

struct gfn_to_pfn_cache {
	std::uint64_t gpa;
};

struct msr_data {
	std::uint64_t data;
};

namespace fake
{

/* Each byte of a clock; and each byte that user space has at a guest's addresses. */
inline constexpr int kClockByte = 0xc1, kUsersByte = 0x05;

struct Accesses {
	kapi_paging paging{};
	std::uint64_t steal_gpa = ~0ull;
	unsigned long stock = 0; /* calls of stock bodies */
	/* What user space has at gfns where it has anything else than kUsersByte. */
	std::map<std::uint64_t, std::array<std::uint8_t, 4096>> users;
};

Accesses &accesses();

} /* namespace fake */

#endif /* GMEM_FAKES_ACCESSES_H */
