// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays: guest memory is charged to the cgroup of whoever made the file, whoever
 * touches it first, and a limit that is reached there is an error for whoever asks
 * for more, with nothing lost.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(64 * SZ_1M)
#define LIMIT		(15 * SZ_1M)

/* A file made in the cgroup "owner", which has no process any more. */
static int file_of_owner(struct vm *vm, u64 limit)
{
	int fd;

	cgroup_make("owner", limit);
	cgroup_make("other", FILE_SIZE);
	cgroup_enter("owner");
	fd = vm_gmem(vm, FILE_SIZE);
	cgroup_enter("other");
	return fd;
}

static void check_owner_paid_back(int fd)
{
	close(fd);
	cgroup_settle("owner");
	cgroup_enter(NULL);
	cgroup_remove("owner");
	cgroup_remove("other");
}

static void test_the_owner_pays(void)
{
	struct vm *vm = vm_create_private(1);
	const u64 size = 8 * SZ_1M;
	int fd = file_of_owner(vm, FILE_SIZE);
	u64 owner = cgroup_current("owner"), other = cgroup_current("other");

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(gmem_alloc(fd, 0, size));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA + size, size, 1));
	owner = cgroup_current("owner") - owner;
	other = cgroup_current("other") - other;
	/* What else was there may have gone: counts are kept in batches. */
	CHECK(owner + SZ_1M >= 2 * size, "the owner pays for %lu bytes", owner);
	CHECK(other < size, "who touched pays for %lu bytes", other);
	vm_delete_slot(vm, TEST_SLOT);
	check_owner_paid_back(fd);
}

/* The limit is in the middle of a run: the part of it that fits comes. */
static void test_a_limit_is_an_error(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	const u64 first = 4 * SZ_1M;
	int fd = file_of_owner(vm, LIMIT);
	struct stat st;

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, first, 1));
	CHECK_EQ(gmem_alloc(fd, 0, FILE_SIZE), -ENOMEM);
	CHECK_OK(fstat(fd, &st));
	CHECK((u64)st.st_blocks * 512 > first && (u64)st.st_blocks * 512 <= LIMIT,
	      "%ld blocks", (long)st.st_blocks);
	CHECK_EQ(guest_touch_write(vcpu, TEST_GPA + FILE_SIZE - SZ_2M, 8, 8, 1, 1),
		 EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->error, ENOMEM);
	MUST(guest_check(vcpu, TEST_GPA, first, 1));

	/* With more there is no trace of it. */
	cgroup_put("owner", "memory.max", "max");
	MUST(guest_fill(vcpu, TEST_GPA + first, FILE_SIZE - first, 2));
	MUST(guest_check(vcpu, TEST_GPA, first, 1));
	MUST(guest_check(vcpu, TEST_GPA + first, FILE_SIZE - first, 2));
	vm_delete_slot(vm, TEST_SLOT);
	check_owner_paid_back(fd);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_the_owner_pays),
		TAP_TEST(test_a_limit_is_an_error),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
