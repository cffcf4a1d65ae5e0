/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that knows SNP, whose one vCPU is fake::guest_vcpu() and fake::ghcb(), at VMGEXIT.
 */
#ifndef GMEM_HOSTED_EXITING_H
#define GMEM_HOSTED_EXITING_H

#include <cstring>
#include <initializer_list>

#include "guest/knowing.h"
#include "guest/vmgexit.h"
#include "kunit/fakes/accesses.h"
#include "kunit/fakes/ghcb.h"
#include "kunit/fakes/guest.h"
#include "kunit/hosted/snp_vm.h"
#include "kunit/suites/ghcb_page.h"

namespace gmem_test
{

using fake::ghcb;
using fake::guest_vcpu;

inline constexpr std::uint64_t kPageBytes = 4096;
/* Its GHCB, which is shared; a private page; and where no memslot is. */
inline constexpr std::uint64_t kGhcbGfn = 700, kGpa = kGhcbGfn * kPageBytes;
inline constexpr std::uint64_t kPrivateGpa = 701 * kPageBytes, kNowhere = 5000 * kPageBytes;
inline constexpr std::uint64_t kBuffer = kGpa + 0x800;
inline constexpr std::uint64_t kRip = 0xffffffff81000000;
inline constexpr std::uint64_t kInjectGp = 0x8000030d;

class Exiting {
    public:
	explicit Exiting(bool is_registered = true)
	{
		guest_vcpu() = {};
		ghcb() = {};
		fake::accesses().users.clear();
		ready = vm.init(1) == 0 && vm.start() == 0 && vm.add_memory() && vm.finish() == 0;
		vcpu.kvm = vm.vm;
		fake::set_private(vm.vm, kGhcbGfn, kGhcbGfn + 1, false);
		page().fill(0);
		if (is_registered) {
			EXPECT_EQ(request(kGpa | 0x012), kGpa | 0x013);
		}
		(void)fake::reports();
	}
	~Exiting() { fake::accesses().users.clear(); }

	/* What user space, and so the guest, has in the page. */
	std::array<std::uint8_t, kPageBytes> &page() { return fake::accesses().users[kGhcbGfn]; }
	int vmgexit()
	{
		gmem::Knowing guest{ &vcpu };

		guest_vcpu().registers = { .rax = 0x11,
					   .rcx = 0x22,
					   .rdx = 0x33,
					   .rip = kRip,
					   .rflags = 2,
					   .code = kRip,
					   .cpl = 0,
					   .wide = true };
		guest_vcpu().retired = 0;
		EXPECT(static_cast<bool>(guest));
		return gmem::serve_vmgexit(guest, { gmem::Opcode::Vmgexit, 4, false });
	}
	void write_msr(std::uint64_t value)
	{
		EXPECT(gmem::Knowing{ &vcpu }.set_ghcb_msr(value).ok());
	}
	std::uint64_t msr() { return gmem::Knowing{ &vcpu }.ghcb_msr(); }
	/* The guest is behind the instruction, and its registers are its own. */
	void expect_behind(bool by_kvm = false)
	{
		EXPECT_EQ(guest_vcpu().retired, by_kvm ? 0u : 1u);
		EXPECT_EQ(guest_vcpu().registers.rip, by_kvm ? kRip : kRip + 4);
		EXPECT_EQ(guest_vcpu().registers.rax, 0x11u);
		expect_registers();
	}
	static void expect_registers()
	{
		EXPECT_EQ(ghcb().registers.rax, 0xaau);
		EXPECT_EQ(ghcb().registers.rbx, 0xbbu);
		EXPECT_EQ(ghcb().registers.rcx, 0xccu);
		EXPECT_EQ(ghcb().registers.rdx, 0xddu);
		EXPECT_EQ(ghcb().registers.rsi, 0x51u);
	}
	/* By the MSR; what it has afterwards. */
	std::uint64_t request(std::uint64_t value)
	{
		write_msr(value);
		EXPECT_EQ(vmgexit(), kGoOn);
		expect_behind();
		return msr();
	}

	void mark(unsigned at)
	{
		page()[0x3f0 + at / 64] |= static_cast<std::uint8_t>(1 << at / 8 % 8);
	}
	void set(unsigned at, std::uint64_t value)
	{
		std::memcpy(&page()[at], &value, at == kCpl ? 1 : 8);
		mark(at);
	}
	std::uint64_t get(unsigned at)
	{
		std::uint64_t value;

		std::memcpy(&value, &page()[at], sizeof(value));
		return value;
	}
	void prepare(std::uint64_t code, std::uint64_t info_1 = 0, std::uint64_t info_2 = 0)
	{
		page().fill(0);
		page()[0xffa] = 2;
		set(kCode, code);
		set(kInfo1, info_1);
		set(kInfo2, info_2);
		write_msr(kGpa);
	}
	/* A page state change of these entries. */
	void prepare_psc(std::initializer_list<std::uint64_t> entries)
	{
		unsigned at = 0x808;

		prepare(0x80000010);
		set(kScratch, kBuffer);
		page()[0x802] = static_cast<std::uint8_t>(entries.size() - 1);
		for (const std::uint64_t entry : entries) {
			std::memcpy(&page()[at], &entry, sizeof(entry));
			at += 8;
		}
	}
	void expect_answer(std::uint64_t info_1, std::uint64_t info_2)
	{
		static constexpr unsigned kAnswered[] = { kInfo1, kInfo2, kRax, kRbx, kRcx, kRdx };
		std::array<std::uint8_t, 16> bitmap{};

		for (const unsigned at : kAnswered)
			bitmap[at / 64] |= static_cast<std::uint8_t>(1 << at / 8 % 8);
		EXPECT(std::memcmp(&page()[0x3f0], bitmap.data(), bitmap.size()) == 0);
		EXPECT_EQ(get(kInfo1), info_1);
		EXPECT_EQ(get(kInfo2), info_2);
	}
	/* It is over at once. */
	void ends(std::uint64_t info_1, std::uint64_t info_2, bool by_kvm = false)
	{
		EXPECT_EQ(vmgexit(), kGoOn);
		expect_behind(by_kvm);
		expect_answer(info_1, info_2);
	}
	/* It waits for user space; nothing has been answered yet. */
	void waits()
	{
		const auto before = page();
		const unsigned long exits = ghcb().exits;

		EXPECT_EQ(vmgexit(), 0);
		EXPECT_EQ(ghcb().exits, exits + 1);
		EXPECT(page() == before);
		expect_registers();
	}
	int user_answers()
	{
		int ret = -1;

		EXPECT(fake::answer(&vcpu, ret));
		expect_registers();
		return ret;
	}

	const Setting setting;
	SnpVm vm;
	struct kvm_vcpu vcpu {};
	bool ready;
};

} /* namespace gmem_test */

#endif /* GMEM_HOSTED_EXITING_H */
