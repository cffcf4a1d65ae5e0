// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest faults: which memory a private and a shared access reach, which
 * accesses exit to user space and how, pre-faulting, and conversion.
 *
 * Tests: mmu/faults.cc, mmu/memslot.cc.
 */
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "stats.h"

#define FILE_SIZE	(2 * SZ_2M)

/* Require the exit of a private access to the page at @gpa, with @error. */
static void check_private_fault(const struct vcpu *vcpu, enum vm_exit exit,
				u64 gpa, int error)
{
	CHECK(exit == EXIT_MEMORY_FAULT, "instead of a memory fault: %s",
	      vcpu_exit_text(vcpu));
	CHECK_EQ(vcpu->error, error);
	CHECK_EQ(vcpu->gpa, gpa);
	CHECK_EQ(vcpu->size, PAGE_SIZE);
	CHECK_EQ(vcpu->flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
}

static void test_private_memory(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 size = 32 * SZ_1M;

	vm_add_private(vm, size);
	MUST(guest_check_zero(vcpu, TEST_GPA, size));
	MUST(guest_fill(vcpu, TEST_GPA, size, 1));
	MUST(guest_check(vcpu, TEST_GPA, size, 1));
}

/* A private access never reaches the slot's user mapping, nor a shared access the file. */
static void test_private_and_shared_are_apart(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	u64 *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	u64 value;

	*hva = 0x5a5a;
	vm_make_private(vm, TEST_GPA, SZ_2M);
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
	CHECK_EQ(value, 0);
	MUST(guest_write(vcpu, TEST_GPA, 8, 0x1234));
	CHECK_EQ(*hva, 0x5a5a);

	/* The other half is shared. */
	MUST(guest_fill(vcpu, TEST_GPA + SZ_2M, SZ_2M, 2));
	CHECK_EQ(hva[SZ_2M / 8], pattern_word(TEST_GPA + SZ_2M, 2));
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	MUST(guest_check(vcpu, TEST_GPA + SZ_2M, SZ_2M, 2));
}

static void test_every_width_and_alignment(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	static const u64 values[] = { [1] = 0xa5, [2] = 0xb6a5,
		[4] = 0xd8c7b6a5, [8] = 0x1100f9e8d8c7b6a5 };
	u64 border = TEST_GPA + PAGE_SIZE, gpa, value;
	u32 width;

	vm_add_private(vm, FILE_SIZE);
	for (width = 1; width <= 8; width <<= 1) {
		/* Across the border of two pages, too. */
		for (gpa = border - 16; gpa < border + 8; gpa++) {
			MUST(guest_write(vcpu, gpa, width, values[width]));
			MUST(guest_read(vcpu, gpa, width, &value));
			CHECK_EQ(value, values[width]);
			MUST(guest_fetch_add(vcpu, gpa, width, 1, &value));
			CHECK_EQ(value, values[width]);
			MUST(guest_read(vcpu, gpa, width, &value));
			CHECK_EQ(value, values[width] + 1);
		}
	}
}

/* String and vector moves between a private page and a shared one. */
static void test_string_operations(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	char *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	u64 shared = TEST_GPA + SZ_2M;
	char out[1024], in[1024];
	unsigned int i;
	u32 width;

	vm_make_private(vm, TEST_GPA, SZ_2M);
	for (i = 0; i < sizeof(out); i++)
		out[i] = i * 7 + i / 256;
	for (width = 1; width <= COPY_VECTOR; width <<= 1) {
		u64 gpa = shared - sizeof(out) / 2;

		/* Half into private, half into shared memory, and back. */
		memset(in, 0, sizeof(in));
		MUST(guest_store_bytes(vcpu, gpa, out, sizeof(out), width));
		CHECK(!memcmp(hva + SZ_2M, out + sizeof(out) / 2,
			      sizeof(out) / 2), "width %u: shared half", width);
		MUST(guest_load_bytes(vcpu, gpa, in, sizeof(in), width));
		CHECK(!memcmp(in, out, sizeof(in)), "width %u: content", width);
		MUST(guest_copy(vcpu, TEST_GPA, gpa, sizeof(in), width));
		MUST(guest_load_bytes(vcpu, TEST_GPA, in, sizeof(in), width));
		CHECK(!memcmp(in, out, sizeof(in)), "width %u: copied", width);
		MUST(gmem_punch(fd, 0, FILE_SIZE));
	}
}

static void test_execution_from_private_memory(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	unsigned char code[sizeof(guest_code_3x_plus_7)];
	int fd = vm_add_private(vm, FILE_SIZE);
	/* The code lies across two pages. */
	u64 gpa = TEST_GPA + PAGE_SIZE - 4;
	u64 result;
	int round;

	memcpy(code, guest_code_3x_plus_7, sizeof(code));
	for (round = 0; round < 10; round++) {
		/* The displacement: 7 becomes another addend. */
		code[4] = round;
		MUST(guest_store_bytes(vcpu, gpa, code, sizeof(code), 1));
		MUST(guest_call(vcpu, gpa, 1000, &result));
		CHECK_EQ(result, 3000 + round);
		/* Odd rounds overwrite, even ones write to new memory. */
		if (round % 2)
			MUST(gmem_punch(fd, 0, FILE_SIZE));
	}
}

static void test_private_without_a_slot(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 value;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	check_private_fault(vcpu, guest_read(vcpu, TEST_GPA + 0x1238, 8, &value),
			    TEST_GPA + 0x1000, EFAULT);
	check_private_fault(vcpu, guest_write(vcpu, TEST_GPA + 0x3fff, 1, 1),
			    TEST_GPA + 0x3000, EFAULT);
}

static void test_private_in_a_slot_without_a_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 value;

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, -1, 0);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	vm_make_private(vm, TEST_GPA + SZ_2M, PAGE_SIZE);
	check_private_fault(vcpu, guest_read(vcpu, TEST_GPA + SZ_2M, 8, &value),
			    TEST_GPA + SZ_2M, EFAULT);
	/* Its neighbours are as they were. */
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check(vcpu, TEST_GPA + SZ_2M + PAGE_SIZE, SZ_2M - PAGE_SIZE, 1));
	/* Converted to what it is, the same access succeeds. */
	check_private_fault(vcpu, guest_read(vcpu, TEST_GPA + SZ_2M, 8, &value),
			    TEST_GPA + SZ_2M, EFAULT);
	vm_make_shared(vm, TEST_GPA + SZ_2M, PAGE_SIZE);
	CHECK_EQ(vcpu_run(vcpu), EXIT_DONE);
	CHECK_EQ(vcpu->mailbox->result, pattern_word(TEST_GPA + SZ_2M, 1));
}

