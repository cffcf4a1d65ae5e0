// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem_view.ko (view/): root reads the shared pages of a guest's memory, and no private
 * ones. Files go, and unloading is tried, while a view is open. Loads gmem_view.ko, and
 * leaves it unloaded.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"

#define VIEW_PATH	"/sys/kernel/debug/gmem_view"
#define MODULE_PATH	"/add/gmem_view.ko"
#define FILE_SIZE	(2 * SZ_2M)
#define SECRET		0x5ec2e7UL

static int unload(void)
{
	return syscall(SYS_delete_module, "gmem_view", O_NONBLOCK) ? -errno : 0;
}

/* Closing is over a little after close() says so. */
static void unload_soon(void)
{
	int ret;

	AWAIT((ret = unload()) != -EAGAIN, "the view's module does not go");
	MUST(ret);
}

static int view_open(void)
{
	int module = open(MODULE_PATH, O_RDONLY | O_CLOEXEC), view;

	if (module < 0)
		tap_skip("no " MODULE_PATH);
	if (access(VIEW_PATH, F_OK))
		CHECK_OK(syscall(SYS_finit_module, module, "", 0));
	close(module);
	view = open(VIEW_PATH, O_RDWR | O_CLOEXEC);
	CHECK_OK(view);
	return view;
}

/* 0 or -errno. */
static int view_set(int view, int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d\n", fd);
	return write(view, text, strlen(text)) < 0 ? -errno : 0;
}

static int view_of(int fd)
{
	int view = view_open();

	MUST(view_set(view, fd));
	return view;
}

/* How many bytes, or -errno. */
static long view_read(int view, void *p, u64 size, u64 offset)
{
	long ret = pread(view, p, size, offset);

	return ret < 0 ? -errno : ret;
}

static char bytes[FILE_SIZE];

static void test_answers(void)
{
	int view = view_open(), fd, status;
	struct vm *vm = vm_create_private(0);
	pid_t pid;

	fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	CHECK_EQ(view_read(view, bytes, 1, 0), -EINVAL);
	CHECK_EQ(view_set(view, 999), -EBADF);
	CHECK_EQ(view_set(view, view), -EINVAL);
	CHECK_ERRNO(write(view, "x", 1), EINVAL);
	MUST(view_set(view, fd));
	CHECK_EQ(view_set(view, fd), -EBUSY);
	CHECK_EQ(view_read(view, bytes, 8, FILE_SIZE), 0);
	CHECK_EQ(view_read(view, bytes, 16, FILE_SIZE - 8), 8);
	CHECK_EQ(lseek(view, 0, SEEK_END), FILE_SIZE);
	CHECK_EQ(view_read(view, (void *)SZ_2M, 1, 0), -EFAULT);
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || open(VIEW_PATH, O_RDONLY) >= 0 || errno != EACCES);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* A read gives the guest's content, up to the first private page. */
static void test_content(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), view = view_of(fd);

	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(view_read(view, bytes, FILE_SIZE, 0), (long)FILE_SIZE);
	CHECK(mem_holds(bytes, TEST_GPA, FILE_SIZE, 1), "what the guest wrote");
	gmem_make_private(fd, SZ_1M, PAGE_SIZE);
	CHECK_EQ(view_read(view, bytes, FILE_SIZE, 0), (long)SZ_1M);
	CHECK_EQ(view_read(view, bytes, 8, SZ_1M), -EACCES);
	CHECK_EQ(view_read(view, bytes, 8, SZ_1M + PAGE_SIZE - 8), -EACCES);
	CHECK_EQ(view_read(view, bytes, PAGE_SIZE, SZ_1M + PAGE_SIZE), (long)PAGE_SIZE);
	CHECK(mem_holds(bytes, TEST_GPA + SZ_1M + PAGE_SIZE, PAGE_SIZE, 1), "the page behind");
	gmem_make_shared(fd, SZ_1M, PAGE_SIZE);
	CHECK_EQ(view_read(view, bytes, FILE_SIZE, 0), (long)FILE_SIZE);
	MUST(gmem_punch(fd, 0, SZ_1M));
	CHECK_EQ(view_read(view, bytes, SZ_1M, 0), (long)SZ_1M);
	CHECK(mem_is_zero(bytes, SZ_1M), "a hole");
}

static void test_private_file(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, FILE_SIZE), view = view_of(fd);

	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	for (u64 at = 0; at < FILE_SIZE; at += SZ_1M)
		CHECK_EQ(view_read(view, bytes, 8, at), -EACCES);
}

/* Reads all the time; a page with a secret was private. */
struct reader {
	int view;
	atomic_bool stop;
	long reads, refused;
};

static void *read_all_the_time(void *arg)
{
	struct reader *reader = arg;
	u64 value;

	while (!atomic_load(&reader->stop)) {
		long ret = view_read(reader->view, &value, sizeof(value), 64);

		if (ret == -EACCES) {
			reader->refused++;
			continue;
		}
		CHECK_EQ(ret, (long)sizeof(value));
		CHECK(value != SECRET, "a private page was read");
		reader->reads++;
	}
	return NULL;
}

static void test_beside_conversion(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	struct reader reader = { .view = view_of(fd) };
	pthread_t thread = thread_start(read_all_the_time, &reader);

	for (u64 round = 0; round < 100; round++) {
		MUST(guest_write(&vm->vcpus[0], TEST_GPA + 64, 8, round));
		MUST(gmem_convert(fd, 0, PAGE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL));
		MUST(guest_write(&vm->vcpus[0], TEST_GPA + 64, 8, SECRET));
		MUST(guest_write(&vm->vcpus[0], TEST_GPA + 64, 8, round));
		MUST(gmem_convert(fd, 0, PAGE_SIZE, 0, NULL));
		if (round % 4 == 0)
			MUST(gmem_punch(fd, 0, PAGE_SIZE));
	}
	atomic_store(&reader.stop, true);
	thread_join(thread);
	CHECK(reader.reads && reader.refused, "%ld read, %ld refused", reader.reads,
	      reader.refused);
}

static void test_file_goes(void)
{
	struct vm *vm = vm_create_private(1), *heir = vm_create_private(0);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), view = view_of(fd), to, next;
	struct kvm_link_guest_memfd args = { .fd = fd };

	CHECK_EQ(view_read(view, bytes, 8, 0), 8);
	to = ioctl(heir->fd, KVM_LINK_GUEST_MEMFD, &args);
	CHECK_OK(to);
	CHECK_EQ(view_read(view, bytes, 8, 0), -ESTALE);
	next = view_of(to);
	CHECK_EQ(view_read(next, bytes, 8, 0), 8);
	close(to);
	CHECK_EQ(view_read(next, bytes, 8, 0), -ESTALE);
	close(fd);
	vm_free(vm);
	vm_free(heir);
	close(next);
	CHECK_EQ(view_read(view, bytes, 8, 0), -ESTALE);
}

/* The last test: the module cannot be unloaded while a view is open. */
static void test_unload(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), view = view_of(fd);

	CHECK_EQ(unload(), -EAGAIN);
	close(fd);
	vm_free(vm);
	CHECK_EQ(unload(), -EAGAIN);
	CHECK_EQ(view_read(view, bytes, 8, 0), -ESTALE);
	close(view);
	unload_soon();
	CHECK(access(VIEW_PATH, F_OK), "it is still there");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_answers),
	TAP_TEST(test_content),
	TAP_TEST(test_private_file),
	TAP_TEST(test_beside_conversion),
	TAP_TEST(test_file_goes),
	TAP_TEST(test_unload),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
