// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM's calls land in: one function for each that is taken over, with the
 * kernel's own prototype (hooked.h), which a compiler therefore checks. Each calls the
 * core's entry, which knows no kernel, and has no logic of its own.
 */
#include <linux/kvm_host.h>

#include <gmem/gmem.h>

#include "accesses.h"
#include "ap.h"
#include "compat/populate.h"
#include "guest.h"
#include "hooks.h"
#include "vc.h"

#define DECLARE_LANDING(entry, fn, ret, args) static fn##_proto land_##fn;
HOOKED(DECLARE_LANDING)

static int land_kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error, void *insn,
				   int insn_len)
{
	return gmem_kvm_page_fault(vcpu, gpa, error, insn, insn_len);
}

static void land_kvm_gmem_unbind(struct kvm_memory_slot *slot)
{
	gmem_unbind(slot);
}

#if GMEM_KVM_UNSIGNED_OFFSET
static int land_kvm_gmem_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			      uoff_t offset)
#else
static int land_kvm_gmem_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			      loff_t offset)
#endif
{
	return gmem_bind(kvm, slot, fd, offset);
}

static int land_kvm_gmem_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	return gmem_create(kvm, args);
}

static int land_kvm_gmem_prepare_memory_region(struct kvm *kvm, struct kvm_memory_slot *slot,
					       unsigned int fd, u64 offset)
{
	return gmem_kvm_prepare_bind(kvm, slot, fd, offset);
}

static int land_kvm_gmem_commit_memory_region(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return gmem_kvm_commit_bind(kvm, slot);
}

static int land_memory_failure(unsigned long pfn, int flags)
{
	return gmem_memory_failure(pfn, flags);
}

static int land_kvm_vm_ioctl_check_extension_generic(struct kvm *kvm, long extension)
{
	return gmem_kvm_check_extension(kvm, extension);
}

static int land_kvm_arch_init_vm(struct kvm *kvm, unsigned long type)
{
	return gmem_kvm_init_vm(kvm, type);
}

static void land_kvm_arch_free_vm(struct kvm *kvm)
{
	gmem_kvm_free_vm(kvm);
}

static long land_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	return gmem_kvm_vm_ioctl(file, ioctl, arg);
}

static int land_kvm_arch_prepare_memory_region(struct kvm *kvm, const struct kvm_memory_slot *old,
					       struct kvm_memory_slot *slot,
					       enum kvm_mr_change change)
{
	return gmem_kvm_prepare_slot(kvm, old, slot, change);
}

/* ---- by the function that faults pages in (takeover.c), and by any other caller ---- */

#if GMEM_KVM_FINDS_PAGES

static int land_kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				 kvm_pfn_t *pfn, struct page **page, int *max_order)
{
	const int ret = gmem_kvm_get_pfn(kvm, slot, gfn, pfn, max_order);

	if (!ret)
		*page = pfn_to_page(*pfn);
	return ret;
}

static int fault_land_kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				       kvm_pfn_t *pfn, struct page **page, int *max_order)
{
	const int ret = gmem_kvm_fault_pfn(kvm, slot, gfn, pfn, max_order);

	if (!ret)
		*page = pfn_to_page(*pfn);
	return ret;
}

static int land_kvm_prefetch_pages(struct kvm_memory_slot *slot, gfn_t gfn, struct page **pages,
				   int count)
{
	return gmem_kvm_prefetch_pages(slot, gfn, pages, count);
}

static int land___kvm_vcpu_map(struct kvm_vcpu *vcpu, gfn_t gfn, struct kvm_host_map *map,
			       bool writable)
{
	return gmem_kvm_vcpu_map(vcpu, gfn, map, writable);
}

#else

static int land_kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				 kvm_pfn_t *pfn, int *max_order)
{
	return gmem_kvm_get_pfn(kvm, slot, gfn, pfn, max_order);
}

static int fault_land_kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				       kvm_pfn_t *pfn, int *max_order)
{
	return gmem_kvm_fault_pfn(kvm, slot, gfn, pfn, max_order);
}

static kvm_pfn_t land_gfn_to_pfn_memslot_atomic(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return gmem_kvm_prefetch_pfn(slot, gfn);
}

static int land_gfn_to_page_many_atomic(struct kvm_memory_slot *slot, gfn_t gfn,
					struct page **pages, int count)
{
	return gmem_kvm_prefetch_pages(slot, gfn, pages, count);
}

static int land_kvm_vcpu_map(struct kvm_vcpu *vcpu, gfn_t gfn, struct kvm_host_map *map)
{
	return gmem_kvm_vcpu_map(vcpu, gfn, map, true);
}

#endif

#if !GMEM_KVM_SHARED_SLOTS

static kvm_pfn_t land___gfn_to_pfn_memslot(const struct kvm_memory_slot *slot, gfn_t gfn,
					   bool atomic, bool interruptible, bool *async, bool write,
					   bool *writable, hva_t *hva)
{
	return gmem_kvm_slot_pfn(slot, gfn, atomic, interruptible, async, write, writable, hva);
}

static kvm_pfn_t fault_land___gfn_to_pfn_memslot(const struct kvm_memory_slot *slot, gfn_t gfn,
						 bool atomic, bool interruptible, bool *async,
						 bool write, bool *writable, hva_t *hva)
{
	return gmem_kvm_fault_slot_pfn(slot, gfn, atomic, interruptible, async, write, writable,
				       hva);
}

static int land___kvm_mmu_max_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot,
					    gfn_t gfn, int max_level, bool is_private)
{
	return gmem_kvm_mapping_level(kvm, slot, gfn, max_level, is_private);
}

#endif