static void test_execution_without_memory(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 result;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	check_private_fault(vcpu, guest_call(vcpu, TEST_GPA + 0x2010, 1, &result),
			    TEST_GPA + 0x2000, EFAULT);
}

static void test_closed_file(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	u64 gpa;

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	close(fd);
	for (gpa = TEST_GPA; gpa < TEST_GPA + FILE_SIZE; gpa += SZ_1M)
		check_private_fault(vcpu, guest_write(vcpu, gpa, 8, 1), gpa,
				    EFAULT);
}

static void test_shared_without_a_slot_is_mmio(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 gpa = TEST_GPA + 0x2340, value;

	CHECK_EQ(guest_read(vcpu, gpa, 4, &value), EXIT_MMIO);
	CHECK_EQ(vcpu->gpa, gpa);
	CHECK_EQ(vcpu->size, 4);
	CHECK(!vcpu->is_write, "a read");
	vcpu_mmio_answer(vcpu, 0xcafebabe);
	CHECK_EQ(vcpu_run(vcpu), EXIT_DONE);
	CHECK_EQ(vcpu->mailbox->result, 0xcafebabe);

	CHECK_EQ(guest_write(vcpu, gpa, 2, 0xbeef), EXIT_MMIO);
	CHECK(vcpu->is_write, "a write");
	CHECK_EQ(vcpu->data, 0xbeef);
	CHECK_EQ(vcpu_run(vcpu), EXIT_DONE);
}

/*
 * A gfn that was MMIO when it was shared becomes private memory. 6.12 remembers the
 * MMIO in its page tables and takes every later access for a shared one, so
 * that the exit never ends.
 */
