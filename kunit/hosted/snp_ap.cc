// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that a guest creates itself (guest/ap.cc, arch/x86/snp_ap.cc): what is refused, which
 * resets give a vCPU a save area, and what becomes of it and of its page. What a save area says
 * is in the suite snp_save_area.
 *
 * Tests: guest/ap.cc, arch/x86/snp_ap.cc, arch/x86/rmp.cc.
 */
#include "kapi/accesses.h"
#include "kunit/fakes/ap.h"
#include "kunit/fakes/sched.h"
#include "kunit/hosted/exiting.h"
#include "mmu/memslot.h"

using namespace gmem_test;
using fake::ap;

namespace
{

using namespace gmem;

constexpr std::uint64_t kCreation = 0x80000013;
constexpr std::uint64_t kOnInit = 0, kCreate = 1, kDestroy = 2;
/* Two pages for save areas; where no memslot is, one that is shared. */
constexpr std::uint64_t kArea = 600 * kPageBytes, kOther = 601 * kPageBytes;
constexpr unsigned kInput = 5;

constexpr std::uint64_t request(std::uint64_t what, std::uint64_t id = 1)
{
	return id << 32 | what;
}

/* A guest whose vCPU 0 asks, and that has one more. */
class Creating : public Exiting {
    public:
	Creating()
	{
		ap() = {};
		kapi_any_refused = false;
		target.kvm = vm.vm;
		ap().vcpu = &target;
	}
	~Creating() { ap() = {}; }

	void ask(std::uint64_t info_1, std::uint64_t gpa, std::uint64_t features = 1)
	{
		prepare(kCreation, info_1, gpa);
		set(kRax, features);
	}
	void must(std::uint64_t info_1, std::uint64_t gpa)
	{
		ask(info_1, gpa);
		ends(0, 0);
	}
	void must_refuse(std::uint64_t info_1, std::uint64_t gpa, std::uint64_t features = 1)
	{
		const unsigned long requests = ap().requests;

		ask(info_1, gpa, features);
		ends(2, kInput);
		EXPECT_EQ(fake::reports(), 1);
		EXPECT_EQ(ap().requests, requests);
	}
	/* KVM resets the vCPU, as by INIT: it gets another save area, or none. */
	void reset()
	{
		const unsigned long resets = ap().resets, inits = ap().inits;

		gmem_kvm_reset(&target, true);
		EXPECT_EQ(ap().resets, resets + 1);
		EXPECT_EQ(ap().inits, inits);
		EXPECT_EQ(ap().reads, 0);
	}
	/* The same of one that was given none: its registers stay. */
	void init()
	{
		const unsigned long resets = ap().resets, inits = ap().inits;

		gmem_kvm_reset(&target, true);
		EXPECT_EQ(ap().resets, resets);
		EXPECT_EQ(ap().inits, inits + 1);
		EXPECT_EQ(ap().reads, 0);
	}
	/* KVM's own body has no part in it. */
	void sipi()
	{
		gmem_kvm_sipi(&target, 1);
		EXPECT_EQ(ap().sipis, 0u);
		EXPECT_EQ(ap().reads, 0);
	}
	/* Whether the guest may be entered. */
	bool enters()
	{
		const unsigned long exits = ap().exits;
		const int ret = gmem_kvm_events(&target);

		EXPECT_EQ(ap().exits, exits + (ret < 0));
		return ret >= 0;
	}

