// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event logs: an event is no smaller than its digest, and in its place.
 */
#include "tools/gmem-measure/event_log.h"
#include "tools/gmem-measure/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	using namespace measure;

	return fuzz([&] {
		const EventLog log = replay({ { data, size }, "the log" });
		std::uint64_t end = 0;

		for (const LogEvent &event : log.events) {
			check(event.rtmr < kRtmrs, "there are four registers");
			check(event.offset >= end, "events come one after the other");
			end = event.offset + event.digest.size();
		}
		check(end <= size, "the last one is in the log");
	});
}
