// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's memory attributes: the array per VM (<linux/kvm_host.h>, <linux/xarray.h>)
 * and what KVM's MMU keeps of it in its memslots. Entries are one per gfn, as KVM's
 * own ioctl stores them: it may store over any of them later.
 */
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

#include "compat/cpuid.h"
#include "kapi.h"
#include "leaves.h"
#include "symbols.h"

/* Entries stored under one hold of the array's lock; a power of two. */
#define BATCH 1024
/* Converted at once, and whole before the caller dies: 1 GiB; a power of two. */
#define CHUNK (1UL << (PUD_SHIFT - PAGE_SHIFT))

int kapi_attributes_read(struct kvm *kvm, kapi_u64 *start, kapi_u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg)
{
	struct kvm_memory_attributes user;

	if (ioctl != KVM_SET_MEMORY_ATTRIBUTES)
		return -ENOTTY;
	if (copy_from_user(&user, (void __user *)arg, sizeof(user)))
		return -EFAULT;
	if (user.flags || user.attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE ||
	    !kvm_arch_has_private_mem(kvm) || !user.size ||
	    user.address + user.size < user.address || !PAGE_ALIGNED(user.address) ||
	    !PAGE_ALIGNED(user.size))
		return -EINVAL;
	*start = gpa_to_gfn(user.address);
	*end = gpa_to_gfn(user.address + user.size);
	*to_private = user.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;
	return 0;
}

kapi_u64 kapi_kvm_end_gfn(void)
{
	static unsigned int bits;

	/* As kvm_mmu_max_gfn() with two-dimensional paging. Asked once: it may exit. */
	if (!READ_ONCE(bits))
		WRITE_ONCE(bits, cpuid_eax(0x80000008) & 0xff);
	return 1ULL << (READ_ONCE(bits) - PAGE_SHIFT);
}

int kapi_attributes_reserve(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	struct xarray *const xa = &kvm->mem_attr_array;

	lockdep_assert_held(&kvm->slots_lock);
	/* Not KVM's own in 6.12: what KVM allocates under the lock is not charged. */
	if (!(xa->xa_flags & XA_FLAGS_ACCOUNT)) {
		xa_lock(xa);
		xa->xa_flags |= XA_FLAGS_ACCOUNT;
		xa_unlock(xa);
	}
	return gmem_leaves_reserve(xa, start, end);
}

void kapi_attributes_release(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	lockdep_assert_held(&kvm->slots_lock);
	gmem_leaves_release(&kvm->mem_attr_array, start, end);
}

/*
 * Sets entries of one leaf, the one that @xas is in: all from there to its end,
 * @max at the most. Says how many. xas_store() would walk and count for each.
 */
static unsigned int fill_leaf(struct xa_state *xas, kapi_u64 max)
{
	void *const entry = xa_mk_value(KVM_MEMORY_ATTRIBUTE_PRIVATE);
	struct xa_node *const leaf = xas->xa_node;
	const unsigned int first = xas->xa_offset;
	const unsigned int end = min(first + max, XA_CHUNK_SIZE);

	for (unsigned int at = first; at < end; at++) {
		const void *const old = xa_entry_locked(xas->xa, leaf, at);

		leaf->count += !old;
		leaf->nr_values += !xa_is_value(old);
		rcu_assign_pointer(leaf->slots[at], entry);
	}
	return end - first;
}

/* All of which is reserved. */
static void store_private(struct xa_state *xas, kapi_u64 start, kapi_u64 end)
{
	while (start < end) {
		xas_set(xas, start);
		xas_load(xas);
		if (WARN_ON_ONCE(!xas_is_node(xas) || xas->xa_node->shift))
			return;
		start += fill_leaf(xas, end - start);
	}
}

static void store_none(struct xa_state *xas, kapi_u64 start, kapi_u64 end)
{
	while (start < end) {
		/* The largest aligned block there: leaves go as a whole. */
		const unsigned int most = ilog2(end - start);
		const unsigned int order = start ? min(__ffs64(start), most) : most;

		xas_set_order(xas, start, order);
		xas_store(xas, NULL);
		start += 1ull << order;
	}
}

