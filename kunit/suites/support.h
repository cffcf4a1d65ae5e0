/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What several suites share: a binding and a platform that count, a file on a
 * VM that clean up after themselves, and a small generator of random numbers.
 */
#ifndef GMEM_KUNIT_SUPPORT_H
#define GMEM_KUNIT_SUPPORT_H

#include "mmu/entry.h"
#include "kunit/suite.h"
#include "kunit/world.h"

namespace gmem_test
{

using namespace gmem;

class Random {
    public:
	constexpr explicit Random(std::uint64_t seed) : state_(seed) {}

	/* Below @bound. */
	constexpr unsigned below(unsigned bound)
	{
		state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
		return (state_ >> 33) % bound;
	}

    private:
	std::uint64_t state_;
};

constexpr IndexRange pages(std::uint64_t start, std::uint64_t end)
{
	return { PageIndex{ start }, PageIndex{ end } };
}

/* Notes what an invalidation tells it. */
class NotedBinding final : public Binding {
    public:
	explicit NotedBinding(IndexRange range) : Binding(range) {}

	bool shows_private(IndexRange) const override { return false; }
	void begin(IndexRange reach) override
	{
		begins++;
		last_begin = reach;
	}
	void unmap(IndexRange range) override
	{
		if (begins != ends + 1)
			unmapped_outside = true;
		unmaps++;
		last_unmap = range;
	}
	void end(IndexRange reach) override
	{
		ends++;
		last_end = reach;
	}
	void file_closed() override { file_closings++; }
	void destroy() override { destroys++; }

	unsigned begins = 0, unmaps = 0, ends = 0, file_closings = 0, destroys = 0;
	bool unmapped_outside = false;
	IndexRange last_begin, last_unmap, last_end;
};

/* Notes what becomes of pages; fails when told to. */
class NotedPlatform final : public Platform {
    public:
	constexpr NotedPlatform(unsigned order, bool join) : order_(order), join_(join) {}

	Status prepare(struct kvm *, Gfn gfn, Pfn pfn, unsigned order) override
	{
		if ((gfn.value | pfn.value) & ((1ull << order) - 1))
			misaligned = true;
		if (fail_prepare)
			return error(EIO);
		prepares++;
		prepared_pages += 1u << order;
		return Status{};
	}
	bool is_hosts(Pfn) override { return !fail_reclaim; }
	Status reclaim(Pfn, std::uint64_t count) override
	{
		reclaims++;
		if (fail_reclaim)
			return error(EIO);
		reclaimed_pages += count;
		return Status{};
	}
	unsigned max_order() const override { return order_; }
	bool pages_join() const override { return join_; }

	bool fail_prepare = false, fail_reclaim = false, misaligned = false;
	unsigned prepares = 0, prepared_pages = 0, reclaims = 0, reclaimed_pages = 0;

    private:
	const unsigned order_;
	const bool join_;
};

/* The page in the page cache, which the store knows best; NULL: absent. */
inline struct page *cached_at(Inode &inode, std::uint64_t index)
{
	return kapi_cache_peek(inode.handle(), index);
}

inline unsigned count_cached(Inode &inode, std::uint64_t start, std::uint64_t end)
{
	unsigned n = 0;

	for (std::uint64_t i = start; i < end; i++)
		n += cached_at(inode, i) != nullptr;
	return n;
}

/* A VM with a file of @npages, as user space would have them. */
class TestFile {
    public:
	/* Through KVM's entry, on the VM's own platform. */
	explicit TestFile(std::uint64_t npages, unsigned long type = 1)
		: vm(world_vm(type)), fd(world_create(vm, npages * kPageSize, 0))
	{
		take_handle();
	}
	TestFile(std::uint64_t npages, Platform &platform, FileKind kind = { .huge = true })
		: vm(world_vm(1))
	{
		const ModuleRef module;
		const Result<int> made = File::create(vm, platform, npages * kPageSize, kind);

		fd = made.ok() ? made.value() : made.status().code();
		take_handle();
	}
	~TestFile()
	{
		close();
		world_vm_put(vm);
	}
	TestFile(const TestFile &) = delete;
	TestFile &operator=(const TestFile &) = delete;

	void close()
	{
		if (fd >= 0)
			world_close(fd);
		fd = -1;
		file = nullptr;
	}

	File *operator->() const { return file; }
	Inode &inode() const { return file->inode(); }
	PageStore &store() const { return inode().store(); }
	explicit operator bool() const { return file != nullptr; }

	/* A guest's, for the page that it has at @gfn. */
	FaultAccess access(std::uint64_t gfn, unsigned largest_order = kRunOrder) const
	{
		return { inode().platform(), vm, Gfn{ gfn }, largest_order, Share::kPrivate };
	}
	/* The page in the page cache, which the store knows best; NULL: absent. */
	struct page *cached(std::uint64_t index) const { return cached_at(inode(), index); }
	unsigned cached_pages(std::uint64_t start, std::uint64_t end) const
	{
		return count_cached(inode(), start, end);
	}

	struct kvm *vm;
	int fd;
	File *file = nullptr;

    private:
	void take_handle()
	{
		struct file *const handle = fd >= 0 ? kapi_file_from_fd(fd) : nullptr;

		if (!handle)
			return;
		file = File::of(handle);
		kapi_file_put(handle);
	}
};

} /* namespace gmem_test */

#endif /* GMEM_KUNIT_SUPPORT_H */
