/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_LINK_GUEST_MEMFD: the memory of one VM becomes another's.
 */
#ifndef GMEM_MMU_LINK_H
#define GMEM_MMU_LINK_H

#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

/* Whether files of @kvm, or of some VM if it is NULL, can be linked. */
bool links_possible(struct kvm *kvm);

/*
 * @kvm's part of it: the new descriptor, or what include/uapi/gmem.h says. Takes the
 * slots_lock of the VM that has the memory; sleeps.
 */
Result<int> link_file(struct kvm *kvm, const struct kvm_link_guest_memfd &args);

} /* namespace gmem */

#endif /* GMEM_MMU_LINK_H */
