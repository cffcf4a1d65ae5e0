// SPDX-License-Identifier: GPL-2.0-only
/*
 * User space's mapping of a guest_memfd: which files can be mapped and how, what a
 * mapping shows and which touch is a signal, and the mapping's own life. Pages do not
 * change between shared and private here (convert_test.c) but for hiding them. VMs
 * that have no other memory are in default_vm_test.c.
 *
 * Tests: kapi/mmap.c.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "kernel.h"
#include "stats.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

#define FILE_SIZE	(2 * SZ_2M)

static const unsigned long vm_types[] = { KVM_X86_DEFAULT_VM, KVM_X86_SW_PROTECTED_VM };

/* A file of a VM without vCPUs or slots. */
static int new_file(u64 flags)
{
	return gmem_mappable(vm_create_private(0), FILE_SIZE, flags);
}

/* ---- flags ------------------------------------------------------------------ */

static void test_capabilities(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);

	/* As since Linux 7.0: default VMs have guest_memfds, but nothing private. */
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & 3, SHARED_AT_FIRST);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD), 1);
	CHECK_EQ(vm_check(vm, KVM_CAP_MEMORY_ATTRIBUTES), 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);

	vm = vm_create_private(0);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & 3, SHARED_AT_FIRST);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD), 1);
	CHECK_EQ(vm_check(vm, KVM_CAP_MEMORY_ATTRIBUTES), KVM_MEMORY_ATTRIBUTE_PRIVATE);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static void test_every_combination_of_flags(void)
{
	u64 flags, flag;

	for (size_t i = 0; i < ARRAY_SIZE(vm_types); i++) {
		struct vm *vm = vm_create(vm_types[i], 0);
		u64 known = vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS);

		for (flags = 0; flags <= SHARED_AT_FIRST; flags++) {
			int fd = vm_create_gmem(vm, FILE_SIZE, flags);

			CHECK(fd >= 0, "VM type %lu, flags %lu: %s", vm_types[i], flags,
			      strerror(-fd));
			close(fd);
			for (flag = 4; flag; flag <<= 1) {
				if (flag & known)
					continue;
				fd = vm_create_gmem(vm, FILE_SIZE, flag | flags);
				CHECK(fd == -EINVAL, "flags %#lx: %d", flag | flags, fd);
			}
		}
	}
}

/* ---- mmap() ------------------------------------------------------------------ */

static void test_without_the_flag(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm_types); i++) {
		struct vm *vm = vm_create(vm_types[i], 0);
		int fd = vm_gmem(vm, FILE_SIZE);

		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
		/* Shared pages alone make no file that can be mapped. */
		fd = vm_create_gmem(vm, FILE_SIZE, GUEST_MEMFD_FLAG_INIT_SHARED);
		CHECK(fd >= 0, "%s", strerror(-fd));
		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
	}
}

static void test_map_private(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC };

	const bool noexec = kernel_keeps_pseudo_files_noexec();

	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		if (noexec && prots[i] & PROT_EXEC) {
			CHECK_ERRNO(mmap(NULL, PAGE_SIZE, prots[i], MAP_PRIVATE, fd, 0), EPERM);
			CHECK_ERRNO(mmap(NULL, PAGE_SIZE, prots[i], MAP_SHARED, fd, 0), EPERM);
			continue;
		}
		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, prots[i], MAP_PRIVATE, fd, 0), EINVAL);
		CHECK(mmap(NULL, PAGE_SIZE, prots[i], MAP_SHARED, fd, 0) != MAP_FAILED,
		      "MAP_SHARED with prot %#x: %m", prots[i]);
	}
}

static void test_content(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *a = gmem_map(fd, 0, FILE_SIZE), *b = gmem_map(fd, SZ_2M, SZ_2M);
	struct stat st;

	CHECK(mem_is_zero(a, FILE_SIZE), "new memory is zero");
	mem_fill(a, 0, FILE_SIZE, 1);
	CHECK(mem_holds(b, SZ_2M, SZ_2M, 1), "another mapping shows the same");
	mem_fill(b, SZ_2M, PAGE_SIZE, 2);
	CHECK(mem_holds(a + SZ_2M, SZ_2M, PAGE_SIZE, 2), "both ways");
	CHECK(mem_holds(a, 0, SZ_2M, 1), "and nothing else");
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
	if (gmem_total("pages") >= 0)
		CHECK_EQ(st.st_blocks, FILE_SIZE / 512);
}

