/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blocks of 1 GiB, set aside when the module loads: later there are none.
 */
#ifndef GMEM_KAPI_RESERVE_H
#define GMEM_KAPI_RESERVE_H

#define GMEM_RESERVE_ORDER 18

/* Sets @count blocks aside, or as many as there are; how many. Sleeps. */
unsigned int gmem_reserve_fill(unsigned int count);
/* Gives those that are left back to the kernel, less pages that are marked as poisoned. */
void gmem_reserve_drop(void);

#endif /* GMEM_KAPI_RESERVE_H */
