// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion and memslots: the state is the file's, KVM's attributes are those of all
 * gfns that show the page, whether it was converted through the file or through the
 * VM, with or without a slot at the time.
 *
 * Tests: mmu/attributes.cc, kapi/attributes.c.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(4 * SZ_2M)
#define FILE_PAGES	(FILE_SIZE / PAGE_SIZE)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

static void set_states(bool *private, u64 page, u64 count, bool to)
{
	memset(private + page, to, count);
}

/* Each page of the file is seen through its mapping, or not. */
static void check_states(const char *p, const bool *private, u64 npages)
{
	u64 value;

	for (u64 i = 0; i < npages; i++) {
		const char *page = p + i * PAGE_SIZE;

		CHECK(private[i] ? mem_is_hidden(page) : !mem_read(page, &value),
		      "page %lu should be %s", i, private[i] ? "private" : "shared");
	}
}

/* Two slots show parts of a file, at other alignments, and some parts have none. */
static void test_two_slots_of_a_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	u64 first = 100, count = 900, second = 1100, gpa = TEST_GPA + SZ_1G + 3 * PAGE_SIZE;
	bool private[FILE_PAGES];

	set_states(private, 0, FILE_PAGES, true);
	/* The higher part of the file lies lower. */
	gmem_add_slot(vm, TEST_SLOT, gpa, count * PAGE_SIZE, fd, first * PAGE_SIZE);
	gmem_add_slot(vm, TEST_SLOT + 1, TEST_GPA, count * PAGE_SIZE, fd, second * PAGE_SIZE);
	MUST(guest_fill(vcpu, gpa, count * PAGE_SIZE, 1));
	MUST(guest_fill(vcpu, TEST_GPA, count * PAGE_SIZE, 2));

	/* From before the first to the middle of the second. */
	gmem_make_shared(fd, 50 * PAGE_SIZE, 1400 * PAGE_SIZE);
	set_states(private, 50, 1400, false);
	check_states(p, private, FILE_PAGES);
	CHECK(mem_holds(p + first * PAGE_SIZE, gpa, count * PAGE_SIZE, 1), "the first");
	CHECK(mem_holds(p + second * PAGE_SIZE, TEST_GPA, 350 * PAGE_SIZE, 2), "the second");
	MUST(guest_check(vcpu, gpa, count * PAGE_SIZE, 1));
	MUST(guest_check(vcpu, TEST_GPA, count * PAGE_SIZE, 2));
	gmem_make_private(fd, 700 * PAGE_SIZE, 500 * PAGE_SIZE);
	set_states(private, 700, 500, true);
	check_states(p, private, FILE_PAGES);
	MUST(guest_fill(vcpu, gpa, count * PAGE_SIZE, 3));
	MUST(guest_fill(vcpu, TEST_GPA, count * PAGE_SIZE, 4));
	MUST(guest_check(vcpu, gpa, count * PAGE_SIZE, 3));
	CHECK(mem_holds(p + first * PAGE_SIZE, gpa, 600 * PAGE_SIZE, 3), "the shared part");
	gmem_check_attributes(vcpu, TEST_SLOT, gpa, private + first, count, 7);
	gmem_check_attributes(vcpu, TEST_SLOT + 1, TEST_GPA, private + second, count, 7);
}

/* Converted without a slot; the slot comes, goes and comes elsewhere. */
static void test_binding_brings_the_state(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	u64 elsewhere = TEST_GPA + SZ_1G + PAGE_SIZE;
	bool private[FILE_PAGES] = { false };

	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	gmem_make_private(fd, 10 * PAGE_SIZE, 600 * PAGE_SIZE);
	set_states(private, 10, 600, true);
	check_states(p, private, FILE_PAGES);

	/* The former state of the gfns does not matter. */
	vm_make_private(vm, TEST_GPA + SZ_2M, 2 * SZ_2M);
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	check_states(p, private, FILE_PAGES);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
	gmem_check_attributes(vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 5);

	/* Nothing of the file changes while it has no slot there. */
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	check_states(p, private, FILE_PAGES);
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	check_states(p, private, FILE_PAGES);
	gmem_check_attributes(vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 5);

	gmem_add_slot(vm, TEST_SLOT, elsewhere, FILE_SIZE - SZ_2M, fd, SZ_2M);
	CHECK(mem_holds(p + 2 * SZ_2M, TEST_GPA + 2 * SZ_2M, SZ_2M, 1), "content");
	MUST(guest_fill(vcpu, elsewhere, FILE_SIZE - SZ_2M, 2));
	CHECK(mem_holds(p + 2 * SZ_2M, elsewhere + SZ_2M, SZ_2M, 2), "the guest writes there");
	gmem_check_attributes(vcpu, TEST_SLOT, elsewhere, private + SZ_2M / PAGE_SIZE,
			      FILE_PAGES - SZ_2M / PAGE_SIZE, 5);
}

