// SPDX-License-Identifier: GPL-2.0-only
/*
 * Benchmarks: each row measured in turn on the stock backend, on ours, and on
 * ours without huge runs, in one boot of one kernel. Prints raw samples
 * (lib/bench.h); scripts/bench makes tables of them. No test: nothing here
 * asserts a time.
 *
 *   bench [-i] [-r ROUNDS] [-m MIB] [-g GROUP,...] [-b BACKEND,...] GMEM.KO GMEM_TEST.KO \
 *         GMEM_CONSUMER_TEST.KO
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"

#define POPULATED (256 * SZ_1M)
/* A size at which two threads have something to do for longer than they take to start. */
#define PUNCHED (1024 * SZ_1M)
#define MANY_SLOTS 30000
#define FEW_SLOTS 100
#define HOLES 1000
#define GETS 100000
#define CONSUMER_PATH "/sys/kernel/debug/gmem_consumer"
#define MANY_CONSUMERS 100000
#define FEW_CONSUMERS 10

static const struct backend backends[] = {
	{ "stock", "backend=stock" },
	{ "gmem", "huge=always" },
	{ "gmem-4k", "huge=never" },
};

static size_t mib = 128;
static const char *consumer_module;

static int test_module(void)
{
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_bail_out("%s: %m", GMEM_TEST_PATH);
	return fd;
}

static void touch_all(struct vcpu *vcpu, u64 size)
{
	MUST(guest_touch_write(vcpu, TEST_GPA, 8, PAGE_SIZE, size / PAGE_SIZE, 1));
}

/* Life of private memory: first touch, punch, allocation, touch after it, close. */
static void bench_pages(void)
{
	const u64 size = mib << 20;
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, size);
	long before = bench_kernel_memory(), faults = bench_private_faults();
	double t = bench_now();

	touch_all(vcpu, size);
	bench_time("first_touch", t, mib, "MiB");
	bench_value("first_touch_faults", (double)(bench_private_faults() - faults) / mib,
		    "faults/MiB");
	bench_value("memory_beside_pages", (bench_kernel_memory() - before) * 1024.0 / mib,
		    "KiB/GiB");

	t = bench_now();
	touch_all(vcpu, size);
	bench_time("second_touch", t, mib, "MiB");

	t = bench_now();
	MUST(gmem_punch(fd, 0, size));
	bench_time("punch", t, mib, "MiB");

	t = bench_now();
	MUST(gmem_alloc(fd, 0, size));
	bench_time("fallocate", t, mib, "MiB");

	t = bench_now();
	touch_all(vcpu, size);
	bench_time("touch_after_fallocate", t, mib, "MiB");

	vm_delete_slot(vm, TEST_SLOT);
	t = bench_now();
	close(fd);
	bench_time("close", t, mib, "MiB");
	vm_free(vm);
}

/*
 * What no backend can do without: blocks of 2 MiB from the allocator and back, the
 * same memory cleared and copied to, in the kernel and with nothing else.
 */
static void bench_yardsticks(void)
{
	void *source = vm_source(SZ_2M);
	struct gmem_test_yardsticks req = { .blocks = mib / 2, .source = (u64)source };
	const double us_per_mib = 1000.0 * mib;
	int test = test_module();

	CHECK_OK(ioctl(test, GMEM_TEST_YARDSTICKS, &req));
	bench_time_of("kernel_alloc", req.alloc_ns / us_per_mib, "MiB");
	bench_time_of("kernel_clear", req.clear_ns / us_per_mib, "MiB");
	bench_time_of("kernel_copy", req.copy_ns / us_per_mib, "MiB");
	bench_time_of("kernel_free", req.free_ns / us_per_mib, "MiB");
	close(test);
	vm_source_free(source, SZ_2M);
}

static void bench_populate(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_add_private(vm, POPULATED), test = test_module();
	void *source = vm_source(POPULATED);
	struct gmem_test_populate req = {
		.gfn = TEST_GPA / PAGE_SIZE,
		.source = (u64)source,
		.npages = POPULATED / PAGE_SIZE,
		.fail_gfn = ~0ULL,
		.vm_fd = vm->fd,
	};
	double t = bench_now();

	CHECK_EQ(ioctl(test, GMEM_TEST_POPULATE, &req), POPULATED / PAGE_SIZE);
	bench_time("populate_256m", t, POPULATED / SZ_1M, "MiB");
	vm_source_free(source, POPULATED);
	close(test);
	close(fd);
	vm_free(vm);
}

/* A page that is there, asked for without a guest and given back. */
static void bench_get_pfn(void)
{
	struct gmem_test_get req = { .gfn = TEST_GPA / PAGE_SIZE, .before = GETS };
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, SZ_2M), test = test_module();

	touch_all(&vm->vcpus[0], SZ_2M);
	req.vm_fd = vm->fd;
	CHECK_OK(ioctl(test, GMEM_TEST_GET, &req));
	bench_time_of("get_pfn", req.ns / 1e3 / GETS, "page");
	close(test);
	close(fd);
	vm_free(vm);
}

