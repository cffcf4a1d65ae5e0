// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion in place, one at a time: what it refuses, which side sees what before and
 * after, that only what changes is touched, and that KVM's attributes follow. What
 * stands in the way of one is in convert_busy_test.c, races in convert_race_test.c.
 *
 * Tests: gmem/conversion.cc, gmem/share.cc.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "rng.h"
#include "stats.h"

#define FILE_SIZE	(4 * SZ_2M)
#define FILE_PAGES	(FILE_SIZE / PAGE_SIZE)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

struct scene {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;
	char *p;	/* the whole file */
	u64 huge_at_first;
};

static struct scene scene_of(u64 flags)
{
	struct scene s = { .vm = vm_create_private(1) };
	u64 value;

	s.vcpu = &s.vm->vcpus[0];
	s.fd = gmem_add_mappable(s.vm, FILE_SIZE, flags);
	s.p = gmem_map(s.fd, 0, FILE_SIZE);
	/* The agent's own memory, so that only the file counts. */
	MUST(guest_read(s.vcpu, AGENT_GPA, 8, &value));
	s.huge_at_first = kvm_stat(s.vm->fd, "pages_2m");
	return s;
}

/* How many huge mappings the guest has of the file. */
static u64 huge_mappings(const struct scene *s)
{
	return kvm_stat(s->vm->fd, "pages_2m") - s->huge_at_first;
}

static u64 faults_of(const struct scene *s)
{
	return kvm_stat(s->vcpu->fd, "pf_fixed");
}

static long user_faults(void)
{
	struct rusage usage;

	CHECK_OK(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt;
}

/* ---- refusals ---------------------------------------------------------------- */

static void test_bad_input(void)
{
	static const struct {
		u64 offset, size, attributes, flags;
	} bad[] = {
		{ 0, 0, 0, 0 }, { PAGE_SIZE, 0, 0, 0 }, { 0, 1, 0, 0 }, { 1, PAGE_SIZE, 0, 0 },
		{ 0, PAGE_SIZE - 1, 0, 0 }, { 0, PAGE_SIZE + 1, 0, 0 },
		{ PAGE_SIZE / 2, PAGE_SIZE / 2, 0, 0 }, { FILE_SIZE, PAGE_SIZE, 0, 0 },
		{ FILE_SIZE - PAGE_SIZE, 2 * PAGE_SIZE, 0, 0 }, { 0, FILE_SIZE + PAGE_SIZE, 0, 0 },
		{ -PAGE_SIZE, PAGE_SIZE, 0, 0 }, { -PAGE_SIZE, 2 * PAGE_SIZE, 0, 0 },
		{ PAGE_SIZE, -PAGE_SIZE, 0, 0 }, { 0, -PAGE_SIZE, 0, 0 }, { 0, ~0UL, 0, 0 },
		{ 1UL << 63, PAGE_SIZE, 0, 0 }, { 0, 1UL << 63, 0, 0 },
		{ 1UL << 62, 1UL << 62, 0, 0 }, { (1UL << 63) - PAGE_SIZE, PAGE_SIZE, 0, 0 },
		{ 0, PAGE_SIZE, 1, 0 }, { 0, PAGE_SIZE, 2, 0 }, { 0, PAGE_SIZE, 4, 0 },
		{ 0, PAGE_SIZE, PRIVATE << 1, 0 }, { 0, PAGE_SIZE, 1UL << 63, 0 },
		{ 0, PAGE_SIZE, ~0UL, 0 }, { 0, PAGE_SIZE, PRIVATE | 1, 0 },
		{ 0, PAGE_SIZE, 0, 1 }, { 0, PAGE_SIZE, 0, PRIVATE },
		{ 0, PAGE_SIZE, 0, 1UL << 63 },
	};
	struct scene s = scene_of(SHARED_AT_FIRST);
	struct kvm_memory_attributes2 args;

	mem_fill(s.p, TEST_GPA, FILE_SIZE, 1);
	gmem_make_private(s.fd, 0, SZ_2M);
	for (int private = 0; private < 2; private++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			args = (struct kvm_memory_attributes2){
				.offset = bad[i].offset,
				.size = bad[i].size,
				.attributes = bad[i].attributes | (private ? PRIVATE : 0),
				.flags = bad[i].flags,
			};
			errno = 0;
			CHECK(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, &args) == -1 &&
			      errno == EINVAL, "bad input %zu, private %d: %m", i, private);
		}
		for (size_t i = 0; i < ARRAY_SIZE(args.reserved); i++) {
			args = (struct kvm_memory_attributes2){
				.size = FILE_SIZE, .attributes = private ? PRIVATE : 0,
			};
			args.reserved[i] = 1UL << (i * 5);
			CHECK_ERRNO(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, &args), EINVAL);
		}
	}
	CHECK(mem_is_hidden(s.p) && mem_is_hidden(s.p + SZ_2M - PAGE_SIZE), "the private half");
	CHECK(mem_holds(s.p + SZ_2M, TEST_GPA + SZ_2M, FILE_SIZE - SZ_2M, 1), "the shared half");
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
}

