/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The threads of another process: for a test that does not end.
 */
#ifndef SELFTESTS_THREADS_H
#define SELFTESTS_THREADS_H

#include <sys/types.h>

typedef void (*threads_line)(const char *fmt, ...);

/* Calls @line with each line to be told: names, run times, system calls, kernel stacks. */
void threads_tell(pid_t pid, threads_line line);

/* Sends @signal to each of them. */
void threads_signal(pid_t pid, int signal);

/* Clock ticks that all of them have run, and those of the processes that it has made. */
unsigned long threads_run_time(pid_t pid);

#endif /* SELFTESTS_THREADS_H */
