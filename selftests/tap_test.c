// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a test counts as hung: not while anything of it runs, however late it is; soon
 * when nothing does; and in the end, should it run for ever.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* Of the tests below, in seconds. */
#define TIMEOUT		2

static void run_for(double seconds)
{
	const double end = now() + seconds;

	while (now() < end)
		;
}

static void runs_late(void)
{
	run_for(2.5 * TIMEOUT);
}

static void has_a_child_that_runs_late(void)
{
	const pid_t pid = fork();

	if (!pid) {
		runs_late();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void hangs(void)
{
	for (;;)
		pause();
}

static void hangs_in_a_child(void)
{
	const pid_t pid = fork();

	if (!pid)
		hangs();
	for (;;)
		waitpid(pid, NULL, 0);
}

static void runs_for_ever(void)
{
	for (;;)
		;
}

/* What tap_main() prints for a test that is @fn. */
static void verdict_of(void (*fn)(void), char *text, size_t size)
{
	const struct tap_test test = { .name = "it", .fn = fn, .timeout = TIMEOUT };
	size_t length = 0;
	int pipefd[2];
	ssize_t n;
	pid_t pid;

	CHECK_OK(pipe(pipefd));
	pid = fork();
	CHECK_OK(pid);
	if (!pid) {
		CHECK_OK(dup2(pipefd[1], STDOUT_FILENO));
		close(pipefd[0]);
		close(pipefd[1]);
		tap_main(&test, 1);
		fflush(stdout);
		_exit(0);
	}
	close(pipefd[1]);
	while ((n = read(pipefd[0], text + length, size - 1 - length)) > 0)
		length += n;
	text[length] = '\0';
	close(pipefd[0]);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void check_passes(void (*fn)(void))
{
	char text[1 << 14];

	verdict_of(fn, text, sizeof(text));
	CHECK(strstr(text, "\nok 1 it"), "not as it should be:\n%s", text);
}

/* The runner tells that the test hangs, and where. */
static void check_hangs(void (*fn)(void))
{
	char text[1 << 14];

	verdict_of(fn, text, sizeof(text));
	CHECK(strstr(text, "\nnot ok 1 it") && strstr(text, "it: timed out") &&
	      strstr(text, "comm"), "not as it should be:\n%s", text);
}

static void test_late_is_not_hung(void)
{
	check_passes(runs_late);
	check_passes(has_a_child_that_runs_late);
}

static void test_nothing_runs(void)
{
	check_hangs(hangs);
	check_hangs(hangs_in_a_child);
}

static void test_it_runs_for_ever(void)
{
	check_hangs(runs_for_ever);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_late_is_not_hung),
		TAP_TEST(test_nothing_runs),
		TAP_TEST(test_it_runs_for_ever),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