/* The numbers below @count, for @i from 0 on, in an order that jumps about. */
static u64 scattered(u64 i, u64 count)
{
	return i * 7919 % count;
}

static void named_time(const char *name, const char *suffix, double t, double count,
		       const char *per)
{
	char row[64];

	snprintf(row, sizeof(row), "%s_%s", name, suffix);
	bench_time(row, t, count, per);
}

/* Slots of 4 KiB on one file: bind, a hole of one page the guest has, unbind. */
static void bench_slots(unsigned int nr, const char *suffix)
{
	const u64 size = (u64)nr * PAGE_SIZE;
	struct vm *vm = vm_create_private(1);
	int fd = vm_gmem(vm, size);
	char *hva = vm_reserve(TEST_GPA, size);
	unsigned int i;
	double t = bench_now();

	for (i = 0; i < nr; i++)
		MUST(vm_set_region2(vm, TEST_SLOT + i, KVM_MEM_GUEST_MEMFD,
				    TEST_GPA + i * PAGE_SIZE, PAGE_SIZE, hva + i * PAGE_SIZE, fd,
				    i * PAGE_SIZE));
	named_time("bind", suffix, t, nr, "slot");

	if (nr == MANY_SLOTS) {
		vm_make_private(vm, TEST_GPA, size);
		touch_all(&vm->vcpus[0], size);
		t = bench_now();
		for (i = 0; i < HOLES; i++)
			MUST(gmem_punch(fd, scattered(i, nr) * PAGE_SIZE, PAGE_SIZE));
		named_time("punch_4k", suffix, t, HOLES, "hole");
	}

	t = bench_now();
	for (i = 0; i < nr; i++)
		vm_delete_slot(vm, TEST_SLOT + i);
	named_time("unbind", suffix, t, nr, "slot");
	close(fd);
	vm_free(vm);
	vm_unreserve(hva, size);
}

/*
 * The same holes in one slot. It lies a page off in the guest, so that its pages
 * are small and mapped small like those of many slots.
 */
static void bench_punch_in_one_slot(void)
{
	const u64 size = (u64)MANY_SLOTS * PAGE_SIZE;
	struct vm *vm = vm_create_private(1);
	int fd = vm_gmem(vm, size + PAGE_SIZE);
	double t;

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, size, fd, PAGE_SIZE);
	vm_make_private(vm, TEST_GPA, size);
	touch_all(&vm->vcpus[0], size);
	t = bench_now();
	for (unsigned int i = 0; i < HOLES; i++)
		MUST(gmem_punch(fd, (1 + scattered(i, MANY_SLOTS)) * PAGE_SIZE, PAGE_SIZE));
	bench_time("punch_4k_1_slot", t, HOLES, "hole");
	close(fd);
	vm_free(vm);
}

static void bench_few_slots(void)
{
	bench_slots(FEW_SLOTS, "100_slots");
	bench_punch_in_one_slot();
}

static void bench_many_slots(void)
{
	bench_slots(MANY_SLOTS, "30000_slots");
}

struct part {
	pthread_barrier_t *start;
	int fd;
	u64 offset, size;
};

static void *punch_part(void *arg)
{
	struct part *part = arg;

	pthread_barrier_wait(part->start);
	MUST(gmem_punch(part->fd, part->offset, part->size));
	return NULL;
}

static void load_test_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_finit_module, fd, "", 0))
		tap_bail_out("insmod %s: %m", path);
	close(fd);
}

/* All of an allocated file punched by @nr threads, each its part. */
static void punch_in_threads(const char *row, int fd, unsigned int nr)
{
	struct part parts[2];
	pthread_t threads[2];
	pthread_barrier_t start;
	double t;

	MUST(gmem_alloc(fd, 0, PUNCHED));
	pthread_barrier_init(&start, NULL, nr + 1);
	for (unsigned int i = 0; i < nr; i++) {
		parts[i] = (struct part){ &start, fd, i * (PUNCHED / nr), PUNCHED / nr };
		threads[i] = thread_start(punch_part, &parts[i]);
	}
	pthread_barrier_wait(&start);
	t = bench_now();
	for (unsigned int i = 0; i < nr; i++)
		thread_join(threads[i]);
	bench_time(row, t, PUNCHED / SZ_1M, "MiB");
	pthread_barrier_destroy(&start);
}

static void bench_parallel_punch(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, PUNCHED);

	punch_in_threads("punch_one_thread", fd, 1);
	punch_in_threads("punch_two_threads", fd, 2);
	close(fd);
	vm_free(vm);
}

/*
 * Memory to shared and back until the guest has it all again: in place on ours; on
 * stock by KVM's attributes, and the private memory freed in between and touched
 * anew, as VMMs do.
 */
static void convert(struct vm *vm, int fd, u64 size, bool in_place)
{
	if (in_place) {
		gmem_make_shared(fd, 0, size);
		gmem_make_private(fd, 0, size);
	} else {
		vm_make_shared(vm, TEST_GPA, size);
		MUST(gmem_punch(fd, 0, size));
		vm_make_private(vm, TEST_GPA, size);
	}
	touch_all(&vm->vcpus[0], size);
}

