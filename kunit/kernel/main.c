// SPDX-License-Identifier: GPL-2.0-only
/*
 * The suites of both worlds as KUnit's: each of ours is one of KUnit's, with one
 * parameterized case whose parameters are our cases. C++ cannot include KUnit's
 * headers; it calls gmem_case_failed().
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../kapi/symbols.h"
#include "../suite.h"
#include "../world.h"

/* The one that runs: our cases start threads, which are not KUnit's. */
static struct kunit *running;

void gmem_case_failed(const char *file, int line, const char *what)
{
	KUNIT_FAIL(running, "%s:%d: %s", file, line, what);
}

void gmem_case_differs(const char *file, int line, const char *what, long long left,
		       long long right)
{
	KUNIT_FAIL(running, "%s:%d: %s: %lld, %lld", file, line, what, left, right);
}

static void run_case(struct kunit *test)
{
	const struct gmem_case *const c = test->param_value;

	running = test;
	c->run();
	world_check_clean();
}

static const void *next_case(const struct gmem_suite *suite, const struct gmem_case *prev,
			     char *desc)
{
	const struct gmem_case *const next = prev ? prev + 1 : suite->cases;

	if (next == suite->cases + suite->count)
		return NULL;
	strscpy(desc, next->name, KUNIT_PARAM_DESC_SIZE);
	return next;
}

static int prepare_suite(struct kunit_suite *suite)
{
	return gmem_symbols_resolve();
}

#define DEFINE_KUNIT_SUITE(suite)                                           \
	static const void *next_of_##suite(const void *prev, char *desc)   \
	{                                                                   \
		return next_case(&gmem_suite_##suite, prev, desc);          \
	}                                                                   \
	static struct kunit_case cases_of_##suite[] = {                     \
		KUNIT_CASE_PARAM(run_case, next_of_##suite),                \
		{}                                                          \
	};                                                                  \
	static struct kunit_suite kunit_##suite = {                         \
		.name = "gmem_" #suite,                                     \
		.suite_init = prepare_suite,                                \
		.test_cases = cases_of_##suite,                             \
	};
GMEM_SUITES_OF_BOTH_WORLDS(DEFINE_KUNIT_SUITE)

#define KUNIT_SUITE(suite) &kunit_##suite,
kunit_test_suites(GMEM_SUITES_OF_BOTH_WORLDS(KUNIT_SUITE));

MODULE_DESCRIPTION("gmem's suites over the real kernel boundary");
MODULE_LICENSE("GPL");
