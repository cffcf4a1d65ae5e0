// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate: initial content, each page exactly once. On this kernel only SNP
 * calls it, so gmem_test.ko (selftests/kmod) does, with a callback that copies
 * as the vendors' callbacks do.
 *
 * Tests: mmu/populate.cc.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "kernel.h"
#include "kmod/gmem_test_abi.h"
#include "stats.h"
#include "vm.h"

#define GFN(gpa) ((gpa) / PAGE_SIZE)
#define NOWHERE (~0ULL)

/* What kvm_gmem_populate() answers. */
static long populate(struct vm *vm, u64 gpa, const void *source, u64 npages, u64 fail_gpa)
{
	struct gmem_test_populate req = {
		.gfn = GFN(gpa),
		.source = (u64)source,
		.npages = npages,
		.fail_gfn = fail_gpa == NOWHERE ? NOWHERE : GFN(fail_gpa),
		.vm_fd = vm->fd,
	};
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		tap_skip("no gmem_test.ko");
	ret = ioctl(fd, GMEM_TEST_POPULATE, &req);
	close(fd);
	return ret < 0 ? -errno : ret;
}

/* Pages of words that differ from each other and from page to page. */
static u64 *source_pages(u64 npages)
{
	u64 *words = mmap(NULL, npages * PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(words != MAP_FAILED, "mmap: %m");
	for (u64 i = 0; i < npages * PAGE_SIZE / 8; i++)
		words[i] = i * 0x9e3779b97f4a7c15ULL + 1;
	return words;
}

/* Require that the guest reads @npages of @source at @gpa: first and last word of each. */
static void check_content(struct vcpu *vcpu, u64 gpa, const u64 *source, u64 npages)
{
	for (u64 i = 0; i < npages; i++) {
		u64 first, last;

		MUST(guest_read(vcpu, gpa + i * PAGE_SIZE, 8, &first));
		MUST(guest_read(vcpu, gpa + (i + 1) * PAGE_SIZE - 8, 8, &last));
		CHECK_EQ(first, source[i * 512]);
		CHECK_EQ(last, source[i * 512 + 511]);
	}
}

static void test_guest_sees_the_content(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(600);

	vm_add_private(vm, 4 * SZ_1M);
	CHECK_EQ(populate(vm, TEST_GPA, source, 600, NOWHERE), 600);
	check_content(&vm->vcpus[0], TEST_GPA, source, 600);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + 600 * PAGE_SIZE, 20 * PAGE_SIZE));
}

static void test_once_per_page(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(8), *other = source_pages(4);

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA, source, 4, NOWHERE), 4);
	CHECK_EQ(populate(vm, TEST_GPA, other, 4, NOWHERE), -EEXIST);
	/* Pages before the one that has content are populated, and counted. */
	CHECK_EQ(populate(vm, TEST_GPA + 8 * PAGE_SIZE, source, 2, NOWHERE), 2);
	CHECK_EQ(populate(vm, TEST_GPA + 4 * PAGE_SIZE, source + 4 * 512, 8, NOWHERE), 4);
	check_content(&vm->vcpus[0], TEST_GPA, source, 8);
}

static void test_a_touched_page_has_content(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(1);

	vm_add_private(vm, SZ_2M);
	MUST(guest_write(&vm->vcpus[0], TEST_GPA + 5 * PAGE_SIZE, 8, 42));
	CHECK_EQ(populate(vm, TEST_GPA + 5 * PAGE_SIZE, source, 1, NOWHERE), -EEXIST);
}

static void prefault(struct vm *vm, u64 gpa, u64 size)
{
	while (size)
		CHECK_OK(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size));
}

/*
 * As long as no vCPU has run, a pre-faulted page was not written to. A vCPU that has run
 * may have written to it without a fault.
 */
static void test_a_prefaulted_page_is_populated(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(4);

	vm_add_private(vm, SZ_2M);
	prefault(vm, TEST_GPA, 8 * PAGE_SIZE);
	CHECK_EQ(populate(vm, TEST_GPA, source, 4, NOWHERE), 4);
	CHECK_EQ(populate(vm, TEST_GPA, source, 4, NOWHERE), -EEXIST);
	prefault(vm, TEST_GPA + SZ_1M, PAGE_SIZE);
	check_content(&vm->vcpus[0], TEST_GPA, source, 4);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + 4 * PAGE_SIZE, 4 * PAGE_SIZE));
	CHECK_EQ(populate(vm, TEST_GPA + SZ_1M, source, 1, NOWHERE), -EEXIST);
	prefault(vm, TEST_GPA + SZ_1M + PAGE_SIZE, PAGE_SIZE);
	CHECK_EQ(populate(vm, TEST_GPA + SZ_1M + PAGE_SIZE, source, 1, NOWHERE), -EEXIST);
}

