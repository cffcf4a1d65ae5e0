// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of memory and descriptors, see leak.h.
 */
#include "leak.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* A machine that refuses leaves the counters noisy, not wrong. */
	if (write(fd, "3", 1) != 1)
		perror("# drop_caches");
	close(fd);
}

static long meminfo_kib(const char *buf, const char *key)
{
	const char *line = strstr(buf, key);
	long kib = 0;

	if (line)
		sscanf(line + strlen(key), ": %ld", &kib);
	return kib;
}

/* Free pages on per-CPU lists, many MiB of them, which MemFree leaves out. */
static long per_cpu_free_kib(void)
{
	FILE *zones = fopen("/proc/zoneinfo", "re");
	long pages, sum = 0;
	char line[256];

	if (!zones)
		return 0;
	while (fgets(line, sizeof(line), zones))
		if (sscanf(line, " count: %ld", &pages) == 1)
			sum += pages;
	fclose(zones);
	return sum * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct leak_mark read_counters(void)
{
	struct leak_mark mark = { 0 };
	char buf[8192];
	ssize_t n;
	int fd;

	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return mark;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return mark;
	buf[n] = '\0';

	mark.slab_kib = meminfo_kib(buf, "Slab");
	mark.used_kib = meminfo_kib(buf, "MemTotal") -
			meminfo_kib(buf, "MemFree") - per_cpu_free_kib() -
			mark.slab_kib;
	return mark;
}

static bool kernel_has_kasan(void)
{
	FILE *symbols = fopen("/proc/kallsyms", "re");
	bool found = false;
	char line[256];

	if (!symbols)
		return false;
	while (!found && fgets(line, sizeof(line), symbols))
		found = strstr(line, " kasan_quarantine_");
	fclose(symbols);
	return found;
}

struct leak_mark leak_take(void)
{
	drop_caches();
	return read_counters();
}

bool leak_settled(const struct leak_mark *before, unsigned int seconds,
		  char *text, size_t len)
{
	const bool slab_counts = !kernel_has_kasan();
	unsigned int tries = seconds * 5;
	struct leak_mark now;

	for (;;) {
		now = leak_take();
		snprintf(text, len, "used %+ld KiB, slab %+ld KiB",
			 now.used_kib - before->used_kib,
			 now.slab_kib - before->slab_kib);
		if (now.used_kib - before->used_kib <= LEAK_USED_KIB &&
		    (!slab_counts ||
		     now.slab_kib - before->slab_kib <= LEAK_SLAB_KIB))
			return true;
		if (!tries--)
			return false;
		let_pass(200000);
	}
}

unsigned int leak_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	/* Less ".", ".." and the directory's own descriptor. */
	return n - 3;
}
