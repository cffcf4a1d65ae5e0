// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY of a memslot that another task deletes and makes again, or
 * moves: neither waits for the other.
 *
 * Tests: mmu/faults.cc, kapi/requests.c.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "hole.h"
#include "prefault.h"

#define SLOT_SIZE	(8 * SZ_1M)
#define ROUNDS		100

struct change {
	struct vm *vm;
	/* Make the memslot; change it, which ends with one at TEST_GPA again. */
	void (*make)(struct change *change);
	void (*change)(struct change *change);
	int fd;
	void *user;
	bool stop;
	/* Of the pre-faulting task. */
	unsigned long done, interrupted;
};

/* Pre-faults the whole range, again and again. */
static void *pre_fault(void *arg)
{
	struct change *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		if (prefault_range(c->vm, SLOT_SIZE))
			c->done++;
		else
			c->interrupted++;
	}
	return NULL;
}

static void delete_and_make(struct change *c)
{
	vm_delete_slot(c->vm, TEST_SLOT);
	c->make(c);
}

/* The first call may say -EAGAIN, for what the last change left of the page tables. */
static void pre_fault_all(struct vcpu *vcpu)
{
	u64 gpa = TEST_GPA, size = SLOT_SIZE;
	int ret = vcpu_pre_fault(vcpu, &gpa, &size);

	if (ret != -EAGAIN)
		MUST(ret);
	while (size)
		MUST(vcpu_pre_fault(vcpu, &gpa, &size));
}

/* Changes the memslot beside the pre-faulting task; then all of it can be had. */
static void race(struct change *c)
{
	pthread_t thread;
	double start = now(), took, longest = 0;
	const double begun = start;

	c->make(c);
	thread = thread_start(pre_fault, c);
	for (unsigned int i = 0; i < ROUNDS || !over_at(begun, c->done && c->interrupted);
	     i++) {
		start = now();
		c->change(c);
		took = now() - start;
		CHECK(took < PATIENCE, "round %u took %.1f s", i, took);
		longest = took > longest ? took : longest;
		/* Some way into the range, or all of it. */
		let_pass(i % 10 * 1000);
	}
	__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
	thread_join(thread);
	tap_diag("longest change %.3f s; pre-faulted %lu times, interrupted %lu times", longest,
		 c->done, c->interrupted);
	CHECK(c->done && c->interrupted, "the memslot was never changed while it was pre-faulted");
	pre_fault_all(&c->vm->vcpus[0]);
}

static void make_private(struct change *c)
{
	MUST(vm_set_region2(c->vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SLOT_SIZE, c->user,
			    c->fd, 0));
}

static void test_private(void)
{
	struct vm *vm = vm_create_private(1);
	struct change c = {
		.vm = vm,
		.make = make_private,
		.change = delete_and_make,
		.fd = vm_gmem(vm, SLOT_SIZE),
		.user = vm_reserve(TEST_GPA, SLOT_SIZE),
	};

	vm_make_private(vm, TEST_GPA, SLOT_SIZE);
	race(&c);
}

static void make_mappable(struct change *c)
{
	gmem_add_slot(c->vm, TEST_SLOT, TEST_GPA, SLOT_SIZE, c->fd, 0);
}

static void mappable(unsigned long type)
{
	struct vm *vm = vm_create(type, 1);
	struct change c = {
		.vm = vm,
		.make = make_mappable,
		.change = delete_and_make,
		.fd = gmem_mappable(vm, SLOT_SIZE, SHARED_AT_FIRST),
	};

	race(&c);
}

static void test_mappable(void)
{
	mappable(KVM_X86_DEFAULT_VM);
}

static void test_mappable_and_converting(void)
{
	mappable(KVM_X86_SW_PROTECTED_VM);
}

static void make_plain(struct change *c)
{
	MUST(vm_set_region(c->vm, TEST_SLOT, 0, TEST_GPA, SLOT_SIZE, c->user));
}

static void move_plain(struct change *c)
{
	MUST(vm_set_region(c->vm, TEST_SLOT, 0, TEST_GPA + SZ_1G, SLOT_SIZE, c->user));
	make_plain(c);
}

/* A plain memslot of a VM that has one on a mappable file, too. */
static void plain(void (*change)(struct change *change))
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	struct change c = {
		.vm = vm,
		.make = make_plain,
		.change = change,
		.user = vm_reserve(TEST_GPA, SLOT_SIZE),
	};

	gmem_add_slot(vm, TEST_SLOT + 1, 4 * SZ_1G, SZ_2M,
		      gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST), 0);
	memset(c.user, 1, SLOT_SIZE);
	race(&c);
}

