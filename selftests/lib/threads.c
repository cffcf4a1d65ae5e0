// SPDX-License-Identifier: GPL-2.0-only
/*
 * What threads are at (threads.h), from /proc. A running thread has no stack to
 * show there; how much time it spent tells that it runs.
 */
#include "threads.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell_file(pid_t pid, const char *tid, const char *name, threads_line line)
{
	char path[300], text[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, tid, name);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		line("%s %s: %s", tid, name, text);
	}
	fclose(f);
}

static void for_threads(pid_t pid, void (*fn)(pid_t pid, const char *tid, void *arg), void *arg)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			fn(pid, entry->d_name, arg);
	}
	closedir(dir);
}

static void tell_one(pid_t pid, const char *tid, void *line)
{
	static const char *const names[] = { "comm", "schedstat", "syscall", "stack", NULL };

	for (size_t i = 0; names[i]; i++)
		tell_file(pid, tid, names[i], *(threads_line *)line);
}

void threads_tell(pid_t pid, threads_line line)
{
	for_threads(pid, tell_one, &line);
}

static void signal_one(pid_t pid, const char *tid, void *signal)
{
	tgkill(pid, atoi(tid), *(int *)signal);
}

void threads_signal(pid_t pid, int signal)
{
	for_threads(pid, signal_one, &signal);
}

/* What /proc says of process @name: its parent, and how many ticks it has run. */
static bool read_stat(const char *name, pid_t *parent, unsigned long *ticks)
{
	unsigned long user = 0, kernel = 0;
	char path[300], text[512], *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	f = fopen(path, "re");
	if (!f)
		return false;
	end = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	if (!end || sscanf(end + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", parent,
			   &user, &kernel) != 3)
		return false;
	*ticks = user + kernel;
	return true;
}

unsigned long threads_run_time(pid_t pid)
{
	unsigned long sum = 0, ticks;
	struct dirent *entry;
	pid_t parent;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		const pid_t it = atoi(entry->d_name);

		if (it <= 0 || !read_stat(entry->d_name, &parent, &ticks))
			continue;
		if (it == pid)
			sum += ticks;
		else if (parent == pid)
			sum += threads_run_time(it);
	}
	closedir(dir);
	return sum;
}
