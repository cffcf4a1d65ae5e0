/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Giving up root, for tests of what any user with /dev/kvm can do.
 */
#ifndef SELFTESTS_NOBODY_H
#define SELFTESTS_NOBODY_H

/* Opens /dev/kvm to all users; this process becomes uid and gid 65534, for good. */
void become_nobody(void);

#endif
