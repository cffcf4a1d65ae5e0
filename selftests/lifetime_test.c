// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends of slots, files, VMs and pages: in every order, at once with guest
 * faults, and by SIGKILL in the middle of each operation. A stale mapping shows
 * as an old content, a leak in the program's last test, a crash in the log.
 *
 * Tests: gmem/file.cc, gmem/removal.cc.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "orders.h"
#include "rng.h"

#define FILE_SIZE	(4 * SZ_2M)

/* ---- every order ---------------------------------------------------------- */

enum step { DELETE_SLOT, CLOSE_FILE, DESTROY_VM, PUNCH, NR_STEPS };

struct scene {
	struct vm *vm;		/* NULL once destroyed */
	int fd;			/* -1 once closed */
	bool slot;
	bool punched;
};

static void take_step(struct scene *s, enum step step)
{
	switch (step) {
	case DELETE_SLOT:
		if (s->vm)
			vm_delete_slot(s->vm, TEST_SLOT);
		s->slot = false;
		break;
	case CLOSE_FILE:
		CHECK_OK(close(s->fd));
		s->fd = -1;
		break;
	case DESTROY_VM:
		vm_free(s->vm);
		s->vm = NULL;
		break;
	default:
		if (s->fd < 0) {
			CHECK_EQ(gmem_punch(s->fd, 0, FILE_SIZE), -EBADF);
			break;
		}
		MUST(gmem_punch(s->fd, 0, FILE_SIZE));
		s->punched = true;
	}
}

/* What the guest must see after the steps so far. */
static void check_scene(const struct scene *s)
{
	struct vcpu *vcpu;

	if (!s->vm)
		return;
	vcpu = &s->vm->vcpus[0];
	if (!s->slot || s->fd < 0)
		CHECK_EQ(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1),
			 EXIT_MEMORY_FAULT);
	else if (s->punched)
		MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	else
		MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
}

static void play(const int *steps)
{
	struct scene s = { .vm = vm_create_private(1), .slot = true };
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	int i;

	s.fd = vm_gmem(s.vm, FILE_SIZE);
	MUST(vm_set_region2(s.vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
			    FILE_SIZE, hva, s.fd, 0));
	vm_make_private(s.vm, TEST_GPA, FILE_SIZE);
	MUST(guest_fill(&s.vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	for (i = 0; i < NR_STEPS; i++) {
		take_step(&s, steps[i]);
		check_scene(&s);
	}
	vm_unreserve(hva, FILE_SIZE);
}

static void test_every_order(void)
{
	int steps[NR_STEPS] = { DELETE_SLOT, CLOSE_FILE, DESTROY_VM, PUNCH };

	play_every_order(steps, NR_STEPS, 0, play);
}

/* ---- at once with faults ---------------------------------------------------- */

#define STORM_MS	400
#define NR_TOUCHERS	2

static atomic_bool stop;

static bool time_is_up(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 +
	       (now.tv_nsec - start->tv_nsec) / 1000000 >= STORM_MS;
}

/*
 * Write and read all over the memory. A fault is as good as an access. So is
 * MMIO, which a shared access is while there is no slot.
 */
static void *touch_until_stopped(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { .state = vcpu->id };
	enum vm_exit exit;
	u64 gpa;

	while (!stop) {
		gpa = TEST_GPA + rng_below(&rng, FILE_SIZE / PAGE_SIZE / 2) *
		      PAGE_SIZE;
		if (rng_once_in(&rng, 2))
			exit = guest_touch_write(vcpu, gpa, 8, PAGE_SIZE, 64, ~0UL);
		else
			exit = guest_touch_read(vcpu, gpa, 8, PAGE_SIZE, 64);
		CHECK(exit == EXIT_DONE || exit == EXIT_MEMORY_FAULT ||
		      exit == EXIT_MMIO, "a touch ends with: %s", vcpu_exit_text(vcpu));
	}
	return NULL;
}

struct storm {
	struct vm *vm;
	struct vcpu *vcpu;	/* of the thread that stirs, beside the touchers */
	void *hva;
	int fd;
	struct rng rng;
};

static void bind_whole(struct storm *s)
{
	MUST(vm_set_region2(s->vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
			    FILE_SIZE, s->hva, s->fd, 0));
}

static void random_range(struct storm *s, u64 *offset, u64 *len)
{
	u64 pages = FILE_SIZE / PAGE_SIZE;

	*offset = rng_below(&s->rng, pages) * PAGE_SIZE;
	*len = (1 + rng_below(&s->rng, pages - *offset / PAGE_SIZE)) *
	       PAGE_SIZE;
}

/* Touch with two vCPUs and @stir in a loop; then all must still work. */
static void run_storm(void (*stir)(struct storm *s))
{
	struct vm *vm = vm_create_private(NR_TOUCHERS + 1);
	struct storm s = {
		.vm = vm,
		.vcpu = &vm->vcpus[NR_TOUCHERS],
		.hva = vm_reserve(TEST_GPA, FILE_SIZE),
		.fd = vm_gmem(vm, FILE_SIZE),
	};
	pthread_t threads[NR_TOUCHERS];
	unsigned int i, rounds = 0;
	struct timespec start;

	bind_whole(&s);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	for (i = 0; i < NR_TOUCHERS; i++)
		threads[i] = thread_start(touch_until_stopped, &vm->vcpus[i]);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		stir(&s);
		rounds++;
	} while (!time_is_up(&start));
	stop = true;
	for (i = 0; i < NR_TOUCHERS; i++)
		thread_join(threads[i]);

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(gmem_punch(s.fd, 0, FILE_SIZE));
	for (i = 0; i < NR_TOUCHERS; i++)
		MUST(guest_check_zero(&vm->vcpus[i], TEST_GPA, FILE_SIZE));
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, 1));
	for (i = 0; i < NR_TOUCHERS; i++)
		MUST(guest_check(&vm->vcpus[i], TEST_GPA, FILE_SIZE, 1));
	tap_diag("%u rounds", rounds);
}

