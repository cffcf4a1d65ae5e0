// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mappable file whose last reference goes while a vCPU faults on its memslot: what
 * the guest reads is the file's page or an exit, never what user space has at the
 * memslot's userspace_addr.
 *
 *	dying_test [TRIES]	of each case
 *
 * A wrong mapping would stay until the file's release has slots_lock. Here
 * KVM_GET_DIRTY_LOG holds slots_lock until the guest has looked: its bitmap is a page
 * that a userfaultfd gives only then.
 *
 * Tests: mmu/faults.cc, mmu/memslot.cc.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "nobody.h"
#include "uffd.h"

/* At the memslot's userspace_addr. Pages of the file are zero. */
#define SECRET_BYTE	0xa5

#define LOG_SLOT	5
#define LOG_GPA		(2 * SZ_1G)

/* The file is touched from its second page on: the first makes it no huge run. */
#define TOUCHED_GPA	(TEST_GPA + PAGE_SIZE)
#define TOUCHED_PAGES	(SZ_2M / PAGE_SIZE - 1)

static unsigned int tries = 16;

struct attempt {
	struct vm *vm;
	int fd;
	void *logged;
	struct late_page bitmap;
	/* The file is closed when it has as many pages, and after a delay in ns. */
	long pages;
	u64 delay;
	enum vm_exit touched;
	unsigned int readable;
};

/* In seconds. An idle guest looks for some two of them at most. */
#define LONGEST_LOOK	60

/* Shorter than the scheduler can. */
static void pause_for(u64 ns)
{
	const u64 end = now_ns() + ns;

	while (now_ns() < end)
		;
}

/* ---- slots_lock, held for as long as wanted ---------------------------------------- */

static void prepare_lock(struct attempt *a)
{
	a->logged = vm_reserve(LOG_GPA, PAGE_SIZE);
	MUST(vm_set_region(a->vm, LOG_SLOT, KVM_MEM_LOG_DIRTY_PAGES, LOG_GPA, PAGE_SIZE,
			   a->logged));
	a->bitmap = late_page_make();
}

static void *hold_lock(void *arg)
{
	struct attempt *a = arg;
	struct kvm_dirty_log log = { .slot = LOG_SLOT, .dirty_bitmap = a->bitmap.at };

	CHECK_OK(ioctl(a->vm->fd, KVM_GET_DIRTY_LOG, &log));
	return NULL;
}

/* ---- one try ----------------------------------------------------------------------- */

/* In a thread: the file's release waits for slots_lock. */
static void *close_file(void *arg)
{
	struct attempt *a = arg;
	struct stat stat;

	do
		CHECK_OK(fstat(a->fd, &stat));
	while (stat.st_blocks < a->pages * (long)(PAGE_SIZE / 512));
	pause_for(a->delay);
	close(a->fd);
	return NULL;
}

static void *touch(void *arg)
{
	struct attempt *a = arg;
	struct vcpu *vcpu = &a->vm->vcpus[0];

	a->touched = guest_touch_read(vcpu, TOUCHED_GPA, 8, PAGE_SIZE, TOUCHED_PAGES);
	CHECK(a->touched == EXIT_DONE || a->touched == EXIT_MEMORY_FAULT, "touching: %s",
	      vcpu_exit_text(vcpu));
	return NULL;
}

/*
 * In a thread, too: on a slow machine the file may be closed while the guest looks, and
 * the looking task then has the last reference, and waits for slots_lock itself.
 * Require of each page that the guest reads zeroes there or cannot read it. How many it
 * reads: those that it touched before the file went.
 */
static void *look(void *arg)
{
	struct attempt *a = arg;
	struct vcpu *vcpu = &a->vm->vcpus[1];
	unsigned int secrets = 0;
	u64 value;

	for (u64 gpa = TEST_GPA; gpa < TEST_GPA + SZ_2M; gpa += PAGE_SIZE) {
		if (guest_read(vcpu, gpa, 8, &value) != EXIT_DONE) {
			CHECK(vcpu->exit == EXIT_MEMORY_FAULT && vcpu->error == EFAULT,
			      "reading %#lx: %s", gpa, vcpu_exit_text(vcpu));
			continue;
		}
		a->readable++;
		secrets += value != 0;
	}
	CHECK(!secrets, "the guest reads %u pages that are not the file's; closed at %ld pages",
	      secrets, a->pages);
	return NULL;
}

/* Whether the guest has looked at all pages while slots_lock was held. */
static bool looked(pthread_t looker)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += LONGEST_LOOK;
	return pthread_timedjoin_np(looker, NULL, &end) == 0;
}

static void begin(struct attempt *a, unsigned long type, void *user)
{
	a->vm = vm_create(type, 2);
	a->fd = gmem_mappable(a->vm, SZ_2M, SHARED_AT_FIRST);
	MUST(gmem_alloc(a->fd, 0, PAGE_SIZE));
	MUST(vm_set_region2(a->vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, user, a->fd,
			    0));
	prepare_lock(a);
}

static void end(struct attempt *a)
{
	late_page_free(&a->bitmap);
	munmap(a->logged, PAGE_SIZE);
	vm_free(a->vm);
}

/* Whether the file went between two touches of the guest's, and it looked then. */
static bool attempt(unsigned long type, void *user, long pages, u64 delay)
{
	struct attempt a = { .pages = pages, .delay = delay };
	pthread_t holder, toucher, closer, looker;
	bool held;

	begin(&a, type, user);
	holder = thread_start(hold_lock, &a);
	late_page_await(&a.bitmap);
	closer = thread_start(close_file, &a);
	toucher = thread_start(touch, &a);
	/* All is over soon, or waits for slots_lock. */
	let_pass(100000);
	looker = thread_start(look, &a);
	held = looked(looker);
	late_page_give(&a.bitmap);
	if (!held)
		thread_join(looker);
	thread_join(holder);
	thread_join(toucher);
	thread_join(closer);
	end(&a);
	return held && a.readable && a.touched == EXIT_MEMORY_FAULT;
}

static void try_all(unsigned long type)
{
	void *user = vm_reserve(TEST_GPA, SZ_2M);
	const double begun = now();
	unsigned int met = 0, i;

	CHECK_OK(madvise(user, SZ_2M, MADV_HUGEPAGE));
	memset(user, SECRET_BYTE, SZ_2M);
	/* A fault takes some tens of microseconds. */
	for (i = 0; i < tries || !over_at(begun, met); i++)
		met += attempt(type, user, 2 + i % tries * TOUCHED_PAGES / tries, i % 8 * 10000);
	tap_diag("the file went under the guest in %u of %u tries", met, i);
	CHECK(met, "the file never went while the guest touched it");
}

static void test_default_vm(void)
{
	try_all(KVM_X86_DEFAULT_VM);
}

static void test_software_protected_vm(void)
{
	try_all(KVM_X86_SW_PROTECTED_VM);
}

static void test_as_nobody(void)
{
	late_pages_allow();
	become_nobody();
	try_all(KVM_X86_DEFAULT_VM);
}

static struct tap_test tests[] = {
	TAP_TEST(test_default_vm),
	TAP_TEST(test_software_protected_vm),
	TAP_TEST(test_as_nobody),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		tries = strtoul(argv[1], NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tests[i].timeout = 120 + 4 * tries;
	return tap_main(tests, ARRAY_SIZE(tests));
}
