/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event log of a TD (ACPI table CCEL): what firmware and kernel have extended the
 * run-time registers with, and what these hold after it.
 */
#ifndef GMEM_MEASURE_EVENT_LOG_H
#define GMEM_MEASURE_EVENT_LOG_H

#include <array>
#include <vector>

#include "arch/x86/sha384.h"
#include "tools/gmem-measure/bytes.h"

namespace measure
{

inline constexpr unsigned kRtmrs = 4;

struct LogEvent {
	std::uint64_t offset; /* in the log */
	unsigned rtmr;
	std::uint32_t type; /* of TCG's platform firmware profile */
	gmem::Sha384Digest digest;
};

struct EventLog {
	std::vector<LogEvent> events; /* those that extend, in their order */
	std::array<gmem::Sha384Digest, kRtmrs> rtmrs{};
};

/* Refused where it is no log with SHA-384, or broken. */
EventLog replay(const Bytes &log);

} /* namespace measure */

#endif /* GMEM_MEASURE_EVENT_LOG_H */
