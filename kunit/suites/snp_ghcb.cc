// SPDX-License-Identifier: GPL-2.0-only
/*
 * The protocols of the GHCB (guest/): each request of the MSR's, each event of the page's with
 * what it takes, and page state changes, from the public descriptions and KVM's checks, and not
 * as the code does it. Offsets are numbers here for that reason.
 *
 * Tests: guest/ghcb_msr.cc, guest/ghcb.cc, guest/psc.cc.
 */
#include "guest/ghcb.h"

#include <array>
#include <cstring>
#include <initializer_list>

#include "guest/ghcb_msr.h"
#include "guest/psc.h"
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

/* ---- page state changes ----------------------------------------------------------------- */

struct Entry {
	std::uint64_t gfn;
	unsigned operation = 1; /* 1: private, 2: shared */
	bool huge = false;
	unsigned done = 0;
};

class Change {
    public:
	Change(unsigned at, unsigned end, std::initializer_list<Entry> entries,
	       std::size_t size = 0x7f0)
		: size_(size)
	{
		buffer_.fill(0xee);
		put(0, at, 2);
		put(2, end, 2);
		unsigned place = 8;

		for (const Entry &entry : entries) {
			put(place,
			    entry.done | entry.gfn << 12 | std::uint64_t{ entry.operation } << 52 |
				    std::uint64_t{ entry.huge } << 56 | 0x5aull << 57,
			    8);
			place += 8;
		}
	}

	PscStep next() { return psc().next(); }
	PscStep goes_on()
	{
		psc().converted();
		return psc().next();
	}
	unsigned at() const { return static_cast<unsigned>(get(0, 2)); }
	unsigned done(unsigned entry) const { return get(8 + entry * 8, 8) & 0xfff; }
	/* All of it but how much is done. */
	std::uint64_t rest(unsigned entry) const { return get(8 + entry * 8, 8) >> 12; }
	std::size_t changed() { return psc().changed(); }

    private:
	Psc psc() { return Psc{ std::span{ buffer_ }.first(size_), first_, count_ }; }
	void put(unsigned place, std::uint64_t value, unsigned size)
	{
		std::memcpy(&buffer_[place], &value, size);
	}
	std::uint64_t get(unsigned place, unsigned size) const
	{
		std::uint64_t value = 0;

		std::memcpy(&value, &buffer_[place], size);
		return value;
	}

	std::array<std::uint8_t, 0x7f0> buffer_;
	const std::size_t size_;
	std::uint16_t first_ = 0, count_ = 0;
};

constexpr std::uint64_t kGeneric = 0x10000000000, kHeader = 0x100000001, kBadEntry = 0x100000002;

void expect_range(const PscStep &step, std::uint64_t gfn, std::uint64_t pages, bool is_private,
		  bool huge)
{
	EXPECT(step.asks);
	EXPECT_EQ(step.gpa, gfn << 12);
	EXPECT_EQ(step.pages, pages);
	EXPECT(step.is_private == is_private && step.huge == huge);
}

void expect_over(const PscStep &step, std::uint64_t result)
{
	EXPECT(!step.asks);
	EXPECT_EQ(step.result, result);
}

void neighbours_are_one_range()
{
	Change change{ 0, 5, { { 16 }, { 17 }, { 18 }, { 20 }, { 21, 2 }, { 22, 2 } } };

	expect_range(change.next(), 16, 3, true, false);
	EXPECT_EQ(change.at(), 0u);
	expect_range(change.goes_on(), 20, 1, true, false);
	EXPECT_EQ(change.at(), 3u);
	EXPECT_EQ(change.done(2), 1u);
	EXPECT_EQ(change.done(3), 0u);
	expect_range(change.goes_on(), 21, 2, false, false);
	expect_over(change.goes_on(), 0);
	EXPECT_EQ(change.at(), 6u);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_EQ(change.done(i), 1u);
	EXPECT_EQ(change.rest(4), 21u | 2ull << 40 | 0x5aull << 45);
	EXPECT_EQ(change.changed(), 8u + 6 * 8);
	/* And once more there is nothing to be done. */
	expect_over(change.next(), 0);
}

void blocks_and_pages_are_two_ranges()
{
	Change change{ 0, 2, { { 512, 2, true }, { 1024, 2, true }, { 1536, 2 } } };

	expect_range(change.next(), 512, 1024, false, true);
	expect_range(change.goes_on(), 1536, 1, false, false);
	EXPECT_EQ(change.done(0), 512u);
	EXPECT_EQ(change.done(1), 512u);
	expect_over(change.goes_on(), 0);
	EXPECT_EQ(change.done(2), 1u);
}

