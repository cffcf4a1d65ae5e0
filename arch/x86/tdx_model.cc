// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TDX module (tdx_model.h).
 */
#include "arch/x86/tdx_model.h"

#include <cstring>

namespace gmem
{

using namespace tdx;

namespace
{

constexpr Gfn gfn_of(std::uint64_t gpa)
{
	return Gfn{ gpa >> kPageShift };
}

} /* namespace */

TdxModule::Answer TdxModule::walk_details(std::uint64_t status, const Sept::Walk &walk)
{
	return { status, walk.level | static_cast<std::uint64_t>(walk.entry->state) << 8 };
}

/*
 * What every memory call begins with: the TD's root and its lock, its key, its
 * state. @build_only: the call belongs to building the TD.
 */
TdxModule::Answer TdxModule::enter(Td &td, Hold tdr, bool build_only)
{
	std::uint64_t injected;

	calls_++;
	if (td.failure.strikes(injected))
		return fail(injected);
	if (td.lifecycle == Td::Lifecycle::None || pamt_.lookup(td.tdr).type != PageType::Tdr)
		return fail(kPageMetadataIncorrect | kTdr);
	if (!td.tdr_lock.free_for(tdr))
		return fail(kOperandBusy | kTdr);
	if (td.lifecycle == Td::Lifecycle::HkidAssigned)
		return fail(kKeysNotConfigured);
	if (td.lifecycle == Td::Lifecycle::Teardown)
		return fail(kLifecycleIncorrect);
	if (!td.op_state_lock.free_for(Hold::Shared))
		return fail(kOperandBusy | kOpState);
	if (td.op_state == Td::OpState::Uninitialized ||
	    (build_only && td.op_state != Td::OpState::Initialized))
		return fail(kOpStateIncorrect);
	return {};
}

TdxModule::Answer TdxModule::check_gpa(std::uint64_t gpa, unsigned level, Levels levels)
{
	if (level < levels.lowest || level > levels.highest)
		return fail(kOperandInvalid | kRcx);
	if (gpa & ((kPageSize << 9 * level) - 1))
		return fail(kOperandInvalid | kRcx);
	if (gpa >= Sept::kPrivateEnd)
		return fail(kOperandInvalid | kRcx);
	return {};
}

/*
 * What calls about an entry of the S-EPT begin with; @walk is at it then. Entries have
 * locks of their own for calls that share the @tree.
 */
TdxModule::Answer TdxModule::find(Td &td, std::uint64_t gpa, unsigned level, Levels levels,
				  Hold tree, Sept::Walk &walk)
{
	Answer checked = enter(td, Hold::Shared, false);

	if (checked.ok())
		checked = check_gpa(gpa, level, levels);
	if (!checked.ok())
		return checked;
	if (!td.sept_lock.free_for(tree))
		return fail(kOperandBusy | kSeptTree);
	walk = td.sept.walk(gfn_of(gpa), level);
	if (walk.level != level)
		return walk_details(kEptWalkFailed | kRcx, walk);
	if (tree == Hold::Shared && walk.entry->locked)
		return fail(kOperandBusy | kRcx);
	return {};
}

/* A frame that a TD may get. */
TdxModule::Answer TdxModule::check_page(Pfn page)
{
	if (!pamt_.covers(page))
		return fail(kOperandAddrRange | kR8);

	const PamtEntry entry = pamt_.lookup(page);

	if (entry.locked)
		return fail(kOperandBusy | kR8);
	if (entry.type != PageType::Nda)
		return fail(kPageMetadataIncorrect | kR8);
	return {};
}

void TdxModule::give(Td &td, Pfn page, PageType type, SeamCall call, std::uint64_t gpa)
{
	pamt_.set(page, { .gpa = gpa, .owner = td.tdr, .type = type }, call);
	td.children++;
}

TdxModule::Answer TdxModule::mng_create(Td &td, Pfn tdr)
{
	MutexGuard guard{ td.mutex };
	const Answer checked = check_page(tdr);

	if (!checked.ok())
		return checked;
	td.tdr = tdr;
	td.lifecycle = Td::Lifecycle::HkidAssigned;
	pamt_.set(tdr, { .owner = tdr, .type = PageType::Tdr }, SeamCall::MngCreate);
	return {};
}

TdxModule::Answer TdxModule::mng_key_config(Td &td)
{
	MutexGuard guard{ td.mutex };

	if (td.lifecycle != Td::Lifecycle::HkidAssigned)
		return fail(kLifecycleIncorrect);
	td.lifecycle = Td::Lifecycle::KeysConfigured;
	return {};
}

/* Running out of memory, which the module cannot, is a bad operand. */
TdxModule::Answer TdxModule::mng_init(Td &td)
{
	MutexGuard guard{ td.mutex };

	if (td.lifecycle == Td::Lifecycle::HkidAssigned)
		return fail(kKeysNotConfigured);
	if (td.lifecycle != Td::Lifecycle::KeysConfigured)
		return fail(kLifecycleIncorrect);
	if (td.op_state != Td::OpState::Uninitialized)
		return fail(kOpStateIncorrect);

	auto mrtd = TdxMrtd::create();

	if (!mrtd.ok() || !td.sept.create().ok())
		return fail(kOperandInvalid | kTdr);
	td.mrtd = std::move(mrtd).value();
	td.op_state = Td::OpState::Initialized;
	return {};
}

TdxModule::Answer TdxModule::vp_create(Td &td, Pfn tdvpr)
{
	MutexGuard guard{ td.mutex };
	Answer checked = enter(td, Hold::Shared, true);

	if (checked.ok())
		checked = check_page(tdvpr);
	if (!checked.ok())
		return checked;
	give(td, tdvpr, PageType::Tdvpr, SeamCall::VpCreate);
	td.vcpus++;
	return {};
}

TdxModule::Answer TdxModule::vp_enter(Td &td, unsigned &epoch_parity)
{
	MutexGuard guard{ td.mutex };
	const Answer checked = enter(td, Hold::Shared, false);

	if (!checked.ok())
		return checked;
	if (td.op_state != Td::OpState::Runnable)
		return fail(kOpStateIncorrect);
	epoch_parity = td.epoch % 2;
	td.in_guest[epoch_parity]++;
	return {};
}

void TdxModule::vp_exit(Td &td, unsigned epoch_parity)
{
	MutexGuard guard{ td.mutex };

	td.in_guest[epoch_parity]--;
}

TdxModule::Answer TdxModule::sept_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page)
{
	MutexGuard guard{ td.mutex };
	Sept::Walk walk;
	Answer checked = find(td, gpa, level, kTables, Hold::Shared, walk);

	if (!checked.ok())
		return checked;
	if (walk.entry->state != SeptState::Free)
		return walk_details(kEptEntryStateIncorrect | kRcx, walk);
	checked = check_page(page);
	if (!checked.ok())
		return checked;
	if (!Sept::add_table(*walk.entry, page).ok())
		return fail(kOperandInvalid | kR8);
	give(td, page, PageType::Ept, SeamCall::SeptAdd);
	return {};
}

