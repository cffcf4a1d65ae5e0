// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's vendor modules (vendors.h).
 */
#include "kunit/fakes/vendors.h"

#include <cstring>

#include "kunit/fakes/pages.h"

namespace fake
{

using namespace gmem;

namespace
{

constexpr std::uint32_t kAsid = 3;

RmpUpdate private_page(std::uint64_t gfn, RmpSize size, bool immutable)
{
	return { gfn << kPageShift, true, size, immutable, kAsid };
}

} /* namespace */

SnpVendor::SnpVendor() : gctx_(kapi_pages_alloc(0))
{
	const Pfn pfn{ kapi_page_pfn(gctx_) };

	if (!rmp.cover(pfn, 1).ok() ||
	    rmp.update(pfn, { 0, true, RmpSize::k4K, true, 0 }) != RmpCode::Ok ||
	    firmware.gctx_create(guest, pfn) != SnpStatus::Success ||
	    firmware.launch_start(guest) != SnpStatus::Success ||
	    firmware.activate(guest, kAsid) != SnpStatus::Success)
		bug("no SNP guest");
	set_vendor(this);
}

SnpVendor::~SnpVendor()
{
	const Pfn pfn{ kapi_page_pfn(gctx_) };

	set_vendor(nullptr);
	(void)firmware.decommission(guest);
	(void)firmware.page_reclaim(pfn, RmpSize::k4K);
	if (rmp.update(pfn, {}) != RmpCode::Ok)
		bug("the SNP guest's context cannot be reclaimed");
	kapi_page_put(gctx_);
}

/* Maybe less than @order: 2 MiB only if all of it is shared, else one page. */
int SnpVendor::prepare(std::uint64_t gfn, std::uint64_t pfn, unsigned order)
{
	prepares++;
	if (fail_after == 0)
		return -EINVAL;
	if (fail_after > 0)
		fail_after--;
	if (zeal == Zeal::Nothing)
		return 0;
	if (!rmp.cover(Pfn{ pfn }, 1ull << order).ok())
		return -ENOENT;
	if (entry(pfn).assigned)
		return 0;

	const bool huge = zeal == Zeal::All && order >= kRunOrder &&
			  rmp.all_hypervisor(Pfn{ pfn }, kRunPages);

	return rmp.update(Pfn{ pfn }, private_page(gfn, huge ? RmpSize::k2M : RmpSize::k4K,
						   false)) == RmpCode::Ok
		       ? 0
		       : -EINVAL;
}

/* Failures are warned of, and the pages behind them are gone on with. */
void SnpVendor::invalidate(std::uint64_t start, std::uint64_t end)
{
	for (std::uint64_t pfn = start, next; pfn < end; pfn = next) {
		const RmpEntry e = entry(pfn);
		const bool huge = e.size == RmpSize::k2M;
		const bool whole = huge && pfn % kRunPages == 0 && pfn + kRunPages <= end;

		next = pfn + (whole ? kRunPages : 1);
		if (!e.assigned)
			continue;
		if (huge && !whole) {
			psmashes++;
			if (rmp.psmash(Pfn{ pfn & ~(kRunPages - 1) }) != RmpCode::Ok) {
				warnings++;
				continue;
			}
		}
		if (rmp.update(Pfn{ pfn }, { .size = whole ? RmpSize::k2M : RmpSize::k4K }) !=
		    RmpCode::Ok)
			warnings++;
	}
}

int SnpVendor::assigned(std::uint64_t pfn)
{
	return entry(pfn).assigned;
}

unsigned SnpVendor::max_order(std::uint64_t pfn)
{
	const RmpEntry e = entry(pfn);

	return e.assigned && e.size == RmpSize::k2M ? kRunOrder : 0;
}

int SnpVendor::post_populate(struct kvm *, gmem_u64 gfn, gmem_u64 pfn, void *src, int, void *opaque)
{
	Page &page = *static_cast<Page *>(opaque);
	SnpVendor &v = page.vendor;

	if (!v.rmp.cover(Pfn{ pfn }, 1).ok())
		return -EINVAL;
	if (v.entry(pfn).assigned)
		return -EEXIST;
	if (src)
		std::memcpy(kapi_frame(pfn), src, kPageSize);
	if (v.rmp.update(Pfn{ pfn }, private_page(gfn, RmpSize::k4K, true)) != RmpCode::Ok)
		return -EINVAL;
	page.status = v.firmware.launch_update(
		v.guest, { .page = Pfn{ pfn },
			   .type = page.type,
			   .data = { static_cast<std::uint8_t *>(kapi_frame(pfn)), kPageSize } });
	if (page.status == SnpStatus::Success)
		return 0;
	if (v.firmware.page_reclaim(Pfn{ pfn }, RmpSize::k4K) != SnpStatus::Success ||
	    v.rmp.update(Pfn{ pfn }, {}) != RmpCode::Ok)
		bug("KVM would be bugged");
	return -EIO;
}

TdxVendor::~TdxVendor()
{
	set_vendor(nullptr);
	if (!sept_.empty())
		bug("%zu pages are left in the S-EPT", sept_.size());
}

int TdxVendor::map(std::uint64_t gfn, std::uint64_t pfn, unsigned order)
{
	if (order != 0)
		bug("gfn %#lx is mapped huge into a TD", gfn);
	if (sept_.count(gfn))
		return 0; /* spurious */
	if (owned_.count(pfn))
		bug("pfn %#lx is mapped into a TD twice", pfn);
	/* Before the end pages come by PAGE.ADD only. */
	if (!finalized && !adding_)
		return -EIO;
	calls.push_back(adding_ ? Call::Add : Call::Aug);
	sept_[gfn] = pfn;
	owned_[pfn] = gfn;
	return 0;
}

void TdxVendor::unmap(std::uint64_t gfn, std::uint64_t pfn)
{
	if (!sept_.count(gfn) || sept_[gfn] != pfn)
		bug("gfn %#lx is unmapped from a TD that has something else there", gfn);
	if (finalized) {
		calls.push_back(Call::Block);
		calls.push_back(Call::Track);
	}
	calls.push_back(Call::Remove);
	sept_.erase(gfn);
	owned_.erase(pfn);
}

int TdxVendor::post_populate(struct kvm *kvm, gmem_u64 gfn, gmem_u64 pfn, void *src, int,
			     void *opaque)
{
	TdxVendor &v = *static_cast<TdxVendor *>(opaque);

	if (!kvm->slots_lock.held())
		bug("slots_lock is not held");
	if (src)
		std::memcpy(kapi_frame(pfn), src, kPageSize);
	v.adding_ = true;

	const int ret = v.map(gfn, pfn, 0);

	v.adding_ = false;
	if (ret)
		return ret;
	/* KVM tries again and again until no invalidation is in the way. */
	if (!map_from_vendor(kvm, gfn, pfn))
		bug("gfn %#lx: the callback's own fault waits for its caller", gfn);
	for (unsigned i = 0; i < 16; i++)
		v.calls.push_back(Call::Extend);
	return 0;
}

} /* namespace fake */
