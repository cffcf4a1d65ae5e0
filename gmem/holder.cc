// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the holders of a page answer the store (holder.h). None of it is inline: a
 * table of virtual functions in each object that uses one would bring copies along,
 * which the linker drops, and not what the compiler has noted about them.
 */
#include "gmem/holder.h"

#include "gmem/bindings.h"

namespace gmem
{

bool MemslotAccess::takes_all(unsigned order) const
{
	const GfnRange block = block_around(gfn_, order);

	return kapi_kvm_range_private(vm_, block.start.value, block.end.value);
}

Status MemslotAccess::prepare(std::int64_t ahead, Pfn pfn, unsigned order) const
{
	return platform().prepare(vm_, gfn_ + static_cast<std::uint64_t>(ahead), pfn, order);
}

Status MemslotAccess::admit(Pfn pfn, unsigned order) const
{
	return platform().admit(gfn_, pfn, order);
}

Asker MemslotAccess::asker() const
{
	return { use() == Use::kKeeps ? KAPI_WHO_KERNEL : KAPI_WHO_GUEST, gfn_.value };
}

bool LaunchAccess::takes_all(unsigned order) const
{
	return (all_private_ && order <= kRunOrder) || MemslotAccess::takes_all(order);
}

Status FileAccess::prepare(std::int64_t, Pfn, unsigned) const
{
	return Status{};
}

Status FileAccess::admit(Pfn, unsigned) const
{
	return Status{};
}

/* Of a file that can be mapped the pages in the other state are its own, too. */
bool UserAccess::takes_all(unsigned) const
{
	return true;
}

Asker UserAccess::asker() const
{
	return { KAPI_WHO_USER, KAPI_NO_GFN };
}

Asker ConsumerAccess::asker() const
{
	return { KAPI_WHO_CONSUMER, KAPI_NO_GFN };
}

bool ConsumerAccess::takes_all(unsigned order) const
{
	const IndexRange block = block_around(index_, order);
	const Binding *const slot = bindings_.first_slot(block);

	return !slot || slot->shows_private(block);
}

} /* namespace gmem */
