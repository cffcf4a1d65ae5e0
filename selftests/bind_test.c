// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding guest_memfds to memslots: what is refused, what stays right through
 * binding, deletion and rebinding. Which content the guest sees is checked on
 * each step; races are in lifetime_test.c.
 *
 * Tests: mmu/memslot.cc.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kernel.h"
#include "leak.h"

#define FILE_SIZE	SZ_2M

/* The answer to binding @size bytes at @offset of @fd at TEST_GPA. */
static int bind(struct vm *vm, int fd, u64 offset, u64 size)
{
	static void *hva;

	if (!hva)
		hva = vm_reserve(TEST_GPA, SZ_1G);
	return vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
			      size, hva, fd, offset);
}

static void test_not_a_descriptor(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);

	CHECK_EQ(bind(vm, -1, 0, FILE_SIZE), -EBADF);
	close(fd);
	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EBADF);
}

static void test_not_a_guest_memfd(void)
{
	struct vm *vm = vm_create_private(0);
	int pipefd[2];
	int fd;

	CHECK_EQ(bind(vm, vm->fd, 0, FILE_SIZE), -EINVAL);
	fd = memfd_create("other", 0);
	CHECK_OK(ftruncate(fd, FILE_SIZE));
	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EINVAL);
	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EINVAL);
	CHECK_OK(pipe(pipefd));
	CHECK_EQ(bind(vm, pipefd[0], 0, FILE_SIZE), -EINVAL);
	/* A descriptor that names the file without opening it. */
	fd = open("/", O_PATH);
	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EBADF);
}

static void test_file_of_another_vm(void)
{
	struct vm *vm = vm_create_private(0);
	struct vm *other = vm_create_private(0);
	int fd = vm_gmem(other, FILE_SIZE);

	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EINVAL);
	MUST(bind(other, fd, 0, FILE_SIZE));
}

static void test_misaligned(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);
	u64 off;

	for (off = 1; off < PAGE_SIZE; off <<= 1) {
		CHECK_EQ(bind(vm, fd, off, PAGE_SIZE), -EINVAL);
		CHECK_EQ(bind(vm, fd, 0, PAGE_SIZE + off), -EINVAL);
	}
}

static void test_past_the_end(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);

	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE + PAGE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, PAGE_SIZE, FILE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, FILE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, FILE_SIZE + SZ_1G, PAGE_SIZE), -EINVAL);
	MUST(bind(vm, fd, FILE_SIZE - PAGE_SIZE, PAGE_SIZE));
}

static void test_overflowing(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);

	CHECK_EQ(bind(vm, fd, -PAGE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, -PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, 1UL << 63, PAGE_SIZE), -EINVAL);
	/* 6.12's own sum wraps to a negative one here, and binds. */
	CHECK_EQ(bind(vm, fd, (1UL << 63) - PAGE_SIZE, PAGE_SIZE), -EINVAL);
	CHECK_EQ(bind(vm, fd, (1UL << 63) - PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
}

/*
 * Two slots at different gpas over the same part of a file. The running
 * kernel's answer counts: EINVAL in 6.12, EEXIST in 7.x.
 */
static void test_overlapping(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);
	void *hva = vm_reserve(0, FILE_SIZE);
	static const struct {
		u64 offset, size;
	} cases[] = {
		{ SZ_1M, PAGE_SIZE },
		{ SZ_1M + 16 * PAGE_SIZE, PAGE_SIZE },
		{ SZ_1M + 31 * PAGE_SIZE, 2 * PAGE_SIZE },
		{ SZ_1M - PAGE_SIZE, 2 * PAGE_SIZE },
		{ SZ_1M, 32 * PAGE_SIZE },
		{ 0, FILE_SIZE },
	};
	unsigned int i;
	int r;

	MUST(bind(vm, fd, SZ_1M, 32 * PAGE_SIZE));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		r = vm_set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, 2 * SZ_1G,
				   cases[i].size, hva, fd, cases[i].offset);
		CHECK(r == -EINVAL || r == -EEXIST, "overlap %u gives %d", i, r);
	}
	/* Right beside it, on both sides, is no overlap. */
	MUST(vm_set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, 2 * SZ_1G, SZ_1M, hva,
			    fd, 0));
	MUST(vm_set_region2(vm, 3, KVM_MEM_GUEST_MEMFD, 3 * SZ_1G, PAGE_SIZE,
			    hva, fd, SZ_1M + 32 * PAGE_SIZE));
}

