// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers in other modules: the register of their bindings, and keeping the
 * modules loaded (<linux/module.h>).
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "kapi.h"

static DEFINE_MUTEX(consumers_lock);
static DEFINE_XARRAY(consumers);

/* Consumers that are neighbours in memory share the xarray's nodes. */
static unsigned long key(void *consumer)
{
	return (unsigned long)consumer >> 6;
}

void kapi_consumers_lock(void)
{
	mutex_lock(&consumers_lock);
}

void kapi_consumers_unlock(void)
{
	mutex_unlock(&consumers_lock);
}

int kapi_consumers_add(void *consumer)
{
	return xa_err(xa_store(&consumers, key(consumer), consumer, GFP_KERNEL));
}

bool kapi_consumers_has(void *consumer)
{
	return consumer && xa_load(&consumers, key(consumer)) == consumer;
}

void kapi_consumers_remove(void *consumer)
{
	xa_erase(&consumers, key(consumer));
}

bool kapi_module_get(struct module *module)
{
	return try_module_get(module);
}

void kapi_module_put(struct module *module)
{
	module_put(module);
}
