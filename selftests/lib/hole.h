/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI holes for tests and benchmarks.
 */
#ifndef SELFTESTS_HOLE_H
#define SELFTESTS_HOLE_H

#include "vm.h"

#define HOLE_SLOT	2
/* 2 MiB-aligned, and away from what others have at TEST_GPA. */
#define HOLE_GPA	(4 * SZ_1G)

/* Skip the test where there are no holes. */
void hole_require(void);
/* What KVM_SET_USER_MEMORY_REGION answers to a hole of @size at @gpa; 0 deletes it. */
int hole_set(struct vm *vm, u32 slot, u64 gpa, u64 size);
/* A VM of @nr_vcpus with a hole in HOLE_SLOT. */
struct vm *hole_vm(unsigned long type, unsigned int nr_vcpus, u64 gpa, u64 size);
/* Exits so far, of all VMs, for a page of guest memory that was not mapped. */
u64 hole_faults(void);

#endif
