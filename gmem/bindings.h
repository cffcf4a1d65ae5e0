/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bindings of one file: finding those that overlap a range costs no more for a
 * file with many. Memslots are in an xarray, keyed by page index, because a fault
 * looks one up; what other consumers bind is in two interval trees.
 *
 * Protected by the inode lock: shared to look, exclusive to change. load() is
 * also safe for a caller that keeps the file and the binding alive in another way.
 */
#ifndef GMEM_BINDINGS_H
#define GMEM_BINDINGS_H

#include "gmem/binding.h"
#include "gmem/xarray.h"

namespace gmem
{

/* A binding in an interval tree. */
class IntervalBinding : public Binding, private kapi_interval {
    public:
	/* Of the same object; NULL of NULL. */
	static IntervalBinding *of(struct kapi_interval *node)
	{
		return static_cast<IntervalBinding *>(node);
	}
	struct kapi_interval *node() { return this; }
	/* Whether it may overlap others of which this is true. */
	bool coexists() const { return coexists_; }

    protected:
	// cppcheck-suppress uninitDerivedMemberVar
	IntervalBinding(IndexRange range, bool coexists)
		: Binding(range), kapi_interval(), coexists_(coexists)
	{
	}
	~IntervalBinding() = default;

    private:
	const bool coexists_;
};

/* Those of one kind. */
class Intervals {
    public:
	Intervals() { kapi_intervals_init(&tree_); }
	~Intervals() { kapi_intervals_destroy(&tree_); }
	Intervals(const Intervals &) = delete;
	Intervals &operator=(const Intervals &) = delete;

	void add(IntervalBinding &binding)
	{
		const IndexRange range = binding.range();

		kapi_intervals_add(&tree_, binding.node(), range.start.value, range.end.value - 1);
	}
	void remove(IntervalBinding &binding) { kapi_intervals_remove(&tree_, binding.node()); }

	/* @range is not empty. */
	IntervalBinding *first(IndexRange range) const
	{
		return IntervalBinding::of(
			kapi_intervals_first(&tree_, range.start.value, range.end.value - 1));
	}
	static IntervalBinding *next(IntervalBinding &binding, IndexRange range)
	{
		return IntervalBinding::of(kapi_intervals_next(binding.node(), range.start.value,
							       range.end.value - 1));
	}

    private:
	mutable kapi_intervals tree_;
};

class Bindings {
    public:
	/* The memslot's there. */
	Binding *load(PageIndex index) const { return map_.load(index.value); }
	/* The first memslot's in @range, or NULL. */
	Binding *first_slot(IndexRange range) const
	{
		std::uint64_t index = range.start.value;

		return range.empty() ? nullptr : map_.find(index, range.end.value - 1);
	}

	/* A memslot's. -EEXIST: overlaps another; -ENOMEM. Nothing has changed then. */
	Status add(Binding &binding)
	{
		const IndexRange range = binding.range();

		if (first_slot(range) || exclusive_.first(range))
			return error(EEXIST);
		return map_.store_range(range.start.value, range.end.value - 1, &binding);
	}
	void remove(Binding &binding)
	{
		const IndexRange range = binding.range();

		map_.erase_range(range.start.value, range.end.value - 1);
	}

	/* Another consumer's. -EEXIST: where it overlaps, not both may coexist. */
	Status add(IntervalBinding &binding)
	{
		const IndexRange range = binding.range();

		if (exclusive_.first(range))
			return error(EEXIST);
		if (!binding.coexists() && first_overlapping(range))
			return error(EEXIST);
		tree_of(binding).add(binding);
		return Status{};
	}
	void remove(IntervalBinding &binding) { tree_of(binding).remove(binding); }

	Binding *first_overlapping(IndexRange range) const
	{
		if (range.empty())
			return nullptr;
		if (Binding *const slot = first_slot(range))
			return slot;
		if (Binding *const exclusive = exclusive_.first(range))
			return exclusive;
		return coexisting_.first(range);
	}

	/* The first page of @range that is bound; its end if none is. */
	PageIndex first_bound(IndexRange range) const
	{
		PageIndex first = range.end;

		if (range.empty())
			return first;
		for (const Binding *const binding :
		     { first_slot(range), static_cast<Binding *>(exclusive_.first(range)),
		       static_cast<Binding *>(coexisting_.first(range)) }) {
			if (binding)
				first = std::min(first,
						 std::max(binding->range().start, range.start));
		}
		return first;
	}

	/* Calls @fn once for each binding that overlaps @range. */
	template <class Fn> void for_each_overlapping(IndexRange range, Fn fn) const
	{
		for_each_slot(range, fn);
		for_each_in(exclusive_, range, fn);
		for_each_in(coexisting_, range, fn);
	}

	/* Calls @fn for all, each of which is not in here any more then. */
	template <class Fn> void remove_all(Fn fn)
	{
		const IndexRange all{ PageIndex{ 0 }, PageIndex{ ~0ull } };
		const auto remove_and = [&](auto &binding) {
			remove(binding);
			fn(binding);
		};

		for_each_slot(all, remove_and);
		for_each_in(exclusive_, all, remove_and);
		for_each_in(coexisting_, all, remove_and);
	}

    private:
	Intervals &tree_of(const IntervalBinding &binding)
	{
		return binding.coexists() ? coexisting_ : exclusive_;
	}

	/*
	 * In order. The xarray holds an unaligned binding in several entries; going on
	 * behind its end visits it once. @fn may remove the binding it is given.
	 */
	template <class Fn> void for_each_slot(IndexRange range, Fn fn) const
	{
		while (Binding *const binding = first_slot(range)) {
			range.start = binding->range().end;
			fn(*binding);
		}
	}

	template <class Fn> static void for_each_in(const Intervals &tree, IndexRange range, Fn fn)
	{
		IntervalBinding *next = range.empty() ? nullptr : tree.first(range);

		while (IntervalBinding *const binding = next) {
			next = Intervals::next(*binding, range);
			fn(*binding);
		}
	}

	XArray<Binding> map_;
	Intervals exclusive_, coexisting_;
};

} /* namespace gmem */

#endif /* GMEM_BINDINGS_H */
