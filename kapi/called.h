/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every function of the kernel that is called by its name, because it is not exported, with the
 * kernel's own prototype: X(name, result, arguments). Those without a prototype in the headers are
 * from the kernel's sources. scripts/check-kvm reads this list, and the one of kapi/hooked.h, and
 * compares them with the BTF of a kernel. How they are found and called is in kapi/symbols.c.
 *
 * What the headers show of a kernel is in the macros of compat/.
 */
#ifndef GMEM_KAPI_CALLED_H
#define GMEM_KAPI_CALLED_H

#include <linux/kvm_host.h>

#include "compat/kvm.h"
#include "compat/memcg.h"
#include "compat/mpol.h"

/* clang-format off */
#define SYMBOLS_KVM(X)                                                                    \
	X(kvm_mmu_invalidate_range_add, void, (struct kvm *, gfn_t, gfn_t))               \
	X(kvm_mmu_invalidate_end, void, (struct kvm *))                                   \
	X(kvm_mmu_unmap_gfn_range, bool, (struct kvm *, struct kvm_gfn_range *))          \
	X(kvm_flush_remote_tlbs_range, void, (struct kvm *, gfn_t, u64))                  \
	X(kvm_range_has_memory_attributes, bool,                                          \
	  (struct kvm *, gfn_t, gfn_t, unsigned long, unsigned long))                     \
	X(kvm_arch_pre_set_memory_attributes, bool,                                       \
	  (struct kvm *, struct kvm_gfn_range *))                                         \
	X(kvm_arch_post_set_memory_attributes, bool,                                      \
	  (struct kvm *, struct kvm_gfn_range *))                                         \
	X(kvm_tdp_mmu_try_split_huge_pages, void,                                         \
	  (struct kvm *, const struct kvm_memory_slot *, gfn_t, gfn_t, int, bool))

#if GMEM_KVM_RELOAD_DROPS_ROOTS
#define SYMBOLS_KVM_ROOTS(X)
#else
#define SYMBOLS_KVM_ROOTS(X)                                                              \
	X(kvm_mmu_free_obsolete_roots, void, (struct kvm_vcpu *))
#endif

#if GMEM_KVM_INVALIDATE_START
#define SYMBOLS_KVM_START(X)                                                              \
	X(kvm_mmu_invalidate_start, void, (struct kvm *))
#else
#define SYMBOLS_KVM_START(X)                                                              \
	X(kvm_mmu_invalidate_begin, void, (struct kvm *))
#endif

#if GMEM_KVM_INVALIDATE_RANGE
#define SYMBOLS_KVM_RANGE(X)                                                              \
	X(kvm_arch_gmem_invalidate_range, void, (struct kvm *, struct kvm_gfn_range *))
#else
#define SYMBOLS_KVM_RANGE(X)
#endif

#if GMEM_KVM_MAKE_PRIVATE
#define SYMBOLS_KVM_ARCH(X)                                                               \
	X(kvm_arch_gmem_make_private, int, (struct kvm *, gfn_t, kvm_pfn_t, kvm_pfn_t))   \
	X(kvm_arch_gmem_reclaim, void, (kvm_pfn_t, kvm_pfn_t))
#else
#define SYMBOLS_KVM_ARCH(X)                                                               \
	X(kvm_arch_gmem_prepare, int, (struct kvm *, gfn_t, kvm_pfn_t, int))              \
	X(kvm_arch_gmem_invalidate, void, (kvm_pfn_t, kvm_pfn_t))
#endif

#if GMEM_KVM_EXPORTS_LESS
#define SYMBOLS_KVM_EXPORTS(X)                                                            \
	X(kvm_set_memory_region, int,                                                     \
	  (struct kvm *, const struct kvm_userspace_memory_region2 *))                    \
	X(gfn_to_memslot, struct kvm_memory_slot *, (struct kvm *, gfn_t))
#else
#define SYMBOLS_KVM_EXPORTS(X)
#endif

#define SYMBOLS_MEMORY(X)                                                                 \
	X(__mem_cgroup_uncharge_folios, void, (struct folio_batch *))                     \
	X(alloc_contig_pages_noprof, struct page *,                                       \
	  (unsigned long, gfp_t, int, nodemask_t *))                                      \
	X(lru_add_drain_all, void, (void))                                                \
	X(mpol_shared_policy_init, void, (struct shared_policy *, struct mempolicy *))    \
	X(mpol_shared_policy_lookup, struct mempolicy *,                                  \
	  (struct shared_policy *, pgoff_t))                                              \
	X(mpol_set_shared_policy, int,                                                    \
	  (struct shared_policy *, struct vm_area_struct *, struct mempolicy *))          \
	X(mpol_free_shared_policy, void, (struct shared_policy *))                        \
	X(__mpol_put, void, (struct mempolicy *))

#if GMEM_MEMCG_CHARGES_FOLIOS
#define SYMBOLS_CHARGE(X)                                                                 \
	X(__mem_cgroup_charge, int, (struct folio *, struct mm_struct *, gfp_t))
#else
#define SYMBOLS_CHARGE(X)                                                                 \
	X(try_charge_memcg, int, (struct mem_cgroup *, gfp_t, unsigned int))              \
	X(mem_cgroup_commit_charge, void, (struct folio *, struct mem_cgroup *))
#endif

#if GMEM_MPOL_GIVES_FROZEN
#define SYMBOLS_MPOL(X)                                                                   \
	X(alloc_pages_mpol, struct page *,                                                \
	  (gfp_t, unsigned int, struct mempolicy *, pgoff_t, int))
