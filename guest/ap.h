/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPUs that a guest creates and destroys itself ("AP creation"): what it asks for by the GHCB,
 * and how a vCPU comes to run from the guest's own save area when KVM resets it next. What a save
 * area says is in save_area.h, which vCPU has which in arch/x86/snp_ap.cc.
 */
#ifndef GMEM_GUEST_AP_H
#define GMEM_GUEST_AP_H

#include "guest/ghcb.h"
#include "guest/knowing.h"

namespace gmem
{

/*
 * GhcbEvent::VcpuCreation of @ghcb, with what it takes. False: KVM of a host with SNP says that
 * the input is not valid, and nothing has happened. -ENOMEM. Sleeps.
 */
Result<bool> create_vcpu(const Knowing &guest, const Ghcb &ghcb);

} /* namespace gmem */

#endif /* GMEM_GUEST_AP_H */
