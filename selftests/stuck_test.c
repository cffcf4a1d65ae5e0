// SPDX-License-Identifier: GPL-2.0-only
/*
 * An access through a mapping of a guest_memfd ends, by user space or by the kernel for
 * it. If the page cannot be had, the access ends in an error or a signal; it is never
 * tried for ever. Guests' accesses are in other tests.
 *
 * Tests: kapi/mmap.c, kapi/access.c.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "kmod/gmem_test_abi.h"
#include "memcg.h"
#include "poison.h"

#define FILE_SIZE	(4 * SZ_2M)

/* ---- accesses: 0 if the page was there, else an errno or the number of a signal ---- */

static int answer(long ret)
{
	return ret < 0 ? errno : 0;
}

static int load(char *p)
{
	u64 value;

	return mem_read(p, &value);
}

static int store(char *p)
{
	return mem_write(p, 1);
}

static int read_into(char *p)
{
	return answer(read(open("/dev/zero", O_RDONLY | O_CLOEXEC), p, 64));
}

static int write_from(char *p)
{
	int ends[2];

	CHECK_OK(pipe2(ends, O_CLOEXEC));
	return answer(write(ends[1], p, 64));
}

static int populate_read(char *p)
{
	return answer(madvise(p, PAGE_SIZE, MADV_POPULATE_READ));
}

static int populate_write(char *p)
{
	return answer(madvise(p, PAGE_SIZE, MADV_POPULATE_WRITE));
}

static int vm_readv(char *p)
{
	char buffer[64];
	struct iovec to = { buffer, sizeof(buffer) }, from = { p, sizeof(buffer) };

	return answer(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
}

static int vm_writev(char *p)
{
	char buffer[64] = "";
	struct iovec from = { buffer, sizeof(buffer) }, to = { p, sizeof(buffer) };

	return answer(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
}

/* As a debugger does. */
static int proc_mem_read(char *p)
{
	char buffer[64];

	return answer(pread(open("/proc/self/mem", O_RDONLY | O_CLOEXEC), buffer, sizeof(buffer),
			    (off_t)p));
}

static int proc_mem_write(char *p)
{
	return answer(pwrite(open("/proc/self/mem", O_WRONLY | O_CLOEXEC), "", 1, (off_t)p));
}

static int pin_for_a_pipe(char *p)
{
	struct iovec iov = { p, PAGE_SIZE };
	int ends[2];

	CHECK_OK(pipe2(ends, O_CLOEXEC));
	return answer(vmsplice(ends[1], &iov, 1, 0));
}

static int pin_for_io_uring(char *p)
{
	struct iovec iov = { p, PAGE_SIZE };
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 1, &params);

	CHECK(fd >= 0, "io_uring_setup: %m");
	return answer(syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1));
}

static int pin_for_long(char *p)
{
	struct gmem_test_pin req = { .addr = (u64)p, .npages = 1 };

	return answer(ioctl(open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), GMEM_TEST_PIN, &req));
}

static int futex(char *p, int op, u32 value, char *p2, u32 value3)
{
	const struct timespec soon = { .tv_nsec = 1000000 };
	int ret = answer(syscall(SYS_futex, p, op, value, op == FUTEX_WAKE_OP ? NULL : &soon, p2,
				 value3));

	/* With these errors, too, the kernel has looked at the word. */
	return ret == EAGAIN || ret == ETIMEDOUT ? 0 : ret;
}

static int futex_wait(char *p)
{
	return futex(p, FUTEX_WAIT, 12345, NULL, 0);
}

static int futex_wake(char *p)
{
	return futex(p, FUTEX_WAKE, 1, NULL, 0);
}

static int futex_wake_op(char *p)
{
	static u32 word;

	return futex((char *)&word, FUTEX_WAKE_OP, 1, p,
		     FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0));
}

