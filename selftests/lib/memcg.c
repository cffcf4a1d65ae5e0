// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups (memcg.h).
 */
#include "memcg.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define ROOT	"/sys/fs/cgroup"

static void put(const char *group, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %m", path);
	close(fd);
}

static void get(const char *group, const char *name, char *text, size_t size)
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

static void remove_groups(void)
{
	rmdir(ROOT "/owner");
	rmdir(ROOT "/other");
}

void memcg_begin(uint64_t limit)
{
	char text[32];

	if (access(ROOT "/cgroup.subtree_control", W_OK))
		tap_skip("no cgroups");
	put("", "cgroup.subtree_control", "+memory");
	/* Of a test that ended early. */
	remove_groups();
	CHECK_OK(mkdir(ROOT "/owner", 0755));
	CHECK_OK(mkdir(ROOT "/other", 0755));
	snprintf(text, sizeof(text), "%lu", limit);
	memcg_set_limit(text);
}

void memcg_enter(const char *group)
{
	put(group, "cgroup.procs", "0");
}

void memcg_set_limit(const char *limit)
{
	put("owner", "memory.max", limit);
}

uint64_t memcg_bytes(const char *group)
{
	char text[32];

	get(group, "memory.current", text, sizeof(text));
	return strtoull(text, NULL, 10);
}

uint64_t memcg_kills(void)
{
	const char *kills;
	char text[256];

	get("owner", "memory.events", text, sizeof(text));
	kills = strstr(text, "oom_kill ");
	CHECK(kills, "memory.events: %s", text);
	return strtoull(kills + strlen("oom_kill "), NULL, 10);
}

void memcg_end(void)
{
	memcg_enter("");
	remove_groups();
}
