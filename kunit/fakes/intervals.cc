// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interval trees: sets in order of their starts, looked through from the first.
 * Stricter than the kernel's: only an interval that was added may be removed.
 */
#include <bit>
#include <set>

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/sched.h"

namespace
{

struct ByStart {
	bool operator()(const kapi_interval *a, const kapi_interval *b) const
	{
		return a->opaque[1] != b->opaque[1] ? a->opaque[1] < b->opaque[1] : a < b;
	}
};

using Tree = std::set<struct kapi_interval *, ByStart>;

Tree &tree_of(const struct kapi_intervals *tree)
{
	return *std::bit_cast<Tree *>(tree->opaque[0]);
}

kapi_interval *overlapping(const Tree &tree, Tree::const_iterator it, kapi_u64 first, kapi_u64 last)
{
	for (; it != tree.end() && (*it)->opaque[1] <= last; ++it) {
		if ((*it)->opaque[2] >= first)
			return *it;
	}
	return nullptr;
}

} /* namespace */

void kapi_intervals_init(struct kapi_intervals *tree)
{
	tree->opaque[0] = std::bit_cast<unsigned long>(new Tree);
}

void kapi_intervals_destroy(struct kapi_intervals *tree)
{
	if (!tree_of(tree).empty())
		fake::bug("intervals are left in a tree that goes");
	delete &tree_of(tree);
	tree->opaque[0] = 0;
}

void kapi_intervals_add(struct kapi_intervals *tree, struct kapi_interval *node, kapi_u64 first,
			kapi_u64 last)
{
	fake::sched::step("intervals_add");
	if (first > last)
		fake::bug("an empty interval [%lu, %lu]", first, last);
	node->opaque[0] = tree->opaque[0];
	node->opaque[1] = first;
	node->opaque[2] = last;
	if (!tree_of(tree).insert(node).second)
		fake::bug("an interval is added twice");
}

void kapi_intervals_remove(struct kapi_intervals *tree, struct kapi_interval *node)
{
	fake::sched::step("intervals_remove");
	if (!tree_of(tree).erase(node))
		fake::bug("an interval is removed that is not there");
}

struct kapi_interval *kapi_intervals_first(struct kapi_intervals *tree, kapi_u64 first,
					   kapi_u64 last)
{
	const Tree &nodes = tree_of(tree);

	fake::sched::step("intervals_first");
	return overlapping(nodes, nodes.begin(), first, last);
}

struct kapi_interval *kapi_intervals_next(struct kapi_interval *node, kapi_u64 first, kapi_u64 last)
{
	const Tree &nodes = *std::bit_cast<Tree *>(node->opaque[0]);

	return overlapping(nodes, std::next(nodes.find(node)), first, last);
}