static void test_flags(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE);
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	u32 flags;

	for (flags = 1; flags; flags <<= 1) {
		if (flags == KVM_MEM_GUEST_MEMFD)
			continue;
		CHECK_EQ(vm_set_region2(vm, TEST_SLOT,
					KVM_MEM_GUEST_MEMFD | flags, TEST_GPA,
					FILE_SIZE, hva, fd, 0), -EINVAL);
	}
	/* The older ioctl has no place for the descriptor. */
	CHECK_EQ(vm_set_region(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
			       FILE_SIZE, hva), -EINVAL);
}

/* A default VM has no private memory; default_vm_test.c has files of which it has more. */
static void test_default_vm(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	int fd;

	fd = vm_create_gmem(vm, FILE_SIZE, 0);
	/* The file is of no use to the VM, which has no private memory. */
	if (kernel_has_shared_slots()) {
		CHECK(fd >= 0, "creating gives %d", fd);
		MUST(bind(vm, fd, 0, FILE_SIZE));
		return;
	}
	/* Whether a file can be made or not, it cannot be bound. */
	CHECK(fd >= 0 || fd == -EINVAL || fd == -ENOTTY, "creating gives %d", fd);
	CHECK_EQ(bind(vm, fd, 0, FILE_SIZE), -EINVAL);
}

/* A failed bind leaves the file as it was. */
static void test_refusals_leave_nothing(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	unsigned int before = leak_count_fds();
	int fd = vm_gmem(vm, FILE_SIZE);

	CHECK_EQ(bind(vm, fd, PAGE_SIZE, FILE_SIZE), -EINVAL);
	/* The bind itself is right, but the gpa is taken: undone after it. */
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, AGENT_GPA,
				FILE_SIZE, vm->agent, fd, 0), -EEXIST);
	MUST(bind(vm, fd, 0, FILE_SIZE));
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	CHECK_EQ(leak_count_fds(), before);
}

static void test_rebind_after_delete_keeps_content(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	u64 seed;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(bind(vm, fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	for (seed = 1; seed < 5; seed++) {
		MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, seed));
		vm_delete_slot(vm, TEST_SLOT);
		CHECK_EQ(guest_check(vcpu, TEST_GPA, FILE_SIZE, seed),
			 EXIT_MEMORY_FAULT);
		MUST(bind(vm, fd, 0, FILE_SIZE));
		/* Ends the command that faulted. */
		CHECK_EQ(vcpu_run(vcpu), EXIT_DONE);
		MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, seed));
	}
}

/* A second binding elsewhere in the file, with another offset from its gfn. */
static void test_rebind_at_another_offset(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	u64 shift = 3 * PAGE_SIZE;
	u64 value;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(bind(vm, fd, 0, FILE_SIZE));
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 7));
	vm_delete_slot(vm, TEST_SLOT);

	MUST(bind(vm, fd, shift, FILE_SIZE - shift));
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
	CHECK_EQ(value, pattern_word(TEST_GPA + shift, 7));
	/* A hole in the file is a hole in the guest, at the right place. */
	MUST(gmem_punch(fd, shift + PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA + PAGE_SIZE, PAGE_SIZE));
	MUST(guest_read(vcpu, TEST_GPA + 2 * PAGE_SIZE, 8, &value));
	CHECK_EQ(value, pattern_word(TEST_GPA + 2 * PAGE_SIZE + shift, 7));
	MUST(guest_read(vcpu, TEST_GPA + PAGE_SIZE - 8, 8, &value));
	CHECK_EQ(value, pattern_word(TEST_GPA + PAGE_SIZE - 8 + shift, 7));
}

