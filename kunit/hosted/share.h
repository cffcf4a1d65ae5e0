/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest whose memory user space can map: a VM, a mappable file, a memslot of all
 * of it at gfn 0, and user space's ways of using and converting it.
 */
#ifndef GMEM_HOSTED_SHARE_H
#define GMEM_HOSTED_SHARE_H

#include <uapi/gmem.h>

#include "kunit/fakes/pci_hole.h"
#include "kunit/fakes/share.h"
#include "kunit/hosted/guest.h"

namespace gmem_test
{

inline constexpr std::uint64_t kMmap = GUEST_MEMFD_FLAG_MMAP,
			       kInitShared = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
/* What user_read() and read() say of a page that is not to be had. */
inline constexpr std::uint64_t kNothing = ~0ull;

/* A descriptor and what is behind it. */
class ShareFile {
    public:
	ShareFile(struct kvm *vm, std::uint64_t npages, std::uint64_t flags)
		: fd(world_create(vm, npages * kPageSize, flags)),
		  handle(fd < 0 ? nullptr : fake::file_at(fd))
	{
	}
	~ShareFile() { close(); }
	ShareFile(const ShareFile &) = delete;
	ShareFile &operator=(const ShareFile &) = delete;

	void close()
	{
		if (handle)
			fake::close_fd(fd);
		handle = nullptr;
	}
	Inode &inode() const { return File::of(handle)->inode(); }
	PageStore &store() const { return inode().store(); }
	struct page *cached(std::uint64_t index) const
	{
		return kapi_cache_peek(inode().handle(), index);
	}
	bool shared(std::uint64_t start, std::uint64_t end) const
	{
		return store().next_stretch(pages(start, end), Share::kPrivate).empty();
	}
	bool is_private(std::uint64_t start, std::uint64_t end) const
	{
		return store().next_stretch(pages(start, end), Share::kShared).empty();
	}
	int convert(std::uint64_t start, std::uint64_t end, Share to,
		    std::uint64_t *at = nullptr) const
	{
		return fake::convert(handle, start, end, to == Share::kPrivate, at);
	}
	int touch(std::uint64_t index) const
	{
		std::uint64_t *content;

		return fake::user_touch(handle, index, &content);
	}
	std::uint64_t user_read(std::uint64_t index) const
	{
		std::uint64_t *content;

		return fake::user_touch(handle, index, &content) ? kNothing : *content;
	}
	bool user_write(std::uint64_t index, std::uint64_t value) const
	{
		std::uint64_t *content;

		if (fake::user_touch(handle, index, &content))
			return false;
		*content = value;
		return true;
	}
	bool mapped(std::uint64_t index) const
	{
		return fake::user_mapped(inode().handle(), index);
	}
	struct page *pin(std::uint64_t index) const { return fake::user_pin(handle, index); }
	long punch(std::uint64_t start, std::uint64_t end) const
	{
		return fake::fallocate(handle, true, start * kPageSize, (end - start) * kPageSize);
	}

	int fd;
	struct file *handle;
};

class ShareGuest {
    public:
	explicit ShareGuest(std::uint64_t npages, std::uint64_t flags = kInitShared,
			    unsigned long type = fake::kSwProtectedVm)
		: vm(world_vm(type)), file(vm, npages, flags)
	{
		if (file.handle && type != fake::kDefaultVm)
			fake::slot_add(vm, 0, npages, file.fd, 0, &slot);
	}
	~ShareGuest()
	{
		if (slot)
			fake::slot_delete(vm, slot);
		file.close();
		world_vm_put(vm);
	}
	ShareGuest(const ShareGuest &) = delete;
	ShareGuest &operator=(const ShareGuest &) = delete;

	/* The guest accesses @gfn, of whichever kind it is: 0, and the order it is mapped with. */
	int access(std::uint64_t gfn, unsigned *order = nullptr) const
	{
		int ret;

		do
			ret = fake::guest_access(vm, gfn, order);
		while (ret == -EAGAIN);
		return ret;
	}
	std::uint64_t read(std::uint64_t gfn) const
	{
		std::uint64_t content;

		if (!fake::guest_read(vm, gfn, &content) &&
		    (access(gfn) || !fake::guest_read(vm, gfn, &content)))
			return kNothing;
		return content;
	}
	bool write(std::uint64_t gfn, std::uint64_t content) const
	{
		return fake::guest_write(vm, gfn, content) ||
		       (access(gfn) == 0 && fake::guest_write(vm, gfn, content));
	}
	/* The order that @gfn is mapped with; -1: it is not. */
	int order(std::uint64_t gfn) const { return fake::mapped_order(vm, gfn); }
	/* Whether KVM has all of [start, end) as private, or none of it. */
	bool attributes(std::uint64_t start, std::uint64_t end, bool is_private) const
	{
		for (; start < end; start++) {
			if (kapi_kvm_range_private(vm, start, start + 1) != is_private)
				return false;
		}
		return true;
	}

	struct kvm *vm;
	ShareFile file;
	struct kvm_memory_slot *slot = nullptr;
};

} /* namespace gmem_test */

#endif /* GMEM_HOSTED_SHARE_H */
