// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk (walk.h).
 */
#include "mmu/walk.h"

#include "kapi/constants.h"

namespace gmem
{

namespace
{

/* Bits of entries of either size. */
constexpr std::uint64_t kPresent = 1 << 0;
constexpr std::uint64_t kWritable = 1 << 1;
constexpr std::uint64_t kUser = 1 << 2;
constexpr std::uint64_t kAccessed = 1 << 5;
constexpr std::uint64_t kDirty = 1 << 6;
constexpr std::uint64_t kLarge = 1 << 7;
/* Of 8 bytes alone. */
constexpr std::uint64_t kNoExecute = 1ull << 63;
constexpr std::uint64_t kFrame = 0x000ffffffffff000;

constexpr unsigned kPageBits = 12;
/* Somebody may change an entry under the walk, so often at most. */
constexpr int kTries = 16;

class Walk {
    public:
	Walk(GuestTables &tables, const kapi_paging &paging, std::uint64_t addr,
	     std::uint64_t access)
		: tables_(tables), paging_(paging), addr_(addr), access_(access)
	{
	}

	/* -EAGAIN: an entry has changed meanwhile. */
	Result<Translation> run();

    private:
	bool wide() const { return paging_.levels > 2; }
	unsigned entry_size() const { return wide() ? 8 : 4; }
	unsigned bits() const { return wide() ? 9 : 10; }
	/* The top table with three levels has four entries without rights. */
	bool is_top_of_three(unsigned level) const { return paging_.levels == 3 && level == 3; }
	unsigned shift(unsigned level) const { return kPageBits + (level - 1) * bits(); }
	bool is_last(unsigned level, std::uint64_t entry) const
	{
		return level == 1 || (entry & kLarge && level <= 3 && !is_top_of_three(level));
	}
	bool writes() const { return access_ & KAPI_PFERR_WRITE; }
	bool fetches() const { return access_ & KAPI_PFERR_FETCH; }
	bool by_user() const { return access_ & KAPI_PFERR_USER; }

	std::uint64_t table_of(std::uint64_t entry, unsigned level) const;
	std::uint64_t frame_of(std::uint64_t entry, unsigned level) const;
	bool reserved(std::uint64_t entry, unsigned level) const;
	bool forbidden() const;
	Status mark(const TableEntry &entry, bool last);
	Translation fault(unsigned code) const;

	GuestTables &tables_;
	const kapi_paging &paging_;
	const std::uint64_t addr_, access_;
	/* Of all levels so far. */
	bool writable_ = true, user_ = true, no_execute_ = false;
};

/* Where the table of @level lies that @entry, one of the level above or CR3, names. */
std::uint64_t Walk::table_of(std::uint64_t entry, unsigned level) const
{
	if (is_top_of_three(level))
		return entry & 0xffffffe0;
	return entry & (wide() ? kFrame : 0xfffff000);
}

std::uint64_t Walk::frame_of(std::uint64_t entry, unsigned level) const
{
	const std::uint64_t mask = (1ull << shift(level)) - 1;
	std::uint64_t frame = entry & (wide() ? kFrame : 0xffffffff) & ~mask;

	/* PSE-36: bits 32 to 39 of a page of 4 MiB. */
	if (!wide() && level == 2)
		frame |= (entry >> 13 & 0xff) << 32;
	return frame | (addr_ & mask);
}

bool Walk::reserved(std::uint64_t entry, unsigned level) const
{
	if (!wide())
		return false;
	if (entry & paging_.reserved & kFrame)
		return true;
	if (entry & kNoExecute && !paging_.no_execute)
		return true;
	if (level > 3)
		return entry & kLarge;
	/* Between the attribute's bit and the frame of a large page. */
	return is_last(level, entry) && level > 1 &&
	       entry & ((1ull << shift(level)) - 1) & ~0x1fffull;
}

bool Walk::forbidden() const
{
	if (writes() && !writable_ && (by_user() || paging_.write_protect))
		return true;
	if (fetches() && no_execute_)
		return true;
	if (by_user())
		return !user_;
	if (!user_)
		return false;
	if (fetches())
		return paging_.smep;

	const bool allowed = paging_.access_flag && !(access_ & KAPI_PFERR_IMPLICIT);

	return paging_.smap && !allowed;
}

Status Walk::mark(const TableEntry &entry, bool last)
{
	const std::uint64_t wanted = entry.value | kAccessed |
				     (last && writes() ? kDirty : std::uint64_t{ 0 });

	return wanted == entry.value ? Status{} : tables_.replace(entry, wanted);
}

Translation Walk::fault(unsigned code) const
{
	code |= access_ & (KAPI_PFERR_WRITE | KAPI_PFERR_USER);
	if (fetches() && (paging_.no_execute || paging_.smep))
		code |= KAPI_PFERR_FETCH;
	return { .error_code = code };
}

Result<Translation> Walk::run()
{
	std::uint64_t above = paging_.root;

	for (unsigned level = paging_.levels; level; level--) {
		const std::uint64_t index = addr_ >> shift(level) & ((1u << bits()) - 1);
		const std::uint64_t at = table_of(above, level) +
					 (is_top_of_three(level) ? index & 3 : index) *
						 entry_size();
		const Result<std::uint64_t> read = tables_.read(at, entry_size());

		if (!read.ok() || !(read.value() & kPresent))
			return fault(0);

		const TableEntry entry{ at, read.value(), entry_size() };
		const bool last = is_last(level, entry.value);

		if (is_top_of_three(level)) {
			above = entry.value;
			continue;
		}
		if (reserved(entry.value, level))
			return fault(KAPI_PFERR_PRESENT | KAPI_PFERR_RSVD);
		writable_ = writable_ && entry.value & kWritable;
		user_ = user_ && entry.value & kUser;
		no_execute_ = no_execute_ || (wide() && entry.value & kNoExecute);
		if (last && forbidden())
			return fault(KAPI_PFERR_PRESENT);
		if (mark(entry, last) == error(EAGAIN))
			return error(EAGAIN);
		if (last)
			return Translation{ .found = true, .gpa = frame_of(entry.value, level) };
		above = entry.value;
	}
	return fault(0);
}

} /* namespace */

Translation translate(GuestTables &tables, const kapi_paging &paging, std::uint64_t addr,
		      std::uint64_t access)
{
	if (!paging.levels)
		return { .found = true, .gpa = addr };
	for (int i = 0; i < kTries; i++) {
		const Result<Translation> result = Walk{ tables, paging, addr, access }.run();

		if (result.ok())
			return result.value();
	}
	return {};
}

} /* namespace gmem */
