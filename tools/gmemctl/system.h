/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What gmemctl reads of the machine, through /proc, /sys and the ioctl GMEM_GET_MAP. All
 * of it lies under a root that tests make themselves (GMEMCTL_ROOT).
 */
#ifndef GMEMCTL_SYSTEM_H
#define GMEMCTL_SYSTEM_H

#include <stdexcept>

#include "file.h"

namespace gmemctl
{

/* Statuses of the program; an interface (gmemctl(1)). */
enum class Exit {
	kFine = 0,
	kFound = 1, /* leaks found something, or check did */
	kUsage = 2,
	kNoModule = 3,
	kPermission = 4,
	kGone = 5, /* no such file, or it vanished */
	kVersion = 6, /* gmem.ko is too old for the command */
	kOutput = 7, /* it could not be written */
};

/* Ends the program with that status and, on standard error, those words. */
class Failure : public std::runtime_error {
    public:
	Failure(Exit exit, const std::string &what) : std::runtime_error(what), status(exit) {}

	const Exit status;
};

/* Files, and how many processes would not let us look. */
struct Scan {
	std::vector<File> files;
	unsigned hidden = 0;
};

class System {
    public:
	System();

	/* Throws kNoModule. */
	void require_module() const;
	Scan scan() const;
	/* Of all processes that a pid says. Throws kPermission, kGone. */
	File file(int pid, int fd) const;
	/* Throws kPermission, kGone, kVersion. */
	Map map(const File &file) const;
	/* The totals of debugfs. Throws kPermission. */
	std::map<std::string, std::uint64_t, std::less<>> totals() const;
	std::uint64_t now_ns() const;

	std::string path(std::string_view path) const { return root_ + std::string{ path }; }
	/* All of a file; nothing if it cannot be read: errno says why. */
	std::optional<std::string> read(const std::string &path) const;

    private:
	std::optional<File> read_file(const std::string &process, int pid,
				      const std::string &fd) const;
	bool scan_process(int pid, std::vector<File> &files) const;

	std::string root_;
};

} /* namespace gmemctl */

#endif /* GMEMCTL_SYSTEM_H */
