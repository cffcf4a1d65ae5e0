/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A private page of a guest that knows SNP, as its instructions and faults find it: the memslot and
 * the file behind a gfn. What the reverse map table has of the page is arch/x86/rmp.h.
 */
#ifndef GMEM_GUEST_PRIVATE_PAGE_H
#define GMEM_GUEST_PRIVATE_PAGE_H

#include "gmem/file.h"
#include "mmu/memslot.h"

namespace gmem
{

/* kvm->srcu is held as long as it is there. */
class PrivatePage {
    public:
	PrivatePage(struct kvm *kvm, Gfn gfn)
		: kvm_(kvm), gfn_(gfn), slot_(kapi_kvm_slot_of(kvm, gfn.value)),
		  handle_(kapi_slot_has_gmem(slot_) ? kapi_slot_file_get(slot_) : nullptr),
		  file_(handle_ ? File::of(handle_.get()) : nullptr)
	{
	}

	/* Whether memory of a guest_memfd is there; and whether it is private. */
	bool has_memory() const { return file_; }
	explicit operator bool() const
	{
		return file_ && kapi_kvm_range_private(kvm_, gfn_.value, gfn_.value + 1);
	}
	/* Errors of memslot_kernel_page() and memslot_split(). Both sleep. */
	Result<Backing> get() const
	{
		return memslot_kernel_page(*file_, kvm_, slot_, gfn_, Share::kPrivate);
	}
	Status split() const { return memslot_split(*file_, kvm_, slot_, gfn_); }
	/* The next access to it, and to @npages in all from there on, is a fault again. Sleeps. */
	void unmap(std::uint64_t npages) const
	{
		memslot_unmap(kvm_, slot_, { gfn_, gfn_ + npages });
	}

    private:
	struct kvm *const kvm_;
	const Gfn gfn_;
	struct kvm_memory_slot *const slot_;
	const FileRef handle_;
	File *const file_;
};

} /* namespace gmem */

#endif /* GMEM_GUEST_PRIVATE_PAGE_H */
