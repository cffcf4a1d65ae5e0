// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that a guest of SNP creates itself, on a machine without SNP: requests and save areas
 * that are refused, and VMMs that take an area's page, put the vCPU where INIT does not reach
 * it, or are killed.
 *
 * Tests: guest/ap.cc, guest/save_area.cc, arch/x86/snp_ap.cc, kapi/ap.c.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ap.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "snp.h"

/* ---- what is refused ------------------------------------------------------------------------ */

static void must_refuse(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	ap_prepare(guest, info_1, gpa);
	ghcb_must(guest, 2, ERR_INPUT);
}

static void test_refusals(void)
{
	struct ghcb_guest guest = ap_creator(2);
	unsigned char area[AREA_SIZE];
	long reports;
	u64 value;

	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	reports = gmem_total("platform_reports");
	must_refuse(&guest, ASK(2, CREATE), AREA(0));
	must_refuse(&guest, ASK(0xffffffff, CREATE), AREA(0));
	must_refuse(&guest, ASK(0x80000001, DESTROY), 0);
	for (u64 vmpl = 1; vmpl < 4; vmpl++)
		must_refuse(&guest, ASK(1, CREATE | vmpl << 16), AREA(0));
	must_refuse(&guest, ASK(1, 3), AREA(0));
	must_refuse(&guest, ASK(1, 0x8001), AREA(0));
	for (u64 request = ON_INIT; request <= CREATE; request++) {
		static const u64 wrong[] = {
			AREA(0) + 1, AREA(0) + 8, BLOCK, 0, 1UL << 52, ~0xfffUL,
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++)
			must_refuse(&guest, ASK(1, request), wrong[i]);
		ap_prepare(&guest, ASK(1, request), AREA(0));
		ghcb_set(&guest, RAX, 3);
		ghcb_must(&guest, 2, ERR_INPUT);
		ap_prepare(&guest, ASK(1, request), AREA(0));
		ghcb_set(&guest, RAX, 0);
		ghcb_must(&guest, 2, ERR_INPUT);
		ghcb_prepare(&guest, AP_CREATION, ASK(1, request), AREA(0));
		ghcb_must(&guest, 2, ERR_MISSING);
	}
	CHECK_EQ(gmem_total("platform_reports"), reports + 8 + 2 * 9);
	/* Nothing has happened to it. */
	MUST(guest_read(&guest.vm->vcpus[1], GHCB, 8, &value));
	/* What is destroyed takes no features. */
	ghcb_prepare(&guest, AP_CREATION, ASK(1, DESTROY), 0);
	ghcb_must(&guest, 0, 0);
}

static void test_areas_that_are_none(void)
{
	struct ghcb_guest guest = ap_creator(2);
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];
	long reports = gmem_total("platform_reports");

	/* Not made one; not validated; shared. */
	ap_fill_long(area, 1);
	ap_write_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_fail_entry(&guest, 1);
	MUST(guest_store_bytes(guest.vcpu, AREA(1), area, AREA_SIZE, 1));
	ap_ask(&guest, ASK(1, CREATE), AREA(1));
	ap_must_fail_entry(&guest, 1);
	ap_make_area(&guest, AREA(2), area);
	vm_make_shared(guest.vm, AREA(2), PAGE_SIZE);
	ap_ask(&guest, ASK(1, CREATE), AREA(2));
	ap_must_fail_entry(&guest, 1);
	/* It became private again, and is none any more. */
	MUST(gmem_punch(guest.fd, AREA(2) - TEST_GPA, PAGE_SIZE));
	vm_make_private(guest.vm, AREA(2), PAGE_SIZE);
	ap_ask(&guest, ASK(1, CREATE), AREA(2));
	ap_must_fail_entry(&guest, 1);
	CHECK_EQ(gmem_total("platform_reports"), reports + 4);
	/* No memory, or none of guest_memfd's: it waits, as one that is destroyed. */
	for (unsigned int i = 0; i < 2; i++) {
		static const u64 nowhere[] = { NOWHERE + PAGE_SIZE, 0x1c0000 };

		ap_ask(&guest, ASK(1, CREATE), nowhere[i]);
		ap_runner_start(&runner, &guest, 1);
		AWAIT(gmem_total("platform_reports") == reports + 5 + i, "nothing is said of it");
		ap_runner_stop(&runner);
		CHECK_EQ(runner.begun + runner.failed, 0);
		CHECK_EQ(ap_mp_state(&guest, 1), KVM_MP_STATE_HALTED);
	}
	/* All of that can be mended. */
	CHECK_EQ(ap_call(&guest, RMPADJUST, AREA(0)), 0);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
}

