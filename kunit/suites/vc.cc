// SPDX-License-Identifier: GPL-2.0-only
/*
 * #VC as a processor delivers it to a 64-bit guest (guest/vc.cc), from the architecture's
 * description of exceptions: each check, each frame byte by byte, each access that may fail. In 32
 * bits: suite vc_32. Which exits are #VC: suite exits.
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

/* Where it has what: of the IDT only one gate is looked at. */
constexpr std::uint64_t kBase = 0xffffffff80001000;
constexpr std::uint64_t kIdt = kBase, kGdt = kBase + 0x1e0, kLdt = kBase + 0x220,
			kTss = kBase + 0x240, kStack = kBase + 0x340, kRsp0 = kBase + 0x380,
			kIst1 = kBase + 0x3c0;
constexpr std::uint64_t kRip = 0xffffffff81234567, kHandler = 0xffffffff9abcdef0;
constexpr unsigned kKernel = 0x10, kUser = 0x33, kKernelSs = 0x18, kUserSs = 0x2b;

/* A 64-bit kernel at an instruction that is #VC. */
struct Guest {
	Guest()
	{
		gate(kInterruptGate);
		memory.put(kGdt + kKernel, descriptor(kCode64));
		memory.put(kGdt + kUser - 3, descriptor(kUserCode64));
		memory.put(kTss + 4, kRsp0);
		for (std::uint64_t i = 0; i < 7; i++)
			memory.put(kTss + 0x24 + 8 * i, kIst1 + 64 * i);
	}
	void gate(unsigned type, unsigned selector = kKernel, unsigned ist = 0,
		  std::uint64_t to = kHandler)
	{
		memory.put(kIdt + 29 * 16, (to & 0xffff) | std::uint64_t{ selector } << 16 |
						   std::uint64_t{ ist } << 32 |
						   std::uint64_t{ type } << 40 |
						   (to >> 16 & 0xffff) << 48);
		memory.put(kIdt + 29 * 16 + 8, to >> 32);
	}
	void from_users()
	{
		state.cpl = 3;
		state.cs = segment(kUser, kUserCode64);
		state.ss = segment(kUserSs, kUserData);
	}
	Delivered deliver()
	{
		before = state;
		memory.touched = 0;
		return deliver_vc(state, kCode, memory);
	}
	bool unchanged() const
	{
		return state.rip == before.rip && state.rsp == before.rsp &&
		       state.rflags == before.rflags && state.cpl == before.cpl &&
		       state.cs.selector == before.cs.selector &&
		       state.cs.rights == before.cs.rights &&
		       state.ss.selector == before.ss.selector &&
		       state.ss.rights == before.ss.rights;
	}
	/* It ends in an exception, and nothing else has come of it. */
	std::uint64_t must_fault(unsigned vector, unsigned error_code)
	{
		const Delivered how = deliver();

		EXPECT(how.end == End::Exception);
		EXPECT_EQ(how.vector, vector);
		EXPECT_EQ(how.error_code, error_code);
		EXPECT(unchanged());
		return how.addr;
	}
	void must_be_unable()
	{
		EXPECT(deliver().end == End::Unable);
		EXPECT(unchanged());
	}
	/* The frame ends at @top; the handler is at the gate's. */
	void must_enter(std::uint64_t top)
	{
		EXPECT(deliver().end == End::Entered);
		EXPECT_EQ(state.rsp, top - 48);
		EXPECT_EQ(memory.get<std::uint64_t>(top - 48), std::uint64_t{ kCode });
		EXPECT_EQ(memory.get<std::uint64_t>(top - 40), before.rip);
		EXPECT_EQ(memory.get<std::uint64_t>(top - 32), std::uint64_t{ before.cs.selector });
		EXPECT_EQ(memory.get<std::uint64_t>(top - 24), before.rflags | kResume);
		EXPECT_EQ(memory.get<std::uint64_t>(top - 16), before.rsp);
		EXPECT_EQ(memory.get<std::uint64_t>(top - 8), std::uint64_t{ before.ss.selector });
		EXPECT_EQ(state.rip, kHandler);
	}

	EventMemory memory{ kBase };
	kapi_event_state state{
		.rip = kRip,
		.rsp = kStack,
		.rflags = kFixed | kInterrupts | kAc,
		.cs = segment(kKernel, kCode64),
		.ss = segment(kKernelSs, kData),
		.ldt = {},
		.tr = segment(0x40, 0x8b, kTss, 0x67),
		.idt = kIdt,
		.gdt = kGdt,
		.idt_limit = 16 * 32 - 1,
		.gdt_limit = 0x3f,
		.cpl = 0,
		.protected_mode = true,
		.long_mode = true,
		.shadow_stacks = false,
	};
	kapi_event_state before{};
};

