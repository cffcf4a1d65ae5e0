// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page state changes (psc.h). Header: the entry to begin with, the last one, each of 16 bits.
 * Entry, from bit 0 on: 12 bits of pages that are done, 40 of gfn, 4 of operation, 1 of size.
 */
#include "guest/psc.h"

#include <algorithm>

#include "arch/x86/le.h"
#include "gmem/types.h"

namespace gmem
{

namespace
{

constexpr unsigned kToPrivate = 1, kToShared = 2;
constexpr std::uint64_t kDone = 0xfff, kGfn = (1ull << 40) - 1;

} /* namespace */

std::uint64_t Psc::Entry::pages() const
{
	return huge ? kRunPages : 1;
}

std::uint16_t Psc::at() const
{
	return static_cast<std::uint16_t>(load_le(&buffer_[0], 2));
}

std::uint16_t Psc::end() const
{
	return static_cast<std::uint16_t>(load_le(&buffer_[2], 2));
}

void Psc::set_at(unsigned at)
{
	store_le(&buffer_[0], at, 2);
}

Psc::Entry Psc::entry(unsigned nr) const
{
	const std::uint64_t value = load_le(&buffer_[kHeaderSize + nr * kEntrySize], kEntrySize);

	return { value & kDone, value >> 12 & kGfn, static_cast<unsigned>(value >> 52 & 0xf),
		 (value >> 56 & 1) != 0 };
}

void Psc::set_done(unsigned nr, std::uint64_t pages)
{
	std::uint8_t *const to = &buffer_[kHeaderSize + nr * kEntrySize];

	store_le(to, (load_le(to, kEntrySize) & ~kDone) | pages, kEntrySize);
}

/* Whether @entry goes on where @pages from @first on, all of them whole entries, have ended. */
bool Psc::follows(const Entry &first, std::uint64_t pages, const Entry &entry) const
{
	return !first.done && !entry.done && entry.operation == first.operation &&
	       entry.huge == first.huge && entry.gfn == first.gfn + pages;
}

PscStep Psc::over(std::uint64_t result)
{
	first_ = count_ = 0;
	return { .result = result };
}

PscStep Psc::next()
{
	const std::size_t entries = (buffer_.size() - kHeaderSize) / kEntrySize;
	const unsigned last = end();

	if (last >= entries)
		return over(kPscHeader);
	/* What is done is passed over, and the header follows. */
	for (unsigned nr = at(); nr <= last; set_at(++nr)) {
		const Entry first = entry(nr);
		std::uint64_t pages = first.pages() - first.done;

		if (first.done > first.pages() || first.gfn % first.pages())
			return over(kPscEntry);
		if (!pages)
			continue;
		first_ = static_cast<std::uint16_t>(nr);
		count_ = 1;
		for (; first_ + count_ <= last; count_++) {
			const Entry more = entry(first_ + count_);

			if (!follows(first, pages, more))
				break;
			pages += more.pages();
		}
		if (first.operation == kToPrivate || first.operation == kToShared)
			return { .asks = true,
				 .gpa = (first.gfn + first.done) << kPageShift,
				 .pages = pages,
				 .is_private = first.operation == kToPrivate,
				 .huge = first.huge && !first.done };
		/* What a guest tells of how its pages lie. KVM has no use for that, either. */
		converted();
	}
	return over(0);
}

void Psc::converted()
{
	for (unsigned nr = first_; nr < unsigned{ first_ } + count_; nr++)
		set_done(nr, entry(nr).pages());
	first_ = count_ = 0;
}

std::size_t Psc::changed() const
{
	return std::min(buffer_.size(), kHeaderSize + at() * kEntrySize);
}

} /* namespace gmem */
