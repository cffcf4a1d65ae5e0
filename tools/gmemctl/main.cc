// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmemctl(1): what the guest memory of gmem.ko's files is doing.
 */
#include <algorithm>
#include <charconv>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "check.h"
#include "live.h"
#include "output.h"
#include "top.h"

namespace
{

using namespace gmemctl;

struct Options {
	bool json = false, svg = false;
	std::string sort = "size", file, event;
	std::vector<std::string> filters;
	double interval = 1;
	unsigned count = 0;
};

void note(const std::string &text)
{
	fmt::print(stderr, "gmemctl: {}\n", text);
}

std::uint64_t sort_key(const File &file, const std::string &by)
{
	if (by == "private")
		return file.private_bytes();
	if (by == "shared")
		return file.shared();
	if (by == "holes")
		return file.holes();
	if (by == "huge")
		return file.share_2m();
	if (by == "age")
		return ~file.number("created_ns");
	if (by == "pid")
		return ~static_cast<std::uint64_t>(file.pid);
	return file.size();
}

bool matches(const File &file, const std::string &filter)
{
	const std::size_t equals = filter.find('=');
	const std::string key = filter.substr(0, equals);
	const std::string value = equals == filter.npos ? "" : filter.substr(equals + 1);

	if (key == "pid")
		return fmt::format("{}", file.pid) == value;
	if (key == "command")
		return file.command == value;
	if (key == "type")
		return file.type() == value;
	if (key == "platform")
		return file.text("platform") == value;
	if (key == "cgroup")
		return file.text("cgroup").starts_with(value);
	throw Failure(Exit::kUsage, "--filter takes pid=, command=, type=, platform= or cgroup=");
}

/* All that can be seen; says what cannot. */
std::vector<File> files_of(const System &system)
{
	system.require_module();

	Scan scan = system.scan();

	if (scan.hidden)
		note(fmt::format("{} processes of others were not looked at; root can",
				 scan.hidden));
	if (std::any_of(scan.files.begin(), scan.files.end(),
			[](const File &file) { return !file.known(); }))
		throw Failure(Exit::kVersion, "this gmem.ko is older than gmemctl");
	return std::move(scan.files);
}

int run_list(const System &system, const Options &options)
{
	std::vector<File> files = files_of(system);
	nlohmann::json all = nlohmann::json::array();

	/* Also where there is no file. */
	for (const std::string &filter : options.filters)
		matches(File{}, filter);
	std::erase_if(files, [&](const File &file) {
		return !std::all_of(
			options.filters.begin(), options.filters.end(),
			[&](const std::string &filter) { return matches(file, filter); });
	});
	std::stable_sort(files.begin(), files.end(), [&](const File &a, const File &b) {
		return sort_key(a, options.sort) > sort_key(b, options.sort);
	});
	for (const File &file : files) {
		if (options.json)
			all.push_back(to_json(file, system.now_ns()));
	}
	put(options.json ? text_of(all) : list(files, system.now_ns(), screen_of_output()));
	return 0;
}

/* Each of them takes some 840 bytes as JSON. */
constexpr std::size_t kJsonRuns = 1 << 19;

File file_named(const System &system, const std::string &name)
{
	const char *const last = name.data() + name.size();
	int pid = 0, fd = -1;
	const auto process = std::from_chars(name.data(), last, pid);
	const bool both = process.ec == std::errc{} && process.ptr != last && *process.ptr == ':';
	const auto descriptor = std::from_chars(both ? process.ptr + 1 : last, last, fd);

	if (descriptor.ec != std::errc{} || descriptor.ptr != last || pid < 1 || fd < 0)
		throw Failure(Exit::kUsage, name + ": not PID:FD");
	system.require_module();
	return system.file(pid, fd);
}

int run_show(const System &system, const Options &options)
{
	const File file = file_named(system, options.file);
	const Map map = system.map(file);

	if (options.svg) {
		put(svg(map, fmt::format("guest_memfd {}", options.file)));
	} else if (options.json) {
		nlohmann::json shown = to_json(file, system.now_ns());

		if (map.size() > kJsonRuns)
			throw Failure(Exit::kUsage,
				      fmt::format("{}: --json has no room for more than {}",
						  options.file,
						  bytes(kJsonRuns * kRunPages * kPage)));
		shown["runs"] = to_json(map);
		put(text_of(shown));
	} else {
		const Screen screen = screen_of_output();

		put(list({ file }, system.now_ns(), screen) + draw(map, screen));
	}
	return 0;
}

int run_why(const System &system, const Options &options)
{
	const File file = file_named(system, options.file);
	const std::array<std::uint64_t, kReasons> now = small_pages(system.map(file));
	nlohmann::json all = nlohmann::json::array();
	std::string text = fmt::format("{} of {} are there, {}% of that in blocks of 2 MiB\n",
				       bytes(file.present()), bytes(file.size()), file.share_2m());

	for (unsigned i = 1; i < kReasons; i++) {
		const Reason &why = reasons[i];
		const std::uint64_t since = file.number(why.counter);

		all.push_back({ { "reason", why.name },
				{ "pages_now", now[i] },
				{ "pages_since_made", since },
				{ "because", why.because },
				{ "help", why.help } });
		if (now[i] || since)
			text += fmt::format(
				"{}: {} now, {} since it was made\n  {}\n  what helps: {}\n",
				why.name, bytes(now[i] * kPage), bytes(since * kPage), why.because,
				why.help);
	}
	put(options.json ? text_of(all) : text);
	return 0;
}

/* Memory that nobody uses, or nobody has. */
int run_leaks(const System &system, const Options &options)
{
	const std::vector<File> files = files_of(system);
	nlohmann::json found = nlohmann::json::array();
	std::string text;
	std::set<std::uint64_t> seen;
	std::uint64_t pages = 0;
	const auto add = [&](const char *kind, const std::string &name, std::uint64_t size) {
		found.push_back({ { "kind", kind }, { "file", name }, { "bytes", size } });
		text += fmt::format("{}: {} {}\n", kind, name, bytes(size));
	};

	for (const File &file : files) {
		const std::string name = fmt::format("{}:{}", file.pid, file.fd);

		if (!seen.insert(file.ino).second)
			continue;
		pages += file.pages();
		if (file.number("leaked"))
			add("never freed", name, file.number("leaked") * kPage);
		if (file.pages() && file.number("open") && !file.number("bound") &&
		    !file.number("mappable"))
			add("no memslot shows it", name, file.present());
	}

	const auto totals = system.totals();
	const auto total = totals.find("pages");

	if (total != totals.end() && total->second > pages)
		add("no descriptor of it was found", "(mapped, in flight, or hidden)",
		    (total->second - pages) * kPage);
	put(options.json ? text_of(found) : text);
	return found.empty() ? 0 : static_cast<int>(Exit::kFound);
}

int run_check(const System &system, const Options &options)
{
	const std::vector<Finding> findings = check(system);
	nlohmann::json all = nlohmann::json::array();
	std::vector<Row> rows;
	bool bad = false;

	for (const Finding &finding : findings) {
		bad = bad || finding.verdict == Verdict::kBad;
		all.push_back({ { "what", finding.what },
				{ "verdict", word(finding.verdict) },
				{ "details", finding.details } });
		rows.push_back({ finding.what, word(finding.verdict), finding.details });
	}
	put(options.json ? text_of(all)
			 : table({ { "WHAT", true, 3 }, { "IS", true, 2 }, { "DETAILS", true, 1 } },
				 rows, screen_of_output()));
	return bad ? static_cast<int>(Exit::kFound) : 0;
}

int run_top(const System &system, const Options &options)
{
	files_of(system);
	top(system, options.interval, options.count, options.json);
	return 0;
}

int run_events(const System &system, const Options &options)
{
	system.require_module();
	events(system, options.event, options.count, options.json);
	return 0;
}

using Command = int (*)(const System &, const Options &);

CLI::App *add(CLI::App &app, Options &options, Command &command, Command runs, const char *name,
	      const char *help)
{
	CLI::App *const sub = app.add_subcommand(name, help);

	sub->add_flag("--json", options.json, "JSON instead of text");
	sub->callback([&command, runs] { command = runs; });
	return sub;
}

void describe(CLI::App &app, Options &options, Command &command)
{
	app.require_subcommand(1);
	app.set_version_flag("--version", GMEM_VERSION);

	CLI::App *sub = add(app, options, command, run_list, "list", "one line a file");
	sub->add_option("--sort", options.sort, "largest first")
		->check(CLI::IsMember(
			{ "size", "private", "shared", "holes", "huge", "age", "pid" }));
	sub->add_option("--filter", options.filters, "KEY=VALUE, all of them must match");
	sub = add(app, options, command, run_show, "show", "a file's map");
	sub->add_option("file", options.file, "PID:FD")->required();
	sub->add_flag("--svg", options.svg, "the map as SVG");
	sub = add(app, options, command, run_why, "why", "why pages of a file are small");
	sub->add_option("file", options.file, "PID:FD")->required();
	add(app, options, command, run_leaks, "leaks", "memory that nobody uses (root)");
	add(app, options, command, run_check, "check", "is this machine fit for gmem.ko");
	sub = add(app, options, command, run_top, "top", "what changes, a second");
	sub->add_option("--interval", options.interval, "seconds")->check(CLI::Range(0.1, 3600.0));
	sub->add_option("--count", options.count, "so many times, as text");
	sub = add(app, options, command, run_events, "events", "follows the tracepoints (root)");
	sub->add_option("event", options.event, "only this one: create, bind, fault, ...");
	sub->add_option("--count", options.count, "ends after so many");
}

} /* namespace */

int main(int argc, char **argv)
{
	CLI::App app{ "What the guest memory of gmem.ko's files is doing; see gmemctl(1)" };
	Options options;
	Command command = nullptr;

	std::signal(SIGPIPE, SIG_IGN);
	/* Before curses begins, which asks for it. */
	std::setlocale(LC_CTYPE, "");
	describe(app, options, command);
	try {
		try {
			app.parse(argc, argv);
		} catch (const CLI::ParseError &error) {
			std::ostringstream out, words;
			const int status = app.exit(error, out, words);

			put(out.str());
			std::fputs(words.str().c_str(), stderr);
			return status ? static_cast<int>(Exit::kUsage) : 0;
		}
		return command(System{}, options);
	} catch (const Failure &failure) {
		if (*failure.what())
			note(failure.what());
		return static_cast<int>(failure.status);
	}
}
