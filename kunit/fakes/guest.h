/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of guests that know SNP set and see (kunit/fakes/guest.cc).
 */
#ifndef GMEM_FAKES_GUEST_H
#define GMEM_FAKES_GUEST_H

#include <cstdint>

#include "kapi/guest.h"

namespace fake
{

/* A vCPU that has exited, and what it went on with. */
struct GuestVcpu {
	kapi_registers registers{};
	bool can_know = true; /* the processor has SVM */
	unsigned nr = 0, c_bit = 0;
	unsigned nested_bits = 48; /* of the host's */
	bool may_report = true;

	unsigned long retired = 0, skipped = 0, protection_faults = 0, stock = 0;
	std::uint64_t msr = 0; /* that was read */
	/* Of the last #PF, KVM_EXIT_MEMORY_FAULT and end; ~0: none. */
	std::uint64_t fault_addr = ~0ull, fault_code = ~0ull, exit_gpa = ~0ull, ended = ~0ull;
};

GuestVcpu &guest_vcpu();
/* The answers of the stock bodies to exits. */
inline constexpr int kStockExit = 7;

} /* namespace fake */

#endif /* GMEM_FAKES_GUEST_H */