static void test_protection(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	u64 value;

	CHECK(p != MAP_FAILED, "read-only mapping: %m");
	CHECK_EQ(mem_read(p, &value), 0);
	CHECK_EQ(value, 0);
	CHECK_EQ(mem_write(p, 1), SIGSEGV);
	CHECK_OK(mprotect(p, FILE_SIZE, PROT_READ | PROT_WRITE));
	CHECK_EQ(mem_write(p, 1), 0);
	CHECK_OK(mprotect(p, PAGE_SIZE, PROT_NONE));
	CHECK_EQ(mem_read(p, &value), SIGSEGV);
	CHECK_OK(mprotect(p, PAGE_SIZE, PROT_READ));
	CHECK_EQ(mem_read(p, &value), 0);
	CHECK_EQ(value, 1);
}

/* Where no page can be, no page is seen: by no way of looking. */
static void check_hidden(char *p)
{
	char buffer[8] = "";
	struct iovec to = { buffer, sizeof(buffer) }, from = { p, sizeof(buffer) };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int other = memfd_create("other", MFD_CLOEXEC);

	CHECK(mem_is_hidden(p), "a read of %p is no SIGBUS", (void *)p);
	CHECK_EQ(mem_write(p, 1), SIGBUS);
	CHECK_ERRNO(write(other, p, sizeof(buffer)), EFAULT);
	CHECK_OK(ftruncate(other, PAGE_SIZE));
	CHECK_ERRNO(read(other, p, sizeof(buffer)), EFAULT);
	CHECK_ERRNO(process_vm_readv(getpid(), &to, 1, &from, 1, 0), EFAULT);
	CHECK_ERRNO(process_vm_writev(getpid(), &to, 1, &from, 1, 0), EFAULT);
	CHECK_ERRNO(pread(mem, buffer, sizeof(buffer), (off_t)p), EIO);
	CHECK_ERRNO(pwrite(mem, buffer, sizeof(buffer), (off_t)p), EIO);
	CHECK_ERRNO(madvise(p, PAGE_SIZE, MADV_POPULATE_READ), EFAULT);
	CHECK_ERRNO(madvise(p, PAGE_SIZE, MADV_POPULATE_WRITE), EFAULT);
	close(other);
	close(mem);
}

static void test_private_pages(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(vm_types); i++) {
		struct vm *vm = vm_create(vm_types[i], 0);
		int fd = gmem_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
		char *p = gmem_map(fd, 0, FILE_SIZE);

		for (u64 off = 0; off < FILE_SIZE; off += 64 * PAGE_SIZE)
			check_hidden(p + off);
		/* Nor when they are there. */
		MUST(gmem_alloc(fd, 0, FILE_SIZE));
		check_hidden(p);
		check_hidden(p + FILE_SIZE - PAGE_SIZE);
	}
}

static void test_past_the_end(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE + SZ_2M), *beyond;
	struct stat st;
	u64 value;

	CHECK_EQ(mem_read(p + FILE_SIZE - 8, &value), 0);
	check_hidden(p + FILE_SIZE);
	check_hidden(p + FILE_SIZE + SZ_2M - PAGE_SIZE);
	beyond = gmem_map(fd, FILE_SIZE + SZ_1G, PAGE_SIZE);
	check_hidden(beyond);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
}

/* A file's last pages do not fill a run. */
static void test_odd_length(void)
{
	struct vm *vm = vm_create_private(0);
	u64 size = SZ_2M + 3 * PAGE_SIZE;
	int fd = gmem_mappable(vm, size, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	mem_fill(p, 0, size, 1);
	CHECK(mem_holds(p, 0, size, 1), "content");
	check_hidden(p + size);
}

/* The kernel's own ways into a process work on shared pages. */
static void test_other_ways_to_look(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	char buffer[64], page[64];
	struct iovec to = { buffer, sizeof(buffer) }, from = { p + PAGE_SIZE - 32, sizeof(buffer) };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int other = memfd_create("other", MFD_CLOEXEC);

	mem_fill(p, 0, FILE_SIZE, 1);
	memcpy(page, from.iov_base, sizeof(page));
	CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), sizeof(buffer));
	CHECK(!memcmp(buffer, page, sizeof(page)), "process_vm_readv");
	memset(buffer, 0, sizeof(buffer));
	CHECK_EQ(pread(mem, buffer, sizeof(buffer), (off_t)from.iov_base), sizeof(buffer));
	CHECK(!memcmp(buffer, page, sizeof(page)), "/proc/self/mem");
	CHECK_EQ(write(other, p, FILE_SIZE), FILE_SIZE);
	memset(p, 0, FILE_SIZE);
	CHECK_EQ(pread(other, p, FILE_SIZE, 0), FILE_SIZE);
	CHECK(mem_holds(p, 0, FILE_SIZE, 1), "read and write");
	CHECK_EQ(pwrite(mem, "changed", 8, (off_t)p), 8);
	CHECK(!strcmp(p, "changed"), "written through /proc/self/mem");
}