	template <class Fn> RmpAnswer with_page(std::uint64_t gpa, Fn fn)
	{
		const Gfn gfn{ gpa / kPageBytes };
		struct kvm_memory_slot *const slot = fake::slot_at(vm.vm, gfn.value);
		const FileRef handle{ kapi_slot_file_get(slot) };
		const auto backing = memslot_kernel_page(*File::of(handle.get()), vm.vm, slot, gfn,
							 Share::kPrivate);

		EXPECT(backing.ok());
		return fn(gfn, Pfn{ kapi_page_pfn(backing.value().page.get()) });
	}
	SnpPlatformRef platform() { return snp_platform_of(vm.vm); }
	RmpCode adjust(std::uint64_t gpa, bool is_area)
	{
		return with_page(gpa,
				 [&](Gfn gfn, Pfn pfn) {
					 return platform().get()->rmpadjust(gfn, pfn, RmpSize::k4K,
									    { .by = 0,
									      .target = 1,
									      .perms = 0,
									      .vmsa = is_area });
				 })
			.code;
	}
	void put(std::uint64_t gpa, unsigned at, std::uint64_t value)
	{
		const std::uint64_t gfn = gpa / kPageBytes;

		EXPECT_EQ(gmem_kvm_write_page(vm.vm, fake::slot_at(vm.vm, gfn), gfn, &value,
					      static_cast<int>(at), sizeof(value)),
			  0);
	}
	/* One that the processor takes, with @rip. */
	void make_area(std::uint64_t gpa, std::uint64_t rip)
	{
		put(gpa, 0xd0, 0x1000);
		put(gpa, 0x178, rip);
		put(gpa, 0x3b0, 1);
		put(gpa, 0x3e8, 1);
		EXPECT(with_page(gpa, [&](Gfn gfn, Pfn pfn) {
			       return platform().get()->pvalidate(gfn, pfn, RmpSize::k4K, true);
		       }).fault == RmpAnswer::Fault::None);
		EXPECT(adjust(gpa, true) == RmpCode::Ok);
	}

	struct kvm_vcpu target {};
};

void what_is_refused()
{
	Creating guest;

	REQUIRE(guest.ready);
	for (const std::uint64_t what : { kOnInit, kCreate }) {
		for (const std::uint64_t gpa :
		     { kArea + 1, kArea + 0x800, std::uint64_t{ 512 * kPageBytes },
		       std::uint64_t{ 0 }, std::uint64_t{ 1 } << 40 | kArea,
		       ~std::uint64_t{ 0xfff } })
			guest.must_refuse(request(what), gpa);
		for (const std::uint64_t features : { 0ull, 3ull, 5ull })
			guest.must_refuse(request(what), kArea, features);
		for (const std::uint64_t id : { 2ull, 0xffffffffull })
			guest.must_refuse(request(what, id), kArea);
		for (const std::uint64_t vmpl : { 1ull, 2ull, 3ull })
			guest.must_refuse(request(what | vmpl << 16), kArea);
	}
	guest.must_refuse(request(3), kArea);
	guest.must_refuse(request(0x80000001), kArea);
	guest.must_refuse(request(kDestroy, 2), 0);
	guest.must_refuse(request(kDestroy | 1 << 16), 0);
	/* None of that has done anything. */
	guest.init();
	EXPECT(guest.enters());
	EXPECT_EQ(ap().refused, 0u);
	/* User space may say that there are more bits than an address has: the page counts. */
	ap().address_bits = 255;
	guest.must_refuse(request(kOnInit), kArea + 1);
	guest.must(request(kOnInit), kArea);
}

void a_save_area_is_taken_at_a_reset()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 0x1234);
	guest.must(request(kCreate), kArea);
	EXPECT_EQ(ap().requests, 1u);
	EXPECT_EQ(ap().set, 0u);
	ap().halted = true;
	guest.reset();
	EXPECT_EQ(ap().set, 1u);
	EXPECT_EQ(ap().state.rip, 0x1234u);
	EXPECT(!ap().halted && guest.enters());
	EXPECT_EQ(fake::reports(), 0);
	/* Only once; INIT leaves its registers then. */
	guest.init();
	EXPECT_EQ(ap().set, 1u);
	EXPECT(guest.enters());
	/* The reset of a vCPU that is being made is no such. */
	guest.must(request(kCreate), kArea);
	gmem_kvm_reset(&guest.target, false);
	EXPECT_EQ(ap().set, 1u);
	guest.reset();
	EXPECT_EQ(ap().set, 2u);
}

/* A shutdown has left nothing that could stay. */
void a_vcpu_without_state()
{
	Creating guest;

	REQUIRE(guest.ready);
	ap().lacks_state = true;
	gmem_kvm_reset(&guest.target, true);
	EXPECT_EQ(ap().resets, 1u);
	EXPECT_EQ(ap().inits, 0u);
	EXPECT_EQ(ap().set, 0u);
	guest.init();
}