#else
#define SYMBOLS_MPOL(X)                                                                   \
	X(alloc_pages_mpol_noprof, struct page *,                                         \
	  (gfp_t, unsigned int, struct mempolicy *, pgoff_t, int))
#endif

/* Of vCPUs; the last two are KVM_GET_REGS and KVM_GET_SREGS. */
#define SYMBOLS_VCPU(X)                                                                   \
	X(vcpu_load, void, (struct kvm_vcpu *))                                           \
	X(vcpu_put, void, (struct kvm_vcpu *))                                            \
	X(kvm_get_rflags, unsigned long, (struct kvm_vcpu *))                             \
	X(kvm_set_rflags, void, (struct kvm_vcpu *, unsigned long))                       \
	X(kvm_get_linear_rip, unsigned long, (struct kvm_vcpu *))                         \
	X(kvm_skip_emulated_instruction, int, (struct kvm_vcpu *))                        \
	X(kvm_queue_exception_e, void, (struct kvm_vcpu *, unsigned int, u32))            \
	X(kvm_queue_exception_p, void, (struct kvm_vcpu *, unsigned int, unsigned long))  \
	X(kvm_arch_vcpu_ioctl_get_regs, int, (struct kvm_vcpu *, struct kvm_regs *))      \
	X(kvm_arch_vcpu_ioctl_get_sregs, int, (struct kvm_vcpu *, struct kvm_sregs *))

/* Without which no guest knows that it is SNP's. KVM has the last two for SEV-ES. */
#if GMEM_KVM_SEV_MMIO
#define SYMBOLS_SEV_MMIO(X)                                                               \
	X(kvm_sev_es_mmio, int, (struct kvm_vcpu *, bool, gpa_t, unsigned int, void *))
#else
#define SYMBOLS_SEV_MMIO(X)                                                               \
	X(kvm_sev_es_mmio_read, int, (struct kvm_vcpu *, gpa_t, unsigned int, void *))    \
	X(kvm_sev_es_mmio_write, int, (struct kvm_vcpu *, gpa_t, unsigned int, void *))
#endif

#if GMEM_KVM_KICK_MAY_WAIT
#define SYMBOLS_KICK(X)                                                                   \
	X(__kvm_vcpu_kick, void, (struct kvm_vcpu *, bool))
#else
#define SYMBOLS_KICK(X)                                                                   \
	X(kvm_vcpu_kick, void, (struct kvm_vcpu *))
#endif

#ifdef CONFIG_KVM_SMM
#define SYMBOLS_SMM(X)                                                                    \
	X(kvm_smm_changed, void, (struct kvm_vcpu *, bool))
#else
#define SYMBOLS_SMM(X)
#endif

/* A save area's registers: the first two are KVM_SET_REGS and KVM_SET_SREGS. */
#define SYMBOLS_SAVE_AREA(X)                                                              \
	X(kvm_arch_vcpu_ioctl_set_regs, int, (struct kvm_vcpu *, struct kvm_regs *))      \
	X(kvm_arch_vcpu_ioctl_set_sregs, int, (struct kvm_vcpu *, struct kvm_sregs *))    \
	X(fpu_swap_kvm_fpstate, int, (struct fpu_guest *, bool))                          \
	X(fpu_copy_uabi_to_guest_fpstate, int,                                            \
	  (struct fpu_guest *, const void *, u64, u32 *))                                 \
	X(kvm_lapic_reset, void, (struct kvm_vcpu *, bool))                               \
	X(kvm_find_user_return_msr, int, (u32))                                           \
	SYMBOLS_SMM(X)                                                                    \
	SYMBOLS_KICK(X)

#define SYMBOLS_GHCB(X)                                                                   \
	X(kvm_cpuid, bool, (struct kvm_vcpu *, u32 *, u32 *, u32 *, u32 *, bool))         \
	X(kvm_emulate_rdpmc, int, (struct kvm_vcpu *))                                    \
	X(kvm_emulate_ap_reset_hold, int, (struct kvm_vcpu *))                            \
	X(kvm_set_dr, int, (struct kvm_vcpu *, int, unsigned long))                       \
	X(kvm_sev_es_string_io, int,                                                      \
	  (struct kvm_vcpu *, unsigned int, unsigned int, void *, unsigned int, int))     \
	SYMBOLS_SEV_MMIO(X)                                                               \
	SYMBOLS_SAVE_AREA(X)

#define SYMBOLS_KERNEL(X)                                                                 \
	X(task_sched_runtime, unsigned long long, (struct task_struct *))                 \
	X(anon_inode_make_secure_inode, struct inode *,                                   \
	  (struct super_block *, const char *, const struct inode *))                     \
	X(mm_access, struct mm_struct *, (struct task_struct *, unsigned int))

#define SYMBOLS(X)                                                                        \
	SYMBOLS_KVM(X)                                                                    \
	SYMBOLS_KVM_START(X)                                                              \
	SYMBOLS_KVM_RANGE(X)                                                              \
	SYMBOLS_KVM_ARCH(X)                                                               \
	SYMBOLS_KVM_EXPORTS(X)                                                            \
	SYMBOLS_KVM_ROOTS(X)                                                              \
	SYMBOLS_VCPU(X)                                                                   \
	SYMBOLS_MEMORY(X)                                                                 \
	SYMBOLS_CHARGE(X)                                                                 \
	SYMBOLS_MPOL(X)                                                                   \
	SYMBOLS_KERNEL(X)
/* clang-format on */

#endif /* GMEM_KAPI_CALLED_H */
