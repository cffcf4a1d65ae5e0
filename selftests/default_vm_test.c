// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs without private memory whose memory is a guest_memfd that user space maps: the
 * slot, and the faults that the file serves. Only KVM's own reads and writes go by the
 * slot's userspace_addr.
 *
 * Tests: mmu/slots.cc, kapi/slots.c.
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "kernel.h"
#include "poison.h"
#include "stats.h"

#define FILE_SIZE	(2 * SZ_2M)

static struct vm *default_vm(unsigned int nr_vcpus)
{
	return vm_create(KVM_X86_DEFAULT_VM, nr_vcpus);
}

/* The guest's access reaches no memory. */
static void check_fault(struct vcpu *vcpu, u64 gpa, int error)
{
	u64 value;

	CHECK_EQ(guest_read(vcpu, gpa, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->error, error);
	CHECK_EQ(vcpu->gpa, gpa & ~(PAGE_SIZE - 1));
	CHECK_EQ(vcpu->size, PAGE_SIZE);
	CHECK_EQ(vcpu->flags, 0);
}

static void test_no_other_memory(void)
{
	struct vm *vm = default_vm(2);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, SZ_2M));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "what the guest wrote");
	mem_fill(p, TEST_GPA, FILE_SIZE, 2);
	MUST(guest_check(&vm->vcpus[1], TEST_GPA, FILE_SIZE, 2));
}

/* Guest and host change the same words at the same time. */
#define ADDITIONS	400

static void *add_from_guest(void *arg)
{
	struct vcpu *vcpu = arg;
	u64 old;

	for (int i = 0; i < ADDITIONS; i++)
		MUST(guest_fetch_add(vcpu, TEST_GPA + 64, 8, 1, &old));
	return NULL;
}

static void test_atomics_with_the_host(void)
{
	struct vm *vm = default_vm(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	u64 *p = gmem_map(fd, 0, FILE_SIZE);
	pthread_t thread = thread_start(add_from_guest, &vm->vcpus[0]);

	for (int i = 0; i < ADDITIONS * 100; i++)
		__atomic_fetch_add(&p[8], 1, __ATOMIC_SEQ_CST);
	thread_join(thread);
	CHECK_EQ(p[8], ADDITIONS * 101);
}

static void test_private_at_first(void)
{
	struct vm *vm = default_vm(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_is_hidden(p), "not shared with user space");
	CHECK(mem_is_hidden(p + FILE_SIZE - 8), "not shared with user space");
}

static void test_slot_refusals(void)
{
	struct vm *vm = default_vm(0);
	int plain = vm_gmem(vm, FILE_SIZE);
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	u32 flags = KVM_MEM_GUEST_MEMFD;

	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL, plain, 0),
		 kernel_has_shared_slots() ? 0 : -EINVAL);
	if (kernel_has_shared_slots())
		vm_delete_slot(vm, TEST_SLOT);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL, fd, PAGE_SIZE),
		 -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL, fd, 1), -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, (void *)1, fd, 0),
		 -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags | KVM_MEM_READONLY, TEST_GPA, FILE_SIZE, NULL,
				fd, 0), -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags | KVM_MEM_LOG_DIRTY_PAGES, TEST_GPA, FILE_SIZE,
				NULL, fd, 0), -EINVAL);
	CHECK_EQ(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL, -1, 0), -EBADF);
	/* The old call has no field for the file. */
	CHECK_EQ(vm_set_region(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL), -EINVAL);
	MUST(vm_set_region2(vm, TEST_SLOT, flags, TEST_GPA, FILE_SIZE, NULL, fd, 0));
}

static void test_no_attributes(void)
{
	struct vm *vm = default_vm(1);
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	CHECK_EQ(gmem_convert(fd, 0, FILE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL), -EINVAL);
	CHECK_EQ(gmem_convert(fd, 0, FILE_SIZE, 0, NULL), -EINVAL);
	CHECK(vm_set_attributes(vm, TEST_GPA, FILE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE) < 0,
	      "a default VM has no attributes");
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "nothing has changed");
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
}

