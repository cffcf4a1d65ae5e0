// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ordinary file operations on a guest_memfd: it is no way to read or write
 * the guest. Each errno is the one that 6.12's own guest_memfd gives.
 *
 * Tests: kapi/files.c.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "guest.h"
#include "kernel.h"

#define FILE_SIZE	SZ_2M

static int new_file(void)
{
	return vm_gmem(vm_create_private(0), FILE_SIZE);
}

static void test_read_and_write(void)
{
	int fd = new_file();
	char buf[64] = "";
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };

	CHECK_ERRNO(read(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(write(fd, buf, sizeof(buf)), EINVAL);
	CHECK_ERRNO(pread(fd, buf, sizeof(buf), 0), ESPIPE);
	CHECK_ERRNO(pwrite(fd, buf, sizeof(buf), 0), ESPIPE);
	CHECK_ERRNO(readv(fd, &iov, 1), EINVAL);
	CHECK_ERRNO(writev(fd, &iov, 1), EINVAL);
}

static void test_splice(void)
{
	int fd = new_file();
	int other = memfd_create("other", 0);
	int pipefd[2];
	off_t off = 0;

	CHECK_OK(ftruncate(other, PAGE_SIZE));
	CHECK_OK(pipe(pipefd));
	CHECK_OK(write(pipefd[1], "x", 1));
	CHECK_ERRNO(splice(fd, NULL, pipefd[1], NULL, PAGE_SIZE, 0), EINVAL);
	CHECK_ERRNO(splice(pipefd[0], NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_ERRNO(sendfile(other, fd, NULL, PAGE_SIZE), EINVAL);
	CHECK_ERRNO(sendfile(other, fd, &off, PAGE_SIZE), ESPIPE);
	CHECK_ERRNO(sendfile(fd, other, &off, PAGE_SIZE), EINVAL);
	CHECK_ERRNO(copy_file_range(fd, NULL, other, NULL, PAGE_SIZE, 0), EXDEV);
}

static void test_mmap(void)
{
	int fd = new_file();
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_EXEC,
	};
	const bool noexec = kernel_keeps_pseudo_files_noexec();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		const int error = noexec && prots[i] & PROT_EXEC ? EPERM : ENODEV;

		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, prots[i], MAP_SHARED, fd, 0),
			    error);
		CHECK_ERRNO(mmap(NULL, PAGE_SIZE, prots[i], MAP_PRIVATE, fd, 0),
			    error);
	}
}

static void test_truncate(void)
{
	int fd = new_file();
	struct stat st;

	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	CHECK_ERRNO(ftruncate(fd, FILE_SIZE), EINVAL);
	CHECK_ERRNO(ftruncate(fd, 2 * FILE_SIZE), EINVAL);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
}

static void test_attributes_do_not_change(void)
{
	int fd = new_file();

	CHECK_ERRNO(fchmod(fd, 0777), EINVAL);
	CHECK_ERRNO(fchown(fd, 1, 1), EINVAL);
	CHECK_ERRNO(futimens(fd, NULL), EINVAL);
	CHECK_ERRNO(fsetxattr(fd, "user.x", "x", 1, 0), EOPNOTSUPP);
}

static void test_fstat(void)
{
	int fd = new_file();
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
	CHECK_EQ(st.st_blksize, PAGE_SIZE);
	CHECK_EQ(st.st_mode & S_IFMT, S_IFREG);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(st.st_uid, 0);
}

static void test_fstatfs(void)
{
	int fd = new_file();
	struct statfs fs;

	CHECK_OK(fstatfs(fd, &fs));
	CHECK_EQ(fs.f_bsize, PAGE_SIZE);
	CHECK(fs.f_type, "a file system has a magic number");
}

/* No position moves: there is nothing to read at any. */
static void test_lseek(void)
{
	int fd = new_file();

	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(lseek(fd, 0, SEEK_END), ESPIPE);
	CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ESPIPE);
	CHECK_ERRNO(lseek(fd, 0, SEEK_HOLE), ESPIPE);
}

/* Like every file without a poll method: always ready. */
static void test_poll(void)
{
	struct pollfd pfd = { .fd = new_file(), .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_EQ(pfd.revents, POLLIN | POLLOUT);
}

static void test_sync(void)
{
	int fd = new_file();

	CHECK_ERRNO(fsync(fd), EINVAL);
	CHECK_ERRNO(fdatasync(fd), EINVAL);
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void test_descriptor_flags(void)
{
	int fd = new_file();

	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

/* The file has a name to look at, but no path to open it again by. */
static void test_no_reopening(void)
{
	int fd = new_file();
	char path[64], name[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, name, sizeof(name) - 1));
	CHECK(strstr(name, "[kvm-gmem]"), "the file is called %s", name);
	CHECK_ERRNO(open(path, O_RDWR), ENXIO);
}

/* A descriptor copied or sent elsewhere keeps the memory, and only the last. */
/* Of no argument that is for something else, or of a VM, a byte is read. */
static void test_unknown_ioctls(void)
{
	static const unsigned long commands[] = {
		0, KVM_CREATE_VM, KVM_SET_MEMORY_ATTRIBUTES, KVM_PRE_FAULT_MEMORY,
		_IOW('G', 0x4f, char[40]), _IOWR('G', 0x40, char[8]), _IOW(0xAE, 0xd3, char[16000]),
	};
	int fd = new_file();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		CHECK_ERRNO(ioctl(fd, commands[i], NULL), ENOTTY);
}

static void test_dup_keeps_the_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	int copy = dup(fd);

	CHECK_OK(copy);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	close(fd);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
	MUST(gmem_punch(copy, 0, PAGE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, PAGE_SIZE));
	close(copy);
	CHECK_EQ(guest_check_zero(vcpu, TEST_GPA, PAGE_SIZE), EXIT_MEMORY_FAULT);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_read_and_write),
	TAP_TEST(test_splice),
	TAP_TEST(test_mmap),
	TAP_TEST(test_truncate),
	TAP_TEST(test_attributes_do_not_change),
	TAP_TEST(test_fstat),
	TAP_TEST(test_fstatfs),
	TAP_TEST(test_lseek),
	TAP_TEST(test_poll),
	TAP_TEST(test_sync),
	TAP_TEST(test_descriptor_flags),
	TAP_TEST(test_no_reopening),
	TAP_TEST(test_unknown_ioctls),
	TAP_TEST(test_dup_keeps_the_file),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
