/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Leaves of an xarray that are there before their entries, so that storing those
 * cannot fail (<linux/xarray.h>). A leaf has XA_CHUNK_SIZE indices. To a reader an empty
 * one is as good as none.
 */
#ifndef GMEM_KAPI_LEAVES_H
#define GMEM_KAPI_LEAVES_H

#include <linux/xarray.h>

/*
 * Makes the leaves for [start, end), charged to the caller's cgroup where @xa has
 * XA_FLAGS_ACCOUNT. -ENOMEM, without the OOM killer; -EINTR: the caller is being
 * killed; either way those made are gone again. Takes xa_lock. Sleeps.
 */
int gmem_leaves_reserve(struct xarray *xa, unsigned long start, unsigned long end);
/*
 * Frees leaves without entries of [start, end), and around it. Takes as long as there
 * are leaves, however large the range. Takes xa_lock. Sleeps.
 */
void gmem_leaves_release(struct xarray *xa, unsigned long start, unsigned long end);
/*
 * The first index from @at on, before @end, that has a leaf; @end if none has. xa_lock
 * held.
 */
unsigned long gmem_leaves_next(struct xa_state *xas, unsigned long at, unsigned long end);

#endif /* GMEM_KAPI_LEAVES_H */
