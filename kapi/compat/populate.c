// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two kinds of callbacks of a populate made of each other (populate.h).
 */
#include "populate.h"

#if GMEM_KVM_POPULATE_PAGES

#include <linux/mm.h>
#include <linux/uaccess.h>

int gmem_call_by_page(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src, int order,
		      void *opaque)
{
	const struct gmem_callback_by_page *const by_page = opaque;
	const struct kapi_pins *const pins = by_page->pins;
	struct page *page = NULL;
	int ret;

	if (src && pins)
		return by_page->callback(kvm, gfn, pfn,
					 pins->pages[(src - pins->src) >> PAGE_SHIFT],
					 by_page->opaque);
	if (src && get_user_pages_fast_only((unsigned long)src, 1,
					    by_page->writeback ? FOLL_WRITE : 0, &page) != 1)
		return -EFAULT;
	ret = by_page->callback(kvm, gfn, pfn, page, by_page->opaque);
	if (page)
		put_page(page);
	return ret;
}

int gmem_call_by_address(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, struct page *src, void *opaque)
{
	const struct gmem_callback_by_address *const by_address = opaque;
	void *const from =
		by_address->src ? by_address->src + gfn_to_gpa(gfn - by_address->gfn) : NULL;

	return kapi_populate_call(by_address->callback, kvm, gfn, pfn, from, NULL,
				  by_address->opaque);
}

#endif /* GMEM_KVM_POPULATE_PAGES */
