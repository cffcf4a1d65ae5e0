// SPDX-License-Identifier: GPL-2.0-only
/*
 * The alias (c_bit.h): <linux/kvm_host.h>. Its number is one of KVM's own, which no request of
 * user space can name. Processors with VMX alone use it, for an identity map; guests that know
 * SNP need SVM.
 */
#include <linux/kvm_host.h>
#include <linux/xarray.h>

#include <asm/cpufeature.h>
#include <asm/pgtable.h>

#include "c_bit.h"
#include "compat/kvm.h"
#include "guest.h"
#include "kapi.h"
#include "sev.h"
#include "slots.h"
#include "symbols.h"

#define ALIAS_ID (KVM_MEM_SLOTS_NUM - 1)
static_assert(ALIAS_ID >= KVM_USER_MEM_SLOTS);

int kapi_kvm_c_bit(struct kvm *kvm, unsigned int nr)
{
	struct kvm_vcpu *const vcpu = kvm_get_vcpu(kvm, nr);
	int bit;

	/* A vCPU in KVM_RUN might stay there for ever. */
	if (!vcpu || !mutex_trylock(&vcpu->mutex))
		return -EBUSY;
	bit = kapi_vcpu_c_bit(vcpu);
	mutex_unlock(&vcpu->mutex);
	return bit;
}

/* SVM has as many levels as the host's own page tables. */
unsigned int kapi_nested_bits(void)
{
	return pgtable_l5_enabled() ? 57 : 48;
}

bool kapi_any_alias;

bool kapi_slot_is_alias(const struct kvm_memory_slot *slot)
{
	return slot && slot->id == ALIAS_ID && gmem_slot_has_gmem(slot);
}

struct kvm_memory_slot *kapi_kvm_alias(struct kvm *kvm)
{
	struct kvm_memory_slot *slot;

	if (!kapi_kvm_is_snp_model(kvm))
		return NULL;
	slot = id_to_memslot(kvm_memslots(kvm), ALIAS_ID);
	return kapi_slot_is_alias(slot) ? slot : NULL;
}

struct kvm *kapi_alias_kvm(const struct kvm_memory_slot *alias)
{
	return (struct kvm *)alias->gmem.pgoff;
}

bool kapi_slot_is_going(const struct kvm_memory_slot *slot)
{
	return slot->flags & KVM_MEMSLOT_INVALID;
}

/* Whose address tells the request from those of the core. */
static char making;

int kapi_alias_make(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = ALIAS_ID,
		.guest_phys_addr = gfn_to_gpa(start),
		.memory_size = gfn_to_gpa(end - start),
	};

	return gmem_region_set_pending(kvm, &region, &making);
}

bool kapi_alias_pending(struct kvm *kvm)
{
	return kapi_region_pending(kvm) == &making;
}

void kapi_slot_make_alias(struct kvm_memory_slot *slot, struct kvm *kvm)
{
	WRITE_ONCE(kapi_any_alias, true);
	slot->flags |= KVM_MEM_GUEST_MEMFD;
	/* To all of KVM no address of user space, and of the kernel's none that it would use. */
	slot->userspace_addr = KVM_HVA_ERR_BAD;
	/* Without a file it is no offset. */
	slot->gmem.pgoff = (unsigned long)kvm;
}

/*
 * One entry for all of them, which KVM's own look-ups of a single gfn understand. What KVM
 * looks up by range it has looked up before, when it made the memslot: none was private then,
 * so that no block has attributes of both kinds.
 */
int kapi_alias_make_private(struct kvm *kvm, kapi_u64 start, unsigned int order)
{
#ifdef CONFIG_XARRAY_MULTI
	XA_STATE_ORDER(xas, &kvm->mem_attr_array, start, order);

	lockdep_assert_held(&kvm->slots_lock);
	do {
		xas_lock(&xas);
		xas_store(&xas, xa_mk_value(KVM_MEMORY_ATTRIBUTE_PRIVATE));
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_KERNEL_ACCOUNT));
	return xas_error(&xas);
#else
	return -ENOMEM;
#endif
}

void kapi_vcpu_exit_without(struct kvm_vcpu *vcpu, kapi_u64 bits)
{
	if (vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		vcpu->run->memory_fault.gpa &= ~bits;
}

kapi_u64 kapi_prefault_gpa(const struct kvm_pre_fault_memory *range)
{
	return range->gpa;
}

long kapi_stock_pre_fault_at(struct kvm_vcpu *vcpu, const struct kvm_pre_fault_memory *range,
			     kapi_u64 gpa)
{
	struct kvm_pre_fault_memory moved = *range;

	moved.gpa = gpa;
	return kapi_stock_pre_fault(vcpu, &moved);
}
