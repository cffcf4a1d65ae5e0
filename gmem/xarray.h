/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A typed face for the kernel's xarray. It stores pointers and never owns them.
 */
#ifndef GMEM_XARRAY_H
#define GMEM_XARRAY_H

#include <cstdint>

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

template <class T> class XArray {
    public:
	XArray() { kapi_xa_init(&xa_); }
	~XArray() { kapi_xa_destroy(&xa_); }
	XArray(const XArray &) = delete;
	XArray &operator=(const XArray &) = delete;

	T *load(std::uint64_t index) const { return static_cast<T *>(kapi_xa_load(&xa_, index)); }

	/* First entry at or after @index up to @max; moves @index to it. */
	T *find(std::uint64_t &index, std::uint64_t max) const
	{
		return static_cast<T *>(kapi_xa_find(&xa_, &index, max));
	}

	/* -EBUSY leaves what is there in @present; -ENOMEM. */
	Status insert(std::uint64_t index, T *entry, T *&present)
	{
		void *other = nullptr;
		const Status status{ kapi_xa_insert(&xa_, index, entry, &other) };

		present = static_cast<T *>(other);
		return status;
	}

	/* insert() at @index will have memory. -ENOMEM; -EINTR: killed. */
	Status reserve(std::uint64_t index) { return Status{ kapi_xa_reserve(&xa_, index) }; }
	/* What of [first, last] was reserved and is not needed. */
	void release(std::uint64_t first, std::uint64_t last)
	{
		kapi_xa_release(&xa_, first, last);
	}

	/* All of [first, last] or -ENOMEM and nothing; nothing may be there yet. */
	Status store_range(std::uint64_t first, std::uint64_t last, T *entry)
	{
		const Status status{ kapi_xa_store_range(&xa_, first, last, entry) };

		if (!status.ok())
			kapi_xa_erase_range(&xa_, first, last);
		return status;
	}

	/* @first and @last as they were stored. */
	void erase_range(std::uint64_t first, std::uint64_t last)
	{
		kapi_xa_erase_range(&xa_, first, last);
	}

    private:
	mutable kapi_xarray xa_;
};

} /* namespace gmem */

#endif /* GMEM_XARRAY_H */
