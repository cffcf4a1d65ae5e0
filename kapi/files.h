/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kapi/files.c tells the rest of the boundary of the file type.
 */
#ifndef GMEM_KAPI_FILES_H
#define GMEM_KAPI_FILES_H

#include <linux/types.h>

struct folio;

/* Whether the folio is in the cache of an inode of ours; it is locked. */
bool gmem_folio_is_ours(struct folio *folio);

#endif /* GMEM_KAPI_FILES_H */
