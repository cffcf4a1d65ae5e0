// SPDX-License-Identifier: GPL-2.0-only
/*
 * kapi/pci_hole.c over the fakes (pci_hole.h).
 */
#include "kunit/fakes/pci_hole.h"

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/module.h"
#include "kunit/fakes/sched.h"
#include "kunit/fakes/share.h"

namespace fake
{

namespace
{

struct Slot {
	std::unique_ptr<kvm_memory_slot> slot;
	unsigned flags = 0;
	std::uint64_t user_addr = 0;
	bool hole = false;
};

struct VmSlots {
	std::map<unsigned, Slot> slots;
	/* Those that have become ones with guest_memfd; kvm->slots has them. */
	std::map<unsigned, struct kvm_memory_slot *> with_gmem;
	void *core = nullptr;
	void *pending = nullptr; /* of kapi_region_set_with() */
};

std::mutex mutex; /* of all below */
std::map<struct kvm *, VmSlots> vms;
std::map<std::uint64_t, std::uint64_t> pieces; /* address -> size */
std::uint64_t next_addr;
std::vector<std::uint64_t> faults;
unsigned long faults_left, stock_ioctls;
bool usable = true;
struct kvm *denied;

Slot *find(struct kvm *kvm, unsigned id)
{
	const auto vm = vms.find(kvm);

	if (vm == vms.end())
		return nullptr;

	const auto slot = vm->second.slots.find(id);

	return slot == vm->second.slots.end() ? nullptr : &slot->second;
}

Slot &entry_of(const struct kvm_memory_slot *slot)
{
	for (auto &[id, s] : vms[slot->kvm].slots) {
		if (s.slot.get() == slot)
			return s;
	}
	bug("a memslot that KVM has freed");
}

bool overlaps_another(struct kvm *kvm, unsigned id, std::uint64_t gfn, std::uint64_t npages)
{
	for (const auto &slot : kvm->slots) {
		if (gfn < slot->base_gfn + slot->npages && slot->base_gfn < gfn + npages)
			return true;
	}
	for (const auto &[other, s] : vms[kvm].slots) {
		if (other != id && gfn < s.slot->base_gfn + s.slot->npages &&
		    s.slot->base_gfn < gfn + npages)
			return true;
	}
	return false;
}

/* A memslot becomes one with guest_memfd before it is in use, or cannot be made. */
int make_with_gmem(struct kvm *kvm, unsigned id, std::unique_ptr<kvm_memory_slot> slot)
{
	int ret = gmem_kvm_prepare_slot(kvm, nullptr, slot.get(), 0);

	if (ret) {
		if (slot->has_gmem || slot->file)
			bug("a memslot that is not made stays bound");
		return ret;
	}
	if (generation().binds_in_steps) {
		ret = gmem_kvm_commit_bind(kvm, slot.get());
		if (ret)
			return ret;
	}
	if (!slot->has_gmem)
		bug("a pending memslot has not got its file");
	if (!covered(kvm, slot->base_gfn, slot->npages))
		bug("a memslot comes, and other vCPUs may map it already");
	{
		const std::lock_guard guard{ mutex };

		vms[kvm].with_gmem[id] = slot.get();
	}
	sched::step("slot is live");

	const std::unique_lock guard{ kvm->slots_mutex };

	kvm->slots.push_back(std::move(slot));
	return 0;
}

/* What KVM does to one of these: deleted it can be, and its flags could be changed. */
int change_with_gmem(struct kvm *kvm, const struct kapi_region &r, struct kvm_memory_slot *slot)
{
	if (!r.size) {
		{
			const std::lock_guard guard{ mutex };

			vms[kvm].with_gmem.erase(r.slot);
		}
		slot_delete_locked(kvm, slot);
		return 0;
	}

	const std::unique_ptr<kvm_memory_slot> copy = slot_make(kvm, slot->base_gfn, slot->npages);

	copy->has_gmem = false;
	const int ret = gmem_kvm_prepare_slot(kvm, slot, copy.get(), KAPI_MR_FLAGS_ONLY);

	if (ret == 0)
		bug("KVM frees a memslot that a file knows");
	return ret;
}

/* What kvm_arch_prepare_memory_region() is asked before a memslot changes. */
int prepare_change(struct kvm *kvm, const struct kapi_region &r)
{
	const struct kvm_memory_slot *const old = region_slot(kvm, r.slot);
	const std::uint64_t gfn = r.gpa >> 12;

	if (!old || !r.size)
		return 0;

	const std::unique_ptr<kvm_memory_slot> copy = slot_make(kvm, gfn, old->npages);

	copy->has_gmem = false;
	return gmem_kvm_prepare_slot(kvm, old, copy.get(),
				     gfn == old->base_gfn ? KAPI_MR_FLAGS_ONLY : KAPI_MR_MOVE);
}

bool all_ones(std::uint64_t addr, std::uint64_t size)
{
	for (const auto &[start, length] : pieces) {
		if (start <= addr && addr + size <= start + length)
			return true;
	}
	return false;
}

/* __kvm_set_memory_region(), as far as it matters. */
int set_region(struct kvm *kvm, const struct kapi_region &r)
{
	Slot *const old = find(kvm, r.slot);
	const std::uint64_t gfn = r.gpa >> 12, npages = r.size >> 12;

	if (r.flags & ~kReadonlyFlag || r.slot >= kUserSlots)
		return -EINVAL;
	if ((r.gpa | r.size | r.user_addr) & 4095 || r.gpa + r.size < r.gpa || npages >> 31)
		return -EINVAL;
	if (!r.size) {
		if (!old)
			return -EINVAL;
		vms[kvm].slots.erase(r.slot);
		return 0;
	}
	if (old && (old->user_addr != r.user_addr || old->slot->npages != npages ||
		    (old->flags ^ r.flags) & kReadonlyFlag))
		return -EINVAL;
	if (overlaps_another(kvm, r.slot, gfn, npages))
		return -EEXIST;
	if (fail_now())
		return -ENOMEM;

	auto slot = slot_make(kvm, gfn, npages);

	slot->has_gmem = false;
	vms[kvm].slots[r.slot] = { std::move(slot), r.flags, r.user_addr, false };
	return 0;
}

} /* namespace */

long request_region2(struct kvm *kvm, const Region2 &request)
{
	const long ret = gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(kvm), kSetRegion2,
					   reinterpret_cast<unsigned long>(&request));

