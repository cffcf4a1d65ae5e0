/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C-bit of a guest that knows that it is SNP's. Where a processor has SNP, the bit in an
 * entry of a page table says that the page is private; here it is one more bit of the address.
 * So KVM has a second memslot for such a VM, the alias, at the addresses with the bit. It shows
 * the private pages of all of the VMM's memslots, each at its own address with the bit, and
 * nothing of what is shared. docs/snp-guest.md has what guests see.
 */
#ifndef GMEM_MMU_C_BIT_H
#define GMEM_MMU_C_BIT_H

#include "gmem/result.h"
#include "gmem/types.h"
#include "kapi/c_bit.h"
#include "kapi/kapi.h"

namespace gmem
{

/* Of a VM; false: its guest has none. Addresses without the bit go through unchanged. */
class CBit {
    public:
	CBit() = default;
	explicit CBit(struct kvm_memory_slot *alias)
		: alias_(alias), gfn_(alias ? kapi_slot_base_gfn(alias) : 0)
	{
	}
	/* slots_lock or SRCU. The answer holds until the VM goes, but if it is none. */
	static CBit of(struct kvm *kvm)
	{
		return kapi_any_alias ? CBit{ kapi_kvm_alias(kvm) } : CBit{};
	}

	explicit operator bool() const { return alias_; }
	struct kvm_memory_slot *alias() const { return alias_; }
	/* The bit, in an address. */
	std::uint64_t mask() const { return gfn_ << kPageShift; }
	bool in(std::uint64_t gpa) const { return gpa & mask(); }
	std::uint64_t without(std::uint64_t gpa) const { return gpa & ~mask(); }
	Gfn without(Gfn gfn) const { return Gfn{ gfn.value & ~gfn_ }; }
	GfnRange with(GfnRange gfns) const { return { gfns.start + gfn_, gfns.end + gfn_ }; }
	/* The first gfn with the bit, and the first that has no other with it. */
	Gfn start() const { return Gfn{ gfn_ }; }
	Gfn reach() const { return Gfn{ kapi_slot_npages(alias_) }; }

    private:
	struct kvm_memory_slot *alias_ = nullptr;
	std::uint64_t gfn_ = 0;
};

/*
 * Gives the guest the C-bit that the CPUID of its vCPUs names, if it names one, and anew what
 * it has already. -EINVAL: vCPUs name several, the bit cannot be had, or the VMM has memory
 * there; -EBUSY: a vCPU runs or is being made; -EINTR, -ENOMEM. kvm->lock held. Sleeps.
 */
Status give_c_bit(struct kvm *kvm);
/* kvm_arch_prepare_memory_region() of the alias. slots_lock held. Sleeps. */
Status prepare_alias(struct kvm *kvm, const struct kvm_memory_slot *old,
		     struct kvm_memory_slot *alias, int change);
/* Whether a memslot of the VMM's may be at these gfns. slots_lock held. */
bool leaves_c_bit_alone(struct kvm *kvm, struct kvm_memory_slot *slot);

/* The memslot that has a page, and where. */
struct Shown {
	struct kvm_memory_slot *slot;
	Gfn gfn;
	/* It is mapped with nothing beside it: the guest came there without its C-bit. */
	bool alone;
};

/*
 * What @gfn of @slot is, which may be the alias. -EAGAIN, of the alias alone: it is not private
 * any more, or its memslot is going; -EFAULT: no memory is there. SRCU or slots_lock held.
 */
Result<Shown> shown_by_alias(struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn);

/* The same. Each fault asks, and hosts without the model have no alias. */
inline Result<Shown> shown_at(struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn)
{
	if (kapi_any_alias) [[unlikely]]
		return shown_by_alias(kvm, slot, gfn);
	return Shown{ slot, gfn, false };
}

/* While it lives, nothing is mapped with the C-bit of @gfns anew; then nothing is mapped there. */
class AliasInvalidation {
    public:
	/* slots_lock held. Sleeps, and so does the end. */
	AliasInvalidation(struct kvm *kvm, GfnRange gfns);
	~AliasInvalidation();
	AliasInvalidation(const AliasInvalidation &) = delete;
	AliasInvalidation &operator=(const AliasInvalidation &) = delete;

    private:
	struct kvm *const kvm_;
	const CBit c_bit_;
	GfnRange gfns_{};
};

} /* namespace gmem */

#endif /* GMEM_MMU_C_BIT_H */
