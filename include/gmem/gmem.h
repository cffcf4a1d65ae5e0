/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What gmem.ko exports to other kernel code: the five calls that KVM makes of a
 * guest_memfd backend, with KVM's own signatures. KVM's calls land in them; any
 * other GPL module may call them too. Nothing here is user ABI.
 *
 * Each answers for files and slots that the stock backend made by handing the
 * call to the stock body.
 *
 * Two other headers have this name: include/uapi/gmem.h is what user space calls, and
 * selftests/lib/gmem.h helps the test programs, which call that.
 */
#ifndef GMEM_GMEM_H
#define GMEM_GMEM_H

#if defined(__KERNEL__) && !defined(__cplusplus)
#include <linux/types.h>
typedef u64 gmem_u64;
#else
#include <stdint.h>
typedef uint64_t gmem_u64;
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct kvm;
struct kvm_create_guest_memfd;
struct kvm_memory_slot;

/* Runs per page of a populate; see kvm_gmem_populate_cb. Returns 0 or -errno. */
typedef int (*gmem_populate_cb)(struct kvm *kvm, gmem_u64 gfn, gmem_u64 pfn, void *src, int order,
				void *opaque);

/**
 * gmem_create - make a guest_memfd for a VM
 *
 * Returns a new descriptor of the current task. -EINVAL: size 0, negative or
 * not page-aligned, or a flag not known; -EMFILE, -ENFILE, -ENOMEM. Sleeps.
 */
int gmem_create(struct kvm *kvm, struct kvm_create_guest_memfd *args);

/**
 * gmem_bind - bind a new memslot to [offset, offset + slot size) of a file
 *
 * Caller holds kvm->slots_lock; the slot is not visible to vCPUs yet. Offset in
 * bytes. -EBADF: no such descriptor; -EINVAL: not a guest_memfd of this VM, or
 * the range is misaligned, past the end, of gfns that KVM cannot map, or overlaps a
 * bound one (the running kernel's own error for that); -ESTALE: the file's memory has
 * been linked to another VM; -EINTR: killed; -ENOMEM. Nothing is bound then. Sleeps.
 */
int gmem_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd, long long offset);

/**
 * gmem_unbind - undo gmem_bind() of a memslot that no vCPU can reach any more
 *
 * Caller holds kvm->slots_lock. A slot whose file is closed is left alone. Sleeps.
 */
void gmem_unbind(struct kvm_memory_slot *slot);

/**
 * gmem_get_pfn - the page behind a private gfn, ready for the guest
 *
 * Caller is in kvm->srcu. On success *pfn carries a page reference for the
 * caller and *max_order (may be NULL) is 0, 9 or 18: the naturally aligned run
 * of that order around the gfn is contiguous, prepared and inside the slot. The page
 * is the file's until an invalidation of KVM's comes for it.
 * -EAGAIN: it is shared, also where a conversion has just ended that was waited for;
 * -EFAULT: no file any more; -EHWPOISON: the page is lost; -ENOMEM; -EIO. Takes the
 * file's invalidate_lock, shared; sleeps.
 */
int gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gmem_u64 gfn, gmem_u64 *pfn,
		 int *max_order);

/**
 * gmem_populate - fill private pages with initial content, each exactly once
 *
 * Caller holds kvm->slots_lock. @src is a user address or NULL. Returns the
 * number of pages done if any was; otherwise 0 or the first error: -EINVAL (no
 * slot, not private), -EEXIST (has content already), -EFAULT (bad source),
 * -EINTR, or what the callback said. Source pages are pinned before any lock of
 * ours is taken; the callback runs with page faults off. Sleeps.
 */
long gmem_populate(struct kvm *kvm, gmem_u64 gfn, void *src, long npages, gmem_populate_cb cb,
		   void *opaque);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_GMEM_H */
