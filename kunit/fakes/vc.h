/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of exits that are #VC set and see (kunit/fakes/vc.cc).
 */
#ifndef GMEM_FAKES_VC_H
#define GMEM_FAKES_VC_H

#include <cstdint>

#include "kapi/vc.h"

namespace fake
{

/* A vCPU that has exited, and what it went on with. */
struct VcVcpu {
	std::uint64_t exit_code = 0;
	bool redelivers = false;
	unsigned msr = 0xc0010130; /* ECX: the GHCB MSR */
	kapi_event_state state{};

	unsigned long entered = 0, stock = 0;
	/* The last exception; 0: none. */
	unsigned vector = 0, error_code = 0;
};

VcVcpu &vc_vcpu();

} /* namespace fake */

#endif /* GMEM_FAKES_VC_H */