static void test_private_after_mmio(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 value;

	CHECK_EQ(guest_read(vcpu, TEST_GPA, 8, &value), EXIT_MMIO);
	CHECK_EQ(guest_read(vcpu, TEST_GPA + PAGE_SIZE, 8, &value), EXIT_MMIO);

	vm_make_private(vm, TEST_GPA + PAGE_SIZE, PAGE_SIZE);
	check_private_fault(vcpu, guest_read(vcpu, TEST_GPA + PAGE_SIZE, 8,
					     &value),
			    TEST_GPA + PAGE_SIZE, EFAULT);
	vm_add_private(vm, FILE_SIZE);
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
}

/* A shared page without host memory is plain EFAULT, with no exit to go by. */
static void test_unmapped_shared_side(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	void *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	u64 value;

	vm_unreserve(hva, FILE_SIZE);
	/* Private memory needs no user mapping at all. */
	vm_make_private(vm, TEST_GPA, SZ_2M);
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	CHECK_EQ(guest_read(vcpu, TEST_GPA + SZ_2M, 8, &value),
		 EXIT_OTHER);
	CHECK_EQ(vcpu->error, EFAULT);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_UNKNOWN);
}

static void test_pre_fault(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 gpa = TEST_GPA, size = SZ_2M, faults;

	vm_add_private(vm, FILE_SIZE);
	/* The agent's own pages first, so that only the range counts. */
	MUST(guest_write(vcpu, TEST_GPA + SZ_2M, 8, 1));

	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(gpa, TEST_GPA + SZ_2M);
	CHECK_EQ(size, 0);
	faults = kvm_stat(vcpu->fd, "pf_fixed");
	MUST(guest_check_zero(vcpu, TEST_GPA, SZ_2M));
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_fixed"), faults);

	/* Pages that are there already keep their content. */
	gpa = TEST_GPA;
	size = FILE_SIZE;
	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(size, 0);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
}

static void test_pre_fault_refusals(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	static const struct {
		u64 gpa, size;
	} refused[] = {
		{ TEST_GPA, 0 }, { TEST_GPA, 1 }, { TEST_GPA + 1, PAGE_SIZE },
		{ TEST_GPA, PAGE_SIZE + 1 }, { -PAGE_SIZE, 2 * PAGE_SIZE },
	};
	u64 gpa, size;
	unsigned int i;
	int fd;

	fd = vm_add_private(vm, FILE_SIZE);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		gpa = refused[i].gpa;
		size = refused[i].size;
		CHECK_EQ(vcpu_pre_fault(vcpu, &gpa, &size), -EINVAL);
	}
	/* The part inside the slot is done, and the rest is handed back. */
	vm_make_private(vm, TEST_GPA, 2 * FILE_SIZE);
	gpa = TEST_GPA + FILE_SIZE - SZ_1M;
	size = SZ_2M;
	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(gpa, TEST_GPA + FILE_SIZE);
	CHECK_EQ(size, SZ_1M);
	CHECK_EQ(vcpu_pre_fault(vcpu, &gpa, &size), -EFAULT);
	close(fd);
	gpa = TEST_GPA;
	size = SZ_1M;
	CHECK_EQ(vcpu_pre_fault(vcpu, &gpa, &size), -EFAULT);
	CHECK_EQ(size, SZ_1M);
}

/* A conversion frees nothing: the file keeps its content until it is punched. */
static void test_conversion_there_and_back(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	char *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	u64 part = TEST_GPA + SZ_2M - 3 * PAGE_SIZE, len = 7 * PAGE_SIZE;

	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));

	vm_make_shared(vm, part, len);
	MUST(guest_check_zero(vcpu, part, len));
	MUST(guest_fill(vcpu, part, len, 2));
	CHECK_EQ(*(u64 *)(hva + (part - TEST_GPA)), pattern_word(part, 2));

	vm_make_private(vm, part, len);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));

	vm_make_shared(vm, part, len);
	MUST(guest_check(vcpu, part, len, 2));
	MUST(gmem_punch(fd, part - TEST_GPA, len));
	vm_make_private(vm, part, len);
	MUST(guest_check_zero(vcpu, part, len));
	MUST(guest_check(vcpu, TEST_GPA, part - TEST_GPA, 1));
	MUST(guest_check(vcpu, part + len, TEST_GPA + FILE_SIZE - part - len, 1));
}

