/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two ways of launching a VM on a model have in common: ioctls on its files
 * (mmu/launch.cc) and KVM's own commands (mmu/sev.cc).
 */
#ifndef GMEM_MMU_LAUNCH_H
#define GMEM_MMU_LAUNCH_H

#include "gmem/platform.h"

namespace gmem
{

/* Pages to fill with first content, and to measure. */
struct LaunchPages {
	struct kvm *vm;
	struct file *file; /* that must be behind them; NULL: whichever is */
	Gfn gfn;
	std::uint64_t npages;
	void *source; /* user address, page-aligned; NULL: what is in the pages */
	PageContent content;
	bool found = false; /* out: a memslot of a file is there */
};

/*
 * How many of @pages are filled, at least one; -EINVAL: no memslot of that file, or of any of
 * ours, is there; the others as GMEM_POPULATE has them. What the firmware said is in the
 * content. Takes slots_lock. Sleeps.
 */
long launch_pages(LaunchPages &pages);

} /* namespace gmem */

#endif /* GMEM_MMU_LAUNCH_H */
