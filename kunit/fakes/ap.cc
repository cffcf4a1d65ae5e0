// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that their guest creates (kapi/ap.h): one beside the one that asks.
 */
#include "kunit/fakes/ap.h"

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/sched.h"

using fake::ap;

fake::ApVcpu &fake::ap()
{
	static ApVcpu one;

	return one;
}

bool kapi_any_refused;

struct kvm_vcpu *kapi_kvm_vcpu_by_id(struct kvm *, unsigned id)
{
	return id == ap().id ? ap().vcpu : nullptr;
}

void kapi_vcpu_request_reset(struct kvm_vcpu *)
{
	fake::sched::step("request a reset");
	ap().requests++;
	ap().requested = true;
}

void kapi_vcpu_forget_reset(struct kvm_vcpu *)
{
	ap().requested = false;
}

unsigned kapi_vcpu_address_bits(struct kvm_vcpu *)
{
	return ap().address_bits;
}

bool kapi_vcpu_set_state(struct kvm_vcpu *, const struct kapi_vcpu_state *state)
{
	ap().state = *state;
	ap().set++;
	return ap().takes_state;
}

void kapi_vcpu_refuse(struct kvm_vcpu *)
{
	kapi_any_refused = true;
	ap().refused++;
}

bool kapi_vcpu_is_entering(struct kvm_vcpu *)
{
	return ap().entering && !ap().halted;
}

void kapi_vcpu_exit_refused(struct kvm_vcpu *)
{
	ap().exits++;
}

void kapi_vcpu_init(struct kvm_vcpu *)
{
	ap().inits++;
}

bool kapi_vcpu_lacks_state(struct kvm_vcpu *vcpu)
{
	return ap().lacks_state || !vcpu->direct;
}

void kapi_vcpu_leave_smm(struct kvm_vcpu *)
{
	ap().in_smm = false;
}

void kapi_vcpu_set_halted(struct kvm_vcpu *, bool halted)
{
	ap().halted = halted;
}

int kapi_kvm_read_lock(struct kvm *)
{
	return ap().reads++;
}

void kapi_kvm_read_unlock(struct kvm *, int)
{
	ap().reads--;
}

void kapi_stock_reset(struct kvm_vcpu *, bool)
{
	/* KVM warns of that, and the machine may end there. */
	if (ap().in_smm)
		fake::bug("a vCPU is reset in system management mode");
	ap().lacks_state = false;
	ap().resets++;
}

void kapi_stock_sipi(struct kvm_vcpu *, unsigned char)
{
	ap().sipis++;
}

int kapi_stock_events(struct kvm_vcpu *)
{
	ap().events++;
	return 0;
}
