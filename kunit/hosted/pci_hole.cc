// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes (mmu/pci_hole.h): what may be asked for, where the bytes are, what
 * is mapped ahead, and that all of it goes with the VM.
 *
 * Tests: mmu/pci_hole.cc.
 */
#include "kapi/pci_hole.h"

#include <uapi/gmem.h>

#include "kunit/fakes/module.h"
#include "kunit/fakes/pci_hole.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kPage = 4096, kBlock = 2 << 20, kGiB = 1 << 30;
constexpr unsigned kHole = KVM_MEM_PCI_HOLE;

/* A VM of the fakes, gone at the end with all it has. */
struct HoleVm {
	/* No gfn is private at first. */
	explicit HoleVm(unsigned long type = fake::kDefaultVm) : vm(fake::vm_create(type, false)) {}
	HoleVm(const HoleVm &) = delete;
	HoleVm &operator=(const HoleVm &) = delete;

	struct kvm *const vm;
	struct kvm_vcpu vcpu {
		vm
	};

	~HoleVm() { kapi_kvm_put(vm); }

	long hole(unsigned slot, std::uint64_t gpa, std::uint64_t size) const
	{
		return fake::request_region(vm, { slot, kHole, gpa, size, 0 });
	}
	/* Bytes of ones in the block as the guest's are. */
	bool congruent(unsigned slot) const
	{
		return (fake::region_user_addr(vm, slot) -
			fake::region_slot(vm, slot)->base_gfn * kPage) %
			       kBlock ==
		       0;
	}
	/* A fault on a read, which KVM answers with @answer. */
	void read(std::uint64_t gpa, int answer = 1, std::uint64_t error = 0)
	{
		fake::stock().answer = answer;
		gmem_kvm_page_fault(&vcpu, gpa, error, nullptr, 0);
		fake::stock().answer = 0;
	}
	/* What was faulted in besides since the last look. */
	std::vector<std::uint64_t> ahead() const
	{
		std::vector<std::uint64_t> faults = fake::hole_faults();

		if (!faults.empty())
			faults.erase(faults.begin());
		return faults;
	}
};

void a_hole_is_made_moved_and_deleted()
{
	const HoleVm h;

	EXPECT_EQ(h.hole(3, 5 * kBlock, 4 * kBlock), 0);
	REQUIRE(fake::region_slot(h.vm, 3));
	EXPECT_EQ(fake::region_slot(h.vm, 3)->base_gfn, 5 * 512u);
	EXPECT(h.congruent(3));
	/* The same again is no change. */
	EXPECT_EQ(h.hole(3, 5 * kBlock, 4 * kBlock), 0);
	EXPECT_EQ(h.hole(3, 9 * kBlock, 4 * kBlock), 0);
	EXPECT_EQ(fake::region_slot(h.vm, 3)->base_gfn, 9 * 512u);
	EXPECT(h.congruent(3));
	/* To where it lies otherwise in its blocks: its bytes stay where they are. */
	EXPECT_EQ(h.hole(3, 7 * kBlock + 3 * kPage, 4 * kBlock), 0);
	EXPECT_EQ(fake::region_slot(h.vm, 3)->base_gfn, 7 * 512u + 3);
	EXPECT(!h.congruent(3));
	EXPECT_EQ(h.hole(3, 7 * kBlock, 4 * kBlock), 0);
	EXPECT(h.congruent(3));
	EXPECT_EQ(h.hole(3, 0, 0), 0);
	EXPECT(!fake::region_slot(h.vm, 3));
	EXPECT_EQ(h.hole(3, 0, 0), -EINVAL);
	/* KVM deletes without looking at the flag, too. */
	EXPECT_EQ(h.hole(3, 0, kPage), 0);
	EXPECT_EQ(fake::plain_region(h.vm, { 3, 0, 0, 0, 0 }), 0);
}