void frames_of_64_bits()
{
	for (std::uint64_t off = 0; off < 32; off++) {
		Guest guest;

		guest.state.rsp = kStack - off;
		guest.must_enter((kStack - off) & ~std::uint64_t{ 15 });
		EXPECT_EQ(guest.state.rflags, kFixed | kAc);
		EXPECT_EQ(guest.state.cs.selector, kKernel);
		EXPECT_EQ(guest.state.cs.rights, kCode64);
		EXPECT_EQ(guest.state.cs.limit, 0xffffffffu);
		EXPECT_EQ(guest.state.ss.selector, kKernelSs);
		EXPECT_EQ(guest.state.ss.rights, kData);
		EXPECT_EQ(guest.state.cpl, 0u);
		/* By the kernel itself, AC and all; and nothing around it is written. */
		EXPECT_EQ(guest.memory.last_access, kWrites);
		EXPECT_EQ(guest.memory.get<std::uint64_t>(guest.state.rsp - 8), 0u);
		EXPECT_EQ(guest.memory.get<std::uint64_t>(guest.state.rsp + 48), 0u);
	}
}

void flags_of_the_handler()
{
	const struct {
		unsigned gate;
		std::uint64_t before, after;
	} rows[] = {
		{ kInterruptGate, kFixed | kInterrupts, kFixed },
		{ kTrapGate, kFixed | kInterrupts, kFixed | kInterrupts },
		{ kInterruptGate, kFixed | kTrap | kNested | kResume, kFixed },
		{ kTrapGate, kFixed | kTrap | kNested | kResume, kFixed },
		{ kTrapGate, kFixed | 0xcd5, kFixed | 0xcd5 },
		{ kInterruptGate, kFixed | kAc | 0x3000, kFixed | kAc | 0x3000 },
	};

	for (const auto &row : rows) {
		Guest guest;

		guest.gate(row.gate);
		guest.state.rflags = row.before;
		guest.must_enter(kStack);
		EXPECT_EQ(guest.state.rflags, row.after);
	}
}

void gates()
{
	const struct {
		unsigned type, vector;
	} rows[] = {
		{ 0x8e, 0 },  { 0x8f, 0 },  { 0xee, 0 }, /* its DPL is no matter */
		{ 0x0e, 11 }, { 0x0f, 11 }, { 0x85, 13 }, { 0x86, 13 }, { 0x87, 13 },
		{ 0x8c, 13 }, { 0x9e, 13 }, { 0x89, 13 }, { 0x00, 13 }, { 0x9f, 13 },
	};

	for (const auto &row : rows) {
		Guest guest;

		guest.gate(row.type);
		if (row.vector)
			guest.must_fault(row.vector, kGateCode);
		else
			guest.must_enter(kStack);
	}
	/* All of the gate is in the IDT, or none is there for us. */
	for (unsigned limit : { 0u, 16 * 29u - 1, 16 * 30u - 2 }) {
		Guest guest;

		guest.state.idt_limit = limit;
		guest.must_be_unable();
		EXPECT_EQ(guest.memory.touched, 0u);
	}

	Guest last;

	last.state.idt_limit = 16 * 30 - 1;
	last.must_enter(kStack);
}

void code_segments()
{
	const struct {
		std::uint64_t rights;
		unsigned vector;
	} rows[] = {
		{ 0xa9b, 0 },  { 0xa99, 0 }, /* without the right to read it */
		{ 0xa1b, 11 }, /* not present */
		{ 0xc9b, 13 }, /* 32 bits, and of both kinds */
		{ 0x89b, 13 }, { 0xe9b, 13 },	      { 0xa93, 13 }, /* data, and a system's */
		{ 0xa8b, 13 }, { 0xabb, 13 }, /* for CPL 1 */
		{ 0xafb, 13 }, { 0xafb & ~0x80, 13 }, /* its DPL first */
		{ 0xa9f, 0 }, /* conforming */
		{ 0xaff, 13 },
	};

	for (const auto &row : rows) {
		Guest guest;

		guest.memory.put(kGdt + kKernel, descriptor(row.rights));
		if (row.vector)
			guest.must_fault(row.vector, kKernel);
		else
			guest.must_enter(kStack);
	}

	Guest null, beyond, part, rpl;

	/* Whatever the table has there. */
	null.memory.put(kGdt, descriptor(kCode64));
	for (unsigned selector = 0; selector < 4; selector++) {
		null.gate(kInterruptGate, selector);
		null.must_fault(13, 0);
	}
	beyond.gate(kInterruptGate, 0x40);
	beyond.must_fault(13, 0x40);
	part.state.gdt_limit = kKernel + 6;
	part.must_fault(13, kKernel);
	/* A selector's RPL is no matter, and becomes the CPL. */
	rpl.gate(kInterruptGate, kKernel | 3);
	rpl.must_enter(kStack);
	EXPECT_EQ(rpl.state.cs.selector, kKernel);
}

