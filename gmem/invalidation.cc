// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation (invalidation.h): begin, unmap and end over the bindings that
 * overlap a range, in all files of the inode.
 */
#include "gmem/invalidation.h"

#include "gmem/file.h"

namespace gmem
{

template <class Fn> void Invalidation::for_each_binding(IndexRange range, Fn fn)
{
	for (File *file = inode_.files(); file; file = inode_.next(*file)) {
		if (!only_ || file == only_)
			file->bindings().for_each_overlapping(range, fn);
	}
}

/*
 * A holder that maps huge takes in the neighbours of the page it faults on, so
 * the part of a binding where faults must wait is the range rounded out to runs.
 */
static IndexRange reach(Inode &inode, const Binding &binding, IndexRange range)
{
	return binding.range().intersect(range.round_out(inode.store().max_order()));
}

Invalidation::Invalidation(Inode &inode, IndexRange range, File *only)
	: inode_(inode), range_(range), only_(only)
{
	kapi_inode_assert_locked(inode_.handle());
	for_each_binding(range_, [&](Binding &b) { b.begin(reach(inode_, b, range_)); });
}

Invalidation::~Invalidation()
{
	finish();
}

void Invalidation::finish()
{
	if (finished_)
		return;
	finished_ = true;
	for_each_binding(range_, [&](Binding &b) { b.end(reach(inode_, b, range_)); });
}

void Invalidation::unmap(IndexRange part)
{
	if (inode_.store().kind().mappable)
		kapi_cache_unmap_user(inode_.handle(), part.start.value, part.end.value);
	for_each_binding(part, [&](Binding &b) { b.unmap(b.range().intersect(part)); });
}

void Invalidation::zap(IndexRange part)
{
	for_each_binding(part, [&](Binding &b) { b.zap(b.range().intersect(part)); });
}

void Invalidation::flush()
{
	for_each_binding(range_, [](Binding &b) { b.flush(); });
}

void Invalidation::converted(IndexRange part, Share to)
{
	for_each_binding(part, [&](Binding &b) { b.converted(b.range().intersect(part), to); });
}

} /* namespace gmem */
