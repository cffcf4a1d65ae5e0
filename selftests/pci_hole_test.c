// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes as the guest has them: reads of every kind are all ones and cost
 * next to no exits, writes exit. What VMMs may ask for, and what KVM itself does
 * with a hole, is in pci_hole_vmm_test.c.
 *
 * Tests: mmu/pci_hole.cc, kapi/pci_hole.c.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "hole.h"

#define ONES	(~0UL)
#define RAM_SLOT	3

static u64 ones_of(u32 width)
{
	return ONES >> (64 - 8 * width);
}

/* Require an MMIO write of @size bytes of @data at @gpa. */
static void check_write(const struct vcpu *vcpu, enum vm_exit exit, u64 gpa,
			u64 size, u64 data)
{
	CHECK(exit == EXIT_MMIO && vcpu->is_write, "instead of an MMIO write: %s",
	      vcpu_exit_text(vcpu));
	CHECK_EQ(vcpu->gpa, gpa);
	CHECK_EQ(vcpu->size, size);
	CHECK_EQ(vcpu->data, data);
}

static void read_all_widths(unsigned long type)
{
	struct vm *vm = hole_vm(type, 1, HOLE_GPA, 2 * SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	const u64 borders[] = { HOLE_GPA + 8, HOLE_GPA + PAGE_SIZE,
		HOLE_GPA + SZ_2M, HOLE_GPA + 2 * SZ_2M - 16 };
	u64 gpa, value;
	unsigned int i;
	u32 width;

	for (i = 0; i < ARRAY_SIZE(borders); i++)
		for (width = 1; width <= 8; width <<= 1)
			for (gpa = borders[i] - 8; gpa <= borders[i] + 8; gpa++) {
				MUST(guest_read(vcpu, gpa, width, &value));
				CHECK_EQ(value, ones_of(width));
			}
}

/* Hosts without the TDP MMU have holes, but no software-protected VMs. */
static void test_reads_in_each_type_of_vm(void)
{
	read_all_widths(KVM_X86_DEFAULT_VM);
	if (kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM))
		read_all_widths(KVM_X86_SW_PROTECTED_VM);
}

/* The faults of @count reads, @stride apart. */
static u64 scan(struct vcpu *vcpu, u64 gpa, u64 stride, u64 count)
{
	u64 before;

	/* The agent's own memory. */
	MUST(guest_touch_read(vcpu, AGENT_MAILBOX(0), 4, 4, 1));
	before = hole_faults();
	MUST(guest_touch_read(vcpu, gpa, 4, stride, count));
	CHECK_EQ(vcpu->mailbox->all_and, 0xffffffff);
	return hole_faults() - before;
}

static void scan_twice(u64 gpa, u64 size, u64 count, u64 most)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, gpa, size);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 faults = scan(vcpu, gpa, PAGE_SIZE, count);

	tap_diag("%lu reads: %lu faults", count, faults);
	CHECK(faults <= most, "%lu faults", faults);
	CHECK_EQ(scan(vcpu, gpa, PAGE_SIZE, count), 0);
}

/* What Linux reads of configuration space on q35. */
static void test_a_cold_scan_of_8193_pages(void)
{
	scan_twice(HOLE_GPA, 256 * SZ_1M, 8193, 20);
}

static void test_256_mib(void)
{
	scan_twice(HOLE_GPA, 256 * SZ_1M, 256 * SZ_1M / PAGE_SIZE, 128);
}

/* Huge in the middle, and the ends as they are. */
static void test_256_mib_that_are_not_aligned(void)
{
	scan_twice(HOLE_GPA + SZ_1M + 3 * PAGE_SIZE, 256 * SZ_1M,
		   256 * SZ_1M / PAGE_SIZE, 128);
}

