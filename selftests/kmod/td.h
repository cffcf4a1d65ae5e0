/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's steps for a TDX guest's memory, in a VM that is no TDX guest, for gmem_test.ko. Calls,
 * order and locks are those of arch/x86/kvm/vmx/tdx.c, less the calls of the TDX module.
 */
#ifndef GMEM_TEST_TD_H
#define GMEM_TEST_TD_H

#include <linux/highmem.h>
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

#include "gmem_test_abi.h"
#include "kvm_calls.h"

#if GMEM_KVM_POPULATE_PAGES

struct added_page {
	struct kvm_vcpu *vcpu;
	gfn_t busy_gfn; /* PAGE.ADD of this one finds the TDX module contended */
};

/* tdx_gmem_post_populate(): the page is copied and mapped by a fault of its own. */
static int add_page(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, struct page *src, void *opaque)
{
	const struct added_page *const added = opaque;

	lockdep_assert_held(&kvm->lock);
	lockdep_assert_held(&added->vcpu->mutex);
	lockdep_assert_held(&kvm->slots_lock);
	if (gfn == added->busy_gfn)
		return -EBUSY;
	copy_highpage(pfn_to_page(pfn), src);
	return KVM_CALL(kvm_tdp_mmu_map_private_pfn)(added->vcpu, gfn, pfn);
}

/* tdx_vcpu_init_mem_region(), of vCPU 0. */
static int add_pages_locked(struct kvm *kvm, struct gmem_test_add *req)
{
	struct added_page added = { kvm_get_vcpu(kvm, 0), req->busy_gfn };
	const unsigned long seq = kvm->mmu_invalidate_seq;
	long ret = 0;

	if (!added.vcpu)
		return -EINVAL;
	KVM_CALL(vcpu_load)(added.vcpu);
	for (req->added = 0; req->added < req->npages && ret >= 0; req->added += ret == 1) {
		ret = KVM_CALL(kvm_gmem_populate)(kvm, req->gfn + req->added,
						  u64_to_user_ptr(req->source) +
							  req->added * PAGE_SIZE,
						  1, false, add_page, &added);
		if (!ret)
			ret = -EIO;
		cond_resched();
	}
	KVM_CALL(vcpu_put)(added.vcpu);
	req->invalidations = kvm->mmu_invalidate_seq - seq;
	return ret < 0 ? ret : 0;
}

/* KVM_TDX_INIT_MEM_REGION: the locks of tdx_acquire_vm_state_locks(). Sleeps. */
static int td_add_pages(struct kvm *kvm, struct gmem_test_add *req)
{
	int ret;

	mutex_lock(&kvm->lock);
	ret = KVM_CALL(kvm_lock_all_vcpus)(kvm);
	if (!ret) {
		mutex_lock(&kvm->slots_lock);
		ret = add_pages_locked(kvm, req);
		mutex_unlock(&kvm->slots_lock);
		KVM_CALL(kvm_unlock_all_vcpus)(kvm);
	}
	mutex_unlock(&kvm->lock);
	return ret;
}

#else

/* KVM has no TDX guests. */
static int td_add_pages(struct kvm *kvm, struct gmem_test_add *req)
{
	return -EOPNOTSUPP;
}

#endif

static long add(void __user *arg)
{
	struct gmem_test_add req;
	struct kvm *kvm;
	long ret;

	kvm = vm_asked_for(&req, sizeof(req), &req.vm_fd, arg);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	ret = td_add_pages(kvm, &req);
	kvm_put_kvm(kvm);
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : ret;
}

static long exchange_type(void __user *arg)
{
	struct gmem_test_vm_type req;
	struct kvm *kvm;

	kvm = vm_asked_for(&req, sizeof(req), &req.vm_fd, arg);
	if (IS_ERR(kvm))
		return PTR_ERR(kvm);
	req.type = xchg(&kvm->arch.vm_type, req.type);
	kvm_put_kvm(kvm);
	return copy_to_user(arg, &req, sizeof(req)) ? -EFAULT : 0;
}

#endif /* GMEM_TEST_TD_H */
