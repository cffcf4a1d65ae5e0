/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests and their results in TAP, the Test Anything Protocol.
 *
 * Each test runs in a child process of its own: it starts with fresh
 * descriptors, whatever it leaves is cleaned up by its exit, and a crash or a
 * hang fails that test alone; of a hang it is told where. A failed check ends
 * the test, from any thread. Nothing here knows KVM.
 */
#ifndef SELFTESTS_TAP_H
#define SELFTESTS_TAP_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct tap_test {
	const char *name;
	void (*fn)(void);
	/*
	 * In seconds; 0 is TAP_TIMEOUT. A test of which nothing has run for as long is
	 * hung, and so is one that has not ended when TAP_STRETCHES of them are over.
	 */
	unsigned int timeout;
};

#define TAP_TIMEOUT	120
#define TAP_STRETCHES	4
#define TAP_TEST(f)	{ .name = #f, .fn = f }

/*
 * Run @tests and then compare the machine's free memory and slab with what
 * they were at the start, as one more test. Return the exit status for main:
 * 0 when nothing failed.
 */
int tap_main(const struct tap_test *tests, size_t nr);

/* Print a diagnostic line. */
void tap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* End the running test. Only these end one early. */
void tap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void tap_skip(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* Each thread of a test that is late gets this, before it counts as hung. */
#define TAP_LATE	SIGUSR2

/* End the whole program, for a machine on which no test makes sense. */
void tap_bail_out(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

#define FAIL(...)	tap_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Require @cond; the message states the rule that was broken. */
#define CHECK(cond, ...)						\
	do {								\
		if (!(cond))						\
			FAIL(__VA_ARGS__);				\
	} while (0)

#define CHECK_EQ(actual, expected)					\
	do {								\
		long long a_ = (long long)(actual);			\
		long long e_ = (long long)(expected);			\
		if (a_ != e_)						\
			FAIL("%s is %lld (0x%llx), not %lld (0x%llx)",	\
			     #actual, a_, a_, e_, e_);			\
	} while (0)

/* Require that a call of libc's convention (-1 and errno) fails with @err. */
#define CHECK_ERRNO(call, err)						\
	do {								\
		errno = 0;						\
		long long r_ = (long long)(call);			\
		if (r_ != -1 || errno != (err))				\
			FAIL("%s gives %lld, errno %d; not errno %s",	\
			     #call, r_, errno, #err);			\
	} while (0)

/* Require that a call of libc's convention succeeds. */
#define CHECK_OK(call)							\
	do {								\
		if ((long long)(call) == -1)				\
			FAIL("%s: %m", #call);				\
	} while (0)

#endif
