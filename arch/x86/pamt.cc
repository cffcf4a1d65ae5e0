// SPDX-License-Identifier: GPL-2.0-only
/*
 * The physical address metadata table (pamt.h).
 */
#include "arch/x86/pamt.h"

namespace gmem
{

namespace
{

constexpr const char *kCalls[] = {
	"TDH.MNG.CREATE",	 "TDH.VP.CREATE",	"TDH.MEM.SEPT.ADD",
	"TDH.MEM.PAGE.ADD",	 "TDH.MEM.PAGE.AUG",	"TDH.MEM.RANGE.BLOCK",
	"TDH.MEM.RANGE.UNBLOCK", "TDH.MEM.PAGE.REMOVE", "TDH.PHYMEM.PAGE.RECLAIM",
};

constexpr const char *kTypes[] = {
	"NDA", "RSVD", "2", "REG", "TDR", "TDCX", "TDVPR", "7", "EPT",
};

const char *type_name(PageType type)
{
	return kTypes[static_cast<unsigned>(type)];
}

} /* namespace */

struct Pamt::Region {
	std::array<PamtEntry, kRunPages> entries{};
	std::array<FrameHistory, kRunPages> history{};
};

Pamt::~Pamt()
{
	regions_.clear([this](const Region &region, Pfn pfn) {
		if (region.entries[pfn.value % kRunPages].type == PageType::Nda)
			return false;
		report(pfn, "owned at the end of everything: leaked");
		return true;
	});
}

Status Pamt::cover(Pfn first, std::uint64_t count)
{
	return regions_.cover(first, count);
}

bool Pamt::covers(Pfn pfn)
{
	return regions_.of(pfn) != nullptr;
}

PamtEntry Pamt::lookup(Pfn pfn)
{
	MutexGuard guard{ lock_ };
	const Region *const region = regions_.of(pfn);

	return region ? region->entries[pfn.value % kRunPages] : PamtEntry{};
}

void Pamt::set(Pfn pfn, const PamtEntry &entry, SeamCall call)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(pfn);

	if (!region) {
		kapi_warn_once("a PAMT entry is changed that there is not");
		return;
	}

	PamtEntry &old = region->entries[pfn.value % kRunPages];

	region->history[pfn.value % kRunPages].record(static_cast<std::uint8_t>(call), 0,
						      static_cast<std::uint8_t>(old.type),
						      static_cast<std::uint8_t>(entry.type));
	old = entry;
}

void Pamt::note_failure(Pfn pfn, SeamCall call, std::uint64_t status)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(pfn);

	if (!region)
		return;

	const auto type = static_cast<std::uint8_t>(region->entries[pfn.value % kRunPages].type);

	/* The class and the number of the error; its operand says little here. */
	region->history[pfn.value % kRunPages].record(static_cast<std::uint8_t>(call),
						      static_cast<std::uint16_t>(status >> 32),
						      type, type);
}

void Pamt::report(Pfn pfn, const char *what)
{
	MutexGuard guard{ lock_ };
	const Region *const region = regions_.of(pfn);
	const unsigned slot = pfn.value % kRunPages;
	const PamtEntry entry = region ? region->entries[slot] : PamtEntry{};

	kapi_stat_add(KAPI_STAT_REPORTS, 1);
	kapi_report("tdx-model: frame %#llx: %s (%s, TD %#llx, blocked in epoch %llu)",
		    static_cast<unsigned long long>(pfn.value), what, type_name(entry.type),
		    static_cast<unsigned long long>(entry.owner.value),
		    static_cast<unsigned long long>(entry.bepoch));
	if (region)
		region->history[slot].report(pfn, kCalls, kTypes);
}

void Pamt::set_locked(Pfn pfn, bool locked)
{
	MutexGuard guard{ lock_ };

	if (Region *const region = regions_.of(pfn))
		region->entries[pfn.value % kRunPages].locked = locked;
}

} /* namespace gmem */
