// SPDX-License-Identifier: GPL-2.0-only
/*
 * The symbols other modules may call: include/gmem/gmem.h.
 */
#include <linux/export.h>

#include <gmem/gmem.h>

EXPORT_SYMBOL_GPL(gmem_create);
EXPORT_SYMBOL_GPL(gmem_bind);
EXPORT_SYMBOL_GPL(gmem_unbind);
EXPORT_SYMBOL_GPL(gmem_get_pfn);
EXPORT_SYMBOL_GPL(gmem_populate);
