/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of the TDX module as far as a TD's memory goes: the SEAMCALLs that
 * build, change and take down private memory, in their check order, with their
 * locks, states, statuses and TLB epochs. Facts: Intel's source of the module,
 * 1.5.01. Pages are not encrypted: the model is about who owns them.
 *
 * Locks of the module never make a caller wait: a call that finds one taken is told
 * that the operand is busy. Here calls on one TD run one after another, under a mutex,
 * so a lock is found taken only when a test holds it (TdxLock) or orders it.
 */
#ifndef GMEM_ARCH_X86_TDX_MODEL_H
#define GMEM_ARCH_X86_TDX_MODEL_H

#include <atomic>

#include "arch/x86/pamt.h"
#include "arch/x86/sept.h"
#include "arch/x86/tdx_mrtd.h"

namespace gmem
{

/* Completion statuses; an operand's number is in the low 32 bits. */
namespace tdx
{

inline constexpr std::uint64_t kStatusMask = 0xffffffff00000000;
inline constexpr std::uint64_t kSuccess = 0;
inline constexpr std::uint64_t kOperandInvalid = 0xc000010000000000;
inline constexpr std::uint64_t kOperandAddrRange = 0xc000010100000000;
inline constexpr std::uint64_t kOperandBusy = 0x8000020000000000;
inline constexpr std::uint64_t kPreviousEpochBusy = 0x8000020100000000;
inline constexpr std::uint64_t kPageMetadataIncorrect = 0xc000030000000000;
inline constexpr std::uint64_t kAssociatedPagesExist = 0xc000060100000000; /* unverified */
inline constexpr std::uint64_t kLifecycleIncorrect = 0xc000060700000000;
inline constexpr std::uint64_t kOpStateIncorrect = 0xc000060800000000;
inline constexpr std::uint64_t kNoVcpus = 0xc000060900000000;
inline constexpr std::uint64_t kKeysNotConfigured = 0x8000081000000000;
inline constexpr std::uint64_t kEptWalkFailed = 0xc0000b0000000000;
inline constexpr std::uint64_t kEptEntryNotPresent = 0xc0000b0300000000;
inline constexpr std::uint64_t kRangeNotBlocked = 0xc0000b0600000000;
inline constexpr std::uint64_t kRangeAlreadyBlocked = 0x00000b0700000000;
inline constexpr std::uint64_t kTrackingNotDone = 0xc0000b0800000000;
inline constexpr std::uint64_t kEptEntryStateIncorrect = 0xc0000b0d00000000;

/* Operand numbers. */
inline constexpr std::uint64_t kRcx = 1, kR8 = 8, kR9 = 9, kTdr = 0x80, kSeptTree = 0x92,
			       kOpState = 0xa8, kTdEpoch = 0xa9;

constexpr std::uint64_t status_of(std::uint64_t result)
{
	return result & kStatusMask;
}

constexpr bool is_busy(std::uint64_t result)
{
	return status_of(result) == kOperandBusy || status_of(result) == kPreviousEpochBusy;
}

} /* namespace tdx */

/* One of the module's locks, as another operation may hold it. */
struct TdxLock {
	bool exclusive = false;
	unsigned shared = 0;

	enum class Hold : std::uint8_t { Shared, Exclusive };

	bool free_for(Hold hold) const
	{
		return !exclusive && (hold == Hold::Shared || shared == 0);
	}
};

/* A trust domain. */
struct Td {
	enum class Lifecycle : std::uint8_t { None, HkidAssigned, KeysConfigured, Teardown };
	enum class OpState : std::uint8_t { Uninitialized = 0, Initialized = 1, Runnable = 2 };

	Td() : mutex(KAPI_LOCK_VM_MODEL) {}

	Mutex mutex; /* of everything below */
	Pfn tdr;
	Lifecycle lifecycle = Lifecycle::None;
	OpState op_state = OpState::Uninitialized;
	Sept sept;
	TdxMrtd mrtd;
	Sha384Digest measurement{}; /* once runnable */
	unsigned vcpus = 0;
	std::uint64_t children = 0; /* pages the TD has beside its root */
	std::uint64_t epoch = 1;
	std::array<unsigned, 2> in_guest{}; /* vCPUs inside, by parity of their epoch */
	TdxLock tdr_lock, op_state_lock, sept_lock, epoch_lock;
	Injection<std::uint64_t> failure; /* of the next memory calls */
};

class TdxModule {
    public:
	explicit TdxModule(Pamt &pamt) : pamt_(pamt) {}

	/* A status, and what a failed walk or state found: see walk_details(). */
	struct Answer {
		std::uint64_t status = tdx::kSuccess;
		std::uint64_t rdx = 0; /* level, and the entry's state from bit 8 on */

		bool ok() const { return status == tdx::kSuccess; }
	};

	/*
	 * The calls. @gpa in bytes, with the level where @level is no argument. All
	 * sleep and take the TD's mutex.
	 */
	Answer mng_create(Td &td, Pfn tdr);
	Answer mng_key_config(Td &td);
	Answer mng_init(Td &td);
	Answer vp_create(Td &td, Pfn tdvpr);
	Answer vp_enter(Td &td, unsigned &epoch_parity);
	void vp_exit(Td &td, unsigned epoch_parity);
	Answer sept_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page);
	/* @source: 4096 bytes, which are copied to the frame. */
	Answer page_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page, const void *source);
	Answer page_aug(Td &td, std::uint64_t gpa, unsigned level, Pfn page);
	Answer mr_extend(Td &td, std::uint64_t gpa);
	Answer mr_finalize(Td &td);
	Answer range_block(Td &td, std::uint64_t gpa, unsigned level);
	Answer range_unblock(Td &td, std::uint64_t gpa, unsigned level);
	Answer track(Td &td);
	Answer page_remove(Td &td, std::uint64_t gpa, unsigned level);
	Answer page_wbinvd(Pfn page);
	/* The TD's key is given up, its vCPUs are out for good. */
	Answer teardown(Td &td);
	Answer page_reclaim(Td &td, Pfn page);

	/* For tests: calls so far of those that can be told to fail. */
	unsigned long calls() const { return calls_.load(); }

    private:
	using Hold = TdxLock::Hold;
	/* Levels of the S-EPT that a call is about. */
	struct Levels {
		unsigned lowest, highest;
	};
	static constexpr Levels kPages{ 0, 0 }, kTables{ 1, Sept::kRootLevel },
		kAll{ 0, Sept::kRootLevel };

	static Answer fail(std::uint64_t status) { return { status, 0 }; }
	static Answer walk_details(std::uint64_t status, const Sept::Walk &walk);
	Answer enter(Td &td, Hold tdr, bool build_only);
	Answer check_gpa(std::uint64_t gpa, unsigned level, Levels levels);
	Answer check_page(Pfn page);
	Answer find(Td &td, std::uint64_t gpa, unsigned level, Levels levels, Hold tree,
		    Sept::Walk &walk);
	void give(Td &td, Pfn page, PageType type, SeamCall call, std::uint64_t gpa = 0);
	Answer locked_page_add(Td &td, std::uint64_t gpa, unsigned level, Pfn page,
			       const void *source);
	Answer locked_page_aug(Td &td, std::uint64_t gpa, unsigned level, Pfn page);
	Answer removable(Td &td, const SeptEntry &entry);

	Pamt &pamt_;
	std::atomic<unsigned long> calls_{ 0 };
};

inline bool is_ok(const TdxModule::Answer &result)
{
	return result.ok();
}

inline bool is_busy(const TdxModule::Answer &result)
{
	return tdx::is_busy(result.status);
}

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_TDX_MODEL_H */
