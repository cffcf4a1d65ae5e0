// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that a guest of SNP creates itself, on a machine without SNP: which registers one has
 * then, and its life, in which it is destroyed and created again, by two others, and by itself.
 * INIT and SIPI are snp_ap_sipi_test's; what is refused, and who means harm,
 * snp_ap_hostile_test's.
 *
 * Tests: guest/ap.cc, guest/save_area.cc, arch/x86/snp_ap.cc, kapi/ap.c.
 */
#include <sys/ioctl.h>

#include "ap.h"
#include "clock.h"
#include "guest.h"
#include "snp.h"

/* ---- what a vCPU has ------------------------------------------------------------------------ */

static void test_features(void)
{
	struct ghcb_guest guest = ap_creator(1);

	CHECK_EQ(ghcb_request(&guest, 0x080), 0x3081);
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	ghcb_must(&guest, 0, 3);
}

static void test_long_mode(void)
{
	static const unsigned int gprs[] = { RAX_, RCX_, RCX_ + 8, RCX_ + 16 };
	struct ghcb_guest guest = ap_creator(2);
	volatile struct ap_record *record = ap_record(&guest, 1);
	unsigned char area[AREA_SIZE];

	ap_fill_long(area, 1);
	for (unsigned int i = 0; i < 4; i++)
		ap_put(area, gprs[i], 0x1111111111111111 * (i + 1));
	for (unsigned int i = 5; i < 16; i++)
		ap_put(area, RCX_ + 8 * (i - 1), 0xabcdef0000000000 + i);
	ap_put(area, RFLAGS, 0xcd7);
	ap_put(area, CR2, 0x123456789000);
	ap_put(area, STAR, 0x0013000800000000);
	ap_put(area, LSTAR, 0xffffffff81234567);
	ap_put(area, CSTAR, 0xffffffff82345678);
	ap_put(area, SFMASK, 0x47700);
	ap_put(area, KERNEL_GS, 0xffff888000001000);
	ap_put(area, SYSENTER, 0x10);
	/* AMD's have 32 bits, as KVM has it. */
	ap_put(area, SYSENTER + 8, 0x2000);
	ap_put(area, SYSENTER + 16, 0x83456789);
	ap_put(area, G_PAT, 0x0007010600070106);
	ap_put_segment(area, GDTR, 0, 0, 0x7f, 0xfffffe0000001000);
	ap_put_segment(area, IDTR, 0, 0, 0xfff, 0xfffffe0000000000);
	ap_put_segment(area, LDTR, 0x28, 0x82, 0xffff, 0);
	ap_put_segment(area, TR, 0x40, 0x8b, 0x67, 0xfffffe0000003000);
	ap_put(area, DR7, 0x400);
	ap_put(area, MXCSR, 0x1fa0 | 0x5555UL << 32);
	ap_put(area, X87_CONTROL, 0x27f);
	ap_put(area, XMM + 3 * 16, 0x0123456789abcdef);
	ap_put(area, XMM + 3 * 16 + 8, 0xfedcba9876543210);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
	for (unsigned int i = 0; i < 4; i++)
		CHECK_EQ(record->gprs[i], 0x1111111111111111 * (i + 1));
	CHECK_EQ(record->gprs[4], STACK - 256);
	for (unsigned int i = 5; i < 16; i++)
		CHECK_EQ(record->gprs[i], 0xabcdef0000000000 + i);
	CHECK_EQ(record->rflags, 0xcd7);
	CHECK_EQ(record->cr0, CR0_LONG);
	CHECK_EQ(record->cr3, AGENT_PML4);
	/* KVM has MCE as the host has it. */
	CHECK_EQ(record->cr4 & ~CR4_MCE, CR4_LONG);
	CHECK_EQ(record->cr2, 0x123456789000);
	/* SVME is not the guest's. */
	CHECK_EQ(record->msrs[0], LONG_MODE);
	CHECK_EQ(record->msrs[1], 0x0013000800000000);
	CHECK_EQ(record->msrs[2], 0xffffffff81234567);
	CHECK_EQ(record->msrs[3], 0xffffffff82345678);
	CHECK_EQ(record->msrs[4], 0x47700);
	CHECK_EQ(record->msrs[5], 0xffff888000001000);
	CHECK_EQ(record->msrs[6], 0x10);
	CHECK_EQ(record->msrs[7], 0x2000);
	CHECK_EQ(record->msrs[8], 0x83456789);
	CHECK_EQ(record->msrs[9], 0x0007010600070106);
	CHECK_EQ(record->cs, 0x08);
	CHECK_EQ(record->ss, 0x10);
	CHECK_EQ(record->ldtr, 0x28);
	CHECK_EQ(record->tr, 0x40);
	CHECK_EQ(*(volatile u64 *)(record->gdtr + 2), 0xfffffe0000001000);
	CHECK_EQ(*(volatile unsigned short *)record->gdtr, 0x7f);
	CHECK_EQ(*(volatile u64 *)(record->idtr + 2), 0xfffffe0000000000);
	CHECK_EQ(*(volatile unsigned short *)record->idtr, 0xfff);
	CHECK_EQ(record->mxcsr, 0x1fa0);
	CHECK_EQ(record->control & 0xffff, 0x27f);
	CHECK_EQ(record->xmm3[0], 0x0123456789abcdef);
	CHECK_EQ(record->xmm3[1], 0xfedcba9876543210);
	CHECK_EQ(record->dr7, 0x400);
	CHECK_EQ(record->dr6, 0xffff0ff0);
	CHECK_EQ(record->count, 1);
	CHECK_EQ(ap_mp_state(&guest, 1), KVM_MP_STATE_RUNNABLE);
}