static void test_conversion_by_hypercall(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_gmem(vm, FILE_SIZE);
	u64 result;
	bool private;
	int i;

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_enable_map_gpa_exit(vm);
	for (i = 0; i < 6; i++) {
		private = !(i % 2);
		CHECK_EQ(guest_map_gpa(vcpu, TEST_GPA, FILE_SIZE / PAGE_SIZE,
				       private ? KVM_MAP_GPA_RANGE_ENCRYPTED : 0,
				       &result), EXIT_HYPERCALL);
		CHECK_EQ(vcpu->run->hypercall.nr, KVM_HC_MAP_GPA_RANGE);
		CHECK_EQ(vcpu->run->hypercall.args[0], TEST_GPA);
		CHECK_EQ(vcpu->run->hypercall.args[1], FILE_SIZE / PAGE_SIZE);
		CHECK_EQ(!!(vcpu->run->hypercall.args[2] &
			    KVM_MAP_GPA_RANGE_ENCRYPTED), private);
		if (private)
			vm_make_private(vm, TEST_GPA, FILE_SIZE);
		else
			vm_make_shared(vm, TEST_GPA, FILE_SIZE);
		vcpu->run->hypercall.ret = 0;
		CHECK_EQ(vcpu_run(vcpu), EXIT_DONE);
		CHECK_EQ(vcpu->mailbox->result, 0);
		/* Each side has kept what the rounds before left there. */
		if (i >= 2)
			MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, private));
		else
			MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, private));
	}
}

/* Every second page private: no mapping may spill over to its neighbour. */
static void test_chessboard(void)
{
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	u64 gpa, end = TEST_GPA + FILE_SIZE;
	bool private;

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	for (gpa = TEST_GPA; gpa < end; gpa += 2 * PAGE_SIZE)
		vm_make_shared(vm, gpa, PAGE_SIZE);
	for (gpa = TEST_GPA, private = false; gpa < end;
	     gpa += PAGE_SIZE, private = !private) {
		if (private)
			MUST(guest_check(vcpu, gpa, PAGE_SIZE, 1));
		else
			MUST(guest_check_zero(vcpu, gpa, PAGE_SIZE));
	}
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
}

#define NR_ADDS	3000

static void *add_and_fill(void *arg)
{
	struct vcpu *vcpu = arg;
	u64 half = FILE_SIZE / 2, old;
	int i;

	for (i = 0; i < NR_ADDS; i++)
		MUST(guest_fetch_add(vcpu, TEST_GPA, 8, 1, &old));
	MUST(guest_fill(vcpu, TEST_GPA + SZ_1M + vcpu->id * half, half - SZ_1M,
			vcpu->id));
	return NULL;
}

static void test_two_vcpus(void)
{
	struct vm *vm = vm_create_private(2);
	u64 half = FILE_SIZE / 2, value;
	pthread_t threads[2];
	unsigned int i;

	vm_add_private(vm, FILE_SIZE);
	for (i = 0; i < 2; i++)
		threads[i] = thread_start(add_and_fill, &vm->vcpus[i]);
	for (i = 0; i < 2; i++)
		thread_join(threads[i]);

	MUST(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value));
	CHECK_EQ(value, 2 * NR_ADDS);
	/* Each sees what the other wrote. */
	for (i = 0; i < 2; i++)
		MUST(guest_check(&vm->vcpus[!i], TEST_GPA + SZ_1M + i * half,
				 half - SZ_1M, i));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_private_memory),
	TAP_TEST(test_private_and_shared_are_apart),
	TAP_TEST(test_every_width_and_alignment),
	TAP_TEST(test_string_operations),
	TAP_TEST(test_execution_from_private_memory),
	TAP_TEST(test_private_without_a_slot),
	TAP_TEST(test_private_in_a_slot_without_a_file),
	TAP_TEST(test_execution_without_memory),
	TAP_TEST(test_closed_file),
	TAP_TEST(test_shared_without_a_slot_is_mmio),
	TAP_TEST(test_private_after_mmio),
	TAP_TEST(test_unmapped_shared_side),
	TAP_TEST(test_pre_fault),
	TAP_TEST(test_pre_fault_refusals),
	TAP_TEST(test_conversion_there_and_back),
	TAP_TEST(test_conversion_by_hypercall),
	TAP_TEST(test_chessboard),
	TAP_TEST(test_two_vcpus),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
