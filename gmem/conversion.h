/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A conversion: a range of a file becomes private, or shared, where it lies. In
 * two phases, so that there is nothing to undo: prepare() does all that can fail
 * and changes nothing that anybody sees; commit() cannot fail, unless the caller is
 * killed. Pages that are already as wanted are not touched.
 *
 * The VM's slots_lock is held throughout, so that one file has one request of
 * conversion at a time. The inode lock is held in turns (gmem/turn.h); in between,
 * what prepare() has found is kept true by Inode::converting().
 */
#ifndef GMEM_CONVERSION_H
#define GMEM_CONVERSION_H

#include "gmem/inode.h"
#include "gmem/turn.h"

namespace gmem
{

class Conversion {
    public:
	/*
	 * Each call takes the inode lock if it is not held and keeps it, until this is
	 * gone; each but the first lets others have it once a turn.
	 */
	Conversion(Inode &inode, IndexRange range, Share to)
		: inode_(inode), lock_(inode.handle()), range_(range), to_(to)
	{
	}

	/*
	 * -EAGAIN: the page at @at is in use; -EHWPOISON: it is lost; a consumer's own
	 * error, about @at; -EINTR, -ENOMEM. Mappings of user space may be gone,
	 * and come back when touched after over(). Sleeps.
	 */
	Status prepare(PageIndex &at);
	/* After prepare() said so or not: there will be no commit(). Sleeps. */
	void fail();
	/*
	 * After prepare() said so. -EINTR: killed. The range is converted up to the end of
	 * a chunk (kChunkOrder) then, and for the rest fail() has been done. Sleeps.
	 */
	Status commit();
	/* The request that this is a part of is done with the file, whatever came of it. */
	void over();

    private:
	Status look(PageIndex &at);
	void give_up();
	Status change();
	void tell(kapi_phase phase, IndexRange range, PageIndex at, Status status,
		  std::uint64_t ns) const;
	IndexRange next(IndexRange rest);
	template <class Fn> Status for_each_change(IndexRange rest, unsigned order, Fn fn);
	PageIndex first_bound(IndexRange range);
	Status ask_consumers(IndexRange change, PageIndex &at);
	Status wait_until_unused(IndexRange change, PageIndex &at);
	PageIndex unmap_stretches(class Invalidation &invalidation, IndexRange rest,
				  IndexRange first);
	PageIndex convert_stretches(class Invalidation &invalidation, IndexRange rest,
				    IndexRange first);
	void commit_chunk(IndexRange rest, IndexRange first);

	Inode &inode_;
	ExclusiveTurns lock_;
	IndexRange range_; /* what of it is not yet converted */
	const Share to_;
};

} /* namespace gmem */

#endif /* GMEM_CONVERSION_H */
