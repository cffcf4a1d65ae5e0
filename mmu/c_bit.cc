// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C-bit and its alias (c_bit.h).
 */
#include "mmu/c_bit.h"

#include <bit>

#include "gmem/file.h"
#include "gmem/guard.h"
#include "kapi/guest.h"
#include "kapi/sev.h"
#include "mmu/memslot.h"

namespace gmem
{

namespace
{

/* Below it would be a part of what guests have memory and devices at. */
constexpr unsigned kBitMin = 32;
/* Memslots that come later may lie as high. A power of two, as all that the alias shows is. */
constexpr std::uint64_t kReachMin = 1ull << (32 - kPageShift);
/* Of a memslot KVM 6.12 takes less than 8 TiB; later ones take any of their own, with its tables. */
constexpr std::uint64_t kReachMax = 1ull << (42 - kPageShift);

/* Calls @fn(slot) for the VMM's memslots in [start, end). slots_lock. */
template <class Fn> void for_slots(struct kvm *kvm, std::uint64_t start, std::uint64_t end, Fn fn)
{
	while (start < end) {
		struct kvm_memory_slot *const slot = kapi_kvm_next_slot(kvm, start, end);

		if (!slot)
			break;
		fn(slot);
		start = kapi_slot_base_gfn(slot) + kapi_slot_npages(slot);
	}
}

Status refuse(unsigned bit, const char *why)
{
	if (kapi_guest_may_report())
		kapi_report("snp-model: no C-bit at %u: %s", bit, why);
	return error(EINVAL);
}

/* What all vCPUs name; 0: nothing. */
Result<unsigned> bit_of_vcpus(struct kvm *kvm)
{
	const int vcpus = kapi_kvm_vcpus(kvm);
	unsigned bit = 0;

	if (vcpus < 0)
		return error(-vcpus);
	for (int nr = 0; nr < vcpus; nr++) {
		const int of_vcpu = kapi_kvm_c_bit(kvm, static_cast<unsigned>(nr));

		if (of_vcpu < 0)
			return error(-of_vcpu);
		if (nr && static_cast<unsigned>(of_vcpu) != bit)
			return refuse(static_cast<unsigned>(of_vcpu), "vCPUs name others");
		bit = static_cast<unsigned>(of_vcpu);
	}
	return bit;
}

Status make_alias(struct kvm *kvm, unsigned bit)
{
	const std::uint64_t start = 1ull << (bit - kPageShift);
	std::uint64_t reach = kReachMin, end = 0;

	for_slots(kvm, 0, kapi_kvm_end_gfn(), [&](struct kvm_memory_slot *slot) {
		end = kapi_slot_base_gfn(slot) + kapi_slot_npages(slot);
		if (kapi_slot_has_gmem(slot))
			reach = std::max(reach, std::bit_ceil(end));
	});
	if (end > start)
		return refuse(bit, "memory of the VMM's is there");
	reach = std::min(reach, start);
	if (reach > kReachMax)
		return refuse(bit, "memory of guest_memfd lies above 4 TiB");

	/* What the VMM has said of addresses that were no others than any then. */
	kapi_attributes_set(kvm, start, 2 * start, false);
	/* A vCPU may be late to say that no memslot is there. */
	kapi_mmu_begin(kvm, start, start + reach);

	const Status made{ kapi_alias_make(kvm, start, start + reach) };

	kapi_mmu_end(kvm);
	return made;
}

} /* namespace */

Status give_c_bit(struct kvm *kvm)
{
	GMEM_TRY(bit, bit_of_vcpus(kvm));
	GMEM_TRY(lock, KillableSlotsLock::take(kvm));
	const CBit present = CBit::of(kvm);

	if (!present && !bit)
		return Status{};
	if (present && present.mask() != 1ull << bit)
		return refuse(bit, "the guest has it elsewhere");
	if (bit < kBitMin)
		return refuse(bit, "too low");
	if (bit >= kapi_nested_bits() || 2ull << (bit - kPageShift) > kapi_kvm_end_gfn())
		return refuse(bit, "no address of this machine has it");
	if (!present)
		GMEM_CHECK(make_alias(kvm, bit));
	/* After a failure it has not been. */
	return Status{ kapi_alias_make_private(kvm, 1ull << (bit - kPageShift), bit - kPageShift) };
}

Status prepare_alias(struct kvm *kvm, const struct kvm_memory_slot *old,
		     struct kvm_memory_slot *alias, int change)
{
	kapi_slot_make_alias(alias, kvm);
	GMEM_CHECK(Status{ kapi_stock_prepare_slot(kvm, old, alias, change) });
	/* It is about to be seen: what goes from now on goes there, too. */
	for_slots(kvm, 0, kapi_slot_base_gfn(alias), [&](struct kvm_memory_slot *slot) {
		/* With slots_lock the file cannot finish its release. */
		struct file *const handle = kapi_slot_has_gmem(slot) ? kapi_slot_file(slot)
								     : nullptr;

		if (File *const file = handle ? File::of(handle) : nullptr)
			memslot_gets_c_bit(*file, slot, CBit{ alias });
	});
	return Status{};
}

bool leaves_c_bit_alone(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	const CBit c_bit = CBit::of(kvm);

	return !c_bit || kapi_slot_base_gfn(slot) + kapi_slot_npages(slot) <= c_bit.start().value;
}

Result<Shown> shown_by_alias(struct kvm *kvm, struct kvm_memory_slot *slot, Gfn gfn)
{
	if (!kapi_slot_is_alias(slot)) {
		const bool alone = CBit::of(kvm) &&
				   kapi_kvm_range_private(kvm, gfn.value, gfn.value + 1);

		return Shown{ slot, gfn, alone };
	}

	const Gfn plain = CBit{ slot }.without(gfn);
	struct kvm_memory_slot *const shown = kapi_kvm_slot_of(kvm, plain.value);

	if (shown && (kapi_slot_is_going(shown) ||
		      !kapi_kvm_range_private(kvm, plain.value, plain.value + 1)))
		return error(EAGAIN);
	if (!kapi_slot_has_gmem(shown))
		return error(EFAULT);
	return Shown{ shown, plain, false };
}

AliasInvalidation::AliasInvalidation(struct kvm *kvm, GfnRange gfns)
	: kvm_(kvm), c_bit_(CBit::of(kvm))
{
	if (c_bit_)
		gfns_ = c_bit_.with(gfns.intersect({ Gfn{ 0 }, c_bit_.reach() }));
	if (!gfns_.empty())
		kapi_mmu_begin(kvm_, gfns_.start.value, gfns_.end.value);
}

AliasInvalidation::~AliasInvalidation()
{
	if (gfns_.empty())
		return;
	kapi_mmu_unmap(kvm_, c_bit_.alias(), gfns_.start.value, gfns_.end.value);
	kapi_mmu_end(kvm_);
}

} /* namespace gmem */