static void test_real_mode(void)
{
	struct ghcb_guest guest = ap_creator(2);
	volatile u32 *record = guest.vm->agent + REAL_RECORD;
	unsigned char area[AREA_SIZE];

	ap_fill_real(area);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
	CHECK_EQ(record[0], 0x76540800);
	CHECK_EQ(record[1], 0x12345678);
	CHECK_EQ(record[2], 1);
}

/* ---- the life of a vCPU --------------------------------------------------------------------- */

static void test_in_use(void)
{
	struct ghcb_guest guest = ap_creator(3);
	unsigned char area[AREA_SIZE];

	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	CHECK_EQ(ap_call(&guest, RMPADJUST, AREA(0)), 0);
	ap_must_begin(&guest, 1);
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), FAIL_IN_USE);
	CHECK_EQ(ap_call(&guest, RMPADJUST, AREA(0)), FAIL_IN_USE);
	/* Another one cannot run from it, too. */
	ap_ask(&guest, ASK(2, CREATE), AREA(0));
	ap_must_fail_entry(&guest, 2);
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), FAIL_IN_USE);
	/* A new one takes its place, as Linux does it: the old one is free at once. */
	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(1), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(1));
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	ap_must_begin(&guest, 1);
	CHECK_EQ(ap_record(&guest, 1)->count, 2);
	/* And as OVMF does it. */
	ap_ask(&guest, ASK(1, DESTROY), 0);
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(1)), 0);
	ap_make_area(&guest, AREA(1), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(1));
	ap_must_begin(&guest, 1);
	CHECK_EQ(ap_record(&guest, 1)->count, 3);
	/* One that is given for the next INIT leaves it what it has. */
	ap_make_area(&guest, AREA(2), area);
	ap_ask(&guest, ASK(1, ON_INIT), AREA(2));
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(1)), FAIL_IN_USE);
}

static void test_create_and_destroy(void)
{
	struct ghcb_guest guest = ap_creator(2);
	volatile struct ap_record *record = ap_record(&guest, 1);
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];
	u64 turns;

	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_make_area(&guest, AREA(1), area);
	ap_ask(&guest, ASK(1, DESTROY), 0);
	ap_runner_start(&runner, &guest, 1);
	for (u64 i = 1; i <= 50; i++) {
		ap_ask(&guest, ASK(1, CREATE), AREA(i % 2));
		turns = record->turns;
		AWAIT(record->count == i && record->turns != turns, "it does not run");
		if (i % 3 == 0)
			continue;
		/* It stops, and leaves its area. */
		ap_ask(&guest, ASK(1, DESTROY), 0);
		CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(i % 2)), 0);
		CHECK_EQ(ap_call(&guest, RMPADJUST, AREA(i % 2)), 0);
	}
	ap_ask(&guest, ASK(1, DESTROY), 0);
	ap_runner_interrupt(&runner);
	ap_runner_stop(&runner);
	CHECK_EQ(runner.begun, 50);
	CHECK_EQ(runner.failed, 0);
	CHECK_EQ(ap_mp_state(&guest, 1), KVM_MP_STATE_HALTED);
}

