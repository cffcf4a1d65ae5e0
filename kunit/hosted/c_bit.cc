// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C-bit of guests that know SNP (mmu/c_bit.h): where it can be, which accesses reach what,
 * and that whatever goes, goes at the addresses with the bit, too.
 *
 * Tests: mmu/c_bit.cc, mmu/faults.cc, mmu/memslot.cc, mmu/accesses.cc, mmu/attributes.cc.
 */
#include "mmu/c_bit.h"

#include <memory>

#include "kapi/accesses.h"
#include "kapi/guest.h"
#include "kunit/fakes/accesses.h"
#include "kunit/fakes/guest.h"
#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"
#include "kunit/hosted/snp_vm.h"

using namespace gmem_test;
using fake::guest_vcpu;

namespace
{

constexpr unsigned kBit = 33;
constexpr std::uint64_t kMask = 1ull << kBit, kBase = kMask >> 12;
/* What the alias shows: 4 GiB. */
constexpr std::uint64_t kReach = 1ull << 20;
constexpr int kGoOn = 1;

/* A VM whose guest knows, launched with this bit in the CPUID of its one vCPU. */
class CGuest {
    public:
	explicit CGuest(unsigned bit = kBit)
	{
		guest_vcpu() = {};
		guest_vcpu().c_bit = bit;
		fake::accesses().paging = {};
		fake::accesses().paging.levels = 4;
		begun = vm.init(1) == 0 && vm.start() == 0 && vm.add_memory();
		vm.vm->vcpus = 1;
		vcpu.kvm = vm.vm;
	}
	~CGuest() { fake::accesses().paging = {}; }
	CGuest(const CGuest &) = delete;
	CGuest &operator=(const CGuest &) = delete;

	/* True: it has been launched, and has its C-bit. */
	bool launched() { return begun && vm.finish() == 0 && c_bit(); }
	gmem::CBit c_bit() const { return gmem::CBit::of(vm.vm); }
	/* The guest's access to @gpa, for which KVM's own body answers @answer. */
	int access(std::uint64_t gpa, std::uint64_t error = 0, int answer = kGoOn)
	{
		vcpu.exit_gfn = guest_vcpu().exit_gpa = ~0ull;
		fake::stock().last_error = ~0ull;
		fake::set_fault_body([=] {
			guest_vcpu().exit_gpa = answer < 0 ? gpa : ~0ull;
			return answer;
		});
		const int ret = gmem_kvm_page_fault(&vcpu, gpa, error, nullptr, 0);

		fake::set_fault_body(nullptr);
		return ret;
	}
	/* KVM's body was asked for a private page, or a shared one. */
	static bool asked(bool is_private)
	{
		const std::uint64_t error = fake::stock().last_error;

		return error != ~0ull && !(error & KAPI_PFERR_PRIVATE_ACCESS) == !is_private;
	}
	bool exits_private(std::uint64_t gpa, std::uint64_t error = 0)
	{
		return access(gpa, error) == -EFAULT && guest_vcpu().exit_gpa == (gpa & ~kMask) &&
		       fake::stock().last_error == ~0ull;
	}
	bool exits_shared(std::uint64_t gpa, std::uint64_t error = 0)
	{
		return access(gpa, error) == -EFAULT && vcpu.exit_gfn == gpa >> 12 &&
		       fake::stock().last_error == ~0ull;
	}
	int order(std::uint64_t gfn) const { return fake::mapped_order(vm.vm, gfn); }
	int prepare_slot(std::uint64_t gfn, std::uint64_t npages, int change = KAPI_MR_CREATE)
	{
		const auto slot = fake::slot_make(vm.vm, gfn, npages);

		vm.vm->slots_lock.lock();
		const int ret = gmem_kvm_prepare_slot(vm.vm, nullptr, slot.get(), change);
		vm.vm->slots_lock.unlock();
		return ret;
	}

