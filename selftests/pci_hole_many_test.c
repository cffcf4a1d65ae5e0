// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many PCI holes as a VM can have memslots: what they answer, and what they
 * cost; and one that is large. Takes some seconds, on a debug kernel minutes.
 *
 * Tests: mmu/pci_hole.cc.
 */
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "hole.h"

/* A field of /proc/meminfo in KiB. */
static long meminfo(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[200], name[100];
	long value, found = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%99[^:]: %ld", name, &value) == 2 && !strcmp(name, field))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* Host memory that holes can cost, in KiB. */
static long spent(void)
{
	return meminfo("Slab") + meminfo("SecPageTables") + meminfo("PageTables") +
	       meminfo("VmallocUsed");
}

static void scan(struct vcpu *vcpu, u64 gpa, u64 stride, u64 count)
{
	MUST(guest_touch_read(vcpu, gpa, 8, stride, count));
	CHECK_EQ(vcpu->mailbox->all_and, ~0UL);
}

/* Every other page, as many as there are numbers. */
static void test_32000_holes(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	const unsigned int nr = 32000;
	u64 before;
	unsigned int i;

	for (i = 1; i < nr; i++)
		MUST(hole_set(vm, HOLE_SLOT + i, HOLE_GPA + i * 2 * PAGE_SIZE, PAGE_SIZE));
	scan(vcpu, HOLE_GPA, 2 * PAGE_SIZE, nr);
	before = hole_faults();
	scan(vcpu, HOLE_GPA, 2 * PAGE_SIZE, nr);
	CHECK_EQ(hole_faults(), before);
	CHECK_EQ(guest_touch_read(vcpu, HOLE_GPA + PAGE_SIZE, 4, 4, 1), EXIT_MMIO);
	for (i = 0; i < nr; i += 1000)
		vm_delete_slot(vm, HOLE_SLOT + i);
	CHECK_EQ(guest_touch_read(vcpu, HOLE_GPA, 4, 4, 1), EXIT_MMIO);
	scan(vcpu, HOLE_GPA + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 999);
}

/* Mapped huge: at most 20 KiB a GiB, of all that the kernel has. */
static void test_memory_of_256_gib(void)
{
	const u64 gib = 256;
	struct vm *vm;
	struct vcpu *vcpu;
	double kib;
	long before;

	hole_require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	vcpu = &vm->vcpus[0];
	MUST(guest_touch_read(vcpu, AGENT_MAILBOX(0), 8, 8, 1));
	before = spent();
	MUST(hole_set(vm, HOLE_SLOT, gib * SZ_1G, gib * SZ_1G));
	scan(vcpu, gib * SZ_1G, SZ_2M, gib * 512);
	kib = (double)(spent() - before) / gib;
	tap_diag("%.1f KiB per GiB", kib);
	CHECK(kib < 20, "%.1f KiB per GiB", kib);
}

static const struct tap_test tests[] = {
	{ .name = "test_32000_holes", .fn = test_32000_holes, .timeout = 400 },
	{ .name = "test_memory_of_256_gib", .fn = test_memory_of_256_gib, .timeout = 300 },
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
