// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes as the guest has them: reads of every kind are all ones and cost
 * next to no exits, writes exit. What KVM itself does with a hole, and what VMMs
 * may ask for, is in pci_hole_vmm_test.c.
 */
#include <string.h>

#include "guest.h"
#include "hole.h"

#define HOLE_SLOT	2
#define ONES		(~0UL)
/* A 2 MiB-aligned place away from TEST_GPA's memory. */
#define HOLE_GPA	(4 * SZ_1G)

static u64 ones_of(u32 width)
{
	return ONES >> (64 - 8 * width);
}

static struct vm *vm_with_hole(unsigned long type, u64 gpa, u64 size)
{
	struct vm *vm;

	hole_require();
	vm = vm_create(type, 1);
	MUST(hole_set(vm, HOLE_SLOT, gpa, size));
	return vm;
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
	struct vm *vm = vm_with_hole(type, HOLE_GPA, 2 * SZ_2M);
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

static void test_reads_in_a_default_vm(void)
{
	read_all_widths(KVM_X86_DEFAULT_VM);
}

static void test_reads_in_a_software_protected_vm(void)
{
	read_all_widths(KVM_X86_SW_PROTECTED_VM);
}

/* The faults of @count reads, @stride apart. */
static u64 scan(struct vcpu *vcpu, u64 gpa, u64 stride, u64 count)
{
	u64 before = hole_faults(vcpu);

	MUST(guest_touch_read(vcpu, gpa, 4, stride, count));
	CHECK_EQ(vcpu->mailbox->all_and, 0xffffffff);
	return hole_faults(vcpu) - before;
}

/* What Linux reads of configuration space on q35. */
static void test_a_cold_scan_of_8193_pages(void)
{
	struct vm *vm = vm_with_hole(KVM_X86_DEFAULT_VM, HOLE_GPA, 256 * SZ_1M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 faults = scan(vcpu, HOLE_GPA, PAGE_SIZE, 8193);

	tap_diag("8193 reads: %lu faults", faults);
	CHECK(faults <= 20, "%lu faults", faults);
	CHECK_EQ(scan(vcpu, HOLE_GPA, PAGE_SIZE, 8193), 0);
}

static void test_256_mib(void)
{
	struct vm *vm = vm_with_hole(KVM_X86_DEFAULT_VM, HOLE_GPA, 256 * SZ_1M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 faults = scan(vcpu, HOLE_GPA, PAGE_SIZE, 256 * SZ_1M / PAGE_SIZE);

	tap_diag("256 MiB: %lu faults", faults);
	CHECK(faults <= 128, "%lu faults", faults);
	CHECK_EQ(scan(vcpu, HOLE_GPA, PAGE_SIZE, 256 * SZ_1M / PAGE_SIZE), 0);
}

static void test_writes(void)
{
	struct vm *vm = vm_with_hole(KVM_X86_DEFAULT_VM, HOLE_GPA, SZ_2M);
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
}

static const struct tap_test tests[] = {
	TAP_TEST(test_reads_in_a_default_vm),
	TAP_TEST(test_reads_in_a_software_protected_vm),
	TAP_TEST(test_a_cold_scan_of_8193_pages),
	TAP_TEST(test_256_mib),
	TAP_TEST(test_writes),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
