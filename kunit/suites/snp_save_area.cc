// SPDX-License-Identifier: GPL-2.0-only
/*
 * Save areas that a guest writes for its vCPUs (guest/save_area.h): where each register is, what
 * of it is not the guest's, and each rule of VMRUN's that is looked at. Offsets are numbers here,
 * from the APM's table of the save area, and not as the code has them.
 *
 * Tests: guest/save_area.cc.
 */
#include "guest/save_area.h"

#include <array>
#include <cstring>

#include "kunit/suite.h"

namespace
{

using namespace gmem;

constexpr std::uint64_t kFeatures = 1, kCBit = 1ull << 51;

/* One at a time: a stack of the kernel's has no room for it. */
struct Area {
	std::array<std::uint8_t, kPageSize> page{};
	kapi_vcpu_state state{};

	void put(std::size_t at, std::uint64_t value, std::size_t size = 8)
	{
		std::memcpy(page.data() + at, &value, size);
	}
	/* Selector, rights, limit, base. */
	void segment(std::size_t at, unsigned selector, unsigned rights, unsigned limit,
		     std::uint64_t base)
	{
		put(at, selector, 2);
		put(at + 2, rights, 2);
		put(at + 4, limit, 4);
		put(at + 8, base);
	}
	const char *read() { return read_save_area(page, kFeatures, kCBit, state); }
};

Area area;

/* 64-bit code, with nothing to be said against it. */
void begin()
{
	area.page.fill(0);
	area.state = {};
	area.segment(0x10, 0x08, 0xa9b, ~0u, 0);
	area.segment(0x20, 0x10, 0xc93, ~0u, 0);
	area.put(0xd0, 0x1500);
	area.put(0x148, 0x20);
	area.put(0x150, 0x5000 | kCBit);
	area.put(0x158, 0x80010033);
	area.put(0x160, 0x400);
	area.put(0x168, 0xffff0ff0);
	area.put(0x170, 2);
	area.put(0x3b0, kFeatures);
	area.put(0x3e8, 1);
}

void where_registers_are()
{
	static constexpr std::uint16_t kGprs[] = { 0x1f8, 0x308, 0x310, 0x318, 0x1d8, 0x328,
						   0x330, 0x338, 0x340, 0x348, 0x350, 0x358,
						   0x360, 0x368, 0x370, 0x378 };
	const kapi_vcpu_state &state = area.state;

	begin();
	for (unsigned nr = 0; nr < 16; nr++)
		area.put(kGprs[nr], 0x1000 + nr);
	/* Nothing is there. */
	area.put(0x320, ~0ull);
	area.put(0x140, 0x1140);
	area.put(0x178, 0x1178);
	area.put(0x200, 0x1200);
	area.put(0x208, 0x1208);
	area.put(0x210, 0x1210);
	area.put(0x218, 0x1218);
	area.put(0x220, 0x1220);
	area.put(0x228, 0x1228);
	area.put(0x230, 0x1230);
	area.put(0x238, 0x1238);
	area.put(0x240, 0x1240);
	area.put(0x268, 0x1268);
	area.put(0x2e8, 0x12e8, 4);
	area.put(0x2ec, 0x12ec, 4);
	EXPECT(!area.read());
	for (unsigned nr = 0; nr < 16; nr++)
		EXPECT_EQ(state.gprs[nr], 0x1000 + nr);
	EXPECT_EQ(state.xss, 0x1140u);
	EXPECT_EQ(state.rip, 0x1178u);
	EXPECT_EQ(state.star, 0x1200u);
	EXPECT_EQ(state.lstar, 0x1208u);
	EXPECT_EQ(state.cstar, 0x1210u);
	EXPECT_EQ(state.sfmask, 0x1218u);
	EXPECT_EQ(state.kernel_gs_base, 0x1220u);
	EXPECT_EQ(state.sysenter_cs, 0x1228u);
	EXPECT_EQ(state.sysenter_esp, 0x1230u);
	EXPECT_EQ(state.sysenter_eip, 0x1238u);
	EXPECT_EQ(state.cr2, 0x1240u);
	EXPECT_EQ(state.pat, 0x1268u);
	EXPECT_EQ(state.pkru, 0x12e8u);
	EXPECT_EQ(state.tsc_aux, 0x12ecu);
	EXPECT_EQ(state.cr0, 0x80010033u);
	EXPECT_EQ(state.cr4, 0x20u);
	EXPECT_EQ(state.dr7, 0x400u);
	EXPECT_EQ(state.dr6, 0xffff0ff0u);
	EXPECT_EQ(state.xcr0, 1u);
	/* The bit is no part of the address. */
	EXPECT_EQ(state.cr3, 0x5000u);
	EXPECT_EQ(state.c_bit, kCBit);
	area.put(0x150, 0x6000);
	EXPECT(!area.read());
	EXPECT_EQ(state.cr3, 0x6000u);
	EXPECT_EQ(state.c_bit, 0u);
}

void where_segments_are()
{
	const kapi_vcpu_state &state = area.state;
	const kapi_segment *const segments[] = { &state.es, &state.cs, &state.ss,  &state.ds,
						 &state.fs, &state.gs, &state.ldt, &state.tr };
	static constexpr std::uint16_t kAt[] = { 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x70, 0x90 };

	begin();
	for (unsigned nr = 0; nr < 8; nr++)
		area.segment(kAt[nr], 0x100 + nr, nr == 1 ? 0xf29b : 0xfc90 + nr, 0x200 + nr,
			     0x300 + nr);
	area.segment(0x60, 0, 0, 0x10400, 0x500);
	area.segment(0x80, 0, 0, 0x10600, 0x700);
	EXPECT(!area.read());
	for (unsigned nr = 0; nr < 8; nr++) {
		EXPECT_EQ(segments[nr]->selector, 0x100 + nr);
		EXPECT_EQ(segments[nr]->limit, 0x200 + nr);
		EXPECT_EQ(segments[nr]->base, 0x300 + nr);
		/* Twelve bits. */
		EXPECT_EQ(segments[nr]->rights, nr == 1 ? 0x29bu : 0xc90u + nr);
	}
	EXPECT_EQ(state.gdt, 0x500u);
	EXPECT_EQ(state.gdt_limit, 0x400u);
	EXPECT_EQ(state.idt, 0x700u);
	EXPECT_EQ(state.idt_limit, 0x600u);
}

void addresses_become_canonical()
{
	const kapi_vcpu_state &state = area.state;

	begin();
	for (const std::size_t at : { 0x08, 0x18, 0x28, 0x38, 0x48, 0x58, 0x68, 0x78, 0x88, 0x98 })
		area.put(at, 0x1234800000000000);
	for (const std::size_t at : { 0x208, 0x210, 0x220, 0x230, 0x238 })
		area.put(at, 0x1234800000000000);
	EXPECT(!area.read());
	for (const std::uint64_t value :
	     { state.fs.base, state.gs.base, state.ldt.base, state.tr.base, state.gdt, state.idt,
	       state.lstar, state.cstar, state.kernel_gs_base, state.sysenter_esp,
	       state.sysenter_eip })
		EXPECT_EQ(value, 0xffff800000000000);
	for (const kapi_segment *const one : { &state.es, &state.cs, &state.ss, &state.ds })
		EXPECT_EQ(one->base, 0u);
	/* Of five levels, 57 bits count. */
	area.put(0x148, 0x1020);
	EXPECT(!area.read());
	EXPECT_EQ(state.lstar, 0x0034800000000000u);
	EXPECT_EQ(state.fs.base, 0x0034800000000000u);
}

void what_kvm_has_otherwise()
{
	const kapi_vcpu_state &state = area.state;

	begin();
	area.put(0x170, ~0ull);
	area.put(0xcb, 3, 1);
	EXPECT(!area.read());
	EXPECT_EQ(state.efer, 0x500u);
	EXPECT_EQ(state.rflags, 0x3f7fd7u);
	/* SS has the CPL. */
	EXPECT_EQ(state.ss.rights, 0xcf3u);
	EXPECT_EQ(state.cs.rights, 0xa9bu);
	area.put(0x170, 0);
	/* LMA is the processor's, and L says nothing without it. */
	area.put(0xd0, 0x1100);
	EXPECT(!area.read());
	EXPECT_EQ(state.efer, 0x500u);
	EXPECT_EQ(state.rflags, 2u);
	area.put(0x158, 0x11);
	EXPECT(!area.read());
	EXPECT_EQ(state.efer, 0x100u);
	EXPECT_EQ(state.cs.rights, 0x89bu);
}

void the_fpu()
{
	const kapi_fpu_state &fpu = area.state.fpu;

	begin();
	area.put(0x400, 0x1400);
	area.put(0x408, 0x1f80, 4);
	area.put(0x40c, 0xc0f5, 2);
	area.put(0x40e, 0x140e, 2);
	area.put(0x410, 0x37f, 2);
	area.put(0x412, 0x412, 2);
	area.put(0x418, 0x1418);
	for (unsigned at = 0x420; at < 0x670; at++)
		area.page[at] = static_cast<std::uint8_t>(at * 7);
	EXPECT(!area.read());
	EXPECT_EQ(fpu.rdp, 0x1400u);
	EXPECT_EQ(fpu.mxcsr, 0x1f80u);
	/* Of two bits each, 3 is empty: registers 2, 3 and 7. */
	EXPECT_EQ(fpu.tags, 0x73u);
	EXPECT_EQ(fpu.status, 0x140eu);
	EXPECT_EQ(fpu.control, 0x37fu);
	EXPECT_EQ(fpu.opcode, 0x412u);
	EXPECT_EQ(fpu.rip, 0x1418u);
	EXPECT(std::memcmp(fpu.x87, &area.page[0x420], 80) == 0);
	EXPECT(std::memcmp(fpu.xmm, &area.page[0x470], 256) == 0);
	EXPECT(std::memcmp(fpu.ymm, &area.page[0x570], 256) == 0);
}

void rules_that_are_broken()
{
	static constexpr struct {
		std::uint16_t at;
		std::uint8_t size;
		std::uint64_t value;
	} kRows[] = {
		{ 0xca, 1, 1 }, /* VMPL */
		{ 0xcb, 1, 4 }, /* CPL */
		{ 0xd0, 8, 0x500 }, /* no SVME */
		{ 0xd0, 8, 0x1502 },
		{ 0xd0, 8, 1ull << 40 | 0x1500 },
		{ 0x148, 8, 0 }, /* no PAE */
		{ 0x148, 8, 1ull << 32 | 0x20 },
		{ 0x158, 8, 0x80010032 }, /* no PE */
		{ 0x158, 8, 0xa0010033 }, /* NW alone */
		{ 0x158, 8, 0x180010033 },
		{ 0x160, 8, 1ull << 32 },
		{ 0x168, 8, 1ull << 63 },
		{ 0x3b0, 8, 0 },
		{ 0x3b0, 8, 5 },
		{ 0x12, 2, 0xe9b }, /* L and D */
		{ 0x3e8, 8, 0 },
		{ 0x3e8, 8, 2 },
		{ 0x3e8, 8, 5 }, /* AVX without SSE */
		{ 0x3e8, 8, 0xb }, /* half of MPX */
		{ 0x3e8, 8, 0x27 }, /* a part of AVX-512 */
		{ 0x3e8, 8, 0xe3 }, /* without AVX */
		{ 0x3e8, 8, 0x20007 }, /* half of AMX */
	};

	for (const auto &row : kRows) {
		begin();
		EXPECT(!area.read());
		area.put(row.at, row.value, row.size);
		EXPECT(area.read() != nullptr);
	}
}

void what_is_taken()
{
	static constexpr struct {
		std::uint16_t at;
		std::uint64_t value;
	} kRows[] = {
		{ 0xd0, 0x36fd01 }, { 0x158, 0xe0010033 }, { 0x158, 0xc0010033 },
		{ 0x3e8, 3 },	    { 0x3e8, 7 },	   { 0x3e8, 0x1f },
		{ 0x3e8, 0xe7 },    { 0x3e8, 0x60007 },	   { 0x3e8, 0x207 },
	};

	for (const auto &row : kRows) {
		begin();
		area.put(row.at, row.value);
		EXPECT(!area.read());
	}
	/* Without paging, PAE and L are nothing to long mode. */
	begin();
	area.put(0x158, 0x60000010);
	area.put(0x148, 0);
	area.put(0x12, 0xe9b, 2);
	EXPECT(!area.read());
}

} /* namespace */

GMEM_SUITE(snp_save_area, CASE(where_registers_are), CASE(where_segments_are),
	   CASE(addresses_become_canonical), CASE(what_kvm_has_otherwise), CASE(the_fpu),
	   CASE(rules_that_are_broken), CASE(what_is_taken));