void kapi_attributes_set(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	XA_STATE(xas, &kvm->mem_attr_array, start);

	lockdep_assert_held(&kvm->slots_lock);
	while (start < end) {
		kapi_u64 stop;

		xas_lock(&xas);
		if (!to_private)
			start = gmem_leaves_next(&xas, start, end);
		stop = min(end, (start | (BATCH - 1)) + 1);
		if (to_private)
			store_private(&xas, start, stop);
		else
			store_none(&xas, start, stop);
		xas_unlock(&xas);
		start = stop;
		cond_resched();
	}
}

static struct kvm_gfn_range attribute_range(kapi_u64 start, kapi_u64 end, bool to_private)
{
	return (struct kvm_gfn_range){
		.start = start,
		.end = end,
		.arg.attributes = to_private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
		.may_block = true,
	};
}

void kapi_attributes_changed(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start,
			     kapi_u64 end, bool to_private)
{
	struct kvm_gfn_range range = attribute_range(start, end, to_private);

	range.slot = slot;
	write_lock(&kvm->mmu_lock);
	gmem_arch_post_set_attributes(kvm, &range);
	write_unlock(&kvm->mmu_lock);
}

/* Calls @fn for what [start, end) has in each memslot, under the MMU's lock. */
static bool over_slots(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private,
		       bool (*fn)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	struct kvm_memslot_iter iter;
	bool flush = false;

	for (int i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i), start, end) {
			struct kvm_memory_slot *const slot = iter.slot;
			const kapi_u64 last = min(end, slot->base_gfn + slot->npages);
			struct kvm_gfn_range range =
				attribute_range(max(start, slot->base_gfn), last, to_private);

			range.slot = slot;
			flush |= fn(kvm, &range);
		}
	}
	return flush;
}

static void convert_chunk(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	write_lock(&kvm->mmu_lock);
	gmem_mmu_invalidate_begin(kvm);
	gmem_mmu_invalidate_range_add(kvm, start, end);
	if (over_slots(kvm, start, end, to_private, gmem_arch_pre_set_attributes))
		gmem_flush_remote_tlbs_range(kvm, start, end - start);
	write_unlock(&kvm->mmu_lock);

	kapi_attributes_set(kvm, start, end, to_private);

	write_lock(&kvm->mmu_lock);
	over_slots(kvm, start, end, to_private, gmem_arch_post_set_attributes);
	gmem_mmu_invalidate_end(kvm);
	write_unlock(&kvm->mmu_lock);
}

/* The first gfn of [start, end) that is private, by way of what exists; @end if none is. */
static kapi_u64 next_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	unsigned long at = start;

	return xa_find(&kvm->mem_attr_array, &at, end - 1, XA_PRESENT) ? at : end;
}

static bool is_as_wanted(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	const unsigned long wanted = to_private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;

	return gmem_range_has_memory_attributes(kvm, start, end, KVM_MEMORY_ATTRIBUTE_PRIVATE,
						wanted);
}

bool kapi_attributes_are(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	kapi_u64 stop;

	lockdep_assert_held(&kvm->slots_lock);
	if (!to_private)
		return next_private(kvm, start, end) == end;
	for (; start < end; start = stop) {
		stop = min(end, (start | (CHUNK - 1)) + 1);
		if (fatal_signal_pending(current) || !is_as_wanted(kvm, start, stop, true))
			return false;
		cond_resched();
	}
	return true;
}

int kapi_attributes_convert(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private)
{
	lockdep_assert_held(&kvm->slots_lock);
	while (start < end) {
		kapi_u64 stop;

		if (kapi_fatal_signal_pending()) {
			kapi_attributes_release(kvm, start, end);
			return -EINTR;
		}
		if (!to_private)
			start = next_private(kvm, start, end);
		stop = min(end, (start | (CHUNK - 1)) + 1);
		if (start < stop && !is_as_wanted(kvm, start, stop, to_private))
			convert_chunk(kvm, start, stop, to_private);
		start = stop;
		cond_resched();
	}
	return 0;
}