void bad_requests()
{
	const HoleVm h;
	const auto ask = [&](unsigned flags, std::uint64_t gpa, std::uint64_t size,
			     std::uint64_t user) {
		return fake::request_region(h.vm, { 1, flags, gpa, size, user });
	};

	EXPECT_EQ(ask(kHole, 0, kPage, kPage), -EINVAL);
	for (unsigned bit = 0; bit < 32; bit++) {
		if (1u << bit != kHole)
			EXPECT_EQ(ask(kHole | 1u << bit, 0, kPage, 0), -EINVAL);
	}
	EXPECT_EQ(ask(kHole, 0, 0, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, 1, kPage, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, 0, kPage + 1, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, 0, kPage - 1, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, ~0ull - kPage + 1, 2 * kPage, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, 0, kPage << 31, 0), -EINVAL);
	EXPECT_EQ(ask(kHole, 0, ~0ull - kPage + 1, 0), -EINVAL);
	EXPECT_EQ(h.hole(fake::kUserSlots, 0, kPage), -EINVAL);
	EXPECT(!fake::region_slot(h.vm, 1));

	fake::set_vm_usable(false);
	EXPECT_EQ(ask(kHole, 0, kPage, 0), -EIO);
	fake::set_vm_usable(true);
	EXPECT_EQ(ask(kHole, 0, kPage, 0), 0);
	EXPECT_EQ(h.hole(2, 0, kPage), -EEXIST);
	EXPECT_EQ(h.hole(2, kPage, kPage), 0);
	EXPECT_EQ(h.hole(2, 0, kPage), -EEXIST);
	EXPECT_EQ(fake::region_slot(h.vm, 2)->base_gfn, 1u);
	/* Not one of another size. */
	EXPECT_EQ(h.hole(2, kPage, 2 * kPage), -EINVAL);
}

void memslots_do_not_turn_into_holes()
{
	const HoleVm h;

	EXPECT_EQ(fake::plain_region(h.vm, { 1, 0, 0, kPage, kPage }), 0);
	EXPECT_EQ(fake::plain_region(h.vm, { 2, fake::kReadonlyFlag, kPage, kPage, kPage }), 0);
	EXPECT_EQ(h.hole(1, 0, kPage), -EINVAL);
	EXPECT_EQ(h.hole(2, kPage, kPage), -EINVAL);
	EXPECT_EQ(h.hole(2, 5 * kPage, kPage), -EINVAL);
	EXPECT_EQ(fake::ones_pieces(), 0u);

	/* Nor do holes turn into other memslots. */
	EXPECT_EQ(h.hole(3, kGiB, kPage), 0);
	EXPECT_EQ(fake::plain_region(h.vm, { 3, 0, kGiB, kPage, 0 }), -EINVAL);
	EXPECT_EQ(fake::plain_region(h.vm, { 3, fake::kReadonlyFlag, kGiB, kPage, 0 }), -EINVAL);
	EXPECT_EQ(h.hole(1, 0, 0), 0);
	EXPECT_EQ(h.hole(1, 0, kPage), 0);
}

/* By requests without the flag, which KVM would take for one about its own read-only memslot. */
void holes_stay_holes()
{
	const HoleVm h;

	EXPECT_EQ(h.hole(3, kGiB, kPage), 0);

	const std::uint64_t ones = fake::region_user_addr(h.vm, 3);
	const auto is_there = [&](std::uint64_t gpa) {
		const struct kvm_memory_slot *const slot = fake::region_slot(h.vm, 3);

		return slot && kapi_slot_is_hole(slot) && slot->base_gfn == gpa / kPage &&
		       fake::region_user_addr(h.vm, 3) == ones;
	};

	EXPECT_EQ(fake::plain_region(h.vm, { 3, fake::kReadonlyFlag, kGiB, kPage, ones }), -EINVAL);
	EXPECT(is_there(kGiB));
	EXPECT_EQ(fake::plain_region(h.vm, { 3, fake::kReadonlyFlag, 2 * kGiB, kPage, ones }),
		  -EINVAL);
	EXPECT(is_there(kGiB));
	/* A move that cannot be leaves it a hole, too, where it was. */
	EXPECT_EQ(h.hole(4, 2 * kGiB, kPage), 0);
	EXPECT_EQ(h.hole(3, 2 * kGiB, kPage), -EEXIST);
	EXPECT(is_there(kGiB));
	EXPECT_EQ(h.hole(3, 3 * kGiB, kPage), 0);
	EXPECT(is_there(3 * kGiB));
	/* An ordinary memslot may have the same bytes. It is no hole. */
	EXPECT_EQ(fake::plain_region(h.vm, { 5, fake::kReadonlyFlag, 4 * kGiB, kPage, ones }), 0);
	EXPECT(!kapi_slot_is_hole(fake::region_slot(h.vm, 5)));
	EXPECT_EQ(h.hole(5, 4 * kGiB, kPage), -EINVAL);
	EXPECT_EQ(fake::plain_region(h.vm, { 3, 0, 0, 0, 0 }), 0);
}

