// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate (populate.h). KVM's callbacks of 6.12 copy from the user address
 * themselves, under our locks, so they run with page faults off: faulting source
 * pages in takes mmap_lock, which comes first where guest memory can be mapped by
 * user space. Where a source page is not there the callback fails, and the pages
 * from it on are pinned, with none of our locks held, before it is tried again;
 * so is each batch from then on. A page may still be unmapped in between.
 */
#include "mmu/populate.h"

#include "gmem/invalidation.h"
#include "gmem/locks.h"
#include "gmem/trace.h"
#include "mmu/memslot.h"

namespace gmem
{

namespace
{

/* How often a source page may vanish between pin and copy. */
constexpr int kSourceRetries = 16;

class Pins {
    public:
	~Pins() { kapi_pins_drop(&pins_); }

	/* Exchanges what is pinned for up to @count pages from @src on, @write for writing; how many. */
	Result<unsigned> take(void *src, std::uint64_t count, bool write)
	{
		kapi_pins_drop(&pins_);
		const int taken = kapi_pins_take(&pins_, src, count, write);

		if (taken < 0)
			return Status{ taken };
		return static_cast<unsigned>(taken);
	}
	const kapi_pins *get() const { return &pins_; }

    private:
	kapi_pins pins_{};
};

/* How many pages from @gfn on, @max at most, are private. */
std::uint64_t leading_private(struct kvm *kvm, Gfn gfn, std::uint64_t max)
{
	std::uint64_t count = 0;

	if (kapi_kvm_range_private(kvm, gfn.value, gfn.value + max))
		return max;
	while (kapi_kvm_range_private(kvm, gfn.value + count, gfn.value + count + 1))
		count++;
	return count;
}

/* The part of @range to populate, of private pages in one run; or why not its first page. */
Result<IndexRange> populatable(Inode &inode, const PopulateRequest &request, IndexRange range)
{
	GMEM_TRY(fresh, inode.store().populatable(range, inode.guests_ran()));
	/* What would be refused whatever the page must not cost a guest its content. */
	if (request.content)
		GMEM_CHECK(inode.platform().may_populate(*request.content));
	return fresh;
}

/*
 * Populates up to @count pages from @gfn on, those that lie in one run, until one
 * fails; @done is how many came before it. The locks are taken, and mappings taken
 * away, once for all. @pins: of the source, NULL if it is not pinned; then -EFAULT, also
 * where it must be.
 */
Status populate_batch(File &file, const PopulateRequest &request, const SlotMap &map, Gfn gfn,
		      std::byte *src, std::uint64_t count, const kapi_pins *pins,
		      std::uint64_t &done)
{
	const PageIndex index = map.index_of(gfn);

	count = std::min(count, block_around(index, kRunOrder).end - index);
	/* KVM changes attributes under slots_lock, which the caller has. */
	count = leading_private(request.kvm, gfn, count);
	if (!count)
		return error(EINVAL);

	/* Exclusive: the callbacks of later kernels assert it. */
	GMEM_TRY(lock, KillableExclusiveInodeLock::take(file.inode().handle()));
	const IndexRange range{ index, index + count };
	Inode &inode = file.inode();
	const LaunchAccess access{ inode.platform(), request.kvm, gfn, map.largest_order(index),
				   count == kRunPages };
	const auto fill = [&](Gfn to, Pfn pfn) {
		std::byte *const from = src ? src + (to - gfn) * kPageSize : nullptr;

		return Status{ kapi_populate_call(request.callback, request.kvm, to.value,
						  pfn.value, from, pins, request.opaque) };
	};

	/*
	 * A page that is not prepared is mapped nowhere. One that becomes prepared is not
	 * populated from a source that is not sure. So there is nothing to invalidate.
	 */
	if (src && !pins) {
		GMEM_TRY(fresh, populatable(inode, request, range));
		if (inode.store().prepared_in(fresh))
			return error(EFAULT);
		return inode.store().populate(fresh, access, inode.guests_ran(), Source::kUnsure,
					      done, fill);
	}

	Invalidation invalidation{ inode, range };
	/* What has content stays mapped: TDX could not map it again. */
	GMEM_TRY(fresh, populatable(inode, request, range));
	/* The rest may be, too: by a huge mapping for a neighbour's sake, or a pre-fault. */
	invalidation.unmap(fresh);
	const bool ran = inode.guests_ran();

	return inode.store().populate(fresh, access, ran, src ? Source::kSure : Source::kInPlace,
				      done, [&](Gfn to, Pfn pfn) {
					      /*
					       * TDX's callback maps the page by a fault of its own,
					       * which must not wait.
					       */
					      invalidation.finish();
					      return fill(to, pfn);
				      });
}

long populate(File &file, const PopulateRequest &request)
{
	const SlotMap map = MemslotBinding::map_of(request.slot);
	const std::uint64_t npages = std::min<std::uint64_t>(request.npages,
							     map.gfns().end - request.gfn);
	auto *const src = static_cast<std::byte *>(request.src);
	Pins pins;
	bool pin = false;
	std::uint64_t done = 0;
	int retries = 0;
	Status status;

	while (done < npages) {
		std::byte *const from = src ? src + done * kPageSize : nullptr;
		const Gfn gfn = request.gfn + done;
		std::uint64_t count = npages - done, came = 0;

		if (pin) {
			const Result<unsigned> taken = pins.take(from, count, request.writeback);

			status = taken.status();
			if (!status.ok())
				break;
			count = taken.value();
		}
		status = populate_batch(file, request, map, gfn, from, count,
					pin ? pins.get() : nullptr, came);
		done += came;
		if (came)
			retries = 0;
		if (status.ok())
			continue;
		if (!src || status != error(EFAULT) || retries++ >= kSourceRetries)
			break;
		pin = true;
	}
	return done || status.ok() ? static_cast<long>(done) : status.code();
}

} /* namespace */

long populate_memslot(File &file, const PopulateRequest &request)
{
	return traced(
		KAPI_TRACE_POPULATE, [&] { return populate(file, request); },
		[&](long done, std::uint64_t ns) {
			const kapi_event_populate event{ request.kvm,
							 request.gfn.value,
							 static_cast<std::uint64_t>(request.npages),
							 done > 0 ? static_cast<std::uint64_t>(done)
								  : 0,
							 done < 0 ? static_cast<int>(done) : 0,
							 ns };

			kapi_trace_populate(file.inode().handle(), &event);
		});
}

} /* namespace gmem */
