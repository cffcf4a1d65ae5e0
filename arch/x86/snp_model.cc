// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SNP firmware (snp_model.h).
 */
#include "arch/x86/snp_model.h"

#include <algorithm>

namespace gmem
{

namespace
{

constexpr std::uint64_t kRunBytes = kRunPages * kPageSize;

/* As a guest's policy has the least that it wants. */
constexpr std::uint64_t kApiVersion = kSnpApiMajor << 8 | kSnpApiMinor;
constexpr std::uint64_t kPolicyApiMask = 0xffff;

/* Of the secrets page. */
constexpr unsigned kSecretsVersion = 3;
constexpr unsigned kSecretsImi = 0x04, kSecretsGosvw = 0x10, kSecretsKeys = 0x20;

/* The CPUID page: a count, reserved fields, then entries. */
constexpr unsigned kCpuidMax = 64;
constexpr unsigned kCpuidHeader = 16;
constexpr unsigned kCpuidEntry = 48;
constexpr unsigned kCpuidEntryReserved = 40;

/* Clears bytes that must be zero; whether they were. */
bool clear_reserved(std::span<std::uint8_t> bytes)
{
	const bool zero = std::all_of(bytes.begin(), bytes.end(),
				      [](std::uint8_t b) { return b == 0; });

	std::fill(bytes.begin(), bytes.end(), 0);
	return zero;
}

/* What the firmware makes of the page, whatever it was. Family, model and stepping are 0. */
void make_secrets(std::span<std::uint8_t> page, const SnpGuest &guest)
{
	std::fill(page.begin(), page.end(), 0);
	page[0] = kSecretsVersion;
	page[kSecretsImi] = guest.imi;
	std::copy(guest.gosvw.begin(), guest.gosvw.end(), &page[kSecretsGosvw]);
	for (unsigned i = 0; i < kSnpKeys; i++) {
		const SnpKey &key = guest.messages.keys[i];

		std::copy(key.begin(), key.end(), &page[kSecretsKeys + i * key.size()]);
	}
}

} /* namespace */

bool SnpFirmware::is_context(const SnpGuest &guest)
{
	return rmp_.lookup(guest.gctx).state() == RmpState::Context;
}

SnpStatus SnpFirmware::gctx_create(SnpGuest &guest, Pfn pfn)
{
	RmpEntry entry = rmp_.lookup(pfn);

	if (!initialized_)
		return SnpStatus::InvalidPlatformState;
	if (entry.state() != RmpState::Firmware)
		return SnpStatus::InvalidPageState;
	if (entry.size != RmpSize::k4K)
		return SnpStatus::InvalidPageSize;

	Result<SnpDigest> digest = SnpDigest::create();

	if (!digest.ok())
		return SnpStatus::HardwareError;
	entry.vmsa = true;
	rmp_.firmware_set(pfn, entry, Rmp::Command::GctxCreate);
	guest.gctx = pfn;
	guest.state = SnpGuest::State::Init;
	guest.asid = 0;
	guest.digest = std::move(digest).value();
	return SnpStatus::Success;
}

SnpStatus SnpFirmware::launch_start(SnpGuest &guest, const SnpLaunchStart &start)
{
	if (!initialized_)
		return SnpStatus::InvalidPlatformState;
	if (!is_context(guest))
		return SnpStatus::InvalidGuest;
	if (guest.state != SnpGuest::State::Init)
		return SnpStatus::InvalidGuestState;
	if ((start.policy & kPolicyApiMask) > kApiVersion)
		return SnpStatus::PolicyFailure;
	guest.policy = start.policy;
	guest.gosvw = start.gosvw;
	guest.messages = {};
	for (SnpKey &key : guest.messages.keys)
		kapi_random(key.data(), key.size());
	kapi_random(guest.report_id.data(), guest.report_id.size());
	kapi_random(guest.root.data(), guest.root.size());
	guest.state = SnpGuest::State::Launch;
	return SnpStatus::Success;
}

SnpStatus SnpFirmware::activate(SnpGuest &guest, std::uint32_t asid)
{
	if (!initialized_)
		return SnpStatus::InvalidPlatformState;
	if (!is_context(guest))
		return SnpStatus::InvalidGuest;
	if (asid == 0 || asid > Rmp::kMaxAsid)
		return SnpStatus::InvalidAsid;
	if (guest.asid)
		return SnpStatus::AsidOwned;
	guest.asid = asid;
	return SnpStatus::Success;
}

SnpStatus SnpFirmware::check_context(const SnpGuest &guest)
{
	if (!initialized_)
		return SnpStatus::InvalidPlatformState;
	return is_context(guest) ? SnpStatus::Success : SnpStatus::InvalidGuest;
}

SnpStatus SnpFirmware::check_launch(const SnpGuest &guest, std::uint8_t type)
{
	if (!snp_page_type_known(type))
		return SnpStatus::InvalidParam;
	if (guest.state != SnpGuest::State::Launch)
		return SnpStatus::InvalidGuestState;
	return guest.asid ? SnpStatus::Success : SnpStatus::Inactive;
}

SnpStatus SnpFirmware::may_update(const SnpGuest &guest, std::uint8_t type, RmpSize size)
{
	const SnpStatus status = check_context(guest);

	if (status != SnpStatus::Success)
		return status;
	if (snp_page_type_single(type) && size != RmpSize::k4K)
		return SnpStatus::InvalidPageSize;
	return check_launch(guest, type);
}

SnpStatus SnpFirmware::check(const SnpGuest &guest, const SnpLaunchUpdate &update,
			     const RmpEntry &entry)
{
	const auto type = static_cast<SnpPageType>(update.type);
	const bool only_4k = type == SnpPageType::Vmsa || type == SnpPageType::Secrets ||
			     type == SnpPageType::Cpuid;

	if (update.reserved)
		return SnpStatus::InvalidParam;

	SnpStatus status = check_context(guest);

	if (status != SnpStatus::Success)
		return status;
	if (entry.state() != RmpState::PreGuest)
		return SnpStatus::InvalidPageState;
	if (entry.size != update.size)
		return SnpStatus::InvalidPageSize;
	if (update.size == RmpSize::k2M && update.page.value % kRunPages)
		return SnpStatus::InvalidAddress;
	if (only_4k && update.size != RmpSize::k4K)
		return SnpStatus::InvalidPageSize;
	status = check_launch(guest, update.type);
	if (status != SnpStatus::Success)
		return status;
	if (entry.asid != guest.asid)
		return SnpStatus::InvalidPageOwner;
	if (update.imi != guest.imi)
		return SnpStatus::InvalidParam;
	return SnpStatus::Success;
}

/*
 * Makes the table one that a guest may be given; whether it was. The firmware
 * also lowers values the processor does not have, which the model cannot know.
 */
bool SnpFirmware::sanitize_cpuid(std::span<std::uint8_t> table)
{
	std::uint32_t count = 0;
	bool good = true;

	for (unsigned i = 4; i > 0; i--)
		count = count << 8 | table[i - 1];
	if (count > kCpuidMax) {
		good = false;
		count = kCpuidMax;
		std::fill_n(table.begin(), 4, 0);
		table[0] = kCpuidMax;
	}
	good = clear_reserved(table.subspan(4, kCpuidHeader - 4)) && good;
	for (std::uint32_t i = 0; i < count; i++) {
		const unsigned at = kCpuidHeader + i * kCpuidEntry;

		good = clear_reserved(table.subspan(at + kCpuidEntryReserved, 8)) && good;
	}
	return good;
}

SnpStatus SnpFirmware::launch_update(SnpGuest &guest, const SnpLaunchUpdate &update)
{
	RmpEntry entry = rmp_.lookup(update.page);
	SnpStatus status = check(guest, update, entry);

	if (status != SnpStatus::Success)
		return status;
	if (update_failure_.strikes(status))
		return status;

	const auto type = static_cast<SnpPageType>(update.type);
	const std::uint64_t size = update.size == RmpSize::k2M ? kRunBytes : kPageSize;

	if (update.data.size() != size) {
		kapi_warn_once("a launch update of another size than its data");
		return SnpStatus::InvalidParam;
	}
	if (type == SnpPageType::Cpuid && !sanitize_cpuid(update.data))
		return SnpStatus::InvalidParam;

	for (std::uint64_t at = 0; at < size; at += kPageSize) {
		if (!guest.digest.add_page(type, entry.gpa + at, update.data.subspan(at, kPageSize))
			     .ok())
			return SnpStatus::HardwareError;
		if (guest.keeps_steps)
			guest.steps.add({ type, entry.gpa + at, guest.digest.contents() });
	}
	if (type == SnpPageType::Zero)
		std::fill(update.data.begin(), update.data.end(), 0);
	if (type == SnpPageType::Secrets)
		make_secrets(update.data, guest);

	entry.validated = true;
	entry.immutable = false;
	entry.vmsa = type == SnpPageType::Vmsa;
	entry.perms = update.perms;
	rmp_.firmware_set(update.page, entry, Rmp::Command::LaunchUpdate);
	return SnpStatus::Success;
}

/* What the firmware says of an ID block. */
static SnpStatus status_of_id(Status status)
{
	switch (status.code()) {
	case 0:
		return SnpStatus::Success;
	case -EBADMSG:
		return SnpStatus::BadMeasurement;
	case -EACCES:
		return SnpStatus::PolicyFailure;
	case -EINVAL:
		return SnpStatus::InvalidParam;
	case -EOPNOTSUPP:
		return SnpStatus::Unsupported;
	case -ENOMEM:
		return SnpStatus::HardwareError;
	default:
		return SnpStatus::BadSignature;
	}
}

SnpStatus SnpFirmware::launch_finish(SnpGuest &guest, const SnpLaunchFinish &finish)
{
	if (!initialized_)
		return SnpStatus::InvalidPlatformState;
	if (!is_context(guest))
		return SnpStatus::InvalidGuest;
	if (guest.state != SnpGuest::State::Launch)
		return SnpStatus::InvalidGuestState;
	if (!guest.asid)
		return SnpStatus::Inactive;
	if (finish.id_block) {
		const Result<IdKeys> keys = check_id_block(*finish.id_block, guest.digest.value(),
							   guest.policy);

		if (!keys.ok())
			return status_of_id(keys.status());
		guest.id_keys = keys.value();
	}
	guest.host_data = finish.host_data;
	guest.vcek_disabled = finish.vcek_disabled;
	guest.state = SnpGuest::State::Running;
	return SnpStatus::Success;
}

SnpStatus SnpFirmware::decommission(SnpGuest &guest)
{
	RmpEntry entry = rmp_.lookup(guest.gctx);

	if (entry.state() != RmpState::Context)
		return SnpStatus::InvalidGuest;
	entry.vmsa = false;
	rmp_.firmware_set(guest.gctx, entry, Rmp::Command::Decommission);
	guest.asid = 0;
	guest.digest = SnpDigest{};
	guest.messages = {};
	guest.root = {};
	guest.steps.clear();
	return SnpStatus::Success;
}

SnpStatus SnpFirmware::page_reclaim(Pfn pfn, RmpSize size)
{
	RmpEntry entry = rmp_.lookup(pfn);
	SnpStatus status;

	if (reclaim_failure_.strikes(status))
		return status;
	if (!entry.immutable)
		return SnpStatus::Success;
	if (entry.size != size)
		return SnpStatus::InvalidPageSize;
	switch (entry.state()) {
	case RmpState::Metadata:
	case RmpState::Firmware:
	case RmpState::PreGuest:
	case RmpState::PreSwap:
		entry.immutable = false;
		rmp_.firmware_set(pfn, entry, Rmp::Command::PageReclaim);
		return SnpStatus::Success;
	default:
		return SnpStatus::InvalidPageState;
	}
}

} /* namespace gmem */
