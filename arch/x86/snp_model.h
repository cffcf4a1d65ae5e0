/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of the SNP firmware as far as memory goes: guest contexts, launch, and
 * reclaiming of pages. Check order, statuses and effects are those of AMD's
 * firmware source (AMD-ASPFW, snp_mcmd_launch_update and its neighbours). What a
 * page holds is not encrypted: the model is about who owns it.
 */
#ifndef GMEM_ARCH_X86_SNP_MODEL_H
#define GMEM_ARCH_X86_SNP_MODEL_H

#include <span>

#include "arch/x86/id_block.h"
#include "arch/x86/rmp.h"
#include "arch/x86/snp_digest.h"
#include "arch/x86/snp_message.h"
#include "arch/x86/snp_steps.h"

namespace gmem
{

struct SnpChip;

/* The version of the firmware's interface. */
inline constexpr unsigned kSnpApiMajor = 1, kSnpApiMinor = 55;

/* Status of a command. */
enum class SnpStatus : std::uint32_t {
	Success = KAPI_SEV_SUCCESS,
	InvalidPlatformState = KAPI_SEV_INVALID_PLATFORM_STATE,
	InvalidGuestState = KAPI_SEV_INVALID_GUEST_STATE,
	PolicyFailure = KAPI_SEV_POLICY_FAILURE,
	Inactive = KAPI_SEV_INACTIVE,
	InvalidAddress = KAPI_SEV_INVALID_ADDRESS,
	BadSignature = KAPI_SEV_BAD_SIGNATURE,
	BadMeasurement = KAPI_SEV_BAD_MEASUREMENT,
	AsidOwned = KAPI_SEV_ASID_OWNED,
	InvalidAsid = KAPI_SEV_INVALID_ASID,
	InvalidGuest = KAPI_SEV_INVALID_GUEST,
	HardwareError = KAPI_SEV_HARDWARE_PLATFORM, /* here: hashing failed */
	Unsupported = KAPI_SEV_UNSUPPORTED, /* here: the kernel lacks the cryptography */
	InvalidParam = KAPI_SEV_INVALID_PARAM,
	InvalidPageSize = KAPI_SEV_INVALID_PAGE_SIZE,
	InvalidPageState = KAPI_SEV_INVALID_PAGE_STATE,
	InvalidPageOwner = KAPI_SEV_INVALID_PAGE_OWNER,
	AeadOverflow = KAPI_SEV_AEAD_OFLOW, /* a message that is not next in sequence */
	InvalidKey = KAPI_SEV_INVALID_KEY,
};

/* What a guest and the firmware speak under, one key (VMPCK) for each VMPL. */
struct SnpMessageKeys {
	std::array<SnpKey, kSnpKeys> keys{};
	std::array<std::uint64_t, kSnpKeys> counts{}; /* numbers of the last answers */
};

/* What a GCTX page holds. Its commands come one at a time. */
struct SnpGuest {
	enum class State : std::uint8_t { Init, Launch, Running };

	Pfn gctx;
	State state = State::Init;
	std::uint32_t asid = 0; /* 0: none yet */
	bool imi = false; /* launched with an IMI */
	SnpDigest digest;
	bool keeps_steps = false;
	SnpSteps steps; /* of the digest, if they are kept */
	std::uint64_t policy = 0;
	std::array<std::uint8_t, 16> gosvw{}; /* for the secrets page */
	/* Random, since the launch has begun. */
	SnpMessageKeys messages;
	std::array<std::uint8_t, 32> report_id{};
	std::array<std::uint8_t, 48> root{}; /* VMRK: of keys that it derives */
	/* Since the launch has ended: what reports tell of it. */
	std::array<std::uint8_t, 32> host_data{};
	IdKeys id_keys;
	bool vcek_disabled = false;
};

/* Operands of SNP_LAUNCH_START. */
struct SnpLaunchStart {
	std::uint64_t policy = 0;
	std::array<std::uint8_t, 16> gosvw{};
};

/* Operands of SNP_LAUNCH_FINISH. */
struct SnpLaunchFinish {
	const IdBlock *id_block = nullptr; /* NULL: none */
	bool vcek_disabled = false;
	std::array<std::uint8_t, 32> host_data{};
};

/* Operands of SNP_LAUNCH_UPDATE. */
struct SnpLaunchUpdate {
	std::uint32_t reserved = 0;
	Pfn page;
	RmpSize size = RmpSize::k4K;
	std::uint8_t type = 0;
	bool imi = false;
	std::array<std::uint8_t, 3> perms{}; /* VMPL1 to 3 */
	std::span<std::uint8_t> data; /* the page's bytes, 4096 or 2 MiB */
};

class SnpFirmware {
    public:
	/* @chip: NULL where there is no attestation. */
	explicit SnpFirmware(Rmp &rmp, const SnpChip *chip = nullptr) : rmp_(rmp), chip_(chip) {}

	/* SNP_INIT and SNP_SHUTDOWN. */
	void set_initialized(bool initialized) { initialized_ = initialized; }

	/*
	 * The commands. One guest's must not run at the same time; all sleep.
	 * gctx_create: @pfn is a FIRMWARE page. -ENOMEM is HardwareError.
	 */
	SnpStatus gctx_create(SnpGuest &guest, Pfn pfn);
	SnpStatus launch_start(SnpGuest &guest, const SnpLaunchStart &start = {});
	SnpStatus activate(SnpGuest &guest, std::uint32_t asid);
	SnpStatus launch_update(SnpGuest &guest, const SnpLaunchUpdate &update);
	/* No command: what of launch_update's refusals does not depend on the page. */
	SnpStatus may_update(const SnpGuest &guest, std::uint8_t type, RmpSize size);
	SnpStatus launch_finish(SnpGuest &guest, const SnpLaunchFinish &finish = {});
	SnpStatus decommission(SnpGuest &guest);
	SnpStatus page_reclaim(Pfn pfn, RmpSize size);
	/*
	 * What the guest's @request, which is left in the clear, asks for (snp_requests.cc).
	 * @answer has something only with Success. -ENOMEM: the message was not answered, and
	 * may be sent again.
	 */
	Result<SnpStatus> guest_request(SnpGuest &guest, SnpMessage request, SnpMessage answer);

	/* For tests: @calls of launch_update or page_reclaim say @status, after @after. */
	void inject_launch_update(SnpStatus status, unsigned calls, unsigned after = 0)
	{
		update_failure_.order(status, calls, after);
	}
	void inject_page_reclaim(SnpStatus status, unsigned calls, unsigned after = 0)
	{
		reclaim_failure_.order(status, calls, after);
	}
	bool launch_update_struck() const { return update_failure_.struck(); }

    private:
	bool is_context(const SnpGuest &guest);
	SnpStatus check_context(const SnpGuest &guest);
	static SnpStatus check_launch(const SnpGuest &guest, std::uint8_t type);
	SnpStatus check(const SnpGuest &guest, const SnpLaunchUpdate &update,
			const RmpEntry &entry);
	static bool sanitize_cpuid(std::span<std::uint8_t> table);

	Rmp &rmp_;
	const SnpChip *const chip_;
	bool initialized_ = true;
	Injection<SnpStatus> update_failure_, reclaim_failure_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SNP_MODEL_H */
