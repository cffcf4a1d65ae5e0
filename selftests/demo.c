// SPDX-License-Identifier: GPL-2.0-only
/*
 * For `make demo`: one VM whose guest runs from and writes to private memory, while
 * parts of it are converted and punched. The module's counters tell whether gmem served
 * it. Fails if any content is not what it must be.
 *
 *	demo [GMEM.KO]
 *
 * With the module's file the steps are done on the stock backend first, and then on
 * gmem's: a table has both side by side. Without it, they are done on the backend that
 * is loaded.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "gmem.h"
#include "guest.h"
#include "module.h"
#include "stats.h"

#define SIZE	(64 * SZ_1M)
#define PART	(8 * SZ_1M)
#define HOLES	1000
#define MAX_ROWS	16

static struct vm *vm;
static struct vcpu *vcpu;
static int gmem;
static char *shared;

/* What a step took; faults are KVM's. */
struct row {
	double ms;
	u64 faults;
};

/* Of the stock backend, if it was tried; shared with the child that does it. */
static struct row *stock;
static bool is_stock;
static unsigned int nr_rows;

static void show(const char *what, const struct row *ours)
{
	const struct row *theirs = stock ? &stock[nr_rows] : NULL;

	printf("  %-52s", what);
	if (theirs && theirs->ms)
		printf(" %8.1f ms %6lu", theirs->ms, theirs->faults);
	else if (stock)
		printf(" %11s %6s", "-", "");
	printf(" %8.1f ms %6lu", ours->ms, ours->faults);
	if (theirs && theirs->ms)
		printf(" %7.1f x", theirs->ms / ours->ms);
	printf("\n");
	fflush(stdout);
}

/* Do a step and keep or print its row. */
static void row(const char *what, void (*step)(void))
{
	u64 faults = kvm_stat(vcpu->fd, "pf_taken");
	double start = bench_now();
	struct row took;

	step();
	took.ms = (bench_now() - start) / 1e3;
	took.faults = kvm_stat(vcpu->fd, "pf_taken") - faults;
	if (is_stock)
		stock[nr_rows] = took;
	else
		show(what, &took);
	nr_rows++;
}

static void first_touch(void)
{
	MUST(guest_touch_write(vcpu, TEST_GPA, 8, PAGE_SIZE, SIZE / PAGE_SIZE, 1));
}

static void fill_and_check(void)
{
	MUST(guest_fill(vcpu, TEST_GPA, SIZE, 1));
	MUST(guest_check(vcpu, TEST_GPA, SIZE, 1));
}

static void execute(void)
{
	u64 gpa = TEST_GPA + SIZE - PAGE_SIZE, result;

	MUST(guest_store_bytes(vcpu, gpa, guest_code_3x_plus_7,
			       sizeof(guest_code_3x_plus_7), 1));
	MUST(guest_call(vcpu, gpa, 1000, &result));
	CHECK_EQ(result, 3007);
}

static void host_sees_nothing(void)
{
	u64 off;

	for (off = 0; off < SIZE; off += 8)
		CHECK(!*(u64 *)(shared + off), "private memory was seen at %#lx",
		      off);
}

static void convert_to_shared(void)
{
	vm_make_shared(vm, TEST_GPA, PART);
	MUST(guest_fill(vcpu, TEST_GPA, PART, 2));
	CHECK_EQ(*(u64 *)shared, pattern_word(TEST_GPA, 2));
}

static void convert_back(void)
{
	vm_make_private(vm, TEST_GPA, PART);
	MUST(guest_check(vcpu, TEST_GPA, PART, 1));
}

static void punch(void)
{
	u64 i;

	for (i = 0; i < HOLES; i++)
		MUST(gmem_punch(gmem, PART + 2 * i * PAGE_SIZE, PAGE_SIZE));
}

static void holes_are_zero(void)
{
	u64 gpa = TEST_GPA + PART;
	int i;

	for (i = 0; i < HOLES; i++, gpa += 2 * PAGE_SIZE) {
		MUST(guest_check_zero(vcpu, gpa, PAGE_SIZE));
		MUST(guest_check(vcpu, gpa + PAGE_SIZE, PAGE_SIZE, 1));
	}
}

static void free_all(void)
{
	MUST(gmem_punch(gmem, 0, SIZE));
}

static void pre_fault(void)
{
	u64 gpa = TEST_GPA, size = SIZE;

	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(size, 0);
}