/* ---- what happens to mapped pages ------------------------------------------------ */

static void test_punch(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	mem_fill(p, 0, FILE_SIZE, 1);
	MUST(gmem_punch(fd, SZ_1M, PAGE_SIZE));
	CHECK(mem_is_zero(p + SZ_1M, PAGE_SIZE), "what was punched is zero");
	CHECK(mem_holds(p, 0, SZ_1M, 1), "before it");
	CHECK(mem_holds(p + SZ_1M + PAGE_SIZE, SZ_1M + PAGE_SIZE, FILE_SIZE - SZ_1M - PAGE_SIZE, 1),
	      "after it");
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	if (gmem_total("pages") >= 0)
		CHECK_EQ(gmem_counter(fd, "gmem_pages"), 0);
	CHECK(mem_is_zero(p, FILE_SIZE), "all punched");
}

static void test_advice(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	static const int harmless[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_DONTDUMP,
	};

	mem_fill(p, 0, FILE_SIZE, 1);
	CHECK_ERRNO(madvise(p, SZ_2M, MADV_COLLAPSE), EINVAL);
	CHECK_ERRNO(madvise(p, SZ_2M, MADV_FREE), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		madvise(p, FILE_SIZE, harmless[i]);
		CHECK(mem_holds(p, 0, FILE_SIZE, 1), "content after advice %d", harmless[i]);
	}
	CHECK_OK(mlock(p, FILE_SIZE));
	CHECK_OK(munlock(p, FILE_SIZE));
	CHECK_OK(madvise(p + SZ_2M, SZ_2M, MADV_REMOVE));
	CHECK(mem_holds(p, 0, SZ_2M, 1), "what was not removed");
	CHECK(mem_is_zero(p + SZ_2M, SZ_2M), "what was removed");
	CHECK_OK(madvise(p, FILE_SIZE, MADV_POPULATE_WRITE));
	CHECK(mem_holds(p, 0, SZ_2M, 1), "content when populated");
}

static void test_unmap_and_remap(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE), *moved;

	mem_fill(p, 0, FILE_SIZE, 1);
	/* A hole in the mapping, which is none in the file. */
	CHECK_OK(munmap(p + SZ_1M, SZ_1M));
	CHECK(mem_holds(p, 0, SZ_1M, 1), "before the hole");
	CHECK(mem_holds(p + SZ_2M, SZ_2M, SZ_2M, 1), "after the hole");
	CHECK_OK(munmap(p, FILE_SIZE));
	p = gmem_map(fd, 0, FILE_SIZE);
	CHECK(mem_holds(p, 0, FILE_SIZE, 1), "mapped again");

	moved = mremap(p, FILE_SIZE, FILE_SIZE + SZ_2M, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED, "growing: %m");
	CHECK(mem_holds(moved, 0, FILE_SIZE, 1), "grown");
	check_hidden(moved + FILE_SIZE);
	p = mremap(moved, FILE_SIZE + SZ_2M, SZ_1M, 0);
	CHECK_EQ(p == moved, 1);
	CHECK(mem_holds(p, 0, SZ_1M, 1), "shrunk");
	/* A second mapping of the same. */
	moved = mremap(p, 0, SZ_1M, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != p, "doubled: %m");
	mem_fill(moved, 0, PAGE_SIZE, 2);
	CHECK(mem_holds(p, 0, PAGE_SIZE, 2), "both show the file");
}

