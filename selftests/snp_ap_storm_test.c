// SPDX-License-Identifier: GPL-2.0-only
/*
 * All at once, at random, on a machine without SNP: two vCPUs of a guest create and destroy two
 * others, send them INIT and SIPI, and give and take back their save areas, while the VMM gives
 * those two states that they cannot have, interrupts them, and changes memslots. Whatever becomes
 * of the guest, the host is well, and a vCPU can be created afterwards.
 *
 * SEED=N repeats what is chosen, ROUNDS=N how often.
 *
 * Tests: guest/ap.cc, arch/x86/snp_ap.cc, kapi/ap.c.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "ap.h"
#include "clock.h"
#include "guest.h"
#include "rng.h"
#include "snp.h"

#define NR_CREATORS	2U
#define NR_TARGETS	2U
#define NR_VCPUS	(NR_CREATORS + NR_TARGETS)
#define NR_AREAS	3U

#define ICR_INIT	0x4500U
#define ICR_SIPI	0x4608U /* REAL_CODE */

#define OTHER_SLOT	20
#define OTHER_GPA	(TEST_GPA + 2 * SZ_1G)

/* Between the VMM's turns. */
#define PAUSE_US	2000

struct party {
	struct ghcb_guest guest;
	struct rng rng;
	pthread_t thread;
	unsigned long rounds;
	bool done;
};

static bool over;

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_SEQ_CST);
}

static void on_signal(int signal __attribute__((unused)))
{
}

/* ---- the guest ------------------------------------------------------------------------------ */

static void creator_acts(struct party *self)
{
	const unsigned int target = NR_CREATORS + rng_below(&self->rng, NR_TARGETS);
	const u64 area = AREA(rng_below(&self->rng, NR_AREAS));
	struct ghcb_guest *const guest = &self->guest;

	switch (rng_below(&self->rng, 8)) {
	case 0:
	case 1:
		return ap_ask(guest, ASK(target, CREATE), area);
	case 2:
		return ap_ask(guest, ASK(target, DESTROY), 0);
	case 3:
		return ap_ask(guest, ASK(target, ON_INIT), area);
	case 4:
	case 5:
		MUST(guest_write(guest->vcpu, APIC_ICR2, 4, target << 24));
		MUST(guest_write(guest->vcpu, APIC_ICR, 4,
				 rng_once_in(&self->rng, 2) ? ICR_INIT : ICR_SIPI));
		return;
	case 6:
		ap_call(guest, RMPADJUST_BACK, area);
		return;
	default:
		ap_call(guest, RMPADJUST, area);
	}
}

static void *create(void *arg)
{
	struct party *self = arg;

	for (unsigned long i = 0; i < self->rounds; i++)
		creator_acts(self);
	set(&self->done);
	return NULL;
}

/* ---- the VMM -------------------------------------------------------------------------------- */

static void give_state(struct party *self)
{
	static const u32 states[] = {
		KVM_MP_STATE_RUNNABLE,	     KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_HALTED,
		KVM_MP_STATE_INIT_RECEIVED,  KVM_MP_STATE_SIPI_RECEIVED, KVM_MP_STATE_AP_RESET_HOLD,
	};
	const int fd = self->guest.vcpu->fd;
	struct kvm_mp_state state = { states[rng_below(&self->rng, ARRAY_SIZE(states))] };
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	switch (rng_below(&self->rng, 8)) {
	case 0:
		/* KVM refuses some of them, where SMM or what is pending forbids them. */
		ioctl(fd, KVM_SET_MP_STATE, &state);
		return;
	case 1:
		CHECK_OK(ioctl(fd, KVM_GET_VCPU_EVENTS, &events));
		/* No SMI: where its memory cannot be written KVM ends the VM. */
		events.nmi.pending = rng_once_in(&self->rng, 2);
		ioctl(fd, KVM_SET_VCPU_EVENTS, &events);
		return;
	case 2:
		CHECK_OK(ioctl(fd, KVM_GET_SREGS, &sregs));
		CHECK_OK(ioctl(fd, KVM_GET_REGS, &regs));
		regs.rip += rng_below(&self->rng, 2);
		ioctl(fd, KVM_SET_SREGS, &sregs);
		ioctl(fd, KVM_SET_REGS, &regs);
		return;
	}
}

