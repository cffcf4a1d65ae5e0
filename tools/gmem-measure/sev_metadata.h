/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What OVMF tells a VMM for SEV-SNP: sections of guest memory that are part of the
 * launch, where its processors but the first begin, where the hashes of a kernel go.
 */
#ifndef GMEM_MEASURE_SEV_METADATA_H
#define GMEM_MEASURE_SEV_METADATA_H

#include "tools/gmem-measure/firmware.h"

namespace measure
{

/* Types of sections; there may be others. */
enum class SevSectionType : std::uint32_t {
	SecMemory = 1,
	Secrets = 2,
	Cpuid = 3,
	SvsmCaa = 4,
	KernelHashes = 0x10,
};

struct SevSection {
	GuestRange range;
	SevSectionType type;
};

/* "secrets", or the number where it has no name. */
std::string name_of(SevSectionType type);

struct SevMetadata {
	std::vector<SevSection> sections; /* in the firmware's order */
	/* Where the other processors begin; 0 where the firmware does not say. */
	std::uint32_t reset_eip = 0;
	/* Of the table of kernel hashes, a byte address; 0 where there is none. */
	std::uint32_t hashes_gpa = 0;

	/* Of the first of its type; nullptr if there is none. */
	const SevSection *find(SevSectionType type) const;
};

/* Refused where a firmware has none, or it is broken. */
SevMetadata read_sev_metadata(const Firmware &firmware);

} /* namespace measure */

#endif /* GMEM_MEASURE_SEV_METADATA_H */
