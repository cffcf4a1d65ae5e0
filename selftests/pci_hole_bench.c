// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest's read of nothing costs, and what holes cost calls that are not about
 * holes. In one boot: "stock" is KVM without the module, where the VMM answers each
 * read; "gmem" is a hole. Prints raw samples as bench does: ROW BACKEND VALUE UNIT.
 *
 *   pci_hole_bench GMEM.KO [ROUNDS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "hole.h"
#include "stats.h"

/* What Linux reads of configuration space when it boots on q35. */
#define READS		8193
#define WARM_SCANS	20
/* The version register of the local APIC. */
#define APIC_VERSION	0xfee00030UL

static const char *backend;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void sample(const char *row, double value, const char *unit)
{
	printf("%s %s %.4f %s\n", row, backend, value, unit);
	fflush(stdout);
}

static void load(const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_finit_module, fd, "", 0))
		tap_bail_out("insmod %s: %m", module);
	close(fd);
}

static void unload(void)
{
	for (int i = 0; i < 100; i++) {
		if (!syscall(SYS_delete_module, "gmem", 0))
			return;
		let_pass(20000);
	}
	tap_bail_out("rmmod gmem: %m");
}

/* Reads that KVM does not answer are answered as by a VMM that does nothing else. */
static double scan(struct vcpu *vcpu)
{
	double t = now_us();
	enum vm_exit exit = guest_touch_read(vcpu, HOLE_GPA, 4, PAGE_SIZE, READS);

	while (exit == EXIT_MMIO) {
		vcpu_mmio_answer(vcpu, ~0UL);
		exit = vcpu_run(vcpu);
	}
	MUST(exit);
	CHECK_EQ(vcpu->mailbox->all_and, 0xffffffff);
	return now_us() - t;
}

static void bench_reads(bool hole)
{
	struct vm *vm = vm_create_with_apic(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 exits;
	double t;

	if (hole)
		MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA, 256 * SZ_1M));
	MUST(guest_touch_read(vcpu, AGENT_MAILBOX(0), 4, 4, 1));

	exits = kvm_stat(vcpu->fd, "exits");
	t = scan(vcpu);
	sample("hole_cold_exits", kvm_stat(vcpu->fd, "exits") - exits, "exits");
	sample("hole_cold_read", t / READS, "us");

	exits = kvm_stat(vcpu->fd, "exits");
	t = scan(vcpu);
	for (int i = 1; hole && i < WARM_SCANS; i++)
		t += scan(vcpu);
	sample("hole_warm_read", t / READS / (hole ? WARM_SCANS : 1), "us");

	/* Answered in KVM, by emulation: the yardstick. */
	t = now_us();
	MUST(guest_touch_read(vcpu, APIC_VERSION, 4, 0, READS));
	sample("apic_read", (now_us() - t) / READS, "us");
	vm_free(vm);
}

/* Calls that are not about holes. */
static void bench_others(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	void *hva = vm_reserve(TEST_GPA, 64 * SZ_1M);
	const int calls = 20000, slots = 200;
	struct kvm_clock_data clock;
	double t = now_us();

	for (int i = 0; i < calls; i++)
		CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &clock));
	sample("other_vm_ioctl", (now_us() - t) / calls, "us");

	t = now_us();
	for (int i = 0; i < slots; i++) {
		MUST(vm_set_region(vm, TEST_SLOT, 0, TEST_GPA, 64 * SZ_1M, hva));
		vm_delete_slot(vm, TEST_SLOT);
	}
	sample("other_memslot", (now_us() - t) / slots, "us");

	MUST(vm_set_region(vm, TEST_SLOT, 0, TEST_GPA, 64 * SZ_1M, hva));
	memset(hva, 1, 64 * SZ_1M);
	t = now_us();
	MUST(guest_touch_read(&vm->vcpus[0], TEST_GPA, 4, PAGE_SIZE, 64 * SZ_1M / PAGE_SIZE));
	sample("other_fault", (now_us() - t) / kvm_stat(vm->vcpus[0].fd, "pf_taken"), "us");
	vm_free(vm);
	vm_unreserve(hva, 64 * SZ_1M);
}

static void bench_making(void)
{
	const int nr = 1000;
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	double t = now_us();

	for (int i = 0; i < nr; i++)
		MUST(hole_set(vm, i, HOLE_GPA + i * SZ_2M, SZ_2M));
	sample("hole_make_1000", (now_us() - t) / nr, "us");
	vm_free(vm);
}

int main(int argc, char **argv)
{
	const char *module = argc > 1 ? argv[1] : "/add/gmem.ko";
	const int rounds = argc > 2 ? atoi(argv[2]) : 5;

	for (int round = 0; round < rounds; round++) {
		backend = "stock";
		bench_reads(false);
		bench_others();
		load(module);
		backend = "gmem";
		bench_reads(true);
		bench_others();
		bench_making();
		unload();
	}
	return 0;
}
