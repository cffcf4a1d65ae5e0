/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which exits of a guest are #VC where a processor has SNP. There an exit that needs the guest's
 * registers is an exception inside of the guest, whose error code is the exit's code; the others
 * are the hypervisor's as ever: interrupts, HLT, PAUSE, writes of control registers, faults on
 * memory. How the exception is delivered is in guest/vc.h.
 */
#ifndef GMEM_GUEST_EXITS_H
#define GMEM_GUEST_EXITS_H

#include <cstdint>

namespace gmem
{

/* What KVM is about to serve an exit by: one of its functions that are taken over. */
enum class Service : std::uint8_t {
	Cpuid,
	Pio, /* IN and OUT of one value */
	Emulation, /* of the instruction, whatever it is */
	Rdmsr,
	Wrmsr,
	Hypercall,
	Rdpmc,
	Wbinvd,
	Invd,
	Monitor,
	Mwait,
};

/*
 * Whether an exit with @code is one that KVM serves so, and that is #VC. KVM may call these
 * functions for other exits, too, and the GHCB's events may.
 */
bool is_vc(Service service, std::uint64_t code);
/* Whether a guest of SNP has the MSR for itself, so that accesses do not exit. */
bool has_msr_itself(unsigned msr);
/* Whether emulation as @how, bits KAPI_EMULATE_*, is of an instruction that has just exited. */
bool begins_instruction(int how);

} /* namespace gmem */

#endif /* GMEM_GUEST_EXITS_H */
