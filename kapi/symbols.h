/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions that are not exported to modules, found by name when the
 * module loads and called directly through static calls, which keep IBT and
 * retpolines content. Callable only after gmem_symbols_resolve() said 0.
 */
#ifndef GMEM_KAPI_SYMBOLS_H
#define GMEM_KAPI_SYMBOLS_H

#include <linux/kvm_host.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>

#include "compat/folio_batch.h"

/*
 * Finds every function of the table. -ENOENT names the first one missing in the
 * log; what kprobes refuse to look up names with. Sleeps.
 */
int gmem_symbols_resolve(void);
/*
 * Whether those of KVM have the prototypes by which they are called, between
 * gmem_prototypes_open() and _close(). -ENOENT names the first that has not in the log.
 */
int gmem_symbols_compare(void);

/*
 * Address of the function @name of KVM or of the kernel itself, not of any other module:
 * of the fentry call where it has one, behind an ENDBR. 0 without one. Not before
 * gmem_symbols_resolve().
 */
unsigned long gmem_symbol_address(const char *name);
/* The first byte of the function @name, and how many there are; 0 as above. */
unsigned long gmem_symbol_extent(const char *name, unsigned long *size);
/*
 * The variable @name of the kernel or a module, NULL without one. It is the caller's to
 * know that the module stays.
 */
void *gmem_symbol_variable(const char *name);

/* KVM's variable: whether VMs run on the TDP MMU. */
const bool *gmem_tdp_mmu_enabled(void);

void gmem_mmu_invalidate_begin(struct kvm *kvm);
void gmem_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end);
void gmem_mmu_invalidate_end(struct kvm *kvm);
bool gmem_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);
void gmem_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages);
bool gmem_range_has_memory_attributes(struct kvm *kvm, gfn_t start, gfn_t end, unsigned long mask,
				      unsigned long attrs);
/* Of KVM_SET_MEMORY_ATTRIBUTES, with mmu_lock held for writing; whether to flush. */
bool gmem_arch_pre_set_attributes(struct kvm *kvm, struct kvm_gfn_range *range);
bool gmem_arch_post_set_attributes(struct kvm *kvm, struct kvm_gfn_range *range);
/* mmu_lock is held for writing, and may be dropped in between. */
void gmem_tdp_mmu_try_split_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot,
				       gfn_t start, gfn_t end, int level);
/* Drops the page tables of a vCPU, which is loaded, that have become obsolete. Sleeps. */
void gmem_mmu_free_obsolete_roots(struct kvm_vcpu *vcpu);
/* EFLAGS of a vCPU that is loaded. */
unsigned long gmem_vcpu_rflags(struct kvm_vcpu *vcpu);
void gmem_vcpu_set_rflags(struct kvm_vcpu *vcpu, unsigned long rflags);
/* Where the instruction is that it is at. */
unsigned long gmem_vcpu_linear_rip(struct kvm_vcpu *vcpu);
/* Goes on behind that instruction; KVM's answer to an exit. Sleeps. */
int gmem_vcpu_skip(struct kvm_vcpu *vcpu);
/* Exceptions for the guest: with an error code, or a payload. */
void gmem_queue_exception_code(struct kvm_vcpu *vcpu, unsigned int nr, u32 error_code);
void gmem_queue_exception_payload(struct kvm_vcpu *vcpu, unsigned int nr, unsigned long payload);
/* KVM's variable, or NULL: the vendor module's functions, while there is a vCPU. */
const struct kvm_x86_ops *gmem_x86_ops(void);
/*
 * KVM's own answers to what guests of SNP ask for by a GHCB; of a vCPU that is loaded, and as to
 * an exit where they are int. gmem_symbols_ghcb() first: some kernels have no such KVM.
 */
bool gmem_symbols_ghcb(void);
void gmem_vcpu_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
int gmem_vcpu_rdpmc(struct kvm_vcpu *vcpu);
int gmem_vcpu_reset_hold(struct kvm_vcpu *vcpu);
int gmem_vcpu_set_dr(struct kvm_vcpu *vcpu, int dr, unsigned long value); /* not 0: no such */
int gmem_vcpu_string_io(struct kvm_vcpu *vcpu, unsigned int size, unsigned int port, void *data,
			unsigned int count, bool in);
int gmem_vcpu_mmio(struct kvm_vcpu *vcpu, bool write, gpa_t gpa, unsigned int size, void *data);
/*
 * Of the same kernels. The first two are of a vCPU whose mutex the caller has, and that is not
 * loaded; they sleep, and are not 0 where there are no such values.
 */
