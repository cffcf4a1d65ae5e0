/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walk through a guest's page tables, as the processor would do it: for KVM's own accesses,
 * where the tables are private and KVM's own walk finds what user space has there.
 */
#ifndef GMEM_MMU_WALK_H
#define GMEM_MMU_WALK_H

#include <cstdint>

#include "gmem/result.h"
#include "kapi/accesses.h"

namespace gmem
{

/* An entry of a table, where it lies, and how large it is. */
struct TableEntry {
	std::uint64_t gpa, value;
	unsigned size;
};

/* The guest's memory. */
class GuestTables {
    public:
	GuestTables(const GuestTables &) = delete;
	GuestTables &operator=(const GuestTables &) = delete;

	/* The @size bytes of an entry at @gpa. -EFAULT: nothing is there. */
	virtual Result<std::uint64_t> read(std::uint64_t gpa, unsigned size) = 0;
	/*
	 * Puts @wanted in the place of the entry's value. -EAGAIN: it is another by now;
	 * -EFAULT.
	 */
	virtual Status replace(const TableEntry &entry, std::uint64_t wanted) = 0;

    protected:
	GuestTables() = default;
	~GuestTables() = default;
};

/* How an access ended: at @gpa, or in a page fault with @error_code. */
struct Translation {
	bool found = false;
	std::uint64_t gpa = 0;
	unsigned error_code = 0;
};

/*
 * Translates @addr for an @access of KAPI_PFERR_* bits, and marks entries as accessed and
 * the last one as dirty where the processor would. Protection keys are not looked at.
 */
Translation translate(GuestTables &tables, const kapi_paging &paging, std::uint64_t addr,
		      std::uint64_t access);

} /* namespace gmem */

#endif /* GMEM_MMU_WALK_H */
