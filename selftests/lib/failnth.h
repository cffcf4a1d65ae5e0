/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Has the nth allocation of the calling task fail, on kernels with FAULT_INJECTION.
 */
#ifndef SELFTESTS_FAILNTH_H
#define SELFTESTS_FAILNTH_H

#include <stdbool.h>

/* Whether this kernel can; if not, the program plans no test. */
bool failnth_or_plan_none(void);
/* Allocations that may sleep fail, too, and nothing is printed of them. For the calling thread. */
void failnth_begin(void);
/* From here on, the @n-th. */
void failnth_arm(unsigned int n);
/* Whether the failure came to pass; none is to come. */
bool failnth_disarm(void);

#endif
