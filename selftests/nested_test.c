// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's own guest: its faults are told with the outer guest's addresses and never
 * end in a loop, it never sees what user space has at a memslot's userspace_addr, and
 * what KVM itself needs for it (the VMCB) may be in a file.
 *
 * Tests: mmu/faults.cc.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "kernel.h"
#include "nested.h"
#include "poison.h"

#define OTHER_SLOT	2
/* Memory of such bytes must be seen by no guest. Any word of it has bits of this. */
#define SECRET_BYTE	0xa5
#define SECRET_WORD	0xa5a5a5a5a5a5a5a5UL

/* The page that the inner guest touches first: of a block that KVM fills at once. */
#define FIRST		3
#define PAGES		(SZ_2M / PAGE_SIZE)

/* The vCPU is the inner guest: its INNER_GPA is the outer guest's TEST_GPA. */
static struct vcpu *enter(struct nested *nested, struct vm *vm, u64 page_size)
{
	nested_init(nested, &vm->vcpus[0]);
	nested_map(nested, INNER_GPA, TEST_GPA, SZ_2M, page_size);
	MUST(nested_enter(nested, NESTED_VMCB));
	return nested->vcpu;
}

/* Memory that is full of SECRET_BYTE, for a memslot at TEST_GPA. */
static void *secret_memory(void)
{
	void *hva = vm_reserve(TEST_GPA, SZ_2M);

	memset(hva, SECRET_BYTE, SZ_2M);
	return hva;
}

/* The access to @at reaches no memory; the outer guest's address is @gpa. */
static void check_fault(struct vcpu *vcpu, u64 at, u64 gpa, int error)
{
	u64 value = 0;

	CHECK(guest_read(vcpu, at, 8, &value) == EXIT_MEMORY_FAULT,
	      "instead of a memory fault at %#lx: %s, value %#lx", gpa, vcpu_exit_text(vcpu),
	      value);
	CHECK_EQ(vcpu->error, error);
	CHECK_EQ(vcpu->gpa, gpa & ~(PAGE_SIZE - 1));
	CHECK_EQ(vcpu->size, PAGE_SIZE);
	CHECK_EQ(vcpu->flags, 0);
}

static void check_read(struct vcpu *vcpu, u64 at, u64 expected)
{
	u64 value;

	MUST(guest_read(vcpu, at, 8, &value));
	CHECK_EQ(value, expected);
}

/* ---- an inner guest has what the outer one has ------------------------------------- */

static void test_memory_of_a_file(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	int fd = gmem_add_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, SZ_2M);
	struct nested nested;
	struct vcpu *vcpu = enter(&nested, vm, SZ_2M);

	MUST(guest_fill(vcpu, INNER_GPA, SZ_2M, 1));
	for (u64 at = 0; at < SZ_2M; at += 8)
		CHECK_EQ(*(u64 *)(p + at), pattern_word(INNER_GPA + at, 1));
	mem_fill(p, INNER_GPA, SZ_2M, 2);
	MUST(guest_check(vcpu, INNER_GPA, SZ_2M, 2));
	MUST(gmem_punch(fd, 0, SZ_2M));
	MUST(guest_check_zero(vcpu, INNER_GPA, SZ_2M));
	nested_leave(&nested);
	CHECK_EQ(nested_exit_code(vm->agent + NESTED_VMCB), NESTED_VMMCALL);
	MUST(guest_check_zero(vcpu, TEST_GPA, SZ_2M));
}

/* ---- memory that cannot be had ----------------------------------------------------- */

enum loss { CLOSED, POISONED };

/*
 * The inner guest loses the page at @at, the outer guest's TEST_GPA + PAGE_SIZE, again
 * and again. With @healthy_there another file has memory where the inner address is.
 */
