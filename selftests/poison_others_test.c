// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory failure of pages that are not guest memory, which has to be as it is without
 * gmem.ko: of slabs, page tables, free, anonymous, file and huge pages, by frame number
 * through hwpoison-inject. And of pages that stop being guest memory at that moment.
 *
 * Tests: kapi/poison.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "poison.h"

#define INJECT	"/sys/kernel/debug/hwpoison/corrupt-pfn"
/* Of each kind. */
#define FRAMES	16

/* Bits of /proc/kpageflags (<linux/kernel-page-flags.h>). */
enum {
	SLAB = 1 << 7,
	BUDDY = 1 << 10,
	HWPOISON = 1 << 19,
	NOPAGE = 1 << 20,
	PGTABLE = 1 << 26,
};

static u64 entry_of(const char *path, u64 index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	u64 entry = 0;

	CHECK(fd >= 0, "%s: %m", path);
	CHECK_EQ(pread(fd, &entry, 8, index * 8), 8);
	close(fd);
	return entry;
}

static u64 flags_of(u64 pfn)
{
	return entry_of("/proc/kpageflags", pfn);
}

/* The frame behind @p, which has been touched. */
static u64 frame_of(const void *p)
{
	const u64 entry = entry_of("/proc/self/pagemap", (u64)p / PAGE_SIZE);

	CHECK(entry >> 63, "nothing is mapped at %p", p);
	return entry & ((1UL << 55) - 1);
}

/* What memory_failure() answers. */
static int fail_frame(u64 pfn)
{
	char text[32];
	int fd, length, ret;

	if (access(INJECT, W_OK))
		(void)!system("modprobe hwpoison-inject");
	fd = open(INJECT, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0, INJECT ": %m");
	length = snprintf(text, sizeof(text), "%lu", pfn);
	ret = write(fd, text, length) == length ? 0 : -errno;
	close(fd);
	return ret;
}

/* Up to FRAMES frames whose flags are @flags, spread over memory. */
static unsigned int find_frames(u64 flags, u64 *pfns)
{
	static u64 entries[1 << 18];
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	unsigned int found = 0;
	u64 base = 0;
	ssize_t n;

	CHECK(fd >= 0, "/proc/kpageflags: %m");
	while (found < FRAMES && (n = read(fd, entries, sizeof(entries))) > 0) {
		for (u64 i = 0; i < (u64)n / 8 && found < FRAMES; i++) {
			if (!(entries[i] & flags) || entries[i] & (HWPOISON | NOPAGE))
				continue;
			pfns[found++] = base + i;
			/* Not all of one slab. */
			i += 97;
		}
		base += n / 8;
	}
	close(fd);
	return found;
}

/* A thread that uses slabs, page tables and free pages all the time. */
static atomic_bool stop;

static void *churn(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		char *p = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);
		int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
		char text[64];

		for (u64 at = 0; at < SZ_2M; at += SZ_2M / 8)
			p[at] = 1;
		(void)!read(fd, text, sizeof(text));
		close(fd);
		munmap(p, SZ_2M);
	}
	return NULL;
}

/* Frames of the kernel's own: nothing can be done about them, and nothing is. */
static void check_kernel_frames(u64 flags)
{
	u64 pfns[FRAMES];
	unsigned int found = find_frames(flags, pfns);
	pthread_t thread = thread_start(churn, NULL);

	CHECK(found, "no such frames");
	for (unsigned int i = 0; i < found; i++) {
		int ret = fail_frame(pfns[i]);

		/* It may have become something else meanwhile. */
		if (flags_of(pfns[i]) & flags)
			CHECK_EQ(ret, -EBUSY);
	}
	/* Again and again: a handler that waits for the lock of such a frame waits for ever. */
	for (unsigned int i = 0; i < 200; i++)
		CHECK_EQ(fail_frame(pfns[i % found]), -EHWPOISON);
	atomic_store(&stop, true);
	thread_join(thread);
}

static void test_slabs(void)
{
	check_kernel_frames(SLAB);
}

static void test_page_tables(void)
{
	check_kernel_frames(PGTABLE);
}

