// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs, memslots and attributes: kapi/kvm.c and kapi/populate.c over the fakes.
 */
#include "kunit/fakes/kvm.h"

#include <gmem/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/pci_hole.h"
#include "kunit/fakes/sched.h"
#include "kunit/fakes/share.h"

namespace fake
{

namespace
{

std::atomic<long> vms, pins;
std::atomic<unsigned long> populate_count;
std::atomic<unsigned> pins_per_call{ KAPI_PINS_MAX };
std::mutex arch_mutex;
ArchCalls arch;
ArchFaults arch_faults;
Vendor *the_vendor;

void destroy(struct kvm *kvm)
{
	if (kvm->invalidate_in_progress)
		bug("a VM goes with %ld invalidations in progress",
		    kvm->invalidate_in_progress.load());
	kvm->tables.zap(0, ~0ull);
	for (auto &slot : kvm->slots) {
		if (slot->has_gmem)
			gmem_unbind(slot.get());
	}
	vm_holes_destroy(kvm);
	gmem_kvm_free_vm(kvm);
}

} /* namespace */

struct kvm *vm_create(unsigned long type, bool all_private)
{
	struct kvm *const kvm = new struct kvm;

	kvm->type = type;
	/* A default VM has no attributes. */
	kvm->is_private.assign(kGfns, all_private && type != kDefaultVm);
	kvm->is_private_beyond = all_private && type != kDefaultVm;
	vms++;
	return kvm;
}

std::unique_ptr<kvm_memory_slot> slot_make(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages)
{
	auto slot = std::make_unique<kvm_memory_slot>();

	slot->kvm = kvm;
	slot->base_gfn = gfn;
	slot->npages = npages;
	slot->has_gmem = true;
	return slot;
}

/* As KVM of either generation calls us for a memslot that it makes. */
static int bind(struct kvm *kvm, struct kvm_memory_slot *slot, int fd, std::uint64_t offset)
{
	if (!generation().binds_in_steps)
		return gmem_bind(kvm, slot, fd, static_cast<long long>(offset));

	int ret = gmem_kvm_prepare_bind(kvm, slot, fd, offset);

	if (ret)
		return ret;

	struct file *const file = kapi_slot_file(slot);

	ret = gmem_kvm_commit_bind(kvm, slot);
	if (kapi_slot_file(slot) != file)
		bug("a memslot lost its file while it was bound");
	kapi_file_put(file);
	return ret;
}

int slot_add(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages, int fd,
	     std::uint64_t offset_pages, struct kvm_memory_slot **out)
{
	std::unique_ptr<kvm_memory_slot> slot = slot_make(kvm, gfn, npages);
	kapi_slot_request request{};
	int ret = 0;

	*out = nullptr;
	kapi_slot_request_begin(&request, kvm);
	kapi_slot_request_announce(&request);
	kvm->slots_lock.lock();
	for (const auto &other : kvm->slots) {
		if (gfn < other->base_gfn + other->npages && other->base_gfn < gfn + npages)
			ret = -EEXIST;
	}
	if (!ret)
		ret = bind(kvm, slot.get(), fd, offset_pages << 12);
	/* A vCPU may be late to say that there is none. */
	if (!ret && kapi_slot_file(slot.get()) && !covered(kvm, gfn, npages))
		bug("a memslot comes, and other vCPUs may map it already");
	if (!ret) {
		const std::unique_lock guard{ kvm->slots_mutex };

		*out = slot.get();
		kvm->slots.push_back(std::move(slot));
	}
	kvm->slots_lock.unlock();
	kapi_slot_request_end(&request);
	return_to_user();
	check_shares();
	return ret;
}

void slot_delete_locked(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	std::unique_ptr<kvm_memory_slot> gone;

	{
		const std::unique_lock guard{ kvm->slots_mutex };

		for (auto it = kvm->slots.begin(); it != kvm->slots.end(); ++it) {
			if (it->get() == slot) {
				gone = std::move(*it);
				kvm->slots.erase(it);
				break;
			}
		}
	}
	if (!gone)
		bug("no such slot");
	/* No new fault sees the slot. Those that did are waited for, then dropped. */
	sched::step("slot is invalid");
	kvm->srcu.synchronize();
	kvm->mmu_lock.lock();
	kvm->tables.zap(slot->base_gfn, slot->base_gfn + slot->npages);
	kvm->mmu_lock.unlock();
	gmem_unbind(slot);
}

void slot_delete(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	kvm->slots_lock.lock();
	slot_delete_locked(kvm, slot);
	kvm->slots_lock.unlock();
	return_to_user();
}

struct kvm_memory_slot *slot_at(struct kvm *kvm, std::uint64_t gfn)
{
	const std::shared_lock guard{ kvm->slots_mutex };

