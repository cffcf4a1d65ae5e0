// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM memslots as holders of guest memory (memslot.h): bind, unbind, the page
 * for a fault, and begin/unmap/end into the TDP MMU.
 */
#include "mmu/memslot.h"

#include "gmem/locks.h"
#include "gmem/trace.h"

namespace gmem
{

SlotMap MemslotBinding::map_of(struct kvm_memory_slot *slot)
{
	return map_for(slot, PageIndex{ kapi_slot_pgoff(slot) });
}

SlotMap MemslotBinding::map_for(struct kvm_memory_slot *slot, PageIndex start)
{
	return { Gfn{ kapi_slot_base_gfn(slot) }, { start, start + kapi_slot_npages(slot) } };
}

void MemslotBinding::begin(IndexRange reach)
{
	const GfnRange gfns = map_.gfns_of(reach);
	/* KVM has one range for all that goes on: this would become one anyway. */
	const Gfn end = c_bit_ ? c_bit_.with(gfns).end : gfns.end;

	kapi_mmu_begin(kvm_, gfns.start.value, end.value);
}

bool MemslotBinding::cuts(PageIndex edge, PageIndex inside) const
{
	return edge != edge.round_down(kRunOrder) && store_.joined_at(inside);
}

/* What lies around what is unmapped stays mapped. */
void MemslotBinding::split_around(IndexRange range, GfnRange gfns)
{
	if (cuts(range.start, range.start) || cuts(range.end, range.end - 1)) {
		for_each_place(gfns, [&](struct kvm_memory_slot *slot, GfnRange at) {
			kapi_mmu_split(kvm_, slot, at.start.value, at.end.value);
		});
	}
}

void MemslotBinding::unmap(IndexRange range)
{
	const GfnRange gfns = map_.gfns_of(range);

	split_around(range, gfns);
	for_each_place(gfns, [&](struct kvm_memory_slot *slot, GfnRange at) {
		kapi_mmu_unmap(kvm_, slot, at.start.value, at.end.value);
	});
}

bool MemslotBinding::shows_private(IndexRange block) const
{
	const GfnRange gfns = map_.gfns_of(block);

	return gfns.size() == block.size() && (gfns.start.value & (block.size() - 1)) == 0 &&
	       kapi_kvm_range_private(kvm_, gfns.start.value, gfns.end.value);
}

/* @hull, from its first gfn to the end of @more, which comes behind it. */
static GfnRange extended(GfnRange hull, GfnRange more)
{
	return hull.empty() ? more : GfnRange{ hull.start, more.end };
}

void MemslotBinding::zap(IndexRange range)
{
	const GfnRange gfns = map_.gfns_of(range);

	split_around(range, gfns);
	for_each_place(gfns, [&](struct kvm_memory_slot *slot, GfnRange at) {
		if (kapi_mmu_zap(kvm_, slot, at.start.value, at.end.value))
			zapped_ = extended(zapped_, gfns);
	});
}

void MemslotBinding::flush()
{
	if (!zapped_.empty()) {
		for_each_place(zapped_, [&](struct kvm_memory_slot *, GfnRange at) {
			kapi_mmu_flush(kvm_, at.start.value, at.end.value);
		});
	}
	zapped_ = {};
}

Status MemslotBinding::prepare_convert(IndexRange range, Share to)
{
	const GfnRange gfns = map_.gfns_of(range);

	if (to != Share::kPrivate)
		return Status{};
	return Status{ kapi_attributes_reserve(kvm_, gfns.start.value, gfns.end.value) };
}

void MemslotBinding::convert_failed(IndexRange range, Share to)
{
	const GfnRange gfns = map_.gfns_of(range);

	if (to == Share::kPrivate && !gfns.empty())
		kapi_attributes_release(kvm_, gfns.start.value, gfns.end.value);
}

void MemslotBinding::converted(IndexRange range, Share to)
{
	const GfnRange gfns = map_.gfns_of(range);

	kapi_attributes_set(kvm_, gfns.start.value, gfns.end.value, to == Share::kPrivate);
	changed_ = extended(changed_, gfns);
	changed_to_ = to;
}

void MemslotBinding::end(IndexRange)
{
	/*
	 * Only a conversion's, which has the inode lock for itself. What lies between
	 * stretches that have changed was as wanted before.
	 */
	if (!changed_.empty()) {
		kapi_attributes_changed(kvm_, slot_, changed_.start.value, changed_.end.value,
					changed_to_ == Share::kPrivate);
		changed_ = {};
	}
	kapi_mmu_end(kvm_);
}

void MemslotBinding::file_closes()
{
	/* KVM frees the slot later and must not look for the file then. */
	kapi_slot_set_file(slot_, nullptr, range().start.value);
}

/* Out of the guest's tables, and no fault from before maps it again. */
static void unmap_gfns(struct kvm *kvm, struct kvm_memory_slot *slot, GfnRange gfns)
{
	kapi_mmu_begin(kvm, gfns.start.value, gfns.end.value);
	kapi_mmu_unmap(kvm, slot, gfns.start.value, gfns.end.value);
	kapi_mmu_end(kvm);
}

void MemslotBinding::leave()
{
	if (c_bit_)
		unmap_gfns(kvm_, c_bit_.alias(), c_bit_.with(map_.gfns()));
}

void MemslotBinding::destroy()
{
	Destroy{}(this);
}

/*
 * KVM's attributes of a slot that is new agree with the state of the file. No guest
 * can have reached these gfns as memory. -ENOMEM, -EINTR: they may be anything.
 */
static Status tell_attributes(File &file, struct kvm *kvm, const SlotMap &map)
{
	const auto each = [&](Share share, auto fn) {
		IndexRange rest = map.range();

		for (;;) {
			const IndexRange part = file.inode().store().next_stretch_in_chunk(rest,
											   share);

			if (kapi_fatal_signal_pending())
				return error(EINTR);
			if (part.empty())
				return Status{};
			GMEM_CHECK(fn(map.gfns_of(part)));
			rest.start = part.end;
		}
	};

	GMEM_CHECK(each(Share::kPrivate, [&](GfnRange gfns) {
		return Status{ kapi_attributes_reserve(kvm, gfns.start.value, gfns.end.value) };
	}));
	for (const Share share : { Share::kPrivate, Share::kShared }) {
		GMEM_CHECK(each(share, [&](GfnRange gfns) {
			kapi_attributes_set(kvm, gfns.start.value, gfns.end.value,
					    share == Share::kPrivate);
			return Status{};
		}));
	}
	return Status{};
}

static Result<PageIndex> check(File &file, struct kvm *kvm, struct kvm_memory_slot *slot,
			       long long offset)
{
	const std::uint64_t npages = kapi_slot_npages(slot);

	if (file.vm() != kvm) {
		const SharedInodeLock lock{ file.inode().handle() };

		return error(file.open() ? EINVAL : ESTALE);
	}
	if (offset < 0 || offset % kPageSize)
		return error(EINVAL);

	const PageIndex start{ static_cast<std::uint64_t>(offset) >> kPageShift };
	const PageIndex end = file.inode().end();

	if (start > end || npages > end - start)
		return error(EINVAL);
	/* KVM finds out too late: of its own attributes it has no bound. */
	if (file.converts() &&
	    MemslotBinding::map_for(slot, start).gfns().end.value > kapi_kvm_end_gfn())
		return error(EINVAL);

	const CBit c_bit = CBit::of(kvm);

	/* The guest could not have its pages as private ones. */
	if (c_bit && MemslotBinding::map_for(slot, start).gfns().end > c_bit.reach())
		return error(EINVAL);
	return start;
}

static Status bind(File &file, struct file *handle, struct kvm *kvm, struct kvm_memory_slot *slot,
		   long long offset)
{
	GMEM_TRY(start, check(file, kvm, slot, offset));

	const SlotMap map = MemslotBinding::map_for(slot, start);

	GMEM_TRY(binding, make<MemslotBinding>(file.inode().store(), kvm, slot, map.range()));
	GMEM_TRY(lock, KillableExclusiveInodeLock::take(file.inode().handle()));
	if (!file.open())
		return error(ESTALE);
	GMEM_CHECK(Status{ kapi_slot_request_keep_unmapped(kvm, map.gfns().start.value,
							   map.gfns().end.value) });

	const Status status = file.bindings().add(*binding);

	if (status == error(EEXIST))
		return Status{ kapi_kvm_overlap_error() };
	GMEM_CHECK(status);
	if (file.converts()) {
		const Status told = tell_attributes(file, kvm, map);

		if (!told.ok()) {
			kapi_attributes_release(kvm, map.gfns().start.value, map.gfns().end.value);
			file.bindings().remove(*binding);
			return told;
		}
	}
	kapi_slot_set_file(slot, handle, start.value);
	if (file.inode().store().kind().mappable)
		kapi_slot_mark_only(slot);
	binding.release();
	return Status{};
}

/* Where @slot is, or would be, for tracepoints. */
static kapi_event_bind event_of(const File &file, const struct kvm_memory_slot *slot,
				PageIndex start, Status status)
{
	auto *const of = const_cast<struct kvm_memory_slot *>(slot);

	return { file.vm(), kapi_slot_base_gfn(of), start.value, kapi_slot_npages(of),
		 status.code() };
}

static void tell_bind(File &file, const struct kvm_memory_slot *slot, long long offset,
		      Status status)
{
	if (!is_traced(KAPI_TRACE_BIND))
		return;

	const kapi_event_bind event = event_of(
		file, slot, PageIndex{ static_cast<std::uint64_t>(offset) >> kPageShift }, status);

	kapi_trace_bind(file.inode().handle(), &event);
}

Status bind_memslot(File &file, struct file *handle, struct kvm *kvm, struct kvm_memory_slot *slot,
		    long long offset)
{
	const Status status = bind(file, handle, kvm, slot, offset);

	tell_bind(file, slot, offset, status);
	return status;
}

Result<PageIndex> check_bind(File &file, struct kvm *kvm, struct kvm_memory_slot *slot,
			     long long offset)
{
	Result<PageIndex> start = check(file, kvm, slot, offset);

	if (!start.ok())
		tell_bind(file, slot, offset, start.status());
	return start;
}

/* All that the bindings of a file know by index are memslots. */
static MemslotBinding *binding_of(File &file, struct kvm_memory_slot *slot)
{
	return static_cast<MemslotBinding *>(
		file.bindings().load(PageIndex{ kapi_slot_pgoff(slot) }));
}

void unbind_memslot(File &file, struct kvm_memory_slot *slot)
{
	if (is_traced(KAPI_TRACE_UNBIND)) {
		const kapi_event_bind event =
			event_of(file, slot, PageIndex{ kapi_slot_pgoff(slot) }, Status{});

		kapi_trace_unbind(file.inode().handle(), &event);
	}

	ExclusiveInodeLock lock{ file.inode().handle() };
	MemslotBinding *const binding = binding_of(file, slot);

	if (!binding)
		return;
	binding->leave();
	file.bindings().remove(*binding);
	/* To the memslot that is as if the file closed. */
	binding->file_closes();
	binding->destroy();
}

void memslot_gets_c_bit(File &file, struct kvm_memory_slot *slot, CBit c_bit)
{
	ExclusiveInodeLock lock{ file.inode().handle() };

	if (MemslotBinding *const binding = binding_of(file, slot))
		binding->get(c_bit);
}

/* Whether @file still shows @index by @slot. -EFAULT: it was cut off meanwhile. */
static Status check_bound(File &file, struct kvm_memory_slot *slot, PageIndex index)
{
	if (file.bindings().load(index))
		return Status{};
	if (kapi_slot_file(slot) == nullptr)
		return error(EFAULT);
	kapi_warn_once("a memslot's file does not know the memslot");
	return error(EIO);
}

Result<Backing> memslot_fault(File &file, struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn,
			      Share share)
{
	const SlotMap map = MemslotBinding::map_of(slot);
	const PageIndex index = map.index_of(gfn);
	Inode &inode = file.inode();

	GMEM_CHECK(check_bound(file, slot, index));

	Result<Backing> backing = inode.page(
		index, FaultAccess{ inode.platform(), kvm, gfn, map.largest_order(index), share });

	if (backing.status() != kOtherState)
		return backing;
	/* The page is not in the state asked for: a conversion is under way, or is over. */
	{
		SharedInodeLock lock{ inode.handle() };
	}
	kapi_mmu_make_stale(kvm, gfn.value);
	return Backing{ PageRef{ kapi_page_zero() } };
}

Result<Backing> memslot_kernel_page(File &file, struct kvm *kvm, struct kvm_memory_slot *slot,
				    Gfn gfn, Share share)
{
	const SlotMap map = MemslotBinding::map_of(slot);
	const PageIndex index = map.index_of(gfn);
	Inode &inode = file.inode();
	const SharedInodeLock lock{ inode.handle() };

	/* Its memory may have become another VM's until the lock came. */
	GMEM_CHECK(check_bound(file, slot, index));
	return inode.page(index, KernelAccess{ lock, inode.platform(), kvm, gfn,
					       map.largest_order(index), share });
}

Status memslot_split(File &file, struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn)
{
	const PageIndex index = MemslotBinding::map_of(slot).index_of(gfn);
	Inode &inode = file.inode();
	const SharedInodeLock lock{ inode.handle() };

	GMEM_CHECK(check_bound(file, slot, index));
	GMEM_CHECK(inode.store().split_at(index, inode.platform()));
	kapi_mmu_split(kvm, slot, gfn.value, gfn.value + 1);
	if (const CBit c_bit = CBit::of(kvm)) {
		const GfnRange at = c_bit.with({ gfn, gfn + 1 });

		kapi_mmu_split(kvm, c_bit.alias(), at.start.value, at.end.value);
	}
	return Status{};
}

void memslot_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, GfnRange wanted)
{
	/* KVM keeps what it knows of a memslot's gfns in arrays, and looks at no bound of them. */
	const GfnRange gfns = wanted.intersect(MemslotBinding::map_of(slot).gfns());

	unmap_gfns(kvm, slot, gfns);
	if (const CBit c_bit = CBit::of(kvm))
		unmap_gfns(kvm, c_bit.alias(), c_bit.with(gfns));
}

unsigned memslot_shared_order(File &file, struct kvm_memory_slot *slot, Gfn gfn)
{
	const SlotMap map = MemslotBinding::map_of(slot);
	const PageIndex index = map.index_of(gfn);

	return map.fits(index, kRunOrder) && file.inode().store().huge_at(index) ? kRunOrder : 0;
}

} /* namespace gmem */
