/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where struct folio_batch is declared: <linux/pagevec.h> got the name of what was left in it
 * before 7.2.
 */
#ifndef GMEM_KAPI_COMPAT_FOLIO_BATCH_H
#define GMEM_KAPI_COMPAT_FOLIO_BATCH_H

#include <linux/version.h>

#define GMEM_FOLIO_BATCH_HEADER (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

#if GMEM_FOLIO_BATCH_HEADER
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

#endif /* GMEM_KAPI_COMPAT_FOLIO_BATCH_H */
