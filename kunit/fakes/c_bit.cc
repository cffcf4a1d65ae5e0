// SPDX-License-Identifier: GPL-2.0-only
/*
 * The alias of VMs with a C-bit (kapi/c_bit.h): a memslot like others, which KVM makes in the
 * steps in which it asks us.
 */
#include "kapi/c_bit.h"

#include <mutex>

#include "kunit/fakes/guest.h"
#include "kunit/fakes/kvm.h"

using namespace fake;

int kapi_kvm_c_bit(struct kvm *kvm, unsigned nr)
{
	if (!kvm->lock.held())
		bug("kapi_kvm_c_bit() without kvm->lock");
	if (static_cast<int>(nr) == kvm->busy_vcpu)
		return -EBUSY;

	const auto other = kvm->c_bits.find(nr);

	return static_cast<int>(other == kvm->c_bits.end() ? guest_vcpu().c_bit : other->second);
}

unsigned kapi_nested_bits(void)
{
	return guest_vcpu().nested_bits;
}

bool kapi_any_alias;

struct kvm_memory_slot *kapi_kvm_alias(struct kvm *kvm)
{
	const std::shared_lock guard{ kvm->slots_mutex };

	for (const auto &slot : kvm->slots) {
		if (slot->alias)
			return slot.get();
	}
	return nullptr;
}

bool kapi_slot_is_alias(const struct kvm_memory_slot *slot)
{
	return slot && slot->alias;
}

struct kvm *kapi_alias_kvm(const struct kvm_memory_slot *alias)
{
	return alias->kvm;
}

bool kapi_slot_is_going(const struct kvm_memory_slot *slot)
{
	return slot->going;
}

/* The VM whose alias is being made. */
static struct kvm *making;

int kapi_alias_make(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	std::unique_ptr<kvm_memory_slot> slot = slot_make(kvm, start, end - start);

	might_sleep("kapi_alias_make");
	kapi_kvm_assert_slots_lock(kvm);
	if (fail_now())
		return -ENOMEM;
	if (!covered(kvm, start, end - start))
		bug("the alias comes, and other vCPUs may map it already");
	slot->has_gmem = false;
	making = kvm;
	const int ret = gmem_kvm_prepare_slot(kvm, nullptr, slot.get(), KAPI_MR_CREATE);
	making = nullptr;
	if (ret)
		return ret;
	if (!slot->alias)
		bug("the alias was not made one");
	if (generation().binds_in_steps && gmem_kvm_commit_bind(kvm, slot.get()) != 0)
		bug("the alias is not bound to nothing");

	const std::unique_lock guard{ kvm->slots_mutex };

	kvm->slots.push_back(std::move(slot));
	return 0;
}

bool kapi_alias_pending(struct kvm *kvm)
{
	return making == kvm;
}

void kapi_slot_make_alias(struct kvm_memory_slot *slot, struct kvm *)
{
	kapi_any_alias = true;
	slot->alias = slot->has_gmem = true;
}

int kapi_alias_make_private(struct kvm *kvm, kapi_u64 start, unsigned)
{
	might_sleep("kapi_alias_make_private");
	kapi_kvm_assert_slots_lock(kvm);
	if (fail_now())
		return -ENOMEM;

	const std::unique_lock guard{ kvm->attributes_mutex };

	kvm->private_from = start;
	return 0;
}

void kapi_vcpu_exit_without(struct kvm_vcpu *, kapi_u64 bits)
{
	guest_vcpu().exit_gpa &= ~bits;
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