TdxModule::Answer TdxModule::locked_page_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page,
					     const void *source)
{
	Answer checked = enter(td, Hold::Exclusive, true);

	if (checked.ok())
		checked = check_gpa(gpa, level, kPages);
	if (!checked.ok())
		return checked;

	const Sept::Walk walk = td.sept.walk(gfn_of(gpa), 0);

	if (walk.level != 0)
		return walk_details(kEptWalkFailed | kRcx, walk);
	if (walk.entry->state != SeptState::Free)
		return walk_details(kEptEntryStateIncorrect | kRcx, walk);
	if (!source)
		return fail(kOperandInvalid | kR9);
	checked = check_page(page);
	if (!checked.ok())
		return checked;

	if (!td.mrtd.add(gpa).ok())
		return fail(kOperandInvalid | kRcx);
	if (source != kapi_frame(page.value))
		std::memcpy(kapi_frame(page.value), source, kPageSize);
	walk.entry->state = SeptState::Mapped;
	walk.entry->pfn = page;
	give(td, page, PageType::Regular, SeamCall::PageAdd, gpa);
	return {};
}

TdxModule::Answer TdxModule::page_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page,
				      const void *source)
{
	MutexGuard guard{ td.mutex };
	const Answer result = locked_page_add(td, gpa, level, page, source);

	if (!result.ok())
		pamt_.note_failure(page, SeamCall::PageAdd, result.status);
	return result;
}