void code_segments_of_an_ldt()
{
	Guest guest, none, beyond;

	guest.state.ldt = segment(0x50, 0x82, kLdt, 15);
	guest.memory.put(kLdt + 8, descriptor(kCode64));
	guest.gate(kInterruptGate, 8 | 4);
	guest.must_enter(kStack);
	EXPECT_EQ(guest.state.cs.selector, 8u | 4);
	none.gate(kInterruptGate, 8 | 4);
	none.must_fault(13, 8 | 4);
	beyond.state.ldt = guest.state.ldt;
	beyond.gate(kInterruptGate, 16 | 4);
	beyond.must_fault(13, 16 | 4);
}

void descriptors_are_marked()
{
	Guest guest;

	guest.memory.put(kGdt + kKernel, descriptor(kCode64 & ~1ull));
	guest.must_enter(kStack);
	EXPECT_EQ(guest.memory.get<std::uint64_t>(kGdt + kKernel), descriptor(kCode64));
	EXPECT_EQ(guest.state.cs.rights, kCode64);
	EXPECT_EQ(guest.memory.touched, 4u); /* gate, descriptor, its mark, frame */

	Guest marked;

	marked.must_enter(kStack);
	EXPECT_EQ(marked.memory.touched, 3u);
}

void where_the_handler_is()
{
	const struct {
		unsigned bits;
		std::uint64_t to;
		bool good;
	} rows[] = {
		{ 48, 0x00007fffffffffff, true },  { 48, 0x0000800000000000, false },
		{ 48, 0xffff7fffffffffff, false }, { 48, 0xffff800000000000, true },
		{ 57, 0x00ffffffffffffff, true },  { 57, 0x0100000000000000, false },
		{ 57, 0x0000800000000000, true },
	};

	for (const auto &row : rows) {
		Guest guest;

		guest.memory.bits = row.bits;
		guest.gate(kInterruptGate, kKernel, 0, row.to);
		if (row.good) {
			EXPECT(guest.deliver().end == End::Entered);
			EXPECT_EQ(guest.state.rip, row.to);
		} else {
			guest.must_fault(13, 0);
		}
	}
}

void stacks_of_gates()
{
	for (unsigned ist = 1; ist <= 7; ist++) {
		Guest guest;

		guest.gate(kInterruptGate, kKernel, ist);
		guest.must_enter(kIst1 + 64 * (ist - 1));
		EXPECT_EQ(guest.state.ss.selector, kKernelSs);
		EXPECT_EQ(guest.state.ss.rights, kData);
		/* Not all of it is there. */
		guest.state = guest.before;
		guest.state.tr.limit = 0x24 + 8 * ist - 2;
		guest.must_fault(10, 0x40);
		guest.state.tr.limit++;
		guest.must_enter(kIst1 + 64 * (ist - 1));
	}

	Guest odd, none;

	odd.gate(kInterruptGate, kKernel, 1);
	odd.memory.put(kTss + 0x24, kIst1 + 15);
	odd.must_enter(kIst1);
	none.gate(kInterruptGate, kKernel, 1);
	none.state.tr.rights = 0;
	none.must_fault(10, 0x40);
}

