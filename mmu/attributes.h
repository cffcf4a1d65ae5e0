/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_SET_MEMORY_ATTRIBUTES: memslots may be on files that convert in place; the
 * files convert, and KVM's attributes with them.
 */
#ifndef GMEM_MMU_ATTRIBUTES_H
#define GMEM_MMU_ATTRIBUTES_H

#include "gmem/result.h"
#include "gmem/share.h"
#include "gmem/types.h"
#include "kapi/kapi.h"

namespace gmem
{

/*
 * Makes all of @gfns private or shared, or nothing. Errors as KVM_SET_MEMORY_ATTRIBUTES2
 * (include/uapi/gmem.h). slots_lock held; sleeps.
 */
Status convert_gfns(struct kvm *kvm, GfnRange gfns, Share to);

} /* namespace gmem */

#endif /* GMEM_MMU_ATTRIBUTES_H */
