// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bodies of the functions that are taken over. Each is called directly behind its
 * fentry call, by a static call, which neither IBT nor another ftrace user minds.
 */
#include <linux/kvm_host.h>
#include <linux/static_call.h>

#include "accesses.h"
#include "ap.h"
#include "compat/populate.h"
#include "guest.h"
#include "hooks.h"
#include "vc.h"

#define DEFINE_BODY(entry, fn, ret, args)                          \
	DEFINE_STATIC_CALL_NULL(body_##fn, *(fn##_proto *)0);      \
	static void set_body_##fn(unsigned long body)              \
	{                                                          \
		static_call_update(body_##fn, (fn##_proto *)body); \
	}
HOOKED(DEFINE_BODY)

#define BODY(fn) static_call(body_##fn)

#define SETTER(entry, fn, ret, args) [entry] = set_body_##fn,

static void (*const setters[KAPI_ENTRIES])(unsigned long body) = { HOOKED(SETTER) };

void gmem_stock_set_body(enum kapi_entry entry, unsigned long addr)
{
	setters[entry](addr);
}

int kapi_stock_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	return BODY(kvm_gmem_create)(kvm, args);
}

int kapi_stock_prepare_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			    kapi_u64 offset)
{
	return BODY(kvm_gmem_prepare_memory_region)(kvm, slot, fd, offset);
}

int kapi_stock_commit_bind(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	return BODY(kvm_gmem_commit_memory_region)(kvm, slot);
}

int kapi_stock_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
		    long long offset)
{
	return BODY(kvm_gmem_bind)(kvm, slot, fd, offset);
}

void kapi_stock_unbind(struct kvm_memory_slot *slot)
{
	BODY(kvm_gmem_unbind)(slot);
}

int kapi_stock_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order)
{
#if GMEM_KVM_FINDS_PAGES
	struct page *page;

	return BODY(kvm_gmem_get_pfn)(kvm, slot, gfn, pfn, &page, max_order);
#else
	return BODY(kvm_gmem_get_pfn)(kvm, slot, gfn, pfn, max_order);
#endif
}

long kapi_stock_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages, bool writeback,
			 kapi_populate_cb cb, void *opaque)
{
#if GMEM_KVM_POPULATE_PAGES
	if (cb == gmem_call_by_page) {
		const struct gmem_callback_by_page *const kvms = opaque;

		return BODY(kvm_gmem_populate)(kvm, gfn, src, npages, writeback, kvms->callback,
					       kvms->opaque);
	} else {
		struct gmem_callback_by_address ours = { cb, opaque, gfn, src };

		return BODY(kvm_gmem_populate)(kvm, gfn, src, npages, writeback,
					       gmem_call_by_address, &ours);
	}
#else
	return BODY(kvm_gmem_populate)(kvm, gfn, src, npages, cb, opaque);
#endif
}

int kapi_stock_init_vm(struct kvm *kvm, unsigned long type)
{
	return BODY(kvm_arch_init_vm)(kvm, type);
}

void kapi_stock_free_vm(struct kvm *kvm)
{
	BODY(kvm_arch_free_vm)(kvm);
}

int kapi_stock_check_extension(struct kvm *kvm, long extension)
{
	return BODY(kvm_vm_ioctl_check_extension_generic)(kvm, extension);
}

int kapi_stock_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			  int insn_len)
{
	return BODY(kvm_mmu_page_fault)(vcpu, gpa, error, insn, insn_len);
}

int kapi_stock_memory_failure(unsigned long pfn, int flags)
{
	return BODY(memory_failure)(pfn, flags);
}

long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	return BODY(kvm_vm_ioctl)(file, ioctl, arg);
}

int kapi_stock_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			    struct kvm_memory_slot *slot, int change)
{
	return BODY(kvm_arch_prepare_memory_region)(kvm, old, slot, change);
}

#if GMEM_KVM_SHARED_SLOTS
/* No call of what this KVM has not comes to the core. */
kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			     bool interruptible, bool *async, bool write, bool *writable,
			     unsigned long *hva)
{
	WARN_ON_ONCE(1);
	return KVM_PFN_ERR_FAULT;
}

int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool is_private)
{
	WARN_ON_ONCE(1);
	return PG_LEVEL_4K;
}
#else
kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			     bool interruptible, bool *async, bool write, bool *writable,
			     unsigned long *hva)
{
	return BODY(__gfn_to_pfn_memslot)(slot, gfn, atomic, interruptible, async, write, writable,
					  hva);
}

int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool is_private)
{
	return BODY(__kvm_mmu_max_mapping_level)(kvm, slot, gfn, max_level, is_private);
}
#endif

#if GMEM_KVM_FINDS_PAGES
kapi_u64 kapi_stock_prefetch_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn)
{
	WARN_ON_ONCE(1);
	return KVM_PFN_ERR_FAULT;
}

int kapi_stock_prefetch_pages(struct kvm_memory_slot *slot, kapi_u64 gfn, struct page **pages,
			      int count)
{
	return BODY(kvm_prefetch_pages)(slot, gfn, pages, count);
}