static void test_free_pages(void)
{
	u64 pfns[FRAMES];
	unsigned int found = find_frames(BUDDY, pfns), taken = 0;

	CHECK(found, "no free frames");
	for (unsigned int i = 0; i < found; i++)
		taken += fail_frame(pfns[i]) == 0;
	CHECK(taken, "none of %u free frames was taken away", found);
}

static void test_anonymous_memory(void)
{
	char *p = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	u64 value;

	memset(p, 1, 2 * PAGE_SIZE);
	CHECK_EQ(fail_frame(frame_of(p)), 0);
	CHECK_EQ(mem_read(p, &value), SIGBUS);
	CHECK_EQ(gmem_signal_code(), BUS_MCEERR_AR);
	CHECK_EQ(mem_read(p + PAGE_SIZE, &value), 0);
}

static void test_huge_pages(void)
{
	char *p = mmap(NULL, 2 * SZ_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 value;

	p += -(u64)p % SZ_2M;
	CHECK_OK(madvise(p, SZ_2M, MADV_HUGEPAGE));
	memset(p, 1, SZ_2M);
	CHECK_EQ(fail_frame(frame_of(p + 7 * PAGE_SIZE)), 0);
	CHECK_EQ(mem_read(p + 7 * PAGE_SIZE, &value), SIGBUS);
	CHECK_EQ(mem_read(p + 8 * PAGE_SIZE, &value), 0);
}

static void test_files(void)
{
	int fd = memfd_create("poison", MFD_CLOEXEC);
	char *p;
	u64 value;

	CHECK_OK(ftruncate(fd, 2 * PAGE_SIZE));
	p = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 1, 2 * PAGE_SIZE);
	CHECK_EQ(fail_frame(frame_of(p)), 0);
	CHECK_EQ(mem_read(p, &value), SIGBUS);
	CHECK_EQ(mem_read(p + PAGE_SIZE, &value), 0);
}

static void test_a_page_whose_owner_has_it_locked(void)
{
	int fd;

	poison_require();
	fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	CHECK_ERRNO(ioctl(fd, GMEM_TEST_POISON_LOCKED), EBUSY);
	close(fd);
}

#define RACE_SIZE	(2 * SZ_2M)
/* Pages lost, and seconds, at the most. */
#define RACE_HITS	60
#define RACE_SECONDS	30

static void *punch_and_fill(void *arg)
{
	const int fd = *(int *)arg;
	u64 size = PAGE_SIZE;

	while (!atomic_load(&stop)) {
		MUST(gmem_punch(fd, 0, size));
		MUST(gmem_alloc(fd, 0, size));
		size = size == PAGE_SIZE ? SZ_2M : size == SZ_2M ? RACE_SIZE : PAGE_SIZE;
	}
	return NULL;
}

/* With a reference of the page, so that the one that fails is not another's by then. */
static void test_pages_that_are_punched_at_that_moment(void)
{
	struct vm *vm = vm_create_private(1);
	const double end = now() + RACE_SECONDS;
	unsigned int hit = 0, tries = 0;
	pthread_t thread;
	int fd;

	poison_require();
	fd = vm_add_private(vm, RACE_SIZE);
	MUST(gmem_alloc(fd, 0, RACE_SIZE));
	thread = thread_start(punch_and_fill, &fd);
	for (; hit < RACE_HITS && !over_at(end, hit); tries++) {
		int ret = poison_try(fd, tries % 2 ? tries % (RACE_SIZE / PAGE_SIZE) : 0, true);

		if (ret == 0 || ret == -EBUSY)
			hit++;
		else
			CHECK(ret == -ENOENT || ret == -EHWPOISON, "memory_failure: %s",
			      strerror(-ret));
	}
	atomic_store(&stop, true);
	thread_join(thread);
	tap_diag("%u of %u were there", hit, tries);
	CHECK(hit, "no page was there");
	/* What was lost is not used again. */
	MUST(gmem_punch(fd, 0, RACE_SIZE));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, RACE_SIZE, 1));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, RACE_SIZE, 1));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_slabs),
	TAP_TEST(test_page_tables),
	TAP_TEST(test_free_pages),
	TAP_TEST(test_anonymous_memory),
	TAP_TEST(test_huge_pages),
	TAP_TEST(test_files),
	TAP_TEST(test_a_page_whose_owner_has_it_locked),
	TAP_TEST(test_pages_that_are_punched_at_that_moment),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
