/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs of SNP's type on the model, as KVM makes, launches and frees them: what mmu/vms.cc
 * has of mmu/sev.cc.
 */
#ifndef GMEM_MMU_SEV_H
#define GMEM_MMU_SEV_H

#include "gmem/result.h"
#include "mmu/entry.h"

namespace gmem
{

/* Whether KVM_CREATE_VM makes them, where KVM's own does not. */
inline bool snp_vms_possible()
{
	return kapi_feature(KAPI_FEATURE_SNP_VMS) && kapi_kvm_tdp_mmu();
}

/* kvm_arch_init_vm() of one; a reference of the module is held. KVM's error, or -ENOMEM. Sleeps. */
Status make_snp_vm(struct kvm *kvm);
/* It is going, and does not use the module any more. Sleeps. */
void snp_vm_gone(struct kvm *kvm);
/* KVM_MEMORY_ENCRYPT_OP of one, with the errors that KVM has for hardware. Sleeps. */
long serve_sev_command(struct kvm *kvm, unsigned long arg);
/* KVM_MEMORY_ENCRYPT_REG_REGION, or its opposite if not @add. -ENOTTY: before INIT2. Sleeps. */
long serve_sev_region(struct kvm *kvm, unsigned long arg, bool add);

} /* namespace gmem */

#endif /* GMEM_MMU_SEV_H */
