// SPDX-License-Identifier: GPL-2.0-only
/*
 * <linux/xarray.h>.
 */
#include <linux/xarray.h>

#include "kapi.h"
#include "leaves.h"

static struct xarray *to_xarray(struct kapi_xarray *xa)
{
	BUILD_BUG_ON(sizeof(struct xarray) > sizeof(struct kapi_xarray));
	return (struct xarray *)xa;
}

void kapi_xa_init(struct kapi_xarray *xa)
{
	xa_init_flags(to_xarray(xa), XA_FLAGS_ACCOUNT);
}

void kapi_xa_destroy(struct kapi_xarray *xa)
{
	xa_destroy(to_xarray(xa));
}

void *kapi_xa_load(struct kapi_xarray *xa, kapi_u64 index)
{
	return xa_load(to_xarray(xa), index);
}

void *kapi_xa_find(struct kapi_xarray *xa, kapi_u64 *index, kapi_u64 max)
{
	unsigned long at = *index;
	void *const entry = xa_find(to_xarray(xa), &at, max, XA_PRESENT);

	if (entry)
		*index = at;
	return entry;
}

int kapi_xa_insert(struct kapi_xarray *xa, kapi_u64 index, void *entry, void **present)
{
	void *const old = xa_cmpxchg(to_xarray(xa), index, NULL, entry, GFP_KERNEL);

	if (xa_is_err(old))
		return xa_err(old);
	*present = old;
	return old ? -EBUSY : 0;
}

int kapi_xa_reserve(struct kapi_xarray *xa, kapi_u64 index)
{
	return gmem_leaves_reserve(to_xarray(xa), index, index + 1);
}

void kapi_xa_release(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last)
{
	gmem_leaves_release(to_xarray(xa), first, last + 1);
}

int kapi_xa_store_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last, void *entry)
{
	return xa_err(xa_store_range(to_xarray(xa), first, last, entry, GFP_KERNEL));
}

void kapi_xa_erase_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last)
{
	xa_store_range(to_xarray(xa), first, last, NULL, GFP_KERNEL);
}
