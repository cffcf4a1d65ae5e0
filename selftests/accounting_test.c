// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a guest's memory shows: the cgroup's memory.stat, /proc/meminfo, smaps of a
 * mapping. The same is expected of the stock backend's files, where they can be mapped
 * (docs/troubleshooting.md, "Memory that one looks for"). Which cgroup pays is tested by
 * memcg_test.c.
 *
 * Tests: kapi/charge.c, kapi/cache.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "memcg.h"

#define FILE_SIZE	(64 * SZ_1M)
#define PART		(16 * SZ_1M)
/* Counters are kept per CPU: so much of a change may not show in the total yet. */
#define SLACK		(2 * SZ_1M)

/* The number behind @name at the beginning of a line of @text; 0: there is none. */
static u64 number_of(const char *text, const char *name)
{
	const size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && strchr(" :", line[length]))
			return strtoull(line + length + 1, NULL, 10);
	}
	return 0;
}

static u64 memory_stat(const char *name)
{
	char text[8192];

	cgroup_get("owner", "memory.stat", text, sizeof(text));
	return number_of(text, name);
}

static u64 meminfo(const char *name)
{
	static char text[8192];
	FILE *file = fopen("/proc/meminfo", "re");
	size_t n;

	CHECK(file, "/proc/meminfo: %m");
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return number_of(text, name) * 1024;
}

/* Resident bytes of the mapping at @p. */
static u64 resident(const void *p)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	bool inside = false;
	u64 kib = 0;

	CHECK(file, "/proc/self/smaps: %m");
	while (fgets(line, sizeof(line), file)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < line + 20)
			inside = start <= (unsigned long)p && (unsigned long)p < end;
		else if (inside && sscanf(line, "Rss: %lu", &kib) == 1)
			break;
	}
	fclose(file);
	return kib * 1024;
}

static bool about(u64 value, u64 wanted)
{
	return value + SLACK >= wanted && value <= wanted + SLACK;
}

/* A guest has touched private memory, user space another part that is shared. */
static void test_where_memory_shows(void)
{
	struct vm *vm = vm_create_private(1);
	u64 cached = meminfo("Cached"), mapped = meminfo("Mapped");
	int fd;
	char *p;

	memcg_begin(FILE_SIZE * 2);
	memcg_enter("owner");
	fd = gmem_add_mappable(vm, FILE_SIZE, GUEST_MEMFD_FLAG_MMAP);
	p = gmem_map(fd, 0, FILE_SIZE);
	memcg_enter("other");
	gmem_make_shared(fd, PART, PART);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, PART, 1));
	mem_fill(p + PART, TEST_GPA + PART, PART, 1);

	AWAIT(about(memory_stat("file"), 2 * PART), "memory.stat has %lu bytes of files",
	      memory_stat("file"));
	CHECK(about(memory_stat("file_mapped"), PART), "memory.stat: %lu bytes mapped",
	      memory_stat("file_mapped"));
	CHECK(about(meminfo("Cached"), cached + 2 * PART), "meminfo: %lu bytes cached, %lu before",
	      meminfo("Cached"), cached);
	CHECK(about(meminfo("Mapped"), mapped + PART), "meminfo: %lu bytes mapped, %lu before",
	      meminfo("Mapped"), mapped);
	CHECK_EQ(resident(p), PART);

	munmap(p, FILE_SIZE);
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	AWAIT(memory_stat("file") <= SLACK, "memory.stat still has %lu bytes of files",
	      memory_stat("file"));
	vm_free(vm);
	memcg_end();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_where_memory_shows),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
