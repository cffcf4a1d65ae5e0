// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source pages of a populate, and KVM's callback under pagefault_disable().
 */
#include <linux/mm.h>
#include <linux/uaccess.h>

#include <linux/kvm_host.h>

#include "compat/populate.h"
#include "kapi.h"

int kapi_pins_take(struct kapi_pins *pins, void *src, kapi_u64 count, bool write)
{
	const unsigned long start = (unsigned long)src;
	/* An unaligned source reaches into one more page. */
	const int extra = !PAGE_ALIGNED(start);
	int pinned;

	pinned = pin_user_pages_fast(start & PAGE_MASK,
				     min_t(kapi_u64, count + extra, KAPI_PINS_MAX),
				     write ? FOLL_WRITE : 0, pins->pages);
	if (pinned < 0)
		return pinned;
	pins->count = pinned;
	pins->src = (void *)(start & PAGE_MASK);
	if (pinned <= extra) {
		kapi_pins_drop(pins);
		return -EFAULT;
	}
	return pinned - extra;
}

void kapi_pins_drop(struct kapi_pins *pins)
{
	unpin_user_pages(pins->pages, pins->count);
	pins->count = 0;
}

int kapi_populate_call(kapi_populate_cb cb, struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src,
		       const struct kapi_pins *pins, void *opaque)
{
	int ret;

#if GMEM_KVM_POPULATE_PAGES
	if (cb == gmem_call_by_page)
		((struct gmem_callback_by_page *)opaque)->pins = pins;
#endif
	pagefault_disable();
	ret = cb(kvm, gfn, pfn, (void __user *)src, 0, opaque);
	pagefault_enable();
	return ret;
}