TdxModule::Answer TdxModule::locked_page_aug(Td &td, std::uint64_t gpa, unsigned level, Pfn page)
{
	Sept::Walk walk;
	Answer checked = find(td, gpa, level, kPages, Hold::Shared, walk);

	if (!checked.ok())
		return checked;
	if (walk.entry->state != SeptState::Free && walk.entry->state != SeptState::Removed)
		return walk_details(kEptEntryStateIncorrect | kRcx, walk);
	checked = check_page(page);
	if (!checked.ok())
		return checked;
	walk.entry->state = SeptState::Pending;
	walk.entry->pfn = page;
	give(td, page, PageType::Regular, SeamCall::PageAug, gpa);
	return {};
}

TdxModule::Answer TdxModule::page_aug(Td &td, std::uint64_t gpa, unsigned level, Pfn page)
{
	MutexGuard guard{ td.mutex };
	const Answer result = locked_page_aug(td, gpa, level, page);

	if (!result.ok())
		pamt_.note_failure(page, SeamCall::PageAug, result.status);
	return result;
}

TdxModule::Answer TdxModule::mr_extend(Td &td, std::uint64_t gpa)
{
	MutexGuard guard{ td.mutex };
	const Answer checked = enter(td, Hold::Exclusive, true);

	if (!checked.ok())
		return checked;
	if (gpa % kTdxChunkSize || gpa >= Sept::kPrivateEnd)
		return fail(kOperandInvalid | kRcx);

	const Sept::Walk walk = td.sept.walk(gfn_of(gpa), 0);

	if (walk.level != 0)
		return walk_details(kEptEntryNotPresent | kRcx, walk);
	if (walk.entry->state != SeptState::Mapped)
		return walk_details(kEptEntryNotPresent, walk);

	const auto *const page =
		static_cast<const std::uint8_t *>(kapi_frame(walk.entry->pfn.value));

	if (!td.mrtd.extend(gpa, { page + gpa % kPageSize, kTdxChunkSize }).ok())
		return fail(kOperandInvalid | kRcx);
	return {};
}

TdxModule::Answer TdxModule::mr_finalize(Td &td)
{
	MutexGuard guard{ td.mutex };
	const Answer checked = enter(td, Hold::Exclusive, true);

	if (!checked.ok())
		return checked;
	if (!td.op_state_lock.free_for(Hold::Exclusive))
		return fail(kOperandBusy | kOpState);
	if (td.vcpus == 0)
		return fail(kNoVcpus);

	const auto measurement = td.mrtd.finalize();

	if (!measurement.ok())
		return fail(kOperandInvalid | kTdr);
	td.measurement = measurement.value();
	td.op_state = Td::OpState::Runnable;
	return {};
}

TdxModule::Answer TdxModule::range_block(Td &td, std::uint64_t gpa, unsigned level)
{
	MutexGuard guard{ td.mutex };
	Sept::Walk walk;
	const Answer checked = find(td, gpa, level, kAll, Hold::Exclusive, walk);

	if (!checked.ok())
		return checked;
	if (sept_is_blocked(walk.entry->state))
		return walk_details(kRangeAlreadyBlocked, walk);
	switch (walk.entry->state) {
	case SeptState::Mapped:
		walk.entry->state = SeptState::Blocked;
		break;
	case SeptState::Pending:
		walk.entry->state = SeptState::PendingBlocked;
		break;
	case SeptState::NlMapped:
		walk.entry->state = SeptState::NlBlocked;
		break;
	default:
		return walk_details(kEptEntryStateIncorrect | kRcx, walk);
	}

	PamtEntry entry = pamt_.lookup(walk.entry->pfn);

	entry.bepoch = td.epoch;
	pamt_.set(walk.entry->pfn, entry, SeamCall::RangeBlock);
	return {};
}