static void *run(void *arg)
{
	struct party *self = arg;

	while (!is_set(&over)) {
		ioctl(self->guest.vcpu->fd, KVM_RUN, 0);
		self->rounds++;
		give_state(self);
	}
	set(&self->done);
	return NULL;
}

/* A vCPU that waits for SIPI and is asked to reset goes round in KVM until there is a signal. */
static void *interrupt(void *arg)
{
	struct party *targets = arg;

	while (!is_set(&targets[0].done) || !is_set(&targets[1].done)) {
		for (unsigned int i = 0; i < NR_TARGETS; i++)
			pthread_kill(targets[i].thread, SIGUSR1);
		let_pass(PAUSE_US);
	}
	return NULL;
}

static void change_memslots(struct vm *vm, void *mem)
{
	CHECK_OK(vm_set_region(vm, OTHER_SLOT, 0, OTHER_GPA, SZ_2M, mem));
	vm_delete_slot(vm, OTHER_SLOT);
}

/* ---- both ----------------------------------------------------------------------------------- */

static void check_that_one_can_be_created(struct ghcb_guest *guest, unsigned int id)
{
	struct kvm_mp_state state = { KVM_MP_STATE_RUNNABLE };
	struct vcpu *const vcpu = &guest->vm->vcpus[id];
	unsigned char area[AREA_SIZE];

	for (unsigned int i = 0; i < NR_TARGETS; i++)
		ap_ask(guest, ASK(NR_CREATORS + i, DESTROY), 0);
	ap_fill_long(area, id);
	ap_call(guest, RMPADJUST_BACK, AREA(0));
	ap_make_area(guest, AREA(0), area);
	ap_ask(guest, ASK(id, CREATE), AREA(0));
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &state));
	ap_must_begin(guest, id);
}

static void test_storm(void)
{
	const unsigned long seed = rng_seed();
	const char *const rounds = getenv("ROUNDS");
	struct ghcb_guest first = ap_creator_of(snp_knowing_vm_with_apic(NR_VCPUS));
	void *const mem = vm_reserve(OTHER_GPA, SZ_2M);
	struct party creators[NR_CREATORS] = {}, targets[NR_TARGETS] = {};
	struct kvm_mp_state state = { KVM_MP_STATE_RUNNABLE };
	unsigned char area[AREA_SIZE];
	pthread_t interrupter;

	tap_diag("SEED=%lu", seed);
	signal(SIGUSR1, on_signal);
	over = false;
	for (unsigned int i = 0; i < NR_AREAS; i++) {
		ap_fill_long(area, NR_CREATORS + i % NR_TARGETS);
		ap_make_area(&first, AREA(i), area);
	}
	for (unsigned int i = 1; i < NR_VCPUS; i++)
		CHECK_OK(ioctl(first.vm->vcpus[i].fd, KVM_SET_MP_STATE, &state));
	for (unsigned int i = 0; i < NR_CREATORS; i++) {
		creators[i].guest = i ? ghcb_on(&first, i) : first;
		creators[i].rng.state = seed + i;
		creators[i].rounds = rounds ? strtoul(rounds, NULL, 0) : 300;
	}
	for (unsigned int i = 0; i < NR_TARGETS; i++) {
		targets[i].guest = first;
		targets[i].guest.vcpu = &first.vm->vcpus[NR_CREATORS + i];
		targets[i].rng.state = seed + NR_CREATORS + i;
		targets[i].thread = thread_start(run, &targets[i]);
	}
	interrupter = thread_start(interrupt, targets);
	for (unsigned int i = 0; i < NR_CREATORS; i++)
		creators[i].thread = thread_start(create, &creators[i]);
	while (!is_set(&creators[0].done) || !is_set(&creators[1].done)) {
		change_memslots(first.vm, mem);
		let_pass(PAUSE_US);
	}
	for (unsigned int i = 0; i < NR_CREATORS; i++)
		thread_join(creators[i].thread);
	set(&over);
	for (unsigned int i = 0; i < NR_TARGETS; i++)
		thread_join(targets[i].thread);
	thread_join(interrupter);
	tap_diag("the two have run %lu and %lu times", targets[0].rounds, targets[1].rounds);
	for (unsigned int i = 0; i < NR_TARGETS; i++)
		check_that_one_can_be_created(&creators[i].guest, NR_CREATORS + i);
	vm_unreserve(mem, SZ_2M);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_storm),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