void what_is_done_is_not_done_again()
{
	/* A block of which a part is goes on with pages, by itself. */
	Change change{ 0,
		       4,
		       { { 16, 1, false, 1 },
			 { 512, 1, true, 512 },
			 { 1024, 1, true, 500 },
			 { 1036, 1 },
			 { 1536, 1, true, 0 } } };

	expect_range(change.next(), 1524, 12, true, false);
	EXPECT_EQ(change.at(), 2u);
	expect_range(change.goes_on(), 1036, 1, true, false);
	EXPECT_EQ(change.done(2), 512u);
	expect_range(change.goes_on(), 1536, 512, true, true);
	expect_over(change.goes_on(), 0);

	/* What would be a block behind it is not taken for one. */
	Change odd{ 0, 1, { { 1024, 1, true, 500 }, { 1036, 1, true } } };

	expect_range(odd.next(), 1524, 12, true, false);
	expect_over(odd.goes_on(), kBadEntry);

	/* It begins where the header says. */
	Change later{ 1, 1, { { 16 }, { 20 } } };

	expect_range(later.next(), 20, 1, true, false);
	expect_over(later.goes_on(), 0);
	EXPECT_EQ(later.done(0), 0u);

	Change behind{ 3, 1, { { 16 }, { 20 } } };

	expect_over(behind.next(), 0);
	EXPECT_EQ(behind.at(), 3u);
}

void what_user_space_has_no_part_in()
{
	/* How pages lie, and nothing at all. */
	Change change{ 0, 4, { { 16, 3 }, { 17, 3 }, { 512, 4, true }, { 30, 0 }, { 31, 15 } } };

	expect_over(change.next(), 0);
	EXPECT_EQ(change.at(), 5u);
	EXPECT_EQ(change.done(1), 1u);
	EXPECT_EQ(change.done(2), 512u);

	Change mixed{ 0, 2, { { 16, 3 }, { 17, 1 }, { 18, 4 } } };

	expect_range(mixed.next(), 17, 1, true, false);
	EXPECT_EQ(mixed.at(), 1u);
	expect_over(mixed.goes_on(), 0);
}

void entries_that_are_wrong()
{
	/* Not aligned to its size; more done than there is. */
	for (const Entry &wrong :
	     { Entry{ 513, 1, true }, Entry{ 16, 1, false, 2 }, Entry{ 512, 1, true, 513 } }) {
		Change change{ 0, 1, { { 40 }, wrong } };

		expect_range(change.next(), 40, 1, true, false);
		expect_over(change.goes_on(), kBadEntry);
		EXPECT_EQ(change.at(), 1u);
		EXPECT_EQ(change.done(0), 1u);
	}
}

void headers_that_are_wrong()
{
	/* There is room for 253 entries, and less behind where a guest begins later. */
	expect_over(Change(0, 253, {}).next(), kHeader);
	expect_over(Change(0, 0xffff, {}).next(), kHeader);
	expect_over(Change(0, 0, {}, 8).next(), kHeader);
	expect_over(Change(0, 0, {}, 15).next(), kHeader);
	expect_over(Change(0, 1, { { 1 } }, 16).next(), kHeader);
	expect_range(Change(0, 0, { { 1 } }, 16).next(), 1, 1, true, false);
	expect_over(Change(0xffff, 252, {}).next(), 0);
	EXPECT_EQ(Change(0xffff, 252, {}).changed(), 0x7f0u);
	EXPECT_EQ(kPscGeneric, kGeneric);
}

/* All that there is room for, as one. */
void the_longest_change()
{
	std::array<std::uint8_t, 0x7f0> buffer{};
	std::uint16_t first = 0, count = 0;

	buffer[2] = 252;
	for (std::uint64_t i = 0; i < 253; i++) {
		const std::uint64_t entry = i * 512 << 12 | 1ull << 52 | 1ull << 56;

		std::memcpy(&buffer[8 + i * 8], &entry, sizeof(entry));
	}
	expect_range(Psc(buffer, first, count).next(), 0, 253 * 512, true, true);
	Psc(buffer, first, count).converted();
	expect_over(Psc(buffer, first, count).next(), 0);
	EXPECT_EQ(Psc(buffer, first, count).changed(), 0x7f0u);

	/* The last address that an entry can name. */
	Change last{ 0, 0, { { (1ull << 40) - 1 } } };

	expect_range(last.next(), (1ull << 40) - 1, 1, true, false);
}

} /* namespace */

GMEM_SUITE(snp_ghcb, CASE(requests_by_the_lowest_bits), CASE(answers_in_the_msr),
	   CASE(conversions_of_one_page), CASE(a_field_counts_if_it_is_valid),
	   CASE(registers_that_are_not_valid_are_zero), CASE(the_event_and_its_infos_must_be_there),
	   CASE(what_events_take), CASE(messages_are_two_pages), CASE(events_that_there_are_not),
	   CASE(scratch_lies_in_the_buffer), CASE(an_answer_is_six_fields),
	   CASE(port_io_by_its_bits), CASE(neighbours_are_one_range),
	   CASE(blocks_and_pages_are_two_ranges), CASE(what_is_done_is_not_done_again),
	   CASE(what_user_space_has_no_part_in), CASE(entries_that_are_wrong),
	   CASE(headers_that_are_wrong), CASE(the_longest_change));
