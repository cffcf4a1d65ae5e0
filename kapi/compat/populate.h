/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Callbacks of a populate, where KVM's take the source as a page (GMEM_KVM_POPULATE_PAGES)
 * and the core's, as KVM's of before, as a user address that may not be there.
 */
#ifndef GMEM_KAPI_COMPAT_POPULATE_H
#define GMEM_KAPI_COMPAT_POPULATE_H

#include "../hooks.h"

/* One of KVM's, as the opaque argument of gmem_call_by_page(). */
struct gmem_callback_by_page {
	kvm_gmem_populate_cb callback;
	void *opaque;
	bool writeback; /* the callback may write to the source */
	const struct kapi_pins *pins; /* what the core has pinned of the source, or NULL */
};

/*
 * kapi_populate_cb that calls KVM's, @opaque, with the page that is pinned. Without pins,
 * -EFAULT where the source is not there, or has no page that is found without mmap_lock (the
 * zero page): the core pins it then, and comes again. Takes no lock.
 */
int gmem_call_by_page(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src, int order,
		      void *opaque);

/* A kapi_populate_cb, as the opaque argument of gmem_call_by_address(). */
struct gmem_callback_by_address {
	kapi_populate_cb callback;
	void *opaque;
	kapi_u64 gfn; /* what @src is the source of */
	void *src;
};

/* KVM's callback that calls the other, @opaque. */
int gmem_call_by_address(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, struct page *src, void *opaque);

#endif /* GMEM_KAPI_COMPAT_POPULATE_H */
