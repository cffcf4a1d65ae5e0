// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protocols of the GHCB (guest/): each request of the MSR's, and each event of the page's with
 * what it takes, from the public descriptions and KVM's checks, and not as the code does it.
 * Offsets are numbers here for that reason. Page state changes: suite snp_psc.
 *
 * Tests: guest/ghcb_msr.cc, guest/ghcb.cc.
 */
#include "guest/ghcb.h"

#include <array>
#include <cstring>
#include <initializer_list>

#include "guest/ghcb_msr.h"
#include "kunit/suite.h"
#include "kunit/suites/ghcb_page.h"

namespace
{

using namespace gmem;
using namespace gmem_test;

/* ---- the MSR ---------------------------------------------------------------------------- */

void requests_by_the_lowest_bits()
{
	constexpr struct {
		std::uint64_t msr;
		GhcbRequest request;
	} kRows[] = {
		{ 0, GhcbRequest::Nothing },
		{ 0x1000, GhcbRequest::Page },
		{ 1ull << 63, GhcbRequest::Page },
		{ 0x002, GhcbRequest::SevInfo },
		{ 0xfffffffffffff002, GhcbRequest::SevInfo },
		{ 0x4000000140000004, GhcbRequest::Cpuid },
		{ 0x006, GhcbRequest::ResetHold },
		{ 0x010, GhcbRequest::PreferredGhcb },
		{ 0x5012, GhcbRequest::RegisterGhcb },
		{ 0x0010000000005014, GhcbRequest::Conversion },
		{ 0x080, GhcbRequest::Features },
		{ 0x100, GhcbRequest::Terminate },
		{ 0x21100, GhcbRequest::Terminate },
		/* Answers; VMPLs, of which there is one; what is none of either. */
		{ 0x001, GhcbRequest::Unknown },
		{ 0x005, GhcbRequest::Unknown },
		{ 0x013, GhcbRequest::Unknown },
		{ 0x016, GhcbRequest::Unknown },
		{ 0x081, GhcbRequest::Unknown },
		{ 0x102, GhcbRequest::Unknown },
		{ 0x180, GhcbRequest::Unknown },
		{ 0xfff, GhcbRequest::Unknown },
	};

	for (const auto &row : kRows)
		EXPECT(ghcb_request(row.msr) == row.request);
}

void answers_in_the_msr()
{
	/* Max [63:48], min [47:32], C-bit [31:24], 001. */
	EXPECT_EQ(ghcb_sev_info(2, 51), 0x0002000133000001u);
	EXPECT_EQ(ghcb_sev_info(1, 0), 0x0001000100000001u);
	EXPECT_EQ(ghcb_sev_info(0, 33), 0x0002000121000001u);
	EXPECT_EQ(ghcb_newest(0), 2u);
	EXPECT_EQ(ghcb_newest(1), 1u);
	/* Function [63:32], register [31:30]; the value takes the function's place. */
	EXPECT_EQ(ghcb_cpuid_function(0x8000001f40000004), 0x8000001fu);
	EXPECT_EQ(ghcb_cpuid_register(0x8000001f40000004), 1u);
	EXPECT_EQ(ghcb_cpuid_register(0x8000001fc0000004), 3u);
	EXPECT_EQ(ghcb_cpuid_answer(0x8000001fc0000004, 0x12345678), 0x12345678c0000005u);
	EXPECT_EQ(ghcb_cpuid_answer(0x0000000100abc004, ~0u), 0xffffffff00abc005u);
	EXPECT_EQ(ghcb_reset_hold_answer(false), 0x007u);
	EXPECT_EQ(ghcb_reset_hold_answer(true), 0x1007u);
	/* No page is preferred: all ones. */
	EXPECT_EQ(ghcb_preferred_answer(), 0xfffffffffffff011u);
	EXPECT_EQ(ghcb_registered(0x7654012), 0x7654000u);
	EXPECT_EQ(ghcb_register_answer(0x7654012), 0x7654013u);
	/* SNP, and nothing else. */
	EXPECT_EQ(ghcb_features_answer(3), 0x3081u);
	EXPECT_EQ(ghcb_conversion_answer(true), 0x015u);
	EXPECT_EQ(ghcb_conversion_answer(false), 0x8000000000000015u);
}

void conversions_of_one_page()
{
	constexpr struct {
		std::uint64_t msr;
		bool known, is_private;
		std::uint64_t gpa;
	} kRows[] = {
		{ 0x0010000000005014, true, true, 0x5000 },
		{ 0x0020000000005014, true, false, 0x5000 },
		{ 0x001ffffffffff014, true, true, 0xffffffffff000 },
		/* Bits above the operation are nothing's. */
		{ 0xff20000000005014, true, false, 0x5000 },
		{ 0x0000000000005014, false, false, 0x5000 },
		{ 0x0030000000005014, false, false, 0x5000 },
		{ 0x00f0000000005014, false, false, 0x5000 },
	};

	for (const auto &row : kRows) {
		const GhcbConversion conversion = ghcb_conversion(row.msr);

		EXPECT(conversion.known == row.known);
		EXPECT(conversion.is_private == row.is_private);
		EXPECT_EQ(conversion.gpa, row.gpa);
	}
}

/* ---- the page --------------------------------------------------------------------------- */

constexpr std::uint64_t kGpa = 0x12345000;

struct Page {
	std::array<std::uint8_t, 4096> bytes{};

