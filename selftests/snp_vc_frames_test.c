// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of #VC in a guest that knows that it is SNP's, on a machine without SNP, with
 * snp_guests=aware-vc: on which stack, with which flags, from whom; and deliveries that fail.
 *
 * Tests: guest/reflect.cc, guest/vc.cc, kapi/vc.c.
 */
#include <sys/ioctl.h>

#include "guest.h"
#include "vc.h"

/* ---- frames ----------------------------------------------------------------------------- */

static void test_stacks_are_aligned(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);

	for (u64 off = 0; off < 32; off++) {
		struct kvm_regs regs = vc_regs_for(&guest, 0);

		regs.rsp -= off;
		vc_must_reflect(&guest, CPUID, &regs);
	}
	/* Across two pages. */
	for (u64 off = 16; off < 48; off += 16) {
		struct kvm_regs regs = vc_regs_for(&guest, 0);

		regs.rsp = STACK_TOP(0) - PAGE_SIZE + off;
		vc_must_reflect(&guest, OUT, &regs);
	}
}

static void test_flags(void)
{
	static const u64 flags[] = { 0, FLAG_INTERRUPTS, FLAG_NESTED, FLAG_ZERO,
				     FLAG_INTERRUPTS | FLAG_ZERO, FLAG_RESUME };
	static const u64 idts[] = { IDT, IDT_TRAP };
	struct vc_guest guest = vc_reflecting(1, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(flags) * 2; i++) {
		struct kvm_regs regs = vc_regs_for(&guest, 0);
		const u64 kept = i % 2 ? FLAG_INTERRUPTS | FLAG_ZERO : FLAG_ZERO;

		vc_set_mode(&guest, idts[i % 2], 0, 0);
		regs.rflags |= flags[i / 2];
		/* With NT an IRET would do something else. */
		regs.rip = PLACE(CPUID);
		vc_start(&guest, &regs);
		guest.record->stop = 1;
		vc_must_stop(&guest);
		vc_must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
		/* The handler's own arithmetic comes after. */
		CHECK_EQ(guest.record->at_rflags & ~FLAG_ZERO,
			 (regs.rflags & kept & ~FLAG_ZERO) | FLAGS_FIXED);
	}
}

static void test_single_step(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);

	regs.rflags |= FLAG_TRAP;
	vc_run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 1);
	CHECK_EQ(guest.record->rflags, FLAGS_FIXED | FLAG_TRAP | FLAG_RESUME);
	CHECK_EQ(guest.record->at_rflags & FLAG_TRAP, 0);
	/* The trap comes behind the first instruction after the handler. */
	CHECK_EQ(guest.record->other, DB_VECTOR);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID) + 3);
}

static void test_shadow_of_sti(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, PLACE_OF(vc_in_shadow));
	struct kvm_vcpu_events events;

	vc_set_mode(&guest, IDT_TRAP, 0, 0);
	vc_start(&guest, &regs);
	guest.record->stop = 1;
	vc_must_stop(&guest);
	CHECK_EQ(guest.record->rip, PLACE_OF(vc_in_shadow) + 1);
	CHECK_EQ(guest.record->rflags, FLAGS_FIXED | FLAG_INTERRUPTS | FLAG_RESUME);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.interrupt.shadow, 0);
}

static void test_stack_of_the_tss(void)
{
	struct vc_guest guest = vc_reflecting(2, 0);

	for (unsigned int id = 0; id < 2; id++) {
		struct kvm_regs regs;

		vc_choose(&guest, id);
		vc_set_mode(&guest, IDT_STACK, 0, 0);
		regs = vc_regs_for(&guest, 0);
		vc_run_row(&guest, CPUID, &regs);
		vc_must_be_frame(&guest, &regs, EXIT_CPUID, STACK_IST(id, 1) - 48);
		CHECK_EQ(guest.record->ss, DATA_SELECTOR);
		CHECK_EQ(guest.record->at_ss, DATA_SELECTOR);
	}
}

static void test_from_users(void)
{
	static const u64 idts[] = { IDT, IDT_STACK };
	struct vc_guest guest = vc_reflecting(1, 0);

	for (unsigned int i = 0; i < 2; i++) {
		struct kvm_regs regs = vc_regs_for(&guest, 0);

		vc_set_mode(&guest, idts[i], 3, 0);
		vc_run_row(&guest, CPUID, &regs);
		/* It goes on at CPL 3, where HLT is #GP. */
		CHECK_EQ(guest.record->other, GP_VECTOR);
		CHECK_EQ(guest.record->other_rip, PLACE(CPUID) + 15);
		guest.record->other = 0;
		vc_must_be_frame(&guest, &regs, EXIT_CPUID,
				 (i ? STACK_IST(0, 1) : STACK_0(0)) - 48);
		CHECK_EQ(guest.record->cs, USER_CODE);
		CHECK_EQ(guest.record->ss, USER_DATA);
		CHECK_EQ(guest.record->at_ss, 0);
	}
}

