// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that KVM's calls land in (include/gmem/gmem.h), and the ones
 * wrapped around KVM's own. Each decides whether the file or slot at hand is
 * ours, and hands it to the stock body if not.
 */
#include <gmem/gmem.h>
#include <uapi/gmem.h>

#include "arch/x86/platforms.h"
#include "gmem/file.h"
#include "mmu/attributes.h"
#include "mmu/guards.h"
#include "mmu/link.h"
#include "mmu/memslot.h"
#include "mmu/pci_hole.h"
#include "mmu/populate.h"
#include "mmu/slots.h"

namespace
{

using namespace gmem;

/* Counts the call, and keeps the module from unloading under it. */
class Entry {
    public:
	explicit Entry(kapi_entry entry) : entry_(entry) { kapi_entry_enter(entry_); }
	~Entry() { kapi_entry_leave(entry_, served_); }
	Entry(const Entry &) = delete;
	Entry &operator=(const Entry &) = delete;

	/* The stock body answers. */
	void stock() { served_ = false; }

    private:
	const kapi_entry entry_;
	bool served_ = true;
};

/*
 * What a call about the file behind @handle returns: @none without one, and what
 * @stock or @ours says of a file of the stock backend's or of ours.
 */
template <class Stock, class Ours>
auto serve(Entry &entry, const FileRef &handle, int none, Stock stock, Ours ours)
	-> decltype(stock())
{
	if (!handle)
		return none;
	if (File *const file = File::of(handle.get()))
		return ours(*file);
	entry.stock();
	return stock();
}

/* Whether all is there that files need which user space can map. */
bool files_can_be_mappable()
{
	return kapi_entry_attached(KAPI_ENTRY_VM_IOCTL) &&
	       kapi_entry_attached(KAPI_ENTRY_SLOT_PFN) &&
	       kapi_entry_attached(KAPI_ENTRY_MAPPING_LEVEL) &&
	       kapi_entry_attached(KAPI_ENTRY_PREPARE_SLOT);
}

/* Flags that a file of @kvm can be created with; all that there are without one. */
std::uint64_t known_flags(struct kvm *kvm)
{
	std::uint64_t flags = 0;

	if (kapi_setting_huge() == KAPI_HUGE_ADVISE)
		flags |= GMEM_FLAG_HUGE;
	if (files_can_be_mappable()) {
		flags |= GUEST_MEMFD_FLAG_MMAP;
		/* What the hardware has encrypted for a guest cannot have begun as shared. */
		if (!kvm || kapi_kvm_type(kvm) <= KAPI_VM_SW_PROTECTED)
			flags |= GUEST_MEMFD_FLAG_INIT_SHARED;
	}
	return flags;
}

/* What a page must be for a shared access. */
Share share_of_shared(const File &file)
{
	return file.converts() ? Share::kShared : Share::kEither;
}

/* The mappable file of @slot, or NULL; @handle keeps it. */
File *mappable_file(const FileRef &handle)
{
	File *const file = handle ? File::of(handle.get()) : nullptr;

	return file && file->inode().store().kind().mappable ? file : nullptr;
}

/*
 * What KVM_RUN returns for a shared fault that KVM calls -EFAULT. This KVM has no exit
 * for it, and a signal for poison, as if the page were at the slot's user address.
 */
int explain_shared_fault(struct kvm_vcpu *vcpu, Gfn gfn)
{
	struct kvm *const kvm = kapi_vcpu_kvm(vcpu);
	struct kvm_memory_slot *const slot = kapi_kvm_slot_of(kvm, gfn.value);

	if (!kapi_slot_only(slot))
		return -EFAULT;

	const FileRef handle{ kapi_slot_file_get(slot) };
	File *const file = mappable_file(handle);
	Status status = error(EFAULT);

	if (file)
		status = memslot_page(*file, kvm, slot, gfn, share_of_shared(*file)).status();
	/* It has come, or has become private, meanwhile. */
	if (status.ok() || status == error(EAGAIN))
		return kGoOn;
	kapi_vcpu_exit_shared(vcpu, gfn.value);
	return status.code();
}

} /* namespace */