/* A guest of its guest's runs on it: that one ends, and what it was given is there. */
void from_a_guests_guest()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 0x1234);
	guest.must(request(kCreate), kArea);
	guest.target.direct = false;
	guest.reset();
	EXPECT_EQ(ap().set, 1u);
	EXPECT_EQ(ap().state.rip, 0x1234u);
}

void from_system_management_mode()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 0x1234);
	guest.must(request(kCreate), kArea);
	ap().in_smm = true;
	guest.reset();
	EXPECT_EQ(ap().set, 1u);
	EXPECT(!ap().in_smm);
}

void for_the_next_init()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 0x1234);
	guest.sipi();
	guest.must(request(kOnInit), kArea);
	EXPECT_EQ(ap().requests, 0u);
	guest.sipi();
	EXPECT_EQ(ap().set, 0u);
	guest.reset();
	EXPECT_EQ(ap().state.rip, 0x1234u);
	guest.sipi();
	guest.init();
	guest.sipi();
	EXPECT_EQ(ap().set, 1u);
	EXPECT_EQ(fake::reports(), 0);
}

/* Not of one that does not know. */
void init_and_sipi_of_others()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.target.direct = false;
	gmem_kvm_reset(&guest.target, true);
	gmem_kvm_sipi(&guest.target, 1);
	EXPECT_EQ(ap().resets, 1u);
	EXPECT_EQ(ap().inits, 0u);
	EXPECT_EQ(ap().sipis, 1u);
}

/* SIPI has a vCPU that is held go on, and the guest see why. */
void held_vcpus_are_released()
{
	Creating guest;
	struct kvm_vcpu *const vcpu = &guest.vcpu;

	REQUIRE(guest.ready);
	const auto wake = [&] {
		gmem_kvm_reset(vcpu, true);
		gmem_kvm_sipi(vcpu, 1);
	};
	guest.write_msr(0x006);
	EXPECT_EQ(guest.vmgexit(), kGoOn);
	EXPECT_EQ(guest.msr(), 0x007u);
	wake();
	EXPECT_EQ(guest.msr(), 0x1007u);
	/* Once. */
	guest.write_msr(0);
	wake();
	EXPECT_EQ(guest.msr(), 0u);
	/* By the page. */
	guest.prepare(0x80000004);
	EXPECT_EQ(guest.vmgexit(), kGoOn);
	guest.expect_answer(0, 0);
	wake();
	guest.expect_answer(0, 1);
	EXPECT_EQ(guest.msr(), kGpa);
	/* It has asked for something else since. */
	guest.prepare(0x80000004);
	EXPECT_EQ(guest.vmgexit(), kGoOn);
	EXPECT_EQ(guest.request(0x080), 0x3081u);
	wake();
	EXPECT_EQ(guest.msr(), 0x3081u);
	guest.expect_answer(0, 0);
	/* Its page has gone by now: the log has it, and the vCPU goes on. */
	guest.prepare(0x80000004);
	EXPECT_EQ(guest.vmgexit(), kGoOn);
	EXPECT_EQ(fake::reports(), 0);
	guest.vm.drop_memory();
	wake();
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(ap().inits, 5u);
	EXPECT_EQ(ap().sipis, 0u);
}

/* It has begun elsewhere since: neither by the next SIPI, nor by later ones. */
void held_ones_with_a_save_area_are_not()
{
	Creating guest;

	REQUIRE(guest.ready);
	Knowing held{ &guest.target };
	const auto hold = [&] {
		EXPECT(held.set_ghcb_msr(0x006).ok());
		EXPECT_EQ(gmem::serve_vmgexit(held, { gmem::Opcode::Vmgexit, 4, false }), kGoOn);
		EXPECT_EQ(held.ghcb_msr(), 0x007u);
	};

	guest.make_area(kArea, 0x1234);
	guest.must(request(kOnInit), kArea);
	hold();
	guest.reset();
	EXPECT_EQ(ap().state.rip, 0x1234u);
	guest.sipi();
	EXPECT_EQ(held.ghcb_msr(), 0x007u);
	guest.init();
	guest.sipi();
	EXPECT_EQ(held.ghcb_msr(), 0x007u);
	hold();
	guest.init();
	guest.sipi();
	EXPECT_EQ(held.ghcb_msr(), 0x1007u);
}

