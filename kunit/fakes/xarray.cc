// SPDX-License-Identifier: GPL-2.0-only
/*
 * The xarray: ranges of indices, each with one entry. Stricter than the kernel's:
 * a range may only be erased as it was stored.
 */
#include <bit>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/locks.h"
#include "kunit/fakes/sched.h"

namespace
{

struct Tree {
	struct Entry {
		kapi_u64 last;
		void *entry;
		/* How far the range reached that the entry was stored with. */
		kapi_u64 wanted_last;
	};

	/* The entry at or after @index. */
	std::map<kapi_u64, Entry>::const_iterator at_or_after(kapi_u64 index) const
	{
		auto it = ranges.upper_bound(index);

		if (it != ranges.begin() && std::prev(it)->second.last >= index)
			--it;
		return it;
	}

	mutable std::shared_mutex mutex;
	std::map<kapi_u64, Entry> ranges;
	std::set<kapi_u64> reserved;
};

/* The xarray's one word is a pointer to the tree. */
Tree &tree_of(const struct kapi_xarray *xa)
{
	static_assert(sizeof(Tree *) == sizeof(xa->opaque[0]));
	return *std::bit_cast<Tree *>(xa->opaque[0]);
}

void check_entry(const void *entry)
{
	if (!entry || reinterpret_cast<uintptr_t>(entry) & 3)
		fake::bug("not a pointer that an xarray can hold: %p", entry);
}

} /* namespace */

void kapi_xa_init(struct kapi_xarray *xa)
{
	xa->opaque[0] = std::bit_cast<unsigned long>(new Tree);
}

void kapi_xa_destroy(struct kapi_xarray *xa)
{
	if (!tree_of(xa).reserved.empty())
		fake::bug("what was reserved is neither used nor given back");
	delete &tree_of(xa);
	xa->opaque[0] = 0;
}

void *kapi_xa_load(struct kapi_xarray *xa, kapi_u64 index)
{
	fake::sched::step("xa_load");
	Tree &tree = tree_of(xa);
	std::shared_lock guard{ tree.mutex };
	const auto it = tree.at_or_after(index);

	return it != tree.ranges.end() && it->first <= index ? it->second.entry : nullptr;
}

void *kapi_xa_find(struct kapi_xarray *xa, kapi_u64 *index, kapi_u64 max)
{
	fake::sched::step("xa_find");
	Tree &tree = tree_of(xa);
	std::shared_lock guard{ tree.mutex };
	const auto it = tree.at_or_after(*index);

	if (it == tree.ranges.end() || it->first > max || *index > max)
		return nullptr;
	*index = std::max(*index, it->first);
	return it->second.entry;
}

int kapi_xa_insert(struct kapi_xarray *xa, kapi_u64 index, void *entry, void **present)
{
	fake::might_sleep("xa_insert");
	fake::sched::step("xa_insert");
	check_entry(entry);
	*present = nullptr;

	Tree &tree = tree_of(xa);
	std::unique_lock guard{ tree.mutex };

	if (!tree.reserved.contains(index) && fake::fail_now())
		return -ENOMEM;
	tree.reserved.erase(index);

	const auto it = tree.at_or_after(index);

	if (it != tree.ranges.end() && it->first <= index) {
		*present = it->second.entry;
		return -EBUSY;
	}
	tree.ranges[index] = { index, entry, index };
	return 0;
}

int kapi_xa_reserve(struct kapi_xarray *xa, kapi_u64 index)
{
	fake::might_sleep("xa_reserve");
	fake::sched::step("xa_reserve");
	if (kapi_fatal_signal_pending())
		return -EINTR;
	if (fake::fail_now())
		return -ENOMEM;

	Tree &tree = tree_of(xa);
	const std::unique_lock guard{ tree.mutex };
	const auto it = tree.at_or_after(index);

	/* A place that is taken needs nothing. */
	if (it == tree.ranges.end() || it->first > index)
		tree.reserved.insert(index);
	return 0;
}

void kapi_xa_release(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last)
{
	fake::might_sleep("xa_release");
	fake::sched::step("xa_release");

	Tree &tree = tree_of(xa);
	const std::unique_lock guard{ tree.mutex };

	tree.reserved.erase(tree.reserved.lower_bound(first), tree.reserved.upper_bound(last));
}

int kapi_xa_store_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last, void *entry)
{
	fake::might_sleep("xa_store_range");
	fake::sched::step("xa_store_range");
	check_entry(entry);

	Tree &tree = tree_of(xa);
	std::unique_lock guard{ tree.mutex };
	const auto it = tree.at_or_after(first);

	if (last < first || (it != tree.ranges.end() && it->first <= last))
		fake::bug("store over what is stored: [%lu, %lu]", first, last);
	if (fake::fail_now()) {
		/* Some of it is there, as the kernel leaves it. */
		if (last > first)
			tree.ranges[first] = { first + (last - first) / 2, entry, last };
		return -ENOMEM;
	}
	tree.ranges[first] = { last, entry, last };
	return 0;
}

void kapi_xa_erase_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last)
{
	fake::sched::step("xa_erase_range");
	Tree &tree = tree_of(xa);
	std::unique_lock guard{ tree.mutex };
	const auto it = tree.at_or_after(first);

	if (it == tree.ranges.end() || it->first > last)
		return; /* what failed to be stored */
	if (it->first != first || it->second.wanted_last != last)
		fake::bug("[%lu, %lu] erased, [%lu, %lu] was stored", first, last, it->first,
			  it->second.wanted_last);
	tree.ranges.erase(it);
}
