/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_PRE_FAULT_MEMORY beside a change of what it is about.
 */
#ifndef SELFTESTS_PREFAULT_H
#define SELFTESTS_PREFAULT_H

#include <stdbool.h>

#include "vm.h"

/*
 * The first vCPU of @vm pre-faults @size bytes at TEST_GPA. Whether that was done to the end;
 * else it was interrupted, or there is no memory, or none of that kind, and no other error.
 */
bool prefault_range(struct vm *vm, u64 size);

/*
 * Calls @make(@arg) while the first vCPU of @vm, which has never run, is on its way to do that
 * and has not looked for a memslot yet; ends when it is over. Needs gmem_test.ko.
 */
void prefault_beside(struct vm *vm, u64 size, void (*make)(void *arg), void *arg);

#endif
