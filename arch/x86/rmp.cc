// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map table (rmp.h).
 */
#include "arch/x86/rmp.h"

namespace gmem
{

namespace
{

/* Guest-physical addresses of entries are bits 50 to 12. */
constexpr std::uint64_t kGpaMask = (1ull << 51) - kPageSize;

enum Operation : std::uint8_t { kRmpUpdate, kPsmash, kPvalidate, kRmpadjust, kVmrun, kFirmware };

constexpr const char *kOperations[] = {
	"RMPUPDATE",
	"PSMASH",
	"PVALIDATE",
	"RMPADJUST",
	"VMRUN",
	"SNP_GCTX_CREATE",
	"SNP_LAUNCH_UPDATE",
	"SNP_PAGE_RECLAIM",
	"SNP_DECOMMISSION",
};

constexpr const char *kStates[] = {
	"HYPERVISOR", "HV_FIXED", "FIRMWARE",	   "CONTEXT",	  "METADATA", "RECLAIM",
	"PRE_GUEST",  "PRE_SWAP", "GUEST_INVALID", "GUEST_VALID", "no state",
};

/* KVM has vCPUs by the thousand at most. */
std::uint16_t user_of(unsigned nr)
{
	return static_cast<std::uint16_t>(nr + 1);
}

} /* namespace */

/* The 512 entries of an aligned 2 MiB of memory. */
struct Rmp::Region {
	std::array<RmpEntry, kRunPages> entries{};
	std::array<FrameHistory, kRunPages> history{};

	/* The first entry stands for all of them. */
	bool is_2m() const { return entries[0].assigned && entries[0].size == RmpSize::k2M; }

	void record(unsigned slot, std::uint8_t operation, RmpCode code, RmpState before)
	{
		history[slot].record(operation, static_cast<std::uint16_t>(code),
				     static_cast<std::uint8_t>(before),
				     static_cast<std::uint8_t>(effective(*this, slot).state()));
	}
};

const char *rmp_state_name(RmpState state)
{
	return kStates[static_cast<unsigned>(state)];
}

RmpState RmpEntry::state() const
{
	if (!assigned) {
		if (validated || asid)
			return RmpState::Broken;
		return immutable ? RmpState::HvFixed : RmpState::Hypervisor;
	}
	if (asid) {
		if (immutable)
			return validated ? RmpState::PreSwap : RmpState::PreGuest;
		return validated ? RmpState::GuestValid : RmpState::GuestInvalid;
	}
	if (validated)
		return RmpState::Broken;
	if (!immutable)
		return RmpState::Reclaim;
	if (gpa)
		return RmpState::Metadata;
	return vmsa ? RmpState::Context : RmpState::Firmware;
}

Rmp::~Rmp()
{
	regions_.clear([this](const Region &region, Pfn pfn) {
		if (effective(region, pfn.value % kRunPages).state() == RmpState::Hypervisor)
			return false;
		report(pfn, "assigned at the end of everything: leaked");
		return true;
	});
}

Status Rmp::cover(Pfn first, std::uint64_t count)
{
	return regions_.cover(first, count);
}

RmpEntry Rmp::effective(const Region &region, unsigned slot)
{
	RmpEntry entry = region.entries[slot];

	if (region.is_2m()) {
		entry = region.entries[0];
		entry.gpa += slot * kPageSize;
	}
	return entry;
}

RmpCode Rmp::update_4k(Region &region, unsigned slot, const RmpUpdate &update)
{
	/* For any frame of it, not only the first, which is all that is documented. */
	if (region.is_2m())
		return RmpCode::FailOverlap;
	region.entries[slot] = { .gpa = update.gpa,
				 .asid = static_cast<std::uint16_t>(update.asid),
				 .size = RmpSize::k4K,
				 .assigned = update.assigned,
				 .immutable = update.immutable };
	return RmpCode::Ok;
}

RmpCode Rmp::update_2m(Region &region, const RmpUpdate &update)
{
	if (!region.is_2m()) {
		for (const RmpEntry &entry : region.entries) {
			if (entry.assigned)
				return RmpCode::FailOverlap;
		}
	}
	/* The rest of them say no more than whether they are assigned. */
	region.entries.fill({ .assigned = update.assigned });
	region.entries[0] = { .gpa = update.gpa,
			      .asid = static_cast<std::uint16_t>(update.asid),
			      .size = update.assigned ? RmpSize::k2M : RmpSize::k4K,
			      .assigned = update.assigned,
			      .immutable = update.immutable };
	return RmpCode::Ok;
}

RmpCode Rmp::checked_update(Region &region, unsigned slot, const RmpUpdate &update)
{
	const bool huge = update.size == RmpSize::k2M;

	if (effective(region, slot).immutable)
		return RmpCode::FailPermission;
	if (!huge)
		return update_4k(region, slot, update);
	for (const RmpEntry &entry : region.entries) {
		if (entry.immutable)
			return RmpCode::FailPermission;
	}
	return update_2m(region, update);
}

RmpCode Rmp::update(Pfn pfn, const RmpUpdate &update)
{
	const bool huge = update.size == RmpSize::k2M;
	const unsigned slot = pfn.value % kRunPages;
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(pfn);
	RmpCode code;

	updates_++;
	if (update_failure_.strikes(code))
		return code;
	if (huge && slot != 0)
		return RmpCode::FailInput;
	if (!update.assigned && (update.immutable || update.asid != 0))
		return RmpCode::FailInput;
	if (update.gpa & ~kGpaMask || update.asid > kMaxAsid)
		return RmpCode::FailInput;
	if (huge && update.gpa % (kRunPages * kPageSize))
		return RmpCode::FailInput;
	if (!region)
		return RmpCode::FailInput;

	std::array<RmpState, kRunPages> before;
	const unsigned end = huge ? kRunPages : slot + 1;

	for (unsigned i = slot; i < end; i++)
		before[i] = effective(*region, i).state();
	code = checked_update(*region, slot, update);
	for (unsigned i = slot; i < end; i++)
		region->record(i, kRmpUpdate, code, before[i]);
	return code;
}

RmpCode Rmp::checked_psmash(Region &region)
{
	if (!region.is_2m())
		return RmpCode::FailNotEligible;
	if (region.entries[0].immutable)
		return RmpCode::FailPermission;

	RmpEntry part = region.entries[0];

	part.size = RmpSize::k4K;
	for (RmpEntry &entry : region.entries) {
		entry = part;
		part.gpa += kPageSize;
	}
	return RmpCode::Ok;
}

RmpCode Rmp::psmash(Pfn pfn)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(pfn);
	RmpCode code;