static void test_string_and_vector_reads(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	unsigned char in[1024], ones[1024];
	u32 width;
	u64 gpa;

	memset(ones, 0xff, sizeof(ones));
	for (width = 1; width <= COPY_VECTOR; width <<= 1) {
		for (gpa = HOLE_GPA + SZ_2M - 515; gpa < HOLE_GPA + SZ_2M - 512; gpa++) {
			memset(in, 0, sizeof(in));
			MUST(guest_load_bytes(vcpu, gpa, in, sizeof(in), width));
			CHECK(!memcmp(in, ones, sizeof(in)), "width %u at %#lx", width, gpa);
		}
	}
}

/* RAM of 2 MiB, its bytes 0x5a, on each side of a hole of 8 KiB. Its host address. */
static unsigned char *add_ram_around(struct vm *vm)
{
	unsigned char *hva = vm_reserve(HOLE_GPA - SZ_2M, 2 * SZ_2M);

	memset(hva, 0x5a, 2 * SZ_2M);
	MUST(vm_set_region(vm, RAM_SLOT, 0, HOLE_GPA - SZ_2M, SZ_2M, hva));
	MUST(vm_set_region(vm, RAM_SLOT + 1, 0, HOLE_GPA + 2 * PAGE_SIZE,
			   SZ_2M - 2 * PAGE_SIZE, hva + SZ_2M + 2 * PAGE_SIZE));
	return hva;
}

static void test_reads_across_the_ends(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	const u64 end = HOLE_GPA + 2 * PAGE_SIZE, ram = 0x5a5a5a5a5a5a5a5a;
	unsigned char in[1024], expected[1024];
	u64 value, mask;
	u32 width, n;

	add_ram_around(vm);
	for (width = 2; width <= 8; width <<= 1) {
		for (n = 1; n < width; n++) {
			/* n bytes on this side of the end, little-endian. */
			mask = ones_of(n);
			MUST(guest_read(vcpu, HOLE_GPA - n, width, &value));
			CHECK_EQ(value, ((ram & mask) | ~mask) & ones_of(width));
			MUST(guest_read(vcpu, end - n, width, &value));
			CHECK_EQ(value, ((ram & ~mask) | mask) & ones_of(width));
		}
	}
	for (width = 1; width <= COPY_VECTOR; width <<= 1) {
		memset(expected, 0x5a, 509);
		memset(expected + 509, 0xff, sizeof(expected) - 509);
		MUST(guest_load_bytes(vcpu, HOLE_GPA - 509, in, sizeof(in), width));
		CHECK(!memcmp(in, expected, sizeof(in)), "into it, width %u", width);
		memset(expected, 0xff, 509);
		memset(expected + 509, 0x5a, sizeof(expected) - 509);
		MUST(guest_load_bytes(vcpu, end - 509, in, sizeof(in), width));
		CHECK(!memcmp(in, expected, sizeof(in)), "out of it, width %u", width);
	}
}

static void test_writes(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 value;
	u32 width;

	for (width = 1; width <= 8; width <<= 1) {
		check_write(vcpu, guest_write(vcpu, HOLE_GPA + 3, width, 0x1122334455667788),
			    HOLE_GPA + 3, width, 0x1122334455667788 & ones_of(width));
		MUST(vcpu_run(vcpu));
		MUST(guest_read(vcpu, HOLE_GPA + 3, width, &value));
		CHECK_EQ(value, ones_of(width));
	}
	/* A vector's two halves. */
	value = 0x0807060504030201;
	memcpy(vcpu->mailbox->data, &value, 8);
	check_write(vcpu, guest_store_bytes(vcpu, HOLE_GPA + 64, "abcdefghABCDEFGH", 16,
					    COPY_VECTOR),
		    HOLE_GPA + 64, 8, 0x6867666564636261);
	check_write(vcpu, vcpu_run(vcpu), HOLE_GPA + 72, 8, 0x4847464544434241);
	MUST(vcpu_run(vcpu));
}

