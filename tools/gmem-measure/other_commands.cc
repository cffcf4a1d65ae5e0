// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands for TDX, and those about step lists (commands.h).
 */
#include <filesystem>

#include <nlohmann/json.hpp>

#include "tools/gmem-measure/commands.h"
#include "tools/gmem-measure/compare.h"
#include "tools/gmem-measure/event_log.h"
#include "tools/gmem-measure/predict.h"
#include "tools/gmem-measure/text.h"

namespace measure
{

namespace
{

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLogMost = 64 << 20;

EventLog read_log(const std::string &name)
{
	const Contents contents = read_file(name, kLogMost);

	return about(name, [&] { return replay({ contents, "the event log" }); });
}

std::string name_of_rtmr(unsigned rtmr)
{
	return "rtmr" + std::to_string(rtmr);
}

void put_rtmrs(Json &json, const EventLog &log)
{
	for (unsigned i = 0; i < kRtmrs; i++)
		json[name_of_rtmr(i)] = hex(log.rtmrs[i]);
}

void write_rtmrs(std::ostream &out, const EventLog &log)
{
	for (unsigned i = 0; i < kRtmrs; i++)
		out << name_of_rtmr(i) << "=" << hex(log.rtmrs[i]) << "\n";
}

Json json_of(const Firmware &firmware, const std::vector<TdvfSection> &sections)
{
	Json list = Json::array();

	for (const TdvfSection &section : sections)
		list.push_back({ { "type", name_of(section.type) },
				 { "gpa", hex_number(section.range.gpa) },
				 { "size", hex_number(section.range.size) },
				 { "extended", section.extended },
				 { "augmented", section.augmented } });
	return { { "size", hex_number(firmware.size()) }, { "sections", std::move(list) } };
}

} /* namespace */

int run_tdx(std::ostream &out, const TdxOptions &options)
{
	const Contents contents = read_file(options.ovmf, kFirmwareMost);
	const Firmware firmware = about(options.ovmf, [&] { return Firmware(contents); });
	const auto sections = about(options.ovmf, [&] { return read_tdvf(firmware); });
	const auto log = options.event_log ? std::optional{ read_log(*options.event_log) }
					   : std::nullopt;
	const TdxLaunch launch = predict_tdx(firmware, sections,
					     std::filesystem::absolute(options.ovmf).string());

	if (options.output == Output::Transcript) {
		write_steps(out, launch);
	} else if (options.output == Output::Json) {
		Json json{ { "kind", "tdx" }, { "digest", hex(digest_of(launch)) } };

		if (log)
			put_rtmrs(json, *log);
		json["firmware"] = json_of(firmware, sections);
		out << json.dump(1) << "\n";
	} else {
		out << hex(digest_of(launch)) << "\n";
		if (log)
			write_rtmrs(out, *log);
	}
	return kDone;
}

int run_rtmr(std::ostream &out, const std::string &name, Output output)
{
	const EventLog log = read_log(name);

	if (output == Output::Transcript) {
		for (const LogEvent &event : log.events)
			out << hex_number(event.offset) << " " << name_of_rtmr(event.rtmr)
			    << " type " << hex_number(event.type) << " " << hex(event.digest)
			    << "\n";
	} else if (output == Output::Json) {
		Json json = Json::object();

		put_rtmrs(json, log);
		out << json.dump(1) << "\n";
	} else {
		write_rtmrs(out, log);
	}
	return kDone;
}

int run_compare(std::ostream &out, const std::string &first, const std::string &second)
{
	const Launch a = read_steps_file(first), b = read_steps_file(second);

	if (compare(out, a, b))
		return kDone;
	out << "- " << hex(digest_of(a)) << "\n+ " << hex(digest_of(b)) << "\n";
	return kDiffers;
}

int run_steps(std::ostream &out, const std::string &name)
{
	out << hex(digest_of(read_steps_file(name))) << "\n";
	return kDone;
}

} /* namespace measure */
