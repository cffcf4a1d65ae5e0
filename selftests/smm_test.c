// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU in system management mode, which has memslots of its own: it reaches the
 * mappable files of those, and what cannot be served there is an exit, whatever the
 * other address space has at the same gfn.
 *
 * Tests: mmu/faults.cc.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "poison.h"

#define FILE_SIZE	SZ_2M
/* Slots of the address space of SMM. */
#define SMM		(1U << 16)

/* Memory of TEST_GPA in one address space. */
struct space {
	int fd;
	char *map;
};

static void add_space(struct vm *vm, struct space *space, u32 slot)
{
	space->fd = gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	space->map = gmem_map(space->fd, 0, FILE_SIZE);
	gmem_add_slot(vm, slot, TEST_GPA, FILE_SIZE, space->fd, 0);
}

/* Drops the last mapping and descriptor of the file. */
static void lose_space(struct space *space)
{
	munmap(space->map, FILE_SIZE);
	close(space->fd);
}

/* The rest of the vCPU's state stays: both address spaces have the agent. */
static void set_smm(struct vcpu *vcpu, bool smm)
{
	struct kvm_vcpu_events events;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.smi.smm, !smm);
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = smm;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events));
}

/* A VM whose address spaces have a file each; the vCPU is in SMM. */
static struct vcpu *start(struct space *normal, struct space *smm)
{
	struct vm *vm;

	if (kvm_check(KVM_CAP_X86_SMM) != 1)
		tap_skip("this kernel has no SMM");
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	add_space(vm, normal, TEST_SLOT);
	add_space(vm, smm, SMM | TEST_SLOT);
	MUST(vm_set_region(vm, SMM | AGENT_SLOT, 0, AGENT_GPA, AGENT_SIZE, vm->agent));
	set_smm(&vm->vcpus[0], true);
	return &vm->vcpus[0];
}

static void check_fault(struct vcpu *vcpu, u64 gpa, int error)
{
	u64 value;

	CHECK(guest_read(vcpu, gpa, 8, &value) == EXIT_MEMORY_FAULT,
	      "instead of a memory fault at %#lx: %s", gpa, vcpu_exit_text(vcpu));
	CHECK_EQ(vcpu->error, error);
	CHECK_EQ(vcpu->gpa, gpa & ~(PAGE_SIZE - 1));
	CHECK_EQ(vcpu->size, PAGE_SIZE);
	CHECK_EQ(vcpu->flags, 0);
	/* The same access again. */
	CHECK_EQ(vcpu_run(vcpu), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->error, error);
}

static void test_each_has_its_own(void)
{
	struct space normal, smm;
	struct vcpu *vcpu = start(&normal, &smm);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(smm.map, TEST_GPA, FILE_SIZE, 1), "what the guest wrote in SMM");
	CHECK(mem_is_zero(normal.map, FILE_SIZE), "SMM wrote to other memory");
	set_smm(vcpu, false);
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 2));
	CHECK(mem_holds(normal.map, TEST_GPA, FILE_SIZE, 2), "what the guest wrote");
	set_smm(vcpu, true);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 1));
	MUST(gmem_punch(smm.fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	set_smm(vcpu, false);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 2));
}

static void test_closed(void)
{
	struct space normal, smm;
	struct vcpu *vcpu = start(&normal, &smm);

	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	mem_fill(normal.map, TEST_GPA, FILE_SIZE, 2);
	lose_space(&smm);
	check_fault(vcpu, TEST_GPA + 0x1238, EFAULT);
	set_smm(vcpu, false);
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 2));
}

static void test_closed_and_nothing_else_there(void)
{
	struct space normal, smm;
	struct vcpu *vcpu = start(&normal, &smm);

	vm_delete_slot(vcpu->vm, TEST_SLOT);
	lose_space(&smm);
	check_fault(vcpu, TEST_GPA + 0x1238, EFAULT);
}

static void test_poisoned(void)
{
	struct space normal, smm;
	struct vcpu *vcpu;

	poison_require();
	vcpu = start(&normal, &smm);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	poison_page(smm.fd, 3);
	check_fault(vcpu, TEST_GPA + 3 * PAGE_SIZE + 8, EHWPOISON);
	MUST(guest_check(vcpu, TEST_GPA, 3 * PAGE_SIZE, 1));
	MUST(gmem_punch(smm.fd, 3 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA + 3 * PAGE_SIZE, PAGE_SIZE));
}

/* SMM goes on where the other address space has lost its memory. */
static void test_the_others_loss(void)
{
	struct space normal, smm;
	struct vcpu *vcpu = start(&normal, &smm);

	lose_space(&normal);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	CHECK(mem_holds(smm.map, TEST_GPA, FILE_SIZE, 1), "what the guest wrote in SMM");
	set_smm(vcpu, false);
	check_fault(vcpu, TEST_GPA, EFAULT);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_each_has_its_own),
	TAP_TEST(test_closed),
	TAP_TEST(test_closed_and_nothing_else_there),
	TAP_TEST(test_poisoned),
	TAP_TEST(test_the_others_loss),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
