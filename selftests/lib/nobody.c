// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving up root (nobody.h).
 */
#include "nobody.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define NOBODY	65534

void become_nobody(void)
{
	CHECK_OK(chmod("/dev/kvm", 0666));
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresgid(NOBODY, NOBODY, NOBODY));
	CHECK_OK(setresuid(NOBODY, NOBODY, NOBODY));
}