static void test_bad_pointer(void)
{
	struct scene s = scene_of(SHARED_AT_FIRST);
	char *two = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	struct kvm_memory_attributes2 *args;

	mem_fill(s.p, TEST_GPA, FILE_SIZE, 1);
	CHECK_ERRNO(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, NULL), EFAULT);
	CHECK_ERRNO(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, ~0UL), EFAULT);
	CHECK_ERRNO(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, 1UL << 62), EFAULT);
	/* Half of it is there. */
	CHECK_OK(munmap(two + PAGE_SIZE, PAGE_SIZE));
	args = (void *)(two + PAGE_SIZE - 24);
	args->size = FILE_SIZE;
	args->attributes = PRIVATE;
	CHECK_ERRNO(ioctl(s.fd, KVM_SET_MEMORY_ATTRIBUTES2, args), EFAULT);
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, 1), "nothing has changed");
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
}

static void test_other_files(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);

	CHECK_EQ(gmem_convert(fd, 0, FILE_SIZE, PRIVATE, NULL), -ENOTTY);
	CHECK_EQ(gmem_convert(fd, 0, FILE_SIZE, 0, NULL), -ENOTTY);
	/* It is no ioctl of the VM's, nor the VM's one of the file's. */
	CHECK(gmem_convert(vm->fd, 0, FILE_SIZE, 0, NULL) < 0, "a VM is not a file");
	fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	CHECK_ERRNO(ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES, &(struct kvm_memory_attributes){
			  .size = FILE_SIZE, .attributes = PRIVATE }), ENOTTY);
}

/* ---- what each side sees ------------------------------------------------------- */

static void test_first_state(void)
{
	struct scene s = scene_of(PRIVATE_AT_FIRST);
	bool private[FILE_PAGES];

	memset(private, true, sizeof(private));
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_is_hidden(s.p) && mem_is_hidden(s.p + FILE_SIZE - 8), "private at first");
	gmem_check_attributes(s.vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 61);

	s = scene_of(SHARED_AT_FIRST);
	memset(private, false, sizeof(private));
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, 1), "shared at first");
	gmem_check_attributes(s.vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 61);
}

static void test_content_there_and_back(void)
{
	struct scene s = scene_of(PRIVATE_AT_FIRST);

	for (u64 round = 1; round < 6; round += 2) {
		MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, round));
		CHECK(mem_is_hidden(s.p + round * PAGE_SIZE), "private");
		gmem_make_shared(s.fd, 0, FILE_SIZE);
		CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, round), "content as shared pages");
		mem_fill(s.p, TEST_GPA, FILE_SIZE, round + 1);
		MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, round + 1));
		gmem_make_private(s.fd, 0, FILE_SIZE);
		CHECK(mem_is_hidden(s.p) && mem_is_hidden(s.p + FILE_SIZE - 8), "private again");
		MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, round + 1));
	}
}

