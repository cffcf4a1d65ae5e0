/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model of a TD's secure EPT: a tree of tables whose entries have the states of
 * the TDX module (Intel's source, 1.5.01). Five levels; a TD's private memory is
 * below bit 51. The tree belongs to one TD, whose lock protects it.
 */
#ifndef GMEM_ARCH_X86_SEPT_H
#define GMEM_ARCH_X86_SEPT_H

#include <array>

#include "gmem/memory.h"
#include "gmem/types.h"

namespace gmem
{

enum class SeptState : std::uint8_t {
	Free = 0,
	Blocked = 1,
	Pending = 2, /* added later on; the guest has not accepted it */
	PendingBlocked = 3,
	Mapped = 4,
	Removed = 5,
	NlBlocked = 0x81, /* a table */
	NlMapped = 0x84,
};

constexpr bool sept_is_blocked(SeptState state)
{
	return state == SeptState::Blocked || state == SeptState::PendingBlocked ||
	       state == SeptState::NlBlocked;
}

struct SeptTable;

struct SeptEntry {
	SeptState state = SeptState::Free;
	bool locked = false; /* by another operation, as far as tests have one */
	Pfn pfn; /* of the page, or of the table below */
	SeptTable *table = nullptr; /* the table below */
};

/* Entries of a level: a level-0 entry maps 4 KiB, a level-1 entry 2 MiB, ... */
struct SeptTable {
	std::array<SeptEntry, 512> entries{};
};

class Sept {
    public:
	static constexpr unsigned kRootLevel = 4;
	/* Where a TD's private memory ends, in bytes. */
	static constexpr std::uint64_t kPrivateEnd = 1ull << 51;

	Sept() = default;
	~Sept();
	Sept(const Sept &) = delete;
	Sept &operator=(const Sept &) = delete;

	/* The root table; -ENOMEM. Sleeps. */
	Status create();

	/* The entry of @level for @gfn, or the one above it where the walk ends. */
	struct Walk {
		SeptEntry *entry = nullptr;
		unsigned level = 0;
	};
	Walk walk(Gfn gfn, unsigned level) const;

	/* Puts an empty table, which is frame @pfn, below @entry; -ENOMEM. Sleeps. */
	static Status add_table(SeptEntry &entry, Pfn pfn);

	/* Calls fn(Pfn) for the frame of each table but the root, lower ones first. */
	template <class Fn> void for_each_table(Fn fn) const
	{
		if (root_)
			visit(*root_, kRootLevel, fn);
	}

    private:
	template <class Fn> static void visit(const SeptTable &table, unsigned level, Fn &fn)
	{
		if (level == 0)
			return;
		for (const SeptEntry &entry : table.entries) {
			if (entry.table) {
				visit(*entry.table, level - 1, fn);
				fn(entry.pfn);
			}
		}
	}
	static void free_below(SeptTable &table);

	Own<SeptTable> root_;
};

} /* namespace gmem */

#endif /* GMEM_ARCH_X86_SEPT_H */
