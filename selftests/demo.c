// SPDX-License-Identifier: GPL-2.0-only
/*
 * For `make demo`: one VM whose guest runs from and writes to private memory,
 * while parts of it are converted and punched; a table of what happened, and
 * the module's counters as the proof of who served it. Fails if any content is
 * not what it must be.
 */
#include <stdio.h>
#include <time.h>

#include "guest.h"
#include "stats.h"

#define SIZE	(64 * SZ_1M)
#define PART	(8 * SZ_1M)
#define HOLES	1000

static struct vm *vm;
static struct vcpu *vcpu;
static int gmem;
static char *shared;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Run a step and print its row: what, how long, how many faults KVM took. */
static void row(const char *what, void (*step)(void))
{
	u64 faults = kvm_stat(vcpu->fd, "pf_taken");
	double start = now_ms();

	step();
	printf("  %-58s %8.1f ms %7lu\n", what, now_ms() - start,
	       kvm_stat(vcpu->fd, "pf_taken") - faults);
	fflush(stdout);
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

	printf("\n%s:\n", path);
	if (!file) {
		printf("  (not there: gmem.ko is not loaded)\n");
		return;
	}
	while (fgets(line, sizeof(line), file))
		printf("  %s", line);
	fclose(file);
}

int main(void)
{
	if (!kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM))
		tap_bail_out("this kernel has no software-protected VMs: load gmem.ko");

	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	gmem = vm_gmem(vm, SIZE);
	shared = vm_add_slot(vm, TEST_SLOT, TEST_GPA, SIZE, gmem, 0);
	vm_make_private(vm, TEST_GPA, SIZE);

	printf("A VM with %lu MiB of private memory\n\n", SIZE / SZ_1M);
	printf("  %-58s %11s %7s\n", "", "time", "faults");
	row("guest touches every page for the first time", first_touch);
	row("guest fills all of it and compares every byte", fill_and_check);
	row("guest writes code to private memory and executes it", execute);
	row("host looks for any of it through its own mapping: nothing",
	    host_sees_nothing);
	row("8 MiB become shared, guest writes, host reads", convert_to_shared);
	row("8 MiB become private again, with their content", convert_back);
	row("1000 holes of 4 KiB", punch);
	row("guest finds zeroes in each, its data between them", holes_are_zero);
	row("everything is freed", free_all);
	row("everything is mapped before the guest asks", pre_fault);
	row("guest touches every page without a fault", first_touch);

	show_file("/sys/kernel/debug/gmem/calls");
	return 0;
}
