// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's own accesses to the memory of a guest on the SNP model: instructions that it
 * emulates, string I/O, page tables, clocks. KVM makes them by the user address of a memslot,
 * where user space has nothing of a private page. Here they reach the page of the file.
 * Memory of hardware's guests cannot be read on their behalf; those are left alone. An address
 * with the guest's C-bit reaches private pages alone, one without it whatever is there.
 */
#include "kapi/accesses.h"

#include <cstring>

#include "kapi/sev.h"
#include "mmu/accesses.h"
#include "mmu/c_bit.h"
#include "mmu/entry.h"
#include "mmu/memslot.h"

namespace
{

using namespace gmem;

bool on_model(struct kvm *kvm)
{
	return kapi_kvm_type(kvm) == KAPI_VM_SW_PROTECTED &&
	       kapi_setting_platform() == KAPI_PLATFORM_SNP_MODEL;
}

/*
 * The private page at @gfn of @slot, which KVM has it by. -ENOENT: it is shared, or not a
 * guest's on the model, or the file has gone: the stock body's. -EFAULT: it cannot be had.
 */
Result<PageRef> private_page(struct kvm_memory_slot *slot, Gfn gfn)
{
	if (!kapi_slot_has_gmem(slot))
		return error(ENOENT);

	const FileRef handle{ kapi_slot_file_get(slot) };
	File *const file = handle ? File::of(handle.get()) : nullptr;

	if (!file || !on_model(file->vm()))
		return error(ENOENT);
	for (;;) {
		if (!kapi_kvm_range_private(file->vm(), gfn.value, gfn.value + 1))
			return error(ENOENT);

		Result<Backing> backing = memslot_kernel_page(*file, file->vm(), slot, gfn,
							      Share::kPrivate);

		if (backing.ok())
			return std::move(backing.value().page);
		/* Its file's state had changed, and the attribute follows. */
		if (backing.status() != error(EAGAIN) || kapi_fatal_signal_pending())
			return error(EFAULT);
	}
}

std::byte *bytes_of(const PageRef &page, std::uint64_t gpa)
{
	return static_cast<std::byte *>(kapi_frame(kapi_page_pfn(page.get()))) + gpa % kPageSize;
}

/*
 * The same of a memslot that may be the alias, where nothing else is. If the page changes on the
 * way, the stock body says so: the alias has no address in user space.
 */
Result<PageRef> page_at(struct kvm_memory_slot *slot, Gfn gfn)
{
	if (!kapi_slot_is_alias(slot))
		return private_page(slot, gfn);

	const Result<Shown> at = shown_at(kapi_alias_kvm(slot), slot, gfn);

	if (!at.ok())
		return error(EFAULT);
	return private_page(at.value().slot, at.value().gfn);
}

/*
 * @use(bytes) of the private page at @gpa. -ENOENT: the stock body has to serve it;
 * -EFAULT.
 */
template <class Fn>
Status with_private(struct kvm *kvm, std::uint64_t gpa, std::size_t size, Fn use)
{
	if (gpa == kapi_no_gpa() || gpa % kPageSize + size > kPageSize)
		return error(ENOENT);

	const Gfn gfn{ gpa >> kPageShift };
	GMEM_TRY(page, page_at(kapi_kvm_slot_of(kvm, gfn.value), gfn));

	use(bytes_of(page, gpa));
	return Status{};
}

} /* namespace */

/* ---- page tables ----------------------------------------------------------------------- */

namespace gmem
{

Result<std::uint64_t> VcpuTables::read(std::uint64_t gpa, unsigned size)
{
	const Gfn gfn{ gpa >> kPageShift };
	std::uint64_t value = 0;
	const int ret = gmem_kvm_read_page(kapi_kvm_slot_of(kvm_, gfn.value), gfn.value, &value,
					   static_cast<int>(gpa % kPageSize),
					   static_cast<int>(size));

	if (ret != 0)
		return error(EFAULT);
	return value;
}

kapi_paging vcpu_paging(struct kvm_vcpu *vcpu)
{
	kapi_paging paging = kapi_vcpu_paging(vcpu);

	paging.reserved = CBit::of(kapi_vcpu_kvm(vcpu)).without(paging.reserved);
	return paging;
}

/* Tables in shared memory are left as they are. */
Status VcpuTables::replace(const TableEntry &entry, std::uint64_t wanted)
{
	bool same = true;
	const Status status = with_private(kvm_, entry.gpa, entry.size, [&](std::byte *at) {
		same = kapi_exchange(at, entry.size, entry.value, wanted);
	});

	if (!same)
		return error(EAGAIN);
	return status == error(ENOENT) ? Status{} : status;
}

} /* namespace gmem */

