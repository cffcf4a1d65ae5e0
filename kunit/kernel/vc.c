// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/vc.h: no vCPU exits in the suites that run in the kernel.
 */
#include <linux/errno.h>

#include "../../kapi/vc.h"

kapi_u64 kapi_vcpu_exit_code(struct kvm_vcpu *vcpu)
{
	return 0;
}

bool kapi_vcpu_redelivers(struct kvm_vcpu *vcpu)
{
	return false;
}

unsigned int kapi_vcpu_msr_index(struct kvm_vcpu *vcpu)
{
	return 0;
}

void kapi_vcpu_event_state(struct kvm_vcpu *vcpu, struct kapi_event_state *state)
{
	*state = (struct kapi_event_state){};
}

void kapi_vcpu_set_event_state(struct kvm_vcpu *vcpu, const struct kapi_event_state *state)
{
}

void kapi_vcpu_exception(struct kvm_vcpu *vcpu, unsigned int vector, unsigned int error_code)
{
}

int kapi_stock_cpuid(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in)
{
	return -EINVAL;
}

int kapi_stock_emulate(struct kvm_vcpu *vcpu, kapi_u64 gpa, int how, void *insn, int insn_len)
{
	return -EINVAL;
}

int kapi_stock_rdpmc(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_wbinvd(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_invd(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_monitor(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_mwait(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}
