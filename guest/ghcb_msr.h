/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSR protocol of the GHCB: what a guest asks for by VMGEXIT with a value in its GHCB MSR,
 * and what it finds there afterwards. Without KVM; guest/vmgexit.cc does what is asked.
 */
#ifndef GMEM_GUEST_GHCB_MSR_H
#define GMEM_GUEST_GHCB_MSR_H

#include <cstdint>

namespace gmem
{

enum class GhcbRequest : std::uint8_t {
	Nothing, /* no GHCB is named: back to the guest */
	Page, /* what the GHCB at that address says: guest/ghcb.h */
	SevInfo,
	Cpuid,
	ResetHold,
	PreferredGhcb,
	RegisterGhcb,
	Conversion,
	Features,
	Terminate,
	Unknown, /* the MSR stays as it is */
};

GhcbRequest ghcb_request(std::uint64_t msr);

/* What hypervisors say that they have of SNP: SNP itself, and the creation of vCPUs. */
inline constexpr std::uint64_t kGhcbFeatures = 1 << 0 | 1 << 1;

/* The last version of the protocol that a launch allows which has named @ghcb_version. */
unsigned ghcb_newest(unsigned ghcb_version);
/*
 * What the MSR holds until the guest writes to it, and after SevInfo: the protocol's versions,
 * and the C-bit's position.
 */
std::uint64_t ghcb_sev_info(unsigned ghcb_version, unsigned c_bit);

/* Cpuid: the function, the register wanted as 0 to 3 for EAX to EDX, and the answer. */
std::uint32_t ghcb_cpuid_function(std::uint64_t msr);
unsigned ghcb_cpuid_register(std::uint64_t msr);
std::uint64_t ghcb_cpuid_answer(std::uint64_t msr, std::uint32_t value);

/* ResetHold: whether its reset has come. */
std::uint64_t ghcb_reset_hold_answer(bool woken);
/* PreferredGhcb: none. */
std::uint64_t ghcb_preferred_answer();
/* RegisterGhcb: the GHCB's address. */
std::uint64_t ghcb_registered(std::uint64_t msr);
std::uint64_t ghcb_register_answer(std::uint64_t msr);
std::uint64_t ghcb_features_answer(std::uint64_t features);

/* Conversion of one page. */
struct GhcbConversion {
	bool known = false; /* it is one to private, or to shared */
	bool is_private = false;
	std::uint64_t gpa = 0;
};
GhcbConversion ghcb_conversion(std::uint64_t msr);
std::uint64_t ghcb_conversion_answer(bool done);

} /* namespace gmem */

#endif /* GMEM_GUEST_GHCB_MSR_H */
