// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of the functions that are taken over, to see that they come to us (takeover.c).
 * Where one does not, KVM's own body runs: the arguments are such that it finds at once
 * that there is nothing to do, on objects of our own that are all zero but for what it
 * reads first. Of bodies that need a vendor module's vCPU takeover.c has looked beforehand
 * that they will not run.
 */
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include <asm/pvclock-abi.h>

#include "accesses.h"
#include "ap.h"
#include "guest.h"
#include "hooks.h"
#include "vc.h"

struct objects {
	struct kvm kvm; /* first: kvm_arch_free_vm() frees all with it */
	struct kvm_vcpu vcpu;
	struct kvm_mmu mmu;
	struct kvm_memslots memslots;
	struct kvm_memory_slot slot;
	struct kvm_host_map map;
	struct gfn_to_hva_cache hva_cache;
	struct gfn_to_pfn_cache pfn_cache;
	struct pvclock_vcpu_time_info clock;
#if GMEM_KVM_PAGEWALK
	struct kvm_pagewalk walk;
#else
	struct kvm_mmu walk;
#endif
	struct file file;
};

static unsigned long no_root(struct kvm_vcpu *vcpu)
{
	return 0;
}

/* No memslot has the root's table. */
static void call_walk(struct objects *o, bool wide)
{
	o->vcpu.kvm = &o->kvm;
	rcu_assign_pointer(o->kvm.memslots[0], &o->memslots);
	o->walk.get_guest_pgd = no_root;
	o->walk.cpu_role.base.level = 1;
	kapi_stock_walk(&o->vcpu, &o->walk, 0, 0, NULL, wide);
}

static void call_pvclock(struct objects *o)
{
	o->vcpu.kvm = &o->kvm;
	rwlock_init(&o->pfn_cache.lock);
	mutex_init(&o->pfn_cache.refresh_lock);
	kapi_stock_pvclock(&o->vcpu, &o->pfn_cache, 0, &o->clock, false);
}

static void call_cached(struct objects *o, bool write)
{
	rcu_assign_pointer(o->kvm.memslots[0], &o->memslots);
	if (write)
		kapi_stock_write_cached(&o->kvm, &o->hva_cache, NULL, 0, 0);
	else
		kapi_stock_read_cached(&o->kvm, &o->hva_cache, NULL, 0, 0);
}

