/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's page tables, as KVM's own accesses for it reach them (kapi/accesses.h).
 */
#ifndef GMEM_MMU_ACCESSES_H
#define GMEM_MMU_ACCESSES_H

#include "mmu/walk.h"

namespace gmem
{

/* kapi_vcpu_paging(), where a C-bit is none of the reserved bits. KVM's SRCU is held. */
kapi_paging vcpu_paging(struct kvm_vcpu *vcpu);

/* KVM's SRCU is held. */
class VcpuTables final : public GuestTables {
    public:
	explicit VcpuTables(struct kvm *kvm) : kvm_(kvm) {}
	~VcpuTables() = default;

	Result<std::uint64_t> read(std::uint64_t gpa, unsigned size) override;
	Status replace(const TableEntry &entry, std::uint64_t wanted) override;

    private:
	struct kvm *const kvm_;
};

} /* namespace gmem */

#endif /* GMEM_MMU_ACCESSES_H */
