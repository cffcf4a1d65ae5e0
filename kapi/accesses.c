// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM's own accesses to a guest's memory depend on (accesses.h): <linux/kvm_host.h>,
 * <asm/kvm_para.h>.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_para.h>

#include <asm/pgtable.h>
#include <asm/processor-flags.h>
#include <asm/pvclock-abi.h>

#include "accesses.h"
#include "compat/exception.h"
#include "compat/kvm.h"
#include "kapi.h"
#include "symbols.h"

static_assert(sizeof(struct pvclock_vcpu_time_info) == KAPI_PVCLOCK_SIZE);
static_assert(sizeof(struct kvm_steal_time) == KAPI_STEAL_TIME_SIZE);

/* ---- translation ----------------------------------------------------------------------- */

static unsigned int levels_of(const struct kvm_vcpu *vcpu)
{
	if (!(vcpu->arch.cr0 & X86_CR0_PG))
		return 0;
	if (vcpu->arch.efer & EFER_LMA)
		return vcpu->arch.cr4 & X86_CR4_LA57 ? 5 : 4;
	return vcpu->arch.cr4 & X86_CR4_PAE ? 3 : 2;
}

static unsigned long root_of(struct kvm_vcpu *vcpu)
{
#if GMEM_KVM_PAGEWALK
	return vcpu->arch.mmu->w->get_guest_pgd(vcpu);
#else
	return vcpu->arch.mmu->get_guest_pgd(vcpu);
#endif
}

struct kapi_paging kapi_vcpu_paging(struct kvm_vcpu *vcpu)
{
	const unsigned long cr4 = vcpu->arch.cr4;

	return (struct kapi_paging){
		.root = root_of(vcpu),
		.levels = levels_of(vcpu),
		.write_protect = vcpu->arch.cr0 & X86_CR0_WP,
		.no_execute = vcpu->arch.efer & EFER_NX,
		.smep = cr4 & X86_CR4_SMEP,
		.smap = cr4 & X86_CR4_SMAP,
		.access_flag = gmem_vcpu_rflags(vcpu) & X86_EFLAGS_AC,
		.reserved = vcpu->arch.reserved_gpa_bits,
	};
}

void kapi_exception_fill(struct x86_exception *exception, kapi_u64 addr, unsigned int error_code)
{
	if (!exception)
		return;
	*exception = (struct x86_exception){
		.vector = PF_VECTOR,
		.error_code_valid = true,
		.error_code = error_code,
		.address = addr,
	};
}

kapi_u64 kapi_no_gpa(void)
{
	return INVALID_GPA;
}

bool kapi_exchange(void *at, unsigned int size, kapi_u64 old, kapi_u64 wanted)
{
	if (size == sizeof(u32))
		return cmpxchg((u32 *)at, (u32)old, (u32)wanted) == (u32)old;
	return cmpxchg((u64 *)at, old, wanted) == old;
}

/* ---- what the guest is told by memory -------------------------------------------------- */

kapi_u64 kapi_hva_cache_gpa(const struct gfn_to_hva_cache *cache)
{
	return cache->gpa;
}

kapi_u64 kapi_pfn_cache_gpa(const struct gfn_to_pfn_cache *cache)
{
	return cache->active ? READ_ONCE(cache->gpa) : INVALID_GPA;
}

/* Another vCPU of the guest's may read it meanwhile: it is odd while it changes. */
static void write_versioned(struct pvclock_vcpu_time_info *to, struct pvclock_vcpu_time_info *clock)
{
	clock->version = (to->version + 1) | 1;
	WRITE_ONCE(to->version, clock->version);
	smp_wmb(); /* odd before what follows */
	clock->flags |= to->flags & PVCLOCK_GUEST_STOPPED;
	memcpy(to, clock, sizeof(*to));
	smp_wmb(); /* that before it is even again */
	WRITE_ONCE(to->version, ++clock->version);
}

void kapi_pvclock_write(struct kvm_vcpu *vcpu, const struct pvclock_vcpu_time_info *clock,
			bool unstable, void *to)
{
	struct pvclock_vcpu_time_info copy;

#if GMEM_KVM_PVCLOCK_OF
	copy = *clock;
#else
	copy = vcpu->arch.hv_clock;
	if (vcpu->arch.pvclock_set_guest_stopped_request) {
		copy.flags |= PVCLOCK_GUEST_STOPPED;
		vcpu->arch.pvclock_set_guest_stopped_request = false;
	}
#endif
	if (unstable)
		copy.flags &= ~PVCLOCK_TSC_STABLE_BIT;
	write_versioned(to, &copy);
}

kapi_u64 kapi_vcpu_steal_gpa(struct kvm_vcpu *vcpu)
{
	const u64 msr = vcpu->arch.st.msr_val;

	return msr & KVM_MSR_ENABLED ? msr & KVM_STEAL_VALID_BITS : INVALID_GPA;
}

void kapi_steal_time_write(struct kvm_vcpu *vcpu, void *to)
{
	struct kvm_steal_time *const st = to;
	const u64 waited = current->sched_info.run_delay;

	st->preempted = 0;
	vcpu->arch.st.preempted = 0;
	WRITE_ONCE(st->version, (st->version + 1) | 1);
	smp_wmb(); /* odd before what follows */
	st->steal += waited - vcpu->arch.st.last_steal;
	vcpu->arch.st.last_steal = waited;
	smp_wmb(); /* that before it is even again */
	WRITE_ONCE(st->version, st->version + 1);
}

void kapi_msr_answer(struct msr_data *msr, kapi_u64 value)
{
	msr->data = value;
}
