// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_GUEST_MEMFD: what it makes, what it refuses, and that a refusal
 * leaves nothing behind.
 *
 * Tests: gmem/file.cc, kapi/files.c.
 */
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "leak.h"
#include "vm.h"

static void test_size_zero_is_refused(void)
{
	struct vm *vm = vm_create_private(0);

	CHECK_EQ(vm_create_gmem(vm, 0, 0), -EINVAL);
}

static void test_unaligned_size_is_refused(void)
{
	struct vm *vm = vm_create_private(0);
	u64 size;

	for (size = 1; size < PAGE_SIZE; size++)
		CHECK_EQ(vm_create_gmem(vm, size, 0), -EINVAL);
	for (size = 1; size < PAGE_SIZE; size <<= 1) {
		CHECK_EQ(vm_create_gmem(vm, SZ_1G + size, 0), -EINVAL);
		CHECK_EQ(vm_create_gmem(vm, SZ_1G - size, 0), -EINVAL);
	}
}

/* A size is a loff_t: what does not fit is negative, so refused. */
static void test_huge_sizes(void)
{
	struct vm *vm = vm_create_private(0);
	u64 max = LLONG_MAX & ~(PAGE_SIZE - 1);
	struct stat st;
	int fd;

	CHECK_EQ(vm_create_gmem(vm, 1UL << 63, 0), -EINVAL);
	CHECK_EQ(vm_create_gmem(vm, -PAGE_SIZE, 0), -EINVAL);

	fd = vm_gmem(vm, max);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, max);
	CHECK_EQ(st.st_blocks, 0);
}

/* Later kernels and gmem.ko say which flags exist; 6.12 knows none. */
static void test_unknown_flags_are_refused(void)
{
	struct vm *vm = vm_create_private(0);
	int known = vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS);
	u64 flag;
	int fd;

	CHECK(known >= 0, "flags are the low 31 bits");
	for (flag = 1; flag; flag <<= 1) {
		if (flag & known)
			continue;
		CHECK_EQ(vm_create_gmem(vm, PAGE_SIZE, flag), -EINVAL);
		CHECK_EQ(vm_create_gmem(vm, PAGE_SIZE, flag | known), -EINVAL);
	}
	fd = vm_create_gmem(vm, PAGE_SIZE, 0);
	CHECK(fd >= 0, "no flag at all is allowed");
}

static void test_no_descriptor_left(void)
{
	struct vm *vm = vm_create_private(0);
	struct rlimit limit = { .rlim_max = 4096 };
	unsigned int before = leak_count_fds();
	int fd, i;

	/* Descriptors are numbered from 0, so the limit leaves exactly one. */
	fd = dup(0);
	CHECK_OK(fd);
	close(fd);
	limit.rlim_cur = fd + 1;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));

	for (i = 0; i < 3; i++) {
		CHECK_EQ(vm_create_gmem(vm, SZ_1M, 0), fd);
		CHECK_EQ(vm_create_gmem(vm, SZ_1M, 0), -EMFILE);
		close(fd);
	}
	CHECK_EQ(leak_count_fds(), before);
}

static void test_refusals_leave_no_descriptor(void)
{
	struct vm *vm = vm_create_private(0);
	unsigned int before = leak_count_fds();

	CHECK_EQ(vm_create_gmem(vm, 0, 0), -EINVAL);
	CHECK_EQ(vm_create_gmem(vm, PAGE_SIZE + 1, 0), -EINVAL);
	CHECK_EQ(vm_create_gmem(vm, PAGE_SIZE, 1UL << 40), -EINVAL);
	CHECK_EQ(leak_count_fds(), before);
}

static void test_files_are_distinct(void)
{
	struct vm *vm = vm_create_private(0);
	struct stat a, b;

	CHECK_OK(fstat(vm_gmem(vm, PAGE_SIZE), &a));
	CHECK_OK(fstat(vm_gmem(vm, 2 * PAGE_SIZE), &b));
	CHECK_EQ(a.st_size, PAGE_SIZE);
	CHECK_EQ(b.st_size, 2 * PAGE_SIZE);
	CHECK(a.st_ino != b.st_ino, "each file has an inode of its own");
}

/* The file keeps what it needs of KVM: the VM's descriptor may go first. */
static void test_file_outlives_vm_descriptor(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, SZ_2M);
	struct stat st;

	vm_free(vm);
	MUST(gmem_alloc(fd, 0, SZ_2M));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, SZ_2M);
	MUST(gmem_punch(fd, 0, SZ_2M));
}

static void test_many_files(void)
{
	struct vm *vm = vm_create_private(0);
	int i;

	for (i = 0; i < 1000; i++)
		CHECK_OK(close(vm_gmem(vm, SZ_1G)));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_size_zero_is_refused),
	TAP_TEST(test_unaligned_size_is_refused),
	TAP_TEST(test_huge_sizes),
	TAP_TEST(test_unknown_flags_are_refused),
	TAP_TEST(test_no_descriptor_left),
	TAP_TEST(test_refusals_leave_no_descriptor),
	TAP_TEST(test_files_are_distinct),
	TAP_TEST(test_file_outlives_vm_descriptor),
	TAP_TEST(test_many_files),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
