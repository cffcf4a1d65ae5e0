// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs of SNP's type (kapi/sev.c, kapi/sev_node.c): what KVM has of them, save areas that
 * tell vCPUs apart, and a device node whose descriptor is a number.
 */
#include "kapi/sev.h"

#include <cstring>

#include "kunit/fakes/kvm.h"
#include "kunit/fakes/sev.h"

void kapi_kvm_make_snp_model(struct kvm *kvm)
{
	kapi_kvm_make_sw_protected(kvm);
	kvm->snp_model = true;
}

bool kapi_kvm_is_snp_model(struct kvm *kvm)
{
	return kvm->snp_model;
}

void kapi_kvm_launched(struct kvm *kvm)
{
	kvm->launched = true;
}

void kapi_kvm_lock(struct kvm *kvm)
{
	kvm->lock.lock();
}

void kapi_kvm_unlock(struct kvm *kvm)
{
	kvm->lock.unlock();
}

int kapi_kvm_vcpus(struct kvm *kvm)
{
	if (!kvm->lock.held())
		fake::bug("kapi_kvm_vcpus() without kvm->lock");
	return kvm->vcpus;
}

int kapi_kvm_vmsa(struct kvm *kvm, unsigned nr, kapi_u64 sev_features, void *page)
{
	if (!kvm->lock.held())
		fake::bug("kapi_kvm_vmsa() without kvm->lock");
	if (static_cast<int>(nr) == kvm->busy_vcpu)
		return -EBUSY;
	fake::fill_vmsa(page, nr, sev_features);
	return 0;
}

bool kapi_sev_node_is(int fd)
{
	return fd == fake::kSevNode;
}

void fake::fill_vmsa(void *page, unsigned nr, std::uint64_t sev_features)
{
	std::memset(page, 0, 4096);
	std::memcpy(static_cast<char *>(page) + 0x3b0, &sev_features, sizeof(sev_features));
	std::memcpy(page, &nr, sizeof(nr));
}
