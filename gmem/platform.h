/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a confidential-computing platform does to a page between the allocator
 * and the guest. The core knows only this; arch/x86/ implements it.
 *
 * The life of a page: prepared or populated once before a guest maps it, admitted
 * each time one is about to, reclaimed before it goes back to the allocator. A
 * block prepared by one call is split before a part of it is reclaimed.
 */
#ifndef GMEM_PLATFORM_H
#define GMEM_PLATFORM_H

#include <array>

#include "gmem/guard.h"
#include "gmem/result.h"
#include "gmem/types.h"

struct kvm;

namespace gmem
{

/* What becomes of a page that is populated; its content is in the frame. */
struct PageContent {
	unsigned type; /* enum gmem_page_type of the user ABI */
	std::uint64_t pages; /* how many are populated at once, of which this is one */
	bool measure; /* where the type does not say it already */
	/* Out, on -EIO: the firmware's status. */
	std::uint64_t firmware_error = 0;
	/* Out: it refused the content, and the frame holds it corrected. */
	bool corrected = false;
};

/*
 * What prepare() and populate() say when they are done in part: the page is neither the
 * guest's nor the host's (event::kStranded). Nothing else returns this errno.
 */
inline constexpr Status kHalfDone = error(ENOTRECOVERABLE);

/* A launch's digest; SHA-384. */
using Measurement = std::array<std::uint8_t, 48>;

/* One VM's, or all VMs' that need no state. Calls for disjoint pages may run at once. */
class Platform {
    public:
	Platform(const Platform &) = delete;
	Platform &operator=(const Platform &) = delete;

	/*
	 * Makes the 2^order pages at @pfn the guest's of @vm, at @gfn and on; both
	 * are aligned to the order. All or nothing. -EBUSY: the platform was busy
	 * for too long; -ENOMEM; -EIO; kHalfDone: neither all nor nothing, and
	 * the pages must be reclaimed before they are freed. Run lock held; may sleep.
	 */
	virtual Status prepare(struct kvm *vm, Gfn gfn, Pfn pfn, unsigned order) = 0;
	/*
	 * Gives @count pages back to the host, before they are freed; no part of a
	 * block prepared as one. All are tried; after a failure the host must never
	 * use those again that are not is_hosts(). Run lock held; may sleep.
	 */
	virtual Status reclaim(Pfn pfn, std::uint64_t count) = 0;
	/* Whether the host may use the page, after a call that may have left it otherwise. */
	virtual bool is_hosts(Pfn) = 0;
	/* Whether pages keep their content when they change between guest and host. */
	virtual bool keeps_content() const { return false; }
	/* The largest order that one prepare() can take. */
	virtual unsigned max_order() const = 0;
	/* Whether pages prepared one by one may be mapped by one huge mapping. */
	virtual bool pages_join() const = 0;

	/*
	 * A guest is about to map the block of @order around @gfn, of which @pfn is
	 * the page at @gfn. Failure: the page is not the guest's, or not for there.
	 * Run lock held; may sleep.
	 */
	virtual Status admit(Gfn, Pfn, unsigned) { return Status{}; }
	/*
	 * Makes the block at @pfn, prepared by one call, pages of their own. On
	 * failure it is as it was. Run lock held; may sleep.
	 */
	virtual Status split(Pfn) { return Status{}; }
	/*
	 * Whether populate() of pages of that kind is refused whatever page it is, with
	 * its errors: asked before anything is done to a page. What it says stays so while
	 * the VM's slots_lock is held, but for a VM that dies. May sleep.
	 */
	virtual Status may_populate(PageContent &) { return error(EOPNOTSUPP); }
	/*
	 * Makes the page at @pfn, which holds its first content, the guest's at @gfn,
	 * and measures it. -EIO: see @content; -EBUSY, -ENOMEM: the page is still the
	 * host's. kHalfDone: the page is stranded, the host must not touch it, and
	 * the VM is dead. Run lock held; may sleep.
	 */
	virtual Status populate(Gfn, Pfn, PageContent &) { return error(EOPNOTSUPP); }
	/* Ends the launch; -EIO with @firmware_error, -EBUSY. slots_lock held; may sleep. */
	virtual Status finish(std::uint64_t &) { return error(EOPNOTSUPP); }
	/* What the launch measured to. -EPERM before its end. */
	virtual Status measurement(Measurement &) { return error(EOPNOTSUPP); }

	/* As the module's parameter platform= has it, "none", or "kvm": the vendor module's. */
	virtual const char *name() const { return "none"; }

	/* Counts users; the last drop may destroy a VM's platform. May sleep. */
	virtual void hold() {}
	virtual void drop() {}

    protected:
	constexpr Platform() = default;
	~Platform() = default;
};

template <class Of> void drop_platform(Of *platform)
{
	platform->drop();
}
/* A use of a platform. */
using PlatformRef = Ref<Platform, drop_platform<Platform>>;

inline PlatformRef hold(Platform &platform)
{
	platform.hold();
	return PlatformRef{ &platform };
}

} /* namespace gmem */

#endif /* GMEM_PLATFORM_H */
