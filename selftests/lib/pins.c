// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins (pins.h).
 */
#include "pins.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kmod/gmem_test_abi.h"
#include "tap.h"

#define PAGE	4096UL
#define DISK	"/dev/nullb0"

const char *pin_name(enum pin_kind kind)
{
	static const char *const names[NR_PIN_KINDS] = {
		"long-term pin", "vmsplice", "io_uring buffer", "direct I/O",
	};

	return names[kind];
}

int direct_disk(unsigned int ms)
{
	char command[160];
	int fd;

	/* Its speed is a parameter of the module. */
	snprintf(command, sizeof(command),
		 "exec 2>/dev/null; rmmod null_blk; "
		 "modprobe null_blk memory_backed=1 gb=1 irqmode=%d completion_nsec=%lu",
		 ms ? 2 : 0, ms * 1000000UL);
	if (system(command))
		return -1;
	fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(fd >= 0, DISK ": %m");
	return fd;
}

bool pin_possible(enum pin_kind kind)
{
	int fd;

	if (kind == PIN_LONG_TERM)
		return !access(GMEM_TEST_PATH, F_OK);
	if (kind != PIN_DIRECT_IO)
		return true;
	fd = direct_disk(DIRECT_IO_MS);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void take_long_term(struct pin *pin)
{
	struct gmem_test_pin req = { .addr = (uint64_t)pin->buffer, .npages = pin->size / PAGE };

	pin->fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	CHECK_OK(pin->fd);
	CHECK_OK(ioctl(pin->fd, GMEM_TEST_PIN, &req));
}

static void take_vmsplice(struct pin *pin)
{
	struct iovec iov = { pin->buffer, pin->size };
	int pipefd[2];

	CHECK_OK(pipe2(pipefd, O_CLOEXEC));
	CHECK_EQ(vmsplice(pipefd[1], &iov, 1, 0), pin->size);
	pin->fd = pipefd[0];
	pin->other_fd = pipefd[1];
}

static void take_io_uring(struct pin *pin)
{
	struct iovec iov = { pin->buffer, pin->size };
	struct io_uring_params params = { 0 };

	pin->fd = syscall(SYS_io_uring_setup, 1, &params);
	CHECK(pin->fd >= 0, "io_uring_setup: %m");
	CHECK_OK(syscall(SYS_io_uring_register, pin->fd, IORING_REGISTER_BUFFERS, &iov, 1));
}

static void release_io_uring(struct pin *pin)
{
	CHECK_OK(syscall(SYS_io_uring_register, pin->fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
}

static aio_context_t aio;

static void take_direct_io(struct pin *pin)
{
	struct iocb write = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_buf = (uint64_t)pin->buffer,
		.aio_nbytes = pin->size,
	}, *list = &write;

	pin->fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK(pin->fd >= 0, DISK ": %m");
	write.aio_fildes = pin->fd;
	aio = 0;
	CHECK_OK(syscall(SYS_io_setup, 1, &aio));
	CHECK_EQ(syscall(SYS_io_submit, aio, 1, &list), 1);
}

static void release_direct_io(struct pin *pin)
{
	struct io_event event;

	CHECK_EQ(syscall(SYS_io_getevents, aio, 1, 1, &event, NULL), 1);
	CHECK_EQ(event.res, pin->size);
	CHECK_OK(syscall(SYS_io_destroy, aio));
}

void pin_take(struct pin *pin, enum pin_kind kind, void *p, uint64_t npages)
{
	static void (*const take[NR_PIN_KINDS])(struct pin *pin) = {
		take_long_term, take_vmsplice, take_io_uring, take_direct_io,
	};

	*pin = (struct pin){ .kind = kind, .other_fd = -1, .buffer = p, .size = npages * PAGE };
	take[kind](pin);
}

void pin_release(struct pin *pin)
{
	if (pin->kind == PIN_IO_URING)
		release_io_uring(pin);
	else if (pin->kind == PIN_DIRECT_IO)
		release_direct_io(pin);
	close(pin->fd);
	if (pin->other_fd >= 0)
		close(pin->other_fd);
}
