// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate (populate.h). Source pages are pinned in small batches before any of
 * our locks is taken: faulting them in takes mmap_lock, which comes first where
 * guest memory can be mapped by user space. KVM's callbacks of 6.12 copy from
 * the user address themselves, so they run with page faults off; a page that
 * was unmapped in between makes them fail, and is pinned again.
 */
#include "mmu/populate.h"

#include "gmem/invalidation.h"
#include "gmem/locks.h"
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

	/* Exchanges what is pinned for up to @count pages from @src on; how many. */
	Result<unsigned> take(void *src, std::uint64_t count)
	{
		kapi_pins_drop(&pins_);
		const int taken = kapi_pins_take(&pins_, src, count);

		if (taken < 0)
			return Status{ taken };
		return static_cast<unsigned>(taken);
	}

    private:
	kapi_pins pins_{};
};

Status populate_page(File &file, const PopulateRequest &request, const SlotMap &map, Gfn gfn,
		     void *src)
{
	if (!kapi_kvm_range_private(request.kvm, gfn.value, gfn.value + 1))
		return error(EINVAL);

	/* Exclusive: the callbacks of later kernels assert it. */
	ExclusiveInodeLock lock{ file.inode().handle() };

	const PageIndex index = map.index_of(gfn);
	/* A huge mapping may show the page already, for a neighbour's sake. */
	Invalidation invalidation{ file.inode(), { index, index + 1 } };
	const Access access = memslot_access(file, request.kvm, map, gfn, Share::kPrivate);

	invalidation.unmap();
	return file.inode().store().populate(index, access, [&](Pfn pfn) {
		/* TDX's callback maps the page by a fault of its own, which must not wait. */
		invalidation.finish();
		return Status{ kapi_populate_call(request.callback, request.kvm, gfn.value,
						  pfn.value, src, request.opaque) };
	});
}

} /* namespace */

long populate_memslot(File &file, const PopulateRequest &request)
{
	const SlotMap map = MemslotBinding::map_of(request.slot);
	const std::uint64_t npages = std::min<std::uint64_t>(request.npages,
							     map.gfns().end - request.gfn);
	auto *const src = static_cast<std::byte *>(request.src);
	Pins pins;
	std::uint64_t done = 0, pinned_to = 0;
	int retries = 0;
	Status status;

	while (done < npages) {
		void *const from = src ? src + done * kPageSize : nullptr;

		if (kapi_signal_pending()) {
			status = error(EINTR);
			break;
		}
		if (src && done == pinned_to) {
			const Result<unsigned> taken = pins.take(from, npages - done);

			status = taken.status();
			if (!status.ok())
				break;
			pinned_to = done + taken.value();
		}
		status = populate_page(file, request, map, request.gfn + done, from);
		if (status.ok()) {
			done++;
			retries = 0;
			kapi_cond_resched();
		} else if (src && status == error(EFAULT) && retries++ < kSourceRetries) {
			pinned_to = done;
		} else {
			break;
		}
	}
	return done || status.ok() ? static_cast<long>(done) : status.code();
}

} /* namespace gmem */
