/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's own counters of a VM or a vCPU, through its statistics descriptor.
 */
#ifndef SELFTESTS_STATS_H
#define SELFTESTS_STATS_H

#include "vm.h"

/*
 * The counter @name of the VM or vCPU with descriptor @fd; one that this
 * kernel does not have fails the test.
 */
u64 kvm_stat(int fd, const char *name);

#endif
