// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve of 1 GiB blocks: a file that cannot use a block, or whose cgroup cannot
 * pay for it, takes none. A block with a page that memory failure has marked is kept
 * out. Needs two blocks and a cgroup (scripts/vm --module-args reserve_1g=2).
 *
 * Tests: gmem/giant.cc, kapi/reserve.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "memcg.h"

#define PAGES		(SZ_1G / PAGE_SIZE)
#define HARD_OFFLINE	"/sys/devices/system/memory/hard_offline_page"
#define MAX_GIB		16

/*
 * The first pages of up to @max blocks of the reserve: aligned gigabytes of pages that
 * are nothing at all to the kernel.
 */
static unsigned int reserve(u64 *pfns, unsigned int max)
{
	static u64 flags[PAGES];
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	unsigned int n = 0;

	CHECK(fd >= 0, "/proc/kpageflags: %m");
	for (u64 gib = 0; gib < MAX_GIB && n < max; gib++) {
		u64 any = 0;

		if (pread(fd, flags, sizeof(flags), gib * sizeof(flags)) != sizeof(flags))
			continue;
		for (u64 i = 0; i < PAGES; i++)
			any |= flags[i];
		if (!any)
			pfns[n++] = gib * PAGES;
	}
	close(fd);
	return n;
}

static unsigned int require_reserve(void)
{
	u64 pfns[MAX_GIB];
	unsigned int n = reserve(pfns, MAX_GIB);

	if (gmem_total("runs_1g") < 0 || !n)
		tap_skip("no reserve");
	return n;
}

static unsigned int left(void)
{
	u64 pfns[MAX_GIB];

	return reserve(pfns, MAX_GIB);
}

/* A guest with a gigabyte in one file, of which it has touched a page. */
static long giants_of(struct vm *vm, int fd)
{
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_1G, fd, 0);
	vm_make_private(vm, TEST_GPA, SZ_1G);
	MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA + 100 * SZ_2M, 8, 8, 1, 7));
	return gmem_counter(fd, "gmem_runs_1g");
}

static void test_who_cannot_pay(void)
{
	struct vm *vm;
	unsigned int before = require_reserve();
	int fd;

	memcg_begin(64 * SZ_1M);
	memcg_enter("owner");
	vm = vm_create_private(1);
	fd = vm_gmem(vm, SZ_1G);
	CHECK_EQ(giants_of(vm, fd), 0);
	CHECK_EQ(left(), before);
	CHECK(memcg_bytes("owner") < 64 * SZ_1M, "it pays for %lu bytes", memcg_bytes("owner"));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	memcg_end();
}

static void test_a_run_that_is_there(void)
{
	unsigned int before = require_reserve();
	struct vm *vm = vm_create_private(1);
	int fd = vm_gmem(vm, SZ_1G);

	MUST(gmem_alloc(fd, 300 * SZ_2M, PAGE_SIZE));
	CHECK_EQ(giants_of(vm, fd), 0);
	CHECK_EQ(left(), before);
}

/* Lines of the kernel's log that tell of it. */
static int reports(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), n = 0;
	char line[4096];
	ssize_t length;

	CHECK(fd >= 0, "/dev/kmsg: %m");
	while ((length = read(fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		line[length > 0 ? length : 0] = '\0';
		n += !!strstr(line, "of the reserve is poisoned");
	}
	close(fd);
	return n;
}

/* All blocks but one have a page that is marked before the blocks are used. */
static void test_marked_blocks(void)
{
	unsigned int before = require_reserve();
	struct vm *vm = vm_create_private(1), *other = vm_create_private(1);
	u64 pfns[MAX_GIB];
	char text[32];
	int fd;

	if (before < 2 || access(HARD_OFFLINE, W_OK))
		tap_skip("one block, or no way to mark a page");
	reserve(pfns, MAX_GIB);
	for (unsigned int i = 1; i < before; i++) {
		fd = open(HARD_OFFLINE, O_WRONLY | O_CLOEXEC);
		snprintf(text, sizeof(text), "%#lx", (pfns[i] + 4321) * PAGE_SIZE);
		/* It says that it can do nothing about such a page; the mark stays. */
		CHECK(write(fd, text, strlen(text)) < 0, "the page was handled");
		close(fd);
	}
	CHECK_EQ(left(), 1);
	fd = vm_gmem(vm, SZ_1G);
	CHECK_EQ(giants_of(vm, fd), 1);
	CHECK_EQ(giants_of(other, vm_gmem(other, SZ_1G)), 0);
	CHECK_EQ(reports(), (long)before - 1);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, 100 * SZ_2M));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_who_cannot_pay),
	TAP_TEST(test_a_run_that_is_there),
	TAP_TEST(test_marked_blocks),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
