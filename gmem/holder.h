/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kinds of callers that ask for a page, each a type, because the rules differ:
 *
 *   FaultAccess     a guest's fault. It takes no lock: KVM drops what it got if an
 *                   invalidation came in between, and tries again. Only here may a
 *                   stand-in be given (mmu/memslot.h).
 *   KernelAccess    the kernel for itself, by way of a memslot, for as long as it likes.
 *   UserAccess      user space's fault on a mapping of the file.
 *   ConsumerAccess  a consumer in another module.
 *   LaunchAccess    populate, for the guest, before it has seen the page.
 *
 * Only a fault can be told later to try again. The kernel, user space and consumers
 * hold the inode lock, shared, from the look at the page's state until they have a
 * reference. A conversion holds that lock exclusively from its look at references until
 * the page is private. So neither comes between the other's two steps. The types are
 * made from the lock.
 *
 * A guest's page has a gfn, which its platform is told, and which KVM is asked about. A
 * page of the file as such has none: user space and consumers have no gfn to give.
 */
#ifndef GMEM_HOLDER_H
#define GMEM_HOLDER_H

#include "gmem/locks.h"
#include "gmem/platform.h"
#include "gmem/share.h"
#include "gmem/types.h"

namespace gmem
{

class Binding;
class Bindings;

/* What becomes of the page in its hands. */
enum class Use {
	kGuests, /* only a guest will use it */
	kPasses, /* it is let go once it is mapped, or filled */
	kKeeps, /* it is kept for as long as the holder likes; the inode lock is held */
};

/* The asker, as tracepoints name it. */
struct Asker {
	kapi_who who;
	std::uint64_t gfn; /* or KAPI_NO_GFN */
};

/* What the store asks of an asker. Distances are in pages from the page asked for. */
class Access {
    public:
	Access(const Access &) = delete;
	Access &operator=(const Access &) = delete;

	Platform &platform() const { return platform_; }
	Share share() const { return share_; }
	/* Blocks up to this order around the page would lie in one piece where it is used. */
	unsigned largest_order() const { return largest_order_; }
	Use use() const { return use_; }

	/* Whether all of the block of @order around the page would be used as private. */
	virtual bool takes_all(unsigned order) const = 0;
	/* As Platform::prepare() of the block that begins @ahead of the page. */
	virtual Status prepare(std::int64_t ahead, Pfn pfn, unsigned order) const = 0;
	/* As Platform::admit(). */
	virtual Status admit(Pfn pfn, unsigned order) const = 0;
	virtual Asker asker() const = 0;

    protected:
	Access(Platform &platform, Share share, unsigned largest_order, Use use)
		: platform_(platform), share_(share), largest_order_(largest_order), use_(use)
	{
	}
	~Access() = default;

    private:
	Platform &platform_;
	const Share share_;
	const unsigned largest_order_;
	const Use use_;
};

/* By way of a memslot of @vm, which shows the page at a gfn. */
class MemslotAccess : public Access {
    public:
	bool takes_all(unsigned order) const override;
	Status prepare(std::int64_t ahead, Pfn pfn, unsigned order) const override;
	Status admit(Pfn pfn, unsigned order) const override;
	Asker asker() const override;

	Gfn gfn() const { return gfn_; }

    protected:
	MemslotAccess(Platform &platform, struct kvm *vm, Gfn gfn, unsigned largest_order,
		      Share share, Use use)
		: Access(platform, share, largest_order, use), vm_(vm), gfn_(gfn)
	{
	}
	~MemslotAccess() = default;

    private:
	struct kvm *const vm_;
	const Gfn gfn_;
};

class FaultAccess final : public MemslotAccess {
    public:
	/* KVM itself does not write to private pages while a guest faults on them. */
	FaultAccess(Platform &platform, struct kvm *vm, Gfn gfn, unsigned largest_order,
		    Share share)
		: MemslotAccess(platform, vm, gfn, largest_order, share,
				share == Share::kPrivate ? Use::kGuests : Use::kPasses)
	{
	}
};

class KernelAccess final : public MemslotAccess {
    public:
	KernelAccess(const SharedInodeLock &, Platform &platform, struct kvm *vm, Gfn gfn,
		     unsigned largest_order, Share share)
		: MemslotAccess(platform, vm, gfn, largest_order, share, Use::kKeeps)
	{
	}
};

class LaunchAccess final : public MemslotAccess {
    public:
	/* @all_private: KVM has been asked already about all of the run. */
	LaunchAccess(Platform &platform, struct kvm *vm, Gfn gfn, unsigned largest_order,
		     bool all_private)
		: MemslotAccess(platform, vm, gfn, largest_order, Share::kPrivate, Use::kPasses),
		  all_private_(all_private)
	{
	}

	bool takes_all(unsigned order) const override;

    private:
	const bool all_private_;
};

/*
 * By the page's place in the file. No platform is told of it: it is shared; or private
 * on one that leaves pages as they are (Platform::keeps_content()).
 */
class FileAccess : public Access {
    public:
	Status prepare(std::int64_t ahead, Pfn pfn, unsigned order) const final;
	Status admit(Pfn pfn, unsigned order) const final;

    protected:
	FileAccess(Platform &platform, IndexRange all, PageIndex index, Share share)
		: Access(platform, share, order_within(all, index), Use::kKeeps)
	{
	}
	~FileAccess() = default;
};

class UserAccess final : public FileAccess {
    public:
	/* Of the file with the pages @all, which is one that can be mapped. */
	UserAccess(const KillableSharedInodeLock &, Platform &platform, IndexRange all,
		   PageIndex index)
		: FileAccess(platform, all, index, Share::kShared)
	{
	}

	bool takes_all(unsigned order) const override;
	Asker asker() const override;
};

class ConsumerAccess final : public FileAccess {
    public:
	/* Through the file with these @bindings. */
	ConsumerAccess(const SharedInodeLock &, Platform &platform, const Bindings &bindings,
		       IndexRange all, PageIndex index, Share share)
		: FileAccess(platform, all, index, share), bindings_(bindings), index_(index)
	{
	}

	/* As a guest's fault by way of the memslot there would have it; without one, yes. */
	bool takes_all(unsigned order) const override;
	Asker asker() const override;

    private:
	const Bindings &bindings_;
	const PageIndex index_;
};

} /* namespace gmem */

#endif /* GMEM_HOLDER_H */
