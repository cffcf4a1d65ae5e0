/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bindings of one file, keyed by page index: finding those that overlap a
 * range costs no more for a file with many. No two overlap.
 *
 * Protected by the inode lock: shared to look, exclusive to change. load() is
 * also safe for who otherwise keeps the file and the binding alive.
 */
#ifndef GMEM_BINDINGS_H
#define GMEM_BINDINGS_H

#include "gmem/consumer.h"
#include "gmem/xarray.h"

namespace gmem
{

class Bindings {
    public:
	Binding *load(PageIndex index) const { return map_.load(index.value); }

	/* -EEXIST: overlaps another; -ENOMEM. Nothing has changed then. */
	Status add(Binding &binding)
	{
		const IndexRange range = binding.range();

		if (first_overlapping(range))
			return error(EEXIST);
		return map_.store_range(range.start.value, range.end.value - 1, &binding);
	}

	void remove(Binding &binding)
	{
		const IndexRange range = binding.range();

		map_.erase_range(range.start.value, range.end.value - 1);
	}

	Binding *first_overlapping(IndexRange range) const
	{
		std::uint64_t index = range.start.value;

		return range.empty() ? nullptr : map_.find(index, range.end.value - 1);
	}

	/*
	 * Calls @fn once for each binding that overlaps @range, in order. The
	 * xarray holds an unaligned binding in several entries; going on behind
	 * its end visits it once. @fn may remove the binding it is given.
	 */
	template <class Fn> void for_each_overlapping(IndexRange range, Fn fn) const
	{
		while (Binding *const binding = first_overlapping(range)) {
			range.start = binding->range().end;
			fn(*binding);
		}
	}

    private:
	XArray<Binding> map_;
};

} /* namespace gmem */

#endif /* GMEM_BINDINGS_H */