int gmem_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	Entry entry{ KAPI_ENTRY_CREATE };
	std::uint64_t size, flags;

	kapi_create_args(args, &size, &flags);
	if (flags & ~known_flags(kvm))
		return -EINVAL;
	/* Sizes are loff_t to the kernel: the top bit makes them negative. */
	if (size == 0 || size >> 63 || size % kPageSize)
		return -EINVAL;

	const FileKind kind{
		.huge = kapi_setting_huge() == KAPI_HUGE_ALWAYS || flags & GMEM_FLAG_HUGE,
		.mappable = (flags & GUEST_MEMFD_FLAG_MMAP) != 0,
		/* Nobody could tell, of a file that only serves private faults. */
		.shared = flags & GUEST_MEMFD_FLAG_INIT_SHARED && flags & GUEST_MEMFD_FLAG_MMAP,
	};
	const Result<Platform *> platform = platform_for(kvm);

	if (!platform.ok())
		return platform.status().code();

	const Result<int> fd = File::create(kvm, *platform.value(), size, kind);

	platform.value()->drop(); /* the inode has its own use */
	return fd.ok() ? fd.value() : fd.status().code();
}

int gmem_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd, long long offset)
{
	Entry entry{ KAPI_ENTRY_BIND };
	const FileRef handle{ kapi_file_from_fd(fd) };

	return serve(
		entry, handle, -EBADF, [&] { return kapi_stock_bind(kvm, slot, fd, offset); },
		[&](File &file) {
			return bind_memslot(file, handle.get(), kvm, slot, offset).code();
		});
}

void gmem_unbind(struct kvm_memory_slot *slot)
{
	Entry entry{ KAPI_ENTRY_UNBIND };
	/*
	 * The file may be dying, but its release needs slots_lock before it can
	 * go further than that: what the slot points to is still there.
	 */
	struct file *const handle = kapi_slot_file(slot);

	if (!handle)
		return;

	File *const file = File::of(handle);

	if (!file) {
		entry.stock();
		kapi_stock_unbind(slot);
		return;
	}
	unbind_memslot(*file, slot);
}

int gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gmem_u64 gfn, gmem_u64 *pfn,
		 int *max_order)
{
	Entry entry{ KAPI_ENTRY_GET_PFN };
	const auto ours = [&](File &file) {
		Result<Backing> backing = memslot_fault(file, kvm, slot, Gfn{ gfn },
							Share::kPrivate);

		if (!backing.ok())
			return backing.status().code();
		*pfn = kapi_page_pfn(backing.value().page.get());
		if (max_order)
			*max_order = static_cast<int>(backing.value().order);
		backing.value().page.release(); /* the caller's now */
		return 0;
	};

	return serve(
		entry, FileRef{ kapi_slot_file_get(slot) }, -EFAULT,
		[&] { return kapi_stock_get_pfn(kvm, slot, gfn, pfn, max_order); }, ours);
}

long gmem_populate(struct kvm *kvm, gmem_u64 gfn, void *src, long npages, gmem_populate_cb cb,
		   void *opaque)
{
	Entry entry{ KAPI_ENTRY_POPULATE };

	kapi_kvm_assert_slots_lock(kvm);
	if (npages < 0)
		return -EINVAL;

	struct kvm_memory_slot *const slot = kapi_kvm_slot_of(kvm, gfn);

	if (!slot || !kapi_slot_has_gmem(slot))
		return -EINVAL;

	return serve(
		entry, FileRef{ kapi_slot_file_get(slot) }, -EFAULT,
		[&] { return kapi_stock_populate(kvm, gfn, src, npages, cb, opaque); },
		[&](File &file) {
			return populate_memslot(file, PopulateRequest{ kvm, slot, Gfn{ gfn }, src,
								       npages, cb, opaque });
		});
}

