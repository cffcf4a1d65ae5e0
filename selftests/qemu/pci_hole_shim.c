// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between an unmodified QEMU (q35) and KVM, by LD_PRELOAD: counts the exits for
 * reads of PCIe configuration space, and with HOLES=1 makes a PCI hole of all
 * buses but the first, on which QEMU has no devices unless told to.
 *
 * Linux prefers the ports 0xcf8 and 0xcfc while they work, so they stop to once it
 * looks whether they do: then everything goes through memory, as on a machine
 * without them.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm_abi.h"
#include "../../include/uapi/gmem.h"

/* Where QEMU's q35 has configuration space, 1 MiB a bus. */
#define CONFIG_GPA	0xb0000000UL
#define CONFIG_SIZE	(256UL << 20)
#define BUS_SIZE	(1UL << 20)
/* QEMU counts its memslots from 0. */
#define HOLE_SLOT	400

#define MAX_FDS		1024

static struct kvm_run *runs[MAX_FDS];
static int vm_fd = -1;
static bool ports_dead;
static unsigned long first_bus, other_buses, all_exits;

static int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	return syscall(SYS_ioctl, fd, request, arg);
}

static void make_hole(void)
{
	struct kvm_userspace_memory_region region = {
		.slot = HOLE_SLOT,
		.flags = KVM_MEM_PCI_HOLE,
		.guest_phys_addr = CONFIG_GPA + BUS_SIZE,
		.memory_size = CONFIG_SIZE - BUS_SIZE,
	};

	if (kvm_ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region)) {
		perror("shim: no hole");
		exit(1);
	}
}

static void count(const struct kvm_run *run)
{
	all_exits++;
	if (run->exit_reason != KVM_EXIT_MMIO || run->mmio.is_write ||
	    run->mmio.phys_addr - CONFIG_GPA >= CONFIG_SIZE)
		return;
	if (run->mmio.phys_addr - CONFIG_GPA < BUS_SIZE)
		first_bus++;
	else
		other_buses++;
}

/* Whether the exit was for the dead ports, and is answered. */
static bool port_answered(struct kvm_run *run)
{
	if (run->exit_reason != KVM_EXIT_IO || run->io.port < 0xcf8 || run->io.port > 0xcff)
		return false;
	/* How Linux begins to look for them, and nothing else writes a byte there. */
	if (run->io.port == 0xcfb && run->io.direction == KVM_EXIT_IO_OUT && run->io.size == 1)
		ports_dead = true;
	if (!ports_dead || run->io.port == 0xcf9)
		return false;
	if (run->io.direction == KVM_EXIT_IO_IN)
		memset((char *)run + run->io.data_offset, 0xff, run->io.size * run->io.count);
	return true;
}

static int run_vcpu(int fd)
{
	static bool started;
	struct kvm_run *run = runs[fd];
	int r;

	if (!started) {
		started = true;
		if (getenv("HOLES"))
			make_hole();
	}
	do {
		r = kvm_ioctl(fd, KVM_RUN, NULL);
		if (!r)
			count(run);
	} while (!r && port_answered(run));
	return r;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int r;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);

	if (request == KVM_RUN && fd < MAX_FDS && runs[fd])
		return run_vcpu(fd);
	/* Writes of the ports must not be kept back until the next exit. */
	if (request == KVM_CHECK_EXTENSION && (unsigned long)arg == KVM_CAP_COALESCED_PIO)
		return 0;
	r = kvm_ioctl(fd, request, arg);
	/* QEMU has other VMs to find out what KVM can; the last one stays. */
	if (request == KVM_CREATE_VM && r >= 0)
		vm_fd = r;
	if (request == KVM_CREATE_VCPU && r >= 0 && r < MAX_FDS)
		runs[r] = mmap(NULL, 4096 * 2, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0);
	return r;
}

__attribute__((destructor)) static void report(void)
{
	if (all_exits)
		fprintf(stderr,
			"shim: configuration reads answered by QEMU: bus 0 %lu, others %lu; "
			"all exits %lu\n",
			first_bus, other_buses, all_exits);
}