/* Every other page, so that no two neighbours are alike. */
static void test_page_by_page(void)
{
	struct scene s = scene_of(SHARED_AT_FIRST);
	u64 pages = SZ_2M / PAGE_SIZE + 32;
	bool private[FILE_PAGES] = { false };

	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	for (u64 page = 0; page < pages; page += 2) {
		gmem_make_private(s.fd, page * PAGE_SIZE, PAGE_SIZE);
		private[page] = true;
	}
	for (u64 page = 0; page < pages; page++) {
		u64 off = page * PAGE_SIZE;

		if (private[page])
			CHECK(mem_is_hidden(s.p + off), "page %lu", page);
		else
			CHECK(mem_holds(s.p + off, TEST_GPA + off, PAGE_SIZE, 1), "page %lu", page);
	}
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	gmem_check_attributes(s.vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 7);
	gmem_add_slot(s.vm, TEST_SLOT, TEST_GPA, FILE_SIZE, s.fd, 0);
	gmem_make_shared(s.fd, 0, FILE_SIZE);
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, 1), "all shared");
	memset(private, false, sizeof(private));
	gmem_check_attributes(s.vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 7);
}

/* Pages that are not there yet have a state, too; and holes keep it. */
static void test_absent_pages(void)
{
	struct scene s = scene_of(SHARED_AT_FIRST);

	gmem_make_private(s.fd, SZ_2M, SZ_2M);
	if (gmem_total("pages") >= 0)
		CHECK_EQ(gmem_counter(s.fd, "gmem_pages"), 0);
	MUST(guest_check_zero(s.vcpu, TEST_GPA, FILE_SIZE));
	CHECK(mem_is_zero(s.p, SZ_2M), "shared");
	CHECK(mem_is_hidden(s.p + SZ_2M), "private");
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	MUST(gmem_punch(s.fd, 0, FILE_SIZE));
	CHECK(mem_is_zero(s.p, SZ_2M), "still shared");
	CHECK(mem_is_hidden(s.p + SZ_2M), "still private");
	MUST(guest_check_zero(s.vcpu, TEST_GPA, FILE_SIZE));
	MUST(gmem_alloc(s.fd, 0, FILE_SIZE));
	CHECK(mem_is_hidden(s.p + 2 * SZ_2M - 8), "still private");
	gmem_make_shared(s.fd, SZ_2M, SZ_2M);
	CHECK(mem_is_zero(s.p, FILE_SIZE), "all shared");
}