	if (psmash_failure_.strikes(code))
		return code;
	if (pfn.value % kRunPages || !region)
		return RmpCode::FailInput;

	const RmpState before = effective(*region, 0).state();

	code = checked_psmash(*region);
	for (unsigned slot = 0; slot < kRunPages; slot++)
		region->record(slot, kPsmash, code, before);
	return code;
}

/* What is the same for both of the guest's instructions; the sizes last. */
RmpAnswer Rmp::checked_guest(const Region &region, const RmpPage &page)
{
	const unsigned slot = page.pfn.value % kRunPages;
	const RmpEntry entry = effective(region, slot);

	if (!entry.assigned || entry.immutable || entry.asid != page.asid || entry.gpa != page.gpa)
		return { .fault = RmpAnswer::Fault::NotGuests };
	if (page.size == RmpSize::k4K && entry.size == RmpSize::k2M)
		return { .fault = RmpAnswer::Fault::TooLarge };
	if (page.size == RmpSize::k2M && (entry.size == RmpSize::k4K || slot != 0))
		return { .code = RmpCode::FailSizeMismatch };
	return {};
}

/* @change(entry) says how it ends where nothing is against it. */
template <class Fn> RmpAnswer Rmp::by_guest(const RmpPage &page, std::uint8_t operation, Fn change)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(page.pfn);
	const unsigned slot = page.pfn.value % kRunPages;

	if (!region)
		return { .fault = RmpAnswer::Fault::NotGuests };

	const RmpState before = effective(*region, slot).state();
	RmpAnswer answer = checked_guest(*region, page);

	if (answer.fault == RmpAnswer::Fault::None && is_ok(answer.code))
		answer = change(region->entries[slot]);
	if (answer.fault == RmpAnswer::Fault::None)
		region->record(slot, operation, answer.code, before);
	return answer;
}

