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
	void *core = nullptr;
};

std::mutex mutex; /* of all below */
std::map<struct kvm *, VmSlots> vms;
std::map<std::uint64_t, std::uint64_t> pieces; /* address -> size */
std::uint64_t next_addr;
std::vector<std::uint64_t> faults;
unsigned long faults_left, stock_ioctls;
bool usable = true, possible = true;

Slot *find(struct kvm *kvm, unsigned id)
{
	const auto vm = vms.find(kvm);

	if (vm == vms.end())
		return nullptr;

	const auto slot = vm->second.slots.find(id);

	return slot == vm->second.slots.end() ? nullptr : &slot->second;
}

Slot &entry_of(struct kvm_memory_slot *slot)
{
	for (auto &[id, s] : vms[slot->kvm].slots) {
		if (s.slot.get() == slot)
			return s;
	}
	bug("a memslot that KVM has freed");
}

bool overlaps_another(struct kvm *kvm, unsigned id, std::uint64_t gfn, std::uint64_t npages)
{
	for (const auto &[other, s] : vms[kvm].slots) {
		if (other != id && gfn < s.slot->base_gfn + s.slot->npages &&
		    s.slot->base_gfn < gfn + npages)
			return true;
	}
	return false;
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
	const std::lock_guard guard{ mutex };

	return set_region(kvm, region);
}

struct kvm_memory_slot *region_slot(struct kvm *kvm, unsigned id)
{
	const std::lock_guard guard{ mutex };
	Slot *const slot = find(kvm, id);

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

void set_holes_possible(bool are)
{
	possible = are;
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
	usable = possible = true;
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
	if (!arg)
		return -EFAULT;
	*region = *reinterpret_cast<const struct kapi_region *>(arg);
	return 0;
}

int kapi_region_read_gmem(struct kapi_region_gmem *, unsigned long)
{
	return -EFAULT;
}

int kapi_region_set_with(struct kvm *kvm, const struct kapi_region *region, void *)
{
	return kapi_region_set(kvm, region);
}

void *kapi_region_pending(struct kvm *)
{
	return nullptr;
}

int kapi_region_set(struct kvm *kvm, const struct kapi_region *region)
{
	const std::lock_guard guard{ mutex };

	might_sleep("kapi_region_set");
	if (!kvm->slots_lock.held_exclusively())
		bug("a memslot changes without slots_lock");
	if (region->user_addr && !all_ones(region->user_addr, region->size))
		bug("a hole of %#lx bytes at %#lx is not all ones", region->size,
		    region->user_addr);
	return set_region(kvm, *region);
}

bool kapi_kvm_usable(struct kvm *)
{
	return usable;
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

bool kapi_slot_is_hole(struct kvm_memory_slot *slot)
{
	const std::lock_guard guard{ mutex };

	return entry_of(slot).hole;
}

void kapi_slot_mark_hole(struct kvm_memory_slot *slot)
{
	const std::lock_guard guard{ mutex };

	Slot &entry = entry_of(slot);

	if (!(entry.flags & kReadonlyFlag))
		bug("a hole that its guest could write to");
	entry.hole = true;
}

kapi_u64 kapi_slot_user_addr(struct kvm_memory_slot *slot)
{
	const std::lock_guard guard{ mutex };

	return entry_of(slot).user_addr;
}

bool kapi_holes_possible(void)
{
	return possible;
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
	if (vm.core) {
		*present = vm.core;
		return -EEXIST;
	}
	if (fail_now())
		return -ENOMEM;
	vm.core = core;
	return 0;
}

long kapi_stock_vm_ioctl(struct file *, unsigned int, unsigned long)
{
	stock_ioctls++;
	return 0;
}