/*
 * One file cut into slots of odd sizes whose order in the guest is not that in
 * the file, so that gfn minus index differs from slot to slot and is huge-page
 * congruent in none: each slot is filled, then a hole is punched across each
 * border in the file, and exactly what was punched is zero.
 */
#define NR_PIECES	8
#define PIECE		(37 * PAGE_SIZE)

static u64 piece_gpa(unsigned int piece)
{
	static const unsigned int order[NR_PIECES] = { 5, 2, 7, 0, 6, 3, 1, 4 };

	return TEST_GPA + order[piece] * SZ_1M + piece * PAGE_SIZE;
}

static void test_shuffled_slots_on_one_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, NR_PIECES * PIECE);
	unsigned int i;

	vm_make_private(vm, TEST_GPA, NR_PIECES * SZ_1M);
	for (i = 0; i < NR_PIECES; i++) {
		vm_add_slot(vm, TEST_SLOT + i, piece_gpa(i), PIECE, fd, i * PIECE);
		MUST(guest_fill(vcpu, piece_gpa(i), PIECE, i));
	}
	for (i = 0; i < NR_PIECES; i++)
		MUST(guest_check(vcpu, piece_gpa(i), PIECE, i));

	for (i = 1; i < NR_PIECES; i++)
		MUST(gmem_punch(fd, i * PIECE - 2 * PAGE_SIZE, 3 * PAGE_SIZE));
	for (i = 0; i < NR_PIECES; i++) {
		u64 start = piece_gpa(i), end = start + PIECE;

		if (i > 0) {
			MUST(guest_check_zero(vcpu, start, PAGE_SIZE));
			start += PAGE_SIZE;
		}
		if (i < NR_PIECES - 1) {
			end -= 2 * PAGE_SIZE;
			MUST(guest_check_zero(vcpu, end, 2 * PAGE_SIZE));
		}
		MUST(guest_check(vcpu, start, end - start, i));
	}

	/* Every other slot goes: its neighbours in the file are untouched. */
	for (i = 0; i < NR_PIECES; i += 2)
		vm_delete_slot(vm, TEST_SLOT + i);
	MUST(gmem_punch(fd, 0, NR_PIECES * PIECE));
	for (i = 0; i < NR_PIECES; i++) {
		if (i % 2)
			MUST(guest_check_zero(vcpu, piece_gpa(i), PIECE));
		else
			CHECK_EQ(guest_check_zero(vcpu, piece_gpa(i), PIECE),
				 EXIT_MEMORY_FAULT);
	}
}

static void test_two_files_do_not_mix(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int a = vm_gmem(vm, FILE_SIZE), b = vm_gmem(vm, FILE_SIZE);
	u64 gpa_b = TEST_GPA + FILE_SIZE;

	vm_make_private(vm, TEST_GPA, 2 * FILE_SIZE);
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, a, 0);
	vm_add_slot(vm, TEST_SLOT + 1, gpa_b, FILE_SIZE, b, 0);
	MUST(guest_fill(vcpu, TEST_GPA, 2 * FILE_SIZE, 1));
	MUST(gmem_punch(a, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	MUST(guest_check(vcpu, gpa_b, FILE_SIZE, 1));
	close(a);
	CHECK_EQ(guest_check_zero(vcpu, TEST_GPA, PAGE_SIZE), EXIT_MEMORY_FAULT);
	MUST(gmem_punch(b, 0, FILE_SIZE));
}

/* Slots with a file can be deleted only: not moved, resized, given flags. */
static void test_bound_slot_is_immutable(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	void *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 3));

	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, 2 * SZ_1G,
				FILE_SIZE, hva, fd, 0), -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
				FILE_SIZE / 2, hva, fd, 0), -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA,
				FILE_SIZE, hva, fd, 0), -EINVAL);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 3));
}