/* A page is not unmapped to find out that it has content. */
static void test_refused_pages_stay_mapped(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(8), small, huge;

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA, source, 8, NOWHERE), 8);
	check_content(&vm->vcpus[0], TEST_GPA, source, 8);
	small = kvm_stat(vm->fd, "pages_4k");
	huge = kvm_stat(vm->fd, "pages_2m");
	CHECK_EQ(populate(vm, TEST_GPA + 3 * PAGE_SIZE, source, 2, NOWHERE), -EEXIST);
	CHECK_EQ(kvm_stat(vm->fd, "pages_4k"), small);
	CHECK_EQ(kvm_stat(vm->fd, "pages_2m"), huge);
}

static void test_allocated_page_is_populated(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(4);
	int fd = vm_add_private(vm, SZ_2M);

	MUST(gmem_alloc(fd, 0, SZ_2M));
	CHECK_EQ(populate(vm, TEST_GPA + 7 * PAGE_SIZE, source, 4, NOWHERE), 4);
	check_content(&vm->vcpus[0], TEST_GPA + 7 * PAGE_SIZE, source, 4);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, 7 * PAGE_SIZE));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + 11 * PAGE_SIZE, 500 * PAGE_SIZE));
}

static void test_only_private_pages(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(4);

	vm_add_private(vm, SZ_2M);
	vm_make_shared(vm, TEST_GPA + 2 * PAGE_SIZE, PAGE_SIZE);
	CHECK_EQ(populate(vm, TEST_GPA + 2 * PAGE_SIZE, source, 1, NOWHERE), -EINVAL);
	CHECK_EQ(populate(vm, TEST_GPA, source, 4, NOWHERE), 2);
	check_content(&vm->vcpus[0], TEST_GPA, source, 2);
}

static void test_only_slots_with_a_file(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(1);

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA + SZ_2M, source, 1, NOWHERE), -EINVAL);
	CHECK_EQ(populate(vm, 0, source, 1, NOWHERE), -EINVAL);
}

static void test_not_past_the_slot(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(8);

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA + SZ_2M - 4 * PAGE_SIZE, source, 8, NOWHERE), 4);
}

static void test_nothing_is_nothing(void)
{
	struct vm *vm = vm_create_private(1);
	struct stat st;
	int fd = vm_add_private(vm, SZ_2M);

	CHECK_EQ(populate(vm, TEST_GPA, NULL, 0, NOWHERE), kernel_populates_pages() ? -EINVAL : 0);
	CHECK_EQ(populate(vm, TEST_GPA, NULL, -1, NOWHERE), -EINVAL);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_blocks, 0);
}

/* The source is pinned in batches: it may end anywhere in one. */
static void test_bad_source(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(100);

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA, (void *)PAGE_SIZE, 1, NOWHERE), -EFAULT);
	CHECK_EQ(populate(vm, TEST_GPA, (void *)8, 1, NOWHERE),
		 kernel_populates_pages() ? -EINVAL : -EFAULT);
	/* Sources of 0, 1, ... 9 pages, with nothing mapped behind them. */
	for (u64 good = 0, at = 0; good < 10; at += good + 1, good++) {
		CHECK_OK(munmap(source + (at + good) * 512, PAGE_SIZE));
		CHECK_EQ(populate(vm, TEST_GPA + at * PAGE_SIZE, source + at * 512, good + 5,
				  NOWHERE),
			 good ? (long)good : -EFAULT);
		check_content(&vm->vcpus[0], TEST_GPA + at * PAGE_SIZE, source + at * 512, good);
	}
}

static void test_unaligned_source(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(41), word;

	vm_add_private(vm, SZ_2M);
	if (kernel_populates_pages()) {
		CHECK_EQ(populate(vm, TEST_GPA, source + 3, 40, NOWHERE), -EINVAL);
		return;
	}
	CHECK_EQ(populate(vm, TEST_GPA, source + 3, 40, NOWHERE), 40);
	MUST(guest_read(&vm->vcpus[0], TEST_GPA + 39 * PAGE_SIZE, 8, &word));
	CHECK_EQ(word, source[39 * 512 + 3]);
}