/* All that user space has of a page goes: each mapping, a child's, a part of one. */
static void test_every_mapping_goes(void)
{
	struct scene s = scene_of(SHARED_AT_FIRST);
	char *other = gmem_map(s.fd, SZ_2M, SZ_2M), byte;
	int go[2], done[2], status;
	u64 value;
	pid_t pid;

	mem_fill(s.p, TEST_GPA, FILE_SIZE, 1);
	CHECK_EQ(mem_read(other, &value), 0);
	CHECK_OK(pipe(go));
	CHECK_OK(pipe(done));
	pid = fork();
	CHECK_OK(pid);
	if (!pid) {
		if (!mem_holds(s.p, TEST_GPA, FILE_SIZE, 1) || write(done[1], "", 1) != 1 ||
		    read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(mem_is_hidden(s.p + SZ_2M) && mem_is_hidden(other) &&
		      mem_holds(s.p, TEST_GPA, SZ_2M, 1) ? 0 : 2);
	}
	CHECK_EQ(read(done[0], &byte, 1), 1);
	gmem_make_private(s.fd, SZ_2M, SZ_2M);
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK(mem_is_hidden(s.p + SZ_2M), "the mapping of the whole file");
	CHECK(mem_is_hidden(other), "the mapping of a part");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the child's status is %#x", status);
	/* They come back by themselves. */
	gmem_make_shared(s.fd, SZ_2M, SZ_2M);
	CHECK_EQ(mem_read(s.p + SZ_2M, &value), 0);
	CHECK_EQ(mem_read(other, &value), 0);
}

/* ---- only what changes ----------------------------------------------------------- */

static void test_already_there(void)
{
	struct scene s = scene_of(SHARED_AT_FIRST);
	long user;
	u64 faults;

	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, 1), "content");
	faults = faults_of(&s);
	user = user_faults();
	gmem_make_shared(s.fd, 0, FILE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, 1), "content");
	CHECK_EQ(faults_of(&s), faults);
	CHECK(user_faults() - user < 8, "%ld faults of user space", user_faults() - user);

	gmem_make_private(s.fd, 0, FILE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	faults = faults_of(&s);
	gmem_make_private(s.fd, 0, FILE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(faults_of(&s), faults);
}

static void test_mixed_range(void)
{
	struct scene s = scene_of(PRIVATE_AT_FIRST);
	u64 first = 100 * PAGE_SIZE, len = 5 * PAGE_SIZE, end = first + len, faults;
	long user;

	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	gmem_make_shared(s.fd, first, len);
	mem_fill(s.p + first, TEST_GPA + first, len, 2);
	/* The guest has all of it mapped. */
	MUST(guest_check(s.vcpu, TEST_GPA, first, 1));
	MUST(guest_check(s.vcpu, TEST_GPA + first, len, 2));
	MUST(guest_check(s.vcpu, TEST_GPA + end, FILE_SIZE - end, 1));
	faults = faults_of(&s);
	gmem_make_private(s.fd, 0, FILE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA, first, 1));
	MUST(guest_check(s.vcpu, TEST_GPA + end, FILE_SIZE - end, 1));
	CHECK_EQ(faults_of(&s), faults);
	MUST(guest_check(s.vcpu, TEST_GPA + first, len, 2));

	/* The other way, with pages of user space. */
	gmem_make_shared(s.fd, 0, FILE_SIZE);
	gmem_make_private(s.fd, first, len);
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 3));
	CHECK(mem_holds(s.p, TEST_GPA, first, 3), "before");
	CHECK(mem_holds(s.p + end, TEST_GPA + end, FILE_SIZE - end, 3), "after");
	faults = faults_of(&s);
	user = user_faults();
	gmem_make_shared(s.fd, 0, FILE_SIZE);
	CHECK(mem_holds(s.p, TEST_GPA, first, 3), "before");
	CHECK(mem_holds(s.p + end, TEST_GPA + end, FILE_SIZE - end, 3), "after");
	CHECK(user_faults() - user < 8, "%ld faults of user space", user_faults() - user);
	MUST(guest_check(s.vcpu, TEST_GPA, first, 3));
	MUST(guest_check(s.vcpu, TEST_GPA + end, FILE_SIZE - end, 3));
	CHECK_EQ(faults_of(&s), faults);
}

/* A page in the middle of a huge mapping. */
static void test_one_page_of_a_run(void)
{
	struct scene s;
	u64 page = SZ_2M + 77 * PAGE_SIZE, end = page + PAGE_SIZE, faults;
	const bool huge = gmem_huge();
	const u64 runs = huge ? FILE_SIZE / SZ_2M : 0;

	s = scene_of(PRIVATE_AT_FIRST);
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(huge_mappings(&s), runs);
	faults = faults_of(&s);
	gmem_make_shared(s.fd, page, PAGE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check(s.vcpu, TEST_GPA + 2 * SZ_2M, FILE_SIZE - 2 * SZ_2M, 1));
	CHECK_EQ(faults_of(&s), faults);
	CHECK_EQ(huge_mappings(&s), runs - huge);
	/* The rest of its own run. */
	MUST(guest_check(s.vcpu, TEST_GPA + SZ_2M, page - SZ_2M, 1));
	MUST(guest_check(s.vcpu, TEST_GPA + end, 2 * SZ_2M - end, 1));
	CHECK_EQ(faults_of(&s), faults);
	MUST(guest_fill(s.vcpu, TEST_GPA + page, PAGE_SIZE, 2));
	CHECK(mem_holds(s.p + page, TEST_GPA + page, PAGE_SIZE, 2), "the shared page");
	CHECK(mem_is_hidden(s.p + page - 8) && mem_is_hidden(s.p + end), "its neighbours");

	/* Whole again, it is huge again. */
	gmem_make_private(s.fd, page, PAGE_SIZE);
	MUST(guest_check(s.vcpu, TEST_GPA + page, PAGE_SIZE, 2));
	MUST(guest_check(s.vcpu, TEST_GPA, page, 1));
	MUST(guest_check(s.vcpu, TEST_GPA + end, FILE_SIZE - end, 1));
	CHECK_EQ(huge_mappings(&s), runs);
}

