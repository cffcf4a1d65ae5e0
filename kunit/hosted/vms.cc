// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries around KVM's own functions (mmu/entry.cc): what they change on the
 * way in and out, and whether a call counts as served by gmem or by KVM.
 *
 * Tests: mmu/vms.cc, mmu/faults.cc.
 */
#include <uapi/gmem.h>

#include "kapi/kapi.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* Calls of @entry that ran between two looks: by us, and by the stock body. */
class Served {
    public:
	explicit Served(kapi_entry entry)
		: entry_(entry), ours_(fake::entries(entry, true)),
		  stock_(fake::entries(entry, false))
	{
	}
	unsigned long ours() const { return fake::entries(entry_, true) - ours_; }
	unsigned long stock() const { return fake::entries(entry_, false) - stock_; }

    private:
	const kapi_entry entry_;
	const unsigned long ours_, stock_;
};

void software_protected_vms_where_kvm_knows_them()
{
	struct kvm *const vm = fake::vm_create(fake::kDefaultVm);
	const Served served{ KAPI_ENTRY_INIT_VM };

	fake::stock().knows_sw_protected = true;
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), 0);
	EXPECT(!vm->made_sw_protected);
	EXPECT_EQ(served.stock(), 1u);
	fake::stock().knows_sw_protected = false;
	kapi_kvm_put(vm);
}

void software_protected_vms_where_it_does_not()
{
	struct kvm *const vm = fake::vm_create(fake::kDefaultVm);
	const Served served{ KAPI_ENTRY_INIT_VM };

	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), 0);
	EXPECT(vm->made_sw_protected);
	EXPECT_EQ(fake::stock().last_type, fake::kDefaultVm);
	EXPECT_EQ(served.ours(), 1u);
	kapi_kvm_put(vm);
}

void other_vms_are_kvms()
{
	struct kvm *const vm = fake::vm_create(fake::kDefaultVm);
	const Served served{ KAPI_ENTRY_INIT_VM };

	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kDefaultVm), 0);
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSnpVm), 0);
	fake::stock().answer = -EINVAL;
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSnpVm), -EINVAL);
	/* A type that fails for another reason is not tried as a default VM. */
	fake::stock().answer = -ENOMEM;
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), -ENOMEM);
	EXPECT(!vm->made_sw_protected);
	EXPECT_EQ(served.stock(), 4u);
	/* And where the default one fails, none is made. */
	fake::stock().answer = -EINVAL;
	EXPECT_EQ(gmem_kvm_init_vm(vm, fake::kSwProtectedVm), -EINVAL);
	EXPECT(!vm->made_sw_protected);
	kapi_kvm_put(vm);
}

void extensions()
{
	/* The last is KVM's. */
	constexpr long kTypes = KAPI_CAP_VM_TYPES, kFlags = KVM_CAP_GUEST_MEMFD_FLAGS, kOther = 10;
	struct kvm *const vm = fake::vm_create(), *const plain = fake::vm_create(fake::kDefaultVm);
	const Served served{ KAPI_ENTRY_CHECK_EXTENSION };

	fake::stock().answer = 1;
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kTypes), 3);
	EXPECT_EQ(gmem_kvm_check_extension(vm, kOther), 1);
	EXPECT_EQ(served.stock(), 1u);
	fake::stock().answer = 0;
	/* Flags of create: one is known only where huge pages are by advice. */
	EXPECT_EQ(gmem_kvm_check_extension(vm, kFlags), 3);
	fake::set_huge(KAPI_HUGE_ADVISE);
	EXPECT_EQ(gmem_kvm_check_extension(vm, kFlags), 3 | GMEM_FLAG_HUGE);
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, kFlags), gmem_kvm_check_extension(vm, kFlags));
	EXPECT_EQ(gmem_kvm_check_extension(plain, kFlags), gmem_kvm_check_extension(vm, kFlags));
	fake::set_backend_stock(true);
	EXPECT_EQ(gmem_kvm_check_extension(vm, kFlags), 0);
	fake::set_backend_stock(false);
	kapi_kvm_put(vm);
	kapi_kvm_put(plain);
}

