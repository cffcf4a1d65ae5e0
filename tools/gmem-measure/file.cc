// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that are given by name (file.h).
 */
#include "tools/gmem-measure/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/gmem-measure/refused.h"

namespace measure
{

namespace
{

class Descriptor {
    public:
	/* A name that a plain file has is opened at once, one of a FIFO, too. */
	Descriptor(const std::string &name, int flags)
		: name_(name), fd_(open(name.c_str(), flags | O_CLOEXEC, 0666))
	{
		if (fd_ < 0)
			fail("cannot be opened");
	}
	/* An open one; it stays open. */
	Descriptor(const std::string &name, int fd, std::nullptr_t) : name_(name), fd_(dup(fd)) {}
	~Descriptor() { close(fd_); }
	Descriptor(const Descriptor &) = delete;
	Descriptor &operator=(const Descriptor &) = delete;

	[[noreturn]] void refuse(const std::string &why) const
	{
		throw Refused(name_ + ": " + why);
	}
	[[noreturn]] void fail(const std::string &what) const
	{
		refuse(what + ": " + std::strerror(errno));
	}

	/* 0 for /dev/null. */
	std::uint64_t plain_size() const
	{
		struct stat facts;

		if (fstat(fd_, &facts))
			fail("cannot be looked at");
		if (S_ISCHR(facts.st_mode) && facts.st_rdev == makedev(1, 3))
			return 0;
		if (!S_ISREG(facts.st_mode))
			refuse("not a plain file");
		return static_cast<std::uint64_t>(facts.st_size);
	}

	/* What there is, @size bytes at the most. */
	template <class Bytes> void fill(Bytes &bytes, std::uint64_t size) const
	{
		bytes.resize(size);

		std::size_t done = 0;
		ssize_t got = 1;

		while (done < size && got) {
			got = read(fd_, bytes.data() + done, size - done);
			if (got < 0 && errno != EINTR)
				fail("cannot be read");
			done += got > 0 ? static_cast<std::size_t>(got) : 0;
		}
		bytes.resize(done);
	}

	void seek(std::uint64_t offset) const
	{
		if (lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0)
			fail("cannot be read there");
	}

	void put(const Contents &contents) const
	{
		for (std::size_t done = 0; done < contents.size();) {
			const ssize_t put = write(fd_, contents.data() + done,
						  contents.size() - done);

			if (put < 0 && errno != EINTR)
				fail("cannot be written");
			done += put > 0 ? static_cast<std::size_t>(put) : 0;
		}
		if (fsync(fd_) && errno != EINVAL && errno != EROFS)
			fail("cannot be written");
	}

    private:
	const std::string &name_;
	int fd_;
};

std::string too_large(std::uint64_t most)
{
	return "larger than " + std::to_string(most) + " bytes";
}

} /* namespace */

Contents read_file(const std::string &name, std::uint64_t most)
{
	const Descriptor file(name, O_RDONLY | O_NONBLOCK);
	const std::uint64_t size = file.plain_size();
	Contents contents;

	if (size > most)
		file.refuse(too_large(most));
	file.fill(contents, size);
	if (contents.size() != size)
		file.refuse("became shorter while it was read");
	return contents;
}

Contents read_page(const std::string &name, std::uint64_t offset)
{
	const Descriptor file(name, O_RDONLY | O_NONBLOCK);
	const std::uint64_t size = file.plain_size();
	Contents page;

	if (offset > size || size - offset < kPageSize)
		file.refuse("has no whole page at " + std::to_string(offset));
	file.seek(offset);
	file.fill(page, kPageSize);
	if (page.size() != kPageSize)
		file.refuse("became shorter while it was read");
	return page;
}

std::string read_text(const std::string &name, std::uint64_t most)
{
	static constexpr std::size_t kAtOnce = 1 << 20;
	const Descriptor file = name == "-" ? Descriptor(name, STDIN_FILENO, nullptr)
					    : Descriptor(name, O_RDONLY);
	std::string text, more;

	do {
		file.fill(more, kAtOnce);
		text += more;
		if (text.size() > most)
			file.refuse(too_large(most));
	} while (!more.empty());
	return text;
}

void write_file(const std::string &name, const Contents &contents)
{
	Descriptor(name, O_WRONLY | O_CREAT | O_TRUNC).put(contents);
}

} /* namespace measure */
