// SPDX-License-Identifier: GPL-2.0-only
/*
 * An owner's and another's memory cgroup (memcg.h), over cgroup.h.
 */
#include "memcg.h"

#include <stdlib.h>
#include <string.h>

#include "cgroup.h"

void memcg_begin(uint64_t limit)
{
	cgroup_make("owner", limit);
	cgroup_make("other", ~0UL >> 1);
}

void memcg_enter(const char *group)
{
	cgroup_enter(group);
}

void memcg_set_limit(const char *limit)
{
	cgroup_put("owner", "memory.max", limit);
}

uint64_t memcg_bytes(const char *group)
{
	return cgroup_current(group);
}

uint64_t memcg_kills(void)
{
	const char *kills;
	char text[256];

	cgroup_get("owner", "memory.events", text, sizeof(text));
	kills = strstr(text, "oom_kill ");
	CHECK(kills, "memory.events: %s", text);
	return strtoull(kills + strlen("oom_kill "), NULL, 10);
}

void memcg_end(void)
{
	cgroup_enter(NULL);
	cgroup_remove("owner");
	cgroup_remove("other");
}
