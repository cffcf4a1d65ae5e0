// SPDX-License-Identifier: GPL-2.0-only
/*
 * #VC in a guest that knows that it is SNP's, on a machine without SNP: which instructions are it
 * with snp_guests=aware-vc and which are not, and what comes at the same time; with any other
 * value, that KVM serves all of it. Frames are snp_vc_frames_test's.
 *
 * Tests: guest/reflect.cc, guest/vc.cc, guest/exits.cc, kapi/vc.c.
 */
#include <signal.h>
#include <sys/ioctl.h>

#include "clock.h"
#include "guest.h"
#include "vc.h"

/* ---- what is #VC ------------------------------------------------------------------------ */

static void check_rows(struct vc_guest *guest)
{
	struct kvm_regs regs = vc_regs_for(guest, 0), after;

	for (unsigned int i = 0; i < vc_nr_rows; i++) {
		const struct vc_row *row = &vc_rows[i];

		if (!row->exit) {
			vc_run_row(guest, i, &regs);
			CHECK(!guest->record->count && !guest->record->other, "%s: #VC 0x%lx",
			      row->name, guest->record->error);
			continue;
		}
		vc_run_row(guest, i, &regs);
		CHECK(guest->record->count == 1 && guest->record->error == row->exit,
		      "%s: %lu #VCs, the last 0x%lx, other %lu", row->name, guest->record->count,
		      guest->record->error, guest->record->other);
		vc_must_reflect(guest, i, &regs);
		/* The handler has gone on behind the instruction, and nothing was done. */
		after = vc_regs_of(guest);
		CHECK_EQ(after.rip, regs.rip + 16);
		CHECK_EQ(after.rsp, regs.rsp);
		CHECK(after.rax == row->rax && after.rbx == 0x1111 && after.rcx == row->rcx &&
		      after.rdx == row->rdx && after.rsi == regs.rsi && after.rdi == regs.rdi,
		      "%s: registers have changed", row->name);
	}
	CHECK_EQ(guest->vm->vcpus[0].run->exit_reason, KVM_EXIT_HLT);
}

static void test_each_instruction(void)
{
	struct vc_guest guest = vc_launched(1, 0);

	check_rows(&guest);
}

static void test_with_a_c_bit(void)
{
	struct vc_guest guest = vc_launched(1, C_BIT);

	check_rows(&guest);
}

static void test_what_is_not(void)
{
	struct vc_guest guest = vc_launched(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);
	struct kvm_sregs sregs;

	vc_run_row(&guest, RDMSR_EFER, &regs);
	CHECK_EQ(vc_regs_of(&guest).rax & EFER_LME_LMA, EFER_LME_LMA);
	/* Without an IDT KVM serves what it can. */
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.idt.limit = 16 * VC_VECTOR + 14;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	vc_run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK(vc_regs_of(&guest).rbx != 0x1111, "CPUID has not been served");
}

/* ---- at once ---------------------------------------------------------------------------- */

static void test_interrupt_first(void)
{
	struct vc_guest guest = vc_launched(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);
	struct kvm_interrupt irq = { .irq = IRQ_VECTOR };

	/* What is pending comes before the instruction, and #VC with its own frame after. */
	regs.rip = PLACE(CPUID);
	regs.rflags |= FLAG_INTERRUPTS;
	vc_start(&guest, &regs);
	guest.record->skip = 2;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_INTERRUPT, &irq));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_NMI));
	vc_must_stop(&guest);
	vc_must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
	CHECK_EQ(guest.record->irqs, 1);
	CHECK_EQ(guest.record->nmis, 1);
}

#define ROUNDS	2000
#define SIGNALS	20

struct looper {
	struct vc_guest guest;
	unsigned int signals;
	bool done;
};

