// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/sev.h: no VM of the suites that run in the kernel is of SNP's type.
 */
#include <linux/errno.h>

#include "kapi/sev.h"
#include "kvm.h"

void kapi_kvm_make_snp_model(struct kvm *kvm)
{
}

bool kapi_kvm_is_snp_model(struct kvm *kvm)
{
	return false;
}

void kapi_kvm_launched(struct kvm *kvm)
{
}

void kapi_kvm_lock(struct kvm *kvm)
{
}

void kapi_kvm_unlock(struct kvm *kvm)
{
}

int kapi_kvm_vcpus(struct kvm *kvm)
{
	return 0;
}

int kapi_kvm_vmsa(struct kvm *kvm, unsigned int nr, kapi_u64 sev_features, void *page)
{
	return -EINVAL;
}

bool kapi_sev_node_is(int fd)
{
	return false;
}