static void bench_convert_of(const char *row, u64 size, unsigned int times)
{
	const bool in_place = bench_backend != &backends[0];
	struct vm *vm = vm_create_private(1);
	int fd = in_place ? gmem_add_mappable(vm, size, PRIVATE_AT_FIRST) :
			    vm_add_private(vm, size);
	double t;

	touch_all(&vm->vcpus[0], size);
	t = bench_now();
	for (unsigned int i = 0; i < times; i++)
		convert(vm, fd, size, in_place);
	bench_time(row, t, times, "cycle");
	close(fd);
	vm_free(vm);
}

static void bench_convert(void)
{
	bench_convert_of("convert_2m", SZ_2M, 10);
	bench_convert_of("convert_1g", SZ_1G, 1);
}

/*
 * Consumers of 4 KiB each, all of which see one page: what a fault, which does not ask
 * them, costs beside them, and the notification of a hole.
 */
static void bench_beside(int fd, struct vcpu *vcpu, unsigned int consumers, const char *suffix)
{
	const u64 size = mib << 20;
	int consumer = open(CONSUMER_PATH, O_RDWR | O_CLOEXEC);
	char text[80];
	double t;

	CHECK_OK(consumer);
	snprintf(text, sizeof(text), "%d 0 1 %u 1", fd, consumers);
	CHECK_OK(write(consumer, text, strlen(text)));
	MUST(gmem_punch(fd, 0, size));
	MUST(gmem_alloc(fd, 0, size));
	t = bench_now();
	touch_all(vcpu, size);
	named_time("fault", suffix, t, mib, "MiB");
	MUST(gmem_punch(fd, 0, size));
	/* What the kernel puts off about so many pages is not the holes'. */
	let_pass(200000);
	t = bench_now();
	for (unsigned int i = 0; i < HOLES; i++)
		MUST(gmem_punch(fd, FEW_CONSUMERS / 2 * PAGE_SIZE, PAGE_SIZE));
	named_time("punch_4k", suffix, t, HOLES, "hole");
	CHECK_OK(write(consumer, "unbind", 6));
	close(consumer);
}

static void bench_consumers(void)
{
	struct vm *vm;
	int fd;

	if (bench_backend == &backends[0])
		return;
	load_test_module(consumer_module);
	vm = vm_create_private(1);
	fd = vm_add_private(vm, MANY_CONSUMERS * PAGE_SIZE);
	/* Page tables and records are there from the first round on. */
	touch_all(&vm->vcpus[0], mib << 20);
	bench_beside(fd, &vm->vcpus[0], 0, "0_consumers");
	bench_beside(fd, &vm->vcpus[0], FEW_CONSUMERS, "10_consumers");
	bench_beside(fd, &vm->vcpus[0], MANY_CONSUMERS, "100000_consumers");
	close(fd);
	vm_free(vm);
	CHECK_OK(syscall(SYS_delete_module, "gmem_consumer_test", 0));
}

static const struct group {
	const char *name;
	void (*run)(void);
	/* It has nothing to do with huge runs, and takes long. */
	bool not_4k;
} groups[] = {
	{ "pages", bench_pages, false },
	{ "yardsticks", bench_yardsticks, true },
	{ "populate", bench_populate, false },
	{ "get_pfn", bench_get_pfn, false },
	{ "convert", bench_convert, false },
	{ "parallel", bench_parallel_punch, false },
	{ "consumers", bench_consumers, false },
	{ "few_slots", bench_few_slots, true },
	{ "many_slots", bench_many_slots, true },
};

/*
 * Pages that the backend before has freed one by one are in lists of the CPU's, and whoever
 * frees a block next has the allocator move them out of there, each for some hundred
 * instructions. By itself the kernel does so in less than a minute. A clock that counts
 * instructions does not wait for one in which nobody has anything to do.
 */
static void settle(void)
{
	if (bench_counts_instructions)
		let_pass(60 * 1000000);
}

/* Whether the list @chosen, of names between commas, has @name; all are in none. */
static bool is_chosen(const char *chosen, const char *name)
{
	const size_t len = strlen(name);

	if (!chosen)
		return true;
	for (const char *at = chosen; (at = strstr(at, name)); at += len)
		if ((at == chosen || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *chosen_groups = NULL, *chosen_backends = NULL;
	int rounds = 5, option;

	while ((option = getopt(argc, argv, "ir:m:g:b:")) > 0) {
		switch (option) {
		case 'i':
			bench_counts_instructions = true;
			break;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'm':
			mib = strtoul(optarg, NULL, 0);
			break;
		case 'g':
			chosen_groups = optarg;
			break;
		case 'b':
			chosen_backends = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || !mib || mib % 2)
		tap_bail_out("usage: see %s.c", argv[0]);
	load_test_module(argv[optind + 1]);
	consumer_module = argv[optind + 2];
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
			if (!is_chosen(chosen_backends, backends[i].name))
				continue;
			settle();
			bench_load(argv[optind], &backends[i]);
			for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
				if (is_chosen(chosen_groups, groups[g].name) &&
				    !(groups[g].not_4k && i == 2))
					groups[g].run();
			bench_unload();
		}
	}
	return 0;
}
