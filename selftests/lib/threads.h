/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the threads of a process are at: for a test that does not end.
 */
#ifndef SELFTESTS_THREADS_H
#define SELFTESTS_THREADS_H

#include <sys/types.h>

/* Calls @line with each line to be told: names, states, system calls, kernel stacks. */
void threads_tell(pid_t pid, void (*line)(const char *fmt, ...));

#endif /* SELFTESTS_THREADS_H */
