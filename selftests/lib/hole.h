/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI holes for tests and benchmarks.
 */
#ifndef SELFTESTS_HOLE_H
#define SELFTESTS_HOLE_H

#include "vm.h"

/* Skip the test where there are no holes. */
void hole_require(void);
/* What KVM_SET_USER_MEMORY_REGION answers to a hole of @size at @gpa; 0 deletes it. */
int hole_set(struct vm *vm, u32 slot, u64 gpa, u64 size);
/* Exits of @vcpu to KVM that a page of its guest's memory was missing for. */
u64 hole_faults(struct vcpu *vcpu);

#endif
