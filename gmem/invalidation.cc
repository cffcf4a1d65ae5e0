// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalidation (invalidation.h): begin, unmap and end over the bindings that
 * overlap a range, in all files of the inode. And what an inode does by one: pages of it
 * are punched, or struck by poison.
 */
#include "gmem/invalidation.h"

#include "gmem/file.h"
#include "gmem/locks.h"
#include "gmem/trace.h"

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

Status Inode::punch(IndexRange range, const File *view)
{
	const Status punched = traced(
		KAPI_TRACE_PUNCH, [&] { return remove(range, view); },
		[&](Status status, std::uint64_t ns) {
			const kapi_event_punch event{ range.start.value, range.size(),
						      status.code(), ns };

			kapi_trace_punch(inode_, &event);
		});

	if (punched.ok())
		store_.stats().add(KAPI_STAT_PUNCHES);
	return punched;
}

Status Inode::remove(IndexRange range, const File *view)
{
	PageRef busy;

	do {
		if (busy)
			kapi_page_wait_unlocked(busy.get());
		busy = PageRef{};
		GMEM_TRY(lock, KillableSharedInodeLock::take(inode_));
		if (view && !view->open())
			return error(ESTALE);

		const Turn turn;

		while (!range.empty() && !busy && !turn.over()) {
			IndexRange part = store_.next_to_remove(range);

			if (part.empty())
				return Status{};
			if (kapi_fatal_signal_pending())
				return error(EINTR);

			Invalidation invalidation{ *this, part };

			invalidation.unmap(part);
			busy = store_.remove(part, platform(), turn);
			range.start = part.start;
		}
	} while (!range.empty());
	return Status{};
}

void Inode::poisoned(PageIndex index)
{
	const IndexRange range{ index, index + 1 };

	/*
	 * The page stays where it is: what to do about the error is for user
	 * space to decide, and the next touch tells it.
	 */
	store_.poisoned(index);

	SharedInodeLock lock{ inode_ };
	Invalidation invalidation{ *this, range };

	invalidation.unmap();
}

} /* namespace gmem */