static void lose(enum loss loss, bool healthy_there, bool paging)
{
	const int error = loss == CLOSED ? EFAULT : EHWPOISON;
	const u64 gpa = TEST_GPA + PAGE_SIZE, at = (paging ? INNER_GPA : TEST_GPA) + PAGE_SIZE;
	struct nested nested;
	struct vcpu *vcpu;
	struct vm *vm;
	char *p;
	int fd;

	if (loss == POISONED)
		poison_require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	fd = gmem_add_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, SZ_2M);
	if (healthy_there)
		gmem_add_slot(vm, OTHER_SLOT, INNER_GPA, SZ_2M,
			      gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST), 0);
	vcpu = &vm->vcpus[0];
	nested_init(&nested, vcpu);
	nested_map(&nested, INNER_GPA, TEST_GPA, SZ_2M, SZ_2M);
	nested_fill_vmcb(&nested, vm->agent + NESTED_VMCB, paging);
	MUST(nested_enter(&nested, NESTED_VMCB));

	*(u64 *)(p + PAGE_SIZE) = 77;
	check_read(vcpu, at, 77);
	if (loss == POISONED) {
		poison_page(fd, 1);
	} else {
		munmap(p, SZ_2M);
		close(fd);
	}
	check_fault(vcpu, at + 8, gpa, error);
	/* The same access, as a VMM that does not know what to do repeats it. */
	CHECK_EQ(vcpu_run(vcpu), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->gpa, gpa);
	CHECK_EQ(guest_write(vcpu, at, 8, 1), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->gpa, gpa);
	CHECK_EQ(vcpu->error, error);
	/* The outer guest is told the same. */
	if (paging && loss == POISONED) {
		check_read(vcpu, INNER_GPA + 2 * PAGE_SIZE, 0);
		MUST(gmem_punch(fd, PAGE_SIZE, PAGE_SIZE));
		check_read(vcpu, at, 0);
	}
	nested_leave(&nested);
	if (loss == CLOSED)
		check_fault(vcpu, gpa, gpa, error);
}

static void test_closed(void)
{
	lose(CLOSED, false, true);
}

static void test_closed_and_healthy_memory_there(void)
{
	lose(CLOSED, true, true);
}

static void test_poisoned(void)
{
	lose(POISONED, false, true);
}

static void test_poisoned_and_healthy_memory_there(void)
{
	lose(POISONED, true, true);
}

static void test_closed_without_nested_paging(void)
{
	lose(CLOSED, false, false);
}

static void test_poisoned_without_nested_paging(void)
{
	lose(POISONED, false, false);
}

/* ---- what user space has at the same place ----------------------------------------- */

/*
 * A memslot on a mappable file: all of it is the file's, zero, with whatever entries
 * the outer guest shows it. Not a block of the file's, or it would be one mapping.
 */
static void file_alone(unsigned long type, u64 page_size)
{
	struct vm *vm = vm_create(type, 1);
	int fd = gmem_mappable(vm, 2 * SZ_2M, SHARED_AT_FIRST);
	struct nested nested;
	struct vcpu *vcpu;

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, secret_memory(),
			    fd, PAGE_SIZE));
	vcpu = enter(&nested, vm, page_size);
	check_read(vcpu, INNER_GPA + FIRST * PAGE_SIZE, 0);
	MUST(guest_check_zero(vcpu, INNER_GPA, SZ_2M));
	/* And where all was written first. */
	MUST(guest_fill(vcpu, INNER_GPA, SZ_2M, 1));
	MUST(gmem_punch(fd, PAGE_SIZE, SZ_2M));
	MUST(guest_write(vcpu, INNER_GPA + FIRST * PAGE_SIZE, 8, 1));
	check_read(vcpu, INNER_GPA + FIRST * PAGE_SIZE, 1);
	check_read(vcpu, INNER_GPA + (FIRST + 1) * PAGE_SIZE, 0);
	MUST(guest_write(vcpu, INNER_GPA + FIRST * PAGE_SIZE, 8, 0));
	MUST(guest_check_zero(vcpu, INNER_GPA, SZ_2M));
}

static void test_a_files_neighbours_by_4k(void)
{
	file_alone(KVM_X86_DEFAULT_VM, PAGE_SIZE);
}

static void test_a_files_neighbours_by_2m(void)
{
	file_alone(KVM_X86_DEFAULT_VM, SZ_2M);
}

static void test_a_converting_files_neighbours_by_4k(void)
{
	file_alone(KVM_X86_SW_PROTECTED_VM, PAGE_SIZE);
}

static void test_a_converting_files_neighbours_by_2m(void)
{
	file_alone(KVM_X86_SW_PROTECTED_VM, SZ_2M);
}

