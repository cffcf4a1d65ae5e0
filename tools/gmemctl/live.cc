// SPDX-License-Identifier: GPL-2.0-only
#include "live.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

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
	std::string rest;
	char buffer[4096];
	ssize_t length = 0;
	unsigned seen = 0;

	end_by_signals();
	instance.enable(event);

	const int pipe = instance.pipe();

	while (!interrupted() && (!count || seen < count) &&
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
