/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An invalidation: constructing it begins, destroying it ends, for the very same
 * bindings, so it cannot be unbalanced. In between no holder maps the range
 * anew, and unmap() takes out what is mapped.
 */
#ifndef GMEM_INVALIDATION_H
#define GMEM_INVALIDATION_H

#include "gmem/inode.h"

namespace gmem
{

class Invalidation {
    public:
	/*
	 * For all files of @inode, or for @only one of them. The inode lock is
	 * held, shared or exclusively, as long as this lives.
	 */
	Invalidation(Inode &inode, IndexRange range, File *only = nullptr);
	~Invalidation();
	Invalidation(const Invalidation &) = delete;
	Invalidation &operator=(const Invalidation &) = delete;

	/* Every holder's mappings of the range are gone when it returns. Sleeps. */
	void unmap() { unmap(range_); }
	/* The same for a part of it. */
	void unmap(IndexRange part);
	/*
	 * The same of a part, in two steps: mappings of the parts given to zap() are gone when
	 * flush() returns, but user space's, which there are none of. For a conversion, which
	 * no other invalidation meets.
	 */
	void zap(IndexRange part);
	void flush();
	/* Tells the holders that a part is now private, or shared. */
	void converted(IndexRange part, Share to);
	/* Ends it before its time; what would bring the range back waits for a run lock. */
	void finish();

    private:
	template <class Fn> void for_each_binding(IndexRange range, Fn fn);

	Inode &inode_;
	const IndexRange range_;
	File *const only_;
	bool finished_ = false;
};

} /* namespace gmem */

#endif /* GMEM_INVALIDATION_H */
