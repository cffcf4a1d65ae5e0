/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every function of the kernel that is taken over, with the kernel's own prototype:
 * X(name, result, arguments), in the kernel's own types and without names of
 * parameters. kapi/takeover.c asserts that what the calls land in has the same type;
 * scripts/check-kvm reads this list, and the one of kapi/symbols.c, and compares them
 * with the BTF of a kernel. What becomes of each is in the table of kapi/takeover.c.
 */
#ifndef GMEM_KAPI_HOOKED_H
#define GMEM_KAPI_HOOKED_H

#include <linux/kvm_host.h>

/* clang-format off */
#define HOOKED(X)                                                                         \
	X(kvm_mmu_page_fault, int, (struct kvm_vcpu *, gpa_t, u64, void *, int))          \
	X(kvm_gmem_get_pfn, int,                                                          \
	  (struct kvm *, struct kvm_memory_slot *, gfn_t, kvm_pfn_t *, int *))            \
	X(kvm_gmem_unbind, void, (struct kvm_memory_slot *))                              \
	X(kvm_gmem_bind, int, (struct kvm *, struct kvm_memory_slot *, unsigned int, loff_t)) \
	X(kvm_gmem_populate, long,                                                        \
	  (struct kvm *, gfn_t, void *, long, kvm_gmem_populate_cb, void *))              \
	X(kvm_gmem_create, int, (struct kvm *, struct kvm_create_guest_memfd *))          \
	X(memory_failure, int, (unsigned long, int))                                      \
	X(kvm_vm_ioctl_check_extension, int, (struct kvm *, long))                        \
	X(kvm_arch_init_vm, int, (struct kvm *, unsigned long))                           \
	X(kvm_arch_free_vm, void, (struct kvm *))                                         \
	X(kvm_vm_ioctl, long, (struct file *, unsigned int, unsigned long))               \
	X(kvm_arch_prepare_memory_region, int,                                            \
	  (struct kvm *, const struct kvm_memory_slot *, struct kvm_memory_slot *,        \
	   enum kvm_mr_change))                                                           \
	X(__gfn_to_pfn_memslot, kvm_pfn_t,                                                \
	  (const struct kvm_memory_slot *, gfn_t, bool, bool, bool *, bool, bool *, hva_t *)) \
	X(gfn_to_pfn_memslot_atomic, kvm_pfn_t, (const struct kvm_memory_slot *, gfn_t))  \
	X(gfn_to_page_many_atomic, int,                                                   \
	  (struct kvm_memory_slot *, gfn_t, struct page **, int))                         \
	X(kvm_vcpu_map, int, (struct kvm_vcpu *, gfn_t, struct kvm_host_map *))           \
	X(__kvm_mmu_max_mapping_level, int,                                               \
	  (struct kvm *, const struct kvm_memory_slot *, gfn_t, int, bool))               \
	X(kvm_arch_vcpu_pre_fault_memory, long,                                           \
	  (struct kvm_vcpu *, struct kvm_pre_fault_memory *))

/* Types of functions that are arguments above. */
#define CALLBACKS(X)                                                                      \
	X(kvm_gmem_populate_cb, int,                                                      \
	  (struct kvm *, gfn_t, kvm_pfn_t, void *, int, void *))
/* clang-format on */

#endif /* GMEM_KAPI_HOOKED_H */
