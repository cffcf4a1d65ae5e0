/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every function of the kernel that is taken over, with the kernel's own prototype:
 * X(entry, name, result, arguments), in the kernel's own types and without names of
 * parameters. What the calls land in has the same type (kapi/entries.c);
 * scripts/check-kvm reads this list, and the one of kapi/called.h, and compares them
 * with the BTF of a kernel. What becomes of each is in kapi/hook_table.c.
 *
 * What the headers show of a kernel is in the macros of compat/kvm.h. Of EITHER and OR a
 * kernel has one, whole, and which shows when the module loads.
 */
#ifndef GMEM_KAPI_HOOKED_H
#define GMEM_KAPI_HOOKED_H

#include <linux/kvm_host.h>

#include "compat/kvm.h"
#include "hooked_private.h"

/* clang-format off */
#define HOOKED_ALWAYS(X)                                                                  \
	X(KAPI_ENTRY_PAGE_FAULT, kvm_mmu_page_fault, int,                                 \
	  (struct kvm_vcpu *, gpa_t, u64, void *, int))                                   \
	X(KAPI_ENTRY_UNBIND, kvm_gmem_unbind, void, (struct kvm_memory_slot *))           \
	X(KAPI_ENTRY_CREATE, kvm_gmem_create, int,                                        \
	  (struct kvm *, struct kvm_create_guest_memfd *))                                \
	X(KAPI_ENTRY_MEMORY_FAILURE, memory_failure, int, (unsigned long, int))           \
	X(KAPI_ENTRY_CHECK_EXTENSION, kvm_vm_ioctl_check_extension_generic, int,          \
	  (struct kvm *, long))                                                           \
	X(KAPI_ENTRY_INIT_VM, kvm_arch_init_vm, int, (struct kvm *, unsigned long))       \
	X(KAPI_ENTRY_FREE_VM, kvm_arch_free_vm, void, (struct kvm *))                     \
	X(KAPI_ENTRY_VM_IOCTL, kvm_vm_ioctl, long,                                        \
	  (struct file *, unsigned int, unsigned long))                                   \
	X(KAPI_ENTRY_PREPARE_SLOT, kvm_arch_prepare_memory_region, int,                   \
	  (struct kvm *, const struct kvm_memory_slot *, struct kvm_memory_slot *,        \
	   enum kvm_mr_change))                                                           \
	X(KAPI_ENTRY_PRE_FAULT, kvm_arch_vcpu_pre_fault_memory, long,                     \
	  (struct kvm_vcpu *, struct kvm_pre_fault_memory *))

/* A memslot is bound to its file at once, or before and while it becomes visible. */
#if GMEM_KVM_UNSIGNED_OFFSET
#define HOOKED_EITHER_BIND_AT_ONCE(X)                                                     \
	X(KAPI_ENTRY_BIND, kvm_gmem_bind, int,                                            \
	  (struct kvm *, struct kvm_memory_slot *, unsigned int, uoff_t))
#else
#define HOOKED_EITHER_BIND_AT_ONCE(X)                                                     \
	X(KAPI_ENTRY_BIND, kvm_gmem_bind, int,                                            \
	  (struct kvm *, struct kvm_memory_slot *, unsigned int, loff_t))
#endif
#define HOOKED_OR_BIND_IN_STEPS(X)                                                        \
	X(KAPI_ENTRY_PREPARE_BIND, kvm_gmem_prepare_memory_region, int,                   \
	  (struct kvm *, struct kvm_memory_slot *, unsigned int, u64))                    \
	X(KAPI_ENTRY_COMMIT_BIND, kvm_gmem_commit_memory_region, int,                     \
	  (struct kvm *, struct kvm_memory_slot *))

#if GMEM_KVM_FINDS_PAGES
#define HOOKED_PAGES(X)                                                                   \
	X(KAPI_ENTRY_GET_PFN, kvm_gmem_get_pfn, int,                                      \
	  (struct kvm *, struct kvm_memory_slot *, gfn_t, kvm_pfn_t *, struct page **,    \
	   int *))                                                                        \
	X(KAPI_ENTRY_PREFETCH_PAGES, kvm_prefetch_pages, int,                             \
	  (struct kvm_memory_slot *, gfn_t, struct page **, int))                         \
	X(KAPI_ENTRY_VCPU_MAP, __kvm_vcpu_map, int,                                       \
	  (struct kvm_vcpu *, gfn_t, struct kvm_host_map *, bool))
