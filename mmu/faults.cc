// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries wrapped around KVM's own functions for faults, and for whatever else of
 * KVM's finds the page behind a gfn by a memslot's user address. A memslot on a mappable
 * file (kapi_slot_only()) has no other memory than that, from binding to unbinding: no
 * answer here depends on whether the file can be had just now.
 */
#include "kapi/accesses.h"
#include "kapi/guest.h"
#include "kapi/vc.h"
#include "mmu/c_bit.h"
#include "mmu/entry.h"
#include "mmu/memslot.h"
#include "mmu/pci_hole.h"

namespace
{

using namespace gmem;

/* The file of a memslot on a mappable one; NULL: it has gone or is going. */
File *mappable_file(const FileRef &handle)
{
	File *const file = handle ? File::of(handle.get()) : nullptr;

	return file && file->inode().store().kind().mappable ? file : nullptr;
}

/* The fault of the current task, while memslots on mappable files are there. */
class SharedFault {
    public:
	SharedFault() : begun_(kapi_faults_matter())
	{
		if (begun_)
			kapi_fault_begin(&fault_);
	}
	~SharedFault()
	{
		if (begun_)
			kapi_fault_end(&fault_);
	}
	SharedFault(const SharedFault &) = delete;
	SharedFault &operator=(const SharedFault &) = delete;

	/* The first such memslot came meanwhile, and the fault may have been on it. */
	bool unseen() const { return !begun_ && kapi_faults_matter(); }
	int error() const { return begun_ ? fault_.error : 0; }
	Gfn gfn() const { return Gfn{ fault_.gfn }; }

    private:
	const bool begun_;
	kapi_fault fault_{};
};

/* memslot_fault() or memslot_kernel_page(). */
using WayIn = Result<Backing>(File &, struct kvm *, struct kvm_memory_slot *, Gfn, Share);

/* The shared page of @slot, which is its file's alone. */
Result<Backing> shared_page(struct kvm_memory_slot *slot, Gfn gfn, WayIn way_in)
{
	const FileRef handle{ kapi_slot_file_get(slot) };
	File *const file = mappable_file(handle);

	if (!file)
		return error(EFAULT);
	return way_in(*file, file->vm(), slot, gfn, shared_of(*file));
}

/*
 * __gfn_to_pfn_memslot(). Of a memslot that is its file's alone the page comes by
 * @way_in, and @missed(error) is called if it does not.
 */
template <class Fn>
kapi_u64 slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic, bool interruptible,
		  bool *async, bool write, bool *writable, unsigned long *hva, WayIn way_in,
		  Fn missed)
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
	/* There is always something to sleep for. */
	if (atomic)
		return kapi_pfn_error();

	Result<Backing> backing = shared_page(const_cast<struct kvm_memory_slot *>(slot),
					      Gfn{ gfn }, way_in);

	if (backing.ok())
		return kapi_page_pfn(backing.value().page.release());
	missed(backing.status().code());
	return kapi_pfn_error();
}

/* The C-bit of the guest that runs now, which is no nested one. */
CBit c_bit_of(struct kvm_vcpu *vcpu)
{
	return kapi_vcpu_is_direct(vcpu) ? CBit::of(kapi_vcpu_kvm(vcpu)) : CBit{};
}

/*
 * Whether the guest means a private page. Its code and its page tables are private, and so is
 * all that it has without entries that could have the bit, of 8 bytes.
 */
bool means_private(struct kvm_vcpu *vcpu, CBit c_bit, kapi_u64 gpa, kapi_u64 error)
{
	constexpr unsigned kLevelsOfWide = 3;

	return c_bit.in(gpa) || error & (KAPI_PFERR_FETCH | KAPI_PFERR_GUEST_PAGE) ||
	       kapi_vcpu_paging(vcpu).levels < kLevelsOfWide;
}

/* The access is to another kind of page than is there: the VMM hears of it, as on hardware. */
int wrong_kind(struct kvm_vcpu *vcpu, kapi_u64 gpa, bool is_private)
{
	if (is_private)
		kapi_vcpu_exit_private(vcpu, gpa);
	else
		kapi_vcpu_exit_shared(vcpu, gpa >> kPageShift);
	return -EFAULT;
}

/* Private pages are mapped where the guest has them. */
long pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	const CBit c_bit = CBit::of(kapi_vcpu_kvm(vcpu));

	if (!c_bit)
		return kapi_stock_pre_fault(vcpu, range);

	const kapi_u64 gpa = kapi_prefault_gpa(range);

	if (c_bit.in(gpa))
		return -EINVAL;
	return kapi_stock_pre_fault_at(vcpu, range,
				       kapi_kvm_sw_private(vcpu, gpa) ? gpa | c_bit.mask() : gpa);
}

} /* namespace */

