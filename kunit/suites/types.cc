// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/types.h: ranges and slot arithmetic against counting by hand, over small
 * spaces in full.
 *
 * Tests: gmem/types.h.
 */
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

/* The members of a range below 16, as bits. */
unsigned members(IndexRange r)
{
	unsigned set = 0;

	for (unsigned i = 0; i < 16; i++) {
		if (r.contains(PageIndex{ i }))
			set |= 1u << i;
	}
	return set;
}

unsigned count(unsigned set)
{
	unsigned n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

template <class Fn> void for_each_range(unsigned bound, Fn fn)
{
	for (unsigned start = 0; start <= bound; start++) {
		for (unsigned end = 0; end <= bound; end++)
			fn(pages(start, end));
	}
}

void range_is_its_members()
{
	for_each_range(6, [](IndexRange a) {
		EXPECT_EQ(a.size(), count(members(a)));
		EXPECT_EQ(a.empty(), members(a) == 0);
		for_each_range(6, [&](IndexRange b) {
			EXPECT_EQ(members(a.intersect(b)), members(a) & members(b));
			if (!a.empty() && !b.empty()) {
				EXPECT_EQ(a.overlaps(b), (members(a) & members(b)) != 0);
				EXPECT_EQ(a.covers(b), (members(b) & ~members(a)) == 0);
			}
		});
	});
}

void rounding_out_is_the_smallest_block_range()
{
	for (unsigned order = 0; order < 3; order++) {
		for_each_range(9, [&](IndexRange r) {
			if (r.empty())
				return;
			unsigned want = 0;

			for (unsigned i = 0; i < 16; i++) {
				if (r.overlaps(block_around(PageIndex{ i }, order)))
					want |= 1u << i;
			}
			EXPECT_EQ(members(r.round_out(order)), want);
		});
	}
}

void frames_round()
{
	for (std::uint64_t v = 0; v < 40; v++) {
		for (unsigned order = 0; order < 5; order++) {
			const std::uint64_t size = 1ull << order;

			EXPECT_EQ(Gfn{ v }.round_down(order).value, v / size * size);
			EXPECT_EQ(Gfn{ v }.round_up(order).value, (v + size - 1) / size * size);
			EXPECT(block_around(Gfn{ v }, order).contains(Gfn{ v }));
			EXPECT_EQ(block_around(Gfn{ v }, order).size(), size);
			EXPECT_EQ(block_around(Gfn{ v }, order).start.value % size, 0u);
		}
	}
}

template <class Fn> void for_each_slot(Fn fn)
{
	for (unsigned base = 0; base < 9; base++) {
		for (unsigned start = 0; start < 9; start++) {
			for (unsigned size = 1; size < 7; size++)
				fn(SlotMap{ Gfn{ base }, pages(start, start + size) });
		}
	}
}

void slot_maps_one_to_one()
{
	for_each_slot([](const SlotMap &map) {
		EXPECT_EQ(map.gfns().size(), map.range().size());
		for (std::uint64_t i = 0; i < map.range().size(); i++) {
			const Gfn gfn = map.gfns().start + i;

			EXPECT(map.index_of(gfn) == map.range().start + i);
			EXPECT(map.gfn_of(map.index_of(gfn)) == gfn);
		}
	});
}

void slot_gfns_of_a_range()
{
	for_each_slot([](const SlotMap &map) {
		for_each_range(12, [&](IndexRange r) {
			const GfnRange got = map.gfns_of(r);
			unsigned count = 0;

			for (std::uint64_t i = 0; i < map.range().size(); i++) {
				const bool want = r.contains(map.range().start + i);

				EXPECT_EQ(got.contains(map.gfns().start + i), want);
				count += want;
			}
			EXPECT_EQ(got.size(), count);
		});
	});
}

void slot_fits_a_block()
{
	for_each_slot([](const SlotMap &map) {
		for (unsigned order = 0; order < 3; order++) {
			for (PageIndex i = map.range().start; i < map.range().end; i = i + 1) {
				const IndexRange block = block_around(i, order);
				bool want = map.range().covers(block);

				/* Each of the block's pages is at the same place of one gfn block. */
				for (PageIndex p = block.start; want && p < block.end; p = p + 1)
					want = (map.gfn_of(p).value - p.value) % (1ull << order) ==
					       0;
				EXPECT_EQ(map.fits(i, order), want);
			}
		}
	});
}

} /* namespace */

GMEM_SUITE(types, CASE(range_is_its_members), CASE(rounding_out_is_the_smallest_block_range),
	   CASE(frames_round), CASE(slot_maps_one_to_one), CASE(slot_gfns_of_a_range),
	   CASE(slot_fits_a_block));
