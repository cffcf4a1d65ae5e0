// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boundary against events in any order: a file that is dying, a module that is
 * being unloaded, a host without the TDP MMU. Whether gmem or the stock body answers is
 * decided by the slot, the file or the VM, not by what can be had at the moment.
 *
 * Tests: mmu/entry.cc, mmu/vms.cc, mmu/faults.cc.
 */
#include "kunit/hosted/guest.h"
#include "mmu/pci_hole.h"

using namespace gmem_test;

namespace
{

/* A default VM with a memslot on a mappable file. */
class Only {
    public:
	Only() : g(1024, kInitShared, fake::kDefaultVm)
	{
		const fake::Region2 request{ { 0, KAPI_MEM_GUEST_MEMFD, 0, 1024 * kPageSize, 0 },
					     { 0, static_cast<unsigned>(g.file.fd) } };

		fake::request_region2(g.vm, request);
		slot = fake::region_slot(g.vm, 0);
	}
	kapi_u64 pfn(std::uint64_t gfn) const
	{
		bool writable = false;
		unsigned long hva = 0;

		return gmem_kvm_fault_slot_pfn(slot, gfn, false, false, nullptr, true, &writable,
					       &hva);
	}
	int level(std::uint64_t gfn) const
	{
		return gmem_kvm_mapping_level(g.vm, slot, gfn, KAPI_LEVEL_1G, false);
	}

	Guest g;
	struct kvm_memory_slot *slot;
};

/* The last reference goes between the page and the level: get_file_active() fails. */
void a_dying_file_is_not_user_memory()
{
	Only only;
	const unsigned long before = fake::stock().slot_pfn;
	struct file *const file = only.slot->file;

	EXPECT_EQ(only.g.access(5), 0);
	EXPECT_EQ(only.level(5), KAPI_LEVEL_2M);
	file->refs--;
	EXPECT_EQ(only.level(5), KAPI_LEVEL_4K);
	EXPECT_EQ(only.pfn(6), kapi_pfn_error());
	EXPECT_EQ(fake::stock().slot_pfn.load(), before);
	file->refs++;
	EXPECT_EQ(only.level(5), KAPI_LEVEL_2M);
	/* And when it is gone. */
	only.g.file.close();
	EXPECT_EQ(only.level(5), KAPI_LEVEL_4K);
	EXPECT_EQ(only.pfn(6), kapi_pfn_error());
	EXPECT_EQ(fake::stock().slot_pfn.load(), before);
	EXPECT_EQ(only.g.access(5), -EFAULT);
}

void a_slot_pins_the_module_whatever_becomes_of_its_file()
{
	Only only;

	EXPECT_EQ(fake::module_refs(), 1);
	only.g.file.close();
	EXPECT_EQ(fake::module_refs(), 1);
	EXPECT_EQ(fake::request_region(only.g.vm, { 0, 0, 0, 0, 0 }), 0);
	EXPECT_EQ(fake::module_refs(), 0);
	/* So does a memslot of a VM with private memory. */
	{
		const Guest g{ 512, kInitShared };

		EXPECT_EQ(fake::module_refs(), 1);
	}
	EXPECT_EQ(fake::module_refs(), 0);
}

/* A slot that KVM cannot make in the end. */
void what_fails_pins_nothing()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };
	const fake::Region2 request{ { 0, KAPI_MEM_GUEST_MEMFD, 0, 512 * kPageSize, 0 },
				     { 0, static_cast<unsigned>(g.file.fd) } };

	fake::stock().answer = -EINTR;
	EXPECT_EQ(fake::request_region2(g.vm, request), -EINTR);
	fake::stock().answer = 0;
	EXPECT_EQ(fake::module_refs(), 0);
}

