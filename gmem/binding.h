/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A binding: a range of a file with a holder that may have it mapped. What the
 * holder must do when the memory goes away is the binding's virtual functions;
 * KVM's memslots (mmu/memslot.h) are one kind of holder, other kernel code
 * (include/gmem/consumer.h) another.
 */
#ifndef GMEM_BINDING_H
#define GMEM_BINDING_H

#include "gmem/result.h"
#include "gmem/share.h"
#include "gmem/types.h"

namespace gmem
{

class Binding {
    public:
	Binding(const Binding &) = delete;
	Binding &operator=(const Binding &) = delete;

	IndexRange range() const { return range_; }

	/*
	 * Whether all of @block, which it has a part of, is one block of gfns there, and
	 * private. Holders other than guests have no gfns.
	 */
	virtual bool shows_private(IndexRange block) const = 0;

	/* The largest order of what the holder could map as one around @index, by its place. */
	virtual unsigned largest_order(PageIndex index) const
	{
		return order_within(range_, index);
	}

	/*
	 * @range, a part of range(), is about to become private or shared. The
	 * holder may refuse, with the error that user space gets, and sets aside
	 * what it needs for converted(); nothing visible may change. Inode lock
	 * held exclusively; may sleep.
	 */
	virtual Status prepare_convert(IndexRange, Share /* to */) { return Status{}; }
	/*
	 * What prepare_convert() was asked for any part of the range will not happen; it
	 * may not have been asked at all.
	 */
	virtual void convert_failed(IndexRange, Share /* to */) {}

	/*
	 * The life of an invalidation, in this order, each with the inode lock
	 * held and a part of range(). From begin() to end() the holder maps
	 * nothing of @reach anew: @reach is @range of unmap() rounded out to runs,
	 * because a huge mapping takes in its neighbours. May sleep, cannot fail.
	 */
	virtual void begin(IndexRange reach) = 0;
	virtual void unmap(IndexRange range) = 0;
	/*
	 * unmap() in two steps, for ranges that are many: it is done when flush() returns.
	 * Inode lock held exclusively.
	 */
	virtual void zap(IndexRange range) { unmap(range); }
	virtual void flush() {}
	/* @range, which is unmapped, has become private or shared. */
	virtual void converted(IndexRange, Share /* to */) {}
	virtual void end(IndexRange reach) = 0;

	/*
	 * The file is going. First, between unmap() of all and end(), the holder gives
	 * out no page of the file any more. A fault that came before is told by end() to
	 * try again. Then the holder forgets the file. Inode lock held exclusively.
	 */
	virtual void file_closes() {}
	virtual void file_closed() {}
	/* Frees the binding, which no file knows any more. */
	virtual void destroy() = 0;

    protected:
	explicit Binding(IndexRange range) : range_(range) {}
	~Binding() = default;

    private:
	IndexRange range_;
};

} /* namespace gmem */

#endif /* GMEM_BINDING_H */