/*
 * Private gfns with one shared gfn among them, which holds @shared_word. An inner guest's
 * accesses are shared ones: it cannot reach the private gfns.
 */
static void check_private_neighbours(struct vm *vm, u64 page_size, u64 shared_word)
{
	struct nested nested;
	struct vcpu *vcpu = enter(&nested, vm, page_size);

	for (int round = 0; round < 2; round++) {
		check_read(vcpu, INNER_GPA + FIRST * PAGE_SIZE, shared_word);
		for (u64 i = 0; i < PAGES; i += i < 16 ? 1 : 61) {
			if (i != FIRST)
				check_fault(vcpu, INNER_GPA + i * PAGE_SIZE + 8,
					    TEST_GPA + i * PAGE_SIZE, EFAULT);
		}
	}
}

static void private_neighbours(u64 page_size)
{
	struct vm *vm = vm_create_private(1);

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, secret_memory(),
			    vm_gmem(vm, SZ_2M), 0));
	vm_make_private(vm, TEST_GPA, SZ_2M);
	vm_make_shared(vm, TEST_GPA + FIRST * PAGE_SIZE, PAGE_SIZE);
	check_private_neighbours(vm, page_size, SECRET_WORD);
}

static void test_private_neighbours_by_4k(void)
{
	private_neighbours(PAGE_SIZE);
}

static void test_private_neighbours_by_2m(void)
{
	private_neighbours(SZ_2M);
}

static void test_converted_neighbours(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_mappable(vm, SZ_2M, PRIVATE_AT_FIRST);

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, secret_memory(),
			    fd, 0));
	gmem_make_shared(fd, FIRST * PAGE_SIZE, PAGE_SIZE);
	check_private_neighbours(vm, PAGE_SIZE, 0);
}

/* The inner guest's physical addresses are the outer guest's, private ones, too. */
static void test_private_memory_without_nested_paging(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	struct nested nested;

	vm_add_private(vm, SZ_2M);
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	nested_init(&nested, vcpu);
	nested_fill_vmcb(&nested, vm->agent + NESTED_VMCB, false);
	MUST(nested_enter(&nested, NESTED_VMCB));
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 2));
	nested_leave(&nested);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 2));
}

/* ---- the VMCB ---------------------------------------------------------------------- */

/*
 * VMRUN with a VMCB that the outer guest does not have: an exception, and no IDT; KVM of
 * 7.x gives up in place of the exception.
 */
static void check_no_vmcb(struct nested *nested, u64 gpa)
{
	const u32 expected = kernel_has_shared_slots() ? KVM_EXIT_INTERNAL_ERROR :
							 KVM_EXIT_SHUTDOWN;

	CHECK(nested_enter(nested, gpa) == EXIT_OTHER &&
	      nested->vcpu->run->exit_reason == expected,
	      "instead of exit reason %u: %s", expected, vcpu_exit_text(nested->vcpu));
}

/*
 * @user is the memslot's userspace_addr. KVM that makes such memslots itself looks for a
 * VMCB there. It finds the file's VMCB only if the file is mapped there.
 */
static void vmcb_in_a_file(void *user)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	int fd = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, SZ_2M);
	struct nested nested;

	if (kernel_has_shared_slots())
		user = p;
	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, user, fd, 0));
	nested_init(&nested, &vm->vcpus[0]);
	nested_map(&nested, INNER_GPA, TEST_GPA, SZ_2M, PAGE_SIZE);
	for (u64 at = 0; at < 4 * PAGE_SIZE; at += PAGE_SIZE) {
		nested_fill_vmcb(&nested, p + at, true);
		MUST(nested_enter(&nested, TEST_GPA + at));
		MUST(guest_write(nested.vcpu, INNER_GPA + SZ_1M, 8, at));
		nested_leave(&nested);
		CHECK_EQ(nested_exit_code(p + at), NESTED_VMMCALL);
		CHECK_EQ(*(u64 *)(p + SZ_1M), at);
	}
	munmap(p, SZ_2M);
	close(fd);
	check_no_vmcb(&nested, TEST_GPA);
}

