/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMGEXIT of a guest that knows SNP, on a VM of the model, done by KVM and with user space. What
 * the protocol's bytes mean is in ghcb_msr.h, ghcb.h and psc.h.
 */
#ifndef GMEM_GUEST_VMGEXIT_H
#define GMEM_GUEST_VMGEXIT_H

#include "guest/decode.h"
#include "guest/knowing.h"

namespace gmem
{

/*
 * The vCPU is at @instruction. KVM's answer to an exit: 1, the guest goes on
 * behind it; 0 and errors: KVM_RUN returns. KVM's SRCU is held; sleeps.
 */
int serve_vmgexit(Knowing &guest, const Instruction &instruction);

/* Features of the hypervisor, as the guest is told them. */
std::uint64_t told_features();

/*
 * SIPI has come for a vCPU that may be held: it goes on behind its VMGEXIT, with a result that says so.
 * kvm->srcu held. Sleeps.
 */
Status release_held(Knowing &guest);
/* It goes on from a save area, and not behind a VMGEXIT that has held it. */
void forget_held(const Knowing &guest);

/* ---- between guest/vmgexit.cc and guest/events.cc ----------------------------------------- */

/* A VMGEXIT that is being served. */
struct Vmgexit {
	Knowing &guest;
	SnpExchange &exchange;

	struct kvm_vcpu *vcpu() const { return guest.vcpu(); }
	/* The guest is behind it from here on, if not already. */
	void step_over();
};

/* What the GHCB at @gpa asks for, where @registered is the one that the guest has registered. */
int begin_event(Vmgexit &vmgexit, std::uint64_t gpa, std::uint64_t registered);
/* Tells a vCPU that a GHCB's event has held that its reset has come. */
Status event_released(Vmgexit &vmgexit);
/* User space has answered what the event waited for: a conversion, and what KVM asked. */
int event_converted(Vmgexit &vmgexit);
int event_completed(Vmgexit &vmgexit);

} /* namespace gmem */

#endif /* GMEM_GUEST_VMGEXIT_H */
