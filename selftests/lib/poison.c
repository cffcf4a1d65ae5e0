// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poison (poison.h).
 */
#include <fcntl.h>
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

void poison_page(int fd, uint64_t index)
{
	struct gmem_test_poison req = { .fd = fd, .index = index };
	int test = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	CHECK_OK(test);
	/* The page stays in its file, which the kernel reports as busy. */
	if (ioctl(test, GMEM_TEST_POISON, &req) < 0)
		CHECK(errno == EBUSY, "memory_failure: %m");
	close(test);
}