static void test_huge_there_and_back(void)
{
	struct scene s;
	const u64 runs = gmem_huge() ? FILE_SIZE / SZ_2M : 0;

	s = scene_of(PRIVATE_AT_FIRST);
	for (u64 round = 1; round < 4; round++) {
		MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, round));
		CHECK_EQ(huge_mappings(&s), runs);
		gmem_make_shared(s.fd, 0, FILE_SIZE);
		mem_fill(s.p, TEST_GPA, FILE_SIZE, round + 10);
		MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, round + 10));
		CHECK_EQ(huge_mappings(&s), runs);
		gmem_make_private(s.fd, 0, FILE_SIZE);
		MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, round + 10));
	}
	if (gmem_total("pages") >= 0)
		CHECK_EQ(gmem_counter(s.fd, "gmem_runs_2m"), runs);
}

/* ---- random ranges ---------------------------------------------------------------- */

static void test_random_ranges(void)
{
	struct scene s = scene_of(PRIVATE_AT_FIRST);
	struct rng rng = { rng_seed() };
	bool private[FILE_PAGES];
	u64 seeds[FILE_PAGES] = { 0 }, next = 0;

	tap_diag("SEED=%lu", rng.state);
	memset(private, true, sizeof(private));
	for (int step = 0; step < 120; step++) {
		u64 page = rng_below(&rng, FILE_PAGES);
		u64 count = 1 + rng_below(&rng, 1UL << rng_below(&rng, 12));
		bool to_private = rng_once_in(&rng, 2);
		u64 off = page * PAGE_SIZE, at;

		count = count < FILE_PAGES - page ? count : FILE_PAGES - page;
		if (rng_once_in(&rng, 2))
			MUST(gmem_convert(s.fd, off, count * PAGE_SIZE,
					  to_private ? PRIVATE : 0, NULL));
		else
			MUST(vm_set_attributes(s.vm, TEST_GPA + off, count * PAGE_SIZE,
					       to_private ? PRIVATE : 0));
		for (u64 i = page; i < page + count; i++)
			private[i] = to_private;
		/* Some of it is written by either side, and all of it read by both. */
		next++;
		for (u64 i = page; i < page + count && i < page + 4; i++) {
			at = i * PAGE_SIZE;
			seeds[i] = next;
			if (private[i] || step % 2)
				MUST(guest_fill(s.vcpu, TEST_GPA + at, PAGE_SIZE, next));
			else
				mem_fill(s.p + at, TEST_GPA + at, PAGE_SIZE, next);
		}
		for (u64 i = rng_below(&rng, 64); i < FILE_PAGES; i += 1 + rng_below(&rng, 128)) {
			at = i * PAGE_SIZE;
			if (seeds[i])
				MUST(guest_check(s.vcpu, TEST_GPA + at, PAGE_SIZE, seeds[i]));
			else
				MUST(guest_check_zero(s.vcpu, TEST_GPA + at, PAGE_SIZE));
			if (private[i])
				CHECK(mem_is_hidden(s.p + at), "step %d page %lu is private", step,
				      i);
			else if (seeds[i])
				CHECK(mem_holds(s.p + at, TEST_GPA + at, PAGE_SIZE, seeds[i]),
				      "step %d page %lu", step, i);
			else
				CHECK(mem_is_zero(s.p + at, PAGE_SIZE), "step %d page %lu", step,
				      i);
		}
	}
	gmem_check_attributes(s.vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 3);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_bad_input),
	TAP_TEST(test_bad_pointer),
	TAP_TEST(test_other_files),
	TAP_TEST(test_first_state),
	TAP_TEST(test_content_there_and_back),
	TAP_TEST(test_page_by_page),
	TAP_TEST(test_absent_pages),
	TAP_TEST(test_every_mapping_goes),
	TAP_TEST(test_already_there),
	TAP_TEST(test_mixed_range),
	TAP_TEST(test_one_page_of_a_run),
	TAP_TEST(test_huge_there_and_back),
	TAP_TEST(test_random_ranges),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
