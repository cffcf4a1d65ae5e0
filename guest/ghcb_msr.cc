// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR protocol (ghcb_msr.h): the lowest 12 bits say what it is, and an answer is the
 * request's number and one.
 */
#include "guest/ghcb_msr.h"

namespace gmem
{

namespace
{

enum : std::uint64_t {
	kInfo = 0xfff,
	kData = ~kInfo,

	kSevInfo = 0x002,
	kCpuid = 0x004,
	kResetHold = 0x006,
	kPreferred = 0x010,
	kRegister = 0x012,
	kConversion = 0x014,
	kFeatures = 0x080,
	kTerminate = 0x100,

	kSevInfoAnswer = 0x001, /* the one whose number is not */
	kCpuidAnswer = 0x005,
	kResetHoldAnswer = 0x007,
	kPreferredAnswer = 0x011,
	kRegisterAnswer = 0x013,
	kConversionAnswer = 0x015,
	kFeaturesAnswer = 0x081,
};

constexpr unsigned kDataShift = 12;

} /* namespace */

GhcbRequest ghcb_request(std::uint64_t msr)
{
	if (!(msr & kInfo))
		return msr ? GhcbRequest::Page : GhcbRequest::Nothing;
	switch (msr & kInfo) {
	case kSevInfo:
		return GhcbRequest::SevInfo;
	case kCpuid:
		return GhcbRequest::Cpuid;
	case kResetHold:
		return GhcbRequest::ResetHold;
	case kPreferred:
		return GhcbRequest::PreferredGhcb;
	case kRegister:
		return GhcbRequest::RegisterGhcb;
	case kConversion:
		return GhcbRequest::Conversion;
	case kFeatures:
		return GhcbRequest::Features;
	case kTerminate:
		return GhcbRequest::Terminate;
	default:
		return GhcbRequest::Unknown;
	}
}

unsigned ghcb_newest(unsigned ghcb_version)
{
	constexpr unsigned kDefault = 2;

	return ghcb_version ? ghcb_version : kDefault;
}

std::uint64_t ghcb_sev_info(unsigned ghcb_version, unsigned c_bit)
{
	constexpr std::uint64_t kMin = 1;
	const std::uint64_t max = ghcb_newest(ghcb_version);

	return max << 48 | kMin << 32 | std::uint64_t{ c_bit } << 24 | kSevInfoAnswer;
}

std::uint32_t ghcb_cpuid_function(std::uint64_t msr)
{
	return static_cast<std::uint32_t>(msr >> 32);
}

unsigned ghcb_cpuid_register(std::uint64_t msr)
{
	return msr >> 30 & 3;
}

/* All below the value but the number is as it was asked. */
std::uint64_t ghcb_cpuid_answer(std::uint64_t msr, std::uint32_t value)
{
	return std::uint64_t{ value } << 32 | (msr & 0xffffffff & kData) | kCpuidAnswer;
}

std::uint64_t ghcb_reset_hold_answer(bool woken)
{
	return std::uint64_t{ woken } << kDataShift | kResetHoldAnswer;
}

std::uint64_t ghcb_preferred_answer()
{
	return kData | kPreferredAnswer;
}

std::uint64_t ghcb_registered(std::uint64_t msr)
{
	return msr & kData;
}

std::uint64_t ghcb_register_answer(std::uint64_t msr)
{
	return (msr & kData) | kRegisterAnswer;
}

std::uint64_t ghcb_features_answer(std::uint64_t features)
{
	return features << kDataShift | kFeaturesAnswer;
}

GhcbConversion ghcb_conversion(std::uint64_t msr)
{
	constexpr unsigned kOperationShift = 52;
	constexpr std::uint64_t kToPrivate = 1, kToShared = 2;
	constexpr std::uint64_t kAddress = ((1ull << kOperationShift) - 1) & kData;
	const std::uint64_t operation = msr >> kOperationShift & 0xf;

	return { operation == kToPrivate || operation == kToShared, operation == kToPrivate,
		 msr & kAddress };
}

std::uint64_t ghcb_conversion_answer(bool done)
{
	constexpr std::uint64_t kFailed = 1ull << 63;

	return (done ? 0 : kFailed) | kConversionAnswer;
}

} /* namespace gmem */