	for (const auto &slot : kvm->slots) {
		if (gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot.get();
	}
	return nullptr;
}

long populate(struct kvm *kvm, std::uint64_t gfn, void *src, long npages, kapi_populate_cb cb,
	      void *opaque)
{
	kvm->slots_lock.lock();
	const long ret = gmem_populate(kvm, gfn, src, npages, cb, opaque);
	kvm->slots_lock.unlock();
	return_to_user();
	return ret;
}

void set_arch_faults(ArchFaults faults)
{
	arch_faults = faults;
}

void set_vendor(Vendor *vendor)
{
	the_vendor = vendor;
}

Vendor *vendor()
{
	return the_vendor;
}

ArchCalls arch_calls()
{
	const std::lock_guard guard{ arch_mutex };

	return arch;
}

void set_pins_per_call(unsigned count)
{
	pins_per_call = count;
}

unsigned long populate_calls()
{
	return populate_count;
}

bool page_faults_off()
{
	return current().page_faults_off;
}

void check_vms()
{
	if (vms)
		bug("%ld VMs are left", vms.load());
	if (pins)
		bug("%ld source pages are left pinned", pins.load());
	pins_per_call = KAPI_PINS_MAX;
	check_holes();
}

} /* namespace fake */

using namespace fake;

void kapi_kvm_get(struct kvm *kvm)
{
	kvm->users++;
}

void kapi_kvm_put(struct kvm *kvm)
{
	const int before = kvm->users--;

	if (before <= 0)
		bug("one reference of a VM too many is put");
	if (before == 1)
		destroy(kvm);
}

void kapi_kvm_slots_lock(struct kvm *kvm)
{
	kvm->slots_lock.lock();
}

void kapi_kvm_slots_unlock(struct kvm *kvm)
{
	kvm->slots_lock.unlock();
}

void kapi_kvm_assert_slots_lock(struct kvm *kvm)
{
	if (!kvm->slots_lock.held())
		bug("slots_lock is not held");
}

unsigned long kapi_kvm_type(struct kvm *kvm)
{
	return kvm->type;
}

bool kapi_kvm_has_private_mem(struct kvm *kvm)
{
	return kvm->type != kDefaultVm;
}

bool kapi_kvm_has_run(struct kvm *kvm)
{
	return kvm->ran;
}

bool kapi_kvm_range_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	const std::shared_lock guard{ kvm->attributes_mutex };

	for (kapi_u64 gfn = start; gfn < end; gfn++) {
		if (!gfn_private(kvm, gfn))
			return false;
	}
	return true;
}

void kapi_stock_free_vm(struct kvm *kvm)
{
	stock().free_vm++;
	delete kvm;
	vms--;
}

bool kapi_kvm_made_sw_protected(struct kvm *kvm)
{
	return kvm->made_sw_protected;
}

bool kapi_vcpu_is_direct(struct kvm_vcpu *vcpu)
{
	return vcpu->direct;
}

bool kapi_vcpu_is_nested(struct kvm_vcpu *vcpu)
{
	return vcpu->nested;
}

struct kvm *kapi_vcpu_kvm(struct kvm_vcpu *vcpu)
{
	return vcpu->kvm;
}

bool kapi_kvm_has_shared_slots(void)
{
	return fake::generation().shared_slots;
}

bool kapi_kvm_asks_private(struct kvm *kvm, kapi_u64 gfn)
{
	return !kapi_kvm_has_shared_slots() || kapi_kvm_range_private(kvm, gfn, gfn + 1);
}

void kapi_vcpu_exit_shared(struct kvm_vcpu *vcpu, kapi_u64 gfn)
{
	vcpu->exit_gfn = gfn;
}

bool fake::gfn_private(const struct kvm *kvm, std::uint64_t gfn)
{
	if (gfn >= kvm->private_from)
		return true;
	return gfn < kGfns ? kvm->is_private[gfn] : kvm->is_private_beyond;
}

bool fake::range_uniform(struct kvm *kvm, std::uint64_t start, std::uint64_t end)
{
	const std::shared_lock guard{ kvm->attributes_mutex };

	for (std::uint64_t gfn = start; gfn < end; gfn++) {
		if (gfn_private(kvm, gfn) != gfn_private(kvm, start))
			return false;
	}
	return true;
}