int gmem_vcpu_set_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs);
int gmem_vcpu_set_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs);
/* The current task's FPU becomes the guest's, or its own again. */
void gmem_fpu_swap(struct fpu_guest *fpu, bool enter);
/* The guest's FPU, not in use, from an area of XSAVE; not 0: no such values. */
int gmem_fpu_set(struct fpu_guest *fpu, const void *xsave, u64 xcr0, u32 *pkru);
/* Whether KVM has an MSR for guests that it gives back to user space. */
bool gmem_has_user_return_msr(u32 index);
/* The vCPU, which is loaded, is in SMM, and is no more. */
void gmem_vcpu_leave_smm(struct kvm_vcpu *vcpu);
/* The APIC of a vCPU that is loaded, as after INIT. */
void gmem_vcpu_init_apic(struct kvm_vcpu *vcpu);
/* Out of the guest, or out of waiting, to look at what it is requested. Any context. */
void gmem_vcpu_kick(struct kvm_vcpu *vcpu);
/* Registers of a vCPU whose mutex the caller has. -EINVAL: they are protected. Sleep. */
int gmem_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs);
int gmem_vcpu_get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs);
/* Puts the vCPU on this CPU, until it is put back. Its mutex is the caller's. */
void gmem_vcpu_load(struct kvm_vcpu *vcpu);
void gmem_vcpu_put(struct kvm_vcpu *vcpu);
/* An MSR of a vCPU that is loaded; not 0: it has none. */
int gmem_vcpu_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *value);
int gmem_vcpu_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 value);
/* KVM's own answer to a request for a memslot; slots_lock held. Sleeps. */
int gmem_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region2 *region);
struct kvm_memory_slot *gmem_gfn_to_memslot(struct kvm *kvm, gfn_t gfn); /* slots_lock or SRCU */
int gmem_arch_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, int max_order);
void gmem_arch_invalidate(kvm_pfn_t start, kvm_pfn_t end);
/*
 * What kapi/compat/memcg.c charges by. With GMEM_MEMCG_CHARGES_FOLIOS: the folio's pages are
 * counted as used by the active cgroup, and the folio made one of its obj_cgroup's; 0 or
 * -ENOMEM. Sleeps.
 */
int gmem_mem_cgroup_charge(struct folio *folio, gfp_t gfp);
/* Without: counts @nr_pages as used by the cgroup; 0 or -ENOMEM. Sleeps. */
int gmem_mem_cgroup_try_charge(struct mem_cgroup *memcg, gfp_t gfp, unsigned int nr_pages);
/* Makes the folio one of those counted; freeing it counts it out. */
void gmem_mem_cgroup_commit_charge(struct folio *folio, struct mem_cgroup *memcg);
void gmem_mem_cgroup_uncharge_folios(struct folio_batch *folios);
/* Nanoseconds that the task has run. */
u64 gmem_task_sched_runtime(struct task_struct *task);
/* NUMA policies of a file's ranges; mm/mempolicy.c. */
void gmem_mpol_shared_policy_init(struct shared_policy *policy);
/* With a reference, NULL if there is none for @index. */
struct mempolicy *gmem_mpol_shared_policy_lookup(struct shared_policy *policy, pgoff_t index);
int gmem_mpol_set_shared_policy(struct shared_policy *policy, struct vm_area_struct *vma,
				struct mempolicy *mpol);
void gmem_mpol_free_shared_policy(struct shared_policy *policy);
void gmem_mpol_put(struct mempolicy *mpol);
struct page *gmem_alloc_pages_mpol(gfp_t gfp, unsigned int order, struct mempolicy *mpol,
				   pgoff_t ilx);
/* @nr_pages contiguous, aligned pages, each counted by itself; NULL. Sleeps. */
struct page *gmem_alloc_contig_pages(unsigned long nr_pages, gfp_t gfp);
/*
 * An anonymous inode that security modules have labelled as one of class @name, or an
 * ERR_PTR: -ENOMEM, or what they say, mostly -EACCES. Sleeps.
 */
struct inode *gmem_anon_inode_make_secure_inode(struct super_block *sb, const char *name);
/*
 * The task's memory, NULL if it has none, with a reference for mmput(), which sleeps.
 * -EACCES: the current task may not by @mode (PTRACE_MODE_*); -EINTR. Sleeps.
 */
struct mm_struct *gmem_mm_access(struct task_struct *task, unsigned int mode);
/* Empties every CPU's batches of pages on their way to an LRU. Sleeps. */
void gmem_lru_add_drain_all(void);

#endif /* GMEM_KAPI_SYMBOLS_H */
