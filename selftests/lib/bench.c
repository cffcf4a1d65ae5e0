// SPDX-License-Identifier: GPL-2.0-only
/*
 * Samples, backends and counters for benchmarks (bench.h).
 */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

const struct backend *bench_backend;
bool bench_counts_instructions;

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

void bench_value(const char *row, double value, const char *unit)
{
	printf("%s %s %.3f %s\n", row, bench_backend->name, value, unit);
	fflush(stdout);
}

void bench_time_of(const char *row, double us, const char *per)
{
	char unit[32];

	snprintf(unit, sizeof(unit), "%s/%s", bench_counts_instructions ? "kinsn" : "us", per);
	bench_value(row, us, unit);
}

void bench_time(const char *row, double start, double count, const char *per)
{
	bench_time_of(row, (bench_now() - start) / count, per);
}

void bench_load(const char *module, const struct backend *backend)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	bench_backend = backend;
	if (syscall(SYS_finit_module, fd, backend->args, 0))
		tap_bail_out("insmod %s %s: %m", module, backend->args);
	close(fd);
}

/* Files are freed a little after they are closed. */
void bench_unload(void)
{
	for (int i = 0; i < 100; i++) {
		if (!syscall(SYS_delete_module, "gmem", 0)) {
			bench_backend = NULL;
			return;
		}
		let_pass(20000);
	}
	tap_bail_out("rmmod gmem: %m");
}

long bench_private_faults(void)
{
	FILE *f = fopen("/sys/kernel/debug/gmem/calls", "re");
	char line[200];
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "kvm_mmu_page_fault served %ld", &n);
	if (f)
		fclose(f);
	return n;
}

/* A field of /proc/meminfo in KiB. */
static long memory_kib(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[200], name[100];
	long value, found = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%99[^:]: %ld", name, &value) == 2 && !strcmp(name, field))
			found = value;
	if (f)
		fclose(f);
	return found;
}

long bench_kernel_memory(void)
{
	/* Folds in what each CPU has counted for itself. */
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1", 1) != 1)
			tap_diag("stat_refresh: %m");
		close(fd);
	}
	return memory_kib("Slab") + memory_kib("SecPageTables") + memory_kib("PageTables");
}
