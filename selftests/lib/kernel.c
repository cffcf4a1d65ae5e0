// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the running kernel is like, see kernel.h.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kmod/gmem_test_abi.h"
#include "tap.h"

static bool kernel_says(u64 bit)
{
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	u64 bits;

	if (fd < 0)
		tap_skip("no gmem_test.ko");
	CHECK_OK(ioctl(fd, GMEM_TEST_KERNEL, &bits));
	close(fd);
	return bits & bit;
}

bool kernel_has_shared_slots(void)
{
	return kernel_says(GMEM_TEST_KERNEL_SHARED_SLOTS);
}

bool kernel_populates_pages(void)
{
	return kernel_says(GMEM_TEST_KERNEL_POPULATES_PAGES);
}

bool kernel_keeps_pseudo_files_noexec(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	void *run = mmap(NULL, PAGE_SIZE, PROT_EXEC, MAP_SHARED, vm->vcpus[0].fd, 0);
	const bool noexec = run == MAP_FAILED;

	CHECK(!noexec || errno == EPERM, "a vCPU's mapping: %m");
	if (!noexec)
		munmap(run, PAGE_SIZE);
	vm_free(vm);
	return noexec;
}

bool kernel_can_trace(const char *function)
{
	FILE *file = fopen("/sys/kernel/tracing/available_filter_functions", "re");
	char line[256];
	bool found = false;

	CHECK(file, "the list of functions: %m");
	while (!found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\n")] = 0;
		found = !strcmp(line, function);
	}
	fclose(file);
	return found;
}