static int futex_lock_pi(char *p)
{
	int ret = futex(p, FUTEX_LOCK_PI, 0, NULL, 0);

	return ret ? ret : futex(p, FUTEX_UNLOCK_PI, 0, NULL, 0);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* A signal with a frame that the kernel puts there. If it cannot, SIGSEGV comes. */
static int signal_frame(char *p)
{
	const size_t size = 8 * PAGE_SIZE;
	const stack_t stack = { .ss_sp = p + PAGE_SIZE - size, .ss_size = size };
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	/* It comes once, not as of an instruction that is repeated. */
	signal(SIGSEGV, SIG_DFL);
	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	raise(SIGUSR1);
	return 0;
}

static const struct access {
	const char *name;
	int (*run)(char *p);
} accesses[] = {
#define ACCESS(fn) { .name = #fn, .run = fn }
	ACCESS(load),
	ACCESS(store),
	ACCESS(read_into),
	ACCESS(write_from),
	ACCESS(populate_read),
	ACCESS(populate_write),
	ACCESS(vm_readv),
	ACCESS(vm_writev),
	ACCESS(proc_mem_read),
	ACCESS(proc_mem_write),
	ACCESS(pin_for_a_pipe),
	ACCESS(pin_for_io_uring),
	ACCESS(pin_for_long),
	ACCESS(futex_wait),
	ACCESS(futex_wake),
	ACCESS(futex_wake_op),
	ACCESS(futex_lock_pi),
	ACCESS(signal_frame),
};

/* ---- each of them, by a process of its own ------------------------------------------ */

enum end { SERVED, REFUSED };

static bool is_an_end(int how, enum end expected)
{
	if (expected == SERVED)
		return how == 0;
	return how == EFAULT || how == EIO || how == EHWPOISON || how == ENOMEM ||
	       how == SIGBUS || how == SIGSEGV;
}

static int end_of(pid_t pid, const char *name)
{
	const double end = now() + PATIENCE;
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		if (now() >= end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			FAIL("%s: no end after %d s", name, PATIENCE);
		}
		let_pass(5000);
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Each access has a page of its own, 8 apart, from 8 pages behind @p on; or all have one. */
static void run_all(char *p, bool one_page, enum end expected)
{
	/* For pins and poison. */
	poison_require();
	for (unsigned int i = 0; i < ARRAY_SIZE(accesses); i++) {
		const struct access *access = &accesses[i];
		char *page = p + 8 * PAGE_SIZE * (one_page ? 1 : i + 1);
		pid_t pid = fork();
		int how;

		if (!pid)
			_exit(access->run(page));
		how = end_of(pid, access->name);
		CHECK(is_an_end(how, expected), "%s ended with %d", access->name, how);
	}
}

/* ---- why a page cannot be had, or can after all -------------------------------------- */

static void test_a_shared_page(void)
{
	struct vm *vm = vm_create_private(0);

	run_all(gmem_map(gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), 0, FILE_SIZE), false,
		SERVED);
}

static void test_a_private_page(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	run_all(p, false, REFUSED);
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	run_all(p, false, REFUSED);
}

static void test_past_the_end(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);

	run_all((char *)gmem_map(fd, 0, 2 * FILE_SIZE) + FILE_SIZE, false, REFUSED);
}

static void test_a_poisoned_page(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	poison_require();
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	poison_page(fd, 8);
	run_all(p, true, REFUSED);
}

static void test_the_owner_cannot_pay(void)
{
	struct vm *vm;
	char *p;
	int fd;

	memcg_begin(FILE_SIZE);
	memcg_enter("owner");
	vm = vm_create_private(0);
	fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	memcg_enter("other");
	p = gmem_map(fd, 0, FILE_SIZE);
	MUST(gmem_alloc(fd, FILE_SIZE / 2, FILE_SIZE / 4));
	memcg_set_limit("0");
	run_all(p, false, REFUSED);
	/* Pages that are there need no new charge. */
	run_all(p + FILE_SIZE / 2, false, SERVED);
	munmap(p, FILE_SIZE);
	close(fd);
	memcg_set_limit("max");
	memcg_end();
}

static void test_linked_away(void)
{
	struct vm *vm = vm_create_private(0), *other = vm_create_private(0);
	struct kvm_link_guest_memfd args = { 0 };
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), to;
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(gmem_alloc(fd, 0, FILE_SIZE / 4));
	MUST(gmem_convert(fd, FILE_SIZE / 2, FILE_SIZE / 2, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL));
	args.fd = fd;
	to = ioctl(other->fd, KVM_LINK_GUEST_MEMFD, &args);
	CHECK(to >= 0, "link: %m");
	/* A mapping shows shared pages, whichever VM has the memory. */
	run_all(p, false, SERVED);
	run_all(p + FILE_SIZE / 4, false, SERVED);
	run_all(p + FILE_SIZE / 2, false, REFUSED);
	/* It does so, too, when no VM has the memory any more. */
	close(to);
	close(fd);
	vm_free(other);
	vm_free(vm);
	run_all(p, false, SERVED);
	run_all(p + FILE_SIZE / 2, false, REFUSED);
}

static void test_closed(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(gmem_convert(fd, FILE_SIZE / 2, FILE_SIZE / 2, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL));
	MUST(gmem_alloc(fd, 0, FILE_SIZE / 4));
	close(fd);
	vm_free(vm);
	run_all(p, false, SERVED);
	run_all(p + FILE_SIZE / 4, false, SERVED);
	run_all(p + FILE_SIZE / 2, false, REFUSED);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_a_shared_page),
	TAP_TEST(test_a_private_page),
	TAP_TEST(test_past_the_end),
	TAP_TEST(test_a_poisoned_page),
	TAP_TEST(test_the_owner_cannot_pay),
	TAP_TEST(test_linked_away),
	TAP_TEST(test_closed),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