void holes_share_their_bytes()
{
	const HoleVm h;

	for (unsigned i = 0; i < 1000; i++)
		EXPECT_EQ(h.hole(i, kGiB + i * 3 * kPage, 2 * kPage), 0);
	EXPECT_EQ(fake::ones_pieces(), 1u);
	/* As many as powers of two at most, however they grow. */
	for (unsigned i = 0; i < 100; i++)
		EXPECT_EQ(h.hole(1000 + i, (2 + i) * 16 * kGiB + kPage, kBlock + i * 99 * kPage),
			  0);
	EXPECT(fake::ones_pieces() <= 6u);
	for (unsigned i = 0; i < 1100; i++)
		EXPECT(h.congruent(i));
	/* The largest that KVM has. */
	EXPECT_EQ(h.hole(2000, 1ull << 50, (1ull << 43) - kPage), 0);
	EXPECT(h.congruent(2000));
}

void the_flag_is_all_that_is_looked_at()
{
	const HoleVm h;
	const unsigned long before = fake::stock_vm_ioctls();

	EXPECT_EQ(fake::request_region(h.vm, { 1, 0, 0, kPage, kPage }), 0);
	EXPECT_EQ(fake::request_region(h.vm, { 1, ~kHole, 0, kPage, kPage }), 0);
	EXPECT_EQ(fake::request_region(h.vm, { 1, 0, 0, 0, 0 }), 0);
	/* A bad address is KVM's to refuse. */
	EXPECT_EQ(gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(h.vm), 0, 0), 0);
	EXPECT_EQ(fake::stock_vm_ioctls(), before + 4);
	EXPECT_EQ(fake::ones_pieces(), 0u);
}

void who_can_have_holes()
{
	const HoleVm h;
	struct kvm *const snp = fake::vm_create(fake::kSnpVm);

	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_PCI_HOLE_MEM), 1);
	EXPECT_EQ(gmem_kvm_check_extension(h.vm, KVM_CAP_PCI_HOLE_MEM), 1);
	EXPECT_EQ(gmem_kvm_check_extension(snp, KVM_CAP_PCI_HOLE_MEM), 0);
	EXPECT_EQ(fake::request_region(snp, { 1, kHole, 0, kPage, 0 }), -EINVAL);
	fake::set_features(~static_cast<unsigned>(KAPI_FEATURE_HOLES));
	EXPECT_EQ(gmem_kvm_check_extension(nullptr, KVM_CAP_PCI_HOLE_MEM), 0);
	EXPECT_EQ(gmem_kvm_check_extension(h.vm, KVM_CAP_PCI_HOLE_MEM), 0);
	kapi_kvm_put(snp);
}

