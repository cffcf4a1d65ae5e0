/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which confidential-computing platform a VM's memory belongs to.
 */
#ifndef GMEM_ARCH_X86_PLATFORMS_H
#define GMEM_ARCH_X86_PLATFORMS_H

#include "gmem/platform.h"
#include "gmem/result.h"

struct kvm;

namespace gmem
{

/*
 * The platform of @kvm, with a use that the caller must drop: none for default
 * and software-protected VMs, or a model for the latter with platform=; KVM's
 * arch hooks for the others. -ENOMEM, -ENOSPC, -EIO. Sleeps.
 */
Result<Platform *> platform_for(struct kvm *kvm);

/* Whether that is none, so that nothing ties the VM's memory to it. */
bool memory_is_plain(struct kvm *kvm);

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_PLATFORMS_H */