	return_to_user();
	return ret;
}

long request_region(struct kvm *kvm, const struct kapi_region &region)
{
	/* Only ever a name to the core. */
	const long ret = gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(kvm), kSetRegion,
					   reinterpret_cast<unsigned long>(&region));

	return_to_user();
	return ret;
}

int plain_region(struct kvm *kvm, const struct kapi_region &region)
{
	const std::lock_guard lock{ kvm->slots_lock };
	const int ret = prepare_change(kvm, region);
	const std::lock_guard guard{ mutex };

	return ret ? ret : set_region(kvm, region);
}

struct kvm_memory_slot *region_slot(struct kvm *kvm, unsigned id)
{
	const std::lock_guard guard{ mutex };
	Slot *const slot = find(kvm, id);
	const auto vm = vms.find(kvm);

	if (vm != vms.end() && vm->second.with_gmem.count(id))
		return vm->second.with_gmem.at(id);
	return slot ? slot->slot.get() : nullptr;
}

std::uint64_t region_user_addr(struct kvm *kvm, unsigned id)
{
	const std::lock_guard guard{ mutex };

	return find(kvm, id)->user_addr;
}

unsigned long ones_pieces()
{
	const std::lock_guard guard{ mutex };

	return pieces.size();
}

std::vector<std::uint64_t> hole_faults()
{
	const std::lock_guard guard{ mutex };

	return std::exchange(faults, {});
}

void fail_hole_fault(unsigned long n)
{
	faults_left = n;
}

int note_fault(struct kvm_vcpu *vcpu, std::uint64_t gpa)
{
	if (!kapi_vcpu_hole(vcpu, gpa >> 12))
		return 0;

	const std::lock_guard guard{ mutex };

	if (faults_left && --faults_left == 0) {
		faults_left = 1;
		return -EFAULT;
	}
	faults.push_back(gpa);
	return 0;
}