/* Such KVM goes by userspace_addr, and the guest sees the file. */
static void vmcb_in_user_memory(void *user)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	int fd = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, SZ_2M);
	struct nested nested;

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, user, fd, 0));
	nested_init(&nested, &vm->vcpus[0]);
	nested_fill_vmcb(&nested, user, true);
	MUST(nested_enter(&nested, TEST_GPA));
	nested_leave(&nested);
	CHECK_EQ(nested_exit_code(user), NESTED_VMMCALL);
	for (u64 at = 0; at < PAGE_SIZE; at += 8)
		CHECK_EQ(*(u64 *)(p + at), 0);
}

static void test_vmcb_in_a_file(void)
{
	vmcb_in_a_file(NULL);
}

static void test_vmcb_in_a_file_and_other_user_memory(void)
{
	void *user = secret_memory();

	if (kernel_has_shared_slots()) {
		vmcb_in_user_memory(user);
		return;
	}
	vmcb_in_a_file(user);
	for (u64 at = 0; at < SZ_2M; at += 8)
		CHECK_EQ(*(u64 *)(user + at), SECRET_WORD);
}

/* User space has a valid VMCB at a private gfn. KVM must not use it. */
static void test_vmcb_in_private_memory(void)
{
	struct vm *vm = vm_create_private(1);
	void *user = secret_memory();
	char before[PAGE_SIZE];
	struct nested nested;

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, user,
			    vm_gmem(vm, SZ_2M), 0));
	nested_init(&nested, &vm->vcpus[0]);
	nested_fill_vmcb(&nested, user, true);
	MUST(nested_enter(&nested, TEST_GPA));
	nested_leave(&nested);
	CHECK_EQ(nested_exit_code(user), NESTED_VMMCALL);

	nested_fill_vmcb(&nested, user, true);
	memcpy(before, user, PAGE_SIZE);
	vm_make_private(vm, TEST_GPA, SZ_2M);
	check_no_vmcb(&nested, TEST_GPA);
	CHECK(!memcmp(before, user, PAGE_SIZE), "user memory was written");
}

/* KVM has it only while it enters and leaves, and not where it is private. */
static void test_vmcb_is_converted(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, SZ_2M);
	char before[PAGE_SIZE];
	struct nested nested;

	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M,
			    kernel_has_shared_slots() ? p : NULL, fd, 0));
	nested_init(&nested, &vm->vcpus[0]);
	nested_fill_vmcb(&nested, p, true);
	MUST(nested_enter(&nested, TEST_GPA));
	/* There and back while the inner guest runs. */
	gmem_make_private(fd, 0, PAGE_SIZE);
	gmem_make_shared(fd, 0, PAGE_SIZE);
	nested_leave(&nested);
	CHECK_EQ(nested_exit_code(p), NESTED_VMMCALL);

	nested_fill_vmcb(&nested, p, true);
	memcpy(before, p, PAGE_SIZE);
	gmem_make_private(fd, 0, PAGE_SIZE);
	check_no_vmcb(&nested, TEST_GPA);
	gmem_make_shared(fd, 0, PAGE_SIZE);
	CHECK(!memcmp(before, p, PAGE_SIZE), "a private page was written");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_memory_of_a_file),
	TAP_TEST(test_closed),
	TAP_TEST(test_closed_and_healthy_memory_there),
	TAP_TEST(test_poisoned),
	TAP_TEST(test_poisoned_and_healthy_memory_there),
	TAP_TEST(test_closed_without_nested_paging),
	TAP_TEST(test_poisoned_without_nested_paging),
	TAP_TEST(test_a_files_neighbours_by_4k),
	TAP_TEST(test_a_files_neighbours_by_2m),
	TAP_TEST(test_a_converting_files_neighbours_by_4k),
	TAP_TEST(test_a_converting_files_neighbours_by_2m),
	TAP_TEST(test_private_neighbours_by_4k),
	TAP_TEST(test_private_neighbours_by_2m),
	TAP_TEST(test_converted_neighbours),
	TAP_TEST(test_private_memory_without_nested_paging),
	TAP_TEST(test_vmcb_in_a_file),
	TAP_TEST(test_vmcb_in_a_file_and_other_user_memory),
	TAP_TEST(test_vmcb_in_private_memory),
	TAP_TEST(test_vmcb_is_converted),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
