// SPDX-License-Identifier: GPL-2.0-only
#include "system.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gmemctl
{

namespace
{

/* What /proc/PID/fd has for files of gmem.ko, and of the stock backend. */
constexpr std::string_view kName = "[kvm-gmem]";

class Descriptor {
    public:
	explicit Descriptor(int fd) : fd_(fd) {}
	~Descriptor()
	{
		if (fd_ >= 0)
			close(fd_);
	}
	Descriptor(const Descriptor &) = delete;
	Descriptor &operator=(const Descriptor &) = delete;

	operator int() const { return fd_; }

    private:
	const int fd_;
};

constexpr std::uint64_t kMapRuns = 1 << 21;

struct CloseDirectory {
	void operator()(DIR *directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/* The number that @name is; -1: it is none. */
int number_of(const char *name)
{
	char *end;
	const long number = std::strtol(name, &end, 10);

	return *name >= '0' && *name <= '9' && !*end && number <= 0x7fffffff
		       ? static_cast<int>(number)
		       : -1;
}

[[noreturn]] void fail_on(int error, const std::string &what)
{
	if (error == EACCES || error == EPERM)
		throw Failure(Exit::kPermission,
			      what + ": not permitted; be the process's user, or root");
	if (error == ENOTTY)
		throw Failure(Exit::kVersion, what + ": this gmem.ko is older than gmemctl");
	throw Failure(Exit::kGone, what + ": " + std::strerror(error));
}

} /* namespace */

System::System()
{
	const char *const root = std::getenv("GMEMCTL_ROOT");

	root_ = root ? root : "";
}

void System::require_module() const
{
	if (access(path("/sys/module/gmem").c_str(), F_OK))
		throw Failure(Exit::kNoModule, "gmem.ko is not loaded (gmemctl check says whether "
					       "this machine is fit for it)");
}

std::optional<std::string> System::read(const std::string &path) const
{
	const Descriptor fd{ open(path.c_str(), O_RDONLY | O_CLOEXEC) };
	std::string all;
	char buffer[8192];
	ssize_t length;

	if (fd < 0)
		return {};
	while ((length = ::read(fd, buffer, sizeof(buffer))) > 0)
		all.append(buffer, static_cast<std::size_t>(length));
	if (length < 0)
		return {};
	return all;
}

std::optional<File> System::read_file(const std::string &process, int pid,
				      const std::string &fd) const
{
	const std::optional<std::string> text = read(process + "/fdinfo/" + fd);
	std::optional<File> file = text ? parse(*text) : std::nullopt;

	if (!file)
		return {};
	file->pid = pid;
	file->fd = number_of(fd.c_str());
	file->command = read(process + "/comm").value_or("?");
	if (!file->command.empty() && file->command.back() == '\n')
		file->command.pop_back();
	return file;
}

/* False: it does not let us look. One that has gone has no files. */
bool System::scan_process(int pid, std::vector<File> &files) const
{
	const std::string process = path(fmt::format("/proc/{}", pid));
	const Directory directory{ opendir((process + "/fd").c_str()) };
	char target[64];

	if (!directory)
		return errno != EACCES && errno != EPERM;
	while (const dirent *const entry = readdir(directory.get())) {
		const ssize_t length = readlinkat(dirfd(directory.get()), entry->d_name, target,
						  sizeof(target));

		if (length <= 0 ||
		    std::string_view{ target, static_cast<std::size_t>(length) }.find(kName) ==
			    std::string_view::npos)
			continue;
		if (std::optional<File> file = read_file(process, pid, entry->d_name))
			files.push_back(std::move(*file));
	}
	return true;
}

Scan System::scan() const
{
	const Directory directory{ opendir(path("/proc").c_str()) };
	Scan scan;

	if (!directory)
		fail_on(errno, "/proc");
	while (const dirent *const entry = readdir(directory.get())) {
		const int pid = number_of(entry->d_name);

		if (pid > 0 && !scan_process(pid, scan.files))
			scan.hidden++;
	}
	return scan;
}

File System::file(int pid, int fd) const
{
	const std::string process = path(fmt::format("/proc/{}", pid));
	const std::string what = fmt::format("{}:{}", pid, fd);
	const std::string name = fmt::format("{}", fd);

	if (!read(process + "/fdinfo/" + name))
		fail_on(errno, what);

	std::optional<File> file = read_file(process, pid, name);

	if (!file)
		throw Failure(Exit::kGone, what + ": not a guest_memfd of gmem.ko");
	if (!file->known())
		throw Failure(Exit::kVersion, what + ": this gmem.ko is older than gmemctl");
	return *file;
}

Map System::map(const File &file) const
{
	const std::string what = fmt::format("{}:{}", file.pid, file.fd);
	const std::uint64_t runs = (file.size() + kPage * kRunPages - 1) / (kPage * kRunPages);

	/* Its owner need not have a page of it. */
	if (runs > kMapRuns)
		throw Failure(Exit::kUsage, fmt::format("{}: no maps of more than {} TiB are drawn",
							what, kMapRuns * kRunPages * kPage >> 40));

	Map map(runs);

	if (!root_.empty()) {
		const std::optional<std::string> canned = read(path("/map/" + what));

		if (!canned)
			fail_on(errno, what);
		map.resize(std::min(map.size(), canned->size() / sizeof(map[0])));
		std::memcpy(map.data(), canned->data(), map.size() * sizeof(map[0]));
		return map;
	}

	const Descriptor process{ static_cast<int>(syscall(SYS_pidfd_open, file.pid, 0)) };

	if (process < 0)
		fail_on(errno, what);

	const Descriptor fd{ static_cast<int>(
		syscall(SYS_pidfd_getfd, int{ process }, file.fd, 0)) };

	if (fd < 0)
		fail_on(errno, what);

	struct stat status;

	/* Meanwhile the process may have put another there. */
	if (fstat(fd, &status) || status.st_ino != file.ino)
		throw Failure(Exit::kGone, what + ": another file now");

	gmem_get_map args{ .offset = 0,
			   .runs = reinterpret_cast<std::uintptr_t>(map.data()),
			   .count = static_cast<__u32>(map.size()),
			   .flags = 0 };

	if (!map.empty() && ioctl(fd, GMEM_GET_MAP, &args))
		fail_on(errno, what);
	map.resize(args.count);
	return map;
}

std::map<std::string, std::uint64_t, std::less<>> System::totals() const
{
	const std::string name = "/sys/kernel/debug/gmem/stats";
	const std::optional<std::string> text = read(path(name));
	std::map<std::string, std::uint64_t, std::less<>> totals;

	if (!text)
		fail_on(errno, name);
	for (std::string_view rest = *text; !rest.empty();) {
		const std::string_view line = rest.substr(0, rest.find('\n'));
		const std::size_t space = line.find(' ');

		rest.remove_prefix(std::min(rest.size(), line.size() + 1));
		if (space != line.npos)
			totals.emplace(line.substr(0, space),
				       std::strtoull(std::string{ line.substr(space) }.c_str(),
						     nullptr, 10));
	}
	return totals;
}

std::uint64_t System::now_ns() const
{
	if (const char *const canned = std::getenv("GMEMCTL_NOW_NS"))
		return std::strtoull(canned, nullptr, 10);

	timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

} /* namespace gmemctl */
