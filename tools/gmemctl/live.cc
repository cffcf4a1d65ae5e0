// SPDX-License-Identifier: GPL-2.0-only
#include "live.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

/* Functions, not macros: they have the names of strings'. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

namespace gmemctl
{

namespace
{

volatile std::sig_atomic_t interrupted;

void interrupt(int)
{
	interrupted = 1;
}

/* Without SA_RESTART, so that reading ends. */
void end_by_signals()
{
	struct sigaction action {};

	action.sa_handler = interrupt;
	for (const int signal : { SIGINT, SIGTERM, SIGHUP })
		sigaction(signal, &action, nullptr);
}

std::uint64_t small_of(const File &file)
{
	std::uint64_t pages = 0;

	for (const Reason &reason : reasons)
		pages += file.number(reason.counter);
	return pages;
}

double rate(std::uint64_t before, std::uint64_t now, double seconds)
{
	return (static_cast<double>(now) - static_cast<double>(before)) / seconds;
}

nlohmann::json to_json(const std::vector<Delta> &deltas)
{
	nlohmann::json all = nlohmann::json::array();

	for (const Delta &delta : deltas)
		all.push_back({ { "pid", delta.file.pid },
				{ "fd", delta.file.fd },
				{ "ino", delta.file.ino },
				{ "pages_s", delta.pages },
				{ "small_s", delta.small },
				{ "promotions_s", delta.promotions },
				{ "leaked_s", delta.leaked } });
	return all;
}

/* The terminal as a screen, for as long as this is there. */
class Curses {
    public:
	Curses()
	{
		initscr();
		cbreak();
		noecho();
		curs_set(0);
	}
	~Curses() { endwin(); }
	Curses(const Curses &) = delete;
	Curses &operator=(const Curses &) = delete;

	void show(const std::string &text) const
	{
		erase();
		mvaddnstr(0, 0, text.c_str(), -1);
		refresh();
	}
	/* A key, or ERR after @ms. */
	int key(int ms) const
	{
		timeout(ms);
		return getch();
	}
};

/* Busiest by what @key stands for. */
void sort_by(std::vector<Delta> &deltas, int key)
{
	const auto value = [key](const Delta &delta) {
		return key == 's'   ? delta.small
		       : key == 'm' ? delta.promotions
		       : key == 'l' ? delta.leaked
				    : std::abs(delta.pages);
	};

	std::stable_sort(deltas.begin(), deltas.end(),
			 [&](const Delta &a, const Delta &b) { return value(a) > value(b); });
}

/* Whether to go on. */
bool pause_for(double seconds, const Curses *screen, int &sorted)
{
	if (!screen) {
		std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
		return !interrupted;
	}

	const int key = screen->key(static_cast<int>(seconds * 1000));

	if (key != ERR && std::strchr("psml", key))
		sorted = key;
	return key != 'q' && !interrupted;
}

/* An instance of tracefs of our own, so that nobody else's tracing is disturbed. */
class Instance {
    public:
	explicit Instance(const System &system)
		: path_(system.path(
			  fmt::format("/sys/kernel/tracing/instances/gmemctl.{}", getpid())))
	{
		if (mkdir(path_.c_str(), 0700))
			throw Failure(errno == EACCES || errno == EPERM ? Exit::kPermission
									: Exit::kGone,
				      fmt::format("{}: {} (events needs root, and tracefs)", path_,
						  std::strerror(errno)));
	}
	~Instance() { rmdir(path_.c_str()); }
	Instance(const Instance &) = delete;
	Instance &operator=(const Instance &) = delete;

	void enable(const std::string &event) const
	{
		const std::string name = event.empty() ? "gmem" : "gmem/gmem_" + event;
		std::ofstream file{ fmt::format("{}/events/{}/enable", path_, name) };

		if (!(file << "1" << std::flush))
			throw Failure(Exit::kUsage, fmt::format("no event {}", event));
	}
	int pipe() const { return open((path_ + "/trace_pipe").c_str(), O_RDONLY | O_CLOEXEC); }

    private:
	const std::string path_;
};

