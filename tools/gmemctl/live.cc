// SPDX-License-Identifier: GPL-2.0-only
#include "live.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <regex>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "screen.h"

namespace gmemctl
{

namespace
{

volatile std::sig_atomic_t was_interrupted;

void interrupt(int)
{
	was_interrupted = 1;
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
	std::string pipe() const { return path_ + "/trace_pipe"; }

    private:
	const std::string path_;
};

/* The instance can be removed only when this is closed. */
class Pipe {
    public:
	explicit Pipe(const std::string &path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
	~Pipe() { close(fd_); }
	Pipe(const Pipe &) = delete;
	Pipe &operator=(const Pipe &) = delete;

	ssize_t read(char *to, std::size_t size) const { return ::read(fd_, to, size); }

    private:
	const int fd_;
};

/* Longer than a name can be: what the kernel has put there, from behind the name on. */
const std::regex &behind_name()
{
	static const std::regex pattern{
		R"(-\d+ +(?:\([- \d]+\) +)?\[\d+\] \S+ +(\d+\.\d+): (gmem_\w+): ?([^:]*)$)"
	};

	return pattern;
}

nlohmann::json event_to_json(const std::smatch &found)
{
	const std::string line = found[3];
	nlohmann::json event = { { "time_s", std::strtod(found[1].str().c_str(), nullptr) },
				 { "event", found[2].str() } };

	for (std::size_t at = 0; (at = line.find_first_not_of(' ', at)) != line.npos;) {
		const std::size_t stop = std::min(line.find(' ', at), line.size());
		const std::string word = line.substr(at, stop - at);
		const std::size_t equals = word.find('=');

		if (equals != word.npos)
			event["fields"][word.substr(0, equals)] = word.substr(equals + 1);
		at = stop;
	}
	return event;
}

} /* namespace */

std::string EventLines::add(const std::string &line)
{
	static const std::regex lost{ R"(CPU:\d+ \[LOST \d+ EVENTS\])" };
	std::smatch found;

	if (std::regex_match(line, lost))
		return json_ ? text_of({ { "text", line } }, -1) : line + '\n';
	if (!std::regex_search(line, found, behind_name())) {
		/* The front of a name. A name has 15 bytes, some of which may end lines. */
		front_ = (front_ + line + '\n').substr(0, kFrontMax);
		return "";
	}

	const std::string whole = front_ + line;

	front_.clear();
	return json_ ? text_of(event_to_json(found), -1) : printable(whole, utf8_) + '\n';
}

void end_by_signals()
{
	struct sigaction action {};

	/* Without SA_RESTART, so that reading ends. */
	action.sa_handler = interrupt;
	for (const int signal : { SIGINT, SIGTERM, SIGHUP })
		sigaction(signal, &action, nullptr);
}

bool interrupted()
{
	return was_interrupted;
}

void events(const System &system, const std::string &event, unsigned count, bool json)
{
	const Instance instance{ system };
	EventLines lines{ json, screen_of_output().utf8 };
	std::string rest;
	char buffer[4096];
	ssize_t length = 0;
	unsigned seen = 0;

	end_by_signals();
	instance.enable(event);

	const Pipe pipe{ instance.pipe() };

	while (!interrupted() && (!count || seen < count) &&
	       (length = pipe.read(buffer, sizeof(buffer))) > 0) {
		rest.append(buffer, static_cast<std::size_t>(length));
		for (std::size_t end;
		     (!count || seen < count) && (end = rest.find('\n')) != rest.npos;) {
			const std::string shown = lines.add(rest.substr(0, end));

			rest.erase(0, end + 1);
			seen += !shown.empty();
			put(shown);
		}
	}
}

} /* namespace gmemctl */
