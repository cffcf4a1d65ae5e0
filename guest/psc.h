/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page state change of the GHCB's page protocol: the guest's buffer of entries, gone through
 * in ranges that user space converts one after another. Works on a copy of the buffer, whose
 * header and entries say how far it has come. Without KVM.
 */
#ifndef GMEM_GUEST_PSC_H
#define GMEM_GUEST_PSC_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace gmem
{

/* What the guest finds in info 2 in the end; 0: all is done. */
inline constexpr std::uint64_t kPscGeneric = 0x100ull << 32;
inline constexpr std::uint64_t kPscHeader = 1ull << 32 | 1, kPscEntry = 1ull << 32 | 2;

/* What comes next. */
struct PscStep {
	bool asks = false; /* user space, for a conversion; else it is over, with @result */
	std::uint64_t result = 0;
	std::uint64_t gpa = 0, pages = 0; /* of 4 KiB */
	bool is_private = false, huge = false;
};

class Psc {
    public:
	static constexpr std::size_t kHeaderSize = 8, kEntrySize = 8;

	/*
	 * @first and @count, the entries of the range that user space is at, are kept for it
	 * until the change is over, and are 0 at first. @buffer has a header at least.
	 */
	Psc(std::span<std::uint8_t> buffer, std::uint16_t &first, std::uint16_t &count)
		: buffer_(buffer), first_(first), count_(count)
	{
	}

	PscStep next();
	/* The range that next() has asked for is converted. To be asked again what is next. */
	void converted();
	/* What of the buffer may differ from the guest's, from its start on. */
	std::size_t changed() const;

    private:
	/* Of an entry: how many pages are done, which there are, what they become. */
	struct Entry {
		std::uint64_t done, gfn;
		unsigned operation;
		bool huge;
		std::uint64_t pages() const;
	};

	std::uint16_t at() const;
	std::uint16_t end() const;
	void set_at(unsigned at);
	Entry entry(unsigned nr) const;
	void set_done(unsigned nr, std::uint64_t pages);
	bool follows(const Entry &first, std::uint64_t pages, const Entry &entry) const;
	PscStep over(std::uint64_t result);

	const std::span<std::uint8_t> buffer_;
	std::uint16_t &first_, &count_;
};

} /* namespace gmem */

#endif /* GMEM_GUEST_PSC_H */