/* The source was never written to: its pages are the zero page. */
static void test_untouched_source(void)
{
	struct vm *vm = vm_create_private(1);
	const u64 *source = mmap(NULL, 40 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(source != MAP_FAILED, "mmap: %m");
	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA, source, 40, NOWHERE), 40);
	CHECK_EQ(source[0], 0);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, 40 * PAGE_SIZE));
	CHECK_EQ(populate(vm, TEST_GPA + 39 * PAGE_SIZE, source, 1, NOWHERE), -EEXIST);
}

/* A failed page can be populated later, and is zero if the guest comes first. */
static void test_failed_callback(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(8);

	vm_add_private(vm, SZ_2M);
	CHECK_EQ(populate(vm, TEST_GPA, source, 8, TEST_GPA), -EIO);
	CHECK_EQ(populate(vm, TEST_GPA, source, 8, TEST_GPA + 5 * PAGE_SIZE), 5);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + 5 * PAGE_SIZE, PAGE_SIZE));
	CHECK_EQ(populate(vm, TEST_GPA + 6 * PAGE_SIZE, source + 6 * 512, 2, NOWHERE), 2);
	check_content(&vm->vcpus[0], TEST_GPA, source, 5);
	check_content(&vm->vcpus[0], TEST_GPA + 6 * PAGE_SIZE, source + 6 * 512, 2);
}

/* Content goes with the page: a punched one is new. */
static void test_punched_page_is_new(void)
{
	struct vm *vm = vm_create_private(1);
	u64 *source = source_pages(2);
	int fd = vm_add_private(vm, SZ_2M);

	CHECK_EQ(populate(vm, TEST_GPA, source, 2, NOWHERE), 2);
	MUST(gmem_punch(fd, 0, PAGE_SIZE));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, PAGE_SIZE));
	MUST(gmem_punch(fd, 0, PAGE_SIZE));
	CHECK_EQ(populate(vm, TEST_GPA, source, 1, NOWHERE), 1);
	check_content(&vm->vcpus[0], TEST_GPA, source, 2);
}

/*
 * The source is a mapping that another thread takes away and brings back all the
 * time: populate may fail with -EFAULT or go on, but nothing locks up, and what
 * is done is right.
 */
struct flicker {
	u64 *source;
	size_t size;
	bool stop;
};

static void *flicker(void *arg)
{
	struct flicker *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		madvise(f->source, f->size, MADV_DONTNEED);
		let_pass(50);
	}
	return NULL;
}

static void test_source_that_goes_away(void)
{
	struct vm *vm = vm_create_private(1);
	struct flicker f = { .size = SZ_1M };
	pthread_t thread;
	u64 done = 0;

	vm_add_private(vm, SZ_2M);
	f.source = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(f.source != MAP_FAILED, "mmap: %m");
	thread = thread_start(flicker, &f);
	while (done < f.size / PAGE_SIZE) {
		long n = populate(vm, TEST_GPA + done * PAGE_SIZE, f.source + done * 512,
				  f.size / PAGE_SIZE - done, NOWHERE);

		CHECK(n > 0 || n == -EFAULT, "populate: %ld", n);
		done += n > 0 ? n : 0;
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	thread_join(thread);
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, SZ_2M));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_guest_sees_the_content),
	TAP_TEST(test_once_per_page),
	TAP_TEST(test_a_touched_page_has_content),
	TAP_TEST(test_a_prefaulted_page_is_populated),
	TAP_TEST(test_refused_pages_stay_mapped),
	TAP_TEST(test_allocated_page_is_populated),
	TAP_TEST(test_only_private_pages),
	TAP_TEST(test_only_slots_with_a_file),
	TAP_TEST(test_not_past_the_slot),
	TAP_TEST(test_nothing_is_nothing),
	TAP_TEST(test_bad_source),
	TAP_TEST(test_unaligned_source),
	TAP_TEST(test_untouched_source),
	TAP_TEST(test_failed_callback),
	TAP_TEST(test_punched_page_is_new),
	TAP_TEST(test_source_that_goes_away),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
