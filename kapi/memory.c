// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the core's own objects: <linux/slab.h>; and its last words.
 */
#include <linux/bug.h>
#include <linux/mmdebug.h>
#include <linux/slab.h>

#include "kapi.h"

void *kapi_alloc(size_t size)
{
	return kzalloc(size, GFP_KERNEL_ACCOUNT);
}

void *kapi_alloc_many(size_t size)
{
	return kzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

void kapi_free(const void *p)
{
	kfree(p);
}

void kapi_warn_once(const char *what)
{
	WARN_ONCE(1, "gmem: %s\n", what);
}

void kapi_debug_warn_once(const char *what)
{
	VM_WARN_ONCE(1, "gmem: %s\n", what);
}

void kapi_panic(const char *what)
{
	panic("gmem: %s\n", what);
}
