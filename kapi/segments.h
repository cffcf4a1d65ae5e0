/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segment registers as the boundary has them (vc.h), and as KVM has them: <linux/kvm.h>. For
 * the C side alone.
 */
#ifndef GMEM_KAPI_SEGMENTS_H
#define GMEM_KAPI_SEGMENTS_H

#include <linux/kvm.h>

#include "vc.h"

static inline struct kapi_segment gmem_segment_of_kvm(const struct kvm_segment *from)
{
	return (struct kapi_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.rights = from->unusable ? 0 :
			  from->type | from->s << 4 | from->dpl << 5 | from->present << 7 |
			  from->avl << 8 | from->l << 9 | from->db << 10 | from->g << 11,
	};
}

static inline struct kvm_segment gmem_segment_for_kvm(const struct kapi_segment *from)
{
	return (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->rights & 0xf,
		.s = from->rights >> 4 & 1,
		.dpl = from->rights >> 5 & 3,
		.present = from->rights >> 7 & 1,
		.avl = from->rights >> 8 & 1,
		.l = from->rights >> 9 & 1,
		.db = from->rights >> 10 & 1,
		.g = from->rights >> 11 & 1,
		.unusable = !(from->rights >> 7 & 1),
	};
}

#endif /* GMEM_KAPI_SEGMENTS_H */
