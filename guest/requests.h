/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest requests of the GHCB (events 0x80000011 and 12): messages between a guest and the
 * firmware, by pages that they share with the VMM. What messages say is arch/x86's.
 */
#ifndef GMEM_GUEST_REQUESTS_H
#define GMEM_GUEST_REQUESTS_H

#include "arch/x86/snp_platform.h"
#include "guest/ghcb.h"

namespace gmem
{

struct GuestRequest {
	std::uint64_t request, response; /* addresses of both pages */
	/* Of an extended one, where the certificates go that come with a report. */
	bool extended = false, has_room = false; /* the guest has said where, or nothing of it */
	std::uint64_t room = 0, pages = 0;
};

struct GuestAnswer {
	GhcbError wrong = GhcbError::None;
	std::uint64_t info_2 = 0; /* the hypervisor's error above, the firmware's below */
	std::uint64_t pages = 0; /* how many certificates take; else as many as there were */
};

/*
 * Asks the firmware. Pages are the guest's shared memory: each is read once, and written once
 * when all is over; of private ones nothing is. Errors are KVM_RUN's: the answer could not be
 * written, or the task is killed. KVM's SRCU is held; sleeps.
 */
Result<GuestAnswer> ask_firmware(struct kvm *kvm, SnpPlatform &platform,
				 const GuestRequest &request);

} /* namespace gmem */

#endif /* GMEM_GUEST_REQUESTS_H */
