/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User space and shared memory: touching a mapping of a file, requests for
 * attributes, and what the fakes have noted of conversions.
 */
#ifndef GMEM_FAKES_SHARE_H
#define GMEM_FAKES_SHARE_H

#include "kunit/fakes/kvm.h"

namespace fake
{

/* KVM_SET_MEMORY_ATTRIBUTES, KVM_SET_USER_MEMORY_REGION and ..._REGION2. */
inline constexpr unsigned kSetAttributes = 0x4020aed2, kSetRegion = 0x4020ae46,
			  kSetRegion2 = 0x40a0ae49;

/* What the argument of kSetAttributes points to; gfns. */
struct AttributeRequest {
	std::uint64_t start, end;
	bool to_private;
};

/*
 * User space touches page @index of a mapping of @file: 0 and where the page's
 * content is, as long as it stays mapped; or gmem_file_fault()'s error.
 */
int user_touch(struct file *file, std::uint64_t index, std::uint64_t **content);
bool user_mapped(struct inode *inode, std::uint64_t index);

unsigned long batches_drained();
unsigned long times_slept();
/* Whether KVM's functions that mappable files need could be taken over. */
void set_files_mappable(bool are);
/* Takes [start, end) out of the guest's tables, without rules. */
void mmu_zap(struct kvm *kvm, std::uint64_t start, std::uint64_t end);

} /* namespace fake */

#endif /* GMEM_FAKES_SHARE_H */