static void stir_punch(struct storm *s)
{
	u64 offset, len;

	random_range(s, &offset, &len);
	MUST(gmem_punch(s->fd, offset, len));
	random_range(s, &offset, &len);
	MUST(gmem_alloc(s->fd, offset, len));
}

/*
 * The touchers keep to the lower half and a bit; the last MiB is the stirrer's
 * own: what it wrote is there until the moment that it punches, and never after.
 */
static void stir_punch_and_look(struct storm *s)
{
	u64 offset = FILE_SIZE - SZ_1M, len = 64 * PAGE_SIZE;
	u64 gpa = TEST_GPA + offset;

	MUST(guest_fill(s->vcpu, gpa, len, 9));
	MUST(gmem_punch(s->fd, 0, offset));
	MUST(guest_check(s->vcpu, gpa, len, 9));
	MUST(gmem_punch(s->fd, offset, len));
	MUST(guest_check_zero(s->vcpu, gpa, len));
}

static void stir_slot(struct storm *s)
{
	vm_delete_slot(s->vm, TEST_SLOT);
	bind_whole(s);
}

static void stir_file(struct storm *s)
{
	CHECK_OK(close(s->fd));
	vm_delete_slot(s->vm, TEST_SLOT);
	s->fd = vm_gmem(s->vm, FILE_SIZE);
	bind_whole(s);
}

/* The last reference goes in one thread while another deletes the slot. */
static void *close_file(void *arg)
{
	CHECK_OK(close(*(int *)arg));
	return NULL;
}

static void stir_file_and_slot_together(struct storm *s)
{
	pthread_t closer = thread_start(close_file, &s->fd);

	vm_delete_slot(s->vm, TEST_SLOT);
	thread_join(closer);
	s->fd = vm_gmem(s->vm, FILE_SIZE);
	bind_whole(s);
}

static void stir_attributes(struct storm *s)
{
	u64 offset, len;

	random_range(s, &offset, &len);
	vm_make_shared(s->vm, TEST_GPA + offset, len);
	random_range(s, &offset, &len);
	vm_make_private(s->vm, TEST_GPA + offset, len);
}

/*
 * Shared while there is no slot is MMIO, and 6.12 alone may take the page for
 * that ever after (fault_test.c, test_private_after_mmio).
 */
static void stir_everything(struct storm *s)
{
	static void (*const stirs[])(struct storm *s) = {
		stir_punch, stir_slot, stir_file, stir_file_and_slot_together,
		stir_attributes,
	};

	stirs[rng_below(&s->rng, ARRAY_SIZE(stirs))](s);
}

static void test_faults_and_punches(void)
{
	run_storm(stir_punch);
}

static void test_faults_and_punches_leave_nothing_stale(void)
{
	run_storm(stir_punch_and_look);
}

static void test_faults_and_slot_deletion(void)
{
	run_storm(stir_slot);
}

static void test_faults_and_file_close(void)
{
	run_storm(stir_file);
}

static void test_faults_and_file_close_with_slot_deletion(void)
{
	run_storm(stir_file_and_slot_together);
}

static void test_faults_and_conversion(void)
{
	run_storm(stir_attributes);
}

static void test_faults_and_everything(void)
{
	run_storm(stir_everything);
}

/* ---- SIGKILL ------------------------------------------------------------------- */

#define KILL_ROUNDS	12
#define KILL_MS		25

