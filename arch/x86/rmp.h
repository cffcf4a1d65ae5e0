/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of SNP's reverse map table: one entry per 4 KiB frame, changed by
 * RMPUPDATE, PSMASH, the firmware, and the guest by PVALIDATE and RMPADJUST. Sparse:
 * entries exist for the 2 MiB regions that cover() was asked for; to the instructions
 * other frames have no entry.
 *
 * Facts: the order of RMPUPDATE's checks is the APM's pseudo-code as quoted on
 * the KVM list in 2021, its codes are those of Microsoft's __rmpupdate and
 * __psmash pages; states are those of AMD's firmware source (AMD-ASPFW,
 * rmp_entry_get_state). Where those leave a case open, the model refuses it:
 * docs/platforms.md lists these choices.
 */
#ifndef GMEM_ARCH_X86_RMP_H
#define GMEM_ARCH_X86_RMP_H

#include "arch/x86/history.h"
#include "arch/x86/regions.h"
#include "gmem/locks.h"

namespace gmem
{

enum class RmpSize : std::uint8_t { k4K, k2M };

/* Return codes of the instructions. */
enum class RmpCode : std::uint8_t {
	Ok = 0,
	FailInput = 1,
	FailPermission = 2,
	FailInuse = 3,
	FailOverlap = 4, /* RMPUPDATE's */
	FailSizeMismatch = 6, /* the guest's */
	FailNotEligible = 7, /* PSMASH's */
};

constexpr bool is_ok(RmpCode code)
{
	return code == RmpCode::Ok;
}

/* Whether KVM asks again. */
constexpr bool is_busy(RmpCode code)
{
	return code == RmpCode::FailInuse || code == RmpCode::FailOverlap;
}

/* What an entry's fields say about its frame. */
enum class RmpState : std::uint8_t {
	Hypervisor,
	HvFixed,
	Firmware,
	Context,
	Metadata,
	Reclaim,
	PreGuest,
	PreSwap,
	GuestInvalid,
	GuestValid,
	Broken, /* no state has such fields */
};

const char *rmp_state_name(RmpState state);

struct RmpEntry {
	std::uint64_t gpa = 0; /* bytes */
	std::uint16_t asid = 0;
	RmpSize size = RmpSize::k4K;
	bool assigned = false;
	bool immutable = false;
	bool vmsa = false;
	bool validated = false;
	std::uint16_t user = 0; /* the vCPU that runs from it, a save area, counted from 1 */
	/* VMPL1 to 3; VMPL0 may always do everything. */
	std::array<std::uint8_t, 3> perms{};

	RmpState state() const;
	bool operator==(const RmpEntry &) const = default;
};

/* RMPUPDATE's operand, struct rmp_state. */
struct RmpUpdate {
	std::uint64_t gpa = 0;
	bool assigned = false;
	RmpSize size = RmpSize::k4K;
	bool immutable = false;
	std::uint32_t asid = 0;
};

/* The page that an instruction of the guest's names, as its nested page tables have it. */
struct RmpPage {
	Pfn pfn;
	std::uint32_t asid = 0;
	std::uint64_t gpa = 0;
	RmpSize size = RmpSize::k4K; /* that the guest asks for */
};

/* RMPADJUST's operand. */
struct RmpAdjust {
	unsigned by = 0, target = 0; /* VMPLs: the guest's own, and the one that gets @perms */
	std::uint8_t perms = 0;
	bool vmsa = false;
};

/* How an instruction of the guest's ends. */
struct RmpAnswer {
	enum class Fault : std::uint8_t {
		None,
		NotGuests, /* a nested page fault: the page is not the guest's, or not there */
		TooLarge, /* the same, with SIZEM: the hypervisor is to PSMASH */
		NotValidated, /* #VC */
	};

	Fault fault = Fault::None;
	RmpCode code = RmpCode::Ok; /* without a fault */
	bool changed = false;
};

class Rmp {
    public:
	/* ASIDs have ten bits, and the last is the firmware's own. */
	static constexpr std::uint32_t kMaxAsid = 0x3fe;

	Rmp() : lock_(KAPI_LOCK_MACHINE_MODEL) {}
	~Rmp();

	/* Entries for the frames [first, first + count); -ENOMEM. Sleeps. */
	Status cover(Pfn first, std::uint64_t count);

	/* The instructions. Each sleeps. */
	RmpCode update(Pfn pfn, const RmpUpdate &update);
	RmpCode psmash(Pfn pfn);
	RmpAnswer pvalidate(const RmpPage &page, bool validate);
	RmpAnswer rmpadjust(const RmpPage &page, const RmpAdjust &adjust);
	/*
	 * VMRUN by the vCPU of number @nr from the page, a validated save area of 4 KiB that is not
	 * yet in use: FailInuse; FailInput: it is none. And the end of that use, unless the page has
	 * gone meanwhile: it may have come again, and be another vCPU's.
	 */
	RmpAnswer enter_vmsa(const RmpPage &page, unsigned nr);
	void leave_vmsa(const RmpPage &page, unsigned nr);

	/*
	 * The entry of one frame as the processor finds it: of a frame inside a
	 * 2 MiB entry, the part of that entry that is the frame's. No entry reads as
	 * a hypervisor's.
	 */
	RmpEntry lookup(Pfn pfn);
	/* Whether all of [first, first + count) is the hypervisor's. */
	bool all_hypervisor(Pfn first, std::uint64_t count);

	/*
	 * The firmware changes the entry that starts at @pfn to @entry, of the same
	 * size, by one of its commands.
	 */
	enum class Command : std::uint8_t { GctxCreate, LaunchUpdate, PageReclaim, Decommission };
	void firmware_set(Pfn pfn, const RmpEntry &entry, Command command);

	/* Writes to the log what is wrong with @pfn and how it came to that. */
	void report(Pfn pfn, const char *what);

	/* For tests: RMPUPDATEs so far. */
	unsigned long updates() const { return updates_; }
	/*
	 * For tests: @calls of an instruction fail with @code, changing nothing, after
	 * @after that do not.
	 */
	void inject_update(RmpCode code, unsigned calls, unsigned after = 0)
	{
		update_failure_.order(code, calls, after);
	}
	void inject_psmash(RmpCode code, unsigned calls, unsigned after = 0)
	{
		psmash_failure_.order(code, calls, after);
	}
	bool injection_struck() const
	{
		return update_failure_.struck() || psmash_failure_.struck();
	}

    private:
	struct Region;

	static RmpEntry effective(const Region &region, unsigned slot);
	static RmpCode checked_update(Region &region, unsigned slot, const RmpUpdate &update);
	static RmpCode update_4k(Region &region, unsigned slot, const RmpUpdate &update);
	static RmpCode update_2m(Region &region, const RmpUpdate &update);
	static RmpCode checked_psmash(Region &region);
	static RmpAnswer checked_guest(const Region &region, const RmpPage &page);
	template <class Fn>
	RmpAnswer by_guest(const RmpPage &page, std::uint8_t operation, Fn change);

	Mutex lock_; /* of the regions' contents, and the injections */
	Regions<Region> regions_;
	Injection<RmpCode> update_failure_, psmash_failure_;
	unsigned long updates_ = 0;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_RMP_H */