/*
 * Dropping KVM_MEM_GUEST_MEMFD from a live slot is refused: kernels that let
 * it go freed the slot under its binding, and the next punch or close of the
 * file used it.
 */
static void test_dropping_the_flag(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = vm_gmem(vm, FILE_SIZE);
	void *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);

	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, 0, TEST_GPA, FILE_SIZE, hva, -1,
				0), -EINVAL);
	CHECK_EQ(vm_set_region(vm, TEST_SLOT, KVM_MEM_LOG_DIRTY_PAGES, TEST_GPA,
			       FILE_SIZE, hva), -EINVAL);
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	CHECK_OK(close(fd));
	vm_delete_slot(vm, TEST_SLOT);
}

static void test_delete_before_and_after_close(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	bool close_first;
	int fd, round;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	for (round = 0; round < 10; round++) {
		close_first = round % 2;
		fd = vm_gmem(vm, FILE_SIZE);
		MUST(bind(vm, fd, 0, FILE_SIZE));
		/* Each file is a new memory. */
		MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
		MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, round));
		if (close_first)
			CHECK_OK(close(fd));
		else
			vm_delete_slot(vm, TEST_SLOT);
		CHECK_EQ(guest_check(vcpu, TEST_GPA, FILE_SIZE, round),
			 EXIT_MEMORY_FAULT);
		if (close_first)
			vm_delete_slot(vm, TEST_SLOT);
		else
			CHECK_OK(close(fd));
	}
}

/* A file with a thousand bindings: each is found again. */
static void test_many_slots(void)
{
	enum { NR = 1000 };
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, NR * PAGE_SIZE);
	void *hva = vm_reserve(TEST_GPA, NR * PAGE_SIZE);
	u64 gpa;
	int i;

	/* Reversed in the guest, with a gap after each. */
	vm_make_private(vm, TEST_GPA, 2 * NR * PAGE_SIZE);
	for (i = 0; i < NR; i++) {
		gpa = TEST_GPA + 2 * (NR - 1 - i) * PAGE_SIZE;
		MUST(vm_set_region2(vm, TEST_SLOT + i, KVM_MEM_GUEST_MEMFD, gpa,
				    PAGE_SIZE, hva, fd, i * PAGE_SIZE));
		MUST(guest_write(vcpu, gpa, 8, i + 1));
	}
	MUST(gmem_punch(fd, NR / 2 * PAGE_SIZE, PAGE_SIZE));
	for (i = 0; i < NR; i++) {
		u64 value;

		gpa = TEST_GPA + 2 * (NR - 1 - i) * PAGE_SIZE;
		MUST(guest_read(vcpu, gpa, 8, &value));
		CHECK_EQ(value, i == NR / 2 ? 0 : i + 1);
	}
	for (i = 0; i < NR; i++)
		vm_delete_slot(vm, TEST_SLOT + i);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_not_a_descriptor),
	TAP_TEST(test_not_a_guest_memfd),
	TAP_TEST(test_file_of_another_vm),
	TAP_TEST(test_misaligned),
	TAP_TEST(test_past_the_end),
	TAP_TEST(test_overflowing),
	TAP_TEST(test_overlapping),
	TAP_TEST(test_flags),
	TAP_TEST(test_default_vm),
	TAP_TEST(test_refusals_leave_nothing),
	TAP_TEST(test_rebind_after_delete_keeps_content),
	TAP_TEST(test_rebind_at_another_offset),
	TAP_TEST(test_shuffled_slots_on_one_file),
	TAP_TEST(test_two_files_do_not_mix),
	TAP_TEST(test_bound_slot_is_immutable),
	TAP_TEST(test_dropping_the_flag),
	TAP_TEST(test_delete_before_and_after_close),
	TAP_TEST(test_many_slots),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
