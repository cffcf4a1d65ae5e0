/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest for the hosted suites: a VM, a file, a memslot that shows all of it from gfn 0
 * on, and the ways of guest and user space of using, filling and converting it.
 */
#ifndef GMEM_HOSTED_GUEST_H
#define GMEM_HOSTED_GUEST_H

#include <cstdint>

#include <gmem/consumer.h>
#include <gmem/gmem.h>
#include <uapi/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/pci_hole.h"
#include "kunit/fakes/share.h"
#include "kunit/fakes/work.h"
#include "kunit/suites/support.h"

namespace gmem_test
{

/* Of a consumer that has nothing mapped, ever. */
inline constexpr gmem_consumer_ops kQuietOps = {
	.owner = nullptr,
	.prepare = nullptr,
	.failed = nullptr,
	.begin = [](void *, gmem_u64, gmem_u64) {},
	.unmap = [](void *, gmem_u64, gmem_u64) {},
	.end = [](void *, gmem_u64, gmem_u64) {},
	.converted = nullptr,
	.release = [](void *) {},
};

/*
 * The numbers up to @count, for i from 0 on, in an order that jumps about: pages that are
 * allocated in that order lie in no block.
 */
constexpr std::uint64_t scattered(std::uint64_t i, std::uint64_t count = kRunPages)
{
	return i * 37 % count;
}

/* Flags of files that user space cannot map, can map, and that are shared at first. */
inline constexpr std::uint64_t kPlain = 0, kMmap = GUEST_MEMFD_FLAG_MMAP,
			       kInitShared = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
/* What peek(), read() and user_read() say of a page that is not to be had. */
inline constexpr std::uint64_t kNothing = ~0ull;

/* Whether KVM has all of [start, end) as private, or none of it. */
inline bool attributes_of(struct kvm *vm, std::uint64_t start, std::uint64_t end, bool is_private)
{
	for (; start < end; start++) {
		if (kapi_kvm_range_private(vm, start, start + 1) != is_private)
			return false;
	}
	return true;
}

/* A descriptor and what is behind it. */
class GuestFile {
    public:
	GuestFile(struct kvm *vm, std::uint64_t npages, std::uint64_t flags)
		: fd(world_create(vm, npages * kPageSize, flags)),
		  handle(fd < 0 ? nullptr : fake::file_at(fd))
	{
	}
	~GuestFile() { close(); }
	GuestFile(const GuestFile &) = delete;
	GuestFile &operator=(const GuestFile &) = delete;

	void close()
	{
		if (handle)
			fake::close_fd(fd);
		handle = nullptr;
	}
	/* Closes it, and is that of @descriptor from now on. */
	void become(int descriptor)
	{
		close();
		fd = descriptor;
		handle = fake::file_at(fd);
	}
	/* The core's object. */
	File *core() const { return File::of(handle); }
	Inode &inode() const { return core()->inode(); }
	PageStore &store() const { return inode().store(); }
	struct page *cached(std::uint64_t index) const { return cached_at(inode(), index); }
	unsigned cached_pages(std::uint64_t start, std::uint64_t end) const
	{
		return count_cached(inode(), start, end);
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
	long allocate(std::uint64_t start, std::uint64_t end) const
	{
		return fake::fallocate(handle, false, start * kPageSize, (end - start) * kPageSize);
	}

	int fd;
	struct file *handle;
};

/* A VM, its file, and the memslot; a default VM has none at first. */
class Guest {
    public:
	explicit Guest(std::uint64_t npages, std::uint64_t flags = kPlain,
		       unsigned long type = fake::kSwProtectedVm)
		: vm(world_vm(type)), file(vm, npages, flags)
	{
		if (file.handle && type != fake::kDefaultVm)
			fake::slot_add(vm, 0, npages, file.fd, 0, &slot);
	}
	~Guest()
	{
		if (slot)
			fake::slot_delete(vm, slot);
		file.close();
		world_vm_put(vm);
	}
	Guest(const Guest &) = delete;
	Guest &operator=(const Guest &) = delete;

	long punch(std::uint64_t start, std::uint64_t end) const { return file.punch(start, end); }
	long allocate(std::uint64_t start, std::uint64_t end) const
	{
		return file.allocate(start, end);
	}

	/* The guest accesses @gfn, of whichever kind it is: 0, and the order it is mapped with. */
	int access(std::uint64_t gfn, unsigned *order = nullptr) const
	{
		int ret;

		do
			ret = fake::guest_access(vm, gfn, order);
		while (ret == -EAGAIN);
		return ret;
	}
	/* What the guest reads at @gfn without a fault; kNothing: it is not mapped. */
	std::uint64_t peek(std::uint64_t gfn) const
	{
		std::uint64_t content;

		return fake::guest_read(vm, gfn, &content) ? content : kNothing;
	}
	/* The same, and it faults where it must. */
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
	bool attributes(std::uint64_t start, std::uint64_t end, bool is_private) const
	{
		return attributes_of(vm, start, end, is_private);
	}

	struct kvm *vm;
	GuestFile file;
	struct kvm_memory_slot *slot = nullptr;
};

/* Callbacks of populate: page n of the call gets content base + n. */
struct Filler {
	std::uint64_t base = 1000;
	long fail_at = -1; /* the page whose callback fails, half-filled */
	int error = -EIO;
	long faults = 0; /* source pages vanish so often */
	long faults_each = 0; /* and each so often again */
	bool owns = false; /* the platform owns it afterwards */
	long calls = 0, done = 0;

	long populate(struct kvm *vm, std::uint64_t gfn, long npages, bool source = true)
	{
		return fake::populate(vm, gfn, source ? world_user_memory() : nullptr, npages, fill,
				      this);
	}

	static int fill(struct kvm *, gmem_u64, gmem_u64 pfn, void *, int, void *opaque)
	{
		Filler &self = *static_cast<Filler *>(opaque);
		struct page *const page = fake::page_of_pfn(pfn);

		self.calls++;
		if (!fake::page_faults_off())
			gmem_case_failed(__FILE__, __LINE__, "page faults are on");
		page->content = self.base + self.done;
		if (self.faults) {
			self.faults--;
			return -EFAULT;
		}
		self.faults = self.faults_each;
		if (self.done == self.fail_at)
			return self.error;
		page->owned = self.owns;
		self.done++;
		return 0;
	}
};

} /* namespace gmem_test */

#endif /* GMEM_HOSTED_GUEST_H */
