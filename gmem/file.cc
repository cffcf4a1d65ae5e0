// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a file: creation, allocation, linking, release; and the entries by which the
 * kernel's file operations (kapi/files.c) reach the core.
 */
#include "gmem/file.h"

#include "gmem/invalidation.h"
#include "gmem/locks.h"
#include "gmem/trace.h"

namespace gmem
{

Result<int> File::create(struct kvm *vm, Platform &platform, std::uint64_t size, FileKind kind)
{
	GMEM_TRY(inode, make<Inode>(platform, kind));
	GMEM_TRY(file, make<File>(*inode, vm));

	const int fd = kapi_fd_reserve();

	if (fd < 0)
		return Status{ fd };

	struct file *handle = nullptr;
	struct inode *inode_handle = nullptr;
	const Status status{ kapi_file_create(size, kind.mappable, inode.get(), file.get(), &handle,
					      &inode_handle) };

	if (!status.ok()) {
		kapi_fd_cancel(fd);
		return status;
	}
	inode->attach(inode_handle);
	inode->add(*file);
	if (is_traced(KAPI_TRACE_CREATE)) {
		const kapi_event_create event{ vm,	  size,		 platform.name(),
					       kind.huge, kind.mappable, kind.shared };

		kapi_trace_create(inode_handle, &event);
	}
	/* From here on the kernel's file and inode own the core's parts. */
	inode.release();
	file.release();
	kapi_fd_install(fd, handle);
	return fd;
}

Status File::allocate(IndexRange range)
{
	if (range.end > inode_.end())
		return error(EINVAL);

	do {
		GMEM_TRY(lock, KillableSharedInodeLock::take(inode_.handle()));
		if (!open_)
			return error(ESTALE);
		GMEM_CHECK(inode_.store().allocate(range, Turn{}));
	} while (!range.empty());
	return Status{};
}

Result<PageRef> File::user_page(PageIndex index)
{
	PageRef busy;

	for (;;) {
		/* Not under the inode lock: memory failure takes it with a page locked. */
		if (busy)
			kapi_page_wait_unlocked(busy.get());

		GMEM_TRY(lock, KillableSharedInodeLock::take(inode_.handle()));
		const IndexRange all{ PageIndex{ 0 }, inode_.end() };

		if (!all.contains(index))
			return error(EINVAL);
		if (inode_.becomes_private(index))
			return error(EBUSY);

		Result<Backing> backing =
			inode_.page(index, UserAccess{ lock, inode_.platform(), all, index });

		if (backing.status() == kOtherState)
			return error(EFAULT);
		/* The platform's; a conversion's is one that ends. */
		if (backing.status() == error(EBUSY))
			return error(EIO);
		GMEM_CHECK(backing);

		PageRef &page = backing.value().page;

		/*
		 * Locked before the inode is let go: who takes the page away or makes
		 * it private then waits for it, or finds it in use. A punch may have
		 * come in between; then it is not the file's any more.
		 */
		if (kapi_page_trylock(page.get())) {
			if (kapi_cache_peek(inode_.handle(), index.value) == page.get())
				return PageRef{ page.release() };
			kapi_page_unlock(page.get());
		}
		busy = std::move(page);
	}
}

void File::close()
{
	const IndexRange all{ PageIndex{ 0 }, inode_.end() };

	{
		Invalidation invalidation{ inode_, all, this };

		invalidation.unmap();
		bindings_.for_each_overlapping(all,
					       [](Binding &binding) { binding.file_closes(); });
	}
	bindings_.remove_all([](Binding &binding) {
		binding.file_closed();
		binding.destroy();
	});
	inode_.remove(*this);
}

void File::release()
{
	/*
	 * slots_lock keeps unbind away: it might free a memslot that a binding
	 * points to.
	 */
	kapi_kvm_slots_lock(vm_);
	{
		ExclusiveInodeLock lock{ inode_.handle() };

		if (open_)
			close();
	}
	kapi_kvm_slots_unlock(vm_);
}

/* At no moment do both have the memory. */
Status File::hand_over(File &to)
{
	GMEM_TRY(slots, KillableSlotsLock::take(vm_));
	GMEM_TRY(lock, KillableExclusiveInodeLock::take(inode_.handle()));
	if (!open_)
		return error(ESTALE);
	close();
	inode_.add(to);
	return Status{};
}

Result<int> File::link(struct kvm *vm)
{
	return traced(
		KAPI_TRACE_LINK, [&] { return link_to(vm); },
		[&](const Result<int> &fd, std::uint64_t ns) {
			const kapi_event_link event{ vm_, vm, fd.status().code(), ns };

			kapi_trace_link(inode_.handle(), &event);
		});
}

Result<int> File::link_to(struct kvm *vm)
{
	GMEM_TRY(file, make<File>(inode_, vm));

	const int fd = kapi_fd_reserve();

	if (fd < 0)
		return Status{ fd };

	struct file *handle = nullptr;
	Status status{ kapi_file_link(inode_.handle(), file.get(), &handle) };

	if (status.ok()) {
		/* The handle's from here on. */
		File &to = *file.release();

		status = hand_over(to);
		if (!status.ok())
			kapi_file_put(handle);
	}
	if (!status.ok()) {
		kapi_fd_cancel(fd);
		return status;
	}
	kapi_fd_install(fd, handle);
	return fd;
}

} /* namespace gmem */

using gmem::File;
using gmem::Inode;
using gmem::IndexRange;
using gmem::PageIndex;

long gmem_file_fallocate(void *core_file, bool punch, kapi_u64 offset, kapi_u64 len)
{
	File &file = *static_cast<File *>(core_file);
	const IndexRange range{ PageIndex{ offset >> gmem::kPageShift },
				PageIndex{ (offset + len) >> gmem::kPageShift } };

	if (!punch)
		return file.allocate(range).code();
	/* Past the end there is nothing to punch. */
	const IndexRange inside = range.intersect({ PageIndex{ 0 }, file.inode().end() });

	return file.inode().punch(inside, &file).code();
}

void gmem_file_release(void *core_file)
{
	File *const file = static_cast<File *>(core_file);

	file->release();
	gmem::Destroy{}(file);
}

int gmem_file_fault(void *core_file, kapi_u64 index, struct page **page)
{
	gmem::Result<gmem::PageRef> found =
		static_cast<File *>(core_file)->user_page(PageIndex{ index });

	if (!found.ok())
		return found.status().code();
	*page = found.value().release();
	return 0;
}

long gmem_file_stat(void *core_file, enum kapi_stat stat)
{
	return static_cast<File *>(core_file)->inode().store().stats().get(stat);
}

void gmem_inode_evict(void *core_inode)
{
	Inode *const inode = static_cast<Inode *>(core_inode);

	inode->evict();
	gmem::Destroy{}(inode);
}

void gmem_inode_poisoned(void *core_inode, struct page *page)
{
	Inode &inode = *static_cast<Inode *>(core_inode);
	const PageIndex index{ kapi_cache_index(page) };

	if (gmem::is_traced(KAPI_TRACE_POISON))
		kapi_trace_poison(inode.handle(), index.value, kapi_page_pfn(page));
	inode.poisoned(index);
}
