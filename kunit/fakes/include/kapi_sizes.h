/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes of the kernel's objects as the fakes have them; in the kernel's build
 * this header comes out of kapi/sizes.c.
 */
#ifndef GMEM_FAKES_KAPI_SIZES_H
#define GMEM_FAKES_KAPI_SIZES_H

#define KAPI_MUTEX_WORDS 32 /* fake::Lock */
#define KAPI_XARRAY_WORDS 1 /* a pointer */
#define KAPI_INTERVAL_WORDS 3 /* the tree, first and last */
#define KAPI_INTERVALS_WORDS 1 /* a pointer */
#define KAPI_WORK_WORDS 4 /* what to run, and whether */
#define KAPI_PINS_MAX 4 /* small, so that batches are seen to end */

#endif /* GMEM_FAKES_KAPI_SIZES_H */
