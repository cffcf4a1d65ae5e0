// SPDX-License-Identifier: GPL-2.0-only
/*
 * The five calls of a guest_memfd backend (include/gmem/gmem.h), one of them as a fault
 * makes it, and memory failure.
 * Each decides whether the file or slot at hand is ours, and hands it to the stock body
 * if not. What a slot is, it is from binding to unbinding, whatever becomes of its file.
 */
#include <gmem/gmem.h>
#include <uapi/gmem.h>

#include "arch/x86/platforms.h"
#include "mmu/entry.h"
#include "mmu/memslot.h"
#include "mmu/populate.h"

namespace
{

using namespace gmem;

/*
 * What a call about the file behind @handle returns: @none without one, and what
 * @stock or @ours says of a file of the stock backend's or of ours.
 */
template <class Stock, class Ours>
auto serve(Entry &entry, const FileRef &handle, int none, Stock stock, Ours ours)
	-> decltype(stock())
{
	if (!handle)
		return none;
	if (File *const file = File::of(handle.get()))
		return ours(*file);
	entry.stock();
	return stock();
}

/*
 * The private or shared page that kvm_gmem_get_pfn() asks for. If the attribute changes
 * meanwhile, a fault is stale, and any other caller gets the page or -EAGAIN.
 */
Share asked_for(const File &file, struct kvm *kvm, Gfn gfn)
{
	return kapi_kvm_asks_private(kvm, gfn.value) ? Share::kPrivate : shared_of(file);
}

/* kvm_gmem_get_pfn(), where @page_of(File &, Shown) finds the page in a file of ours. */
template <class Fn>
int pfn_by(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
	   int *max_order, Fn page_of)
{
	Entry entry{ KAPI_ENTRY_GET_PFN };
	const Result<Shown> at = shown_at(kvm, slot, Gfn{ gfn });

	if (!at.ok())
		return at.status().code();

	const auto ours = [&](File &file) {
		Result<Backing> backing = page_of(file, at.value());

		if (!backing.ok())
			return backing.status().code();
		*pfn = kapi_page_pfn(backing.value().page.get());
		if (max_order)
			*max_order = static_cast<int>(backing.value().order);
		if (max_order && at.value().alone)
			*max_order = 0;
		backing.value().page.release(); /* the caller's now */
		return 0;
	};

	return serve(
		entry, FileRef{ kapi_slot_file_get(at.value().slot) }, -EFAULT,
		[&] { return kapi_stock_get_pfn(kvm, slot, gfn, pfn, max_order); }, ours);
}

} /* namespace */

int gmem_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	Entry entry{ KAPI_ENTRY_CREATE };
	const ModuleRef module;
	std::uint64_t size, flags;

	if (!module) {
		entry.stock();
		return kapi_stock_create(kvm, args);
	}
	kapi_create_args(args, &size, &flags);
	if (flags & ~known_flags(kvm))
		return -EINVAL;
	/* Sizes are loff_t to the kernel: the top bit makes them negative. */
	if (size == 0 || size >> 63 || size % kPageSize)
		return -EINVAL;

	const FileKind kind{
		.huge = kapi_setting_huge() == KAPI_HUGE_ALWAYS || flags & GMEM_FLAG_HUGE,
		.mappable = (flags & GUEST_MEMFD_FLAG_MMAP) != 0,
		/* A file that only serves private faults shows no difference. */
		.shared = flags & GUEST_MEMFD_FLAG_INIT_SHARED && flags & GUEST_MEMFD_FLAG_MMAP,
	};
	const Result<Platform *> platform = platform_for(kvm);

	if (!platform.ok())
		return platform.status().code();

	const Result<int> fd = File::create(kvm, *platform.value(), size, kind);

	platform.value()->drop(); /* the inode has its own use */
	return fd.ok() ? fd.value() : fd.status().code();
}

int gmem_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd, long long offset)
{
	Entry entry{ KAPI_ENTRY_BIND };
	const FileRef handle{ kapi_file_from_fd(fd) };

	return serve(
		entry, handle, -EBADF, [&] { return kapi_stock_bind(kvm, slot, fd, offset); },
		[&](File &file) {
			return bind_memslot(file, handle.get(), kvm, slot, offset).code();
		});
}