void a_page_is_in_use()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 1);
	guest.make_area(kOther, 2);
	guest.must(request(kCreate), kArea);
	EXPECT(guest.adjust(kArea, true) == RmpCode::Ok);
	guest.reset();
	EXPECT(guest.adjust(kArea, false) == RmpCode::FailInuse);
	EXPECT(guest.adjust(kArea, true) == RmpCode::FailInuse);
	/* Until INIT, it keeps what it has. */
	guest.must(request(kOnInit), kOther);
	EXPECT(guest.adjust(kArea, true) == RmpCode::FailInuse);
	guest.reset();
	EXPECT_EQ(ap().state.rip, 2u);
	EXPECT(guest.adjust(kArea, true) == RmpCode::Ok);
	EXPECT(guest.adjust(kOther, true) == RmpCode::FailInuse);
	/* What is asked for at once frees it at once. */
	guest.must(request(kCreate), kArea);
	EXPECT(guest.adjust(kOther, true) == RmpCode::Ok);
	guest.reset();
	guest.must(request(kDestroy), 0);
	EXPECT(guest.adjust(kArea, false) == RmpCode::Ok);
	guest.reset();
	EXPECT_EQ(ap().set, 3u);
}

void one_page_is_one_vcpus()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 1);
	guest.must(request(kCreate), kArea);
	guest.reset();
	/* As another one. */
	ap().id = 2;
	guest.must(request(kCreate, 2), kArea);
	guest.reset();
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(ap().set, 1u);
	EXPECT(!ap().halted && !guest.enters());
	EXPECT(guest.adjust(kArea, true) == RmpCode::FailInuse);
	guest.must(request(kDestroy, 2), 0);
	EXPECT(guest.adjust(kArea, true) == RmpCode::FailInuse);
}

void a_destroyed_one_stops()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 1);
	guest.ask(request(kDestroy), 0);
	/* It takes no features. */
	guest.page()[0x3f0 + kRax / 64] &= static_cast<std::uint8_t>(~(1 << kRax / 8 % 8));
	guest.ends(0, 0);
	EXPECT_EQ(ap().requests, 1u);
	guest.reset();
	EXPECT(ap().halted && ap().refused == 1 && kapi_any_refused);
	EXPECT(guest.enters()); /* it waits */
	/* It is woken, by INIT and SIPI, too. */
	ap().halted = false;
	EXPECT(!guest.enters());
	guest.init();
	guest.sipi();
	EXPECT(!guest.enters());
	EXPECT(!guest.enters());
	ap().entering = false;
	EXPECT(guest.enters());
	ap().entering = true;
	guest.must(request(kCreate), kArea);
	EXPECT(!guest.enters());
	guest.reset();
	EXPECT(guest.enters());
	EXPECT_EQ(fake::reports(), 0);
}

void pages_that_are_no_save_areas()
{
	Creating guest;

	REQUIRE(guest.ready);
	/* Not marked; shared: the processor refuses it. */
	for (const std::uint64_t gpa : { kArea, kGpa }) {
		guest.must(request(kCreate), gpa);
		guest.reset();
		EXPECT(!ap().halted && !guest.enters());
		EXPECT_EQ(fake::reports(), 1);
	}
	/* With all that one has, but not marked any more. */
	guest.make_area(kOther, 1);
	EXPECT(guest.adjust(kOther, false) == RmpCode::Ok);
	guest.must(request(kCreate), kOther);
	guest.reset();
	EXPECT(!ap().halted && !guest.enters());
	EXPECT_EQ(fake::reports(), 1);
	/* No memory: it waits. */
	guest.must(request(kCreate), kNowhere);
	guest.reset();
	EXPECT(ap().halted);
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(ap().set, 0u);
	/* Bad values, and those that KVM does not take: the page is not in use. */
	guest.make_area(kArea, 1);
	guest.put(kArea, 0x3b0, 3);
	guest.must(request(kCreate), kArea);
	guest.reset();
	EXPECT(!ap().halted && !guest.enters());
	EXPECT_EQ(ap().set, 0u);
	guest.put(kArea, 0x3b0, 1);
	EXPECT(guest.adjust(kArea, true) == RmpCode::Ok);
	ap().takes_state = false;
	guest.must(request(kCreate), kArea);
	guest.reset();
	EXPECT(!ap().halted && !guest.enters());
	EXPECT_EQ(ap().set, 1u);
	EXPECT(guest.adjust(kArea, true) == RmpCode::Ok);
	EXPECT_EQ(fake::reports(), 2);
}

