/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exits of guests that know SNP, given back to the guest as #VC (reflect.cc).
 */
#ifndef GMEM_GUEST_REFLECT_H
#define GMEM_GUEST_REFLECT_H

#include "guest/exits.h"

struct kvm_vcpu;

namespace gmem
{

class Knowing;

/*
 * Whether the exit that KVM is about to serve by @service has become #VC, or what came of its
 * delivery; @ret is KVM's answer then. SRCU is held. Sleeps.
 */
bool reflected(struct kvm_vcpu *vcpu, Service service, int &ret);
/* The same of an access to a page that is not validated, which hardware makes no exit. */
bool reflected_not_validated(const Knowing &guest, int &ret);

} /* namespace gmem */

#endif /* GMEM_GUEST_REFLECT_H */
