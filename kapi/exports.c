// SPDX-License-Identifier: GPL-2.0-only
/*
 * The symbols other modules may call: include/gmem/.
 */
#include <linux/export.h>

#include <gmem/consumer.h>
#include <gmem/gmem.h>

EXPORT_SYMBOL_GPL(gmem_create);
EXPORT_SYMBOL_GPL(gmem_bind);
EXPORT_SYMBOL_GPL(gmem_unbind);
EXPORT_SYMBOL_GPL(gmem_get_pfn);
EXPORT_SYMBOL_GPL(gmem_populate);

EXPORT_SYMBOL_GPL(gmem_file_get);
EXPORT_SYMBOL_GPL(gmem_file_put);
EXPORT_SYMBOL_GPL(gmem_consumer_bind);
EXPORT_SYMBOL_GPL(gmem_consumer_unbind);
EXPORT_SYMBOL_GPL(gmem_consumer_get_page);
EXPORT_SYMBOL_GPL(gmem_consumer_put_page);
EXPORT_SYMBOL_GPL(gmem_consumer_is_shared);
EXPORT_SYMBOL_GPL(gmem_consumer_unmap_failed);