static void call(enum kapi_entry entry, struct objects *o)
{
	struct kvm_create_guest_memfd no_such_flags = { .flags = ~0ull };
	struct kvm_pre_fault_memory range = {};
	struct msr_data efer = { .index = MSR_EFER };
	struct page *page;
	u64 pfn;

	switch (entry) {
	case KAPI_ENTRY_PAGE_FAULT: /* no root to map into */
		o->mmu.root.hpa = INVALID_PAGE;
		o->vcpu.arch.mmu = &o->mmu;
		kapi_stock_page_fault(&o->vcpu, 0, 0, NULL, 0);
		break;
	case KAPI_ENTRY_GET_PFN: /* no file */
		kapi_stock_get_pfn(&o->kvm, &o->slot, 0, &pfn, NULL);
		break;
	case KAPI_ENTRY_MAPPING_LEVEL: /* the smallest */
		kapi_stock_mapping_level(&o->kvm, &o->slot, 0, PG_LEVEL_4K, true);
		break;
	case KAPI_ENTRY_SLOT_PFN: /* no memslot */
		kapi_stock_slot_pfn(NULL, 0, true, false, NULL, false, NULL, NULL);
		break;
	case KAPI_ENTRY_VM_IOCTL: /* another process's VM */
		o->file.private_data = &o->kvm;
		kapi_stock_vm_ioctl(&o->file, KVM_CHECK_EXTENSION, 0);
		break;
	case KAPI_ENTRY_PREPARE_SLOT: /* deleting takes no preparation */
		kapi_stock_prepare_slot(&o->kvm, &o->slot, NULL, KVM_MR_DELETE);
		break;
	case KAPI_ENTRY_UNBIND: /* no file */
		kapi_stock_unbind(&o->slot);
		break;
	case KAPI_ENTRY_BIND: /* no such descriptor */
		kapi_stock_bind(&o->kvm, &o->slot, ~0u, 0);
		break;
	case KAPI_ENTRY_PREPARE_BIND: /* no such descriptor */
		kapi_stock_prepare_bind(&o->kvm, &o->slot, ~0u, 0);
		break;
	case KAPI_ENTRY_COMMIT_BIND: /* no guest_memfd; its body warns of that */
		o->slot.gmem.file = &o->file;
		kapi_stock_commit_bind(&o->kvm, &o->slot);
		break;
	case KAPI_ENTRY_POPULATE: /* fewer pages than none */
		mutex_init(&o->kvm.slots_lock);
		mutex_lock(&o->kvm.slots_lock);
		kapi_stock_populate(&o->kvm, 0, NULL, -1, false, NULL, NULL);
		mutex_unlock(&o->kvm.slots_lock);
		break;
	case KAPI_ENTRY_CREATE:
		kapi_stock_create(&o->kvm, &no_such_flags);
		break;
	case KAPI_ENTRY_MEMORY_FAILURE: /* no memory there */
		kapi_stock_memory_failure(~0ul, MF_SW_SIMULATED);
		break;
	case KAPI_ENTRY_CHECK_EXTENSION:
		kapi_stock_check_extension(&o->kvm, -1);
		break;
	case KAPI_ENTRY_INIT_VM: /* no such type */
		kapi_stock_init_vm(&o->kvm, ~0ul);
		break;
	case KAPI_ENTRY_PREFETCH_PFN: /* no memslot */
		kapi_stock_prefetch_pfn(NULL, 0);
		break;
	case KAPI_ENTRY_PREFETCH_PAGES: /* no memslot */
		kapi_stock_prefetch_pages(NULL, 0, &page, 1);
		break;
	case KAPI_ENTRY_VCPU_MAP: /* no memslot */
		o->vcpu.kvm = &o->kvm;
		rcu_assign_pointer(o->kvm.memslots[0], &o->memslots);
		kapi_stock_vcpu_map(&o->vcpu, 0, &o->map, true);
		break;
	case KAPI_ENTRY_PRE_FAULT: /* a VM that may not */
		o->vcpu.kvm = &o->kvm;
		kapi_stock_pre_fault(&o->vcpu, &range);
		break;
	case KAPI_ENTRY_READ_PAGE: /* no memslot */
		kapi_stock_read_page(NULL, 0, NULL, 0, 0);
		break;
	case KAPI_ENTRY_WRITE_PAGE: /* no memslot */
		kapi_stock_write_page(&o->kvm, NULL, 0, NULL, 0, 0);
		break;
	case KAPI_ENTRY_WALK64:
	case KAPI_ENTRY_WALK32:
		call_walk(o, entry == KAPI_ENTRY_WALK64);
		break;
	case KAPI_ENTRY_READ_CACHED: /* no bytes */
	case KAPI_ENTRY_WRITE_CACHED:
		call_cached(o, entry == KAPI_ENTRY_WRITE_CACHED);
		break;
	case KAPI_ENTRY_PVCLOCK: /* a cache of nothing */
		call_pvclock(o);
		break;
	case KAPI_ENTRY_STEAL_TIME: /* a guest that does not want it */
		o->vcpu.kvm = &o->kvm;
		kapi_stock_steal_time(&o->vcpu);
		break;
	case KAPI_ENTRY_GET_MSR:
		kapi_stock_get_msr(&o->vcpu, &efer);
		break;
	case KAPI_ENTRY_UNDEFINED: /* of a vCPU that is the vendor module's: takeover.c */
		kapi_stock_undefined(&o->vcpu);
		break;
	case KAPI_ENTRY_HYPERCALL:
		kapi_stock_hypercall(&o->vcpu);
		break;
	case KAPI_ENTRY_RDMSR:
		kapi_stock_rdmsr(&o->vcpu);
		break;
	case KAPI_ENTRY_WRMSR:
		kapi_stock_wrmsr(&o->vcpu);
		break;
	case KAPI_ENTRY_MSR_ALLOWED: /* one that no filter is asked for */
		o->vcpu.kvm = &o->kvm;
		kapi_stock_msr_allowed(&o->vcpu, APIC_BASE_MSR, KVM_MSR_FILTER_READ);
		break;
	case KAPI_ENTRY_RESET: /* as KAPI_ENTRY_UNDEFINED */
		kapi_stock_reset(&o->vcpu, true);
		break;
	case KAPI_ENTRY_SIPI:
		kapi_stock_sipi(&o->vcpu, 0);
		break;
	case KAPI_ENTRY_EVENTS:
		kapi_stock_events(&o->vcpu);
		break;
	case KAPI_ENTRY_CPUID: /* as KAPI_ENTRY_UNDEFINED */
		kapi_stock_cpuid(&o->vcpu);
		break;
	case KAPI_ENTRY_PIO:
		kapi_stock_pio(&o->vcpu, 1, 0, false);
		break;
	case KAPI_ENTRY_EMULATE:
		kapi_stock_emulate(&o->vcpu, 0, 0, NULL, 0);
		break;
	case KAPI_ENTRY_RDPMC:
		kapi_stock_rdpmc(&o->vcpu);
		break;
	case KAPI_ENTRY_WBINVD:
		kapi_stock_wbinvd(&o->vcpu);
		break;
	case KAPI_ENTRY_INVD:
		kapi_stock_invd(&o->vcpu);
		break;
	case KAPI_ENTRY_MONITOR:
		kapi_stock_monitor(&o->vcpu);
		break;
	case KAPI_ENTRY_MWAIT:
		kapi_stock_mwait(&o->vcpu);
		break;
	case KAPI_ENTRY_FREE_VM: /* see gmem_proof_call() */
	case KAPI_ENTRIES:
		break;
	}
}

int gmem_proof_call(enum kapi_entry entry)
{
	struct objects *const o = kvzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return -ENOMEM;
	if (entry == KAPI_ENTRY_FREE_VM) {
		/* Its body frees what it is given; where it does not run, that is for us. */
		kapi_stock_free_vm(&o->kvm);
		if (!gmem_came_here(entry))
			return 0;
	} else {
		call(entry, o);
	}
	kvfree(o);
	return 0;
}