int gmem_kvm_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			int insn_len)
{
	Entry entry{ KAPI_ENTRY_PAGE_FAULT };
	constexpr kapi_u64 kOfMmio = KAPI_PFERR_RSVD | KAPI_PFERR_PRESENT;
	const CBit c_bit = c_bit_of(vcpu);
	const kapi_u64 plain = c_bit.without(gpa);
	const bool is_private = kapi_vcpu_is_direct(vcpu) && kapi_kvm_sw_private(vcpu, plain);

	if (c_bit && means_private(vcpu, c_bit, gpa, error) != is_private)
		return wrong_kind(vcpu, plain, !is_private);

	int ret;

	if (is_private && kapi_guests_get_vc() && gmem_kvm_unvalidated(vcpu, plain, &ret))
		return ret;
	/*
	 * Reserved bits are how KVM remembers emulated MMIO, which is never
	 * private. It does not forget when the page is made private, and would take
	 * every later access for one to the MMIO of before. A nested guest's address is
	 * no gfn; its accesses are shared ones.
	 */
	if (is_private)
		error = (error & ~kapi_u64{ error & KAPI_PFERR_RSVD ? kOfMmio : 0 }) |
			KAPI_PFERR_PRIVATE_ACCESS;
	else
		entry.stock();

	{
		const SharedFault fault;

		ret = kapi_stock_page_fault(vcpu, gpa, error, insn, insn_len);
		/* What it had with its C-bit is another page by now. */
		if (ret == -EAGAIN && c_bit.in(gpa))
			return kGoOn;
		if (ret < 0 && c_bit)
			kapi_vcpu_exit_without(vcpu, c_bit.mask());
		if (ret == -EFAULT && fault.unseen())
			return kGoOn;
		/*
		 * This KVM has no exit for it, and a signal for poison, as if the page
		 * were at the slot's user address.
		 */
		if (ret == -EFAULT && fault.error()) {
			kapi_vcpu_exit_shared(vcpu, fault.gfn().value);
			return fault.error();
		}
	}
	if (ret >= kGoOn && !(error & KAPI_PFERR_WRITE))
		map_hole_ahead(vcpu, gpa);
	return ret;
}

kapi_u64 gmem_kvm_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			   bool interruptible, bool *async, bool write, bool *writable,
			   unsigned long *hva)
{
	return slot_pfn(slot, gfn, atomic, interruptible, async, write, writable, hva,
			memslot_kernel_page, [](int) {});
}

kapi_u64 gmem_kvm_fault_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
				 bool interruptible, bool *async, bool write, bool *writable,
				 unsigned long *hva)
{
	return slot_pfn(slot, gfn, atomic, interruptible, async, write, writable, hva,
			memslot_fault, [=](int error) { kapi_fault_note(gfn, error); });
}

/*
 * Shadow page tables, of nested guests, are filled ahead by user address: with another
 * page, where the gfn is private or the memslot a file's alone. It is not needed.
 */
kapi_u64 gmem_kvm_prefetch_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn)
{
	Entry entry{ KAPI_ENTRY_PREFETCH_PFN };

	if (kapi_slot_has_gmem(slot))
		return kapi_pfn_error();
	entry.stock();
	return kapi_stock_prefetch_pfn(slot, gfn);
}

int gmem_kvm_prefetch_pages(struct kvm_memory_slot *slot, kapi_u64 gfn, struct page **pages,
			    int count)
{
	Entry entry{ KAPI_ENTRY_PREFETCH_PAGES };

	if (kapi_slot_has_gmem(slot))
		return -1;
	entry.stock();
	return kapi_stock_prefetch_pages(slot, gfn, pages, count);
}

int gmem_kvm_vcpu_map(struct kvm_vcpu *vcpu, kapi_u64 gfn, struct kvm_host_map *map, bool writable)
{
	Entry entry{ KAPI_ENTRY_VCPU_MAP };
	struct kvm *const kvm = kapi_vcpu_kvm(vcpu);
	struct kvm_memory_slot *const slot = map ? kapi_kvm_slot_of(kvm, gfn) : nullptr;

	if (kapi_kvm_has_shared_slots() || !kapi_slot_only(slot)) {
		/* What user space has there is another page. */
		if (kapi_slot_has_gmem(slot) && kapi_kvm_type(kvm) == KAPI_VM_SW_PROTECTED &&
		    kapi_kvm_range_private(kvm, gfn, gfn + 1))
			return -EINVAL;
		entry.stock();
		return kapi_stock_vcpu_map(vcpu, gfn, map, writable);
	}

	Result<Backing> backing = shared_page(slot, Gfn{ gfn }, memslot_kernel_page);

	if (!backing.ok())
		return -EINVAL;
	kapi_host_map_fill(map, backing.value().page.release(), gfn);
	return 0;
}

int gmem_kvm_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			   int max_level, bool is_private)
{
	Entry entry{ KAPI_ENTRY_MAPPING_LEVEL };
	if (is_private || !kapi_slot_only(slot)) {
		entry.stock();
		return kapi_stock_mapping_level(kvm, slot, gfn, max_level, is_private);
	}

	struct kvm_memory_slot *const ours = const_cast<struct kvm_memory_slot *>(slot);
	const FileRef handle{ kapi_slot_file_get(ours) };
	File *const file = mappable_file(handle);
	/* Of a file that is going only the one page at hand is known. */
	const int level = file && memslot_shared_order(*file, ours, Gfn{ gfn }) ? KAPI_LEVEL_2M
										: KAPI_LEVEL_4K;

	/* As for private memory: not by how user space has it mapped. */
	return std::min(level, kapi_stock_mapping_level(kvm, slot, gfn, max_level, true));
}

long gmem_kvm_pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	Entry entry{ KAPI_ENTRY_PRE_FAULT };
	kapi_prefault prefault{};

	if (!kapi_prefault_begin(&prefault, vcpu))
		return -EAGAIN;
	entry.stock();

	const long ret = pre_fault(vcpu, range);

	return kapi_prefault_end(&prefault) && ret == -EINTR ? -EAGAIN : ret;
}
