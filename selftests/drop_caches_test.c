// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim and compaction must leave guest memory alone: it lies in a page cache
 * but has no other copy.
 *
 * Tests: kapi/cache.c.
 */
#include <fcntl.h>
#include <unistd.h>

#include "guest.h"

#define FILE_SIZE	(64 * SZ_1M)

static void poke(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		tap_skip("%s: this kernel has none", path);
	CHECK_OK(write(fd, text, 1));
	close(fd);
}

/* Fill through the guest, do @disturb a few times, compare through the guest. */
static void check_survival(void (*disturb)(void))
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	u64 off;
	int i;

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	/* Holes, so that there is something to compact between. */
	for (off = 0; off < FILE_SIZE / 2; off += 4 * PAGE_SIZE)
		MUST(gmem_punch(fd, off, PAGE_SIZE));
	for (i = 0; i < 3; i++)
		disturb();
	MUST(guest_check(vcpu, TEST_GPA + FILE_SIZE / 2, FILE_SIZE / 2, 1));
	for (off = 0; off < FILE_SIZE / 2; off += 4 * PAGE_SIZE) {
		MUST(guest_check_zero(vcpu, TEST_GPA + off, PAGE_SIZE));
		MUST(guest_check(vcpu, TEST_GPA + off + PAGE_SIZE,
				 3 * PAGE_SIZE, 1));
	}
}

static void drop_caches(void)
{
	poke("/proc/sys/vm/drop_caches", "3");
}

static void compact(void)
{
	poke("/proc/sys/vm/compact_memory", "1");
}

static void test_drop_caches(void)
{
	check_survival(drop_caches);
}

static void test_compaction(void)
{
	check_survival(compact);
}

/* Pages that are allocated and were never touched, too. */
static void test_drop_caches_keeps_allocation(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, FILE_SIZE);

	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	drop_caches();
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, FILE_SIZE));
}

static void test_file_outlives_its_slot_in_reclaim(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	drop_caches();
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_drop_caches),
	TAP_TEST(test_compaction),
	TAP_TEST(test_drop_caches_keeps_allocation),
	TAP_TEST(test_file_outlives_its_slot_in_reclaim),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