TdxModule::Answer TdxModule::range_unblock(Td &td, std::uint64_t gpa, unsigned level)
{
	MutexGuard guard{ td.mutex };
	Sept::Walk walk;
	const Answer checked = find(td, gpa, level, kAll, Hold::Exclusive, walk);

	if (!checked.ok())
		return checked;
	switch (walk.entry->state) {
	case SeptState::Blocked:
		walk.entry->state = SeptState::Mapped;
		break;
	case SeptState::PendingBlocked:
		walk.entry->state = SeptState::Pending;
		break;
	case SeptState::NlBlocked:
		walk.entry->state = SeptState::NlMapped;
		break;
	default:
		return walk_details(kRangeNotBlocked | kRcx, walk);
	}
	pamt_.set(walk.entry->pfn, pamt_.lookup(walk.entry->pfn), SeamCall::RangeUnblock);
	return {};
}

TdxModule::Answer TdxModule::track(Td &td)
{
	MutexGuard guard{ td.mutex };
	const Answer checked = enter(td, Hold::Shared, false);

	if (!checked.ok())
		return checked;
	if (!td.epoch_lock.free_for(Hold::Exclusive))
		return fail(kOperandBusy | kTdEpoch);
	if (td.in_guest[(td.epoch - 1) % 2])
		return fail(kPreviousEpochBusy);
	td.epoch++;
	return {};
}

/* Whether no TLB can have the page any more. */
TdxModule::Answer TdxModule::removable(Td &td, const SeptEntry &entry)
{
	if (td.op_state != Td::OpState::Runnable)
		return {};
	if (!sept_is_blocked(entry.state))
		return fail(kRangeNotBlocked | kRcx);

	const std::uint64_t bepoch = pamt_.lookup(entry.pfn).bepoch;

	if (bepoch + 1 < td.epoch)
		return {};
	if (bepoch + 1 == td.epoch && td.in_guest[bepoch % 2] == 0)
		return {};
	return fail(kTrackingNotDone);
}

TdxModule::Answer TdxModule::page_remove(Td &td, std::uint64_t gpa, unsigned level)
{
	MutexGuard guard{ td.mutex };
	Sept::Walk walk;
	Answer checked = find(td, gpa, level, kPages, Hold::Shared, walk);

	if (!checked.ok())
		return checked;
	switch (walk.entry->state) {
	case SeptState::Mapped:
	case SeptState::Pending:
	case SeptState::Blocked:
	case SeptState::PendingBlocked:
		break;
	default:
		return walk_details(kEptEntryStateIncorrect | kRcx, walk);
	}
	checked = removable(td, *walk.entry);
	if (!checked.ok()) {
		pamt_.note_failure(walk.entry->pfn, SeamCall::PageRemove, checked.status);
		return checked;
	}
	pamt_.set(walk.entry->pfn, {}, SeamCall::PageRemove);
	td.children--;
	*walk.entry = {};
	return {};
}

TdxModule::Answer TdxModule::page_wbinvd(Pfn page)
{
	if (pamt_.lookup(page).type != PageType::Nda)
		return fail(kPageMetadataIncorrect | kRcx);
	return {};
}

TdxModule::Answer TdxModule::teardown(Td &td)
{
	MutexGuard guard{ td.mutex };

	if (td.lifecycle == Td::Lifecycle::None || td.lifecycle == Td::Lifecycle::Teardown)
		return fail(kLifecycleIncorrect);
	if (td.in_guest[0] || td.in_guest[1])
		return fail(kOperandBusy | kTdr);
	td.lifecycle = Td::Lifecycle::Teardown;
	return {};
}

TdxModule::Answer TdxModule::page_reclaim(Td &td, Pfn page)
{
	MutexGuard guard{ td.mutex };
	const PamtEntry entry = pamt_.lookup(page);
	std::uint64_t injected;

	calls_++;
	if (td.failure.strikes(injected))
		return fail(injected);
	if (entry.type == PageType::Nda || entry.type == PageType::Reserved ||
	    entry.owner != td.tdr)
		return fail(kPageMetadataIncorrect | kRcx);
	if (entry.locked)
		return fail(kOperandBusy | kRcx);
	if (td.lifecycle != Td::Lifecycle::Teardown)
		return fail(kLifecycleIncorrect);
	if (entry.type == PageType::Tdr) {
		if (td.children)
			return fail(kAssociatedPagesExist);
		td.lifecycle = Td::Lifecycle::None;
	} else {
		td.children--;
	}
	pamt_.set(page, {}, SeamCall::PageReclaim);
	return {};
}

} /* namespace gmem */
