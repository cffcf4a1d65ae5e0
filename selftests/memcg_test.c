// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges: guest memory is charged to the cgroup of the file's maker, whichever process
 * touches it first. When that cgroup is at its limit, a request for more memory is an
 * error, and nothing is lost. A request that cannot be served never waits for ever.
 *
 * Tests: kapi/charge.c.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fds.h"
#include "gmem.h"
#include "guest.h"
#include "memcg.h"

#define FILE_SIZE	(64 * SZ_1M)
#define LIMIT		(15 * SZ_1M)

/* A file made in the cgroup "owner", which has no process any more. */
static int file_of_owner(struct vm *vm, u64 limit)
{
	int fd;

	memcg_begin(limit);
	memcg_enter("owner");
	fd = vm_gmem(vm, FILE_SIZE);
	memcg_enter("other");
	return fd;
}

/* Freed pages are uncharged by way of per-CPU batches: some of them later. */
static void check_owner_paid_back(int fd)
{
	const u64 batches = 2 * SZ_1M;

	close(fd);
	AWAIT(memcg_bytes("owner") <= batches, "the owner still pays for %lu bytes",
	      memcg_bytes("owner"));
	memcg_end();
}

static void test_the_owner_pays(void)
{
	struct vm *vm = vm_create_private(1);
	const u64 size = 8 * SZ_1M;
	int fd = file_of_owner(vm, FILE_SIZE);
	u64 other = memcg_bytes("other"), owner;

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(gmem_alloc(fd, 0, size));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA + size, size, 1));
	/* These are no exact counts: a CPU takes charges ahead, 64 pages at a time. */
	owner = memcg_bytes("owner");
	other = memcg_bytes("other") - other;
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
	memcg_set_limit("max");
	MUST(guest_fill(vcpu, TEST_GPA + first, FILE_SIZE - first, 2));
	MUST(guest_check(vcpu, TEST_GPA, first, 1));
	MUST(guest_check(vcpu, TEST_GPA + first, FILE_SIZE - first, 2));
	vm_delete_slot(vm, TEST_SLOT);
	check_owner_paid_back(fd);
}

/* ---- mapped files -------------------------------------------------------------- */

/*
 * Ways for a process that does not pay to ask for all of a file, more than the owner
 * can have. Each ends by itself, with the error it has for memory that cannot be had.
 */
static void by_touching(int fd, char *p)
{
	u64 done = 0;

	(void)fd;
	while (done < FILE_SIZE && !mem_write(p + done, 1))
		done += PAGE_SIZE;
	CHECK(done < FILE_SIZE, "all of it came");
	CHECK_EQ(mem_write(p + done, 1), SIGBUS);
	CHECK_EQ(gmem_signal_code(), BUS_ADRERR);
	for (u64 at = 0; at < done; at += PAGE_SIZE)
		CHECK_EQ(mem_write(p + at, 2), 0);
}

static void by_populating(int fd, char *p)
{
	(void)fd;
	CHECK_ERRNO(madvise(p, FILE_SIZE, MADV_POPULATE_WRITE), EFAULT);
}

static void by_reading_into_it(int fd, char *p)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	u64 done = 0;
	ssize_t n;

	(void)fd;
	do {
		n = read(zero, p + done, SZ_1M);
		done += n > 0 ? n : 0;
	} while (n > 0 && done < FILE_SIZE);
	CHECK(n < 0 && errno == EFAULT, "%lu bytes were read, then %zd", done, n);
}

static void by_allocating(int fd, char *p)
{
	(void)p;
	CHECK_EQ(gmem_alloc(fd, 0, FILE_SIZE), -ENOMEM);
}

static void (*const ways[])(int fd, char *p) = {
	by_touching, by_populating, by_reading_into_it, by_allocating,
};

/* Run @way in a process of its own, in "other", which may not wait for ever. */
static void ask(void (*way)(int fd, char *p), int fd, char *p)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		die_if_stuck();
		way(fd, p);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(status == 0, "who asked ended with status %#x", status);
}

static int mappable_of_owner(struct vm *vm, u64 limit)
{
	int fd;

	memcg_begin(limit);
	memcg_enter("owner");
	fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	memcg_enter("other");
	return fd;
}

static u64 bytes_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_blocks * 512;
}

/* The OOM killer finds no process in "owner". */
static void test_a_full_owner_without_processes(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
		int fd = mappable_of_owner(vm, LIMIT);
		char *p = gmem_map(fd, 0, FILE_SIZE);

		ask(ways[i], fd, p);
		CHECK(bytes_of(fd) > LIMIT / 2 && bytes_of(fd) <= LIMIT, "%lu bytes came",
		      bytes_of(fd));
		munmap(p, FILE_SIZE);
		check_owner_paid_back(fd);
	}
}

/* A process in "owner" that has @size bytes and waits. */
static pid_t start_hog(u64 size)
{
	int ready[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		char *p;

		memcg_enter("owner");
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, 1, size);
		CHECK_EQ(write(ready[1], "", 1), 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void touch_what_the_hog_had(int fd, char *p)
{
	(void)fd;
	for (u64 at = 0; at < 10 * SZ_1M; at += PAGE_SIZE)
		CHECK_EQ(mem_write(p + at, 1), 0);
}

/* The one process is killed, and its memory is enough. After that all is as without it. */
static void test_a_full_owner_with_a_process_to_kill(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	int fd = mappable_of_owner(vm, LIMIT), status;
	char *p = gmem_map(fd, 0, FILE_SIZE);
	pid_t hog = start_hog(9 * SZ_1M);

	ask(touch_what_the_hog_had, fd, p);
	CHECK_EQ(waitpid(hog, &status, 0), hog);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the hog ended with %#x",
	      status);
	CHECK_EQ(memcg_kills(), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
		ask(ways[i], fd, p);
		MUST(gmem_punch(fd, 0, FILE_SIZE));
	}
	munmap(p, FILE_SIZE);
	check_owner_paid_back(fd);
}

/* The VMM takes more than it can have itself, and a backend's mapping lives on. */
static void test_the_owner_was_killed(void)
{
	int sockets[2], fd, status;
	pid_t vmm;
	char *p;

	memcg_begin(LIMIT);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	vmm = fork();
	if (!vmm) {
		char byte;

		memcg_enter("owner");
		fd = gmem_mappable(vm_create(KVM_X86_DEFAULT_VM, 0), FILE_SIZE, SHARED_AT_FIRST);
		fd_send(sockets[0], fd);
		CHECK_EQ(read(sockets[0], &byte, 1), 1);
		p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
		memset(p, 1, FILE_SIZE);
		_exit(0);
	}
	memcg_enter("other");
	fd = fd_receive(sockets[1]);
	p = gmem_map(fd, 0, FILE_SIZE);
	for (u64 at = 0; at < 8 * SZ_1M; at += PAGE_SIZE)
		CHECK_EQ(mem_write(p + at, 1), 0);
	CHECK_EQ(write(sockets[1], "", 1), 1);
	CHECK_EQ(waitpid(vmm, &status, 0), vmm);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the VMM ended with %#x",
	      status);
	for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++)
		ask(ways[i], fd, p);
	for (u64 at = 0; at < 8 * SZ_1M; at += PAGE_SIZE)
		CHECK_EQ(mem_write(p + at, 1), 0);
	munmap(p, FILE_SIZE);
	check_owner_paid_back(fd);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_the_owner_pays),
		TAP_TEST(test_a_limit_is_an_error),
		TAP_TEST(test_a_full_owner_without_processes),
		TAP_TEST(test_a_full_owner_with_a_process_to_kill),
		TAP_TEST(test_the_owner_was_killed),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
