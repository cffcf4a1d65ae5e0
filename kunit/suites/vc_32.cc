// SPDX-License-Identifier: GPL-2.0-only
/*
 * #VC as a processor delivers it to a 32-bit guest (guest/vc.cc), from the architecture's
 * description of exceptions: frames, gates, and stacks with bases and limits.
 *
 * Tests: guest/vc.cc.
 */
#include "guest/vc.h"

#include "kunit/suite.h"
#include "kunit/suites/vc_memory.h"

namespace
{

using namespace gmem;
using namespace gmem_test;
using End = Delivered::End;

constexpr std::uint64_t kBase32 = 0xfff00000;
constexpr std::uint64_t kIdt32 = kBase32, kGdt32 = kBase32 + 0x100, kStack32 = kBase32 + 0x203;
constexpr std::uint64_t kHandler32 = 0xfff01234;

struct Guest32 {
	Guest32()
	{
		gate(kInterruptGate);
		memory.put(kGdt32 + 8, descriptor(kCode32));
		memory.put(kGdt32 + 0x10, descriptor(kCode32, 0, 0xff) & ~(1ull << 55));
	}
	void gate(unsigned type, unsigned selector = 8, std::uint64_t to = kHandler32)
	{
		memory.put(kIdt32 + 29 * 8, (to & 0xffff) | std::uint64_t{ selector } << 16 |
						    std::uint64_t{ type } << 40 |
						    (to >> 16 & 0xffff) << 48);
	}
	Delivered deliver()
	{
		before = state;
		memory.touched = 0;
		return deliver_vc(state, kCode, memory);
	}
	void must_fault(unsigned vector, unsigned error_code)
	{
		const Delivered how = deliver();

		EXPECT(how.end == End::Exception);
		EXPECT_EQ(how.vector, vector);
		EXPECT_EQ(how.error_code, error_code);
		EXPECT_EQ(state.rip, before.rip);
		EXPECT_EQ(state.rsp, before.rsp);
	}
	void must_enter(std::uint64_t at, std::uint64_t rsp)
	{
		EXPECT(deliver().end == End::Entered);
		EXPECT_EQ(state.rsp, rsp);
		EXPECT_EQ(memory.get<std::uint32_t>(at), kCode);
		EXPECT_EQ(memory.get<std::uint32_t>(at + 4), before.rip);
		EXPECT_EQ(memory.get<std::uint32_t>(at + 8), before.cs.selector);
		EXPECT_EQ(memory.get<std::uint32_t>(at + 12), before.rflags | kResume);
		EXPECT_EQ(memory.get<std::uint32_t>(at + 16), 0u);
		EXPECT_EQ(memory.get<std::uint32_t>(at - 4), 0u);
	}

	EventMemory memory{ kBase32 };
	kapi_event_state state{
		.rip = 0xfff05678,
		.rsp = kStack32,
		.rflags = kFixed | kInterrupts | kTrap,
		.cs = segment(0x20, kCode32),
		.ss = segment(0x18, kData),
		.ldt = {},
		.tr = {},
		.idt = kIdt32,
		.gdt = kGdt32,
		.idt_limit = 8 * 30 - 1,
		.gdt_limit = 0x3f,
		.cpl = 0,
		.protected_mode = true,
		.long_mode = false,
		.shadow_stacks = false,
	};
	kapi_event_state before{};
};

void frames_of_32_bits()
{
	Guest32 guest, trap;

	guest.must_enter(kStack32 - 16, kStack32 - 16);
	EXPECT_EQ(guest.state.rip, kHandler32);
	EXPECT_EQ(guest.state.rflags, kFixed);
	EXPECT_EQ(guest.state.cs.selector, 8u);
	EXPECT_EQ(guest.state.cs.limit, 0xffffffffu);
	EXPECT_EQ(guest.state.ss.selector, 0x18u);
	EXPECT_EQ(guest.memory.last_access, kWrites);
	trap.gate(kTrapGate);
	trap.must_enter(kStack32 - 16, kStack32 - 16);
	EXPECT_EQ(trap.state.rflags, kFixed | kInterrupts);
}

void gates_of_32_bits()
{
	Guest32 guest, short_idt, limited, users;

	for (const unsigned type : { 0x85u, 0x86u, 0x87u }) {
		guest.gate(type);
		EXPECT(guest.deliver().end == End::Unable);
	}
	guest.gate(0x8c);
	guest.must_fault(13, kGateCode);
	guest.gate(0x0e);
	guest.must_fault(11, kGateCode);
	short_idt.state.idt_limit--;
	EXPECT(short_idt.deliver().end == End::Unable);
	/* Behind the limit of CS. */
	limited.gate(kInterruptGate, 0x10, 0xff);
	limited.must_enter(kStack32 - 16, kStack32 - 16);
	EXPECT_EQ(limited.state.cs.limit, 0xffu);
	limited.state = limited.before;
	limited.gate(kInterruptGate, 0x10, 0x100);
	limited.must_fault(13, 0);
	/* A change of CPL. */
	users.state.cpl = 3;
	EXPECT(users.deliver().end == End::Unable);
}

void stacks_of_32_bits()
{
	Guest32 small, wrapped, ends, down, based;

	/* SP, 16 bits. */
	small.state.ss = segment(0x18, 0x093, kBase32, 0xffff);
	small.state.rsp = 0x7fff0300;
	small.must_enter(kBase32 + 0x2f0, 0x7fff02f0);
	/* It would go on at the other end. */
	wrapped.state.ss = small.state.ss;
	wrapped.state.rsp = 15;
	EXPECT(wrapped.deliver().end == End::Unable);
	/* Up to the limit, and one byte more. */
	ends.state.ss = segment(0x18, kData, kBase32, 0x2ff);
	ends.state.rsp = 0x300;
	ends.must_enter(kBase32 + 0x2f0, 0x2f0);
	ends.state = ends.before;
	ends.state.rsp = 0x301;
	ends.must_fault(12, 0);
	/* It grows down to above the limit. */
	down.state.ss = segment(0x18, kData | 4, kBase32, 0x2ef);
	down.state.rsp = 0x300;
	down.must_enter(kBase32 + 0x2f0, 0x2f0);
	down.state = down.before;
	down.state.ss.limit = 0x2f0;
	down.must_fault(12, 0);
	/* Addresses are of 32 bits. */
	based.state.ss = segment(0x18, kData, kBase32 + 0x1000);
	based.state.rsp = 0xfffff500;
	based.must_enter(kBase32 + 0x4f0, 0xfffff4f0);
	based.state = based.before;
	based.state.ss.base = 0x10;
	based.state.rsp = 0xfffffff8;
	EXPECT(based.deliver().end == End::Unable);
}

} /* namespace */

GMEM_SUITE(vc_32, CASE(frames_of_32_bits), CASE(gates_of_32_bits), CASE(stacks_of_32_bits));
