// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch without a source on a model: a VMM maps the file, writes the guest's first
 * content to shared pages, makes them private and populates them as they are. It measures
 * to what it does from a source, and the guest finds it.
 *
 * Tests: mmu/launch.cc, gmem/content.cc.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(2 * SZ_2M)
/* The part of the file that is launched: the end of a run and the beginning of the next. */
#define START		(SZ_2M - 8 * PAGE_SIZE)
#define LEN		(16 * PAGE_SIZE)

static void require_model(void)
{
	if (gmem_keeps_content())
		tap_skip("a launch needs a modelled platform");
}

static long populate(int fd, u64 gpa, const void *source, u64 len)
{
	struct gmem_launch_populate args = {
		.gpa = gpa,
		.source = (u64)source,
		.npages = len / PAGE_SIZE,
		.type = GMEM_PAGE_NORMAL,
		.flags = strcmp(gmem_platform(), "tdx-model") ? 0 : GMEM_POPULATE_MEASURE,
	};
	long ret = ioctl(fd, GMEM_POPULATE, &args);

	return ret < 0 ? -errno : ret;
}

static struct gmem_launch_measurement finish(int fd)
{
	struct gmem_launch_measurement measured = {};
	struct gmem_launch_finish end = {};

	CHECK_OK(ioctl(fd, GMEM_FINISH, &end));
	CHECK_OK(ioctl(fd, GMEM_GET_MEASUREMENT, &measured));
	return measured;
}

/* The measurement of the guest's first content, from memory of the VMM's. */
static struct gmem_launch_measurement from_source(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	void *source = vm_source(LEN);

	mem_fill(source, TEST_GPA + START, LEN, 1);
	CHECK_EQ(populate(fd, TEST_GPA + START, source, LEN), LEN / PAGE_SIZE);
	return finish(fd);
}

static void check_in_place(u64 flags)
{
	struct gmem_launch_measurement expected = from_source(), measured;
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, flags);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	gmem_make_shared(fd, 0, FILE_SIZE);
	/* More than is launched. */
	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	gmem_make_private(fd, 0, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA + START, NULL, LEN), LEN / PAGE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA + START, NULL, LEN), -EEXIST);
	measured = finish(fd);
	CHECK(!memcmp(&measured, &expected, sizeof(measured)), "another measurement");
	MUST(guest_check(&vm->vcpus[0], TEST_GPA + START, LEN, 1));
	/* The rest is as new. */
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, START));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + START + LEN, FILE_SIZE - START - LEN));
	CHECK(mem_is_hidden(p + START), "private");
}

static void test_in_place(void)
{
	require_model();
	check_in_place(PRIVATE_AT_FIRST);
	check_in_place(SHARED_AT_FIRST);
}

/* Pages that user space has not written to: zeros, and not what was in the frame. */
static void test_untouched(void)
{
	struct gmem_launch_measurement zeros, measured;
	struct vm *vm;
	void *source;
	int fd;

	require_model();
	source = vm_source(LEN);
	memset(source, 0, LEN);
	vm = vm_create_private(0);
	fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	CHECK_EQ(populate(fd, TEST_GPA, source, LEN), LEN / PAGE_SIZE);
	zeros = finish(fd);

	vm = vm_create_private(1);
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	gmem_make_private(fd, 0, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, NULL, LEN), LEN / PAGE_SIZE);
	measured = finish(fd);
	CHECK(!memcmp(&measured, &zeros, sizeof(measured)), "another measurement");
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, FILE_SIZE));
}

/* Content from before a page was shared again is not launched. */
static void test_there_and_back(void)
{
	struct vm *vm;
	char *p;
	int fd;

	require_model();
	vm = vm_create_private(1);
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	gmem_make_private(fd, 0, FILE_SIZE);
	gmem_make_shared(fd, 0, SZ_1M);
	CHECK(mem_is_zero(p, SZ_1M), "converted twice");
	mem_fill(p, TEST_GPA, PAGE_SIZE, 2);
	gmem_make_private(fd, 0, SZ_1M);
	CHECK_EQ(populate(fd, TEST_GPA, NULL, SZ_1M + PAGE_SIZE), SZ_1M / PAGE_SIZE + 1);
	finish(fd);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, PAGE_SIZE, 2));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + PAGE_SIZE, SZ_1M - PAGE_SIZE));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA + SZ_1M, PAGE_SIZE, 1));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + SZ_1M + PAGE_SIZE,
			      FILE_SIZE - SZ_1M - PAGE_SIZE));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_in_place),
	TAP_TEST(test_untouched),
	TAP_TEST(test_there_and_back),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
