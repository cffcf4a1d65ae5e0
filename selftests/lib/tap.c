// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TAP runner, see tap.h. A test's verdict is its exit status; its reason
 * to skip comes back through a pipe.
 */
#include "tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "leak.h"
#include "threads.h"

enum verdict { PASSED = 0, FAILED = 1, SKIPPED = 4, BAILED = 5 };

/* Seconds that late frees (RCU, work queues, other processes' exits) may take. */
#define SETTLE_SECONDS	120

/* Seconds that a late test has for finding out why. */
#define GRACE_SECONDS	5

/* The write end of the pipe for the reason to skip; -1 outside a test. */
static int reason_fd = -1;

static void vdiag(const char *fmt, va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	/* One call, so that lines of two threads do not mix. */
	printf("# %s\n", line);
	fflush(stdout);
}

void tap_diag(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdiag(fmt, ap);
	va_end(ap);
}

void tap_fail(const char *file, int line, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tap_diag("%s:%d: %s", file, line, text);
	_exit(FAILED);
}

void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (reason_fd >= 0)
		vdprintf(reason_fd, fmt, ap);
	va_end(ap);
	_exit(SKIPPED);
}

void tap_bail_out(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf("\n");
	fflush(stdout);
	va_end(ap);
	_exit(BAILED);
}

/* Interrupts a system call. */
static void on_signal(int signal)
{
	(void)signal;
}

/* Wait for @pid up to @seconds; whether it has ended. */
static bool wait_up_to(pid_t pid, unsigned int seconds, int *status)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t ended;

	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
	ended = waitpid(pid, status, 0);
	if (ended < 0 && errno != EINTR)
		tap_bail_out("waitpid: %m");
	alarm(0);
	return ended == pid;
}

/*
 * Wait for @pid to end and return its status. When nothing of it has run for @seconds, or
 * it has not ended after many times as long, it is late: its threads are interrupted,
 * shown, twice, and then killed.
 */
static int wait_for(pid_t pid, unsigned int seconds, bool *late)
{
	unsigned long ran = 0, before;
	int status, stretch = 0;

	*late = false;
	do {
		before = ran;
		if (wait_up_to(pid, seconds, &status))
			return status;
		ran = threads_run_time(pid);
	} while (ran != before && ++stretch < TAP_STRETCHES);
	*late = true;
	threads_signal(pid, TAP_LATE);
	if (wait_up_to(pid, GRACE_SECONDS, &status))
		return status;
	threads_tell(pid, tap_diag);
	let_pass(1000000);
	threads_tell(pid, tap_diag);
	/* With its children: they have our output open, and its reader would wait for them. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* Run one test in a child and print its line. */
static enum verdict run_test(const struct tap_test *test, size_t number)
{
	const struct sigaction on_late = { .sa_handler = on_signal };
	char reason[256] = "";
	int pipefd[2];
	int status;
	bool late;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC))
		tap_bail_out("pipe: %m");
	pid = fork();
	if (pid < 0)
		tap_bail_out("fork: %m");
	if (!pid) {
		setpgid(0, 0);
		close(pipefd[0]);
		reason_fd = pipefd[1];
		sigaction(TAP_LATE, &on_late, NULL);
		test->fn();
		_exit(PASSED);
	}

	close(pipefd[1]);
	status = wait_for(pid, test->timeout ? test->timeout : TAP_TIMEOUT, &late);
	/*
	 * A process that the test started may outlive it and hold the pipe's
	 * other end: do not wait for that one.
	 */
	fcntl(pipefd[0], F_SETFL, O_NONBLOCK);
	n = read(pipefd[0], reason, sizeof(reason) - 1);
	reason[n > 0 ? n : 0] = '\0';
	close(pipefd[0]);

	if (late) {
		tap_diag("%s: timed out", test->name);
	} else if (WIFSIGNALED(status)) {
		tap_diag("%s: %s", test->name, strsignal(WTERMSIG(status)));
	} else if (WEXITSTATUS(status) == PASSED) {
		printf("ok %zu %s\n", number, test->name);
		return PASSED;
	} else if (WEXITSTATUS(status) == SKIPPED) {
		printf("ok %zu %s # SKIP %s\n", number, test->name, reason);
		return SKIPPED;
	} else if (WEXITSTATUS(status) == BAILED) {
		_exit(BAILED);
	}
	printf("not ok %zu %s\n", number, test->name);
	return FAILED;
}

int tap_main(const struct tap_test *tests, size_t nr)
{
	size_t passed = 0, failed = 0, skipped = 0;
	struct leak_mark before;
	char text[128];
	size_t i;

	printf("TAP version 13\n1..%zu\n", nr + 1);
	fflush(stdout);
	before = leak_take();

	for (i = 0; i < nr; i++) {
		switch (run_test(&tests[i], i + 1)) {
		case PASSED:
			passed++;
			break;
		case SKIPPED:
			skipped++;
			break;
		default:
			failed++;
		}
		fflush(stdout);
	}

	if (skipped == nr) {
		printf("ok %zu nothing_leaked # SKIP no test ran\n", nr + 1);
		skipped++;
	} else if (leak_settled(&before, SETTLE_SECONDS, text, sizeof(text))) {
		printf("ok %zu nothing_leaked\n", nr + 1);
		passed++;
	} else {
		tap_diag("left behind: %s", text);
		printf("not ok %zu nothing_leaked\n", nr + 1);
		failed++;
	}
	printf("# passed %zu, failed %zu, skipped %zu\n",
	       passed, failed, skipped);
	return failed ? 1 : 0;
}