/* A VMM that would have it run all the same. */
static void test_destroyed(void)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct ghcb_guest guest = ap_creator(2);
	struct vcpu *vcpu = &guest.vm->vcpus[1];
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];

	ap_ask(&guest, ASK(1, DESTROY), 0);
	ap_runner_start(&runner, &guest, 1);
	ap_runner_interrupt(&runner);
	ap_runner_stop(&runner);
	CHECK_EQ(ap_mp_state(&guest, 1), KVM_MP_STATE_HALTED);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &state));
	ap_must_fail_entry(&guest, 1);
	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	ap_must_begin(&guest, 1);
}

static void test_itself(void)
{
	struct ghcb_guest guest = ap_creator(2), other = ghcb_on(&guest, 1);
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];

	/* The second gives itself other registers. */
	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_prepare(&other, ASK(1, CREATE), AREA(0));
	ghcb_vmgexit(&other, GHCB_OF(1));
	CHECK_EQ(other.vcpu->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(other.vcpu->run->io.port, PORT);
	CHECK_EQ(ap_record(&guest, 1)->count, 1);
	CHECK_EQ(ghcb_field(&other, INFO_1), 0);
	/* The first destroys itself: the second creates it anew. */
	other = ghcb_on(&guest, 1);
	ap_prepare(&guest, ASK(0, DESTROY), 0);
	guest.frame->msr = GHCB;
	*guest.frame = (struct ghcb_frame){ .msr = GHCB };
	guest.vcpu->mailbox->op = GUEST_CALL;
	guest.vcpu->mailbox->gpa = CODE;
	guest.vcpu->mailbox->arg = FRAME;
	vcpu_restart(guest.vcpu);
	ap_runner_start(&runner, &guest, 0);
	AWAIT(ghcb_field(&guest, INFO_1) == 0, "the first is not answered");
	ap_fill_long(area, 0);
	ap_make_area(&other, AREA(1), area);
	ap_ask(&other, ASK(0, CREATE), AREA(1));
	AWAIT(ap_record(&guest, 0)->turns, "the first does not run");
	ap_runner_stop(&runner);
	CHECK_EQ(runner.begun, 1);
	CHECK_EQ(runner.failed, 0);
}

struct asker {
	struct ghcb_guest guest;
	u64 area;
	unsigned long asked;
};

static void *ask_often(void *arg)
{
	struct asker *asker = arg;

	for (int i = 0; i < 100; i++) {
		ap_ask(&asker->guest, ASK(2, i % 4 == 3 ? DESTROY : CREATE), asker->area);
		asker->asked++;
	}
	return NULL;
}

static void test_two_creators(void)
{
	struct ghcb_guest guest = ap_creator(3);
	struct asker askers[2] = { { guest, AREA(0), 0 }, { ghcb_on(&guest, 1), AREA(1), 0 } };
	volatile struct ap_record *record = ap_record(&guest, 2);
	pthread_t threads[2];
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];
	u64 count;

	ap_fill_long(area, 2);
	ap_make_area(&guest, AREA(0), area);
	ap_make_area(&guest, AREA(1), area);
	ap_ask(&guest, ASK(2, DESTROY), 0);
	ap_runner_start(&runner, &guest, 2);
	for (int i = 0; i < 2; i++)
		threads[i] = thread_start(ask_often, &askers[i]);
	for (int i = 0; i < 2; i++)
		thread_join(threads[i]);
	count = record->count;
	ap_ask(&guest, ASK(2, CREATE), AREA(0));
	AWAIT(record->count != count, "it does not run in the end");
	ap_ask(&guest, ASK(2, DESTROY), 0);
	ap_runner_stop(&runner);
	CHECK_EQ(runner.failed, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(i)), 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_features),
		TAP_TEST(test_long_mode),
		TAP_TEST(test_real_mode),
		TAP_TEST(test_in_use),
		TAP_TEST(test_create_and_destroy),
		TAP_TEST(test_destroyed),
		TAP_TEST(test_itself),
		TAP_TEST(test_two_creators),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
