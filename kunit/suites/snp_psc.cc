// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page state changes as a guest writes them into its GHCB (guest/psc.cc): which entries are one
 * range, what is done already, what user space has no part in, and what is wrong; from the public
 * descriptions and KVM's checks, and not as the code does it.
 *
 * Tests: guest/psc.cc.
 */
#include "guest/psc.h"

#include <array>
#include <cstring>
#include <initializer_list>

#include "kunit/suite.h"

namespace
{

using namespace gmem;

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

GMEM_SUITE(snp_psc, CASE(neighbours_are_one_range), CASE(blocks_and_pages_are_two_ranges),
	   CASE(what_is_done_is_not_done_again), CASE(what_user_space_has_no_part_in),
	   CASE(entries_that_are_wrong), CASE(headers_that_are_wrong), CASE(the_longest_change));