/* An NMI at first, and one more whenever a signal has stopped it; until there were enough. */
static void *run_loop(void *arg)
{
	struct looper *looper = arg;
	struct vc_guest *guest = &looper->guest;
	const struct vc_record *record = guest->record;
	struct kvm_regs regs = vc_regs_for(guest, PLACE_OF(vc_loop));

	regs.r13 = ROUNDS;
	regs.rflags |= FLAG_INTERRUPTS;
	while (looper->signals < SIGNALS) {
		unsigned int nmis = 1;

		vc_start(guest, &regs);
		guest->record->skip = 2;
		for (;; nmis++) {
			CHECK_OK(ioctl(guest->vcpu->fd, KVM_NMI));
			if (ioctl(guest->vcpu->fd, KVM_RUN, 0) == 0)
				break;
			CHECK_EQ(errno, EINTR);
			looper->signals++;
		}
		CHECK_EQ(guest->vcpu->run->exit_reason, KVM_EXIT_HLT);
		CHECK_EQ(record->other, 0);
		CHECK_EQ(record->count, ROUNDS);
		CHECK_EQ(record->at_rsp, STACK_IST(guest->vcpu->id, 1) - 48);
		/* KVM keeps two at most until the guest can take them. */
		CHECK(record->nmis && record->nmis <= nmis, "%lu NMIs of %u", record->nmis, nmis);
	}
	__atomic_store_n(&looper->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void on_signal(int nr)
{
	(void)nr;
}

/* Two vCPUs get #VC all the time, and are disturbed by signals, and an NMI after each. */
static void test_two_vcpus_beside_nmis(void)
{
	struct vc_guest guest = vc_launched(2, C_BIT);
	struct looper loopers[2];
	pthread_t threads[2];
	unsigned int i;

	signal(SIGUSR1, on_signal);
	for (i = 0; i < 2; i++) {
		vc_choose(&guest, i);
		vc_set_mode(&guest, IDT_STACK, 0, 1UL << C_BIT);
		loopers[i] = (struct looper){ .guest = guest };
		threads[i] = thread_start(run_loop, &loopers[i]);
	}
	for (i = 0; i < 2; ) {
		pthread_kill(threads[0], SIGUSR1);
		pthread_kill(threads[1], SIGUSR1);
		let_pass(1000);
		i += __atomic_load_n(&loopers[i].done, __ATOMIC_SEQ_CST);
	}
	thread_join(threads[0]);
	thread_join(threads[1]);
}

/* ---- without ---------------------------------------------------------------------------- */

/* Any #VC would be counted, and its exit would not be user space's or KVM's. */
static void test_kvm_serves_it(void)
{
	struct vc_guest guest = vc_launched(1, 0);
	struct kvm_regs regs = vc_regs_for(&guest, 0);

	vc_run_row(&guest, CPUID, &regs);
	CHECK(vc_regs_of(&guest).rbx != 0x1111, "CPUID has not been served");
	vc_run_row(&guest, VMMCALL, &regs);
	vc_run_row(&guest, RDMSR_EFER, &regs);
	CHECK_EQ(vc_regs_of(&guest).rax & EFER_LME_LMA, EFER_LME_LMA);
	CHECK_EQ(guest.record->count, 0);
	regs.rip = PLACE(OUT);
	vc_start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_IO);
	vc_must_stop(&guest);
	regs.rip = PLACE(MMIO_READ);
	regs.rsi = NOWHERE;
	vc_start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MMIO);
	vc_must_stop(&guest);
	CHECK_EQ(guest.record->count, 0);
}

int main(void)
{
	static const struct tap_test served[] = { TAP_TEST(test_kvm_serves_it) };
	static const struct tap_test reflected[] = {
		TAP_TEST(test_each_instruction),
		TAP_TEST(test_with_a_c_bit),
		TAP_TEST(test_what_is_not),
		TAP_TEST(test_interrupt_first),
		TAP_TEST(test_two_vcpus_beside_nmis),
	};

	if (!vc_reflects())
		return tap_main(served, ARRAY_SIZE(served));
	return tap_main(reflected, ARRAY_SIZE(reflected));
}