void what_is_mapped_ahead()
{
	HoleVm h;

	/* From 1 MiB before a block's beginning to 1 MiB behind another's. */
	REQUIRE(h.hole(1, kGiB - kBlock / 2, 40 * kBlock + kBlock) == 0);
	/* Sixteen blocks, less the one that is mapped. */
	h.read(kGiB + 3 * kBlock + 5 * kPage);
	std::vector<std::uint64_t> ahead = h.ahead();

	REQUIRE(ahead.size() == 15);
	EXPECT_EQ(ahead.front(), kGiB);
	EXPECT_EQ(ahead.back(), kGiB + 15 * kBlock);
	for (const std::uint64_t gpa : ahead)
		EXPECT(gpa != kGiB + 3 * kBlock);
	/* Where the hole ends, what there is; the ends in small pages are not. */
	h.read(kGiB + 33 * kBlock);
	EXPECT_EQ(h.ahead().size(), 7u);
	/* The ends themselves: sixteen pages. */
	h.read(kGiB - 5 * kPage);
	ahead = h.ahead();
	REQUIRE(ahead.size() == 15);
	EXPECT_EQ(ahead.front(), kGiB - 16 * kPage);
	EXPECT_EQ(ahead.back(), kGiB - kPage);
	/* A hole that KVM does not map huge, as one that was moved out of line. */
	REQUIRE(h.hole(1, 4 * kGiB + kPage, 41 * kBlock) == 0);
	h.read(4 * kGiB + kBlock);
	EXPECT_EQ(h.ahead().size(), 15u);
	h.read(4 * kGiB + kBlock + 17 * kPage);
	ahead = h.ahead();
	REQUIRE(ahead.size() == 15);
	EXPECT_EQ(ahead.front(), 4 * kGiB + kBlock + 16 * kPage);
	REQUIRE(h.hole(1, kGiB - kBlock / 2, 41 * kBlock) == 0);
	/* A hole of one page has nothing around it. */
	REQUIRE(h.hole(2, 8 * kGiB, kPage) == 0);
	h.read(8 * kGiB);
	EXPECT(h.ahead().empty());
	/* What cannot be is left. */
	fake::fail_hole_fault(5);
	h.read(kGiB);
	EXPECT_EQ(h.ahead().size(), 3u);
}

void nothing_is_mapped_ahead_elsewhere()
{
	HoleVm h;

	EXPECT_EQ(fake::plain_region(h.vm, { 1, 0, 0, kGiB, kGiB }), 0);
	REQUIRE(h.hole(2, kGiB, kGiB) == 0);
	h.read(5 * kBlock);
	h.read(2 * kGiB);
	EXPECT(fake::hole_faults().empty());
	/* Writes, and what KVM could not serve. */
	h.read(kGiB, 1, 2);
	EXPECT(h.ahead().empty());
	h.read(kGiB, 0);
	EXPECT(h.ahead().empty());
	h.read(kGiB, -EFAULT);
	EXPECT(h.ahead().empty());

	/* Private pages are not the hole's. Nothing behind the first of them is looked at. */
	HoleVm p{ fake::kSwProtectedVm };

	REQUIRE(p.hole(1, 0, 16 * kBlock) == 0);
	fake::set_private(p.vm, 5 * 512, 5 * 512 + 1, true);
	p.read(3 * kBlock);
	EXPECT_EQ(p.ahead().size(), 4u);
}

/* Every step that can fail, once: an error, nothing left over, and it works next time. */
void failures()
{
	for (unsigned long nth = 1;; nth++) {
		const HoleVm h;

		fake::fail_nth(nth);
		const long ret = h.hole(1, kGiB, kGiB);
		const bool fired = fake::fail_fired();

		fake::fail_nth(0);
		if (!fired) {
			EXPECT_EQ(ret, 0);
			EXPECT(nth > 4);
			return;
		}
		EXPECT_EQ(ret, -ENOMEM);
		EXPECT(!fake::region_slot(h.vm, 1));
		EXPECT_EQ(h.hole(1, kGiB, kGiB), 0);
		/* A move that fails leaves the hole where it was. */
		fake::fail_nth(1);
		EXPECT_EQ(h.hole(1, 3 * kGiB + kPage, kGiB), -ENOMEM);
		fake::fail_nth(0);
		EXPECT_EQ(fake::region_slot(h.vm, 1)->base_gfn, kGiB / kPage);
		EXPECT_EQ(h.hole(1, 3 * kGiB + kPage, kGiB), 0);
	}
}

} /* namespace */

GMEM_SUITE(pci_hole, CASE(a_hole_is_made_moved_and_deleted), CASE(bad_requests),
	   CASE(memslots_do_not_turn_into_holes), CASE(holes_stay_holes),
	   CASE(holes_share_their_bytes), CASE(the_flag_is_all_that_is_looked_at),
	   CASE(who_can_have_holes), CASE(what_is_mapped_ahead),
	   CASE(nothing_is_mapped_ahead_elsewhere), CASE(failures));
