/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects of the core on the kernel's heap: made by make(), owned by Own. There
 * is no operator new here; running out of memory is a Result.
 */
#ifndef GMEM_MEMORY_H
#define GMEM_MEMORY_H

#include <memory>
#include <new>
#include <utility>

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

struct Destroy {
	template <class T> void operator()(T *p) const
	{
		p->~T();
		kapi_free(p);
	}
};

template <class T> using Own = std::unique_ptr<T, Destroy>;

/* -ENOMEM if there is none. Sleeps. */
template <class T, class... Args> Result<Own<T>> make(Args &&...args)
{
	void *const p = kapi_alloc(sizeof(T));

	if (!p)
		return error(ENOMEM);
	return Own<T>{ new (p) T(std::forward<Args>(args)...) };
}

/* The same, for one object of many: fails without the OOM killer. */
template <class T, class... Args> Result<Own<T>> make_one_of_many(Args &&...args)
{
	void *const p = kapi_alloc_many(sizeof(T));

	if (!p)
		return error(ENOMEM);
	return Own<T>{ new (p) T(std::forward<Args>(args)...) };
}

} /* namespace gmem */

#endif /* GMEM_MEMORY_H */
