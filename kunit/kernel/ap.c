// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/ap.h: no vCPU is created in the suites that run in the kernel.
 */
#include "../../kapi/ap.h"

struct kvm_vcpu *kapi_kvm_vcpu_by_id(struct kvm *kvm, unsigned int id)
{
	return NULL;
}

void kapi_vcpu_request_reset(struct kvm_vcpu *vcpu)
{
}

void kapi_vcpu_forget_reset(struct kvm_vcpu *vcpu)
{
}

unsigned int kapi_vcpu_address_bits(struct kvm_vcpu *vcpu)
{
	return 0;
}

bool kapi_vcpu_set_state(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	return false;
}

bool kapi_any_refused;

void kapi_vcpu_refuse(struct kvm_vcpu *vcpu)
{
}

bool kapi_vcpu_is_entering(struct kvm_vcpu *vcpu)
{
	return false;
}

void kapi_vcpu_exit_refused(struct kvm_vcpu *vcpu)
{
}

void kapi_vcpu_init(struct kvm_vcpu *vcpu)
{
}

bool kapi_vcpu_lacks_state(struct kvm_vcpu *vcpu)
{
	return false;
}

void kapi_vcpu_leave_smm(struct kvm_vcpu *vcpu)
{
}

void kapi_vcpu_set_halted(struct kvm_vcpu *vcpu, bool halted)
{
}

int kapi_kvm_read_lock(struct kvm *kvm)
{
	return 0;
}

void kapi_kvm_read_unlock(struct kvm *kvm, int token)
{
}

void kapi_stock_reset(struct kvm_vcpu *vcpu, bool init)
{
}

void kapi_stock_sipi(struct kvm_vcpu *vcpu, unsigned char vector)
{
}

int kapi_stock_events(struct kvm_vcpu *vcpu)
{
	return 0;
}