int gmem_kvm_init_vm(struct kvm *kvm, unsigned long type)
{
	Entry entry{ KAPI_ENTRY_INIT_VM };

	int ret = kapi_stock_init_vm(kvm, type);

	if (type != KAPI_VM_SW_PROTECTED || ret != -EINVAL) {
		entry.stock();
		return ret;
	}
	/* A kernel built without software-protected VMs: one is a default VM with private memory. */
	ret = kapi_stock_init_vm(kvm, KAPI_VM_DEFAULT);
	if (ret == 0)
		kapi_kvm_make_sw_protected(kvm);
	return ret;
}

int gmem_kvm_check_extension(struct kvm *kvm, long extension)
{
	Entry entry{ KAPI_ENTRY_CHECK_EXTENSION };
	/* KVM_CAP_VM_TYPES of <linux/kvm.h>. */
	constexpr long kCapVmTypes = 235;
	constexpr int kSwProtectedBit = 1 << 1;

	const int ret = kapi_stock_check_extension(kvm, extension);

	switch (extension) {
	case kCapVmTypes:
		return ret | kSwProtectedBit;
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		if (kapi_setting_backend_stock())
			break;
		return static_cast<int>(known_flags(kvm));
	case KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES:
		return files_can_be_mappable() && (!kvm || kapi_kvm_has_private_mem(kvm));
	case KVM_CAP_PCI_HOLE_MEM:
		return holes_possible(kvm);
	case KVM_CAP_GUEST_MEMFD_LINK:
		return links_possible(kvm);
	}
	entry.stock();
	return ret;
}

int gmem_kvm_page_fault(struct kvm_vcpu *vcpu, gmem_u64 gpa, gmem_u64 error, void *insn,
			int insn_len)
{
	Entry entry{ KAPI_ENTRY_PAGE_FAULT };
	/* PFERR_PRESENT_MASK, PFERR_RSVD_MASK and PFERR_PRIVATE_ACCESS of <asm/kvm_host.h>. */
	constexpr gmem_u64 kPresent = 1ull << 0, kWrite = 1ull << 1, kReserved = 1ull << 3,
			   kPrivateAccess = 1ull << 49;

	/*
	 * Reserved bits are how KVM remembers emulated MMIO, which is never
	 * private. It does not forget when the page is made private, and would take
	 * every later access for one to the MMIO of before.
	 */
	if (kapi_kvm_sw_private(vcpu, gpa))
		error = (error & ~(error & kReserved ? kReserved | kPresent : 0)) | kPrivateAccess;
	else
		entry.stock();

	const int ret = kapi_stock_page_fault(vcpu, gpa, error, insn, insn_len);

	if (ret == -EFAULT && !(error & kPrivateAccess))
		return explain_shared_fault(vcpu, Gfn{ gpa >> kPageShift });
	if (ret == kGoOn && !(error & kWrite))
		map_hole_ahead(vcpu, gpa);
	return ret;
}

long gmem_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	Entry entry{ KAPI_ENTRY_VM_IOCTL };
	/* KVM_CHECK_EXTENSION and KVM_CAP_GUEST_MEMFD of <linux/kvm.h>. */
	constexpr unsigned kCheckExtension = 0xae03;
	constexpr unsigned long kCapGuestMemfd = 234;
	struct kvm *const kvm = kapi_file_vm(file);
	struct kvm_link_guest_memfd link;
	struct kapi_region region;
	GfnRange gfns;
	bool to_private;

	/* Which KVM answers by itself: there is a file for every VM now. */
	if (ioctl == kCheckExtension && arg == kCapGuestMemfd && files_can_be_mappable())
		return 1;
	if (ioctl == KVM_LINK_GUEST_MEMFD && !kapi_setting_backend_stock()) {
		if (kapi_link_read(&link, arg) != 0)
			return -EFAULT;

		const Result<int> fd = link_file(kvm, link);

		return fd.ok() ? fd.value() : fd.status().code();
	}
	if (kapi_region_read(&region, ioctl, arg) == 0) {
		struct kapi_region_gmem gmem;

		if (region.flags & KVM_MEM_PCI_HOLE)
			return set_hole(kvm, region).code();
		if (files_can_be_mappable() && wants_shared_slot(kvm, ioctl, region)) {
			if (kapi_region_read_gmem(&gmem, arg) != 0)
				return -EFAULT;
			return set_shared_slot(kvm, region, gmem).code();
		}
	} else if (kapi_attributes_read(kvm, &gfns.start.value, &gfns.end.value, &to_private, ioctl,
					arg) == 0 &&
		   kapi_kvm_usable(kvm)) {
		/* Not KVM's own even without files of ours: that is without bounds. */
		const auto lock = KillableSlotsLock::take(kvm);

		return lock.ok() ? convert_gfns(kvm, gfns, to_private).code()
				 : lock.status().code();
	}
	entry.stock();
	return kapi_stock_vm_ioctl(file, ioctl, arg);
}