void huge_by_advice()
{
	fake::set_huge(KAPI_HUGE_ADVISE);
	{
		struct kvm *const vm = fake::vm_create();
		const int advised = world_create(vm, 4 << 20, GMEM_FLAG_HUGE);
		const int plain = world_create(vm, 4 << 20, 0);
		struct kvm_memory_slot *slots[2];
		unsigned order;

		REQUIRE(advised >= 0 && plain >= 0);
		EXPECT_EQ(fake::slot_add(vm, 0, 1024, advised, 0, &slots[0]), 0);
		EXPECT_EQ(fake::slot_add(vm, 1024, 1024, plain, 0, &slots[1]), 0);
		EXPECT_EQ(fake::fault(vm, 5, &order), 0);
		EXPECT_EQ(order, 9u);
		EXPECT_EQ(fake::fault(vm, 1029, &order), 0);
		EXPECT_EQ(order, 0u);
		EXPECT_EQ(world_create(vm, 4096, ~0ull), -EINVAL);
		world_close(advised);
		world_close(plain);
		kapi_kvm_put(vm);
	}
	fake::set_huge(KAPI_HUGE_NEVER);
	Guest g{ 512 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 0);
}

constexpr std::uint64_t kPresent = KAPI_PFERR_PRESENT, kWrite = KAPI_PFERR_WRITE,
			kReserved = KAPI_PFERR_RSVD, kPrivate = KAPI_PFERR_PRIVATE_ACCESS;

void private_faults_are_marked()
{
	struct kvm *const vm = fake::vm_create();
	struct kvm_vcpu vcpu {
		vm
	};
	const Served served{ KAPI_ENTRY_PAGE_FAULT };

	EXPECT_EQ(gmem_kvm_page_fault(&vcpu, 5 << 12, kWrite | kPresent, nullptr, 0), 0);
	EXPECT_EQ(fake::stock().last_error.load(), kWrite | kPresent | kPrivate);
	/* A gfn that was MMIO before it was private is none any more. */
	gmem_kvm_page_fault(&vcpu, 5 << 12, kWrite | kReserved | kPresent, nullptr, 0);
	EXPECT_EQ(fake::stock().last_error.load(), kWrite | kPrivate);
	EXPECT_EQ(served.ours(), 2u);

	fake::set_private(vm, 5, 6, false);
	gmem_kvm_page_fault(&vcpu, 5 << 12, kWrite | kReserved, nullptr, 0);
	EXPECT_EQ(fake::stock().last_error.load(), kWrite | kReserved);
	gmem_kvm_page_fault(&vcpu, 6 << 12, 0, nullptr, 0);
	EXPECT_EQ(fake::stock().last_error.load(), kPrivate);
	vm->type = fake::kSnpVm; /* the hardware says it there */
	gmem_kvm_page_fault(&vcpu, 6 << 12, kWrite, nullptr, 0);
	EXPECT_EQ(fake::stock().last_error.load(), kWrite);
	EXPECT_EQ(served.stock(), 2u);
	kapi_kvm_put(vm);
}

void memory_failure_is_always_the_kernels()
{
	const Served served{ KAPI_ENTRY_MEMORY_FAILURE };
	const unsigned long before = fake::stock().memory_failure;

	fake::stock().exposed = true;
	EXPECT_EQ(gmem_memory_failure(5, 0), 0);
	EXPECT_EQ(served.ours(), 1u);
	EXPECT_EQ(served.stock(), 0u);
	fake::stock().exposed = false;
	EXPECT_EQ(gmem_memory_failure(5, 0), 0);
	EXPECT_EQ(fake::stock().memory_failure, before + 2);
	EXPECT_EQ(served.ours(), 1u);
	EXPECT_EQ(served.stock(), 1u);
}

void each_file_call_is_counted()
{
	const bool in_steps = fake::generation().binds_in_steps;
	const Served create{ KAPI_ENTRY_CREATE },
		bind{ in_steps ? KAPI_ENTRY_COMMIT_BIND : KAPI_ENTRY_BIND },
		get{ KAPI_ENTRY_GET_PFN }, unbind{ KAPI_ENTRY_UNBIND };
	{
		Guest g{ 512 };

		EXPECT_EQ(fake::fault(g.vm, 5), 0);
	}
	EXPECT(create.ours() == 1 && bind.ours() == 1 && get.ours() == 1 && unbind.ours() == 1);
	EXPECT(create.stock() + bind.stock() + get.stock() + unbind.stock() == 0);
}

} /* namespace */

GMEM_SUITE(vms, CASE(software_protected_vms_where_kvm_knows_them),
	   CASE(software_protected_vms_where_it_does_not), CASE(other_vms_are_kvms),
	   CASE(extensions), CASE(huge_by_advice), CASE(private_faults_are_marked),
	   CASE(memory_failure_is_always_the_kernels), CASE(each_file_call_is_counted));
