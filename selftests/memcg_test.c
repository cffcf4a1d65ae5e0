// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays: guest memory is charged to the cgroup of whoever made the file, whoever
 * touches it first, and a limit that is reached there is an error for whoever asks
 * for more, with nothing lost.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"

#define ROOT		"/sys/fs/cgroup"
#define FILE_SIZE	(64 * SZ_1M)
#define LIMIT		(15 * SZ_1M)

static void put(const char *group, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %m", path);
	close(fd);
}

static u64 current_bytes(const char *group)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s/memory.current", group);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s: %m", path);
	close(fd);
	return strtoull(text, NULL, 10);
}

static void remove_groups(void)
{
	rmdir(ROOT "/owner");
	rmdir(ROOT "/other");
}

/* A file made in the cgroup "owner", which has no process any more. */
static int file_of_owner(struct vm *vm, u64 limit)
{
	char text[32];
	int fd;

	if (access(ROOT "/cgroup.subtree_control", W_OK))
		tap_skip("no cgroups");
	put("", "cgroup.subtree_control", "+memory");
	remove_groups();
	CHECK_OK(mkdir(ROOT "/owner", 0755));
	CHECK_OK(mkdir(ROOT "/other", 0755));
	snprintf(text, sizeof(text), "%lu", limit);
	put("owner", "/memory.max", text);
	put("owner", "/cgroup.procs", "0");
	fd = vm_gmem(vm, FILE_SIZE);
	put("other", "/cgroup.procs", "0");
	return fd;
}

/* What is freed is uncharged by way of per-CPU batches: some of it later. */
static void check_owner_paid_back(int fd)
{
	const u64 batches = 2 * SZ_1M;
	int tries = 100;

	close(fd);
	while (current_bytes("owner") > batches && --tries)
		usleep(50000);
	CHECK(tries, "the owner still pays for %lu bytes", current_bytes("owner"));
	put("", "/cgroup.procs", "0");
	remove_groups();
}

static void test_the_owner_pays(void)
{
	struct vm *vm = vm_create_private(1);
	const u64 size = 8 * SZ_1M;
	int fd = file_of_owner(vm, FILE_SIZE);
	u64 owner = current_bytes("owner"), other = current_bytes("other");

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(gmem_alloc(fd, 0, size));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA + size, size, 1));
	owner = current_bytes("owner") - owner;
	other = current_bytes("other") - other;
	CHECK(owner >= 2 * size, "the owner pays for %lu bytes", owner);
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
	put("owner", "/memory.max", "max");
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