/* KVM_SET_MEMORY_ATTRIBUTES of the VM converts what the slots show. */
static void test_vm_ioctl(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	u64 offset = 20 * PAGE_SIZE, size = FILE_SIZE - SZ_2M;
	bool private[FILE_PAGES];

	set_states(private, 0, FILE_PAGES, true);
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, size, fd, offset);
	MUST(guest_fill(vcpu, TEST_GPA, size, 1));
	vm_make_shared(vm, TEST_GPA + 5 * PAGE_SIZE, 700 * PAGE_SIZE);
	set_states(private, 25, 700, false);
	check_states(p, private, FILE_PAGES);
	CHECK(mem_holds(p + offset + 5 * PAGE_SIZE, TEST_GPA + 5 * PAGE_SIZE,
			700 * PAGE_SIZE, 1), "content");
	MUST(guest_fill(vcpu, TEST_GPA, size, 2));
	vm_make_private(vm, TEST_GPA + 100 * PAGE_SIZE, PAGE_SIZE);
	set_states(private, 120, 1, true);
	check_states(p, private, FILE_PAGES);
	MUST(guest_check(vcpu, TEST_GPA, size, 2));
	/* More than the slot. */
	vm_make_private(vm, TEST_GPA - SZ_2M, FILE_SIZE + 2 * SZ_2M);
	set_states(private, 0, FILE_PAGES, true);
	check_states(p, private, FILE_PAGES);
	vm_make_shared(vm, TEST_GPA - SZ_2M, FILE_SIZE + 2 * SZ_2M);
	set_states(private, 20, size / PAGE_SIZE, false);
	check_states(p, private, FILE_PAGES);
	gmem_check_attributes(vcpu, TEST_SLOT, TEST_GPA, private + 20, size / PAGE_SIZE, 5);
}

/* One call over slots of all kinds, and places without any. */
static void test_vm_ioctl_over_slots_of_all_kinds(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int a = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	int b = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	int old = vm_gmem(vm, SZ_2M);
	char *pa = gmem_map(a, 0, SZ_2M), *pb = gmem_map(b, 0, SZ_2M), *plain, *beside;
	u64 gpas[] = { TEST_GPA, TEST_GPA + SZ_2M, TEST_GPA + 3 * SZ_2M, TEST_GPA + 4 * SZ_2M };
	u64 value;

	gmem_add_slot(vm, TEST_SLOT, gpas[0], SZ_2M, a, 0);
	plain = vm_add_slot(vm, TEST_SLOT + 1, gpas[1], SZ_2M, -1, 0);
	beside = vm_add_slot(vm, TEST_SLOT + 2, gpas[2], SZ_2M, old, 0);
	gmem_add_slot(vm, TEST_SLOT + 3, gpas[3], SZ_2M, b, 0);
	for (int i = 0; i < 4; i++)
		MUST(guest_fill(vcpu, gpas[i], SZ_2M, i + 1));
	CHECK(mem_holds(plain, gpas[1], SZ_2M, 2) && mem_holds(beside, gpas[2], SZ_2M, 3),
	      "user memory of ordinary slots");

	/* All but the first page and the last. */
	vm_make_private(vm, gpas[0] + PAGE_SIZE, 5 * SZ_2M - 2 * PAGE_SIZE);
	CHECK(mem_holds(pa, gpas[0], PAGE_SIZE, 1), "the first page");
	CHECK(mem_is_hidden(pa + PAGE_SIZE) && mem_is_hidden(pa + SZ_2M - 8), "the first file");
	CHECK(mem_is_hidden(pb) && mem_is_hidden(pb + SZ_2M - PAGE_SIZE - 8), "the second file");
	CHECK(mem_holds(pb + SZ_2M - PAGE_SIZE, gpas[3] + SZ_2M - PAGE_SIZE, PAGE_SIZE, 4),
	      "the last page");
	MUST(guest_check(vcpu, gpas[0], SZ_2M, 1));
	CHECK_EQ(guest_read(vcpu, gpas[1], 8, &value), EXIT_MEMORY_FAULT);
	/* Two memories, as ever. */
	MUST(guest_check_zero(vcpu, gpas[2], SZ_2M));
	MUST(guest_check(vcpu, gpas[3], SZ_2M, 4));

	vm_make_shared(vm, gpas[0], 5 * SZ_2M);
	for (int i = 0; i < 4; i++)
		MUST(guest_check(vcpu, gpas[i], SZ_2M, i + 1));
}