static void test_32_bits(void)
{
	struct kvm_segment code = vc_segment(CODE32_SELECTOR, 0xb, 0);
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, PLACE_OF(vc_cpuid_32));
	struct kvm_sregs sregs;

	code.l = 0;
	code.db = 1;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cr0 &= ~CR0_PG;
	sregs.efer &= ~EFER_LME_LMA;
	sregs.cs = code;
	sregs.idt.base = IDT32;
	sregs.idt.limit = 8 * 32 - 1;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	regs.rsp -= 3;
	regs.rflags |= FLAG_INTERRUPTS;
	vc_start(&guest, &regs);
	vc_must_stop(&guest);
	CHECK_EQ(vc_regs_of(&guest).rip, PLACE_OF(vc_cpuid_32) + 3);
	CHECK_EQ(vc_regs_of(&guest).rsp, regs.rsp);
	CHECK_EQ(guest.record->count, 1);
	CHECK_EQ(guest.record->error, EXIT_CPUID);
	CHECK_EQ(guest.record->rip, regs.rip);
	CHECK_EQ(guest.record->cs, CODE32_SELECTOR);
	CHECK_EQ(guest.record->rflags, regs.rflags | FLAG_RESUME);
	CHECK_EQ(guest.record->at_rsp, regs.rsp - 16);
	CHECK_EQ(guest.record->at_rflags & FLAG_INTERRUPTS, 0);
}

/* ---- deliveries that fail --------------------------------------------------------------- */

static void test_no_handler(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);

	vc_set_mode(&guest, IDT_ABSENT, 0, 0);
	vc_run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK_EQ(guest.record->other, NP_VECTOR);
	CHECK_EQ(guest.record->other_error, VC_VECTOR << 3 | 2);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID));
	/* That cannot be delivered, either. */
	vc_set_mode(&guest, IDT_ALONE, 0, 0);
	vc_start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_SHUTDOWN);
}

static void test_no_stack(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);
	struct kvm_sregs sregs;

	regs.rsp = UNMAPPED;
	vc_run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK_EQ(guest.record->other, PF_VECTOR);
	CHECK_EQ(guest.record->other_error, 2);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.cr2, UNMAPPED - 48);
}

static void test_a_stack_that_is_no_memory(void)
{
	struct vc_guest guest = vc_reflecting(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);

	regs.rip = PLACE(CPUID);
	regs.rsp = NOWHERE + PAGE_SIZE;
	vc_start(&guest, &regs);
	guest.record->skip = 2;
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MEMORY_FAULT);
	CHECK_EQ(guest.vcpu->error, EFAULT);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE);
	CHECK_EQ(vc_regs_of(&guest).rip, regs.rip);
	CHECK_EQ(vc_regs_of(&guest).rsp, regs.rsp);
	/* The VMM puts some there, and the guest gets what it was to get. */
	vm_add_slot(guest.vm, 3, NOWHERE, SZ_2M, -1, 0);
	vc_must_stop(&guest);
	vc_must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
}

static void test_the_wrong_bit(void)
{
	struct vc_guest guest = vc_reflecting(1, C_BIT);
	struct kvm_regs regs = vc_regs_for(&guest, 0);
	const u64 page = STACK_TOP(0) - PAGE_SIZE;

	vm_make_shared(guest.vm, page, PAGE_SIZE);
	regs.rip = PLACE(CPUID);
	vc_start(&guest, &regs);
	guest.record->skip = 2;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MEMORY_FAULT);
		CHECK_EQ(guest.vcpu->gpa, page);
		CHECK_EQ(guest.vcpu->flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	}
	vm_make_private(guest.vm, page, PAGE_SIZE);
	vc_must_stop(&guest);
	vc_must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_stacks_are_aligned),
		TAP_TEST(test_flags),
		TAP_TEST(test_single_step),
		TAP_TEST(test_shadow_of_sti),
		TAP_TEST(test_stack_of_the_tss),
		TAP_TEST(test_from_users),
		TAP_TEST(test_32_bits),
		TAP_TEST(test_no_handler),
		TAP_TEST(test_no_stack),
		TAP_TEST(test_a_stack_that_is_no_memory),
		TAP_TEST(test_the_wrong_bit),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
