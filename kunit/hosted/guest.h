/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest for the hosted suites: a VM, a file, a memslot that shows it from gfn 0
 * on, and user space's ways of filling it.
 */
#ifndef GMEM_HOSTED_GUEST_H
#define GMEM_HOSTED_GUEST_H

#include <cstdint>

#include <gmem/consumer.h>
#include <gmem/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/pages.h"
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

class Guest {
    public:
	explicit Guest(std::uint64_t npages, unsigned long type = fake::kSwProtectedVm)
		: file(npages, type), vm(file.vm)
	{
		if (file)
			fake::slot_add(vm, 0, npages, file.fd, 0, &slot);
	}
	~Guest()
	{
		if (slot)
			fake::slot_delete(vm, slot);
	}

	long punch(std::uint64_t start, std::uint64_t end) const
	{
		return fake::fallocate(fake::file_at(file.fd), true, start * kPageSize,
				       (end - start) * kPageSize);
	}
	long allocate(std::uint64_t start, std::uint64_t end) const
	{
		return fake::fallocate(fake::file_at(file.fd), false, start * kPageSize,
				       (end - start) * kPageSize);
	}
	/* What the guest reads at @gfn; ~0: it is not mapped. */
	std::uint64_t read(std::uint64_t gfn) const
	{
		std::uint64_t content = ~0ull;

		return fake::guest_read(vm, gfn, &content) ? content : ~0ull;
	}
	int order(std::uint64_t gfn) const { return fake::mapped_order(vm, gfn); }

	TestFile file;
	struct kvm *vm;
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