static void test_vm_ioctl_refusals(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);
	static const struct {
		u64 gpa, size, attributes;
	} bad[] = {
		{ TEST_GPA, 0, PRIVATE }, { TEST_GPA, 1, PRIVATE },
		{ TEST_GPA + 1, PAGE_SIZE, PRIVATE }, { TEST_GPA, PAGE_SIZE + 1, PRIVATE },
		{ TEST_GPA, -PAGE_SIZE, PRIVATE },
		{ TEST_GPA, PAGE_SIZE, PRIVATE | 1 }, { TEST_GPA, PAGE_SIZE, 1UL << 63 },
	};

	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(vm_set_attributes(vm, bad[i].gpa, bad[i].size, bad[i].attributes),
			 -EINVAL);
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "nothing has changed");
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
}

/* A slot whose file is gone shows nothing; its gfns can be converted all the same. */
static void test_closed_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	close(fd);
	CHECK(guest_check_zero(vcpu, TEST_GPA, 8) != EXIT_DONE, "the file is gone");
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(guest_check_zero(vcpu, TEST_GPA, 8), EXIT_MEMORY_FAULT);
	vm_make_shared(vm, TEST_GPA, SZ_2M);
	vm_delete_slot(vm, TEST_SLOT);
	gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
}

/* Shared accesses go to the file, and only KVM's own to userspace_addr. */
static void test_userspace_addr(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	u64 *file = gmem_map(fd, 0, FILE_SIZE), *other, mmio = TEST_GPA + SZ_1G;

	other = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	MUST(guest_write(vcpu, TEST_GPA, 8, 3));
	CHECK_EQ(*file, 3);
	CHECK_EQ(*other, 0);
	CHECK_EQ(guest_copy(vcpu, TEST_GPA, mmio, 8, 8), EXIT_MMIO);
	vcpu_mmio_answer(vcpu, 4);
	MUST(vcpu_run(vcpu));
	CHECK_EQ(*other, 4);
	CHECK_EQ(*file, 3);
}

/* A big file without pages costs neither time nor memory. */
static void test_big_and_empty(void)
{
	struct vm *vm = vm_create_private(0);
	u64 size = 16 * SZ_1G;
	int fd = gmem_mappable(vm, size, SHARED_AT_FIRST);
	char *p = gmem_map(fd, size - SZ_2M, SZ_2M);

	for (int i = 0; i < 3; i++) {
		gmem_make_private(fd, PAGE_SIZE, size - PAGE_SIZE);
		CHECK(mem_is_hidden(p), "private");
		gmem_make_shared(fd, 0, size);
		CHECK(mem_is_zero(p, PAGE_SIZE), "shared");
		MUST(gmem_punch(fd, size - SZ_2M, SZ_2M));
	}
}

static const struct tap_test tests[] = {
	TAP_TEST(test_two_slots_of_a_file),
	TAP_TEST(test_binding_brings_the_state),
	TAP_TEST(test_vm_ioctl),
	TAP_TEST(test_vm_ioctl_over_slots_of_all_kinds),
	TAP_TEST(test_vm_ioctl_refusals),
	TAP_TEST(test_closed_file),
	TAP_TEST(test_userspace_addr),
	TAP_TEST(test_big_and_empty),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
