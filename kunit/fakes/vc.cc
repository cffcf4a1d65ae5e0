// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs whose guest may get #VC (kapi/vc.h): one, whose registers tests set and look at. The
 * stock bodies note that they were called.
 */
#include "kunit/fakes/vc.h"

#include "kunit/fakes/guest.h"

using fake::vc_vcpu;

fake::VcVcpu &fake::vc_vcpu()
{
	static VcVcpu one;

	return one;
}

namespace
{

int stock_body()
{
	vc_vcpu().stock++;
	return fake::kStockExit;
}

} /* namespace */

kapi_u64 kapi_vcpu_exit_code(struct kvm_vcpu *)
{
	return vc_vcpu().exit_code;
}

bool kapi_vcpu_redelivers(struct kvm_vcpu *)
{
	return vc_vcpu().redelivers;
}

unsigned kapi_vcpu_msr_index(struct kvm_vcpu *)
{
	return vc_vcpu().msr;
}

void kapi_vcpu_event_state(struct kvm_vcpu *, struct kapi_event_state *state)
{
	*state = vc_vcpu().state;
}

void kapi_vcpu_set_event_state(struct kvm_vcpu *, const struct kapi_event_state *state)
{
	vc_vcpu().state = *state;
	vc_vcpu().entered++;
}

void kapi_vcpu_exception(struct kvm_vcpu *, unsigned vector, unsigned error_code)
{
	vc_vcpu().vector = vector;
	vc_vcpu().error_code = error_code;
}

int kapi_stock_cpuid(struct kvm_vcpu *)
{
	return stock_body();
}

int kapi_stock_pio(struct kvm_vcpu *, int, unsigned short, int)
{
	return stock_body();
}

int kapi_stock_emulate(struct kvm_vcpu *, kapi_u64, int, void *, int)
{
	return stock_body();
}

int kapi_stock_rdpmc(struct kvm_vcpu *)
{
	return stock_body();
}

int kapi_stock_wbinvd(struct kvm_vcpu *)
{
	return stock_body();
}

int kapi_stock_invd(struct kvm_vcpu *)
{
	return stock_body();
}

int kapi_stock_monitor(struct kvm_vcpu *)
{
	return stock_body();
}

int kapi_stock_mwait(struct kvm_vcpu *)
{
	return stock_body();
}
