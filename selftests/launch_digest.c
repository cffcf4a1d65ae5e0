// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print the launch digest of another process's VM, by a guest_memfd of its: launch_digest PID.
 * Needs what ptrace needs (pidfd_getfd). Status 1 if there is none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../include/uapi/gmem.h"

#define FDS	1024

static int guest_memfd(int pid, int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, "kvm-gmem");
}

/* 0, or the error of the last file asked. */
static int digest_of(int pid, int pidfd, struct gmem_launch_measurement *measurement)
{
	int fd, own, error = ENOENT;

	for (fd = 0; fd < FDS && error; fd++) {
		if (!guest_memfd(pid, fd))
			continue;
		own = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		error = own >= 0 && !ioctl(own, GMEM_GET_MEASUREMENT, measurement) ? 0 : errno;
		if (own >= 0)
			close(own);
	}
	return error;
}

int main(int argc, char **argv)
{
	struct gmem_launch_measurement measurement;
	int error, pid = argc == 2 ? atoi(argv[1]) : 0;
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	unsigned int i;

	error = pidfd < 0 ? errno : digest_of(pid, pidfd, &measurement);
	if (error) {
		fprintf(stderr, "launch_digest: %s\n", strerror(error));
		return 1;
	}
	for (i = 0; i < sizeof(measurement.digest); i++)
		printf("%02x", measurement.digest[i]);
	printf("\n");
	return 0;
}
