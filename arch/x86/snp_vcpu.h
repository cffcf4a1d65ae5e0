/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor of a guest that knows SNP keeps of a vCPU. What it means is guest/'s.
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
	enum class Held : std::uint8_t { No, ByMsr, ByPage };

	Waits waits = Waits::No;
	Held held = Held::No; /* until its reset, by which of the protocols */
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

/* The vCPU's own task alone uses it. */
struct SnpVcpu {
	static constexpr std::uint64_t kNoGhcb = ~0ull;

	std::uint64_t ghcb_msr = 0;
	bool ghcb_msr_written = false;
	std::uint64_t ghcb_registered = kNoGhcb; /* its address */
	SnpExchange exchange;
};

/*
 * The save area that the guest has given a vCPU, be it by another of its vCPUs: all under the
 * lock of the VM's model, but what is the vCPU's own task's.
 */
struct SnpSaveArea {
	static constexpr std::uint64_t kNone = ~0ull;

	bool awaits_reset = false; /* which gives it the next one */
	std::uint64_t next = kNone; /* bytes; kNone: it is to stop */
	/* The one that it runs from; kNone: none of the guest's. */
	std::uint64_t gpa = kNone;
	Pfn pfn{};

	/* The task's: since the last reset it has no save area. */
	bool stopped = false;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_VCPU_H */
