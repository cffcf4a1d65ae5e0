/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a benchmark of both backends needs beside its rows: samples, loading the
 * one backend or the other, what the kernel has counted. A sample is one line:
 * ROW BACKEND VALUE UNIT.
 */
#ifndef SELFTESTS_BENCH_H
#define SELFTESTS_BENCH_H

#include <stdbool.h>

#include "vm.h"

struct backend {
	const char *name;
	const char *args; /* gmem.ko's */
};

/* Whose samples these are; NULL between two. */
extern const struct backend *bench_backend;
/*
 * The machine's clock counts instructions, a thousand to the microsecond (QEMU's
 * -icount shift=0): samples of time are of instructions then.
 */
extern bool bench_counts_instructions;

double bench_now(void);
/* The time since @start, divided by @count, of row @row, per @per ("MiB" ...). */
void bench_time(const char *row, double start, double count, const char *per);
/* The same for a time of @us microseconds, which the caller has measured. */
void bench_time_of(const char *row, double us, const char *per);
void bench_value(const char *row, double value, const char *unit);

/* Loads gmem.ko from the file @module for @backend; the samples are its from now on. */
void bench_load(const char *module, const struct backend *backend);
void bench_unload(void);

/* Private faults that KVM has taken: the module counts them for every backend. */
long bench_private_faults(void);
/*
 * Memory of the kernel that is not pages of files: slab (tree nodes, the module's
 * objects) and page tables, in KiB.
 */
long bench_kernel_memory(void);

#endif