static void show_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[256];

	printf("\nWhat gmem served, %s:\n", path);
	if (!file) {
		printf("  (not there: gmem.ko is not loaded)\n");
		return;
	}
	while (fgets(line, sizeof(line), file))
		if (!strstr(line, " served 0 "))
			printf("  %s", line);
	fclose(file);
}

/* The same memory for both: what the guest wrote is there, wherever it is looked at from. */
static void convert_in_place(void)
{
	gmem_make_shared(gmem, 0, SIZE);
	CHECK(mem_holds(shared, TEST_GPA, SIZE, 3), "conversion to shared has lost something");
}

static void convert_back_in_place(void)
{
	gmem_make_private(gmem, 0, SIZE);
	MUST(guest_check(vcpu, TEST_GPA, SIZE, 3));
}

static void fill_again(void)
{
	MUST(guest_fill(vcpu, TEST_GPA, SIZE, 3));
}

static void begin_vm(void)
{
	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
}

static void do_steps(void)
{
	begin_vm();
	gmem = vm_gmem(vm, SIZE);
	shared = vm_add_slot(vm, TEST_SLOT, TEST_GPA, SIZE, gmem, 0);
	vm_make_private(vm, TEST_GPA, SIZE);

	row("guest touches every page for the first time", first_touch);
	row("guest fills all of it and compares every byte", fill_and_check);
	row("guest writes code to private memory, executes it", execute);
	row("host looks for any of it by its own mapping: nothing", host_sees_nothing);
	row("8 MiB become shared, guest writes, host reads", convert_to_shared);
	row("8 MiB become private again, with their content", convert_back);
	row("1000 holes of 4 KiB", punch);
	row("guest finds zeroes in each, its data between them", holes_are_zero);
	row("everything is freed", free_all);
	row("everything is mapped before the guest asks", pre_fault);
	row("guest touches every page without a fault", first_touch);
}

/* What the stock backend cannot: one file for private and for shared memory. */
static void do_steps_in_place(void)
{
	begin_vm();
	if (!(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & GUEST_MEMFD_FLAG_MMAP) ||
	    vm_check(vm, GMEM_CAP_MEMORY_ATTRIBUTES) <= 0)
		return;
	gmem = gmem_add_mappable(vm, SIZE, GUEST_MEMFD_FLAG_MMAP);
	shared = gmem_map(gmem, 0, SIZE);
	row("another VM's guest fills 64 MiB", fill_again);
	row("they become shared in place: host reads all of it", convert_in_place);
	row("and private again: guest compares every byte", convert_back_in_place);
}

/* In a child, so that nothing is left of it when the module is to go. */
static void try_stock(const char *module)
{
	static const struct backend backend = { "stock", "backend=stock" };
	int status;
	pid_t child;

	stock = mmap(NULL, MAX_ROWS * sizeof(*stock), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stock != MAP_FAILED, "mmap: %m");
	if (module_is_loaded("gmem"))
		module_unload_soon("gmem");
	bench_load(module, &backend);
	printf("The steps on the kernel's own backend ...\n");
	fflush(stdout);
	child = fork();
	CHECK(child >= 0, "fork: %m");
	if (!child) {
		is_stock = true;
		do_steps();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "stock backend: status %#x", status);
	bench_unload();
}

static void print_head(void)
{
	printf("\nA VM with %lu MiB of private memory\n\n", SIZE / SZ_1M);
	if (stock)
		printf("  %-52s %18s %18s %9s\n", "", "stock       ", "gmem        ", "ratio");
	printf("  %-52s", "");
	for (int i = 0; i < (stock ? 2 : 1); i++)
		printf(" %11s %6s", "time", "faults");
	printf("\n");
}

int main(int argc, char **argv)
{
	static const struct backend ours = { "gmem", "" };

	if (argc > 1) {
		try_stock(argv[1]);
		bench_load(argv[1], &ours);
	}
	if (!kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM))
		tap_bail_out("this kernel has no software-protected VMs: load gmem.ko");
	print_head();
	do_steps();
	do_steps_in_place();
	show_file("/sys/kernel/debug/gmem/calls");
	printf("\nNext: README.md, \"On a real host\"; docs/conversion.md for memory that is\n"
	       "shared in place; \"make bench\" for ratios with their spread; \"make help\".\n");
	return 0;
}
