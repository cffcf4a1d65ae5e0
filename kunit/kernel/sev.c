// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/sev.h: no VM of the suites that run in the kernel is of SNP's type.
 */
#include <linux/errno.h>

#include "../../kapi/sev.h"
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

struct page *kapi_page_alloc_charged(void)
{
	return kapi_pages_alloc(0);
}

int kapi_sev_region_add(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	return -EINVAL;
}

int kapi_sev_region_remove(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	return -EINVAL;
}

void kapi_sev_regions_drop(struct kvm *kvm)
{
}

void kapi_seq_print(void *seq, const char *format, ...)
{
}