void set_vm_usable(bool is)
{
	usable = is;
}

void deny_memory_of(struct kvm *kvm)
{
	denied = kvm;
}

unsigned long stock_vm_ioctls()
{
	return stock_ioctls;
}

void vm_holes_destroy(struct kvm *kvm)
{
	void *core = nullptr;

	{
		const std::lock_guard guard{ mutex };
		const auto vm = vms.find(kvm);

		if (vm != vms.end()) {
			core = vm->second.core;
			vms.erase(vm);
		}
	}
	if (core)
		gmem_vm_holes_gone(kvm, core);
}

void check_holes()
{
	const std::lock_guard guard{ mutex };

	if (!pieces.empty())
		bug("%zu pieces of ones are left mapped", pieces.size());
	if (!vms.empty())
		bug("memslots of %zu VMs are left", vms.size());
	faults.clear();
	faults_left = 0;
	usable = true;
	denied = nullptr;
}

} /* namespace fake */

using namespace fake;

struct kvm *kapi_file_vm(struct file *file)
{
	return reinterpret_cast<struct kvm *>(file);
}

int kapi_region_read(struct kapi_region *region, unsigned int ioctl, unsigned long arg)
{
	might_sleep("kapi_region_read");
	if (ioctl != kSetRegion && ioctl != kSetRegion2)
		return -ENOTTY;
	if (!arg)
		return -EFAULT;
	*region = *reinterpret_cast<const struct kapi_region *>(arg);
	return 0;
}

int kapi_region_read_gmem(struct kapi_region_gmem *gmem, unsigned long arg)
{
	might_sleep("kapi_region_read_gmem");
	if (fail_now())
		return -EFAULT;
	*gmem = reinterpret_cast<const Region2 *>(arg)->gmem;
	return 0;
}

int kapi_region_set_with(struct kvm *kvm, const struct kapi_region *region, void *core)
{
	std::unique_ptr<kvm_memory_slot> slot;

	if (!kvm->slots_lock.held_exclusively())
		bug("a memslot changes without slots_lock");
	{
		const std::lock_guard guard{ mutex };
		const int ret = set_region(kvm, *region);

		if (ret)
			return ret;
		/* The checks are over, and the memslot is not in use yet. */
		slot = std::move(vms[kvm].slots.extract(region->slot).mapped().slot);
		vms[kvm].pending = core;
	}

	const int ret = make_with_gmem(kvm, region->slot, std::move(slot));
	const std::lock_guard guard{ mutex };

	vms[kvm].pending = nullptr;
	return ret;
}

void *kapi_region_pending(struct kvm *kvm)
{
	kapi_kvm_assert_slots_lock(kvm);

	const std::lock_guard guard{ mutex };
	const auto vm = vms.find(kvm);

	return vm == vms.end() ? nullptr : vm->second.pending;
}

int kapi_region_set(struct kvm *kvm, const struct kapi_region *region)
{
	might_sleep("kapi_region_set");
	if (!kvm->slots_lock.held_exclusively())
		bug("a memslot changes without slots_lock");

	struct kvm_memory_slot *const old = region_slot(kvm, region->slot);

	if (old && old->has_gmem)
		return change_with_gmem(kvm, *region, old);

	const int ret = prepare_change(kvm, *region);

	if (ret)
		return ret;

	const bool unmapped = covered(kvm, region->gpa >> 12, region->size >> 12);
	const std::lock_guard guard{ mutex };

	if (region->user_addr && !all_ones(region->user_addr, region->size))
		bug("a hole of %#lx bytes at %#lx is not all ones", region->size,
		    region->user_addr);
	/* A vCPU may be late to say that there is none. */
	if (region->user_addr && !unmapped)
		bug("a hole comes, and other vCPUs may map it already");
	return set_region(kvm, *region);
}

bool kapi_kvm_usable(struct kvm *)
{
	return usable;
}

bool kapi_kvm_may_have_memory(struct kvm *kvm)
{
	might_sleep("kapi_kvm_may_have_memory");
	return kvm != denied;
}