/* "comm-PID [CPU] FLAGS TIME: gmem_NAME: FIELD=VALUE ..." */
nlohmann::json event_to_json(const std::string &line)
{
	const std::size_t name = line.find(": gmem_");
	nlohmann::json event = { { "text", line } };

	if (name == line.npos)
		return event;

	const std::size_t end = line.find(':', name + 2);
	const std::size_t time = line.rfind(' ', name);

	event["time_s"] = std::strtod(line.c_str() + time, nullptr);
	event["event"] = line.substr(name + 2, end - name - 2);
	for (std::size_t at = end; (at = line.find_first_not_of(": ", at)) != line.npos;) {
		const std::size_t stop = std::min(line.find(' ', at), line.size());
		const std::string word = line.substr(at, stop - at);
		const std::size_t equals = word.find('=');

		if (equals != word.npos)
			event["fields"][word.substr(0, equals)] = word.substr(equals + 1);
		at = stop;
	}
	event.erase("text");
	return event;
}

} /* namespace */

std::vector<Delta> deltas(const std::vector<File> &before, const std::vector<File> &now,
			  double seconds)
{
	std::vector<Delta> deltas;

	for (const File &file : now) {
		const auto old = std::find_if(before.begin(), before.end(), [&](const File &other) {
			return other.pid == file.pid && other.fd == file.fd &&
			       other.ino == file.ino;
		});
		const File &base = old == before.end() ? file : *old;

		deltas.push_back(
			{ file, rate(base.pages(), file.pages(), seconds),
			  rate(small_of(base), small_of(file), seconds),
			  rate(base.number("promotions"), file.number("promotions"), seconds),
			  rate(base.number("leaked"), file.number("leaked"), seconds) });
	}
	sort_by(deltas, 'p');
	return deltas;
}

std::string top_text(const std::vector<Delta> &deltas, const Screen &screen)
{
	static const std::vector<Column> columns{
		{ "PID:FD", false, 9 },	 { "COMMAND", true, 7 },     { "SIZE", false, 5 },
		{ "PRESENT", false, 6 }, { "2M%", false, 4 },	     { "PAGES/s", false, 8 },
		{ "SMALL/s", false, 3 }, { "PROMOTED/s", false, 2 }, { "LEAKED/s", false, 1 },
	};
	std::vector<Row> rows;

	for (const Delta &delta : deltas)
		rows.push_back(
			{ fmt::format("{}:{}", delta.file.pid, delta.file.fd),
			  printable(delta.file.command, screen.utf8), bytes(delta.file.size()),
			  bytes(delta.file.present()), fmt::format("{}", delta.file.share_2m()),
			  fmt::format("{:+.0f}", delta.pages), fmt::format("{:.0f}", delta.small),
			  fmt::format("{:.0f}", delta.promotions),
			  fmt::format("{:.0f}", delta.leaked) });
	return table(columns, rows, screen);
}

void top(const System &system, double interval, unsigned count, bool json)
{
	const bool terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) && !json && !count;
	std::unique_ptr<Curses> curses;
	std::vector<File> before = system.scan().files;
	int sorted = 'p';

	end_by_signals();
	if (terminal)
		curses = std::make_unique<Curses>();
	for (unsigned n = 0; (!count || n < count) && pause_for(interval, curses.get(), sorted);
	     n++) {
		std::vector<File> now = system.scan().files;
		std::vector<Delta> changes = deltas(before, now, interval);

		sort_by(changes, sorted);
		if (curses)
			curses->show(
				top_text(changes, screen_of_output()) +
				"\nq: quit; sort by p: pages, s: small, m: promotions, l: leaked");
		else
			put(json ? text_of(to_json(changes))
				 : top_text(changes, screen_of_output()));
		before = std::move(now);
	}
}

void events(const System &system, const std::string &event, unsigned count, bool json)
{
	const Instance instance{ system };
	std::string rest;
	char buffer[4096];
	ssize_t length = 0;
	unsigned seen = 0;

	end_by_signals();
	instance.enable(event);

	const int pipe = instance.pipe();

	while (!interrupted && (!count || seen < count) &&
	       (length = read(pipe, buffer, sizeof(buffer))) > 0) {
		rest.append(buffer, static_cast<std::size_t>(length));
		for (std::size_t end;
		     (!count || seen < count) && (end = rest.find('\n')) != rest.npos; seen++) {
			const std::string line = rest.substr(0, end);

			rest.erase(0, end + 1);
			put(json ? text_of(event_to_json(line), -1) : line + '\n');
		}
	}
	close(pipe);
}

} /* namespace gmemctl */
