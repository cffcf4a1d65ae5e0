// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes and tracers, see tracefs.h.
 */
#include "tracefs.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define TRACEFS	"/sys/kernel/tracing/"
#define GROUP	"selftest"

/* Writes to a file of tracefs; with O_TRUNC what it had is gone. */
static void put(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	ssize_t len = strlen(text);

	CHECK(fd >= 0, "%s: %m", path);
	CHECK(write(fd, text, len) == len, "\"%s\" to %s: %m", text, path);
	close(fd);
}

static FILE *get(const char *path)
{
	FILE *file = fopen(path, "re");

	CHECK(file, "%s: %m", path);
	return file;
}

void tracefs_reset(void)
{
	put(TRACEFS "current_tracer", 0, "nop");
	put(TRACEFS "set_ftrace_filter", O_TRUNC, "\n");
	if (!access(TRACEFS "events/" GROUP "/enable", F_OK))
		put(TRACEFS "events/" GROUP "/enable", 0, "0");
	put(TRACEFS "kprobe_events", O_TRUNC, "\n");
	put(TRACEFS "trace", O_TRUNC, "\n");
	put(TRACEFS "tracing_on", 0, "1");
}

/* Whether the line begins with one of the names. */
static bool names_one(const char *line, const char *const *names, size_t nr)
{
	const size_t len = strcspn(line, "\n ");

	for (size_t i = 0; i < nr; i++) {
		if (strlen(names[i]) == len && !memcmp(line, names[i], len))
			return true;
	}
	return false;
}

/*
 * By numbers of the list of all functions: the kernel compares a name with every function that
 * it has.
 */
void tracefs_trace(const char *tracer, const char *const *names, size_t nr)
{
	FILE *functions = get(TRACEFS "available_filter_functions");
	char line[512], number[16];
	size_t found = 0;

	for (int i = 1; fgets(line, sizeof(line), functions); i++) {
		if (!names_one(line, names, nr))
			continue;
		snprintf(number, sizeof(number), "%d", i);
		put(TRACEFS "set_ftrace_filter", O_APPEND, number);
		found++;
	}
	fclose(functions);
	CHECK(found >= nr, "%zu of %zu functions can be traced", found, nr);
	put(TRACEFS "current_tracer", 0, tracer);
}

/* "NAME <-caller", "NAME [module]()": a word that is part of no longer one. */
static bool is_about(const char *line, const char *name)
{
	const char *found = strstr(line, name);
	const size_t len = strlen(name);

	for (; found; found = strstr(found + 1, name)) {
		if (found > line && isspace(found[-1]) && !isalnum(found[len]) &&
		    found[len] != '_')
			return true;
	}
	return false;
}

size_t tracefs_traced(const char *name)
{
	char line[512];
	size_t lines = 0;
	FILE *trace;

	put(TRACEFS "tracing_on", 0, "0");
	trace = get(TRACEFS "trace");
	while (fgets(line, sizeof(line), trace))
		lines += is_about(line, name);
	fclose(trace);
	return lines;
}

void tracefs_events(const char *system, bool on)
{
	char path[100];

	snprintf(path, sizeof(path), TRACEFS "events/%s/enable", system);
	put(path, 0, on ? "1" : "0");
}

bool tracefs_has(const char *start, const char *rest)
{
	FILE *trace = get(TRACEFS "trace");
	bool found = false;
	char line[512];

	while (!found && fgets(line, sizeof(line), trace)) {
		const char *at = strstr(line, start);

		found = at && strstr(at + strlen(start), rest);
	}
	fclose(trace);
	return found;
}

void tracefs_probe(char kind, const char *const *names, size_t nr)
{
	char text[200];

	for (size_t i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%c:" GROUP "/%s %s", kind, names[i], names[i]);
		put(TRACEFS "kprobe_events", O_APPEND, text);
	}
	put(TRACEFS "events/" GROUP "/enable", 0, "1");
}

size_t tracefs_hits(const char *name)
{
	FILE *profile = get(TRACEFS "kprobe_profile");
	size_t hits, misses, found = 0;
	char word[128];

	while (fscanf(profile, "%127s %zu %zu", word, &hits, &misses) == 3) {
		if (!strcmp(word, name))
			found = hits;
	}
	fclose(profile);
	return found;
}