void gmem_unbind(struct kvm_memory_slot *slot)
{
	Entry entry{ KAPI_ENTRY_UNBIND };
	/*
	 * The file may be dying, but its release needs slots_lock before it can
	 * go further than that: what the slot points to is still there.
	 */
	struct file *const handle = kapi_slot_file(slot);
	File *const file = handle ? File::of(handle) : nullptr;

	if (handle && !file) {
		entry.stock();
		kapi_stock_unbind(slot);
		return;
	}
	if (file)
		unbind_memslot(*file, slot);
	kapi_slot_unmark_only(slot);
}

int gmem_kvm_prepare_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			  kapi_u64 offset)
{
	Entry entry{ KAPI_ENTRY_PREPARE_BIND };
	FileRef handle{ kapi_file_from_fd(fd) };

	return serve(
		entry, handle, -EBADF,
		[&] { return kapi_stock_prepare_bind(kvm, slot, fd, offset); },
		[&](File &file) {
			const Result<PageIndex> start = check_bind(file, kvm, slot,
								   static_cast<long long>(offset));

			if (!start.ok())
				return start.status().code();
			kapi_slot_set_file(slot, handle.release(), start.value().value);
			return 0;
		});
}

int gmem_kvm_commit_bind(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	Entry entry{ KAPI_ENTRY_COMMIT_BIND };

	/* It has no file. */
	if (kapi_slot_is_alias(slot))
		return 0;

	struct file *const handle = kapi_slot_file(slot);
	File *const file = File::of(handle);

	if (!file) {
		entry.stock();
		return kapi_stock_commit_bind(kvm, slot);
	}
	return bind_memslot(*file, handle, kvm, slot,
			    static_cast<long long>(kapi_slot_pgoff(slot) << kPageShift))
		.code();
}

int gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gmem_u64 gfn, gmem_u64 *pfn,
		 int *max_order)
{
	return pfn_by(kvm, slot, gfn, pfn, max_order, [&](File &file, const Shown &at) {
		return memslot_kernel_page(file, kvm, at.slot, at.gfn, Share::kPrivate);
	});
}

int gmem_kvm_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		     int *max_order)
{
	return pfn_by(kvm, slot, gfn, pfn, max_order, [&](File &file, const Shown &at) {
		return memslot_kernel_page(file, kvm, at.slot, at.gfn,
					   asked_for(file, kvm, at.gfn));
	});
}

int gmem_kvm_fault_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order)
{
	return pfn_by(kvm, slot, gfn, pfn, max_order, [&](File &file, const Shown &at) {
		return memslot_fault(file, kvm, at.slot, at.gfn, asked_for(file, kvm, at.gfn));
	});
}

long gmem_populate(struct kvm *kvm, gmem_u64 gfn, void *src, long npages, gmem_populate_cb cb,
		   void *opaque)
{
	return gmem_kvm_populate(kvm, gfn, src, npages, false, cb, opaque);
}

long gmem_kvm_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages, bool writeback,
		       kapi_populate_cb cb, void *opaque)
{
	Entry entry{ KAPI_ENTRY_POPULATE };

	kapi_kvm_assert_slots_lock(kvm);
	if (npages < 0)
		return -EINVAL;

	struct kvm_memory_slot *const slot = kapi_kvm_slot_of(kvm, gfn);

	if (!slot || !kapi_slot_has_gmem(slot))
		return -EINVAL;

	return serve(
		entry, FileRef{ kapi_slot_file_get(slot) }, -EFAULT,
		[&] { return kapi_stock_populate(kvm, gfn, src, npages, writeback, cb, opaque); },
		[&](File &file) {
			return populate_memslot(file,
						PopulateRequest{ kvm, slot, Gfn{ gfn }, src, npages,
								 writeback, cb, opaque });
		});
}

int gmem_memory_failure(unsigned long pfn, int flags)
{
	Entry entry{ KAPI_ENTRY_MEMORY_FAILURE };

	if (!kapi_poison_expose(pfn))
		entry.stock();
	return kapi_stock_memory_failure(pfn, flags);
}
