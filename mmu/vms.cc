// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries wrapped around KVM's own functions for VMs: making and freeing one, what
 * it says that it can do, and the ioctls that are ours or that we change. Faults are in
 * mmu/faults.cc.
 */
#include <uapi/gmem.h>

#include "kapi/sev.h"
#include "mmu/attributes.h"
#include "mmu/c_bit.h"
#include "mmu/entry.h"
#include "mmu/link.h"
#include "mmu/memslot.h"
#include "mmu/pci_hole.h"
#include "mmu/sev.h"
#include "mmu/slots.h"

namespace gmem
{

std::uint64_t known_flags(struct kvm *kvm)
{
	std::uint64_t flags = 0;

	/* A flag that no kernel has. */
	if (kapi_setting_huge() == KAPI_HUGE_ADVISE && kapi_feature(KAPI_FEATURE_HOLES))
		flags |= GMEM_FLAG_HUGE;
	if (files_can_be_mappable())
		flags |= GUEST_MEMFD_FLAG_MMAP;
	/* Of a VM with private memory, such a file needs a way to make some. */
	if (files_can_be_mappable() &&
	    (sharing_is_extended() || !kvm || !kapi_kvm_has_private_mem(kvm)))
		flags |= GUEST_MEMFD_FLAG_INIT_SHARED;
	return flags;
}

namespace
{

/*
 * While a memslot may be made, deleted or moved no vCPU waits for that with SRCU held, and
 * none maps what is made.
 */
class SlotRequest {
    public:
	SlotRequest(struct kvm *kvm, const kapi_region &region)
	{
		kapi_slot_request_begin(&request_, kvm);
		if (region.size != 0 && region.flags & (KAPI_MEM_GUEST_MEMFD | KVM_MEM_PCI_HOLE))
			kapi_slot_request_announce(&request_);
	}
	~SlotRequest() { kapi_slot_request_end(&request_); }
	SlotRequest(const SlotRequest &) = delete;
	SlotRequest &operator=(const SlotRequest &) = delete;

