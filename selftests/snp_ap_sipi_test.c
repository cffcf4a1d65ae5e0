// SPDX-License-Identifier: GPL-2.0-only
/*
 * INIT and SIPI to vCPUs of a guest of SNP that creates them itself, on a machine without SNP:
 * from what a vCPU starts then, and who is held until they come. Resets for another reason are
 * snp_reset_test's.
 *
 * Tests: guest/ap.cc, arch/x86/snp_ap.cc, kapi/ap.c.
 */
#include <sys/ioctl.h>

#include "ap.h"
#include "clock.h"
#include "guest.h"
#include "snp.h"

/* To all but the sender, as firmware does it. */
#define ICR_INIT	0xc4500U
#define ICR_SIPI(v)	(0xc4600U | (v))

/* No code is there. */
#define VECTOR		0x99

static void icr(struct ghcb_guest *guest, u32 value)
{
	MUST(guest_write(guest->vcpu, APIC_ICR, 4, value));
}

/* In real mode, at the start of a segment. */
static void place_at(struct ghcb_guest *guest, unsigned int id, u64 base)
{
	const int fd = guest->vm->vcpus[id].fd;
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	CHECK_OK(ioctl(fd, KVM_GET_SREGS, &sregs));
	sregs.cr0 = 0x10;
	sregs.cr4 = sregs.efer = 0;
	sregs.cs = (struct kvm_segment){
		.base = base,
		.limit = 0xffff,
		.selector = base >> 4,
		.type = 0xb,
		.present = 1,
		.s = 1,
	};
	CHECK_OK(ioctl(fd, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(fd, KVM_SET_REGS, &regs));
}

static void test_on_init(void)
{
	struct ghcb_guest guest = ap_creator_of(snp_knowing_vm_with_apic(2));
	volatile u32 *real = guest.vm->agent + REAL_RECORD;
	volatile struct ap_record *record = ap_record(&guest, 1);
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];

	CHECK_EQ(ap_mp_state(&guest, 1), KVM_MP_STATE_UNINITIALIZED);
	place_at(&guest, 1, REAL_CODE);
	ap_runner_start(&runner, &guest, 1);
	/* From what its VMM has given it, whatever the vector says. */
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1, "SIPI does not start it");
	CHECK_EQ(real[2], 1);
	/* At the next INIT, and where SIPI says has no part in that. */
	ap_fill_long(area, 1);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, ON_INIT), AREA(0));
	icr(&guest, ICR_INIT);
	AWAIT(ap_call(&guest, RMPADJUST, AREA(0)) == FAIL_IN_USE, "INIT does not take it");
	CHECK_EQ(record->count, 0);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(record->turns, "it does not run from its area");
	CHECK_EQ(record->count, 1);
	CHECK_EQ(real[2], 1);
	/* At once, from wherever it is. */
	ap_make_area(&guest, AREA(1), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(1));
	AWAIT(record->count == 2, "it is not created again");
	/* Destroyed, it does not come back by INIT and SIPI. */
	ap_ask(&guest, ASK(1, DESTROY), 0);
	CHECK_EQ(ap_call(&guest, RMPADJUST_BACK, AREA(1)), 0);
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.failed, __ATOMIC_SEQ_CST), "it is not refused");
	CHECK_EQ(real[2], 1);
	ap_runner_stop(&runner);
}

/* vCPU 1 of a guest of two, as firmware leaves its vCPUs to the system: held until its reset. */
static struct ghcb_guest held(const struct ghcb_guest *guest, struct ap_runner *runner)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct ghcb_guest other;

	CHECK_OK(ioctl(guest->vm->vcpus[1].fd, KVM_SET_MP_STATE, &state));
	other = ghcb_on(guest, 1);
	ghcb_prepare(&other, RESET_HOLD, 0, 0);
	*other.frame = (struct ghcb_frame){ .msr = GHCB_OF(1) };
	vcpu_restart(other.vcpu);
	other.vcpu->mailbox->op = GUEST_CALL;
	other.vcpu->mailbox->gpa = CODE;
	other.vcpu->mailbox->arg = FRAME + sizeof(struct ghcb_frame);
	ap_runner_start(runner, guest, 1);
	AWAIT(other.ghcb[BITMAP + 14] == 0x18, "it is not answered");
	return other;
}

/* INIT and SIPI have it go on, and say so. */
static void test_held_until_sipi(void)
{
	struct ghcb_guest guest = ap_creator_of(snp_knowing_vm_with_apic(2));
	struct ap_runner runner;
	struct ghcb_guest other = held(&guest, &runner);
	volatile u64 *result = (volatile u64 *)(other.ghcb + INFO_2);

	CHECK_EQ(*result, 0);
	__atomic_store_n(&runner.once, true, __ATOMIC_SEQ_CST);
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1,
	      "it does not go on behind its VMGEXIT");
	CHECK_EQ(*result, 1);
	ap_runner_stop(&runner);
}

static void test_held(void)
{
	struct ghcb_guest guest = ap_creator_of(snp_knowing_vm_with_apic(2));
	struct ap_runner runner;
	unsigned char area[AREA_SIZE];

	held(&guest, &runner);
	ap_fill_real(area);
	ap_make_area(&guest, AREA(0), area);
	ap_ask(&guest, ASK(1, CREATE), AREA(0));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1, "it does not begin");
	ap_runner_stop(&runner);
	CHECK_EQ(((volatile u32 *)(guest.vm->agent + REAL_RECORD))[2], 1);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_on_init),
		TAP_TEST(test_held_until_sipi),
		TAP_TEST(test_held),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