	SnpVm vm;
	struct kvm_vcpu vcpu {};
	bool begun;
};

void the_bit_is_one_that_can_be_had()
{
	const Setting setting;
	CGuest guest;

	REQUIRE(guest.begun);
	for (const unsigned bit : { 1u, 31u, 44u, 47u, 48u, 63u }) {
		guest_vcpu().c_bit = bit;
		EXPECT_EQ(guest.vm.finish(), -EINVAL);
		EXPECT(!guest.c_bit());
		EXPECT_EQ(fake::reports(), 1);
	}
	/* Nested tables of fewer bits. */
	guest_vcpu().c_bit = 36;
	guest_vcpu().nested_bits = 36;
	EXPECT_EQ(guest.vm.finish(), -EINVAL);
	guest_vcpu().nested_bits = 37;
	/* Two vCPUs that do not agree, or of which one runs. */
	guest.vm.vm->vcpus = 2;
	guest.vm.vm->c_bits[1] = 37;
	EXPECT_EQ(guest.vm.finish(), -EINVAL);
	guest.vm.vm->c_bits[1] = 0;
	EXPECT_EQ(guest.vm.finish(), -EINVAL);
	guest.vm.vm->c_bits.clear();
	guest.vm.vm->busy_vcpu = 1;
	EXPECT_EQ(guest.vm.finish(), -EBUSY);
	guest.vm.vm->busy_vcpu = -1;
	EXPECT(!guest.c_bit());
	/* Nothing of that has spoilt the launch. */
	EXPECT_EQ(guest.vm.finish(), 0);
	EXPECT_EQ(guest.c_bit().mask(), 1ull << 36);
	EXPECT_EQ(guest.c_bit().reach().value, kReach);
	EXPECT_EQ(fake::reports(), 3);
}

void the_highest_bit()
{
	const Setting setting;
	CGuest guest{ 43 };

	REQUIRE(guest.launched());
	EXPECT_EQ(guest.c_bit().mask(), 1ull << 43);
	EXPECT_EQ(guest.access(1ull << 43), kGoOn);
}

/* KVM would make tables for all of the alias, however high the VMM says that memory is. */
void memory_far_up()
{
	constexpr std::uint64_t kTop = 1ull << (42 - 12);
	const Setting setting;

	for (const std::uint64_t gfn : { kTop - 512, kTop }) {
		CGuest guest{ 43 };
		struct kvm_memory_slot *slot;

		REQUIRE(guest.begun);
		const int fd = world_create(guest.vm.vm, 512 * kPageSize, 0);

		EXPECT_EQ(fake::slot_add(guest.vm.vm, gfn, 512, fd, 0, &slot), 0);
		EXPECT_EQ(guest.vm.finish(), gfn < kTop ? 0 : -EINVAL);
		fake::slot_delete(guest.vm.vm, slot);
		world_close(fd);
	}
}

void guests_without_one()
{
	const Setting setting;
	CGuest none{ 0 };

	/* No leaf names it. */
	REQUIRE(none.begun);
	EXPECT_EQ(none.vm.finish(), 0);
	EXPECT(!none.c_bit());
	EXPECT_EQ(none.access(5 << 12), kGoOn);
	EXPECT(CGuest::asked(true));
	EXPECT_EQ(none.access(kMask), kGoOn);
	EXPECT(CGuest::asked(false));
	EXPECT_EQ(none.access(kMask, 0, -EAGAIN), -EAGAIN);

	/* And a guest that does not know, whose CPUID does. */
	CGuest named;
	SnpVm unaware;

	EXPECT_EQ(unaware.init(), 0);
	EXPECT_EQ(unaware.start(), 0);
	unaware.vm->vcpus = 1;
	EXPECT_EQ(unaware.finish(), 0);
	EXPECT(!gmem::CBit::of(unaware.vm));
}

void the_vmm_has_nothing_at_the_bit()
{
	const Setting setting;
	constexpr std::uint64_t kHigh = 4 * kBase;
	CGuest guest{ kBit + 2 };

	REQUIRE(guest.begun);
	struct kvm *const vm = guest.vm.vm;
	const int fd = world_create(vm, 512 * kPageSize, 0);
	struct kvm_memory_slot *slot;

	/* At the end of the launch; what is below is where the guest may have memory later. */
	EXPECT_EQ(fake::slot_add(vm, kHigh - 1, 512, fd, 0, &slot), 0);
	EXPECT_EQ(guest.vm.finish(), -EINVAL);
	EXPECT(!guest.c_bit());
	fake::slot_delete(vm, slot);
	EXPECT_EQ(fake::slot_add(vm, kReach, 512, fd, 0, &slot), 0);
	EXPECT_EQ(guest.vm.finish(), 0);
	EXPECT_EQ(guest.c_bit().reach().value, 2 * kReach);
	fake::slot_delete(vm, slot);
	EXPECT_EQ(fake::slot_add(vm, 2 * kReach - 511, 512, fd, 0, &slot), -EINVAL);
	EXPECT_EQ(fake::slot_add(vm, 2 * kReach - 512, 512, fd, 0, &slot), 0);
	fake::slot_delete(vm, slot);
	world_close(fd);

	EXPECT_EQ(guest.prepare_slot(kHigh - 512, 512), 0);
	EXPECT_EQ(guest.prepare_slot(kHigh - 512, 513), -EINVAL);
	EXPECT_EQ(guest.prepare_slot(kHigh, 1), -EINVAL);
	EXPECT_EQ(guest.prepare_slot(kHigh * 8, 1), -EINVAL);
	/* Attributes stay what they are there. */
	for (const bool to_private : { false, true }) {
		EXPECT_EQ(fake::set_attributes(vm, kHigh - 1, kHigh + 1, to_private), -EINVAL);
		EXPECT_EQ(fake::set_attributes(vm, kHigh * 4, kHigh * 4 + 1, to_private), -EINVAL);
	}
	EXPECT_EQ(fake::set_attributes(vm, kHigh - 1, kHigh, false), 0);
}

void accesses_reach_what_they_mean()
{
	const Setting setting;
	constexpr std::uint64_t kPrivate = 5 << 12, kShared = 9 << 12, kNowhere = 3ull << 30;
	constexpr std::uint64_t kForced[] = { KAPI_PFERR_FETCH, KAPI_PFERR_GUEST_PAGE,
					      KAPI_PFERR_GUEST_PAGE | KAPI_PFERR_WRITE };
	CGuest guest;

	REQUIRE(guest.launched());
	EXPECT_EQ(fake::set_attributes(guest.vm.vm, 9, 10, false), 0);
	EXPECT_EQ(guest.access(kPrivate | kMask), kGoOn);
	EXPECT(CGuest::asked(true));
	EXPECT_EQ(guest.access(kShared), kGoOn);
	EXPECT(CGuest::asked(false));
	/* The wrong bit. */
	EXPECT(guest.exits_shared(kPrivate | 0x123));
	EXPECT(guest.exits_private(kShared | kMask | 0x123));
	EXPECT(guest.exits_private(kNowhere | kMask));
	EXPECT_EQ(guest.access(kNowhere), kGoOn);
	/* Code and page tables are private without it. */
	for (const std::uint64_t error : kForced) {
		EXPECT_EQ(guest.access(kPrivate, error), kGoOn);
		EXPECT(CGuest::asked(true));
		EXPECT(guest.exits_private(kShared, error));
	}
	EXPECT(guest.exits_shared(kPrivate, KAPI_PFERR_GUEST_FINAL | KAPI_PFERR_WRITE));
	/* And all is where no entry has room for it. */
	for (const unsigned levels : { 0u, 2u }) {
		fake::accesses().paging.levels = levels;
		EXPECT_EQ(guest.access(kPrivate), kGoOn);
		EXPECT(CGuest::asked(true));
		EXPECT(guest.exits_private(kShared));
	}
	fake::accesses().paging.levels = 3;
	EXPECT(guest.exits_shared(kPrivate));
	/* What KVM remembers as MMIO has become a page. */
	EXPECT_EQ(guest.access(kPrivate | kMask, KAPI_PFERR_RSVD | KAPI_PFERR_PRESENT), kGoOn);
	EXPECT(!(fake::stock().last_error & (KAPI_PFERR_RSVD | KAPI_PFERR_PRESENT)));
	/* A nested guest's addresses are no gfns. */
	guest.vcpu.direct = false;
	for (const std::uint64_t gpa : { kPrivate, kPrivate | kMask }) {
		EXPECT_EQ(guest.access(gpa), kGoOn);
		EXPECT(CGuest::asked(false));
	}
}

void exits_name_the_page()
{
	const Setting setting;
	CGuest guest;

	REQUIRE(guest.launched());
	EXPECT_EQ(guest.access(kMask | 5 << 12, 0, -EHWPOISON), -EHWPOISON);
	EXPECT_EQ(guest_vcpu().exit_gpa, 5u << 12);
	/* It has changed on the way: the guest asks again. */
	EXPECT_EQ(guest.access(kMask | 5 << 12, 0, -EAGAIN), kGoOn);
	EXPECT_EQ(guest.access(5 << 12, KAPI_PFERR_FETCH, -EAGAIN), -EAGAIN);
}

void both_addresses_show_the_page()
{
	const Setting setting;
	CGuest guest;
	unsigned order;
	std::uint64_t content = 0;

	REQUIRE(guest.launched());
	EXPECT_EQ(fake::fault(guest.vm.vm, kBase + 5, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT(fake::guest_write(guest.vm.vm, kBase + 5, 55));
	/* Of code and tables no more than the page is seen without the bit. */
	EXPECT_EQ(fake::fault(guest.vm.vm, 5, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT(fake::guest_read(guest.vm.vm, 5, &content));
	EXPECT_EQ(content, 55u);
	EXPECT_EQ(guest.order(6), -1);
	EXPECT_EQ(guest.order(kBase + 6), 9);
	/* No memory; no memslot of guest_memfd; one that is going. */
	EXPECT_EQ(fake::fault(guest.vm.vm, kBase + kNpages), -EFAULT);
	guest.vm.slot->going = true;
	EXPECT_EQ(fake::fault(guest.vm.vm, kBase + 5), -EAGAIN);
	guest.vm.slot->going = false;
	guest.vm.slot->has_gmem = false;
	EXPECT_EQ(fake::fault(guest.vm.vm, kBase + 5), -EFAULT);
	guest.vm.slot->has_gmem = true;
}

void what_goes_goes_there_too()
{
	const Setting setting;
	CGuest guest;
	unsigned order;

	REQUIRE(guest.launched());
	struct kvm *const vm = guest.vm.vm;

	EXPECT_EQ(fake::fault(vm, kBase + 5), 0);
	EXPECT_EQ(fake::fault(vm, 5), 0);
	/* A hole. What lies around it stays. */
	EXPECT_EQ(fake::fallocate(fake::file_at(guest.vm.fd), true, 5 * kPageSize, kPageSize), 0);
	EXPECT_EQ(guest.order(5), -1);
	EXPECT_EQ(guest.order(kBase + 5), -1);
	EXPECT_EQ(guest.order(kBase + 6), 0);
	EXPECT_EQ(fake::fault(vm, kBase + 5), 0);
	/* The page becomes shared. */
	EXPECT_EQ(fake::set_attributes(vm, 5, 6, false), 0);
	EXPECT_EQ(guest.order(kBase + 5), -1);
	EXPECT_EQ(fake::fault(vm, kBase + 5), -EAGAIN);
	EXPECT_EQ(fake::set_attributes(vm, 5, 6, true), 0);
	EXPECT_EQ(fake::fault(vm, kBase + 5), 0);
	/* The hardware takes it. */
	EXPECT(fake::memory_failure(fake::file_at(guest.vm.fd)->inode, 5));
	EXPECT_EQ(guest.order(kBase + 5), -1);
	EXPECT_EQ(fake::fault(vm, kBase + 5), -EHWPOISON);
	/* The memslot is deleted, and made again. */
	EXPECT_EQ(fake::fault(vm, kBase + 600, &order), 0);
	EXPECT_EQ(order, 9u);
	fake::slot_delete(vm, guest.vm.slot);
	EXPECT_EQ(guest.order(kBase + 6), -1);
	EXPECT_EQ(guest.order(kBase + 600), -1);
	EXPECT_EQ(fake::fault(vm, kBase + 600), -EFAULT);
	EXPECT_EQ(fake::slot_add(vm, 0, kNpages, guest.vm.fd, 0, &guest.vm.slot), 0);
	EXPECT_EQ(fake::fault(vm, kBase + 600), 0);
	EXPECT_EQ(fake::fallocate(fake::file_at(guest.vm.fd), true, 600 * kPageSize, kPageSize), 0);
	EXPECT_EQ(guest.order(kBase + 600), -1);
	/* The file goes before its memslot. */
	EXPECT_EQ(fake::fault(vm, kBase + 600), 0);
	world_close(guest.vm.fd);
	guest.vm.fd = -1;
	EXPECT_EQ(guest.order(kBase + 600), -1);
	EXPECT_EQ(fake::fault(vm, kBase + 600), -EFAULT);
}

/* In place, by the file and by gfns. */
void conversion_takes_it_away()
{
	const Setting setting;
	CGuest guest;
	constexpr std::uint64_t kGfn = 2048;

	REQUIRE(guest.begun);
	struct kvm *const vm = guest.vm.vm;
	struct kvm_memory_slot *slot;
	GuestFile file{ vm, 1024, kInitShared };

	REQUIRE(file.handle);
	EXPECT_EQ(fake::slot_add(vm, kGfn, 1024, file.fd, 0, &slot), 0);
	REQUIRE(guest.launched());
	EXPECT_EQ(fake::fault(vm, kBase + kGfn + 3), -EAGAIN);
	EXPECT_EQ(file.convert(0, 1024, Share::kPrivate), 0);
	EXPECT_EQ(fake::fault(vm, kBase + kGfn + 3), 0);
	EXPECT_EQ(file.convert(3, 4, Share::kShared), 0);
	EXPECT_EQ(guest.order(kBase + kGfn + 3), -1);
	EXPECT_EQ(guest.order(kBase + kGfn + 4), 0);
	EXPECT_EQ(fake::fault(vm, kBase + kGfn + 3), -EAGAIN);
	EXPECT_EQ(fake::set_attributes(vm, kGfn, kGfn + 1024, false), 0);
	EXPECT_EQ(guest.order(kBase + kGfn + 4), -1);
	EXPECT_EQ(fake::set_attributes(vm, kGfn, kGfn + 1024, true), 0);
	EXPECT_EQ(fake::fault(vm, kBase + kGfn + 3), 0);
	fake::slot_delete(vm, slot);
	EXPECT_EQ(guest.order(kBase + kGfn + 3), -1);
}

void kvms_own_accesses()
{
	const Setting setting;
	CGuest guest;
	std::uint64_t value = 0x1234, back = 0;

	REQUIRE(guest.launched());
	struct kvm *const vm = guest.vm.vm;
	struct kvm_memory_slot *const alias = fake::slot_at(vm, kBase);

	EXPECT_EQ(gmem_kvm_write_page(vm, alias, kBase + 3, &value, 8, 8), 0);
	EXPECT_EQ(gmem_kvm_read_page(alias, kBase + 3, &back, 8, 8), 0);
	EXPECT_EQ(back, value);
	back = 0;
	EXPECT_EQ(gmem_kvm_read_page(guest.vm.slot, 3, &back, 8, 8), 0);
	EXPECT_EQ(back, value);

	gfn_to_hva_cache cache{ kMask | 3 << 12 };

	EXPECT_EQ(gmem_kvm_read_cached(vm, &cache, &back, 8, 8), 0);
	EXPECT_EQ(back, value);
	/* Nothing that is shared, and nothing that there is not. */
	fake::accesses().stock = 0;
	EXPECT_EQ(fake::set_attributes(vm, 3, 4, false), 0);
	EXPECT_EQ(gmem_kvm_read_page(alias, kBase + 3, &back, 8, 8), -EFAULT);
	EXPECT_EQ(gmem_kvm_write_page(vm, alias, kBase + 3, &value, 8, 8), -EFAULT);
	EXPECT_EQ(gmem_kvm_read_cached(vm, &cache, &back, 8, 8), -EFAULT);
	EXPECT_EQ(gmem_kvm_read_page(alias, kBase + kNpages, &back, 8, 8), -EFAULT);
	EXPECT_EQ(fake::accesses().stock, 0u);
	EXPECT_EQ(gmem_kvm_read_page(guest.vm.slot, 3, &back, 8, 8), 0);
	EXPECT_EQ(fake::accesses().stock, 1u);
	EXPECT_EQ(gmem_kvm_vcpu_map(&guest.vcpu, kBase + 5, nullptr, true), fake::stock().answer);
}

/* Four tables, whose entries have the bit, at an address of which CPUID has no such bit. */
void tables_may_have_the_bit()
{
	const Setting setting;
	CGuest guest;
	const std::uint64_t root = 610 << 12;

	REQUIRE(guest.launched());
	struct kvm_memory_slot *const alias = fake::slot_at(guest.vm.vm, kBase);

	for (std::uint64_t level = 0; level < 4; level++) {
		const std::uint64_t to = level < 3 ? root + ((level + 1) << 12) : 7 << 12;
		const std::uint64_t entry = to | kMask | 7;

		EXPECT_EQ(
			gmem_kvm_write_page(guest.vm.vm, alias, kBase + 610 + level, &entry, 0, 8),
			0);
	}
	fake::accesses().paging.root = root | kMask;
	fake::accesses().paging.reserved = ~0ull << kBit;

	x86_exception exception{};

	EXPECT_EQ(gmem_kvm_walk(&guest.vcpu, nullptr, 0x123, 0, &exception, true),
		  kMask | 7 << 12 | 0x123);
	/* Any other is reserved. */
	const std::uint64_t entry = 7 << 12 | kMask << 1 | 7;

	EXPECT_EQ(gmem_kvm_write_page(guest.vm.vm, alias, kBase + 613, &entry, 0, 8), 0);
	EXPECT_EQ(gmem_kvm_walk(&guest.vcpu, nullptr, 0x123, 0, &exception, true), kapi_no_gpa());
	EXPECT_EQ(exception.error_code, 9u);
}

/* Named with the bit or without, and what the VMM hears is without. */
void instructions_on_pages()
{
	const Setting setting;
	constexpr std::uint8_t kPvalidate[] = { 0xf2, 0x0f, 0x01, 0xff };
	constexpr std::uint64_t kCode = 600 << 12, kPage = 7 << 12;
	CGuest guest;
	const auto pvalidate = [&](std::uint64_t addr) {
		kapi_registers &regs = guest_vcpu().registers;

		regs = {};
		regs.rax = addr;
		regs.rdx = 1;
		regs.rip = regs.code = kCode;
		regs.wide = true;
		return gmem_kvm_undefined(&guest.vcpu);
	};

	REQUIRE(guest.launched());
	fake::accesses().paging.levels = 0;
	EXPECT_EQ(gmem_kvm_write_page(guest.vm.vm, guest.vm.slot, kCode >> 12, kPvalidate, 0, 4),
		  0);
	/* At first it is a part of a block, which is split. */
	EXPECT_EQ(fake::fault(guest.vm.vm, kBase + 8), 0);
	EXPECT_EQ(pvalidate(kPage | kMask), kGoOn);
	EXPECT_EQ(guest.order(kBase + 8), 0);
	EXPECT_EQ(pvalidate(kPage | kMask), kGoOn);
	EXPECT_EQ(guest_vcpu().registers.rax, 0u);
	EXPECT_EQ(guest_vcpu().registers.rflags & 1, 0u);
	EXPECT_EQ(pvalidate(kPage), kGoOn);
	EXPECT_EQ(guest_vcpu().registers.rflags & 1, 1u);
	EXPECT_EQ(fake::set_attributes(guest.vm.vm, 7, 8, false), 0);
	EXPECT_EQ(pvalidate(kPage | kMask), -EFAULT);
	EXPECT_EQ(guest_vcpu().exit_gpa, kPage);
}

void pages_are_faulted_in_where_the_guest_has_them()
{
	const Setting setting;
	CGuest guest;
	kvm_pre_fault_memory range{ 5 << 12, 4096 };

	REQUIRE(guest.launched());
	fake::stock().answer = 4096;
	EXPECT_EQ(gmem_kvm_pre_fault(&guest.vcpu, &range), 4096);
	EXPECT_EQ(fake::stock().prefault_gpa, kMask | 5 << 12);
	EXPECT_EQ(range.gpa, 5u << 12);
	EXPECT_EQ(fake::set_attributes(guest.vm.vm, 5, 6, false), 0);
	EXPECT_EQ(gmem_kvm_pre_fault(&guest.vcpu, &range), 4096);
	EXPECT_EQ(fake::stock().prefault_gpa, 5u << 12);
	range.gpa |= kMask;
	EXPECT_EQ(gmem_kvm_pre_fault(&guest.vcpu, &range), -EINVAL);
	fake::stock().answer = 0;
}

/* Whatever fails, the launch can be ended by another try, and nothing is left of the first. */
void what_fails_at_the_end_of_the_launch()
{
	const Setting setting;
	bool failed = false;

	for (unsigned long n = 1;; n++) {
		CGuest guest;

		REQUIRE(guest.begun);
		fake::fail_nth(n);

		const long ret = guest.vm.finish();
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		EXPECT(ret == 0 || fired);
		failed |= ret != 0;
		if (ret == -ENOMEM) {
			EXPECT_EQ(guest.vm.finish(), 0);
		}
		if (ret == 0 || ret == -ENOMEM) {
			EXPECT_EQ(fake::fault(guest.vm.vm, kBase + 5), 0);
		}
		if (!fired)
			break;
	}
	EXPECT(failed);

	CGuest refused;

	REQUIRE(refused.begun);
	fake::stock().answer = -ENOMEM;
	EXPECT_EQ(refused.vm.finish(), -ENOMEM);
	fake::stock().answer = 0;
	EXPECT(!refused.c_bit());
	EXPECT(refused.launched());
}

/* ---- in every order ---------------------------------------------------------------------- */

std::unique_ptr<CGuest> g;

void fault_by_the_bit()
{
	const int ret = fake::fault(g->vm.vm, kBase + 5);

	EXPECT(ret == 0 || ret == -EAGAIN || ret == -EFAULT);
}

void explore(const char *name, std::function<void()> other, std::function<void()> check)
{
	const unsigned long schedules =
		fake::sched::explore({ [] {
					      g = std::make_unique<CGuest>();
					      EXPECT(g->launched());
				      },
				       { fault_by_the_bit, other },
				       [check] {
					       check();
					       g.reset();
				       } },
				     1);

	std::printf("  %s: %lu schedules\n", name, schedules);
	EXPECT(schedules > 10);
}

void beside_faults()
{
	const Setting setting;

	explore(
		"fault, to shared", [] { fake::set_attributes(g->vm.vm, 5, 6, false); },
		[] { EXPECT_EQ(g->order(kBase + 5), -1); });
	explore(
		"fault, hole",
		[] { fake::fallocate(fake::file_at(g->vm.fd), true, 5 * kPageSize, kPageSize); },
		[] {});
	explore(
		"fault, deletion",
		[] {
			fake::slot_delete(g->vm.vm, g->vm.slot);
			g->vm.slot = nullptr;
		},
		[] { EXPECT_EQ(g->order(kBase + 5), -1); });
}

} /* namespace */

GMEM_SUITE(c_bit, CASE(the_bit_is_one_that_can_be_had), CASE(the_highest_bit), CASE(memory_far_up),
	   CASE(guests_without_one), CASE(the_vmm_has_nothing_at_the_bit),
	   CASE(accesses_reach_what_they_mean), CASE(exits_name_the_page),
	   CASE(both_addresses_show_the_page), CASE(what_goes_goes_there_too),
	   CASE(conversion_takes_it_away), CASE(kvms_own_accesses), CASE(tables_may_have_the_bit),
	   CASE(instructions_on_pages), CASE(pages_are_faulted_in_where_the_guest_has_them),
	   CASE(what_fails_at_the_end_of_the_launch), CASE(beside_faults));
