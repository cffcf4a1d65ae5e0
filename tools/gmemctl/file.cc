// SPDX-License-Identifier: GPL-2.0-only
#include "file.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

namespace gmemctl
{

const std::array<Reason, kReasons> reasons{ {
	{ "not", "", "mapped with the 2 MiB around them", "" },
	{ "memory", "fallback_memory", "no block of 2 MiB was to be had and paid for",
	  "more free memory in one piece (compact_memory, an earlier start), or a higher "
	  "memory.max" },
	{ "place", "fallback_place", "no whole run fits there",
	  "align memslots and offsets alike to 2 MiB, and allocate whole runs" },
	{ "mixed", "fallback_shared", "a part of the run is shared and another private",
	  "convert in units of 2 MiB" },
	{ "partial", "fallback_partial", "the run lacks pages, or had others before",
	  "punch and fill whole runs; promotion (promotion_mib=) joins runs that are complete" },
	{ "poisoned", "fallback_poisoned", "a page of the run is lost to memory failure",
	  "punch the lost page; the memory module wants a look" },
	{ "platform", "fallback_platform", "the platform did not take all of the run at once",
	  "populate nothing in runs that should be huge, or whole runs" },
	{ "policy", "fallback_policy", "the file has no huge runs",
	  "load with huge=always, or make it with GMEM_FLAG_HUGE" },
} };

const Reason &reason(unsigned number)
{
	static const Reason unknown{ "unknown", "", "this gmemctl does not know why", "update it" };

	/* cppcheck-suppress returnTempReference */
	return number < reasons.size() ? reasons[number] : unknown;
}

std::uint64_t File::number(std::string_view name) const
{
	const auto line = lines.find(name);
	std::uint64_t value = 0;

	if (line != lines.end())
		std::from_chars(line->second.data(), line->second.data() + line->second.size(),
				value);
	return value;
}

std::string File::text(std::string_view name) const
{
	const auto line = lines.find(name);

	return line == lines.end() ? "-" : line->second;
}

unsigned File::share_2m() const
{
	return pages() ? std::min<std::uint64_t>(100, number("runs_2m") * kRunPages * 100 / pages())
		       : 0;
}

unsigned File::share_1g() const
{
	return pages() ? std::min<std::uint64_t>(100, number("runs_1g") * kRunPages * kRunPages *
							      100 / pages())
		       : 0;
}

const char *File::type() const
{
	static constexpr std::array<const char *, 6> names{ "default", "sw-protected", "sev",
							    "sev-es",  "snp",	       "tdx" };
	const std::uint64_t type = number("vm_type");

	return type < names.size() ? names[type] : "unknown";
}

std::optional<File> parse(std::string_view fdinfo)
{
	File file;

	while (!fdinfo.empty()) {
		const std::string_view line = fdinfo.substr(0, fdinfo.find('\n'));
		const std::size_t colon = line.find(":\t");

		fdinfo.remove_prefix(std::min(fdinfo.size(), line.size() + 1));
		if (colon == line.npos)
			continue;

		std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);

		while (!value.empty() && value.back() == ' ')
			value.remove_suffix(1);
		if (name == "ino")
			std::from_chars(value.data(), value.data() + value.size(), file.ino);
		if (name.starts_with("gmem_"))
			file.lines.emplace(name.substr(5), value);
	}
	if (!file.lines.contains("pages"))
		return {};
	return file;
}

nlohmann::json to_json(const File &file, std::uint64_t now_ns)
{
	const std::uint64_t created = file.number("created_ns");
	nlohmann::json nodes = nlohmann::json::object(), small = nlohmann::json::object();
	std::string_view rest = file.lines.contains("nodes")
					? std::string_view{ file.lines.find("nodes")->second }
					: std::string_view{};

	while (!rest.empty()) {
		const std::string word{ rest.substr(0, rest.find(' ')) };
		const std::size_t equals = word.find('=');

		rest.remove_prefix(std::min(rest.size(), word.size() + 1));
		if (word.starts_with('N') && equals != word.npos)
			nodes[word.substr(1, equals - 1)] =
				std::strtoull(word.c_str() + equals + 1, nullptr, 10) * kPage;
	}
	for (unsigned i = 1; i < kReasons; i++)
		small[reasons[i].name] = file.number(reasons[i].counter);
	return { { "pid", file.pid },
		 { "fd", file.fd },
		 { "command", file.command },
		 { "ino", file.ino },
		 { "vm", file.number("vm") },
		 { "vm_type", file.type() },
		 { "platform", file.text("platform") },
		 { "size", file.size() },
		 { "private", file.private_bytes() },
		 { "shared", file.shared() },
		 { "holes", file.holes() },
		 { "share_2m", file.share_2m() },
		 { "share_1g", file.share_1g() },
		 { "nodes", nodes },
		 { "cgroup", file.text("cgroup") },
		 { "age_s", now_ns > created ? (now_ns - created) / 1000000000 : 0 },
		 { "open", file.number("open") != 0 },
		 { "bound", file.number("bound") != 0 },
		 { "mappable", file.number("mappable") != 0 },
		 { "huge", file.number("huge") != 0 },
		 { "promotions", file.number("promotions") },
		 { "leaked", file.number("leaked") * kPage },
		 { "small_pages", small } };
}

Kind kind_of(const gmem_map_run &run)
{
	if (run.lost)
		return Kind::kLost;
	if (!run.present)
		return Kind::kAbsent;
	if (run.shared && run.shared != run.present)
		return Kind::kMixed;
	if (run.shared)
		return run.order ? Kind::kSharedHuge : Kind::kSharedSmall;
	return run.order ? Kind::kPrivateHuge : Kind::kPrivateSmall;
}

std::array<std::uint64_t, kReasons> small_pages(const Map &map)
{
	std::array<std::uint64_t, kReasons> pages{};

	for (const gmem_map_run &run : map) {
		if (run.small < kReasons)
			pages[run.small] += run.present;
	}
	return pages;
}

nlohmann::json to_json(const Map &map)
{
	nlohmann::json runs = nlohmann::json::array();

	for (const gmem_map_run &run : map)
		runs.push_back({ { "present", run.present },
				 { "shared", run.shared },
				 { "lost", run.lost },
				 { "node", run.node },
				 { "order", run.order },
				 { "small", reason(run.small).name } });
	return runs;
}

} /* namespace gmemctl */
