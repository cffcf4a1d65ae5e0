// SPDX-License-Identifier: GPL-2.0-only
/*
 * fallocate() on a guest_memfd: allocation and holes, seen from the host by
 * the answer and the size, from the guest by the content.
 *
 * Tests: gmem/invalidation.cc, kapi/files.c.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "rng.h"

#define FILE_SIZE	(4 * SZ_2M)

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ALLOC	FALLOC_FL_KEEP_SIZE

static u64 file_size(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_size;
}

static void test_modes(void)
{
	int fd = vm_gmem(vm_create_private(0), FILE_SIZE);
	static const int refused[] = {
		0,				/* would have to grow the file */
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_ERRNO(fallocate(fd, refused[i], 0, FILE_SIZE), EOPNOTSUPP);
	CHECK_OK(fallocate(fd, ALLOC, 0, FILE_SIZE));
	CHECK_OK(fallocate(fd, PUNCH, 0, FILE_SIZE));
}

static void test_alignment(void)
{
	int fd = vm_gmem(vm_create_private(0), FILE_SIZE);
	static const struct {
		u64 offset, len;
	} refused[] = {
		{ 0, 1 }, { 0, PAGE_SIZE - 1 }, { 0, PAGE_SIZE + 1 },
		{ 1, 1 }, { 1, PAGE_SIZE - 1 }, { 1, PAGE_SIZE },
		{ PAGE_SIZE, 1 }, { PAGE_SIZE, PAGE_SIZE - 1 },
		{ PAGE_SIZE - 1, PAGE_SIZE }, { 512, 512 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		CHECK_EQ(gmem_alloc(fd, refused[i].offset, refused[i].len), -EINVAL);
		CHECK_EQ(gmem_punch(fd, refused[i].offset, refused[i].len), -EINVAL);
	}
	CHECK_EQ(gmem_alloc(fd, 0, 0), -EINVAL);
	CHECK_EQ(gmem_punch(fd, 0, 0), -EINVAL);
	CHECK_EQ(gmem_alloc(fd, -PAGE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(gmem_punch(fd, -PAGE_SIZE, PAGE_SIZE), -EINVAL);
}

/* There is nothing to allocate past the end; punching there does nothing. */
static void test_past_the_end(void)
{
	int fd = vm_gmem(vm_create_private(0), FILE_SIZE);
	u64 max = (1UL << 63) - PAGE_SIZE;

	CHECK_EQ(gmem_alloc(fd, FILE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(gmem_alloc(fd, FILE_SIZE + SZ_1G, PAGE_SIZE), -EINVAL);
	CHECK_EQ(gmem_alloc(fd, FILE_SIZE - PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
	CHECK_EQ(gmem_alloc(fd, 0, max), -EINVAL);
	MUST(gmem_punch(fd, FILE_SIZE, PAGE_SIZE));
	MUST(gmem_punch(fd, FILE_SIZE + SZ_1G, PAGE_SIZE));
	MUST(gmem_punch(fd, FILE_SIZE - PAGE_SIZE, 2 * PAGE_SIZE));
	MUST(gmem_punch(fd, 0, max));
	CHECK_EQ(gmem_punch(fd, max, 2 * PAGE_SIZE), -EFBIG);
	CHECK_EQ(file_size(fd), FILE_SIZE);
}

static void test_size_never_changes(void)
{
	int fd = vm_gmem(vm_create_private(0), FILE_SIZE);

	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	CHECK_EQ(file_size(fd), FILE_SIZE);
	MUST(gmem_punch(fd, SZ_2M, SZ_2M));
	CHECK_EQ(file_size(fd), FILE_SIZE);
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	CHECK_EQ(file_size(fd), FILE_SIZE);
	CHECK_EQ(gmem_alloc(fd, FILE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(file_size(fd), FILE_SIZE);
}

static void test_idempotent(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	int i;

	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	for (i = 0; i < 3; i++)
		MUST(gmem_alloc(fd, 0, FILE_SIZE));
	/* Pages that are there keep their content. */
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	for (i = 0; i < 3; i++)
		MUST(gmem_punch(fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
}

static void test_allocated_is_zero(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);

	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	/* Pages that were dirty a moment ago come back clean. */
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
}

/* A hole of every place and length in pages around 2 MiB borders. */
static void test_hole_is_exactly_what_was_punched(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	static const struct {
		u64 start, pages;
	} holes[] = {
		{ 0, 1 }, { 3, 1 }, { 511, 1 }, { 512, 1 }, { 511, 2 },
		{ 500, 24 }, { 100, 512 }, { 512, 512 }, { 1, 1022 },
		{ 0, 1024 }, { 1023, 1025 }, { 2047, 1 },
	};
	unsigned int i;

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		u64 start = TEST_GPA + holes[i].start * PAGE_SIZE;
		u64 len = holes[i].pages * PAGE_SIZE;

		MUST(gmem_punch(fd, start - TEST_GPA, len));
		MUST(guest_check(vcpu, TEST_GPA, start - TEST_GPA, 1));
		MUST(guest_check(vcpu, start + len,
				 TEST_GPA + FILE_SIZE - start - len, 1));
		MUST(guest_check_zero(vcpu, start, len));
		/* Whole again for the next one. */
		MUST(guest_fill(vcpu, start, len, 1));
		MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
	}
}

static void test_refill_by_allocation_around_pages(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	u64 gpa;

	/* One page in sixteen is there; allocate must leave those alone. */
	for (gpa = TEST_GPA; gpa < TEST_GPA + FILE_SIZE; gpa += 16 * PAGE_SIZE)
		MUST(guest_fill(vcpu, gpa, PAGE_SIZE, 5));
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	for (gpa = TEST_GPA; gpa < TEST_GPA + FILE_SIZE; gpa += 16 * PAGE_SIZE) {
		MUST(guest_check(vcpu, gpa, PAGE_SIZE, 5));
		MUST(guest_check_zero(vcpu, gpa + PAGE_SIZE, 15 * PAGE_SIZE));
	}
}

/* A file that is no multiple of a huge page has a usable last page. */
static void test_odd_length(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 size = SZ_2M + 5 * PAGE_SIZE;
	int fd = vm_add_private(vm, size);

	MUST(gmem_alloc(fd, 0, size));
	CHECK_EQ(gmem_alloc(fd, 0, size + PAGE_SIZE), -EINVAL);
	MUST(guest_fill(vcpu, TEST_GPA, size, 1));
	MUST(guest_check(vcpu, TEST_GPA, size, 1));
	MUST(gmem_punch(fd, SZ_2M, SZ_2M));
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check_zero(vcpu, TEST_GPA + SZ_2M, size - SZ_2M));
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A signal stops a long allocation; asking again goes on where it was. */
static void test_signal_interrupts_allocation(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct vm *vm = vm_create_private(0);
	u64 size = SZ_1G;
	int fd = vm_gmem(vm, size);
	struct rng rng = { 1 };
	const double begun = now();
	unsigned int interrupted = 0;
	int r;

	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	do {
		pid_t parent = getpid();
		pid_t pid = fork();

		CHECK_OK(pid);
		if (!pid) {
			let_pass(rng_below(&rng, 40000));
			kill(parent, SIGUSR1);
			_exit(0);
		}
		r = gmem_alloc(fd, 0, size);
		CHECK(!r || r == -EINTR, "an allocation gives %d", r);
		interrupted += r == -EINTR;
		/* A signal that comes late is for nothing of what follows. */
		while (waitpid(pid, NULL, 0) < 0)
			CHECK_EQ(errno, EINTR);
		if (!r && !interrupted)
			MUST(gmem_punch(fd, 0, size));
	} while (interrupted < 5 && (r || !over_at(begun, interrupted)));
	CHECK(interrupted, "allocating a GiB was always over before the signal came");
	MUST(gmem_alloc(fd, 0, size));
	CHECK_EQ(file_size(fd), size);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_modes),
	TAP_TEST(test_alignment),
	TAP_TEST(test_past_the_end),
	TAP_TEST(test_size_never_changes),
	TAP_TEST(test_idempotent),
	TAP_TEST(test_allocated_is_zero),
	TAP_TEST(test_hole_is_exactly_what_was_punched),
	TAP_TEST(test_refill_by_allocation_around_pages),
	TAP_TEST(test_odd_length),
	TAP_TEST(test_signal_interrupts_allocation),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