bool kapi_kvm_has_readonly(struct kvm *kvm)
{
	return kvm->type != kSnpVm;
}

struct kvm_memory_slot *kapi_kvm_slot_by_id(struct kvm *kvm, unsigned int slot)
{
	if (!kvm->slots_lock.held())
		bug("a memslot is looked up without slots_lock");
	return region_slot(kvm, slot);
}

struct kvm_memory_slot *kapi_vcpu_hole(struct kvm_vcpu *vcpu, kapi_u64 gfn)
{
	const std::lock_guard guard{ mutex };

	for (const auto &[id, s] : vms[vcpu->kvm].slots) {
		if (s.hole && gfn >= s.slot->base_gfn && gfn < s.slot->base_gfn + s.slot->npages)
			return s.slot.get();
	}
	return nullptr;
}

bool kapi_slot_is_hole(const struct kvm_memory_slot *slot)
{
	if (!slot)
		return false;

	const std::lock_guard guard{ mutex };

	return entry_of(slot).hole;
}

void kapi_slot_mark_hole(struct kvm_memory_slot *slot, bool hole)
{
	if (!slot->kvm->slots_lock.held_exclusively())
		bug("a memslot becomes a hole, or stops being one, without slots_lock");

	const std::lock_guard guard{ mutex };

	Slot &entry = entry_of(slot);

	if (!(entry.flags & kReadonlyFlag))
		bug("a hole that its guest could write to");
	entry.hole = hole;
}

kapi_u64 kapi_slot_user_addr(struct kvm_memory_slot *slot)
{
	const std::lock_guard guard{ mutex };

	return entry_of(slot).user_addr;
}

int kapi_ones_map(kapi_u64 size, kapi_u64 *addr)
{
	const std::lock_guard guard{ mutex };

	might_sleep("kapi_ones_map");
	if (fail_now())
		return -ENOMEM;
	/* Anywhere, but for pages. */
	next_addr += 0x7f0000003000;
	next_addr %= 1ull << 47;
	*addr = next_addr;
	pieces[*addr] = size;
	return 0;
}

void kapi_ones_unmap(struct kvm *, kapi_u64 addr, kapi_u64 size)
{
	const std::lock_guard guard{ mutex };
	const auto piece = pieces.find(addr);

	might_sleep("kapi_ones_unmap");
	if (piece == pieces.end() || piece->second != size)
		bug("%#lx bytes at %#lx are not what was mapped", size, addr);
	pieces.erase(piece);
}

void *kapi_vm_holes(struct kvm *kvm)
{
	const std::lock_guard guard{ mutex };

	/* kvm->lock comes first. */
	assert_no_locks();
	return vms[kvm].core;
}

int kapi_vm_holes_attach(struct kvm *kvm, void *core, void **present)
{
	const std::lock_guard guard{ mutex };
	VmSlots &vm = vms[kvm];

	assert_no_locks();
	needs_module("kapi_vm_holes_attach");
	if (vm.core) {
		*present = vm.core;
		return -EEXIST;
	}
	if (fail_now())
		return -ENOMEM;
	vm.core = core;
	return 0;
}

long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	struct kvm *const kvm = kapi_file_vm(file);
	AttributeRequest request;
	struct kapi_region region;

	stock_ioctls++;
	if (!usable)
		return -EIO;
	if (kapi_region_read(&region, ioctl, arg) == 0) {
		long ret = 0;

		kvm->slots_lock.lock();
		if (struct kvm_memory_slot *const slot = region_slot(kvm, region.slot)) {
			if (slot->has_gmem)
				ret = change_with_gmem(kvm, region, slot);
		}
		kvm->slots_lock.unlock();
		return ret;
	}
	if (kapi_attributes_read(kvm, &request.start, &request.end, &request.to_private, ioctl,
				 arg) == 0) {
		kvm->slots_lock.lock();
		if (request.to_private)
			kapi_attributes_reserve(kvm, request.start, request.end);
		kapi_attributes_convert(kvm, request.start, request.end, request.to_private);
		kvm->slots_lock.unlock();
	}
	return 0;
}
