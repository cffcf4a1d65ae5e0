// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs of SNP's type (kapi/sev.c, kapi/sev_node.c): what KVM has of them, save areas that
 * tell vCPUs apart, and a device node whose descriptor is a number.
 */
#include "kapi/kapi.h"
#include "kapi/sev.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

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

struct page *kapi_page_alloc_charged(void)
{
	return kapi_pages_alloc(0);
}

int kapi_sev_region_add(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	if (!size || fake::fail_now())
		return size ? -ENOMEM : -EINVAL;
	kvm->regions.insert({ addr, size });
	return 0;
}

int kapi_sev_region_remove(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	const auto at = kvm->regions.find({ addr, size });

	if (at == kvm->regions.end())
		return -EINVAL;
	kvm->regions.erase(at);
	return 0;
}

void kapi_sev_regions_drop(struct kvm *kvm)
{
	kvm->regions.clear();
}

void kapi_seq_print(void *seq, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	std::vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	static_cast<std::string *>(seq)->append(text);
}

void fake::fill_vmsa(void *page, unsigned nr, std::uint64_t sev_features)
{
	std::memset(page, 0, 4096);
	std::memcpy(static_cast<char *>(page) + 0x3b0, &sev_features, sizeof(sev_features));
	std::memcpy(page, &nr, sizeof(nr));
}