static void test_plain_beside_a_file(void)
{
	plain(delete_and_make);
}

static void test_plain_beside_a_file_moved(void)
{
	plain(move_plain);
}

/*
 * A VM with nothing of ours, one after the other: the vCPU has page tables of before the
 * deletion.
 */
static void test_plain_alone(void)
{
	struct change c = {
		.vm = vm_create(KVM_X86_DEFAULT_VM, 1),
		.make = make_plain,
		.user = vm_reserve(TEST_GPA, SLOT_SIZE),
	};

	memset(c.user, 1, SLOT_SIZE);
	make_plain(&c);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		pre_fault_all(&c.vm->vcpus[0]);
		delete_and_make(&c);
	}
}

static void make_hole(struct change *c)
{
	MUST(hole_set(c->vm, TEST_SLOT, TEST_GPA, SLOT_SIZE));
}

static void move_hole(struct change *c)
{
	MUST(hole_set(c->vm, TEST_SLOT, TEST_GPA + SZ_1G, SLOT_SIZE));
	make_hole(c);
}

static void hole(void (*change)(struct change *change))
{
	struct change c = { .make = make_hole, .change = change };

	hole_require();
	c.vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	race(&c);
}

static void test_hole(void)
{
	hole(delete_and_make);
}

static void test_hole_moved(void)
{
	hole(move_hole);
}

/*
 * The first thing of ours that a VM gets, while a vCPU of the VM is already on its way to
 * pre-fault where nothing is: KVM lets that vCPU see the memslot and waits for the vCPU.
 */
static void make_it(void *arg)
{
	struct change *c = arg;

	c->make(c);
}

static void first_beside(struct change *c)
{
	prefault_beside(c->vm, SLOT_SIZE, make_it, c);
	pre_fault_all(&c->vm->vcpus[0]);
}

static void test_first_file_beside(void)
{
	struct change c = { .vm = vm_create(KVM_X86_DEFAULT_VM, 1), .make = make_mappable };

	c.fd = gmem_mappable(c.vm, SLOT_SIZE, SHARED_AT_FIRST);
	first_beside(&c);
}

static void test_first_hole_beside(void)
{
	struct change c = { .make = make_hole };

	hole_require();
	c.vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	first_beside(&c);
}

#define OTHERS	200

static struct vm *others[OTHERS];

static void *make_in_thread(void *arg)
{
	make_it(arg);
	return NULL;
}

/* Who makes it waits for the vCPU that is on its way. */
static void others_pre_fault(void *arg)
{
	pthread_t maker = thread_start(make_in_thread, arg);
	unsigned int refused = 0;

	let_pass(100000);
	for (size_t i = 0; i < OTHERS; i++)
		refused += !prefault_range(others[i], SZ_2M);
	thread_join(maker);
	CHECK(!refused, "%u VMs could not pre-fault for another VM's request", refused);
}

/* VMs with nothing of ours, beside another VM's first memslot of ours. */
static void test_first_file_of_another_vm(void)
{
	struct change c = { .vm = vm_create(KVM_X86_DEFAULT_VM, 1), .make = make_mappable };
	void *const user = vm_reserve(TEST_GPA, SZ_2M);

	c.fd = gmem_mappable(c.vm, SLOT_SIZE, SHARED_AT_FIRST);
	memset(user, 1, SZ_2M);
	for (size_t i = 0; i < OTHERS; i++) {
		others[i] = vm_create(KVM_X86_DEFAULT_VM, 1);
		MUST(vm_set_region(others[i], TEST_SLOT, 0, TEST_GPA, SZ_2M, user));
	}
	prefault_beside(c.vm, SLOT_SIZE, others_pre_fault, &c);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_private),
	TAP_TEST(test_mappable),
	TAP_TEST(test_mappable_and_converting),
	TAP_TEST(test_plain_beside_a_file),
	TAP_TEST(test_plain_beside_a_file_moved),
	TAP_TEST(test_plain_alone),
	TAP_TEST(test_hole),
	TAP_TEST(test_hole_moved),
	TAP_TEST(test_first_file_beside),
	TAP_TEST(test_first_hole_beside),
	TAP_TEST(test_first_file_of_another_vm),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