/*
 * The guest's own accesses go to the file, whatever userspace_addr points to; what KVM
 * does for it (here: storing what an MMIO read gave) goes there.
 */
static void test_userspace_addr(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	u64 *file = gmem_map(fd, 0, FILE_SIZE), *other = vm_reserve(TEST_GPA, FILE_SIZE);
	u64 mmio = TEST_GPA + SZ_1G, value;

	*file = 1;
	*other = 2;
	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, FILE_SIZE, other, fd, 0));
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
	CHECK_EQ(value, 1);
	MUST(guest_write(vcpu, TEST_GPA, 8, 3));
	CHECK_EQ(*file, 3);
	CHECK_EQ(*other, 2);
	CHECK_EQ(guest_copy(vcpu, TEST_GPA, mmio, 8, 8), EXIT_MMIO);
	vcpu_mmio_answer(vcpu, 4);
	MUST(vcpu_run(vcpu));
	CHECK_EQ(*other, 4);
	CHECK_EQ(*file, 3);
	vm_delete_slot(vm, TEST_SLOT);

	/* Pointing to the file itself, as a VMM would have it, all is one. */
	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, FILE_SIZE, file, fd, 0));
	CHECK_EQ(guest_copy(vcpu, TEST_GPA, mmio, 8, 8), EXIT_MMIO);
	vcpu_mmio_answer(vcpu, 5);
	MUST(vcpu_run(vcpu));
	CHECK_EQ(*file, 5);
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
	CHECK_EQ(value, 5);
}

static void test_slots_and_offsets(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_mappable(vm, 2 * FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, 2 * FILE_SIZE);
	u64 second = TEST_GPA + SZ_1G + PAGE_SIZE;
	void *hva = vm_add_slot(vm, TEST_SLOT + 2, second + SZ_1G, SZ_2M, -1, 0);

	/* The end of the file first, the beginning at another alignment. */
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, fd, SZ_2M + 5 * PAGE_SIZE);
	gmem_add_slot(vm, TEST_SLOT + 1, second, SZ_2M, fd, 0);
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_fill(vcpu, second, SZ_2M, 2));
	CHECK(mem_holds(p + SZ_2M + 5 * PAGE_SIZE, TEST_GPA, SZ_2M, 1), "the first slot");
	CHECK(mem_holds(p, second, SZ_2M, 2), "the second slot");
	CHECK(mem_is_zero(p + SZ_2M, 5 * PAGE_SIZE), "between them");
	/* Ordinary memory beside it is what it always was. */
	MUST(guest_fill(vcpu, second + SZ_1G, SZ_2M, 3));
	CHECK(mem_holds(hva, second + SZ_1G, SZ_2M, 3), "a plain slot");

	vm_delete_slot(vm, TEST_SLOT);
	MUST(guest_check(vcpu, second, SZ_2M, 2));
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, fd, SZ_2M + 5 * PAGE_SIZE);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
}

static void test_punch(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "content");
	MUST(gmem_punch(fd, PAGE_SIZE, SZ_2M));
	MUST(guest_check_zero(vcpu, TEST_GPA + PAGE_SIZE, SZ_2M));
	CHECK(mem_is_zero(p + PAGE_SIZE, SZ_2M), "the mapping shows the hole");
	MUST(guest_check(vcpu, TEST_GPA, PAGE_SIZE, 1));
	MUST(guest_check(vcpu, TEST_GPA + PAGE_SIZE + SZ_2M, SZ_2M - PAGE_SIZE, 1));
	/* Both see the new page. */
	mem_fill(p + PAGE_SIZE, TEST_GPA + PAGE_SIZE, SZ_2M, 2);
	MUST(guest_check(vcpu, TEST_GPA + PAGE_SIZE, SZ_2M, 2));
}

