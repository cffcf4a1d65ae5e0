/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of vCPUs that their guest creates set and see (kunit/fakes/ap.cc).
 */
#ifndef GMEM_FAKES_AP_H
#define GMEM_FAKES_AP_H

#include <cstdint>

#include "kapi/ap.h"

namespace fake
{

/* The VM's vCPUs by the VMM's numbers, and the one that is reset. */
struct ApVcpu {
	/* Of the vCPU with this number; any other is not there. */
	unsigned id = 1;
	struct kvm_vcpu *vcpu = nullptr;
	unsigned address_bits = 40;
	bool takes_state = true; /* KVM does what it is given */
	bool entering = true;
	bool lacks_state = false;
	bool in_smm = false;
	bool requested = false; /* KVM will reset it */

	kapi_vcpu_state state{};
	unsigned long set = 0, requests = 0, refused = 0, exits = 0;
	unsigned long inits = 0; /* that left the registers alone */
	unsigned long resets = 0, sipis = 0, events = 0; /* stock bodies */
	int reads = 0; /* SRCU that is held */
	bool halted = false;
};

ApVcpu &ap();

} /* namespace fake */

#endif /* GMEM_FAKES_AP_H */
