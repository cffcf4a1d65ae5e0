// SPDX-License-Identifier: GPL-2.0-only
/*
 * The suites as GoogleTest's tests: one test a case, and after each nothing may
 * be left of it. GMEM_SOME_SUITES(X) lists those of a program that has not all of them.
 */
#include <gtest/gtest.h>
#undef EXPECT_EQ /* the suites have their own */

#include "kunit/suite.h"
#include "kunit/world.h"

namespace
{

class Case : public testing::Test {
    public:
	explicit Case(const gmem_case &c) : case_(c) {}

	void TestBody() override
	{
		case_.run();
		/* A failed case may leave things behind: that is no second failure. */
		if (!HasFailure())
			world_check_clean();
	}

    private:
	const gmem_case &case_;
};

void add(const gmem_suite &suite)
{
	for (unsigned i = 0; i < suite.count; i++) {
		const gmem_case &c = suite.cases[i];

		testing::RegisterTest(suite.name, c.name, nullptr, nullptr, __FILE__, __LINE__,
				      [&c]() -> testing::Test * { return new Case(c); });
	}
}

} /* namespace */

void gmem_case_failed(const char *file, int line, const char *what)
{
	ADD_FAILURE_AT(file, line) << what;
}

void gmem_case_differs(const char *file, int line, const char *what, long long left,
		       long long right)
{
	ADD_FAILURE_AT(file, line) << what << ": " << left << ", " << right;
}

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
#ifdef GMEM_HOSTED_THREADS
	add(gmem_suite_concurrency);
#else
#define ADD(suite) add(gmem_suite_##suite);
#ifdef GMEM_SOME_SUITES
	GMEM_SOME_SUITES(ADD)
#else
	GMEM_SUITES_OF_BOTH_WORLDS(ADD)
	GMEM_HOSTED_SUITES(ADD)
#endif
#endif
	return RUN_ALL_TESTS();
}