bool kapi_kvm_sw_private(struct kvm_vcpu *vcpu, kapi_u64 gpa)
{
	return vcpu->kvm->type == kSwProtectedVm &&
	       kapi_kvm_range_private(vcpu->kvm, gpa >> 12, (gpa >> 12) + 1);
}

void kapi_kvm_make_sw_protected(struct kvm *kvm)
{
	needs_module("kapi_kvm_make_sw_protected");
	kvm->type = kSwProtectedVm;
	kvm->made_sw_protected = true;
}

int kapi_kvm_overlap_error(void)
{
	return kapi_binds_in_steps() ? -EEXIST : -EINVAL;
}

void kapi_create_args(const struct kvm_create_guest_memfd *args, kapi_u64 *size, kapi_u64 *flags)
{
	*size = args->size;
	*flags = args->flags;
}

kapi_u64 kapi_slot_base_gfn(struct kvm_memory_slot *slot)
{
	return slot->base_gfn;
}

kapi_u64 kapi_slot_npages(struct kvm_memory_slot *slot)
{
	return slot->npages;
}

kapi_u64 kapi_slot_pgoff(struct kvm_memory_slot *slot)
{
	return slot->pgoff;
}

bool kapi_slot_has_gmem(const struct kvm_memory_slot *slot)
{
	return slot && slot->has_gmem;
}

struct file *kapi_slot_file(struct kvm_memory_slot *slot)
{
	return slot->file;
}

struct file *kapi_slot_file_get(struct kvm_memory_slot *slot)
{
	sched::step("slot_file_get");
	return file_get_active_rcu(slot->file);
}

void kapi_slot_set_file(struct kvm_memory_slot *slot, struct file *file, kapi_u64 pgoff)
{
	sched::step("slot_set_file");
	slot->pgoff = pgoff;
	slot->file = file;
}

struct kvm_memory_slot *kapi_kvm_slot_of(struct kvm *kvm, kapi_u64 gfn)
{
	return slot_at(kvm, gfn);
}

int kapi_arch_prepare(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, unsigned int order)
{
	might_sleep("kapi_arch_prepare");
	sched::step("arch_prepare");
	if ((gfn | pfn) & ((1ull << order) - 1))
		bug("prepare of gfn %#lx, pfn %#lx, order %u is not aligned", gfn, pfn, order);
	if (fail_now())
		return -EIO;
	if (arch_faults.only_first)
		order = 0;
	for (unsigned i = 0; i < 1u << order && !vendor(); i++) {
		if (page_of_pfn(pfn + i)->owned.exchange(true))
			bug("pfn %#lx is prepared twice", pfn + i);
	}

	const std::lock_guard guard{ arch_mutex };

	arch.prepares++;
	arch.pages_prepared += 1u << order;
	return vendor() ? vendor()->prepare(gfn, pfn, order) : 0;
}

int kapi_arch_assigned(kapi_u64 pfn)
{
	if (vendor())
		return vendor()->assigned(pfn);
	return page_of_pfn(pfn)->owned;
}

void kapi_arch_reclaim(kapi_u64 pfn, kapi_u64 count)
{
	if (vendor())
		vendor()->invalidate(pfn, pfn + count);
	/* The last one stays. */
	for (kapi_u64 i = 0; i < count - arch_faults.keeps_one; i++)
		page_of_pfn(pfn + i)->owned = false;

	const std::lock_guard guard{ arch_mutex };

	arch.reclaims++;
	arch.pages_reclaimed += count;
}

int kapi_pins_take(struct kapi_pins *p, void *src, kapi_u64 count, bool)
{
	might_sleep("kapi_pins_take");
	if (holds(Rank::Inode) || holds(Rank::Run))
		bug("mmap_lock is taken under a lock of ours");
	if (p->count)
		bug("pins are taken over others");
	if (!src || fail_now())
		return -EFAULT;
	p->count = std::min<kapi_u64>(count, pins_per_call);
	pins += p->count;
	return p->count;
}

void kapi_pins_drop(struct kapi_pins *p)
{
	pins -= p->count;
	p->count = 0;
}

int kapi_populate_call(kapi_populate_cb cb, struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src,
		       const struct kapi_pins *, void *opaque)
{
	sched::step("populate_call");
	populate_count++;
	if (page_of_pfn(pfn)->mapped)
		bug("gfn %#lx is populated while a guest has the page mapped", gfn);
	current().page_faults_off = true;
	const int ret = fail_now() ? -EIO : cb(kvm, gfn, pfn, src, 0, opaque);
	current().page_faults_off = false;
	return ret;
}
