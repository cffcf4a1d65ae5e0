// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core's own objects, the injector, reports, settings, and the check at the
 * end of a test.
 */
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/locks.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"
#include "kunit/fakes/work.h"

namespace fake
{

namespace
{

std::atomic<long> objects, warned;
std::atomic<bool> warnings_expected;
std::atomic<unsigned long> fail_left;
std::atomic<bool> fired;
std::atomic<kapi_huge> huge_policy{ KAPI_HUGE_ALWAYS };
std::atomic<bool> backend_stock;

} /* namespace */

void bug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	std::fputs("BUG: ", stderr);
	std::vfprintf(stderr, format, args);
	std::fputc('\n', stderr);
	va_end(args);
	if (sched::active())
		std::fprintf(stderr, "schedule: %s\n", sched::trail().c_str());
	std::abort();
}

void fail_nth(unsigned long n)
{
	fired = false;
	fail_left = n;
}

bool fail_fired()
{
	return fired;
}

bool fail_now()
{
	unsigned long left = fail_left;

	while (left) {
		if (fail_left.compare_exchange_weak(left, left - 1)) {
			if (left > 1)
				return false;
			fired = true;
			return true;
		}
	}
	return false;
}

void set_huge(kapi_huge policy)
{
	huge_policy = policy;
}

void set_backend_stock(bool stock)
{
	backend_stock = stock;
}

long core_objects()
{
	return objects;
}

long warnings()
{
	return warned;
}

void expect_warnings(bool expected)
{
	warnings_expected = expected;
	warned = 0;
}

void check_clean()
{
	fail_nth(0);
	set_signal_after(0);
	set_killed_after(0);
	return_to_user();
	check_files();
	check_vms();
	check_work();
	check_module();
	if (objects)
		bug("%ld objects of the core are left", objects.load());
	check_pages();
}

} /* namespace fake */

void *kapi_alloc(size_t size)
{
	fake::might_sleep("kapi_alloc");
	fake::sched::step("alloc");
	if (fake::fail_now())
		return nullptr;
	fake::objects++;
	return std::calloc(1, size);
}

void *kapi_alloc_many(size_t size)
{
	return kapi_alloc(size);
}

void kapi_free(const void *p)
{
	if (p)
		fake::objects--;
	std::free(const_cast<void *>(p));
}

void kapi_warn_once(const char *what)
{
	if (!fake::warnings_expected)
		fake::bug("%s", what);
	fake::warned++;
}

void kapi_debug_warn_once(const char *what)
{
	kapi_warn_once(what);
}

void kapi_panic(const char *what)
{
	fake::bug("panic: %s", what);
}

enum kapi_huge kapi_setting_huge(void)
{
	return fake::huge_policy;
}

bool kapi_setting_backend_stock(void)
{
	return fake::backend_stock;
}
