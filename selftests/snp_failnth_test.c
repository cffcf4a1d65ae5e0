// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation behind what a guest of SNP asks for fails once, on a machine without SNP: the
 * nth of the vCPU's task, n = 1, 2, ... until the exchange has fewer. KVM_RUN says ENOMEM then, or
 * the guest is told to ask again; the next try succeeds. For kernels with FAULT_INJECTION:
 * elsewhere this program plans no test.
 *
 * Tests: guest/ghcb.cc, guest/ap.cc, guest/requests.cc, guest/instructions.cc, gmem/memory.h.
 */
#include <string.h>
#include <unistd.h>

#include "ap.h"
#include "attest.h"
#include "failnth.h"
#include "gmem.h"
#include "guest.h"
#include "snp.h"

#define MOST_POINTS	2000

/* Info 2: to be asked again. */
#define BUSY		(2UL << 32)

#define HV_FEATURES_REQUEST	0x080UL
#define HV_FEATURES_ANSWER	0x3081UL

struct exchange {
	/* Whether each n has a guest of its own, lest there be all that the exchange needs. */
	bool anew;
	/* Before each n. */
	void (*set_up)(struct attest *a);
	enum vm_exit (*run)(struct attest *a);
	/* The vCPU that runs, and how that ends. */
	unsigned int vcpu;
	enum vm_exit end;
	/* @injected: an allocation has failed on the way. */
	void (*done)(struct attest *a, bool injected);
};

static void fail_each(const struct exchange *x)
{
	unsigned int n, refused = 0;
	struct attest a = {};
	bool injected = true;

	failnth_begin();
	for (n = 1; injected; n++) {
		struct vcpu *vcpu;
		enum vm_exit end;

		CHECK(n < MOST_POINTS, "there is no end of it");
		x->set_up(&a);
		vcpu = &a.guest.vm->vcpus[x->vcpu];
		failnth_arm(n);
		end = x->run(&a);
		injected = failnth_disarm();
		if (vcpu->error) {
			CHECK(injected, "fails by itself: %s", strerror(vcpu->error));
			CHECK(vcpu->error == ENOMEM, "allocation %u: %s", n, strerror(vcpu->error));
			refused++;
			end = vcpu_run(vcpu);
		}
		CHECK(end == x->end, "allocation %u: %s", n, vcpu_exit_text(vcpu));
		x->done(&a, injected);
		if (!x->anew)
			continue;
		close(a.guest.fd);
		vm_free(a.guest.vm);
		a = (struct attest){};
	}
	tap_diag("%u allocations failed, %u KVM_RUNs with them", n - 2, refused);
}

/* ---- the first exchange of a vCPU ------------------------------------------------------------ */

static void launched(struct attest *a)
{
	a->guest = ghcb_guest(1);
}

static enum vm_exit ask_by_msr(struct attest *a)
{
	return ghcb_vmgexit(&a->guest, HV_FEATURES_REQUEST);
}

static void answered_by_msr(struct attest *a, bool injected __attribute__((unused)))
{
	CHECK_EQ(a->guest.frame->msr, HV_FEATURES_ANSWER);
}

static void registered(struct attest *a)
{
	a->guest = ghcb_registered_guest(1);
	ghcb_prepare(&a->guest, HV_FEATURES, 0, 0);
}

static enum vm_exit ask(struct attest *a)
{
	return ghcb_vmgexit(&a->guest, GHCB);
}

