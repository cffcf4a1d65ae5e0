// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that keeps busy until it is told to stop, for tests of what happens to
 * running VMs when the module comes and goes (load_test.sh):
 *
 *   stress [-d]
 *
 * The VM has private memory; with -d, or where the kernel has no such VMs, it is
 * a default one with ordinary memory. All files are made at the start, by the
 * backend that serves them then. "ready" is printed when the guest runs; SIGTERM
 * ends the program, with status 0 if every byte was right all the time. Not a TAP
 * program: it tests nothing by itself.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "rng.h"

#define FILE_SIZE	(2 * SZ_2M)
#define PIECE		(64 * PAGE_SIZE)

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void bind(struct vm *vm, void *hva, int fd)
{
	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
			    FILE_SIZE, hva, fd, 0));
}

/* Fill and compare a piece of memory, over and over. */
static void keep_busy(struct vm *vm, void *hva, int fd)
{
	struct vcpu *vcpu = &vm->vcpus[0];
	struct rng rng = { .state = 1 };
	u64 offset, gpa, seed;

	for (seed = 1; !stop; seed++) {
		/*
		 * Sleep, as VMs do: unloading waits until every task did once,
		 * and would be waiting for nothing but this loop.
		 */
		let_pass(1000);
		offset = rng_below(&rng, FILE_SIZE / PIECE) * PIECE;
		gpa = TEST_GPA + offset;
		MUST(guest_fill(vcpu, gpa, PIECE, seed));
		MUST(guest_check(vcpu, gpa, PIECE, seed));
		if (fd < 0)
			continue;
		/* Shared and back keeps it, a hole empties it, alone of all. */
		vm_make_shared(vm, gpa, PIECE);
		vm_make_private(vm, gpa, PIECE);
		MUST(guest_check(vcpu, gpa, PIECE, seed));
		MUST(gmem_punch(fd, offset, PAGE_SIZE));
		MUST(guest_check_zero(vcpu, gpa, PAGE_SIZE));
		MUST(guest_check(vcpu, gpa + PAGE_SIZE, PIECE - PAGE_SIZE, seed));
		/* So does the binding. */
		vm_delete_slot(vm, TEST_SLOT);
		bind(vm, hva, fd);
		MUST(guest_check(vcpu, gpa + PAGE_SIZE, PIECE - PAGE_SIZE, seed));
	}
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_term };
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	struct vm *vm;
	int fd = -1;

	if ((argc > 1 && !strcmp(argv[1], "-d")) ||
	    !kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM)) {
		vm = vm_create(KVM_X86_DEFAULT_VM, 1);
		MUST(vm_set_region(vm, TEST_SLOT, 0, TEST_GPA, FILE_SIZE, hva));
	} else {
		vm = vm_create_private(1);
		fd = vm_gmem(vm, FILE_SIZE);
		bind(vm, hva, fd);
		vm_make_private(vm, TEST_GPA, FILE_SIZE);
	}
	CHECK_OK(sigaction(SIGTERM, &action, NULL));
	printf("ready\n");
	fflush(stdout);
	keep_busy(vm, hva, fd);
	return 0;
}
