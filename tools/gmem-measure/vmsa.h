/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The save area of a virtual processor as it is measured, before its first
 * instruction: what KVM, and the VMM on it, have put there. VMMs differ, and
 * whatever else of a launch a VMM does in its own way is here, too.
 */
#ifndef GMEM_MEASURE_VMSA_H
#define GMEM_MEASURE_VMSA_H

#include <cstdint>
#include <string>

#include "arch/x86/snp_digest.h"
#include "tools/gmem-measure/file.h"

namespace measure
{

struct Vmm {
	const char *name;
	/* Attributes of segments; the first processor's code segment may differ. */
	std::uint16_t cs_first, cs_others, ss, tr;
	bool signature_in_rdx; /* else @rdx */
	std::uint64_t rdx;
	std::uint64_t g_pat;
	std::uint32_t mxcsr;
	std::uint16_t fcw;
	/* How memory that the firmware uses first is added. */
	gmem::SnpPageType sec_memory;
	bool cpuid_last; /* the CPUID page comes after all other sections */
	bool hashes_kernels; /* it can put hashes of a kernel into the firmware's table */
	bool adds_unknown; /* sections of unknown types are zeros; else they are refused */
	bool wants_reset_eip; /* even for one processor */
	bool resets_fpus; /* those of all processors have @mxcsr and @fcw; else the first one's */
};

/* Of --vmm; refused where none is called @name. */
const Vmm &vmm_of(const std::string &name);

/* CPUID signature of a processor model that QEMU has; refused where it has none. */
std::uint32_t signature_of_type(const std::string &name);
/* From "FAMILY,MODEL,STEPPING", or the number itself. */
std::uint32_t parse_signature(const std::string &text);

struct VcpuState {
	bool first = true;
	std::uint32_t eip = 0xfffffff0; /* where it begins */
	std::uint32_t signature = 0;
	std::uint64_t sev_features = 1;
};

/* A page. */
Contents vmsa_page(const Vmm &vmm, const VcpuState &vcpu);

} /* namespace measure */

#endif /* GMEM_MEASURE_VMSA_H */