void nothing_is_made_while_the_module_goes()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };
	struct kvm *const heir = world_vm(fake::kDefaultVm);
	struct kvm *const late = world_vm(fake::kDefaultVm);
	const fake::Region2 request{ { 0, KAPI_MEM_GUEST_MEMFD, 0, 512 * kPageSize, 0 },
				     { 0, static_cast<unsigned>(g.file.fd) } };
	const unsigned long creates = fake::stock().create, ioctls = fake::stock_vm_ioctls();

	fake::set_module_going(true);
	/* The stock bodies answer. */
	fake::stock().answer = -EMFILE;
	EXPECT_EQ(world_create(g.vm, kPageSize, 0), -EMFILE);
	EXPECT_EQ(fake::stock().create, creates + 1);
	fake::stock().answer = 0;
	EXPECT_EQ(fake::request_region2(g.vm, request), 0);
	EXPECT_EQ(fake::request_region(g.vm, { 1, KVM_MEM_PCI_HOLE, 1u << 30, kPageSize, 0 }), 0);
	EXPECT_EQ(fake::link(heir, g.file.fd), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), ioctls + 3);
	EXPECT(fake::region_slot(g.vm, 0) == nullptr && fake::region_slot(g.vm, 1) == nullptr);
	EXPECT_EQ(gmem_kvm_init_vm(late, fake::kSwProtectedVm), -EINVAL);
	EXPECT(!late->made_sw_protected);
	fake::set_module_going(false);
	EXPECT_EQ(fake::request_region2(g.vm, request), 0);
	world_vm_put(heir);
	world_vm_put(late);
}

void a_vm_of_ours_pins_the_module()
{
	struct kvm *const vm = world_vm(fake::kDefaultVm);
	const unsigned long before = fake::stock().free_vm;

	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), 0);
	EXPECT_EQ(fake::module_refs(), 1);
	world_vm_put(vm);
	EXPECT_EQ(fake::stock().free_vm, before + 1);
	EXPECT_EQ(fake::module_refs(), 0);

	/* A VM that is not made after all has no reference of the module. */
	struct kvm *const failed = world_vm(fake::kDefaultVm);

	fake::stock().answer = -EINVAL;
	EXPECT_EQ(gmem_kvm_init_vm(failed, fake::kSwProtectedVm), -EINVAL);
	fake::stock().answer = 0;
	EXPECT_EQ(fake::module_refs(), 0);
	world_vm_put(failed);
	EXPECT_EQ(fake::module_refs(), 0);
}

/* KVM's older MMU maps what lies at the user address, ahead. */
void without_the_tdp_mmu_neither_type_nor_flags()
{
	constexpr long kTypes = KAPI_CAP_VM_TYPES;
	struct kvm *const vm = world_vm(fake::kDefaultVm);

	fake::set_tdp_mmu(false);
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), -EINVAL);
	EXPECT(!vm->made_sw_protected);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kTypes), 0);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_GUEST_MEMFD_FLAGS), 0);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_GUEST_MEMFD_LINK), 0);
	EXPECT_EQ(world_create(vm, kPageSize, kMmap), -EINVAL);
	fake::set_tdp_mmu(true);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kTypes), 2);
	world_vm_put(vm);
}

void what_was_not_asked_for_is_not_there()
{
	constexpr long kTypes = KAPI_CAP_VM_TYPES;
	struct kvm *const vm = world_vm(fake::kDefaultVm);

	fake::set_features(KAPI_FEATURE_BACKEND);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kTypes), 0);
	for (const long cap :
	     { long{ KVM_CAP_GUEST_MEMFD_FLAGS }, long{ KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES },
	       long{ KVM_CAP_GUEST_MEMFD_LINK }, long{ KVM_CAP_PCI_HOLE_MEM } })
		EXPECT_EQ(gmem_kvm_check_extension(nullptr, cap), 0);
	EXPECT_EQ(world_create(vm, kPageSize, kMmap), -EINVAL);
	world_vm_put(vm);
}

/* KVM's own has no bounds; stock kernels without such VMs refuse it. */
void attributes_of_sw_protected_vms_are_always_ours()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm);
	struct kvm *const snp = world_vm(fake::kSnpVm);
	const unsigned long before = fake::stock_vm_ioctls();

	fake::set_features(KAPI_FEATURE_SW_PROTECTED);
	EXPECT_EQ(fake::set_attributes(vm, 5, 6, false), 0);
	/* A bad request is not KVM's to look at again. */
	EXPECT_EQ(fake::set_attributes(vm, 6, 6, false), -EINVAL);
	EXPECT_EQ(fake::stock_vm_ioctls(), before);
	EXPECT_EQ(fake::set_attributes(snp, 5, 6, false), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 1);
	world_vm_put(vm);
	world_vm_put(snp);
}