    private:
	kapi_slot_request request_{};
};

/*
 * Whether KVM_SET_MEMORY_ATTRIBUTES of @kvm is ours, whatever its memslots are on now.
 * That of a software-protected VM always is: KVM's own has no bounds, and a kernel
 * without such VMs has no other use for it.
 */
bool attributes_are_ours(struct kvm *kvm)
{
	return sharing_is_extended() || kapi_kvm_type(kvm) == KAPI_VM_SW_PROTECTED;
}

/* Whether mappable files of @kvm, or of some VM without one, are converted in place. */
bool converts(struct kvm *kvm)
{
	return !kvm || kapi_kvm_has_private_mem(kvm);
}

/* What a request for a memslot ended in; -ENOTTY: it is KVM's own. */
long serve_region(struct kvm *kvm, unsigned int ioctl, unsigned long arg,
		  const struct kapi_region &region)
{
	struct kapi_region_gmem gmem;

	if (region.flags & KVM_MEM_PCI_HOLE && kapi_feature(KAPI_FEATURE_HOLES))
		return set_hole(kvm, region).code();
	if (kapi_kvm_has_shared_slots() || !files_can_be_mappable() ||
	    !wants_shared_slot(kvm, ioctl, region))
		return -ENOTTY;
	if (kapi_region_read_gmem(&gmem, arg) != 0)
		return -EFAULT;
	return set_shared_slot(kvm, region, gmem).code();
}

long serve_link(struct kvm *kvm, unsigned long arg)
{
	struct kvm_link_guest_memfd link;

	if (kapi_link_read(&link, arg) != 0)
		return -EFAULT;

	const Result<int> fd = link_file(kvm, link);

	return fd.ok() ? fd.value() : fd.status().code();
}

long serve_attributes(struct kvm *kvm, unsigned int ioctl, unsigned long arg)
{
	GfnRange gfns;
	bool to_private;
	const int read = kapi_attributes_read(kvm, &gfns.start.value, &gfns.end.value, &to_private,
					      ioctl, arg);

	if (read != 0)
		return read;

	const auto lock = KillableSlotsLock::take(kvm);

	return lock.ok() ? convert_gfns(kvm, gfns, private_if(to_private)).code()
			 : lock.status().code();
}

/* Whether KVM_CREATE_VM of @type may be ours, where KVM's own does not know it. */
bool type_is_ours(unsigned long type)
{
	return type == KAPI_VM_SNP ? snp_vms_possible()
				   : type == KAPI_VM_SW_PROTECTED && kapi_kvm_tdp_mmu();
}

/* A kernel built without software-protected VMs: one is a default VM with private memory. */
Status make_sw_protected_vm(struct kvm *kvm)
{
	GMEM_CHECK(Status{ kapi_stock_init_vm(kvm, KAPI_VM_DEFAULT) });
	kapi_kvm_make_sw_protected(kvm);
	return Status{};
}

/* What an ioctl on a VM ended in; -ENOTTY: it is KVM's own. */
long serve_ioctl(struct kvm *kvm, unsigned int ioctl, unsigned long arg)
{
	switch (ioctl) {
	case KVM_LINK_GUEST_MEMFD:
		return sharing_is_extended() ? serve_link(kvm, arg) : -ENOTTY;
	case KAPI_IOCTL_SET_ATTRIBUTES:
		return attributes_are_ours(kvm) ? serve_attributes(kvm, ioctl, arg) : -ENOTTY;
	case KAPI_IOCTL_ENCRYPT_OP:
		return kapi_kvm_is_snp_model(kvm) ? serve_sev_command(kvm, arg) : -ENOTTY;
	case KAPI_IOCTL_ENCRYPT_REGION:
	case KAPI_IOCTL_ENCRYPT_NO_REGION:
		return kapi_kvm_is_snp_model(kvm)
			       ? serve_sev_region(kvm, arg, ioctl == KAPI_IOCTL_ENCRYPT_REGION)
			       : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

} /* namespace */

} /* namespace gmem */

using namespace gmem;

int gmem_kvm_init_vm(struct kvm *kvm, unsigned long type)
{
	Entry entry{ KAPI_ENTRY_INIT_VM };
	const int ret = kapi_stock_init_vm(kvm, type);

	/* The VM pins the module from here on: KVM alone does not know its private faults. */
	if (ret != -EINVAL || !type_is_ours(type) || !kapi_self_get()) {
		entry.stock();
		return ret;
	}

	const Status made = type == KAPI_VM_SNP ? make_snp_vm(kvm) : make_sw_protected_vm(kvm);

	if (!made.ok())
		kapi_self_put();
	return made.code();
}

void gmem_kvm_free_vm(struct kvm *kvm)
{
	Entry entry{ KAPI_ENTRY_FREE_VM };
	const bool pins_us = kapi_kvm_made_sw_protected(kvm);

	if (kapi_kvm_is_snp_model(kvm))
		snp_vm_gone(kvm);
	entry.stock();
	kapi_stock_free_vm(kvm);
	if (pins_us)
		kapi_self_put();
}

int gmem_kvm_check_extension(struct kvm *kvm, long extension)
{
	Entry entry{ KAPI_ENTRY_CHECK_EXTENSION };
	constexpr int kSwProtectedBit = 1 << KAPI_VM_SW_PROTECTED, kSnpBit = 1 << KAPI_VM_SNP;

	const int ret = kapi_stock_check_extension(kvm, extension);

	switch (extension) {
	case KAPI_CAP_VM_TYPES:
		if (!kapi_feature(KAPI_FEATURE_SW_PROTECTED) || !kapi_kvm_tdp_mmu())
			break;
		return ret | kSwProtectedBit | (snp_vms_possible() ? kSnpBit : 0);
	case KAPI_CAP_X86_SMM:
		/* The state of a vCPU is not KVM's to save. */
		if (!kvm || !kapi_kvm_is_snp_model(kvm))
			break;
		return 0;
	case KAPI_CAP_GUEST_MEMFD:
		/* There is a file for every VM now. */
		if (!files_can_be_mappable())
			break;
		return 1;
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		if (!kapi_feature(KAPI_FEATURE_BACKEND))
			break;
		return static_cast<int>(known_flags(kvm));
	case GMEM_CAP_MEMORY_ATTRIBUTES:
		if (!sharing_is_extended())
			break;
		return converts(kvm) ? KAPI_ATTRIBUTE_PRIVATE : 0;
	case GMEM_CAP_MEMORY_ATTRIBUTES_OLD:
		if (!sharing_is_extended() || kapi_capability_taken(extension))
			break;
		return converts(kvm);
	case KVM_CAP_PCI_HOLE_MEM:
		return holes_possible(kvm);
	case KVM_CAP_GUEST_MEMFD_LINK:
		return links_possible(kvm);
	}
	entry.stock();
	return ret;
}

long gmem_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	Entry entry{ KAPI_ENTRY_VM_IOCTL };
	struct kvm *const kvm = kapi_file_vm(file);
	const auto stock = [&] {
		entry.stock();
		return kapi_stock_vm_ioctl(file, ioctl, arg);
	};
	const ModuleRef module;
	struct kapi_region region;

	/* Another process's VM, or a dead one; or the module is going. */
	if (!kapi_kvm_usable(kvm) || !module)
		return stock();
	if (kapi_region_read(&region, ioctl, arg) == 0) {
		/*
		 * KVM reads the request again: whether it takes a memslot away shows then, and
		 * one that only then makes a memslot of ours is refused.
		 */
		const SlotRequest request{ kvm, region };
		const long ret = serve_region(kvm, ioctl, arg, region);

		return ret == -ENOTTY ? stock() : ret;
	}

	const long ret = serve_ioctl(kvm, ioctl, arg);

	return ret == -ENOTTY ? stock() : ret;
}

int gmem_kvm_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			  struct kvm_memory_slot *slot, int change)
{
	Entry entry{ KAPI_ENTRY_PREPARE_SLOT };
	/* KVM would put another in its place and free the one that the file knows. */
	if (change >= KAPI_MR_MOVE && (kapi_slot_has_gmem(old) || !may_change(old)))
		return -EINVAL;
	if (kapi_alias_pending(kvm))
		return prepare_alias(kvm, old, slot, change).code();
	if (change != KAPI_MR_DELETE && !leaves_c_bit_alone(kvm, slot))
		return -EINVAL;
	if (making_shared_slot(kvm))
		return prepare_shared_slot(kvm, old, slot, change).code();
	entry.stock();
	return kapi_stock_prepare_slot(kvm, old, slot, change);
}
