// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail, see failnth.h.
 */
#include "failnth.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static int nth_fd;

static void set(const char *file, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s: %m", path);
	close(fd);
}

bool failnth_or_plan_none(void)
{
	if (!access("/proc/self/fail-nth", F_OK))
		return true;
	printf("TAP version 13\n1..0 # SKIP no fault injection in this kernel\n");
	return false;
}

void failnth_begin(void)
{
	/* By default only allocations that may not sleep fail. */
	set("failslab/ignore-gfp-wait", "N");
	set("failslab/verbose", "0");
	set("fail_page_alloc/ignore-gfp-wait", "N");
	set("fail_page_alloc/ignore-gfp-highmem", "N");
	set("fail_page_alloc/min-order", "0");
	set("fail_page_alloc/verbose", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK(nth_fd >= 0, "fail-nth: %m");
}

void failnth_arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	CHECK(pwrite(nth_fd, text, len, 0) == len, "fail-nth: %m");
}

bool failnth_disarm(void)
{
	char text[16] = "";

	CHECK(pread(nth_fd, text, sizeof(text) - 1, 0) > 0, "fail-nth: %m");
	failnth_arm(0);
	return atoi(text) == 0;
}
