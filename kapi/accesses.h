/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that KVM's own accesses to a guest's private memory need: what
 * of a vCPU they depend on, the stock bodies of the functions that make them, and the core's
 * entries (mmu/accesses.cc).
 */
#ifndef GMEM_KAPI_ACCESSES_H
#define GMEM_KAPI_ACCESSES_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gfn_to_hva_cache;
struct gfn_to_pfn_cache;
struct msr_data;
struct pvclock_vcpu_time_info;
struct x86_exception;

/* How a vCPU translates addresses now. */
struct kapi_paging {
	kapi_u64 root; /* CR3 */
	unsigned int levels; /* 2 to 5; 3: of 4 entries at the top; 0: not at all */
	bool write_protect, no_execute, smep, smap; /* CR0.WP, EFER.NX, CR4 */
	bool access_flag; /* EFLAGS.AC: supervisors may use users' data */
	kapi_u64 reserved; /* bits of an address that no frame can have */
};

struct kapi_paging kapi_vcpu_paging(struct kvm_vcpu *vcpu);
/* Makes @exception the page fault at @addr with @error_code. */
void kapi_exception_fill(struct x86_exception *exception, kapi_u64 addr, unsigned int error_code);
/* What a translation answers instead of an address. */
kapi_u64 kapi_no_gpa(void);
/* Puts @wanted in the place of @old, atomically, 4 or 8 bytes; false: another value is there. */
bool kapi_exchange(void *at, unsigned int size, kapi_u64 old, kapi_u64 wanted);

/* Of caches: the guest physical address of their first byte. */
kapi_u64 kapi_hva_cache_gpa(const struct gfn_to_hva_cache *cache);
kapi_u64 kapi_pfn_cache_gpa(const struct gfn_to_pfn_cache *cache);

enum kapi_clock_sizes {
	KAPI_PVCLOCK_SIZE = 32,
	KAPI_STEAL_TIME_SIZE = 64,
};

/*
 * Writes the clock that KVM has for the guest to @to. @clock: NULL, where KVM keeps it with
 * the vCPU.
 */
void kapi_pvclock_write(struct kvm_vcpu *vcpu, const struct pvclock_vcpu_time_info *clock,
			bool unstable, void *to);
/* Where the guest wants to be told how long it did not run; kapi_no_gpa(): nowhere. */
kapi_u64 kapi_vcpu_steal_gpa(struct kvm_vcpu *vcpu);
/* Adds that up at @to. */
void kapi_steal_time_write(struct kvm_vcpu *vcpu, void *to);
/* The answer to RDMSR. */
void kapi_msr_answer(struct msr_data *msr, kapi_u64 value);

/* ---- the bodies ------------------------------------------------------------------------ */

int kapi_stock_read_page(struct kvm_memory_slot *slot, kapi_u64 gfn, void *data, int offset,
			 int len);
int kapi_stock_write_page(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn,
			  const void *data, int offset, int len);
int kapi_stock_read_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			   unsigned int offset, unsigned long len);
int kapi_stock_write_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			    unsigned int offset, unsigned long len);
void kapi_stock_steal_time(struct kvm_vcpu *vcpu);
int kapi_stock_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr);
/* @walk: what the kernel at hand has there; @wide: entries are of 8 bytes. */
kapi_u64 kapi_stock_walk(struct kvm_vcpu *vcpu, void *walk, kapi_u64 addr, kapi_u64 access,
			 struct x86_exception *exception, bool wide);
void kapi_stock_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache, unsigned int offset,
			struct pvclock_vcpu_time_info *clock, bool unstable);

/* ==== the core's entries (mmu/accesses.cc) ==================================================== */

/*
 * Where the page at hand is private to a guest on the SNP model they serve it from the file,
 * and are the stock body else. All have KVM's SRCU or slots_lock. Sleep.
 */
int gmem_kvm_read_page(struct kvm_memory_slot *slot, kapi_u64 gfn, void *data, int offset, int len);
int gmem_kvm_write_page(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn,
			const void *data, int offset, int len);
int gmem_kvm_read_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			 unsigned int offset, unsigned long len);
int gmem_kvm_write_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			  unsigned int offset, unsigned long len);
void gmem_kvm_steal_time(struct kvm_vcpu *vcpu);
kapi_u64 gmem_kvm_walk(struct kvm_vcpu *vcpu, void *walk, kapi_u64 addr, kapi_u64 access,
		       struct x86_exception *exception, bool wide);
void gmem_kvm_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache, unsigned int offset,
		      struct pvclock_vcpu_time_info *clock, bool unstable);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_ACCESSES_H */