static void loop_create(struct vm *vm)
{
	for (;;)
		close(vm_gmem(vm, FILE_SIZE));
}

static void loop_bind(struct vm *vm)
{
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	int fd = vm_gmem(vm, FILE_SIZE);

	for (;;) {
		MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
				    FILE_SIZE, hva, fd, 0));
		vm_delete_slot(vm, TEST_SLOT);
	}
}

static void loop_fault(struct vm *vm)
{
	u64 size = 64 * FILE_SIZE;
	int fd = vm_add_private(vm, size);

	for (;;) {
		MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA, 8, PAGE_SIZE,
				       size / PAGE_SIZE, 1));
		MUST(gmem_punch(fd, 0, size));
	}
}

static void loop_pre_fault(struct vm *vm)
{
	int fd = vm_add_private(vm, 64 * FILE_SIZE);
	u64 gpa, size;

	for (;;) {
		gpa = TEST_GPA;
		size = 64 * FILE_SIZE;
		MUST(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size));
		MUST(gmem_punch(fd, 0, 64 * FILE_SIZE));
	}
}

static void loop_fallocate(struct vm *vm)
{
	int fd = vm_gmem(vm, 64 * FILE_SIZE);

	for (;;) {
		MUST(gmem_alloc(fd, 0, 64 * FILE_SIZE));
		MUST(gmem_punch(fd, 0, 64 * FILE_SIZE));
	}
}

static void loop_punch(struct vm *vm)
{
	int fd = vm_add_private(vm, FILE_SIZE);
	u64 off;

	for (;;) {
		MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
		for (off = 0; off < FILE_SIZE; off += PAGE_SIZE)
			MUST(gmem_punch(fd, off, PAGE_SIZE));
	}
}

static void loop_close(struct vm *vm)
{
	int fd;

	for (;;) {
		fd = vm_add_private(vm, FILE_SIZE);
		MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA, 8, PAGE_SIZE,
				       FILE_SIZE / PAGE_SIZE, 1));
		close(fd);
		vm_delete_slot(vm, TEST_SLOT);
	}
}

static void loop_convert(struct vm *vm)
{
	vm_add_private(vm, FILE_SIZE);
	for (;;) {
		vm_make_shared(vm, TEST_GPA, FILE_SIZE);
		vm_make_private(vm, TEST_GPA, FILE_SIZE);
	}
}

/* Start a VMM that does nothing but @loop, and kill it at some moment. */
static void kill_in(void (*loop)(struct vm *vm))
{
	struct rng rng = { .state = (u64)loop };
	int pipefd[2], round, status;
	char byte;
	pid_t pid;

	if (!kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM))
		tap_skip("this kernel has no private memory");
	for (round = 0; round < KILL_ROUNDS; round++) {
		CHECK_OK(pipe(pipefd));
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			struct vm *vm = vm_create_private(1);

			CHECK_EQ(write(pipefd[1], "", 1), 1);
			loop(vm);
		}
		close(pipefd[1]);
		CHECK_EQ(read(pipefd[0], &byte, 1), 1);
		close(pipefd[0]);
		let_pass(rng_below(&rng, KILL_MS * 1000));
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status), "the VMM ended before its time");
	}
}

static void test_kill_in_create(void)
{
	kill_in(loop_create);
}

static void test_kill_in_bind(void)
{
	kill_in(loop_bind);
}

static void test_kill_in_fault(void)
{
	kill_in(loop_fault);
}

static void test_kill_in_pre_fault(void)
{
	kill_in(loop_pre_fault);
}

static void test_kill_in_fallocate(void)
{
	kill_in(loop_fallocate);
}

static void test_kill_in_punch(void)
{
	kill_in(loop_punch);
}

static void test_kill_in_close(void)
{
	kill_in(loop_close);
}

static void test_kill_in_conversion(void)
{
	kill_in(loop_convert);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_every_order),
	TAP_TEST(test_faults_and_punches),
	TAP_TEST(test_faults_and_punches_leave_nothing_stale),
	TAP_TEST(test_faults_and_slot_deletion),
	TAP_TEST(test_faults_and_file_close),
	TAP_TEST(test_faults_and_file_close_with_slot_deletion),
	TAP_TEST(test_faults_and_conversion),
	TAP_TEST(test_faults_and_everything),
	TAP_TEST(test_kill_in_create),
	TAP_TEST(test_kill_in_bind),
	TAP_TEST(test_kill_in_fault),
	TAP_TEST(test_kill_in_pre_fault),
	TAP_TEST(test_kill_in_fallocate),
	TAP_TEST(test_kill_in_punch),
	TAP_TEST(test_kill_in_close),
	TAP_TEST(test_kill_in_conversion),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
