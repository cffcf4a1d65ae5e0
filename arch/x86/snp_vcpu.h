/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor of a guest that knows SNP keeps of a vCPU. The vCPU's own task alone uses
 * it. What it means is guest/'s.
 */
#ifndef GMEM_ARCH_X86_SNP_VCPU_H
#define GMEM_ARCH_X86_SNP_VCPU_H

#include <array>
#include <cstdint>

#include "gmem/types.h"
#include "kapi/ghcb.h"

namespace gmem
{

/* An exchange by VMGEXIT that has begun, and waits for user space if @waits says so. */
struct SnpExchange {
	enum class Waits : std::uint8_t { No, MsrConversion, Conversion, Kvm };

	Waits waits = Waits::No;
	kapi_completion kvms = nullptr; /* of Waits::Kvm */
	std::uint8_t length = 0; /* of the instruction */
	bool behind = false; /* the vCPU is; else KVM works on its registers, and steps over */
	std::uint64_t gpa = 0; /* of the GHCB */
	kapi_ghcb_registers registers{};
	/* For the guest, next to these. */
	std::uint64_t info_1 = 0, info_2 = 0;
	/* A copy of the GHCB: nothing is read of it twice. */
	std::array<std::uint8_t, kPageSize> page{};
	/* What of it has changed and is for the guest, as bytes from there on. */
	std::uint16_t changed_at = 0, changed_size = 0;
	/* The entries of a page state change that user space is at. */
	std::uint16_t psc_first = 0, psc_count = 0;
};

struct SnpVcpu {
	static constexpr std::uint64_t kNoGhcb = ~0ull;

	std::uint64_t ghcb_msr = 0;
	bool ghcb_msr_written = false;
	std::uint64_t ghcb_registered = kNoGhcb; /* its address */
	SnpExchange exchange;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_VCPU_H */