static void test_values_that_are_refused(void)
{
	static const struct {
		unsigned int at;
		u64 value;
	} wrong[] = {
		{ EFER, LONG_MODE }, /* without SVME */
		{ EFER, EFER_SVME | LONG_MODE | 1UL << 40 },
		{ CR0, CR0_LONG & ~1UL }, /* paging alone */
		{ CR0, CR0_LONG | 1UL << 29 }, /* NW without CD */
		{ CR0, CR0_LONG | 1UL << 32 },
		{ CR4, CR4_LONG & ~0x20UL }, /* long mode without PAE */
		{ CR4, CR4_LONG | 1UL << 63 },
		{ CR3, 1UL << 60 },
		{ DR6, 1UL << 32 },
		{ DR7, 1UL << 32 },
		{ G_PAT, 0x0202020202020202 },
		{ XCR0_, 0 },
		{ XCR0_, 1 | 1UL << 62 },
		{ FEATURES, 0 },
		{ FEATURES, 3 },
		{ CS, 0x08 | 0xe9bUL << 16 | 0xffffffffUL << 32 }, /* L and D */
		{ VMPL - 2, 1UL << 16 }, /* VMPL 1 */
		{ MXCSR, 1UL << 31 },
	};
	struct ghcb_guest guest = ap_creator(2);
	unsigned char area[AREA_SIZE];

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_diag("%#x: %#lx", wrong[i].at, wrong[i].value);
		ap_fill_long(area, 1);
		ap_put(area, wrong[i].at, wrong[i].value);
		ap_make_area(&guest, AREA(0), area);
		ap_ask(&guest, ASK(1, CREATE), AREA(0));
		ap_must_fail_entry(&guest, 1);
		/* It is not in use. */
		CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	}
	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
}

/* ---- a VMM that means harm ---------------------------------------------------------------- */

/* The page goes while the vCPU runs, or is about to. */
static void test_pages_that_go(void)
{
	struct ghcb_guest guest = ap_creator(2);
	volatile struct ap_record *record = ap_record(&guest, 1);
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];
	u64 turns;

	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_runner_start(&runner, &guest, 1);
	AWAIT(record->turns, "it does not run");
	/* It has its registers, and goes on. */
	vm_make_shared(guest.vm, AREA(0), PAGE_SIZE);
	MUST(gmem_punch(guest.fd, AREA(0) - TEST_GPA, PAGE_SIZE));
	turns = record->turns;
	AWAIT(record->turns != turns, "it has stopped");
	vm_make_private(guest.vm, AREA(0), PAGE_SIZE);
	/* The new page there is not in use. */
	ap_make_area(&guest, AREA(0), area);
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	for (int i = 0; i < 30; i++) {
		ap_make_area(&guest, AREA(1), area);
		ap_ask(&guest, ASK(1, CREATE), AREA(1));
		vm_make_shared(guest.vm, AREA(1), PAGE_SIZE);
		MUST(gmem_punch(guest.fd, AREA(1) - TEST_GPA, PAGE_SIZE));
		vm_make_private(guest.vm, AREA(1), PAGE_SIZE);
	}
	ap_make_area(&guest, AREA(2), area);
	ap_ask(&guest, ASK(1, DESTROY), 0);
	ap_ask(&guest, ASK(1, CREATE), AREA(2));
	turns = record->turns;
	AWAIT(record->turns != turns, "it does not run in the end");
	__atomic_store_n(&runner.file_goes, true, __ATOMIC_SEQ_CST);
	close(guest.fd);
	ap_runner_stop(&runner);
}

/* Whether the kernel has warned of itself. */
static bool kernel_has_warned(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long tainted;

	CHECK(file && fscanf(file, "%lu", &tainted) == 1, "no taints to read: %m");
	fclose(file);
	return tainted & 1UL << 9;
}

/* A VMM has put the vCPU there; INIT would wait for its end. */
static void test_system_management_mode(void)
{
	struct ghcb_guest guest = ap_creator(2);
	const bool warned = kernel_has_warned();
	struct kvm_vcpu_events events;
	unsigned char area[AREA_SIZE];

	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	CHECK_OK(ioctl(guest.vm->vcpus[1].fd, KVM_GET_VCPU_EVENTS, &events));
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	if (ioctl(guest.vm->vcpus[1].fd, KVM_SET_VCPU_EVENTS, &events))
		tap_skip("no vCPU gets there: %m");
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
	CHECK_OK(ioctl(guest.vm->vcpus[1].fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.smi.smm, 0);
	CHECK_EQ(kernel_has_warned(), warned);
}

/* The process is killed while vCPUs are created: nothing is left, which tap_main() looks at. */
static void test_killed(void)
{
	for (int i = 0; i < 5; i++) {
		int pipes[2], status;
		char byte;
		pid_t pid;

		CHECK_OK(pipe(pipes));
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			struct ghcb_guest guest = ap_creator(2);
			struct ap_runner runner;
			unsigned char area[AREA_SIZE];

			ap_fill_long(area, 1);
			ap_make_area(&guest, AREA(0), area);
			ap_runner_start(&runner, &guest, 1);
			CHECK_EQ(write(pipes[1], "", 1), 1);
			for (;;) {
				ap_ask(&guest, ASK(1, CREATE), AREA(0));
				ap_ask(&guest, ASK(1, DESTROY), 0);
			}
		}
		close(pipes[1]);
		CHECK_EQ(read(pipes[0], &byte, 1), 1);
		let_pass(1000 * i);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status), "it has ended by itself");
		close(pipes[0]);
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_refusals),
		TAP_TEST(test_areas_that_are_none),
		TAP_TEST(test_values_that_are_refused),
		TAP_TEST(test_pages_that_go),
		TAP_TEST(test_system_management_mode),
		TAP_TEST(test_killed),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
