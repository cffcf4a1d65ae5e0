/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What OVMF, or another TDVF, tells a VMM for TDX: the sections of guest memory that
 * are there when a TD starts.
 */
#ifndef GMEM_MEASURE_TDVF_H
#define GMEM_MEASURE_TDVF_H

#include "tools/gmem-measure/firmware.h"

namespace measure
{

enum class TdvfSectionType : std::uint32_t {
	FirmwareVolume = 0,
	ConfigurationVolume = 1,
	HandOff = 2,
	TemporaryMemory = 3,
	PermanentMemory = 4,
};

struct TdvfSection {
	GuestRange range;
	/* Of its content, in the firmware; of no size where it is zeros. */
	std::uint64_t data_offset = 0;
	std::uint64_t data_size = 0;
	TdvfSectionType type;
	bool extended = false; /* its content is measured, not its pages alone */
	bool augmented = false; /* its pages come later, unmeasured */
};

std::string name_of(TdvfSectionType type);

/* In the firmware's order. Refused where a firmware has none, or they are broken. */
std::vector<TdvfSection> read_tdvf(const Firmware &firmware);

} /* namespace measure */

#endif /* GMEM_MEASURE_TDVF_H */
