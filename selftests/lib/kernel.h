/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the running kernel is like, where kernels differ on purpose and a test has to know
 * which answer is right. The kernel is asked by other calls than the tested ones, and never
 * for its version.
 */
#ifndef SELFTESTS_KERNEL_H
#define SELFTESTS_KERNEL_H

#include <stdbool.h>

#include "vm.h"

/* Memslots on files that can be mapped are KVM's own. Skips the test without gmem_test.ko. */
bool kernel_has_shared_slots(void);
/* A populate takes its source as pages. Skips the test without gmem_test.ko. */
bool kernel_populates_pages(void);
/* No file of a pseudo file system, a vCPU's descriptor for one, is mapped for execution. */
bool kernel_keeps_pseudo_files_noexec(void);
/* KVM has the function, and it can be traced. */
bool kernel_can_trace(const char *function);

#endif
