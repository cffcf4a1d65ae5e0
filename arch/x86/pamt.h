/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of TDX's physical address metadata table: to whom each 4 KiB frame of
 * convertible memory belongs. Sparse: frames are convertible once cover() was
 * asked for them. Facts: Intel's source of the TDX module 1.5.01,
 * pamt_manager.h.
 */
#ifndef GMEM_ARCH_X86_PAMT_H
#define GMEM_ARCH_X86_PAMT_H

#include "arch/x86/history.h"
#include "arch/x86/regions.h"
#include "gmem/locks.h"

namespace gmem
{

enum class PageType : std::uint8_t {
	Nda = 0, /* no TD's: the host may have it */
	Reserved = 1,
	Regular = 3,
	Tdr = 4,
	Tdcx = 5,
	Tdvpr = 6,
	Ept = 8,
};

/* What a PAMT entry was changed by; names for its history. */
enum class SeamCall : std::uint8_t {
	MngCreate,
	VpCreate,
	SeptAdd,
	PageAdd,
	PageAug,
	RangeBlock,
	RangeUnblock,
	PageRemove,
	PageReclaim,
};

struct PamtEntry {
	std::uint64_t bepoch = 0; /* the TD's epoch when the page was blocked */
	std::uint64_t gpa = 0; /* of a regular page: the model's own note, in bytes */
	Pfn owner; /* the TD's root page */
	PageType type = PageType::Nda;
	bool locked = false; /* by another operation, as far as tests have one */
};

class Pamt {
    public:
	Pamt() : lock_(KAPI_LOCK_MACHINE_MODEL) {}
	~Pamt();

	/* Makes [first, first + count) convertible; -ENOMEM. Sleeps. */
	Status cover(Pfn first, std::uint64_t count);

	/* Each takes the table's lock; entries of different TDs do not meet. */
	bool covers(Pfn pfn);
	PamtEntry lookup(Pfn pfn);
	/* @pfn is covered. */
	void set(Pfn pfn, const PamtEntry &entry, SeamCall call);
	/* Notes a call about @pfn that failed. */
	void note_failure(Pfn pfn, SeamCall call, std::uint64_t status);
	/* Writes to the log what is wrong with @pfn and how it came to that. */
	void report(Pfn pfn, const char *what);

	/* For tests: another operation has the entry's lock. */
	void set_locked(Pfn pfn, bool locked);

    private:
	struct Region;

	Mutex lock_;
	Regions<Region> regions_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_PAMT_H */
