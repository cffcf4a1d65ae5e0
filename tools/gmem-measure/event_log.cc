// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event log of a TD (event_log.h), in TCG's crypto-agile format: the first event,
 * in the older format, lists the hash algorithms; the others have a digest of each.
 */
#include "tools/gmem-measure/event_log.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "tools/gmem-measure/launch.h"

namespace measure
{

namespace
{

constexpr std::uint32_t kNoAction = 3;
constexpr std::uint16_t kSha384 = 0x000c;
constexpr std::uint64_t kSha1Size = 20;
constexpr std::string_view kSignature{ "Spec ID Event03\0", 16 };
/* Of the first event: where its algorithms are counted, and listed. */
constexpr std::uint64_t kAlgorithmCount = 24, kAlgorithms = 28, kAlgorithmSize = 4;

/* Reads a log from its start on. */
class Cursor {
    public:
	explicit Cursor(const Bytes &bytes) : bytes_(bytes) {}

	std::uint64_t offset() const { return offset_; }

	std::uint16_t u16() { return Bytes(take(2), "").u16(0); }
	std::uint32_t u32() { return Bytes(take(4), "").u32(0); }
	gmem::ConstBytes take(std::uint64_t size)
	{
		const auto bytes = bytes_.at(offset_, size);

		offset_ += size;
		return bytes;
	}

	/* A table is larger than its log; the rest is all ones, or zeros. */
	bool at_end() const
	{
		const auto rest = bytes_.all().subspan(offset_);

		return rest.empty() ||
		       ((rest[0] == 0 || rest[0] == 0xff) &&
			std::all_of(rest.begin(), rest.end(),
				    [&](std::uint8_t byte) { return byte == rest[0]; }));
	}

    private:
	const Bytes &bytes_;
	std::uint64_t offset_ = 0;
};

/* Size of the digest of each algorithm. */
using Algorithms = std::map<std::uint16_t, std::uint16_t>;

Algorithms read_algorithms(Cursor &log)
{
	log.u32(); /* the register */

	const std::uint32_t type = log.u32();

	log.take(kSha1Size);

	const Bytes event(log.take(log.u32()), "the first event");
	Algorithms algorithms;

	if (type != kNoAction || !std::equal(kSignature.begin(), kSignature.end(),
					     event.at(0, kSignature.size()).begin()))
		throw Refused("no event log with several digests: the first event is not "
			      "Spec ID Event03");
	for (std::uint32_t i = 0; i < event.u32(kAlgorithmCount); i++) {
		const std::uint64_t at = kAlgorithms + kAlgorithmSize * i;

		algorithms[event.u16(at)] = event.u16(at + 2);
	}
	if (!algorithms.contains(kSha384) || algorithms[kSha384] != KAPI_SHA384_SIZE)
		throw Refused("the event log has no SHA-384");
	return algorithms;
}

struct Event {
	std::uint32_t measured_register, type;
	gmem::Sha384Digest digest{};
	bool has_digest = false;
};

Event read_event(Cursor &log, const Algorithms &algorithms)
{
	const std::uint64_t start = log.offset();
	Event event{ log.u32(), log.u32() };
	const std::uint32_t count = log.u32();

	for (std::uint32_t i = 0; i < count; i++) {
		const std::uint16_t algorithm = log.u16();
		const auto known = algorithms.find(algorithm);

		if (known == algorithms.end())
			throw Refused("the event at " + hex_number(start) + " has algorithm " +
				      hex_number(algorithm) + ", which is not in the log's list");

		const auto digest = log.take(known->second);

		if (algorithm == kSha384) {
			std::copy(digest.begin(), digest.end(), event.digest.begin());
			event.has_digest = true;
		}
	}
	log.take(log.u32()); /* what it is about */
	return event;
}

void extend(gmem::Sha384Digest &value, const gmem::Sha384Digest &digest)
{
	std::array<std::uint8_t, 2 * KAPI_SHA384_SIZE> both;

	std::copy(digest.begin(), digest.end(),
		  std::copy(value.begin(), value.end(), both.begin()));
	value = sha384(both);
}

} /* namespace */

EventLog replay(const Bytes &bytes)
{
	Cursor log(bytes);
	const Algorithms algorithms = read_algorithms(log);
	EventLog result;

	while (!log.at_end()) {
		const std::uint64_t start = log.offset();
		const Event event = read_event(log, algorithms);

		if (event.type == kNoAction)
			continue;
		/* Register 0 is MRTD, which nothing extends. */
		if (event.measured_register < 1 || event.measured_register > kRtmrs)
			throw Refused("the event at " + hex_number(start) + " is for register " +
				      std::to_string(event.measured_register) +
				      ", not 1 to 4 (RTMR0 to 3)");
		if (!event.has_digest)
			throw Refused("the event at " + hex_number(start) + " has no SHA-384");

		const unsigned rtmr = event.measured_register - 1;

		extend(result.rtmrs[rtmr], event.digest);
		result.events.push_back({ start, rtmr, event.type, event.digest });
	}
	return result;
}

} /* namespace measure */
