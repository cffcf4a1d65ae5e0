// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks into the core (core.h).
 */
#include "kunit/fakes/core.h"

#include "gmem/file.h"

namespace fake
{

Stretch core_stretch(struct file *file, std::uint64_t index)
{
	gmem::Inode &inode = gmem::File::of(file)->inode();
	const gmem::PageIndex at{ index };
	const gmem::IndexRange shared = inode.store().next_stretch({ at, inode.end() },
								   gmem::Share::kShared);

	/* Of none, its start is the file's end. */
	if (shared.start > at)
		return { shared.start.value, true };
	return { shared.end.value, false };
}

bool core_is_private(struct file *file, std::uint64_t index)
{
	const gmem::PageIndex at{ index };

	return gmem::File::of(file)
		->inode()
		.store()
		.next_stretch({ at, at + 1 }, gmem::Share::kShared)
		.empty();
}

bool core_becomes_private(struct file *file, std::uint64_t index)
{
	return gmem::File::of(file)->inode().becomes_private(gmem::PageIndex{ index });
}

bool core_converts(struct file *file)
{
	return gmem::File::of(file)->converts();
}

struct kvm *core_vm(struct file *file)
{
	return gmem::File::of(file)->vm();
}

} /* namespace fake */
