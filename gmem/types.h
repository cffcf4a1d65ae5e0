/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frame numbers and half-open ranges of them, as types that do not mix: a Gfn
 * is never a PageIndex. The arithmetic between a memslot's gfns and its file's
 * indices is in SlotMap, and nowhere else.
 */
#ifndef GMEM_TYPES_H
#define GMEM_TYPES_H

#include <algorithm>
#include <compare>
#include <cstdint>

namespace gmem
{

inline constexpr unsigned kPageShift = 12;
inline constexpr std::uint64_t kPageSize = 1ull << kPageShift;
/* A run: the 2 MiB piece of a file that one huge mapping can cover. */
inline constexpr unsigned kRunOrder = 9;
inline constexpr std::uint64_t kRunPages = 1ull << kRunOrder;

/*
 * Long ranges are gone through by aligned pieces of this order, between which a task
 * that is killed gives up.
 */
inline constexpr unsigned kChunkOrder = 18;

/* A giant: 512 runs that one mapping of 1 GiB can cover. */
inline constexpr unsigned kGiantOrder = 18;

/* A count of 4 KiB frames from some origin that Tag names. */
template <class Tag> struct Frame {
	std::uint64_t value = 0;

	constexpr Frame() = default;
	constexpr explicit Frame(std::uint64_t v) : value(v) {}

	friend constexpr auto operator<=>(Frame, Frame) = default;
	friend constexpr Frame operator+(Frame f, std::uint64_t n) { return Frame{ f.value + n }; }
	friend constexpr Frame operator-(Frame f, std::uint64_t n) { return Frame{ f.value - n }; }
	friend constexpr std::uint64_t operator-(Frame a, Frame b) { return a.value - b.value; }

	constexpr Frame round_down(unsigned order) const
	{
		return Frame{ value >> order << order };
	}
	constexpr Frame round_up(unsigned order) const
	{
		return (*this + ((1ull << order) - 1)).round_down(order);
	}
};

using Gfn = Frame<struct GfnTag>; /* guest frame */
using Pfn = Frame<struct PfnTag>; /* host frame */
using PageIndex = Frame<struct PageIndexTag>; /* page of a file */

/* [start, end). */
template <class T> struct Range {
	T start{};
	T end{};

	constexpr std::uint64_t size() const { return empty() ? 0 : end - start; }
	constexpr bool empty() const { return end <= start; }
	constexpr bool contains(T f) const { return start <= f && f < end; }
	constexpr bool covers(Range r) const { return start <= r.start && r.end <= end; }
	constexpr bool overlaps(Range r) const { return start < r.end && r.start < end; }
	constexpr Range intersect(Range r) const
	{
		return { std::max(start, r.start), std::min(end, r.end) };
	}
	/* The smallest range of whole naturally aligned blocks around this one. */
	constexpr Range round_out(unsigned order) const
	{
		return { start.round_down(order), end.round_up(order) };
	}

	friend constexpr bool operator==(Range, Range) = default;
};

using GfnRange = Range<Gfn>;
using IndexRange = Range<PageIndex>;

/* The naturally aligned block of 2^order frames around @f. */
template <class T> constexpr Range<T> block_around(T f, unsigned order)
{
	return { f.round_down(order), f.round_down(order) + (1ull << order) };
}

/* The largest order of what can be mapped as one around @f and lies in @range. */
template <class T> constexpr unsigned order_within(Range<T> range, T f)
{
	return range.covers(block_around(f, kGiantOrder)) ? kGiantOrder
	       : range.covers(block_around(f, kRunOrder)) ? kRunOrder
							  : 0;
}

/* Where a memslot shows a piece of a file: gfns [base, base + size) are @range. */
class SlotMap {
    public:
	constexpr SlotMap() = default;
	constexpr SlotMap(Gfn base, IndexRange range) : base_(base), range_(range) {}

	constexpr IndexRange range() const { return range_; }
	constexpr GfnRange gfns() const { return { base_, base_ + range_.size() }; }

	/* @gfn must be one of gfns(). */
	constexpr PageIndex index_of(Gfn gfn) const { return range_.start + (gfn - base_); }
	/* @index must be in range(). */
	constexpr Gfn gfn_of(PageIndex index) const { return base_ + (index - range_.start); }
	/* The gfns that show what of @indices is in the slot; may be empty. */
	constexpr GfnRange gfns_of(IndexRange indices) const
	{
		const IndexRange mine = indices.intersect(range_);

		if (mine.empty())
			return { base_, base_ };
		return { gfn_of(mine.start), gfn_of(mine.start) + mine.size() };
	}

	/*
	 * Whether the block of 2^order pages around @index is one block of gfns
	 * too: alignments agree and the slot has all of it.
	 */
	constexpr bool fits(PageIndex index, unsigned order) const
	{
		const std::uint64_t mask = (1ull << order) - 1;

		return ((base_.value ^ range_.start.value) & mask) == 0 &&
		       range_.covers(block_around(index, order));
	}

	/* The largest order of what can be mapped as one around @index, and fits. */
	constexpr unsigned largest_order(PageIndex index) const
	{
		return fits(index, kGiantOrder) ? kGiantOrder
		       : fits(index, kRunOrder) ? kRunOrder
						: 0;
	}

    private:
	Gfn base_;
	IndexRange range_;
};

} /* namespace gmem */

#endif /* GMEM_TYPES_H */