void users_get_it_on_other_stacks()
{
	Guest guest, gates, conforming;

	guest.from_users();
	guest.must_enter(kRsp0);
	EXPECT_EQ(guest.state.cpl, 0u);
	EXPECT_EQ(guest.state.cs.selector, kKernel);
	/* Null, with the CPL as its RPL. */
	EXPECT_EQ(guest.state.ss.selector, 0u);
	EXPECT_EQ(guest.state.ss.rights, 0u);
	EXPECT_EQ(guest.memory.last_access, kWrites | kImplicit);
	guest.state = guest.before;
	guest.state.tr.limit = 10;
	guest.must_fault(10, 0x40);

	gates.from_users();
	gates.gate(kInterruptGate, kKernel, 2);
	gates.must_enter(kIst1 + 64);
	EXPECT_EQ(gates.state.ss.selector, 0u);

	/* At their own CPL. */
	conforming.from_users();
	conforming.memory.put(kGdt + kKernel, descriptor(0xa9f));
	conforming.must_enter(kStack);
	EXPECT_EQ(conforming.state.cpl, 3u);
	EXPECT_EQ(conforming.state.cs.selector, kKernel | 3);
	EXPECT_EQ(conforming.state.ss.selector, kUserSs);
	EXPECT_EQ(conforming.memory.last_access, kWrites | kUsers);

	/* To CPL 1 and 2, whose stacks the TSS has, too. */
	for (unsigned cpl = 1; cpl <= 2; cpl++) {
		Guest middle;

		middle.from_users();
		middle.memory.put(kGdt + kKernel, descriptor(kCode64 | cpl << 5));
		middle.memory.put(kTss + 4 + 8 * cpl, kIst1);
		middle.must_enter(kIst1);
		EXPECT_EQ(middle.state.cpl, cpl);
		EXPECT_EQ(middle.state.cs.selector, kKernel | cpl);
		EXPECT_EQ(middle.state.ss.selector, cpl);
		EXPECT_EQ(middle.state.ss.rights, cpl << 5);
	}
}

void stacks_that_are_no_addresses()
{
	const std::uint64_t tops[] = { 0x0000800000000010, 0x0000800000000030, 0xffff800000000020,
				       0x0001000000000000 };

	for (const std::uint64_t top : tops) {
		Guest guest;

		guest.state.rsp = top;
		guest.must_fault(12, 0);
	}

	Guest edge, gates;

	/* This is one, and nothing is there. */
	edge.state.rsp = 0x0000800000000000;
	edge.must_fault(14, 0x1f);
	gates.gate(kInterruptGate, kKernel, 1);
	gates.memory.put(kTss + 0x24, std::uint64_t{ 1 } << 63);
	gates.must_fault(12, 0);
}

/* Gate, descriptor, its mark, a stack's address, frame: whichever fails, nothing has come. */
void accesses_that_fail()
{
	for (unsigned fails = 1; fails <= 5; fails++) {
		Guest guest;
		EventMemory &memory = guest.memory;

		guest.gate(kInterruptGate, kKernel, 1);
		memory.put(kGdt + kKernel, descriptor(kCode64 & ~1ull));
		memory.fails = fails;
		memory.failure = { Touched::End::PageFault, 0x1234, 0x13 };
		EXPECT_EQ(guest.must_fault(14, 0x13), 0x1234u);
		EXPECT_EQ(memory.touched, fails);
		EXPECT_EQ(memory.last_access, fails == 3   ? kImplicit | kWrites
					      : fails == 5 ? kWrites
							   : kImplicit);

		memory.failure = { Touched::End::Nested, 0x5678, 0 };
		memory.put(kGdt + kKernel, descriptor(kCode64 & ~1ull));

		const Delivered how = guest.deliver();

		EXPECT(how.end == End::Nested);
		EXPECT_EQ(how.addr, 0x5678u);
		EXPECT(guest.unchanged());
		EXPECT_EQ(memory.get<std::uint64_t>(kIst1 - 48), 0u);
	}
}

void modes_that_it_is_not_for()
{
	Guest real, shadow, old;

	real.state.protected_mode = real.state.long_mode = false;
	real.must_be_unable();
	shadow.state.shadow_stacks = true;
	shadow.must_be_unable();
	old.state.long_mode = false;
	old.state.rflags |= kVm;
	old.must_be_unable();
	EXPECT_EQ(real.memory.touched + shadow.memory.touched + old.memory.touched, 0u);
}

} /* namespace */

GMEM_SUITE(vc, CASE(frames_of_64_bits), CASE(flags_of_the_handler), CASE(gates),
	   CASE(code_segments), CASE(code_segments_of_an_ldt), CASE(descriptors_are_marked),
	   CASE(where_the_handler_is), CASE(stacks_of_gates), CASE(users_get_it_on_other_stacks),
	   CASE(stacks_that_are_no_addresses), CASE(accesses_that_fail),
	   CASE(modes_that_it_is_not_for));