static void test_writes_across_the_ends(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	const unsigned char *ram = add_ram_around(vm);
	const u64 end = HOLE_GPA + 2 * PAGE_SIZE;

	check_write(vcpu, guest_write(vcpu, HOLE_GPA - 3, 8, 0x0807060504030201),
		    HOLE_GPA, 5, 0x0807060504);
	MUST(vcpu_run(vcpu));
	CHECK(!memcmp(ram + SZ_2M - 4, "\x5a\x01\x02\x03", 4), "RAM before it");

	check_write(vcpu, guest_write(vcpu, end - 5, 8, 0x0807060504030201),
		    end - 5, 5, 0x0504030201);
	MUST(vcpu_run(vcpu));
	CHECK(!memcmp(ram + SZ_2M + 2 * PAGE_SIZE, "\x06\x07\x08\x5a", 4), "RAM behind it");
}

static void test_atomic_read_modify_write(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 old;
	u32 width;

	for (width = 1; width <= 8; width <<= 1) {
		check_write(vcpu, guest_fetch_add(vcpu, HOLE_GPA + 16, width, 0x10, &old),
			    HOLE_GPA + 16, width, 0xf);
		MUST(vcpu_run(vcpu));
		CHECK_EQ(vcpu->mailbox->result, ones_of(width));
		MUST(guest_read(vcpu, HOLE_GPA + 16, width, &old));
		CHECK_EQ(old, ones_of(width));
	}
}

/* An instruction whose first byte is the hole's last: ff c7 is inc %edi. */
static void test_fetch(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	unsigned char *ram = add_ram_around(vm);
	const u64 end = HOLE_GPA + 2 * PAGE_SIZE;
	/* The rest of it; lea (%rdi), %rax; ret */
	static const unsigned char rest[] = { 0xc7, 0x48, 0x8d, 0x07, 0xc3 };
	u64 result;

	memcpy(ram + SZ_2M + 2 * PAGE_SIZE, rest, sizeof(rest));
	MUST(guest_call(vcpu, end - 1, 41, &result));
	CHECK_EQ(result, 42);

	/* All ones are no instruction: without an IDT, a shutdown. */
	CHECK_EQ(guest_call(vcpu, HOLE_GPA, 0, &result), EXIT_OTHER);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_SHUTDOWN);
}

static void test_dirty_logging_of_neighbours(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	char *hva = vm_reserve(HOLE_GPA - SZ_2M, SZ_2M);
	unsigned long bitmap[SZ_2M / PAGE_SIZE / 64];
	struct kvm_dirty_log log = { .slot = RAM_SLOT, .dirty_bitmap = bitmap };
	unsigned int i;

	MUST(vm_set_region(vm, RAM_SLOT, KVM_MEM_LOG_DIRTY_PAGES, HOLE_GPA - SZ_2M,
			   SZ_2M, hva));
	CHECK_EQ(scan(vcpu, HOLE_GPA, PAGE_SIZE, 512), 1);
	check_write(vcpu, guest_write(vcpu, HOLE_GPA - 3, 8, 1), HOLE_GPA, 5, 0);
	MUST(vcpu_run(vcpu));
	CHECK_OK(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (i = 0; i < ARRAY_SIZE(bitmap); i++)
		CHECK_EQ(bitmap[i], i == ARRAY_SIZE(bitmap) - 1 ? 1UL << 63 : 0);
	/* The hole has no log, and what it maps stays huge. */
	log.slot = HOLE_SLOT;
	CHECK_ERRNO(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), ENOENT);
	CHECK_EQ(scan(vcpu, HOLE_GPA, PAGE_SIZE, 512), 0);
	MUST(vm_set_region(vm, RAM_SLOT, 0, HOLE_GPA - SZ_2M, SZ_2M, hva));
	scan(vcpu, HOLE_GPA, PAGE_SIZE, 512);
}

