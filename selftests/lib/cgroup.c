// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups (cgroup.h).
 */
#include "cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define ROOT	"/sys/fs/cgroup"

void cgroup_put(const char *group, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %m", path);
	close(fd);
}

void cgroup_get(const char *group, const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/%s", group, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, size - 1);
	CHECK(length > 0, "%s: %m", path);
	text[length] = '\0';
	close(fd);
}

void cgroup_make(const char *group, u64 limit)
{
	char path[128], text[32];

	if (access(ROOT "/cgroup.subtree_control", W_OK))
		tap_skip("no cgroups");
	cgroup_put("", "cgroup.subtree_control", "+memory");
	cgroup_remove(group);
	snprintf(path, sizeof(path), ROOT "/%s", group);
	CHECK_OK(mkdir(path, 0755));
	snprintf(text, sizeof(text), "%lu", limit);
	cgroup_put(group, "memory.max", text);
}

void cgroup_enter(const char *group)
{
	cgroup_put(group ? group : "", "cgroup.procs", "0");
}

u64 cgroup_current(const char *group)
{
	char text[32];

	cgroup_get(group, "memory.current", text, sizeof(text));
	return strtoull(text, NULL, 10);
}

void cgroup_settle(const char *group)
{
	/* Freed pages are uncharged by way of per-CPU batches: some of them later. */
	const u64 batches = 2 * SZ_1M;

	AWAIT(cgroup_current(group) <= batches, "%s still pays for %lu bytes", group,
	      cgroup_current(group));
}

void cgroup_remove(const char *group)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s", group);
	rmdir(path);
}
