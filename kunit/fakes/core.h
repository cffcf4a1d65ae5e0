/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fakes ask the core, to check what it has told the kernel of its pages. No other
 * file of the fakes looks into gmem/.
 */
#ifndef GMEM_FAKES_CORE_H
#define GMEM_FAKES_CORE_H

#include "kunit/fakes/kvm.h"

namespace fake
{

/* Pages of a file from an index on that are all private, or all shared. */
struct Stretch {
	std::uint64_t end;
	bool is_private;
};

/* The one at @index, which is before the file's end. */
Stretch core_stretch(struct file *file, std::uint64_t index);
/* Whether the page at @index is private; looks at its run alone. */
bool core_is_private(struct file *file, std::uint64_t index);
/* Whether a conversion that goes on makes the page at @index private. */
bool core_becomes_private(struct file *file, std::uint64_t index);
/* Whether the file's pages can be converted one by one. */
bool core_converts(struct file *file);
/* The VM that @file is of. */
struct kvm *core_vm(struct file *file);

} /* namespace fake */

#endif /* GMEM_FAKES_CORE_H */