int kapi_stock_vcpu_map(struct kvm_vcpu *vcpu, kapi_u64 gfn, struct kvm_host_map *map,
			bool writable)
{
	return BODY(__kvm_vcpu_map)(vcpu, gfn, map, writable);
}
#else
kapi_u64 kapi_stock_prefetch_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn)
{
	return BODY(gfn_to_pfn_memslot_atomic)(slot, gfn);
}

int kapi_stock_prefetch_pages(struct kvm_memory_slot *slot, kapi_u64 gfn, struct page **pages,
			      int count)
{
	return BODY(gfn_to_page_many_atomic)(slot, gfn, pages, count);
}

int kapi_stock_vcpu_map(struct kvm_vcpu *vcpu, kapi_u64 gfn, struct kvm_host_map *map,
			bool writable)
{
	return BODY(kvm_vcpu_map)(vcpu, gfn, map);
}
#endif

long kapi_stock_pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	return BODY(kvm_arch_vcpu_pre_fault_memory)(vcpu, range);
}

/* ---- KVM's own accesses ----------------------------------------------------------- */

int kapi_stock_read_page(struct kvm_memory_slot *slot, kapi_u64 gfn, void *data, int offset,
			 int len)
{
	return BODY(__kvm_read_guest_page)(slot, gfn, data, offset, len);
}

int kapi_stock_write_page(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn,
			  const void *data, int offset, int len)
{
	return BODY(__kvm_write_guest_page)(kvm, slot, gfn, data, offset, len);
}

int kapi_stock_read_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			   unsigned int offset, unsigned long len)
{
	return BODY(kvm_read_guest_offset_cached)(kvm, cache, data, offset, len);
}

int kapi_stock_write_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			    unsigned int offset, unsigned long len)
{
	return BODY(kvm_write_guest_offset_cached)(kvm, cache, data, offset, len);
}

void kapi_stock_steal_time(struct kvm_vcpu *vcpu)
{
	BODY(record_steal_time)(vcpu);
}

int kapi_stock_get_msr(struct kvm_vcpu *vcpu, struct msr_data *msr)
{
	return BODY(kvm_get_msr_common)(vcpu, msr);
}

kapi_u64 kapi_stock_walk(struct kvm_vcpu *vcpu, void *walk, kapi_u64 addr, kapi_u64 access,
			 struct x86_exception *exception, bool wide)
{
	return wide ? BODY(paging64_gva_to_gpa)(vcpu, walk, addr, access, exception) :
		      BODY(paging32_gva_to_gpa)(vcpu, walk, addr, access, exception);
}

void kapi_stock_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache, unsigned int offset,
			struct pvclock_vcpu_time_info *clock, bool unstable)
{
#if GMEM_KVM_PVCLOCK_OF
	BODY(kvm_setup_guest_pvclock)(clock, vcpu, cache, offset);
#else
	BODY(kvm_setup_guest_pvclock)(vcpu, cache, offset, unstable);
#endif
}

/* ---- guests that know SNP --------------------------------------------------------- */

int kapi_stock_undefined(struct kvm_vcpu *vcpu)
{
	return BODY(handle_ud)(vcpu);
}

int kapi_stock_hypercall(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_hypercall)(vcpu);
}

int kapi_stock_rdmsr(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_rdmsr)(vcpu);
}

int kapi_stock_wrmsr(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_wrmsr)(vcpu);
}

bool kapi_stock_msr_allowed(struct kvm_vcpu *vcpu, unsigned int index, unsigned int type)
{
	return BODY(kvm_msr_allowed)(vcpu, index, type);
}

void kapi_stock_reset(struct kvm_vcpu *vcpu, bool init)
{
	BODY(kvm_vcpu_reset)(vcpu, init);
}

void kapi_stock_sipi(struct kvm_vcpu *vcpu, unsigned char vector)
{
	BODY(kvm_vcpu_deliver_sipi_vector)(vcpu, vector);
}

int kapi_stock_events(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_apic_accept_events)(vcpu);
}

int kapi_stock_cpuid(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_cpuid)(vcpu);
}

int kapi_stock_pio(struct kvm_vcpu *vcpu, int size, unsigned short port, int in)
{
	return BODY(kvm_fast_pio)(vcpu, size, port, in);
}

int kapi_stock_emulate(struct kvm_vcpu *vcpu, kapi_u64 gpa, int how, void *insn, int insn_len)
{
	return BODY(x86_emulate_instruction)(vcpu, gpa, how, insn, insn_len);
}

int kapi_stock_rdpmc(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_rdpmc)(vcpu);
}

int kapi_stock_wbinvd(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_wbinvd)(vcpu);
}

int kapi_stock_invd(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_invd)(vcpu);
}

int kapi_stock_monitor(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_monitor)(vcpu);
}

int kapi_stock_mwait(struct kvm_vcpu *vcpu)
{
	return BODY(kvm_emulate_mwait)(vcpu);
}