static long land_kvm_arch_vcpu_pre_fault_memory(struct kvm_vcpu *vcpu,
						struct kvm_pre_fault_memory *range)
{
	return gmem_kvm_pre_fault(vcpu, range);
}

/* ---- populate ---- */

#if GMEM_KVM_POPULATE_PAGES
static long land_kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, void *src, long npages,
				   bool writeback, kvm_gmem_populate_cb callback, void *opaque)
{
	struct gmem_callback_by_page by_page = { callback, opaque, writeback };

	if (npages <= 0 || !PAGE_ALIGNED(src))
		return -EINVAL;
	return gmem_kvm_populate(kvm, gfn, src, npages, writeback, gmem_call_by_page, &by_page);
}
#else
static long land_kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, void *src, long npages,
				   kvm_gmem_populate_cb callback, void *opaque)
{
	return gmem_kvm_populate(kvm, gfn, src, npages, false, callback, opaque);
}
#endif

/* ---- KVM's own accesses ---- */

static int land___kvm_read_guest_page(struct kvm_memory_slot *slot, gfn_t gfn, void *data,
				      int offset, int len)
{
	return gmem_kvm_read_page(slot, gfn, data, offset, len);
}

static int land___kvm_write_guest_page(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				       const void *data, int offset, int len)
{
	return gmem_kvm_write_page(kvm, slot, gfn, data, offset, len);
}

static int land_kvm_read_guest_offset_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache,
					     void *data, unsigned int offset, unsigned long len)
{
	return gmem_kvm_read_cached(kvm, cache, data, offset, len);
}

static int land_kvm_write_guest_offset_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache,
					      void *data, unsigned int offset, unsigned long len)
{
	return gmem_kvm_write_cached(kvm, cache, data, offset, len);
}

static void land_record_steal_time(struct kvm_vcpu *vcpu)
{
	gmem_kvm_steal_time(vcpu);
}

static int land_kvm_get_msr_common(struct kvm_vcpu *vcpu, struct msr_data *msr)
{
	return gmem_kvm_sev_status(vcpu, msr);
}

#if GMEM_KVM_PAGEWALK
#define WALK struct kvm_pagewalk
#else
#define WALK struct kvm_mmu
#endif

static gpa_t land_paging64_gva_to_gpa(struct kvm_vcpu *vcpu, WALK *walk, gpa_t addr, u64 access,
				      struct x86_exception *exception)
{
	return gmem_kvm_walk(vcpu, walk, addr, access, exception, true);
}

static gpa_t land_paging32_gva_to_gpa(struct kvm_vcpu *vcpu, WALK *walk, gpa_t addr, u64 access,
				      struct x86_exception *exception)
{
	return gmem_kvm_walk(vcpu, walk, addr, access, exception, false);
}

#if GMEM_KVM_PVCLOCK_OF
static void land_kvm_setup_guest_pvclock(struct pvclock_vcpu_time_info *clock,
					 struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache,
					 unsigned int offset)
{
	gmem_kvm_pvclock(vcpu, cache, offset, clock, false);
}
#else
static void land_kvm_setup_guest_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache,
					 unsigned int offset, bool unstable)
{
	gmem_kvm_pvclock(vcpu, cache, offset, NULL, unstable);
}
#endif

/* ---- guests that know SNP ---- */

static int land_handle_ud(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_undefined(vcpu);
}

static int land_kvm_emulate_hypercall(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_hypercall(vcpu);
}

static int land_kvm_emulate_rdmsr(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_rdmsr(vcpu);
}

static int land_kvm_emulate_wrmsr(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_wrmsr(vcpu);
}

static bool land_kvm_msr_allowed(struct kvm_vcpu *vcpu, u32 index, u32 type)
{
	return gmem_kvm_msr_allowed(vcpu, index, type);
}

static void land_kvm_vcpu_reset(struct kvm_vcpu *vcpu, bool init_event)
{
	gmem_kvm_reset(vcpu, init_event);
}

static void land_kvm_vcpu_deliver_sipi_vector(struct kvm_vcpu *vcpu, u8 vector)
{
	gmem_kvm_sipi(vcpu, vector);
}

static int land_kvm_apic_accept_events(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_events(vcpu);
}

static int land_kvm_emulate_cpuid(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_cpuid(vcpu);
}

static int land_kvm_fast_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in)
{
	return gmem_kvm_pio(vcpu, size, port, in);
}

static int land_x86_emulate_instruction(struct kvm_vcpu *vcpu, gpa_t gpa, int how, void *insn,
					int insn_len)
{
	return gmem_kvm_emulate(vcpu, gpa, how, insn, insn_len);
}

static int land_kvm_emulate_rdpmc(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_rdpmc(vcpu);
}

static int land_kvm_emulate_wbinvd(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_wbinvd(vcpu);
}

static int land_kvm_emulate_invd(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_invd(vcpu);
}

static int land_kvm_emulate_monitor(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_monitor(vcpu);
}

static int land_kvm_emulate_mwait(struct kvm_vcpu *vcpu)
{
	return gmem_kvm_mwait(vcpu);
}

#define LANDING(entry, fn, ret, args) [entry] = (unsigned long)land_##fn,

static const unsigned long landings[KAPI_ENTRIES] = { HOOKED(LANDING) };

unsigned long gmem_landing(enum kapi_entry entry)
{
	return landings[entry];
}

unsigned long gmem_fault_landing(enum kapi_entry entry)
{
	switch (entry) {
	case KAPI_ENTRY_GET_PFN:
		return (unsigned long)fault_land_kvm_gmem_get_pfn;
#if !GMEM_KVM_SHARED_SLOTS
	case KAPI_ENTRY_SLOT_PFN:
		return (unsigned long)fault_land___gfn_to_pfn_memslot;
#endif
	default:
		return 0;
	}
}
