// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host without the TDP MMU (kvm.tdp_mmu=0, or no two-dimensional paging at all, as
 * with kvm_amd.npt=0), whose KVM fills its page tables ahead by user addresses: gmem.ko
 * offers neither software-protected VMs nor flags there, and what it goes on offering
 * works. With extensions=n sw_protected=n it offers the same on any host, less the holes.
 *
 * Tests: mmu/vms.cc, mmu/faults.cc.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "hole.h"
#include "kernel.h"

/* Whether the kernel's parameter @name of @module is set; false where there is none. */
static bool parameter(const char *module, const char *name)
{
	char path[96], value = 'N';
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	file = fopen(path, "re");
	if (file) {
		CHECK_EQ(fread(&value, 1, 1, file), 1);
		fclose(file);
	}
	return value == 'Y';
}

/* Skip the test where all is offered. */
static void require(void)
{
	gmem_platform();
	if (!parameter("gmem", "extensions") && !parameter("gmem", "sw_protected"))
		return;
	/* KVM has cleared the latter where there is no two-dimensional paging. */
	if (parameter("kvm", "tdp_mmu"))
		tap_skip("this host has the TDP MMU");
}

static void test_no_software_protected_vms(void)
{
	int kvm;

	require();
	CHECK_EQ(kvm_check(KVM_CAP_VM_TYPES) & 1 << KVM_X86_SW_PROTECTED_VM, 0);
	kvm = kvm_open();
	CHECK_ERRNO(ioctl(kvm, KVM_CREATE_VM, (unsigned long)KVM_X86_SW_PROTECTED_VM), EINVAL);
	close(kvm);
}

/* But those that the kernel has itself. */
static void test_no_flags(void)
{
	const u64 kernels = kernel_has_shared_slots() ? SHARED_AT_FIRST : 0;
	struct vm *vm;

	require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD_FLAGS), kernels);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS), kernels);
	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);
	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD_LINK), 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_LINK), 0);
	for (u64 flag = 1; flag; flag <<= 1) {
		if (!(flag & kernels))
			CHECK_EQ(vm_create_gmem(vm, SZ_2M, flag), -EINVAL);
	}
	if (!kernels)
		CHECK_EQ(vm_create_gmem(vm, SZ_2M, SHARED_AT_FIRST), -EINVAL);
}

/* Where the kernel has such files, they are what they are without us: on either MMU. */
static void test_mappable_files_of_the_kernel(void)
{
	struct vm *vm;
	char *p;
	int fd;

	require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	if (!kernel_has_shared_slots()) {
		CHECK_EQ(vm_create_gmem(vm, SZ_2M, SHARED_AT_FIRST), -EINVAL);
		return;
	}
	fd = gmem_add_mappable(vm, 2 * SZ_2M, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, 2 * SZ_2M);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, 2 * SZ_2M, 1));
	CHECK(mem_holds(p, TEST_GPA, 2 * SZ_2M, 1), "what the guest wrote");
	mem_fill(p, TEST_GPA, SZ_2M, 2);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_2M, 2));
	CHECK_EQ(gmem_convert(fd, 0, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL), -ENOTTY);
	/* A page out of a run that is mapped as a whole. */
	MUST(gmem_punch(fd, 5 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + 5 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, 5 * PAGE_SIZE, 2));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA + 6 * PAGE_SIZE, SZ_2M - 6 * PAGE_SIZE, 2));
	/* Nothing of it is mapped when the file has gone. */
	munmap(p, 2 * SZ_2M);
	close(fd);
	CHECK_EQ(guest_touch_read(&vm->vcpus[0], TEST_GPA, 8, 64, 1), EXIT_MEMORY_FAULT);
}

/* As KVM has it: there is a file to be had, in whatever VM, and no memslot for it. */
static void test_files_as_the_kernel_has_them(void)
{
	const bool in_any_vm = kernel_has_shared_slots();
	struct kvm_link_guest_memfd link = {};
	struct vm *vm;
	int fd;

	require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD), 1);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD), in_any_vm);
	fd = vm_gmem(vm, SZ_2M);
	MUST(gmem_alloc(fd, 0, SZ_2M));
	MUST(gmem_punch(fd, 0, SZ_2M));
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SZ_2M, NULL, fd, 0),
		 in_any_vm ? 0 : -EINVAL);
	CHECK_EQ(gmem_convert(fd, 0, SZ_2M, 0, NULL), -ENOTTY);
	link.fd = fd;
	CHECK_ERRNO(ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &link), ENOTTY);
	CHECK(vm_set_attributes(vm, TEST_GPA, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE) < 0,
	      "a default VM has attributes");
}

/* Guests run as ever on the older MMU, with us in the way. */
static void test_plain_memory(void)
{
	struct vm *vm;
	char *hva;

	require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, -1, 0);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_2M, 1));
	CHECK(mem_holds(hva, TEST_GPA, SZ_2M, 1), "what the guest wrote");
	mem_fill(hva, TEST_GPA, SZ_2M, 2);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_2M, 2));
}

static void test_holes(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	require();
	if (!parameter("gmem", "extensions")) {
		vm = vm_create(KVM_X86_DEFAULT_VM, 0);
		CHECK_EQ(kvm_check(KVM_CAP_PCI_HOLE_MEM), 0);
		CHECK_EQ(vm_check(vm, KVM_CAP_PCI_HOLE_MEM), 0);
		CHECK_EQ(hole_set(vm, HOLE_SLOT, HOLE_GPA, SZ_2M), -EINVAL);
		return;
	}
	vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * SZ_2M);
	vcpu = &vm->vcpus[0];
	for (int round = 0; round < 2; round++) {
		MUST(guest_touch_read(vcpu, HOLE_GPA, 8, 64, 2 * SZ_2M / 64));
		CHECK_EQ(vcpu->mailbox->all_and, ~0UL);
		CHECK_EQ(guest_write(vcpu, HOLE_GPA + 8, 8, 5), EXIT_MMIO);
		CHECK(vcpu->is_write && vcpu->gpa == HOLE_GPA + 8, "%s", vcpu_exit_text(vcpu));
		MUST(vcpu_run(vcpu));
	}
}

static const struct tap_test tests[] = {
	TAP_TEST(test_no_software_protected_vms),
	TAP_TEST(test_no_flags),
	TAP_TEST(test_mappable_files_of_the_kernel),
	TAP_TEST(test_files_as_the_kernel_has_them),
	TAP_TEST(test_plain_memory),
	TAP_TEST(test_holes),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
