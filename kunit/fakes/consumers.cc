// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/consumers.c over a set and counts.
 */
#include "kunit/fakes/consumers.h"

#include <set>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/sched.h"

namespace
{

/* Protected by the lock, as in the kernel. */
std::set<void *> consumers;

fake::Lock &consumers_lock()
{
	static fake::Lock lock{ fake::Rank::Consumers };

	return lock;
}

void check_locked()
{
	if (!consumers_lock().held())
		fake::bug("the register of consumers is used without its lock");
}

} /* namespace */

void kapi_consumers_lock(void)
{
	consumers_lock().lock();
}

void kapi_consumers_unlock(void)
{
	consumers_lock().unlock();
}

int kapi_consumers_add(void *consumer)
{
	check_locked();
	if (fake::fail_now())
		return -ENOMEM;
	consumers.insert(consumer);
	return 0;
}

bool kapi_consumers_has(void *consumer)
{
	check_locked();
	return consumers.count(consumer) != 0;
}

void kapi_consumers_remove(void *consumer)
{
	check_locked();
	if (!consumers.erase(consumer))
		fake::bug("a consumer is removed that is not registered");
}

bool kapi_module_get(struct module *module)
{
	if (!module)
		return true;
	if (module->going)
		return false;
	module->users++;
	return true;
}

void kapi_module_put(struct module *module)
{
	if (module && module->users-- <= 0)
		fake::bug("one reference of a module too many is put");
}