	void mark(unsigned at)
	{
		bytes[0x3f0 + at / 64] |= static_cast<std::uint8_t>(1 << at / 8 % 8);
	}
	bool marked(unsigned at) const { return bytes[0x3f0 + at / 64] >> at / 8 % 8 & 1; }
	void put(unsigned at, std::uint64_t value)
	{
		std::memcpy(&bytes[at], &value, at == kCpl ? 1 : 8);
	}
	void set(unsigned at, std::uint64_t value)
	{
		put(at, value);
		mark(at);
	}
	std::uint64_t get(unsigned at) const
	{
		std::uint64_t value;

		std::memcpy(&value, &bytes[at], sizeof(value));
		return value;
	}
	/* An event with nothing else in it. */
	static Page of(std::uint64_t code, std::uint64_t info_1 = 0, std::uint64_t info_2 = 0)
	{
		Page page;

		page.set(kCode, code);
		page.set(kInfo1, info_1);
		page.set(kInfo2, info_2);
		return page;
	}
	GhcbError check() { return Ghcb{ bytes }.check(); }
};

void a_field_counts_if_it_is_valid()
{
	Page page;
	const Ghcb ghcb{ page.bytes };

	for (const unsigned at :
	     { kCpl, kRax, kRcx, kRdx, kRbx, kRsi, kCode, kInfo1, kInfo2, kScratch, kXcr0 }) {
		const GhcbField field{ static_cast<std::uint16_t>(at) };

		page.put(at, 0x11 * 0x0101010101010101);
		EXPECT(!ghcb.has(field));
		EXPECT_EQ(ghcb.get(field), 0u);
		page.mark(at);
		EXPECT(ghcb.has(field));
		EXPECT_EQ(ghcb.get(field), at == kCpl ? 0x11u : 0x1111111111111111u);
	}
	page.bytes[0xffa] = 2;
	page.bytes[0xffb] = 1;
	page.bytes[0xffc] = 3;
	page.bytes[0xfff] = 4;
	EXPECT_EQ(ghcb.version(), 0x102u);
	EXPECT_EQ(ghcb.usage(), 0x04000003u);
}

void registers_that_are_not_valid_are_zero()
{
	Page page;

	for (const unsigned at : { kRax, kRbx, kRcx, kRdx, kRsi })
		page.put(at, at);
	for (const unsigned at : { kRax, kRcx, kRsi })
		page.mark(at);

	const kapi_ghcb_registers registers = Ghcb{ page.bytes }.registers();

	EXPECT_EQ(registers.rax, unsigned{ kRax });
	EXPECT_EQ(registers.rbx, 0u);
	EXPECT_EQ(registers.rcx, unsigned{ kRcx });
	EXPECT_EQ(registers.rdx, 0u);
	EXPECT_EQ(registers.rsi, unsigned{ kRsi });
}

void the_event_and_its_infos_must_be_there()
{
	for (const unsigned missing : { kCode, kInfo1, kInfo2 }) {
		Page page;

		for (const unsigned at : { kCode, kInfo1, kInfo2 }) {
			page.put(at, at == kCode ? 0x89 : 0);
			if (at != missing)
				page.mark(at);
		}
		EXPECT(page.check() == GhcbError::MissingInput);
		page.mark(missing);
		EXPECT(page.check() == GhcbError::None);
		/* Another use comes before all of that. */
		page.bytes[0xffd] = 1;
		EXPECT(page.check() == GhcbError::Usage);
	}
}

struct Row {
	std::uint64_t code, info_1;
	std::initializer_list<unsigned> needs;
};

/* Without any one of what it needs an event is none. */
void what_events_take()
{
	const Row rows[] = {
		{ 0x27, 0, {} },
		{ 0x37, 0, { kRax } },
		{ 0x6e, 0, {} },
		{ 0x6f, 0, { kRcx } },
		{ 0x72, 0, { kRax, kRcx } },
		{ 0x76, 0, {} },
		{ 0x7b, 0x00f40010, { kRax } }, /* OUT of a byte */
		{ 0x7b, 0x00f40011, {} }, /* IN */
		{ 0x7b, 0x00f40014, { kScratch } }, /* OUTS */
		{ 0x7b, 0x00f40015, { kScratch } }, /* INS */
		{ 0x7c, 0, { kRcx } },
		{ 0x7c, 1, { kRcx, kRax, kRdx } },
		{ 0x81, 0, { kRax, kCpl } },
		{ 0x87, 0, {} },
		{ 0x89, 0, {} },
		{ 0x8a, 0, { kRax, kRcx, kRdx } },
		{ 0x8b, 0, { kRax, kRcx } },
		{ 0x80000001, 0, { kScratch } },
		{ 0x80000002, 0, { kScratch } },
		{ 0x80000003, 0, {} },
		{ 0x80000004, 0, {} },
		{ 0x80000010, 0, { kScratch } },
		{ 0x80000013, 0x100000000, { kRax } }, /* for the next INIT */
		{ 0x80000013, 0x100000001, { kRax } }, /* at once */
		{ 0x80000013, 0x200010002, { kRax } }, /* none of these */
		{ 0x80000013, 0x200000002, {} }, /* no more */
		{ 0x8000fffd, 0, {} },
		{ 0x8000fffe, 0, {} },
		{ 0x8000ffff, 0, {} },
	};

	for (const Row &row : rows) {
		Page whole = Page::of(row.code, row.info_1);

		for (const unsigned at : row.needs)
			whole.set(at, 1);
		EXPECT(whole.check() == GhcbError::None);
		for (const unsigned missing : row.needs) {
			Page page = Page::of(row.code, row.info_1);

			for (const unsigned at : row.needs) {
				if (at != missing)
					page.set(at, 1);
			}
			EXPECT(page.check() == GhcbError::MissingInput);
		}
	}

	/* XSAVE's sizes follow XCR0. */
	Page page = Page::of(0x72);

	page.set(kRax, 0xd);
	page.set(kRcx, 0);
	EXPECT(page.check() == GhcbError::MissingInput);
	page.set(kXcr0, 1);
	EXPECT(page.check() == GhcbError::None);
}

void messages_are_two_pages()
{
	for (const std::uint64_t code : { 0x80000011ull, 0x80000012ull }) {
		EXPECT(Page::of(code, 0x1000, 0x2000).check() == GhcbError::None);
		EXPECT(Page::of(code, 0x1000, 0x1000).check() == GhcbError::MissingInput);
		EXPECT(Page::of(code, 0x1001, 0x2000).check() == GhcbError::MissingInput);
		EXPECT(Page::of(code, 0x1000, 0x2800).check() == GhcbError::MissingInput);
	}
}

/* Doorbells, VMPLs, and what is nothing. */
void events_that_there_are_not()
{
	for (const std::uint64_t code :
	     { 0x80000014ull, 0x80000015ull, 0x80000016ull, 0x80000017ull, 0x80000018ull,
	       0x8000001aull, 0x78ull, 0x400ull, 0ull, ~0ull, 0x100000072ull })
		EXPECT(Page::of(code).check() == GhcbError::Event);
}

void scratch_lies_in_the_buffer()
{
	constexpr struct {
		std::uint64_t at;
		std::size_t size, left; /* 0: not there */
	} kRows[] = {
		{ kGpa + 0x800, 1, 0x7f0 },
		{ kGpa + 0x800, 0x7f0, 0x7f0 },
		{ kGpa + 0x800, 0x7f1, 0 },
		{ kGpa + 0x801, 8, 0x7ef },
		{ kGpa + 0xfe8, 8, 8 },
		{ kGpa + 0xfe9, 8, 0 },
		{ kGpa + 0xff0, 1, 0 },
		{ kGpa + 0x7ff, 1, 0 },
		{ kGpa, 8, 0 },
		{ kGpa + 0x1800, 8, 0 },
		{ kGpa - 0x800, 8, 0 },
		{ 0, 8, 0 },
		{ ~0ull, 8, 0 },
		{ ~0ull - 7, 8, 0 },
	};

	for (const auto &row : kRows) {
		Page page;

		page.set(kScratch, row.at);

		const std::span<std::uint8_t> scratch = Ghcb{ page.bytes }.scratch(kGpa, row.size);

		EXPECT_EQ(scratch.size(), row.left);
		EXPECT(!row.left || scratch.data() == &page.bytes[row.at - kGpa]);
	}

	Page page;

	page.put(kScratch, kGpa + 0x800);
	EXPECT(Ghcb{ page.bytes }.scratch(kGpa, 1).empty());
}

void an_answer_is_six_fields()
{
	Page page;

	page.bytes.fill(0xff);
	Ghcb{ page.bytes }.answer(1, 0x8000030d, { 11, 12, 13, 14, 15 });
	EXPECT_EQ(page.get(kInfo1), 1u);
	EXPECT_EQ(page.get(kInfo2), 0x8000030du);
	EXPECT_EQ(page.get(kRax), 11u);
	EXPECT_EQ(page.get(kRbx), 12u);
	EXPECT_EQ(page.get(kRcx), 13u);
	EXPECT_EQ(page.get(kRdx), 14u);
	EXPECT_EQ(page.get(kRsi), ~0ull);
	for (unsigned at = 0; at < 0x3f0; at += 8) {
		const bool answered = at == kInfo1 || at == kInfo2 || at == kRax || at == kRbx ||
				      at == kRcx || at == kRdx;

		EXPECT(page.marked(at) == answered);
	}
}

void port_io_by_its_bits()
{
	constexpr struct {
		std::uint64_t info;
		bool in, string;
		unsigned size, port;
	} kRows[] = {
		{ 0x00f40010, false, false, 1, 0xf4 }, { 0x03f80211, true, false, 1, 0x3f8 },
		{ 0xcfc0021, true, false, 2, 0xcfc },  { 0x0cf80040, false, false, 4, 0xcf8 },
		{ 0xffff001d, true, true, 1, 0xffff }, { 0x0064000c, false, true, 0, 0x64 },
		{ 0x10000000070, false, false, 7, 0 },
	};

	for (const auto &row : kRows) {
		const GhcbPortIo io = ghcb_port_io(row.info);

		EXPECT(io.in == row.in && io.string == row.string);
		EXPECT_EQ(io.size, row.size);
		EXPECT_EQ(io.port, row.port);
	}
	/* #GP, as an exception that is to be injected. */
	EXPECT_EQ(ghcb_exception(13), 0x8000030du);
}

} /* namespace */

GMEM_SUITE(snp_ghcb, CASE(requests_by_the_lowest_bits), CASE(answers_in_the_msr),
	   CASE(conversions_of_one_page), CASE(a_field_counts_if_it_is_valid),
	   CASE(registers_that_are_not_valid_are_zero), CASE(the_event_and_its_infos_must_be_there),
	   CASE(what_events_take), CASE(messages_are_two_pages), CASE(events_that_there_are_not),
	   CASE(scratch_lies_in_the_buffer), CASE(an_answer_is_six_fields),
	   CASE(port_io_by_its_bits));
