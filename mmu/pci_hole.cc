// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes (pci_hole.h). To KVM a hole is a read-only memslot whose bytes are
 * in user space. The module sees to it that these are all ones, and not the VMM's.
 */
#include "mmu/pci_hole.h"

#include <bit>

#include <uapi/gmem.h>

#include "gmem/locks.h"
#include "mmu/entry.h"

namespace gmem
{

namespace
{

constexpr std::uint64_t kRunSize = kRunPages * kPageSize;

/* The error code of a guest's access, to read. */
constexpr std::uint64_t kGuestRead = KAPI_PFERR_GUEST_FINAL;

/* Mappings made around the first one, a power of two of them. */
constexpr unsigned kAheadOrder = 4;

/* The order of the mapping that KVM makes at @gfn of @hole, whose bytes are at @addr. */
unsigned mapping_order(GfnRange hole, std::uint64_t addr, Gfn gfn)
{
	const bool alike = (hole.start.value - (addr >> kPageShift)) % kRunPages == 0;

	return alike && hole.covers(block_around(gfn, kRunOrder)) ? kRunOrder : 0;
}

bool placeable(const struct kapi_region &region)
{
	return (region.gpa | region.size) % kPageSize == 0 &&
	       region.gpa + region.size >= region.gpa &&
	       region.size >> kPageShift <= KAPI_SLOT_PAGES_MAX;
}

} /* namespace */

Result<HoleView *> HoleView::of(struct kvm *kvm)
{
	void *present = kapi_vm_holes(kvm);

	if (present)
		return static_cast<HoleView *>(present);
	GMEM_TRY(view, make<HoleView>());

	const Status attached{ kapi_vm_holes_attach(kvm, view.get(), &present) };

	if (attached == error(EEXIST))
		return static_cast<HoleView *>(present);
	GMEM_CHECK(attached);
	return view.release();
}

Result<std::uint64_t> HoleView::place(std::uint64_t gpa, std::uint64_t size)
{
	const std::uint64_t offset = gpa % kRunSize;
	/* Up to a run before the first whole one, and before the hole in that. */
	const std::uint64_t need = 2 * kRunSize + size;

	if (!pieces_ || pieces_->size < need) {
		const std::uint64_t wanted = std::bit_ceil(need);
		std::uint64_t addr = 0;

		GMEM_TRY(piece, make<Piece>(0, wanted, Own<Piece>{}));
		GMEM_CHECK(Status{ kapi_ones_map(wanted, &addr) });
		piece->addr = addr;
		piece->next = std::move(pieces_);
		pieces_ = std::move(piece);
	}
	return (pieces_->addr + kRunSize - 1) / kRunSize * kRunSize + offset;
}

void HoleView::unmap(struct kvm *kvm)
{
	while (pieces_) {
		kapi_ones_unmap(kvm, pieces_->addr, pieces_->size);
		pieces_ = std::move(pieces_->next);
	}
}

bool holes_possible(struct kvm *kvm)
{
	return kapi_feature(KAPI_FEATURE_HOLES) && (!kvm || kapi_kvm_has_readonly(kvm));
}

Status set_hole(struct kvm *kvm, const struct kapi_region &region)
{
	if (region.flags != KVM_MEM_PCI_HOLE || region.user_addr || !kapi_kvm_has_readonly(kvm) ||
	    !placeable(region))
		return error(EINVAL);

	/* Deleting one, as without the flag. */
	if (region.size == 0) {
		const struct kapi_region nothing = { region.slot, 0, region.gpa, 0, 0 };

		GMEM_TRY(lock, KillableSlotsLock::take(kvm));
		return Status{ kapi_region_set(kvm, &nothing) };
	}

	GMEM_TRY(view, HoleView::of(kvm));
	GMEM_TRY(lock, KillableSlotsLock::take(kvm));

	struct kvm_memory_slot *const old = kapi_kvm_slot_by_id(kvm, region.slot);

	if (old) {
		if (!kapi_slot_is_hole(old) || kapi_slot_npages(old) != region.size >> kPageShift)
			return error(EINVAL);
		if (kapi_slot_base_gfn(old) == region.gpa >> kPageShift)
			return Status{};
	}

	/* KVM does not move a memslot to other bytes: see docs/pci-hole.md. */
	GMEM_TRY(addr, old ? Result<std::uint64_t>{ kapi_slot_user_addr(old) }
			   : view->place(region.gpa, region.size));

	const struct kapi_region as_readonly = { region.slot, KAPI_MEM_READONLY, region.gpa,
						 region.size, addr };

	const std::uint64_t start = region.gpa >> kPageShift;

	GMEM_CHECK(Status{
		kapi_slot_request_keep_unmapped(kvm, start, start + (region.size >> kPageShift)) });
	/* No hole may change (may_change()), so it is none meanwhile. */
	if (old)
		kapi_slot_mark_hole(old, false);

	const Status status{ kapi_region_set(kvm, &as_readonly) };

	/* After a failure this is the old one. */
	if (old || status.ok())
		kapi_slot_mark_hole(kapi_kvm_slot_by_id(kvm, region.slot), true);
	return status;
}

bool may_change(const struct kvm_memory_slot *old)
{
	return !kapi_slot_is_hole(old);
}

void map_hole_ahead(struct kvm_vcpu *vcpu, std::uint64_t gpa)
{
	const Gfn gfn{ gpa >> kPageShift };
	struct kvm_memory_slot *const slot = kapi_vcpu_hole(vcpu, gfn.value);

	if (!slot)
		return;

	const Gfn base{ kapi_slot_base_gfn(slot) };
	const GfnRange hole{ base, base + kapi_slot_npages(slot) };
	const unsigned order = mapping_order(hole, kapi_slot_user_addr(slot), gfn);
	const std::uint64_t step = 1ull << order;
	GfnRange ahead = hole.intersect(block_around(gfn, order + kAheadOrder));

	/* Not the small mappings at the ends of a hole, too: they would be many. */
	ahead = { ahead.start.round_up(order), ahead.end.round_down(order) };
	/*
	 * By faults, not by KVM's own pre-faulting: that waits for a memslot being
	 * deleted, and the deletion waits for this function. KVM's SRCU, held here, keeps
	 * the hole: a fault that found no memslot would be emulated.
	 */
	for (Gfn at = ahead.start; at < ahead.end; at = at + step) {
		const std::uint64_t gpa_at = at.value << kPageShift;

		if (block_around(at, order).contains(gfn))
			continue;
		if (kapi_kvm_sw_private(vcpu, gpa_at) ||
		    kapi_stock_page_fault(vcpu, gpa_at, kGuestRead, nullptr, 0) < kGoOn)
			return;
	}
}

} /* namespace gmem */

void gmem_vm_holes_gone(struct kvm *kvm, void *core)
{
	const gmem::Own<gmem::HoleView> view{ static_cast<gmem::HoleView *>(core) };

	view->unmap(kvm);
}