#else
#define HOOKED_PAGES(X)                                                                   \
	X(KAPI_ENTRY_GET_PFN, kvm_gmem_get_pfn, int,                                      \
	  (struct kvm *, struct kvm_memory_slot *, gfn_t, kvm_pfn_t *, int *))            \
	X(KAPI_ENTRY_PREFETCH_PFN, gfn_to_pfn_memslot_atomic, kvm_pfn_t,                  \
	  (const struct kvm_memory_slot *, gfn_t))                                        \
	X(KAPI_ENTRY_PREFETCH_PAGES, gfn_to_page_many_atomic, int,                        \
	  (struct kvm_memory_slot *, gfn_t, struct page **, int))                         \
	X(KAPI_ENTRY_VCPU_MAP, kvm_vcpu_map, int,                                         \
	  (struct kvm_vcpu *, gfn_t, struct kvm_host_map *))
#endif

#if GMEM_KVM_SHARED_SLOTS
#define HOOKED_SHARED_SLOTS(X)
#else
#define HOOKED_SHARED_SLOTS(X)                                                            \
	X(KAPI_ENTRY_SLOT_PFN, __gfn_to_pfn_memslot, kvm_pfn_t,                           \
	  (const struct kvm_memory_slot *, gfn_t, bool, bool, bool *, bool, bool *, hva_t *)) \
	X(KAPI_ENTRY_MAPPING_LEVEL, __kvm_mmu_max_mapping_level, int,                     \
	  (struct kvm *, const struct kvm_memory_slot *, gfn_t, int, bool))
#endif

/* CALLBACKS: the types of functions that are arguments of the others. */
#if GMEM_KVM_POPULATE_PAGES
#define HOOKED_POPULATE(X)                                                                \
	X(KAPI_ENTRY_POPULATE, kvm_gmem_populate, long,                                   \
	  (struct kvm *, gfn_t, void *, long, bool, kvm_gmem_populate_cb, void *))
#define CALLBACKS(X)                                                                      \
	X(kvm_gmem_populate_cb, int,                                                      \
	  (struct kvm *, gfn_t, kvm_pfn_t, struct page *, void *))
#else
#define HOOKED_POPULATE(X)                                                                \
	X(KAPI_ENTRY_POPULATE, kvm_gmem_populate, long,                                   \
	  (struct kvm *, gfn_t, void *, long, kvm_gmem_populate_cb, void *))
#define CALLBACKS(X)                                                                      \
	X(kvm_gmem_populate_cb, int,                                                      \
	  (struct kvm *, gfn_t, kvm_pfn_t, void *, int, void *))
#endif

#define HOOKED(X)                                                                         \
	HOOKED_ALWAYS(X)                                                                  \
	HOOKED_EITHER_BIND_AT_ONCE(X)                                                     \
	HOOKED_OR_BIND_IN_STEPS(X)                                                        \
	HOOKED_PAGES(X)                                                                   \
	HOOKED_SHARED_SLOTS(X)                                                            \
	HOOKED_POPULATE(X)                                                                \
	HOOKED_PRIVATE(X)

/*
 * What a stable update has made of a prototype without a version that tells: to the caller
 * and to the landing it is the same. For scripts/check-kvm alone.
 */
#define HOOKED_ALSO(X)                                                                    \
	X(KAPI_ENTRY_BIND, kvm_gmem_bind, int,                                            \
	  (struct kvm *, struct kvm_memory_slot *, unsigned int, u64))                    \
	X(KAPI_ENTRY_PREPARE_BIND, kvm_gmem_prepare_memory_region, int,                   \
	  (struct kvm *, struct kvm_memory_slot *, unsigned int, uoff_t))
/* clang-format on */

#endif /* GMEM_KAPI_HOOKED_H */
