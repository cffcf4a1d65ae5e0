// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/bitmap.h against an array of bools.
 *
 * Tests: gmem/bitmap.h.
 */
#include "gmem/bitmap.h"

#include <algorithm>
#include <utility>

#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

template <unsigned Bits> struct Pair {
	Bitmap<Bits> bitmap;
	bool bits[Bits] = {};

	unsigned next(unsigned from, bool value) const
	{
		while (from < Bits && bits[from] != value)
			from++;
		return from < Bits ? from : Bits;
	}

	void check() const
	{
		unsigned count = 0;

		for (unsigned i = 0; i < Bits; i++) {
			EXPECT_EQ(bitmap.test(i), bits[i]);
			count += bits[i];
		}
		EXPECT_EQ(bitmap.count(), count);
		EXPECT_EQ(bitmap.none(), count == 0);
		EXPECT_EQ(bitmap.all(), count == Bits);
		for (unsigned i = 0; i <= Bits; i++) {
			EXPECT_EQ(bitmap.next_set(i), next(i, true));
			EXPECT_EQ(bitmap.next_clear(i), next(i, false));
		}
	}
};

void random_changes()
{
	static Pair<128> pair;
	Random random{ 1 };

	pair = {};
	for (unsigned step = 0; step < 2000; step++) {
		const unsigned bit = random.below(128);

		/* Setting and clearing in turns of hundreds, so that it fills and empties. */
		if (random.below(100) < (step / 400 % 2 ? 10 : 90)) {
			pair.bitmap.set(bit);
			pair.bits[bit] = true;
		} else {
			pair.bitmap.reset(bit);
			pair.bits[bit] = false;
		}
		if (step % 8 == 0)
			pair.check();
	}
	pair.check();
}

/* Ranges of all kinds: empty, in a word, to its end, over several. */
void ranges()
{
	static Pair<512> pair;
	Random random{ 2 };

	pair = {};
	for (unsigned step = 0; step < 1000; step++) {
		const bool value = random.below(2);
		unsigned from = random.below(513), to = random.below(513);

		if (to < from)
			std::swap(from, to);
		if (step % 3 == 0)
			to = std::min(to, from + 64);
		if (step % 5 == 0)
			from -= from % 64;
		if (from < to) {
			EXPECT_EQ(pair.bitmap.has_all(from, to), pair.next(from, false) >= to);
			EXPECT_EQ(pair.bitmap.has_none(from, to), pair.next(from, true) >= to);
		}
		if (value)
			pair.bitmap.set_range(from, to);
		else
			pair.bitmap.reset_range(from, to);
		std::fill(pair.bits + from, pair.bits + to, value);
		if (step % 16 == 0)
			pair.check();
	}
	pair.check();
	pair.bitmap.set_range(0, 512);
	EXPECT(pair.bitmap.all());
	pair.bitmap.reset(100);
	EXPECT(pair.bitmap.has_all(3, 100) && !pair.bitmap.has_all(3, 101));
	pair.bitmap.reset_range(0, 512);
	pair.bitmap.set(100);
	EXPECT(pair.bitmap.has_none(3, 100) && !pair.bitmap.has_none(3, 101));
	pair.bitmap.reset_range(0, 512);
	EXPECT(pair.bitmap.none());
	pair.bitmap.set_range(0, 0);
	pair.bitmap.set_range(512, 512);
	EXPECT(pair.bitmap.none());
}

void without()
{
	Bitmap<512> all, some;

	all.set_range(10, 500);
	some.set_range(0, 100);
	some.set_range(300, 301);
	some.set_range(450, 512);

	const Bitmap<512> rest = all.without(some);

	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(rest.test(i), i >= 100 && i < 450 && i != 300);
	EXPECT_EQ(rest.count(), 349u);
}

void all_and_none()
{
	static Pair<512> pair;

	pair = {};
	pair.check();
	pair.bitmap.set_all();
	for (bool &bit : pair.bits)
		bit = true;
	pair.check();
	pair.bitmap.reset(511);
	pair.bits[511] = false;
	pair.check();
	pair.bitmap.set(511);
	EXPECT(pair.bitmap.all());
	pair.bitmap.reset_all();
	for (bool &bit : pair.bits)
		bit = false;
	pair.check();
}

void each_single_bit()
{
	for (unsigned i = 0; i < 512; i++) {
		Bitmap<512> bitmap;

		bitmap.set(i);
		bitmap.set(i);
		EXPECT_EQ(bitmap.count(), 1u);
		EXPECT_EQ(bitmap.next_set(0), i);
		EXPECT_EQ(bitmap.next_set(i), i);
		EXPECT_EQ(bitmap.next_set(i + 1), 512u);
		EXPECT_EQ(bitmap.next_clear(i), i + 1);
		bitmap.reset(i);
		bitmap.reset(i);
		EXPECT_EQ(bitmap.count(), 0u);
	}
}

} /* namespace */

GMEM_SUITE(bitmap, CASE(random_changes), CASE(ranges), CASE(without), CASE(all_and_none),
	   CASE(each_single_bit));
