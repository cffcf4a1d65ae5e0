// SPDX-License-Identifier: GPL-2.0-only
/*
 * The secure EPT (sept.h).
 */
#include "arch/x86/sept.h"

namespace gmem
{

Sept::~Sept()
{
	if (root_)
		free_below(*root_);
}

/* No deeper than there are levels. */
void Sept::free_below(SeptTable &table)
{
	for (SeptEntry &entry : table.entries) {
		if (entry.table) {
			free_below(*entry.table);
			Destroy{}(entry.table);
		}
	}
}

Status Sept::create()
{
	GMEM_TRY(root, make<SeptTable>());
	root_ = std::move(root);
	return Status{};
}

Sept::Walk Sept::walk(Gfn gfn, unsigned level) const
{
	SeptTable *table = root_.get();

	for (unsigned at = kRootLevel;; at--) {
		SeptEntry &entry = table->entries[gfn.value >> 9 * at & 511];

		if (at == level || !entry.table)
			return { &entry, at };
		table = entry.table;
	}
}

Status Sept::add_table(SeptEntry &entry, Pfn pfn)
{
	GMEM_TRY(table, make<SeptTable>());
	entry.table = table.release();
	entry.pfn = pfn;
	entry.state = SeptState::NlMapped;
	return Status{};
}

} /* namespace gmem */
