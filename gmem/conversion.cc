// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion (conversion.h).
 *
 * A page made private must not be in anybody's hands. User mappings are taken out
 * and cannot come back while the inode is locked, and a vCPU's mapping holds no
 * reference; so when a page's only reference is the cache's, it stays so. What is
 * in the hands of the kernel for a moment (a fault under way, a batch of pages
 * being unlocked) is waited for; what stays is a pin.
 */
#include "gmem/conversion.h"

#include "gmem/file.h"
#include "gmem/invalidation.h"

namespace gmem
{

namespace
{

/* So often, so long apart, before a page in use is somebody's pin. */
constexpr unsigned kTries = 40;
constexpr unsigned kTryMs = 5;
/* This many tries later it may be in one of the kernel's own batches. */
constexpr unsigned kDrainAt = 1;

} /* namespace */

/* Calls @fn for every stretch of @rest that is not yet as wanted, until it fails. */
template <class Fn> Status Conversion::for_each_change(IndexRange rest, Fn fn)
{
	for (;;) {
		const IndexRange change = inode_.store().next_to_convert(rest, to_private_);

		if (kapi_fatal_signal_pending())
			return error(EINTR);
		if (change.empty())
			return Status{};
		GMEM_CHECK(fn(change));
		rest.start = change.end;
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
				status = binding.prepare(part, to_private_);
			}
		});
	}
	return status;
}

/* @at is changed only when somebody uses a page. */
Status Conversion::wait_until_unused(IndexRange change, PageIndex &at)
{
	for (unsigned tries = 0;; tries++) {
		kapi_cache_unmap_user(inode_.handle(), change.start.value, change.end.value);

		const PageIndex used{ kapi_cache_first_used(inode_.handle(), change.start.value,
							    change.end.value) };

		if (used == change.end)
			return Status{};
		at = used;
		if (tries == kTries)
			return error(EAGAIN);
		if (kapi_signal_pending())
			return error(EINTR);
		if (tries == kDrainAt)
			kapi_drain_batches();
		else
			kapi_sleep(kTryMs);
	}
}

Status Conversion::prepare(PageIndex &at)
{
	at = range_.start;

	const Status sound = for_each_change(range_, [&](IndexRange change) {
		return inode_.store().prepare_convert(change, at);
	});
	IndexRange before = range_;

	/* A page in use before a lost one is the first in the way. */
	if (sound == error(EHWPOISON)) {
		before.end = at;
	} else {
		GMEM_CHECK(sound);
		GMEM_CHECK(for_each_change(
			range_, [&](IndexRange change) { return ask_consumers(change, at); }));
	}
	/* Private pages are nobody's but the guest's. */
	if (to_private_) {
		GMEM_CHECK(for_each_change(
			before, [&](IndexRange change) { return wait_until_unused(change, at); }));
	}
	return sound;
}

void Conversion::fail()
{
	inode_.store().cancel_convert(range_);
	for (File *file = inode_.files(); file; file = inode_.next(*file)) {
		file->bindings().for_each_overlapping(range_, [&](Binding &binding) {
			binding.failed(binding.range().intersect(range_), to_private_);
		});
	}
}

Status Conversion::commit()
{
	PageStore &store = inode_.store();
	IndexRange change = store.next_to_convert(range_, to_private_);

	if (!change.empty()) {
		Invalidation invalidation{ inode_, { change.start, range_.end } };

		for (; !change.empty() && !kapi_fatal_signal_pending();
		     change = store.next_to_convert(range_, to_private_)) {
			invalidation.unmap(change);
			store.convert(change, to_private_, inode_.platform());
			invalidation.converted(change, to_private_);
			range_.start = change.end;
		}
	}
	if (!kapi_fatal_signal_pending())
		return Status{};
	fail();
	return error(EINTR);
}

} /* namespace gmem */
