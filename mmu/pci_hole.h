/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI holes: memslots with nothing behind them (docs/pci-hole.md). What a
 * request may ask for, where in user space KVM finds the bytes of a hole, and
 * how much is mapped at the first read.
 */
#ifndef GMEM_MMU_PCI_HOLE_H
#define GMEM_MMU_PCI_HOLE_H

#include "gmem/memory.h"
#include "gmem/types.h"
#include "kapi/pci_hole.h"

namespace gmem
{

/*
 * A VM's view of all ones: pieces of the VMM's user space, each showing the same
 * bytes over and over. Holes share them, so that a hole costs no piece of its own.
 * There are few: one is at least twice as large as the one before.
 */
class HoleView {
    public:
	HoleView() = default;
	/* As the VM's, made when it has none. Sleeps. */
	static Result<HoleView *> of(struct kvm *kvm);

	/*
	 * Where @size bytes of ones are that lie in their 2 MiB as the guest's from
	 * @gpa on do, which KVM maps huge only then. slots_lock held. Sleeps.
	 */
	Result<std::uint64_t> place(std::uint64_t gpa, std::uint64_t size);
	/* Takes all of it from the user space of @kvm. */
	void unmap(struct kvm *kvm);

    private:
	struct Piece {
		std::uint64_t addr = 0, size = 0; /* as mapped */
		Own<Piece> next;

		Piece(std::uint64_t a, std::uint64_t s, Own<Piece> n)
			: addr(a), size(s), next(std::move(n))
		{
		}
	};

	Own<Piece> pieces_; /* the largest first */
};

/* Whether @kvm, or NULL for any, can have holes. */
bool holes_possible(struct kvm *kvm);

/* A request with KVM_MEM_PCI_HOLE; errors as <uapi/gmem.h> has them. Sleeps. */
Status set_hole(struct kvm *kvm, const struct kapi_region &region);

/*
 * Whether KVM may move @old, or change its flags: not if it is a hole, of which a
 * request without KVM_MEM_PCI_HOLE would make an ordinary memslot. slots_lock held.
 */
bool may_change(const struct kvm_memory_slot *old);

/* A read of @gpa was served: if that is in a hole, maps what is around it. Sleeps. */
void map_hole_ahead(struct kvm_vcpu *vcpu, std::uint64_t gpa);

} /* namespace gmem */

#endif /* GMEM_MMU_PCI_HOLE_H */