/* The page that the vCPU has left is another one by then. */
void a_page_that_went()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 1);
	guest.must(request(kCreate), kArea);
	guest.reset();
	EXPECT_EQ(fake::fallocate(fake::file_at(guest.vm.fd), true, kArea, kPageBytes), 0);
	EXPECT(guest.adjust(kArea, true) == RmpCode::Ok);
	EXPECT(guest.enters());
	guest.must(request(kDestroy), 0);
	guest.make_area(kArea, 2);
	guest.must(request(kCreate), kArea);
	guest.reset();
	EXPECT_EQ(ap().state.rip, 2u);
}

void the_last_request_counts()
{
	Creating guest;

	REQUIRE(guest.ready);
	guest.make_area(kArea, 1);
	guest.make_area(kOther, 2);
	guest.must(request(kCreate), kArea);
	guest.must(request(kCreate), kOther);
	guest.reset();
	EXPECT_EQ(ap().state.rip, 2u);
	guest.must(request(kCreate), kArea);
	guest.must(request(kDestroy), 0);
	guest.reset();
	EXPECT(ap().halted);
	EXPECT_EQ(ap().set, 1u);
	EXPECT(guest.adjust(kArea, false) == RmpCode::Ok);
	EXPECT(guest.adjust(kOther, false) == RmpCode::Ok);
}

/*
 * Two that ask, and the vCPU, which KVM wakes for each request: a reset that takes what is asked
 * for beside it leaves no request behind, which would wake a vCPU that has stopped, or be an INIT
 * of one that runs.
 */
void no_reset_is_in_vain()
{
	static Creating *guest;
	static unsigned done;
	const auto ask = [] {
		EXPECT(guest->platform()
			       .get()
			       ->give_save_area(&guest->target, SnpSaveArea::kNone, true)
			       .ok());
		done++;
	};
	const auto run = [] {
		for (;;) {
			fake::sched::wait("KVM_RUN", [] { return ap().requested || done == 2; });
			if (!ap().requested)
				return;
			ap().requested = false;
			fake::sched::step("a reset");
			gmem_kvm_reset(&guest->target, true);
		}
	};
	const unsigned long schedules = fake::sched::explore(
		{ [] {
			 guest = new Creating;
			 done = 0;
		 },
		  { ask, ask, run },
		  [] {
			  EXPECT(ap().halted && ap().resets > 0 && ap().resets <= 2);
			  EXPECT_EQ(ap().inits, 0u);
			  delete guest;
		  } },
		3);

	EXPECT(schedules > 10);
}

void other_guests_vcpus_are_kvms()
{
	const Setting setting;
	SnpVm vm;
	struct kvm_vcpu vcpu {};

	ap() = {};
	EXPECT_EQ(vm.init(), 0);
	vcpu.kvm = vm.vm;
	gmem_kvm_reset(&vcpu, true);
	gmem_kvm_sipi(&vcpu, 1);
	EXPECT_EQ(gmem_kvm_events(&vcpu), 0);
	EXPECT(ap().resets == 1 && ap().sipis == 1 && ap().events == 1);
	EXPECT_EQ(ap().exits, 0u);
}

} /* namespace */

GMEM_SUITE(snp_ap, CASE(what_is_refused), CASE(a_save_area_is_taken_at_a_reset),
	   CASE(a_vcpu_without_state), CASE(from_a_guests_guest), CASE(from_system_management_mode),
	   CASE(for_the_next_init), CASE(init_and_sipi_of_others), CASE(held_vcpus_are_released),
	   CASE(held_ones_with_a_save_area_are_not), CASE(a_page_is_in_use),
	   CASE(one_page_is_one_vcpus), CASE(a_destroyed_one_stops),
	   CASE(pages_that_are_no_save_areas), CASE(a_page_that_went),
	   CASE(the_last_request_counts), CASE(no_reset_is_in_vain),
	   CASE(other_guests_vcpus_are_kvms));