static void test_closed_file(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	close(fd);
	/* The mapping has the file still. */
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
	munmap(p, FILE_SIZE);
	check_fault(vcpu, TEST_GPA + 0x1238, EFAULT);
	check_fault(vcpu, TEST_GPA + SZ_2M, EFAULT);
}

static void test_pre_fault(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 gpa = TEST_GPA, size = FILE_SIZE, faults;

	gmem_add_mappable(vm, FILE_SIZE + SZ_2M, SHARED_AT_FIRST);
	/* The agent's own pages first, so that only the range counts. */
	MUST(guest_write(vcpu, TEST_GPA + FILE_SIZE, 8, 1));
	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(size, 0);
	faults = kvm_stat(vcpu->fd, "pf_fixed");
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_fixed"), faults);
}

static void test_huge(void)
{
	struct vm *vm = default_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	const u64 size = 64 * SZ_1M;
	const u64 runs = gmem_huge() ? size / SZ_2M : 0;
	const u64 mappings = runs ? runs : size / PAGE_SIZE;
	u64 faults, huge;
	int fd;
	char *p;

	fd = gmem_add_mappable(vm, size + SZ_2M, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, size);
	MUST(guest_write(vcpu, TEST_GPA + size, 8, 1));
	faults = kvm_stat(vcpu->fd, "pf_fixed");
	huge = kvm_stat(vm->fd, "pages_2m");
	MUST(guest_fill(vcpu, TEST_GPA, size, 1));
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_fixed") - faults, mappings);
	CHECK_EQ(kvm_stat(vm->fd, "pages_2m") - huge, runs);
	CHECK(mem_holds(p, TEST_GPA, size, 1), "what the guest wrote");
	/* Touched by user space, they are as huge to the guest as before. */
	MUST(guest_check(vcpu, TEST_GPA, size, 1));
	CHECK_EQ(kvm_stat(vm->fd, "pages_2m") - huge, runs);

	/* And those that user space touched first. */
	MUST(gmem_punch(fd, 0, size));
	mem_fill(p, TEST_GPA, size, 2);
	faults = kvm_stat(vcpu->fd, "pf_fixed");
	MUST(guest_check(vcpu, TEST_GPA, size, 2));
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_fixed") - faults, mappings);
}

static void test_poison(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	u64 victim = 7 * PAGE_SIZE, value;
	char *p;
	int fd;

	poison_require();
	vm = default_vm(1);
	vcpu = &vm->vcpus[0];
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 0x600));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 0x600), "content");
	poison_page(fd, victim / PAGE_SIZE);
	check_fault(vcpu, TEST_GPA + victim, EHWPOISON);
	CHECK_EQ(mem_read(p + victim, &value), SIGBUS);
	CHECK_EQ(gmem_signal_code(), BUS_MCEERR_AR);
	CHECK(mem_holds(p, TEST_GPA, victim, 0x600), "before it");
	CHECK(mem_holds(p + victim + PAGE_SIZE, TEST_GPA + victim + PAGE_SIZE,
			FILE_SIZE - victim - PAGE_SIZE, 0x600), "after it");
	MUST(gmem_punch(fd, victim, PAGE_SIZE));
	CHECK(mem_is_zero(p + victim, PAGE_SIZE), "another page");
	MUST(guest_check_zero(vcpu, TEST_GPA + victim, PAGE_SIZE));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_no_other_memory),
	TAP_TEST(test_atomics_with_the_host),
	TAP_TEST(test_private_at_first),
	TAP_TEST(test_slot_refusals),
	TAP_TEST(test_no_attributes),
	TAP_TEST(test_userspace_addr),
	TAP_TEST(test_slots_and_offsets),
	TAP_TEST(test_punch),
	TAP_TEST(test_closed_file),
	TAP_TEST(test_pre_fault),
	TAP_TEST(test_huge),
	TAP_TEST(test_poison),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
