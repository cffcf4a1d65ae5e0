// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmarks: each row measured in turn on the stock backend, on ours, and on
 * ours without huge runs, in one boot of one kernel. Prints raw samples, a line
 * each: ROW BACKEND VALUE UNIT; scripts/bench makes tables of them. No test:
 * nothing here asserts a time.
 *
 *   bench GMEM.KO [ROUNDS [MIB]]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "vm.h"

static const struct backend {
	const char *name;
	const char *args;
} backends[] = {
	{ "stock", "backend=stock" },
	{ "gmem", "huge=always" },
	{ "gmem-4k", "huge=never" },
};

static const struct backend *backend;
static size_t mib = 128;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void sample(const char *row, double value, const char *unit)
{
	printf("%s %s %.3f %s\n", row, backend->name, value, unit);
	fflush(stdout);
}

static void load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_finit_module, fd, backend->args, 0))
		tap_bail_out("insmod %s %s: %m", module, backend->args);
	close(fd);
}

/* Files are freed a little after they are closed. */
static void unload(void)
{
	for (int i = 0; i < 100; i++) {
		if (!syscall(SYS_delete_module, "gmem", 0))
			return;
		usleep(20000);
	}
	tap_bail_out("rmmod gmem: %m");
}

/* Private faults that KVM has taken: the module counts them for every backend. */
static long private_faults(void)
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
static long meminfo(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[200], name[100];
	long value, found = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%99[^:]: %ld", name, &value) == 2 && !strcmp(name, field))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* Kernel memory that holding and mapping pages costs: tree nodes, page tables. In KiB. */
static long beside_pages(void)
{
	return meminfo("Slab") + meminfo("SecPageTables") + meminfo("PageTables");
}

static void touch_all(struct vcpu *vcpu, size_t size)
{
	MUST(guest_touch_write(vcpu, TEST_GPA, 8, PAGE_SIZE, size / PAGE_SIZE, 1));
}

/* Life of private memory: first touch, punch, allocation, touch after it, close. */
static void bench_pages(void)
{
	const size_t size = mib << 20;
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	long before = beside_pages(), faults = private_faults();
	int fd = vm_add_private(vm, size);
	double t = now_us();

	touch_all(vcpu, size);
	sample("first_touch", (now_us() - t) / mib, "us/MiB");
	sample("first_touch_faults", (double)(private_faults() - faults) / mib, "faults/MiB");
	sample("memory_beside_pages", (beside_pages() - before) * 1024.0 / mib, "KiB/GiB");

	t = now_us();
	touch_all(vcpu, size);
	sample("second_touch", (now_us() - t) / mib, "us/MiB");

	t = now_us();
	MUST(gmem_punch(fd, 0, size));
	sample("punch", (now_us() - t) / mib, "us/MiB");

	t = now_us();
	MUST(gmem_alloc(fd, 0, size));
	sample("fallocate", (now_us() - t) / mib, "us/MiB");

	t = now_us();
	touch_all(vcpu, size);
	sample("touch_after_fallocate", (now_us() - t) / mib, "us/MiB");

	vm_delete_slot(vm, TEST_SLOT);
	t = now_us();
	close(fd);
	sample("close", (now_us() - t) / mib, "us/MiB");
	vm_free(vm);
}

/* What zeroing the same memory costs the kernel, without anything else. */
static void bench_clearing(void)
{
	const size_t size = 64 * SZ_1M;
	void *buf = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	double t = now_us();

	CHECK(read(zero, buf, size) == (ssize_t)size, "reading zeroes: %m");
	sample("clearing", (now_us() - t) / 64, "us/MiB");
	close(zero);
	munmap(buf, size);
}

/* Slots of 4 KiB on one file: bind, unbind and a hole of one page. */
static void bench_slots(unsigned int nr, const char *suffix)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, (u64)nr * PAGE_SIZE);
	char *hva = vm_reserve(TEST_GPA, (u64)nr * PAGE_SIZE);
	char row[64];
	unsigned int i;
	double t = now_us();

	for (i = 0; i < nr; i++)
		MUST(vm_set_region2(vm, i, KVM_MEM_GUEST_MEMFD, TEST_GPA + i * PAGE_SIZE, PAGE_SIZE,
				    hva + i * PAGE_SIZE, fd, i * PAGE_SIZE));
	snprintf(row, sizeof(row), "bind_%s", suffix);
	sample(row, (now_us() - t) / nr, "us/slot");

	t = now_us();
	for (i = 0; i < 1000; i++)
		MUST(gmem_punch(fd, (u64)(i * 7919 % nr) * PAGE_SIZE, PAGE_SIZE));
	snprintf(row, sizeof(row), "punch_4k_%s", suffix);
	sample(row, (now_us() - t) / 1000, "us");

	t = now_us();
	for (i = 0; i < nr; i++)
		vm_delete_slot(vm, i);
	snprintf(row, sizeof(row), "unbind_%s", suffix);
	sample(row, (now_us() - t) / nr, "us/slot");
	close(fd);
	vm_free(vm);
	vm_unreserve(hva, (u64)nr * PAGE_SIZE);
}

static void *punch_part(void *arg)
{
	u64 *part = arg;

	MUST(gmem_punch(part[0], part[1], part[2]));
	return NULL;
}

/* One thread punching all of a file against two punching half of it each. */
static void bench_parallel_punch(void)
{
	const u64 size = mib << 20;
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, size);
	u64 halves[2][3] = { { fd, 0, size / 2 }, { fd, size / 2, size / 2 } };
	pthread_t threads[2];
	double t;

	MUST(gmem_alloc(fd, 0, size));
	t = now_us();
	MUST(gmem_punch(fd, 0, size));
	sample("punch_one_thread", (now_us() - t) / mib, "us/MiB");

	MUST(gmem_alloc(fd, 0, size));
	t = now_us();
	for (int i = 0; i < 2; i++)
		threads[i] = thread_start(punch_part, halves[i]);
	for (int i = 0; i < 2; i++)
		thread_join(threads[i]);
	sample("punch_two_threads", (now_us() - t) / mib, "us/MiB");
	close(fd);
	vm_free(vm);
}

/* A 2 MiB range to shared and back, its other memory freed each time as VMMs do. */
static void bench_convert(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, SZ_2M * 8);
	double t;

	touch_all(&vm->vcpus[0], SZ_2M * 8);
	t = now_us();
	for (int i = 0; i < 10; i++) {
		vm_make_shared(vm, TEST_GPA, SZ_2M);
		MUST(gmem_punch(fd, 0, SZ_2M));
		vm_make_private(vm, TEST_GPA, SZ_2M);
		MUST(gmem_alloc(fd, 0, SZ_2M));
	}
	sample("convert_2m", (now_us() - t) / 10, "us");
	close(fd);
	vm_free(vm);
}

int main(int argc, char **argv)
{
	const char *module = argc > 1 ? argv[1] : "/gmem.ko";
	const int rounds = argc > 2 ? atoi(argv[2]) : 5;

	if (argc > 3)
		mib = strtoul(argv[3], NULL, 0);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
			backend = &backends[i];
			load(module);
			bench_pages();
			bench_clearing();
			bench_parallel_punch();
			bench_convert();
			bench_slots(1, "1");
			bench_slots(100, "100");
			if (round == 0)
				bench_slots(30000, "30000");
			unload();
		}
	}
	return 0;
}
