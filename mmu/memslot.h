/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A KVM memslot as a holder of guest memory: the binding between a range of a
 * file and the gfns that show it, and what invalidation means to KVM's MMU.
 */
#ifndef GMEM_MMU_MEMSLOT_H
#define GMEM_MMU_MEMSLOT_H

#include "gmem/binding.h"
#include "gmem/file.h"
#include "mmu/c_bit.h"

namespace gmem
{

class MemslotBinding final : public Binding {
    public:
	/* slots_lock held. */
	MemslotBinding(const PageStore &store, struct kvm *kvm, struct kvm_memory_slot *slot,
		       IndexRange range)
		: Binding(range), store_(store), kvm_(kvm), slot_(slot),
		  map_(Gfn{ kapi_slot_base_gfn(slot) }, range), c_bit_(CBit::of(kvm))
	{
	}

	/* Where @slot shows its part of the file it is bound to. */
	static SlotMap map_of(struct kvm_memory_slot *slot);
	/* Where it will, bound from @start on. */
	static SlotMap map_for(struct kvm_memory_slot *slot, PageIndex start);

	struct kvm_memory_slot *slot() const { return slot_; }
	/* The guest has one from now on. slots_lock, and the inode lock exclusively. */
	void get(CBit c_bit) { c_bit_ = c_bit; }
	/*
	 * KVM has deleted the memslot, and unmapped what it has there itself: here, what its guest
	 * has by the C-bit is. Inode lock held exclusively; sleeps.
	 */
	void leave();

	bool shows_private(IndexRange block) const override;
	unsigned largest_order(PageIndex index) const override { return map_.largest_order(index); }
	Status prepare_convert(IndexRange range, Share to) override;
	void convert_failed(IndexRange range, Share to) override;
	void begin(IndexRange reach) override;
	void unmap(IndexRange range) override;
	void zap(IndexRange range) override;
	void flush() override;
	void converted(IndexRange range, Share to) override;
	void end(IndexRange reach) override;
	void file_closes() override;
	void destroy() override;

    private:
	/* Whether what is mapped with the page @inside may go beyond @edge, next to it. */
	bool cuts(PageIndex edge, PageIndex inside) const;
	/* Calls @fn(memslot, gfns) for each place that shows @gfns of this one. */
	template <class Fn> void for_each_place(GfnRange gfns, Fn fn) const
	{
		fn(slot_, gfns);
		if (c_bit_)
			fn(c_bit_.alias(), c_bit_.with(gfns));
	}
	void split_around(IndexRange range, GfnRange gfns);

	const PageStore &store_;
	struct kvm *kvm_;
	struct kvm_memory_slot *slot_;
	const SlotMap map_;
	CBit c_bit_;
	/*
	 * Of a conversion, from first to last: what is to be flushed, and what has changed.
	 * Inode lock held exclusively.
	 */
	GfnRange zapped_{}, changed_{};
	Share changed_to_ = Share::kShared;
};

/*
 * The checks of bind_memslot() alone: the first index, or an error of gmem_bind().
 * slots_lock held. Sleeps.
 */
Result<PageIndex> check_bind(File &file, struct kvm *kvm, struct kvm_memory_slot *slot,
			     long long offset);
/*
 * Binds a new @slot to @file from @offset (bytes) on. slots_lock held. Errors as
 * gmem_bind(). Sleeps.
 */
Status bind_memslot(File &file, struct file *handle, struct kvm *kvm, struct kvm_memory_slot *slot,
		    long long offset);

/* Undoes it. slots_lock held. Sleeps. */
void unbind_memslot(File &file, struct kvm_memory_slot *slot);
/* The guest that @slot, which is bound to @file, is of has a C-bit now. slots_lock held. Sleeps. */
void memslot_gets_c_bit(File &file, struct kvm_memory_slot *slot, CBit c_bit);

/* What a page of @file must be for a shared access. */
inline Share shared_of(const File &file)
{
	return file.converts() ? Share::kShared : Share::kEither;
}

/*
 * The page behind @gfn of @slot for a guest's fault on a page of state @share. KVM tries
 * the fault again if things have changed meanwhile. If the page is being converted, this
 * waits for the end and gives a stand-in, which KVM throws away. The caller holds @file's
 * reference and kvm->srcu. -EFAULT: the memslot has no file any more; errors of
 * PageStore::get(), but not kOtherState. Sleeps.
 */
Result<Backing> memslot_fault(File &file, struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn,
			      Share share);
/*
 * The same for the kernel itself, which keeps what it gets and does not ask again: it
 * waits for the end of a conversion, and then the page is what it must be, or it is
 * -EAGAIN. As long as the reference is held, a shared page does not become private.
 * Takes the inode lock, shared; sleeps.
 */
Result<Backing> memslot_kernel_page(File &file, struct kvm *kvm, struct kvm_memory_slot *slot,
				    Gfn gfn, Share share);
/*
 * The page behind @gfn becomes one of its own to the platform, and is mapped as one: the
 * guest itself asks for that. -EFAULT: the memslot has no file any more; or what the platform
 * said. The caller holds @file's reference and kvm->srcu. Takes the inode lock, shared; sleeps.
 */
Status memslot_split(File &file, struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn);
/*
 * What the guest has mapped of @wanted by @slot, which has some of that, it faults on again.
 * kvm->srcu held. Sleeps.
 */
void memslot_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, GfnRange wanted);
/*
 * The largest order of a mapping of the shared page behind @gfn, which memslot_fault()
 * has given out. No lock but mmu_lock; any context.
 */
unsigned memslot_shared_order(File &file, struct kvm_memory_slot *slot, Gfn gfn);

} /* namespace gmem */

#endif /* GMEM_MMU_MEMSLOT_H */