static void test_many_holes(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	const unsigned int nr = 300;
	unsigned int i;

	/* Every other page. */
	for (i = 1; i < nr; i++)
		MUST(hole_set(vm, HOLE_SLOT + i, HOLE_GPA + i * 2 * PAGE_SIZE, PAGE_SIZE));
	scan(vcpu, HOLE_GPA, 2 * PAGE_SIZE, nr);
	CHECK_EQ(scan(vcpu, HOLE_GPA, 2 * PAGE_SIZE, nr), 0);
	/* Between them is nothing. */
	CHECK_EQ(guest_touch_read(vcpu, HOLE_GPA + PAGE_SIZE, 4, 4, 1), EXIT_MMIO);
}

static volatile bool stop;
/*
 * Held for writing while RAM comes: KVM of 7.x warns (tdp_mmu.c) if a vCPU has just found
 * no memslot where another maps the new one, with the stock backend as well.
 */
static pthread_rwlock_t scanning;

/* Scans until told to stop; what no slot answers is answered as a VMM would. */
static void *scan_on(void *arg)
{
	struct vcpu *vcpu = arg;
	enum vm_exit exit;

	while (!stop) {
		pthread_rwlock_rdlock(&scanning);
		exit = guest_touch_read(vcpu, HOLE_GPA, 8, PAGE_SIZE, 4 * 512);
		while (exit == EXIT_MMIO && !vcpu->is_write) {
			vcpu_mmio_answer(vcpu, ONES);
			exit = vcpu_run(vcpu);
		}
		MUST(exit);
		CHECK_EQ(vcpu->mailbox->all_and, ONES);
		pthread_rwlock_unlock(&scanning);
	}
	return NULL;
}

/* Deleted, made again, moved away and back, RAM of the same bytes in its place. */
static void test_slots_change_while_vcpus_scan(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 2, HOLE_GPA, 4 * SZ_2M);
	void *hva = vm_reserve(HOLE_GPA, 4 * SZ_2M);
	pthread_rwlockattr_t attr;
	pthread_t threads[2];
	unsigned int i;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&scanning, &attr);
	memset(hva, 0xff, 4 * SZ_2M);
	for (i = 0; i < 2; i++)
		threads[i] = thread_start(scan_on, &vm->vcpus[i]);
	for (i = 0; i < 20; i++) {
		vm_delete_slot(vm, HOLE_SLOT);
		MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA, 4 * SZ_2M));
		MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA + 3 * PAGE_SIZE, 4 * SZ_2M));
		MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA, 4 * SZ_2M));
		vm_delete_slot(vm, HOLE_SLOT);
		pthread_rwlock_wrlock(&scanning);
		MUST(vm_set_region(vm, HOLE_SLOT, 0, HOLE_GPA, 4 * SZ_2M, hva));
		pthread_rwlock_unlock(&scanning);
		vm_delete_slot(vm, HOLE_SLOT);
		MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA, 4 * SZ_2M));
	}
	stop = true;
	for (i = 0; i < 2; i++)
		thread_join(threads[i]);
	scan(&vm->vcpus[0], HOLE_GPA, PAGE_SIZE, 4 * 512);
	CHECK_EQ(scan(&vm->vcpus[0], HOLE_GPA, PAGE_SIZE, 4 * 512), 0);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_reads_in_each_type_of_vm),
	TAP_TEST(test_a_cold_scan_of_8193_pages),
	TAP_TEST(test_256_mib),
	TAP_TEST(test_256_mib_that_are_not_aligned),
	TAP_TEST(test_string_and_vector_reads),
	TAP_TEST(test_reads_across_the_ends),
	TAP_TEST(test_writes),
	TAP_TEST(test_writes_across_the_ends),
	TAP_TEST(test_atomic_read_modify_write),
	TAP_TEST(test_fetch),
	TAP_TEST(test_dirty_logging_of_neighbours),
	TAP_TEST(test_many_holes),
	TAP_TEST(test_slots_change_while_vcpus_scan),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