int gmem_kvm_read_page(struct kvm_memory_slot *slot, kapi_u64 gfn, void *data, int offset, int len)
{
	Entry entry{ KAPI_ENTRY_READ_PAGE };
	const Result<PageRef> page = page_at(slot, Gfn{ gfn });

	if (page.status() == error(ENOENT)) {
		entry.stock();
		return kapi_stock_read_page(slot, gfn, data, offset, len);
	}
	if (page.ok())
		std::memcpy(data, bytes_of(page.value(), static_cast<unsigned>(offset)),
			    static_cast<std::size_t>(len));
	return page.status().code();
}

int gmem_kvm_write_page(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn,
			const void *data, int offset, int len)
{
	Entry entry{ KAPI_ENTRY_WRITE_PAGE };
	const Result<PageRef> page = page_at(slot, Gfn{ gfn });

	if (page.status() == error(ENOENT)) {
		entry.stock();
		return kapi_stock_write_page(kvm, slot, gfn, data, offset, len);
	}
	if (page.ok())
		std::memcpy(bytes_of(page.value(), static_cast<unsigned>(offset)), data,
			    static_cast<std::size_t>(len));
	return page.status().code();
}

int gmem_kvm_read_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			 unsigned int offset, unsigned long len)
{
	Entry entry{ KAPI_ENTRY_READ_CACHED };
	const std::uint64_t gpa = kapi_hva_cache_gpa(cache) + offset;

	const Status status = with_private(kvm, gpa, len,
					   [&](std::byte *at) { std::memcpy(data, at, len); });

	if (status != error(ENOENT))
		return status.code();
	entry.stock();
	return kapi_stock_read_cached(kvm, cache, data, offset, len);
}

int gmem_kvm_write_cached(struct kvm *kvm, struct gfn_to_hva_cache *cache, void *data,
			  unsigned int offset, unsigned long len)
{
	Entry entry{ KAPI_ENTRY_WRITE_CACHED };
	const std::uint64_t gpa = kapi_hva_cache_gpa(cache) + offset;

	const Status status = with_private(kvm, gpa, len,
					   [&](std::byte *at) { std::memcpy(at, data, len); });

	if (status != error(ENOENT))
		return status.code();
	entry.stock();
	return kapi_stock_write_cached(kvm, cache, data, offset, len);
}

void gmem_kvm_steal_time(struct kvm_vcpu *vcpu)
{
	Entry entry{ KAPI_ENTRY_STEAL_TIME };

	const Status status = with_private(kapi_vcpu_kvm(vcpu), kapi_vcpu_steal_gpa(vcpu),
					   KAPI_STEAL_TIME_SIZE,
					   [&](std::byte *at) { kapi_steal_time_write(vcpu, at); });

	if (status != error(ENOENT))
		return;
	entry.stock();
	kapi_stock_steal_time(vcpu);
}

void gmem_kvm_pvclock(struct kvm_vcpu *vcpu, struct gfn_to_pfn_cache *cache, unsigned int offset,
		      struct pvclock_vcpu_time_info *clock, bool unstable)
{
	Entry entry{ KAPI_ENTRY_PVCLOCK };
	const std::uint64_t start = kapi_pfn_cache_gpa(cache);
	const std::uint64_t gpa = start == kapi_no_gpa() ? start : start + offset;

	const Status status =
		with_private(kapi_vcpu_kvm(vcpu), gpa, KAPI_PVCLOCK_SIZE,
			     [&](std::byte *at) { kapi_pvclock_write(vcpu, clock, unstable, at); });

	if (status != error(ENOENT))
		return;
	entry.stock();
	kapi_stock_pvclock(vcpu, cache, offset, clock, unstable);
}

kapi_u64 gmem_kvm_walk(struct kvm_vcpu *vcpu, void *walk, kapi_u64 addr, kapi_u64 access,
		       struct x86_exception *exception, bool wide)
{
	Entry entry{ wide ? KAPI_ENTRY_WALK64 : KAPI_ENTRY_WALK32 };

	/* The tables of a nested guest, and of its nested tables. */
	if (!kapi_vcpu_is_direct(vcpu)) {
		entry.stock();
		return kapi_stock_walk(vcpu, walk, addr, access, exception, wide);
	}

	VcpuTables tables{ kapi_vcpu_kvm(vcpu) };
	const kapi_paging paging = vcpu_paging(vcpu);
	const Translation result = translate(tables, paging, addr, access);

	if (result.found)
		return result.gpa;
	kapi_exception_fill(exception, addr, result.error_code);
	return kapi_no_gpa();
}
