// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion (conversion.h).
 *
 * A page that becomes private must have no holder. User mappings are taken out and
 * cannot come back while the inode is locked, and a vCPU's mapping holds no reference.
 * So once the page cache has the only reference of a page, this stays true. The kernel
 * may hold a reference for a moment (a fault under way, a batch of pages being
 * unlocked): its end is waited for. A reference that stays is a pin: wait_until_unused()
 * refuses the conversion then, with kInUse.
 */
#include "gmem/conversion.h"

#include "gmem/file.h"
#include "gmem/invalidation.h"
#include "gmem/trace.h"

namespace gmem
{

namespace
{

/*
 * A page that is to be private has a reference that did not go: somebody has pinned the page.
 * User space gets this errno. store.h's kOtherState has the same number and never meets this
 * one: the look-up of a page ends in that, and a conversion looks no page up.
 */
constexpr Status kInUse = error(EAGAIN);

/* A reference that is seen at the first look, and at all looks after so many sleeps, is a pin. */
constexpr unsigned kSleeps = 40;
constexpr unsigned kSleepMs = 5;
/* Instead of this sleep the kernel's own batches are emptied: they have references, too. */
constexpr unsigned kDrainAt = 1;

/* Looks page by page go in pieces of 32 MiB, between which a turn may end. */
constexpr unsigned kPieceOrder = kRunOrder + 4;

} /* namespace */

/* The first stretch of @rest that is not yet as wanted; or empty, also when killed. */
IndexRange Conversion::next(IndexRange rest)
{
	for (;;) {
		const IndexRange change = inode_.store().next_stretch_in_chunk(rest, opposite(to_),
									       &lock_.turn());

		if (!change.empty() || change.end == rest.end)
			return change;
		rest.start = change.end;
		lock_.pass_on();
	}
}

/*
 * Calls @fn for every stretch of @rest that is not yet as wanted, cut at aligned blocks
 * of @order, until it fails.
 */
template <class Fn> Status Conversion::for_each_change(IndexRange rest, unsigned order, Fn fn)
{
	for (;;) {
		IndexRange change = next(rest);

		if (kapi_fatal_signal_pending())
			return error(EINTR);
		if (change.empty())
			return Status{};
		rest.start = change.end;
		while (!change.empty()) {
			const IndexRange part = change.intersect(block_around(change.start, order));

			GMEM_CHECK(fn(part));
			change.start = part.end;
			lock_.pass_on();
		}
	}
}

Status Conversion::ask_consumers(IndexRange change, PageIndex &at)
{
	Status status;

	for (File *file = inode_.files(); file; file = inode_.next(*file)) {
		file->bindings().for_each_overlapping(change, [&](Binding &binding) {
			const IndexRange part = binding.range().intersect(change);

			if (status.ok()) {
				at = part.start;
				status = binding.prepare_convert(part, to_);
			}
		});
	}
	return status;
}

/*
 * @at is changed only when a page is in use. Other calls may have the inode lock while
 * this sleeps; user space does not get the pages back.
 */
Status Conversion::wait_until_unused(IndexRange change, PageIndex &at)
{
	for (unsigned sleeps = 0;; sleeps++) {
		kapi_cache_unmap_user(inode_.handle(), change.start.value, change.end.value);

		const PageIndex used{ kapi_cache_first_used(inode_.handle(), change.start.value,
							    change.end.value) };

		if (used == change.end)
			return Status{};
		at = used;
		if (kapi_fatal_signal_pending())
			return error(EINTR);
		/* A caller with a signal pending need not wait: nothing has changed. */
		if (sleeps == kSleeps || kapi_signal_pending())
			return kInUse;
		lock_.drop();
		if (sleeps == kDrainAt)
			kapi_drain_batches();
		else
			kapi_sleep(kSleepMs);
		lock_.take();
	}
}

void Conversion::tell(kapi_phase phase, IndexRange range, PageIndex at, Status status,
		      std::uint64_t ns) const
{
	const bool to_private = to_ == Share::kPrivate;
	const kapi_event_convert event{
		phase, to_private, range.start.value, range.size(), at.value, status.code(), ns
	};

	kapi_trace_convert(inode_.handle(), &event);
}

Status Conversion::prepare(PageIndex &at)
{
	const Status sound = traced(
		KAPI_TRACE_CONVERT, [&] { return look(at); },
		[&](Status status, std::uint64_t ns) {
			tell(KAPI_PHASE_PREPARE, range_, status.ok() ? range_.start : at, status,
			     ns);
		});

	if (!sound.ok())
		inode_.store().stats().add_refused(sound, KAPI_STAT_REFUSED_BUSY);
	return sound;
}

Status Conversion::look(PageIndex &at)
{
	at = range_.start;
	GMEM_CHECK(lock_.take_killable());
	inode_.begin_conversion(range_, to_);

	const Status sound = for_each_change(range_, kPieceOrder, [&](IndexRange change) {
		return inode_.store().prepare_convert(change, at);
	});
	IndexRange before = range_;

	/* A page in use before a lost one is the first in the way. */
	if (sound == error(EHWPOISON)) {
		before.end = at;
	} else {
		GMEM_CHECK(sound);
		GMEM_CHECK(for_each_change(range_, kChunkOrder, [&](IndexRange change) {
			return ask_consumers(change, at);
		}));
	}
	/* Only the guest may have private pages. */
	if (to_ == Share::kPrivate) {
		GMEM_CHECK(for_each_change(before, kPieceOrder, [&](IndexRange change) {
			return wait_until_unused(change, at);
		}));
	}
	return sound;
}

/* The first page of @range that is in a binding; its end if none is. */
PageIndex Conversion::first_bound(IndexRange range)
{
	PageIndex first = range.end;

	for (File *file = inode_.files(); file; file = inode_.next(*file))
		first = std::min(first, file->bindings().first_bound(range));
	return first;
}

void Conversion::fail()
{
	give_up();
	if (is_traced(KAPI_TRACE_CONVERT))
		tell(KAPI_PHASE_FAIL, range_, range_.start, Status{}, 0);
}

void Conversion::give_up()
{
	/* slots_lock alone protects that. */
	lock_.drop();
	inode_.store().cancel_convert(range_);
	lock_.take();
	for (IndexRange rest = range_; !rest.empty(); lock_.pass_on()) {
		rest.start = first_bound(rest);

		const IndexRange part = rest.intersect(block_around(rest.start, kChunkOrder));

		for (File *file = inode_.files(); file; file = inode_.next(*file)) {
			file->bindings().for_each_overlapping(part, [&](Binding &binding) {
				binding.convert_failed(binding.range().intersect(part), to_);
			});
		}
		rest.start = part.end;
	}
}

/*
 * Takes the stretches of @rest out of guests' page tables, of which @first is the first,
 * with one flush for all, until the turn is over; up to where.
 */
PageIndex Conversion::unmap_stretches(Invalidation &invalidation, IndexRange rest, IndexRange first)
{
	IndexRange change = first;

	do {
		invalidation.zap(change);
		rest.start = change.end;
		if (lock_.turn().over())
			break;
		change = inode_.store().next_stretch(rest, opposite(to_));
	} while (!change.empty());
	invalidation.flush();
	return rest.start;
}

/* Converts the stretches of @rest, mapped nowhere, for one turn; returns its end. */
PageIndex Conversion::convert_stretches(Invalidation &invalidation, IndexRange rest,
					IndexRange first)
{
	const Turn turn;
	IndexRange change = first.intersect(rest);

	do {
		const PageIndex end = inode_.store().convert(change, to_, inode_.platform(), turn);

		invalidation.converted({ change.start, end }, to_);
		rest.start = end;
		if (turn.over())
			break;
		change = inode_.store().next_stretch(rest, opposite(to_));
	} while (!change.empty());
	return rest.start;
}

/*
 * Converts @rest, in one chunk, whose first stretch is @first. Stretches that a turn has
 * unmapped and not converted are unmapped again by the next turn.
 */
void Conversion::commit_chunk(IndexRange rest, IndexRange first)
{
	do {
		{
			Invalidation invalidation{ inode_, rest };
			const PageIndex end = unmap_stretches(invalidation, rest, first);

			rest.start = convert_stretches(invalidation, { rest.start, end }, first);
		}
		lock_.pass_on();
		first = inode_.store().next_stretch(rest, opposite(to_));
	} while (!first.empty());
}

Status Conversion::commit()
{
	const IndexRange range = range_;

	const Status changed = traced(
		KAPI_TRACE_CONVERT, [&] { return change(); },
		[&](Status status, std::uint64_t ns) {
			tell(KAPI_PHASE_COMMIT, range, range_.start, status, ns);
		});

	if (changed.ok())
		inode_.store().stats().add(KAPI_STAT_CONVERSIONS);
	return changed;
}

Status Conversion::change()
{
	lock_.take();
	while (!kapi_fatal_signal_pending()) {
		const IndexRange change = next(range_);

		if (change.empty() && !kapi_fatal_signal_pending())
			return Status{};
		if (change.empty())
			break;
		range_.start = change.start;

		const IndexRange chunk = range_.intersect(block_around(change.start, kChunkOrder));

		commit_chunk(chunk, change);
		range_.start = chunk.end;
	}
	fail();
	return error(EINTR);
}

void Conversion::over()
{
	lock_.take();
	inode_.end_conversion();
}

Status Inode::convert(IndexRange range, Share to, PageIndex &at)
{
	Conversion conversion{ *this, range, to };
	Status status = conversion.prepare(at);

	if (status.ok())
		status = conversion.commit();
	else
		conversion.fail();
	conversion.over();
	return status;
}

} /* namespace gmem */