static void answered(struct attest *a, bool injected __attribute__((unused)))
{
	ghcb_check_answer(&a->guest, 0, 3);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static enum vm_exit validate(struct attest *a)
{
	u64 result;

	return guest_call(a->guest.vcpu, PVALIDATE, BLOCK, &result);
}

static void validated(struct attest *a, bool injected __attribute__((unused)))
{
	u64 result;

	/* It was done, and once. */
	MUST(guest_call(a->guest.vcpu, PVALIDATE, BLOCK, &result));
	CHECK(result & 0x100, "PVALIDATE gives %#lx", result);
}

static void wants_change(struct attest *a)
{
	u64 *buffer;

	a->guest = ghcb_registered_guest(1);
	vm_enable_map_gpa_exit(a->guest.vm);
	ghcb_prepare(&a->guest, PSC, 0, 0);
	ghcb_set(&a->guest, SCRATCH, BUFFER);
	/* Entries 0 to 0. */
	buffer = (u64 *)(a->guest.ghcb + (BUFFER - GHCB));
	buffer[0] = 0;
	buffer[1] = ENTRY(BLOCK, SHARED);
}

static void changes(struct attest *a, bool injected __attribute__((unused)))
{
	ghcb_must_ask(&a->guest, EXIT_HYPERCALL, BLOCK, 1, MAP_SHARED_4K);
	ghcb_convert(&a->guest);
	ghcb_must_go_on(&a->guest, 0, 0);
}

/* ---- vCPUs ----------------------------------------------------------------------------------- */

static void has_area(struct attest *a)
{
	unsigned char area[AREA_SIZE];

	if (!a->guest.vm) {
		a->guest = ap_creator(2);
		ap_fill_long(area, 1);
		ap_make_area(&a->guest, AREA(0), area);
	}
	ap_prepare(&a->guest, ASK(1, CREATE), AREA(0));
}

static void created(struct attest *a, bool injected __attribute__((unused)))
{
	ghcb_check_answer(&a->guest, 0, 0);
	ap_must_begin(&a->guest, 1);
}

static void has_created(struct attest *a)
{
	has_area(a);
	ap_ask(&a->guest, ASK(1, CREATE), AREA(0));
	memset((void *)ap_record(&a->guest, 1), 0, sizeof(struct ap_record));
}

static enum vm_exit begin(struct attest *a)
{
	return vcpu_run(&a->guest.vm->vcpus[1]);
}

/* A vCPU without its state cannot be entered, and is created again. */
static void begun(struct attest *a, bool injected)
{
	struct kvm_run *run = a->guest.vm->vcpus[1].run;

	if (run->exit_reason == KVM_EXIT_FAIL_ENTRY) {
		CHECK(injected, "it is refused");
		ap_ask(&a->guest, ASK(1, CREATE), AREA(0));
		ap_must_begin(&a->guest, 1);
	}
	CHECK_EQ(ap_record(&a->guest, 1)->count, 1);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void has_message(struct attest *a)
{
	if (!a->guest.vm)
		*a = attest_guest();
	attest_put_report(a, 0, 0x55);
	attest_prepare(a, EXT_REQUEST);
}

static void is_attested(struct attest *a, bool injected)
{
	/* The firmware has not counted what it could not answer. */
	if (ghcb_field(&a->guest, INFO_2) == BUSY) {
		CHECK(injected, "it is busy");
		attest_must(a, EXT_REQUEST, 0, 0);
	}
	ghcb_check_answer(&a->guest, 0, 0);
	attest_check_report(attest_answer(a, REPORT_REQ, 0, 0x20 + REPORT_SIZE) + 0x20);
}

#define FAIL_EACH(name, ...)						\
	static void test_##name(void)					\
	{								\
		static const struct exchange x = { __VA_ARGS__ };	\
									\
		fail_each(&x);						\
	}

FAIL_EACH(msr, true, launched, ask_by_msr, 0, EXIT_DONE, answered_by_msr)
FAIL_EACH(ghcb, true, registered, ask, 0, EXIT_DONE, answered)
FAIL_EACH(pvalidate, true, launched, validate, 0, EXIT_DONE, validated)
FAIL_EACH(psc, true, wants_change, ask, 0, EXIT_HYPERCALL, changes)
FAIL_EACH(creation, false, has_area, ask, 0, EXIT_DONE, created)
FAIL_EACH(reset, false, has_created, begin, 1, EXIT_OTHER, begun)
FAIL_EACH(report, false, has_message, ask, 0, EXIT_DONE, is_attested)

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_msr),   TAP_TEST(test_ghcb),  TAP_TEST(test_pvalidate),
		TAP_TEST(test_psc),   TAP_TEST(test_creation), TAP_TEST(test_reset),
		TAP_TEST(test_report),
	};

	return failnth_or_plan_none() ? tap_main(tests, ARRAY_SIZE(tests)) : 0;
}
