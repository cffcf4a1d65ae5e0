// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY beside a change of what it is about (prefault.h).
 */
#include "prefault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "threads.h"

bool prefault_range(struct vm *vm, u64 size)
{
	u64 gpa = TEST_GPA;
	int ret = vcpu_pre_fault(&vm->vcpus[0], &gpa, &size);

	CHECK(!ret || ret == -EAGAIN || ret == -EINTR || ret == -EFAULT || ret == -ENOENT,
	      "KVM_PRE_FAULT_MEMORY: %s", strerror(-ret));
	return !ret;
}

struct beside {
	struct vm *vm;
	u64 size;
};

static void *prefault(void *arg)
{
	struct beside *beside = arg;

	prefault_range(beside->vm, beside->size);
	return NULL;
}

void prefault_beside(struct vm *vm, u64 size, void (*make)(void *arg), void *arg)
{
	/* What a vCPU without page tables does first of all. */
	struct gmem_test_fail delay = { .symbol = "kvm_mmu_load", .rax = 1500, .calls = 1 };
	const int tester = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	struct beside beside = { vm, size };
	pthread_t thread;

	CHECK_OK(tester);
	CHECK_OK(ioctl(tester, GMEM_TEST_DELAY, &delay));
	thread = thread_start(prefault, &beside);
	let_pass(300000);
	make(arg);
	thread_join(thread);
	delay.calls = 0;
	CHECK_OK(ioctl(tester, GMEM_TEST_DELAY, &delay));
	CHECK_EQ(delay.left, 0);
	close(tester);
}