RmpAnswer Rmp::pvalidate(const RmpPage &page, bool validate)
{
	return by_guest(page, kPvalidate, [=](RmpEntry &entry) {
		const bool changed = entry.validated != validate;

		entry.validated = validate;
		return RmpAnswer{ .changed = changed };
	});
}

RmpAnswer Rmp::rmpadjust(const RmpPage &page, const RmpAdjust &adjust)
{
	return by_guest(page, kRmpadjust, [&](RmpEntry &entry) {
		if (entry.user)
			return RmpAnswer{ .code = RmpCode::FailInuse };
		if (!entry.validated)
			return RmpAnswer{ .fault = RmpAnswer::Fault::NotValidated };
		/* Nobody gives what is not his. */
		if (adjust.by != 0 && adjust.perms & ~entry.perms[adjust.by - 1])
			return RmpAnswer{ .code = RmpCode::FailPermission };

		const RmpEntry before = entry;

		entry.perms[adjust.target - 1] = adjust.perms;
		/* Of others the bit is ignored. */
		if (adjust.by == 0)
			entry.vmsa = adjust.vmsa;
		return RmpAnswer{ .changed = entry != before };
	});
}

RmpAnswer Rmp::enter_vmsa(const RmpPage &page, unsigned nr)
{
	return by_guest(page, kVmrun, [nr](RmpEntry &entry) {
		if (entry.user)
			return RmpAnswer{ .code = RmpCode::FailInuse };
		if (!entry.validated || !entry.vmsa)
			return RmpAnswer{ .code = RmpCode::FailInput };
		entry.user = user_of(nr);
		return RmpAnswer{ .changed = true };
	});
}

void Rmp::leave_vmsa(const RmpPage &page, unsigned nr)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(page.pfn);

	if (!region || checked_guest(*region, page).fault != RmpAnswer::Fault::None)
		return;

	RmpEntry &entry = region->entries[page.pfn.value % kRunPages];

	if (entry.user == user_of(nr))
		entry.user = 0;
}

RmpEntry Rmp::lookup(Pfn pfn)
{
	MutexGuard guard{ lock_ };
	const Region *const region = regions_.of(pfn);

	return region ? effective(*region, pfn.value % kRunPages) : RmpEntry{};
}

bool Rmp::all_hypervisor(Pfn first, std::uint64_t count)
{
	MutexGuard guard{ lock_ };

	for (std::uint64_t i = 0; i < count; i++) {
		const Pfn pfn = first + i;
		const Region *const region = regions_.of(pfn);

		if (region &&
		    effective(*region, pfn.value % kRunPages).state() != RmpState::Hypervisor)
			return false;
	}
	return true;
}

void Rmp::firmware_set(Pfn pfn, const RmpEntry &entry, Command command)
{
	MutexGuard guard{ lock_ };
	Region *const region = regions_.of(pfn);
	const unsigned slot = pfn.value % kRunPages;

	const bool fits = region && region->is_2m() == (entry.size == RmpSize::k2M) &&
			  (entry.size == RmpSize::k4K || slot == 0);

	if (!fits) {
		kapi_warn_once("the firmware's model changes an entry that there is not");
		return;
	}

	const RmpState before = region->entries[slot].state();

	region->entries[slot] = entry;
	region->record(slot, kFirmware + static_cast<std::uint8_t>(command), RmpCode::Ok, before);
}

void Rmp::report(Pfn pfn, const char *what)
{
	MutexGuard guard{ lock_ };
	const Region *const region = regions_.of(pfn);
	const RmpEntry entry = region ? effective(*region, pfn.value % kRunPages) : RmpEntry{};

	kapi_stat_add(KAPI_STAT_REPORTS, 1);
	kapi_report("snp-model: frame %#llx: %s (%s, gpa %#llx, asid %u, %s)",
		    static_cast<unsigned long long>(pfn.value), what, rmp_state_name(entry.state()),
		    static_cast<unsigned long long>(entry.gpa), entry.asid,
		    entry.size == RmpSize::k2M ? "2M" : "4K");
	if (region)
		region->history[pfn.value % kRunPages].report(pfn, kOperations, kStates);
}

} /* namespace gmem */