void shadow_pages_are_not_filled_ahead()
{
	Only only;
	const Guest g{ 512 };
	const unsigned long before = fake::stock().prefetches;
	struct page *page = nullptr;

	for (struct kvm_memory_slot *const slot : { only.slot, g.slot }) {
		EXPECT_EQ(gmem_kvm_prefetch_pfn(slot, 5), kapi_pfn_error());
		EXPECT(gmem_kvm_prefetch_pages(slot, 5, &page, 1) < 0);
	}
	EXPECT_EQ(fake::stock().prefetches, before);

	const auto plain = fake::slot_make(g.vm, 4096, 512);

	plain->has_gmem = false;
	EXPECT_EQ(gmem_kvm_prefetch_pfn(plain.get(), 5), fake::kStockPfn);
	EXPECT_EQ(gmem_kvm_prefetch_pages(plain.get(), 5, &page, 1), 1);
	EXPECT_EQ(fake::stock().prefetches, before + 2);
}

void pages_for_kvm_itself()
{
	const Guest g{ 512, kInitShared };
	struct kvm_vcpu vcpu {
		g.vm
	};
	struct kvm_host_map map;
	const unsigned long before = fake::stock().vcpu_map;

	EXPECT(g.write(5, 77));
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5, &map, true), 0);
	EXPECT(map.page == g.file.cached(5) && map.gfn == 5);
	kapi_page_put(map.page);
	/* May not sleep. */
	EXPECT_EQ(gmem_kvm_slot_pfn(g.slot, 5, true, false, nullptr, true, nullptr, nullptr),
		  kapi_pfn_error());
	EXPECT_EQ(g.file.convert(5, 6, Share::kPrivate), 0);
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5, &map, true), -EINVAL);
	EXPECT_EQ(fake::stock().vcpu_map, before);

	/* A private page whose shared memory is elsewhere. */
	const Guest other{ 512 };

	vcpu.kvm = other.vm;
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5, &map, true), -EINVAL);
	fake::set_private(other.vm, 5, 6, false);
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5, &map, true), 0);
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 5000, &map, true), 0);
	EXPECT_EQ(gmem_kvm_vcpu_map(&vcpu, 6, nullptr, true), 0);
	EXPECT_EQ(fake::stock().vcpu_map, before + 3);
}

/* The fault's address is not a gfn of the VM's; a healthy page may be there all the same. */
void a_nested_guests_fault_is_told_by_what_it_missed()
{
	Only only;
	struct kvm_vcpu vcpu {
		only.g.vm
	};
	vcpu.direct = false;
	EXPECT(only.g.write(5, 55) && only.g.write(6, 66));
	EXPECT(fake::memory_failure(only.g.file.inode().handle(), 5));
	fake::return_to_user();
	fake::set_fault_body([&] {
		EXPECT_EQ(only.pfn(5), kapi_pfn_error());
		return -EFAULT;
	});
	EXPECT_EQ(gmem_kvm_page_fault(&vcpu, 6 << 12, KAPI_PFERR_WRITE, nullptr, 0), -EHWPOISON);
	EXPECT_EQ(vcpu.exit_gfn, 5u);
	/* KVM's answer about other memory stays as it is. */
	vcpu.exit_gfn = ~0ull;
	fake::set_fault_body([] { return -EFAULT; });
	EXPECT_EQ(gmem_kvm_page_fault(&vcpu, 6 << 12, KAPI_PFERR_WRITE, nullptr, 0), -EFAULT);
	EXPECT_EQ(vcpu.exit_gfn, ~0ull);
}

void a_nested_guests_accesses_are_shared()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm);
	struct kvm_vcpu vcpu {
		vm
	};

	vcpu.direct = false;
	EXPECT_EQ(gmem_kvm_page_fault(&vcpu, 5 << 12, 2, nullptr, 0), 0);
	EXPECT_EQ(fake::stock().last_error.load(), 2u);
	world_vm_put(vm);
}

