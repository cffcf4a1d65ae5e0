/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a vCPU's guest at linear addresses, by its own page tables, be it private or
 * shared. What is read there, and what is delivered into it, is elsewhere (entries.cc, vc.h).
 */
#ifndef GMEM_GUEST_VCPU_MEMORY_H
#define GMEM_GUEST_VCPU_MEMORY_H

#include "guest/vc.h"
#include "mmu/accesses.h"
#include "mmu/c_bit.h"

namespace gmem
{

/* Of the current task's vCPU, which has exited. SRCU is held while it lives; its calls sleep. */
class VcpuMemory final : public GuestMemory {
    public:
	explicit VcpuMemory(struct kvm_vcpu *vcpu)
		: kvm_(kapi_vcpu_kvm(vcpu)), tables_(kvm_), paging_(vcpu_paging(vcpu))
	{
	}
	~VcpuMemory() = default;

	unsigned address_bits() const override { return paging_.levels == 5 ? 57 : 48; }
	/* Where @addr is, with the C-bit if the guest has it there. */
	Translation translate(std::uint64_t addr, std::uint64_t access)
	{
		return gmem::translate(tables_, paging_, addr, access);
	}
	Touched read(std::uint64_t addr, std::span<std::byte> to, std::uint64_t access) override;
	Touched write(std::uint64_t addr, std::span<const std::byte> from,
		      std::uint64_t access) override;

    private:
	struct kvm_memory_slot *slot_of(Gfn gfn) const { return kapi_kvm_slot_of(kvm_, gfn.value); }
	/* What a wrong C-bit says, as of any access of the guest's. */
	Touched nowhere(std::uint64_t gpa) const
	{
		return { .end = Touched::End::Nested, .addr = CBit::of(kvm_).without(gpa) };
	}
	template <class Bytes, class Fn>
	Touched pieces(std::uint64_t addr, Bytes bytes, std::uint64_t access, Fn touch);

	struct kvm *const kvm_;
	VcpuTables tables_;
	const kapi_paging paging_;
};

} /* namespace gmem */

#endif /* GMEM_GUEST_VCPU_MEMORY_H */
