/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How KVM's interface differs between kernels, as far as the headers show it: one macro a
 * change, with the kernels that have it and the patch that brought it. What headers do not
 * show is chosen when the module loads (kapi/hooked.h).
 */
#ifndef GMEM_KAPI_COMPAT_KVM_H
#define GMEM_KAPI_COMPAT_KVM_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "KVM before 6.12 has another guest_memfd: see docs/porting.md"
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
#error "KVM of 6.13 to 7.1 is between two interfaces that are known: see docs/porting.md"
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(7, 4, 0)
#error "KVM of this kernel is not known yet: see docs/porting.md"
#endif

/*
 * "KVM: guest_memfd: Provide "struct page" as output from kvm_gmem_get_pfn()" and the rest
 * of that series: pages, not frames, are what KVM looks for. What finds one by a memslot's
 * user address has another name and other arguments.
 */
#define GMEM_KVM_FINDS_PAGES (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/*
 * "KVM: guest_memfd: Add plumbing to host to map guest_memfd pages" and what follows it:
 * memslots on files that can be mapped, all of whose accesses are the file's, are KVM's own
 * (KVM_MEMSLOT_GMEM_ONLY). kvm_gmem_get_pfn() is called for shared gfns of theirs, too.
 */
#define GMEM_KVM_SHARED_SLOTS (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))
#if GMEM_KVM_SHARED_SLOTS
#define GMEM_KVM_SLOT_GMEM_ONLY KVM_MEMSLOT_GMEM_ONLY
#else
#define GMEM_KVM_SLOT_GMEM_ONLY 0
#endif

/* "KVM: guest_memfd: GUP source pages prior to populating guest memory". */
#define GMEM_KVM_POPULATE_PAGES (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/*
 * "KVM: guest_memfd: Treat memslot binding offset+size as unsigned values"; an overlap of
 * bindings is -EEXIST then.
 */
#define GMEM_KVM_UNSIGNED_OFFSET (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* kvm_mmu_invalidate_begin() is called kvm_mmu_invalidate_start(). */
#define GMEM_KVM_INVALIDATE_START (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* What translates a guest's addresses is a part of struct kvm_mmu, which others may have, too. */
#define GMEM_KVM_PAGEWALK (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0))

/* A guest's clock is an argument of what writes it, and not kept with the vCPU. */
#define GMEM_KVM_PVCLOCK_OF (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/*
 * kvm_mmu_reload() drops page tables that are obsolete, so that a pre-fault that begins
 * has none.
 */
#define GMEM_KVM_RELOAD_DROPS_ROOTS (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* kvm_arch_gmem_invalidate_range() goes with each unmapping (SNP: a vCPU's VMSA). */
#define GMEM_KVM_INVALIDATE_RANGE (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* kvm_set_memory_region() and gfn_to_memslot() are not exported to modules like this one. */
#define GMEM_KVM_EXPORTS_LESS (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/*
 * kvm_arch_gmem_make_private() and _reclaim(), by frames, are what _prepare() and
 * _invalidate() were.
 */
#define GMEM_KVM_MAKE_PRIVATE (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0))

/* What reads and writes MMIO by the GHCB is one function. */
#define GMEM_KVM_SEV_MMIO (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* kvm_vcpu_kick() is an inline function, of another that may wait. */
#define GMEM_KVM_KICK_MAY_WAIT (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

/* RIP is not one of a vCPU's general registers, but beside them. */
#define GMEM_KVM_RIP_APART (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))
#if GMEM_KVM_RIP_APART
#define gmem_vcpu_rip(vcpu) ((vcpu)->arch.rip)
#else
#define gmem_vcpu_rip(vcpu) ((vcpu)->arch.regs[VCPU_REGS_RIP])
#endif

/* kvm_slot_can_be_private() is called kvm_slot_has_gmem(). */
#define GMEM_KVM_SLOT_HAS_GMEM (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))
#if GMEM_KVM_SLOT_HAS_GMEM
#define gmem_slot_has_gmem(slot) kvm_slot_has_gmem(slot)
#else
#define gmem_slot_has_gmem(slot) kvm_slot_can_be_private(slot)
#endif

#endif /* GMEM_KAPI_COMPAT_KVM_H */
