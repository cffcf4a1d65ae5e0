/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the list of hooked.h that VMs of SNP's type on the model need: how KVM itself
 * reads and writes a guest's memory on the guest's behalf, by the user address of a memslot;
 * and what a guest does that knows SNP. Taken over with platform=snp-model alone.
 */
#ifndef GMEM_KAPI_HOOKED_PRIVATE_H
#define GMEM_KAPI_HOOKED_PRIVATE_H

#include <linux/kvm_host.h>

#include "compat/kvm.h"

struct x86_exception;

/* clang-format off */
#define HOOKED_PRIVATE_ALWAYS(X)                                                          \
	X(KAPI_ENTRY_READ_PAGE, __kvm_read_guest_page, int,                               \
	  (struct kvm_memory_slot *, gfn_t, void *, int, int))                            \
	X(KAPI_ENTRY_WRITE_PAGE, __kvm_write_guest_page, int,                             \
	  (struct kvm *, struct kvm_memory_slot *, gfn_t, const void *, int, int))        \
	X(KAPI_ENTRY_READ_CACHED, kvm_read_guest_offset_cached, int,                      \
	  (struct kvm *, struct gfn_to_hva_cache *, void *, unsigned int, unsigned long)) \
	X(KAPI_ENTRY_WRITE_CACHED, kvm_write_guest_offset_cached, int,                    \
	  (struct kvm *, struct gfn_to_hva_cache *, void *, unsigned int, unsigned long)) \
	X(KAPI_ENTRY_STEAL_TIME, record_steal_time, void, (struct kvm_vcpu *))            \
	X(KAPI_ENTRY_GET_MSR, kvm_get_msr_common, int,                                    \
	  (struct kvm_vcpu *, struct msr_data *))

/* Of guests that know SNP: exits, whether there is one for an MSR, and how vCPUs begin. */
#define HOOKED_GUEST(X)                                                                   \
	X(KAPI_ENTRY_UNDEFINED, handle_ud, int, (struct kvm_vcpu *))                      \
	X(KAPI_ENTRY_HYPERCALL, kvm_emulate_hypercall, int, (struct kvm_vcpu *))          \
	X(KAPI_ENTRY_RDMSR, kvm_emulate_rdmsr, int, (struct kvm_vcpu *))                  \
	X(KAPI_ENTRY_WRMSR, kvm_emulate_wrmsr, int, (struct kvm_vcpu *))                  \
	X(KAPI_ENTRY_MSR_ALLOWED, kvm_msr_allowed, bool, (struct kvm_vcpu *, u32, u32))   \
	X(KAPI_ENTRY_RESET, kvm_vcpu_reset, void, (struct kvm_vcpu *, bool))              \
	X(KAPI_ENTRY_SIPI, kvm_vcpu_deliver_sipi_vector, void, (struct kvm_vcpu *, u8))   \
	X(KAPI_ENTRY_EVENTS, kvm_apic_accept_events, int, (struct kvm_vcpu *))

/* Of guests that get #VC: what KVM serves exits by that are it. */
#define HOOKED_VC(X)                                                                      \
	X(KAPI_ENTRY_CPUID, kvm_emulate_cpuid, int, (struct kvm_vcpu *))                  \
	X(KAPI_ENTRY_PIO, kvm_fast_pio, int,                                              \
	  (struct kvm_vcpu *, int, unsigned short, int))                                  \
	X(KAPI_ENTRY_EMULATE, x86_emulate_instruction, int,                               \
	  (struct kvm_vcpu *, gpa_t, int, void *, int))                                   \
	X(KAPI_ENTRY_RDPMC, kvm_emulate_rdpmc, int, (struct kvm_vcpu *))                  \
	X(KAPI_ENTRY_WBINVD, kvm_emulate_wbinvd, int, (struct kvm_vcpu *))                \
	X(KAPI_ENTRY_INVD, kvm_emulate_invd, int, (struct kvm_vcpu *))                    \
	X(KAPI_ENTRY_MONITOR, kvm_emulate_monitor, int, (struct kvm_vcpu *))              \
	X(KAPI_ENTRY_MWAIT, kvm_emulate_mwait, int, (struct kvm_vcpu *))

#if GMEM_KVM_PAGEWALK
#define HOOKED_WALK(X)                                                                    \
	X(KAPI_ENTRY_WALK64, paging64_gva_to_gpa, gpa_t,                                  \
	  (struct kvm_vcpu *, struct kvm_pagewalk *, gpa_t, u64, struct x86_exception *)) \
	X(KAPI_ENTRY_WALK32, paging32_gva_to_gpa, gpa_t,                                  \
	  (struct kvm_vcpu *, struct kvm_pagewalk *, gpa_t, u64, struct x86_exception *))
#else
#define HOOKED_WALK(X)                                                                    \
	X(KAPI_ENTRY_WALK64, paging64_gva_to_gpa, gpa_t,                                  \
	  (struct kvm_vcpu *, struct kvm_mmu *, gpa_t, u64, struct x86_exception *))      \
	X(KAPI_ENTRY_WALK32, paging32_gva_to_gpa, gpa_t,                                  \
	  (struct kvm_vcpu *, struct kvm_mmu *, gpa_t, u64, struct x86_exception *))
#endif

#if GMEM_KVM_PVCLOCK_OF
#define HOOKED_PVCLOCK(X)                                                                 \
	X(KAPI_ENTRY_PVCLOCK, kvm_setup_guest_pvclock, void,                              \
	  (struct pvclock_vcpu_time_info *, struct kvm_vcpu *, struct gfn_to_pfn_cache *, \
	   unsigned int))
#else
#define HOOKED_PVCLOCK(X)                                                                 \
	X(KAPI_ENTRY_PVCLOCK, kvm_setup_guest_pvclock, void,                              \
	  (struct kvm_vcpu *, struct gfn_to_pfn_cache *, unsigned int, bool))
#endif
/* clang-format on */

#define HOOKED_PRIVATE(X)        \
	HOOKED_PRIVATE_ALWAYS(X) \
	HOOKED_WALK(X)           \
	HOOKED_PVCLOCK(X)        \
	HOOKED_GUEST(X)          \
	HOOKED_VC(X)

#endif /* GMEM_KAPI_HOOKED_PRIVATE_H */