/* The first memslot on a mappable file comes while a fault is under way. */
void a_fault_that_was_too_early_is_tried_again()
{
	Guest g{ 512, kInitShared, fake::kDefaultVm };
	const fake::Region2 request{ { 0, KAPI_MEM_GUEST_MEMFD, 0, 512 * kPageSize, 0 },
				     { 0, static_cast<unsigned>(g.file.fd) } };
	struct kvm_vcpu vcpu {
		g.vm
	};

	fake::set_fault_body([&] {
		EXPECT_EQ(fake::request_region2(g.vm, request), 0);
		return -EFAULT;
	});
	EXPECT_EQ(gmem_kvm_page_fault(&vcpu, 5 << 12, 2, nullptr, 0), 1);
}

void prefaulting_stops_for_a_request()
{
	Only only;
	struct kvm_vcpu vcpu {
		only.g.vm
	};
	kapi_slot_request request{};
	const unsigned long before = fake::stock().pre_fault;

	kapi_slot_request_begin(&request, only.g.vm);
	EXPECT_EQ(gmem_kvm_pre_fault(&vcpu, nullptr), -EAGAIN);
	EXPECT_EQ(fake::stock().pre_fault, before);
	kapi_slot_request_end(&request);
	EXPECT_EQ(gmem_kvm_pre_fault(&vcpu, nullptr), 0);
	/* Stopped for a request while under way: KVM says -EINTR, but there was no signal. */
	fake::stock().prefault_stopped = true;
	EXPECT_EQ(gmem_kvm_pre_fault(&vcpu, nullptr), 0);
	fake::stock().answer = -EINTR;
	EXPECT_EQ(gmem_kvm_pre_fault(&vcpu, nullptr), -EAGAIN);
	fake::stock().prefault_stopped = false;
	EXPECT_EQ(gmem_kvm_pre_fault(&vcpu, nullptr), -EINTR);
	fake::stock().answer = 0;
	EXPECT_EQ(fake::stock().pre_fault, before + 4);
}

} /* namespace */

/* KVM reads a request for a memslot again, and user space may have changed it. */
void a_request_that_has_become_another_is_refused()
{
	Only only;
	struct kvm *const vm = only.g.vm;
	const auto slot = fake::slot_make(vm, 4096, 512);
	const kapi_region hole{ 1, KVM_MEM_PCI_HOLE, 1ull << 30, kPageSize, 0 };
	const ModuleRef module;
	kapi_slot_request request{};

	kapi_slot_request_begin(&request, vm);
	EXPECT_EQ(set_hole(vm, hole).code(), -EAGAIN);
	vm->slots_lock.lock();
	EXPECT_EQ(gmem_bind(vm, slot.get(), only.g.file.fd, 0), -EAGAIN);
	EXPECT(!kapi_slot_file(slot.get()));
	vm->slots_lock.unlock();
	kapi_slot_request_end(&request);
	EXPECT(!fake::region_slot(vm, 1));
}

GMEM_SUITE(boundary, CASE(a_dying_file_is_not_user_memory),
	   CASE(a_slot_pins_the_module_whatever_becomes_of_its_file), CASE(what_fails_pins_nothing),
	   CASE(nothing_is_made_while_the_module_goes), CASE(a_vm_of_ours_pins_the_module),
	   CASE(without_the_tdp_mmu_neither_type_nor_flags),
	   CASE(what_was_not_asked_for_is_not_there),
	   CASE(attributes_of_sw_protected_vms_are_always_ours),
	   CASE(shadow_pages_are_not_filled_ahead), CASE(pages_for_kvm_itself),
	   CASE(a_nested_guests_fault_is_told_by_what_it_missed),
	   CASE(a_nested_guests_accesses_are_shared),
	   CASE(a_fault_that_was_too_early_is_tried_again), CASE(prefaulting_stops_for_a_request),
	   CASE(a_request_that_has_become_another_is_refused));
