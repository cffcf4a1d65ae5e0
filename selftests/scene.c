// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs to be looked at, whose memory has one of everything: private and shared, huge and
 * small, mixed, lost and absent. Says "scene: PID:FD PID:FD" when it is set, and stays until
 * it is killed. No test: who looks says what there is to see (scripts/pictures,
 * scripts/tests/drgn).
 *
 *	scene [busy]
 *
 * With "busy" the guests go on: they fault, memory is converted and punched, and some
 * conversions are refused.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "pins.h"
#include "poison.h"

#define RUNS	48UL
#define SIZE	(RUNS * SZ_2M)
#define LOST	20UL
#define OTHER	(16 * SZ_2M)

static u64 run_at(unsigned long run)
{
	return run * SZ_2M;
}

static void touch(struct vm *vm, u64 offset, u64 size, u64 step)
{
	MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA + offset, 8, step, size / step, 1));
}

/* Runs of each kind; a third of the file is absent. */
static int set_scene(struct vm *vm, char **shared)
{
	int fd = gmem_add_mappable(vm, SIZE, PRIVATE_AT_FIRST);

	*shared = gmem_map(fd, 0, SIZE);
	touch(vm, run_at(0), run_at(8), PAGE_SIZE);
	gmem_make_shared(fd, run_at(8), run_at(6));
	touch(vm, run_at(8), run_at(6), PAGE_SIZE);
	/* Mixed: a shared ring in the guest's private memory. */
	touch(vm, run_at(14), run_at(2), PAGE_SIZE);
	gmem_make_shared(fd, run_at(14), 16 * PAGE_SIZE);
	gmem_make_shared(fd, run_at(15), 3 * PAGE_SIZE);
	/* Holes, as a balloon punches them. */
	touch(vm, run_at(16), run_at(4), PAGE_SIZE);
	for (unsigned long i = 0; i < 4; i++)
		MUST(gmem_punch(fd, run_at(16 + i) + i * PAGE_SIZE, 64 * PAGE_SIZE));
	touch(vm, run_at(LOST), run_at(1), PAGE_SIZE);
	if (!access("/sys/kernel/debug/gmem_test", F_OK))
		poison_page(fd, LOST * 512 + 5);
	for (unsigned long i = 0; i < 4; i++)
		MUST(gmem_alloc(fd, run_at(24 + 2 * i), 100 * PAGE_SIZE));
	return fd;
}

/* A file that lies a page off in its guest: nothing can be huge. */
static int set_other(struct vm *vm)
{
	int fd = vm_gmem(vm, OTHER + PAGE_SIZE);

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, OTHER, fd, PAGE_SIZE);
	vm_make_private(vm, TEST_GPA, OTHER);
	touch(vm, 0, OTHER / 2, PAGE_SIZE);
	return fd;
}

static void go_on(struct vm *vm, int fd, struct vm *other, int other_fd, char *shared)
{
	const u64 ring = run_at(8), heap = run_at(2);
	struct pin pin;
	u64 at;

	for (unsigned long n = 0;; n++) {
		const u64 run = run_at(2 + n % 4);

		gmem_make_shared(fd, run, 64 * PAGE_SIZE);
		touch(vm, run, run_at(1), 64 * PAGE_SIZE);
		gmem_make_private(fd, run, 64 * PAGE_SIZE);
		touch(vm, heap, run_at(4), 16 * PAGE_SIZE);
		MUST(gmem_punch(other_fd, run_at(n % 4) + PAGE_SIZE, 32 * PAGE_SIZE));
		touch(other, 0, OTHER / 2, 4 * PAGE_SIZE);
		/* Somebody holds a page of the ring that the guest wants for itself. */
		shared[ring] = 1;
		pin_take(&pin, PIN_VMSPLICE, shared + ring, 1);
		if (n % 8 == 0)
			gmem_convert(fd, ring, PAGE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, &at);
		pin_release(&pin);
		let_pass(20000);
	}
}

int main(int argc, char **argv)
{
	struct vm *vm = vm_create_private(1), *other = vm_create_private(1);
	char *shared;
	int fd = set_scene(vm, &shared), other_fd = set_other(other);

	printf("scene: %d:%d %d:%d\n", getpid(), fd, getpid(), other_fd);
	fflush(stdout);
	if (argc > 1 && !strcmp(argv[1], "busy"))
		go_on(vm, fd, other, other_fd, shared);
	pause();
	return 0;
}