int gmem_kvm_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			  struct kvm_memory_slot *slot, int change)
{
	Entry entry{ KAPI_ENTRY_PREPARE_SLOT };
	/* KVM_MR_MOVE of <linux/kvm_host.h>; behind it only KVM_MR_FLAGS_ONLY. */
	constexpr int kMove = 2;

	/* KVM would put another in its place and free the one that the file knows. */
	if (change >= kMove && kapi_slot_has_gmem(old))
		return -EINVAL;
	if (making_shared_slot(kvm))
		return prepare_shared_slot(kvm, old, slot, change).code();
	entry.stock();
	return kapi_stock_prepare_slot(kvm, old, slot, change);
}

gmem_u64 gmem_kvm_slot_pfn(const struct kvm_memory_slot *slot, gmem_u64 gfn, bool atomic,
			   bool interruptible, bool *async, bool write, bool *writable,
			   unsigned long *hva)
{
	Entry entry{ KAPI_ENTRY_SLOT_PFN };

	if (!kapi_slot_only(slot)) {
		entry.stock();
		return kapi_stock_slot_pfn(slot, gfn, atomic, interruptible, async, write, writable,
					   hva);
	}
	if (writable)
		*writable = true;
	if (hva)
		*hva = kapi_slot_hva(slot, gfn);

	struct kvm_memory_slot *const ours = const_cast<struct kvm_memory_slot *>(slot);
	const FileRef handle{ kapi_slot_file_get(ours) };
	File *const file = mappable_file(handle);

	/* The file has gone; or there is always something to sleep for. */
	if (!file || atomic)
		return kapi_pfn_error();

	/* Faults, which are tried again, ask for the address as well. */
	Result<Backing> backing = (hva ? memslot_fault : memslot_page)(
		*file, file->vm(), ours, Gfn{ gfn }, share_of_shared(*file));

	if (!backing.ok())
		return kapi_pfn_error();
	return kapi_page_pfn(backing.value().page.release());
}

int gmem_kvm_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, gmem_u64 gfn,
			   int max_level, bool is_private)
{
	Entry entry{ KAPI_ENTRY_MAPPING_LEVEL };
	/* PG_LEVEL_4K and PG_LEVEL_2M of <asm/pgtable_types.h>. */
	constexpr int k4K = 1, k2M = 2;

	if (!is_private && kapi_slot_has_gmem(slot)) {
		struct kvm_memory_slot *const ours = const_cast<struct kvm_memory_slot *>(slot);
		const FileRef handle{ kapi_slot_file_get(ours) };

		if (File *const file = mappable_file(handle)) {
			const int level = memslot_shared_order(*file, ours, Gfn{ gfn }) ? k2M : k4K;

			/* As for private memory: not by how user space has it mapped. */
			return std::min(level,
					kapi_stock_mapping_level(kvm, slot, gfn, max_level, true));
		}
	}
	entry.stock();
	return kapi_stock_mapping_level(kvm, slot, gfn, max_level, is_private);
}

int gmem_memory_failure(unsigned long pfn, int flags)
{
	Entry entry{ KAPI_ENTRY_MEMORY_FAILURE };

	if (!kapi_poison_expose(pfn))
		entry.stock();
	return kapi_stock_memory_failure(pfn, flags);
}
