// SPDX-License-Identifier: GPL-2.0-only
/*
 * What threads are at (threads.h), from /proc. A running thread has no stack to
 * show there; how much time it spent tells that it runs.
 */
#include "threads.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static void tell_file(pid_t pid, const char *tid, const char *name,
		      void (*line)(const char *fmt, ...))
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

void threads_tell(pid_t pid, void (*line)(const char *fmt, ...))
{
	static const char *const names[] = { "comm", "schedstat", "syscall", "stack", NULL };
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		for (size_t i = 0; names[i]; i++)
			tell_file(pid, entry->d_name, names[i], line);
	}
	closedir(dir);
}
