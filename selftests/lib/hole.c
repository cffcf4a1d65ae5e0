// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes, see hole.h.
 */
#include "hole.h"

#include <stdio.h>

#include "../../include/uapi/gmem.h"

void hole_require(void)
{
	if (kvm_check(KVM_CAP_PCI_HOLE_MEM) != 1)
		tap_skip("no PCI holes to be had");
}

int hole_set(struct vm *vm, u32 slot, u64 gpa, u64 size)
{
	return vm_set_region(vm, slot, KVM_MEM_PCI_HOLE, gpa, size, NULL);
}

struct vm *hole_vm(unsigned long type, unsigned int nr_vcpus, u64 gpa, u64 size)
{
	struct vm *vm;

	hole_require();
	vm = vm_create(type, nr_vcpus);
	MUST(hole_set(vm, HOLE_SLOT, gpa, size));
	return vm;
}

/* KVM's own counter, pf_taken, has what was mapped ahead in it. */
u64 hole_faults(void)
{
	FILE *f = fopen("/sys/kernel/debug/gmem/calls", "re");
	char line[200];
	u64 served, stock, n = ~0UL;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "kvm_mmu_page_fault served %lu stock %lu", &served, &stock) == 2)
			n = served + stock;
	if (f)
		fclose(f);
	CHECK(n != ~0UL, "gmem does not say how many faults there were");
	return n;
}
