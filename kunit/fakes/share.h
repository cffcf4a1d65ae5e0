/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User space and shared memory: touching and pinning pages of a mapping, requests
 * for attributes and conversions; and the rules for private pages.
 */
#ifndef GMEM_FAKES_SHARE_H
#define GMEM_FAKES_SHARE_H

#include <functional>

#include "kunit/fakes/kvm.h"

namespace fake
{

inline constexpr unsigned kSetAttributes = KAPI_IOCTL_SET_ATTRIBUTES,
			  kSetRegion = KAPI_IOCTL_SET_REGION, kSetRegion2 = KAPI_IOCTL_SET_REGION2;
inline constexpr std::uint64_t kPrivateAttribute = KAPI_ATTRIBUTE_PRIVATE;

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
/* Takes @page out of all of them. */
void user_unmap(struct page *page);
/*
 * Pins the page at @index for I/O, as get_user_pages() does, touching it first; NULL:
 * it cannot be touched.
 */
struct page *user_pin(struct file *file, std::uint64_t index);
void user_unpin(struct page *page);
/* The kernel has a reference of @page for a moment: until the nth sleep from now on. */
void hold_until_sleep(struct page *page, unsigned n);
/* Or in one of its batches, until they are drained. */
void hold_until_drained(struct page *page);
/* Called in each kapi_sleep(); NULL: nothing is called. */
void set_on_sleep(std::function<void()> fn);

/* Called before pages from an index on are looked at for poison; NULL: nothing is called. */
void set_before_look(std::function<void(std::uint64_t index)> fn);

/* KVM_SET_MEMORY_ATTRIBUTES2 on @file, in pages; *at is the error's page, 0 if none is. */
int convert(struct file *file, std::uint64_t start, std::uint64_t end, bool to_private,
	    std::uint64_t *at = nullptr);
/* KVM_SET_MEMORY_ATTRIBUTES through gmem_kvm_vm_ioctl(). */
long set_attributes(struct kvm *kvm, std::uint64_t start, std::uint64_t end, bool to_private);

/*
 * Of every file: no private page is mapped by user space or pinned, and the attributes
 * of memslots agree. Nothing may be going on: it does nothing under the scheduler
 * and beside other threads.
 */
void check_shares();
void set_threads(bool running);

unsigned long batches_drained();
unsigned long times_slept();
/* Takes [start, end) out of the guest's tables, without rules. */
void mmu_zap(struct kvm *kvm, std::uint64_t start, std::uint64_t end);

} /* namespace fake */

#endif /* GMEM_FAKES_SHARE_H */
