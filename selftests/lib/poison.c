// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poison (poison.h).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kmod/gmem_test_abi.h"
#include "poison.h"
#include "tap.h"

void poison_require(void)
{
	if (access(GMEM_TEST_PATH, F_OK))
		tap_skip("gmem_test.ko is not loaded");
}

int poison_try(int fd, uint64_t index, bool held)
{
	struct gmem_test_poison req = { .fd = fd, .index = index, .held = held };
	int test = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), ret;

	CHECK_OK(test);
	ret = ioctl(test, GMEM_TEST_POISON, &req) < 0 ? -errno : 0;
	close(test);
	return ret;
}

void poison_page(int fd, uint64_t index)
{
	int ret = poison_try(fd, index, false);

	/* The page stays in its file, which the kernel reports as busy. */
	CHECK(ret == 0 || ret == -EBUSY, "memory_failure: %s", strerror(-ret));
}