/* Run @fn in a child that shares the mapping; it must end well. */
static void in_child(void (*fn)(char *p), char *p)
{
	int status;
	pid_t pid = fork();

	CHECK_OK(pid);
	if (!pid) {
		fn(p);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the child's status is %#x", status);
}

static void child_writes(char *p)
{
	if (!mem_holds(p, 0, FILE_SIZE, 1))
		_exit(1);
	mem_fill(p + SZ_2M, SZ_2M, SZ_2M, 2);
	munmap(p, SZ_1M);
}

static void test_fork(void)
{
	int fd = new_file(SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	mem_fill(p, 0, FILE_SIZE, 1);
	in_child(child_writes, p);
	CHECK(mem_holds(p, 0, SZ_2M, 1), "what the child left alone");
	CHECK(mem_holds(p + SZ_2M, SZ_2M, SZ_2M, 2), "what the child wrote: shared, not copied");
}

/* A child's mapping goes when pages are punched, as the parent's does. */
static void test_fork_and_punch(void)
{
	int fd = new_file(SHARED_AT_FIRST), go[2], done[2], status;
	char *p = gmem_map(fd, 0, FILE_SIZE), byte;
	pid_t pid;

	mem_fill(p, 0, FILE_SIZE, 1);
	CHECK_OK(pipe(go));
	CHECK_OK(pipe(done));
	pid = fork();
	CHECK_OK(pid);
	if (!pid) {
		if (!mem_holds(p, 0, FILE_SIZE, 1) || write(done[1], "", 1) != 1 ||
		    read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(mem_is_zero(p, SZ_2M) && mem_holds(p + SZ_2M, SZ_2M, SZ_2M, 1) ? 0 : 2);
	}
	CHECK_EQ(read(done[0], &byte, 1), 1);
	MUST(gmem_punch(fd, 0, SZ_2M));
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the child's status is %#x", status);
}

/* ---- lives ----------------------------------------------------------------------- */

enum step { UNMAP, CLOSE_FILE, DESTROY_VM, NR_STEPS };

/* A mapping can be used as long as it lasts. */
static void play(const enum step *order)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	long pages = gmem_total("pages");
	u64 seed = 1;

	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, seed));
	for (int i = 0; i < NR_STEPS; i++) {
		if (order[i] == UNMAP) {
			CHECK_OK(munmap(p, FILE_SIZE));
			p = NULL;
		} else if (order[i] == CLOSE_FILE) {
			CHECK_OK(close(fd));
			fd = -1;
		} else {
			vm_free(vm);
			vm = NULL;
		}
		if (p) {
			CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, seed), "mapped after step %d", i);
			mem_fill(p, TEST_GPA, FILE_SIZE, ++seed);
		}
		if (vm && (p || fd >= 0))
			MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, seed));
		if (!p && fd < 0 && pages >= 0)
			CHECK(gmem_total("pages") < pages + (long)(FILE_SIZE / PAGE_SIZE),
			      "nobody has the file, but its pages are there");
	}
}

static void test_every_order_of_ends(void)
{
	static const enum step orders[][NR_STEPS] = {
		{ UNMAP, CLOSE_FILE, DESTROY_VM }, { UNMAP, DESTROY_VM, CLOSE_FILE },
		{ CLOSE_FILE, UNMAP, DESTROY_VM }, { CLOSE_FILE, DESTROY_VM, UNMAP },
		{ DESTROY_VM, UNMAP, CLOSE_FILE }, { DESTROY_VM, CLOSE_FILE, UNMAP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		play(orders[i]);
}

/* Mapped and touched over and over: nothing is left in the end (nothing_leaked). */
static void test_many_mappings(void)
{
	struct vm *vm = vm_create_private(0);
	long before = gmem_total("pages");

	for (int i = 0; i < 60; i++) {
		int fd = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
		char *p = gmem_map(fd, 0, SZ_2M);

		if (i % 2)
			close(fd);
		memset(p, i, SZ_2M);
		if (!(i % 4))
			MUST(gmem_punch(fd, 0, SZ_2M));
		munmap(p, SZ_2M);
		if (!(i % 2))
			close(fd);
	}
	CHECK_EQ(gmem_total("pages"), before);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_capabilities),
	TAP_TEST(test_every_combination_of_flags),
	TAP_TEST(test_without_the_flag),
	TAP_TEST(test_map_private),
	TAP_TEST(test_content),
	TAP_TEST(test_protection),
	TAP_TEST(test_private_pages),
	TAP_TEST(test_past_the_end),
	TAP_TEST(test_odd_length),
	TAP_TEST(test_other_ways_to_look),
	TAP_TEST(test_punch),
	TAP_TEST(test_advice),
	TAP_TEST(test_unmap_and_remap),
	TAP_TEST(test_fork),
	TAP_TEST(test_fork_and_punch),
	TAP_TEST(test_every_order_of_ends),
	TAP_TEST(test_many_mappings),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
