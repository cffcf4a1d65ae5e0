// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/bindings.h: which bindings a range meets, and each once.
 *
 * Tests: gmem/bindings.h, gmem/binding.h.
 */
#include "gmem/bindings.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

void overlapping_is_refused()
{
	Bindings bindings;
	NotedBinding first{ pages(10, 20) };
	static constexpr struct {
		unsigned start, end;
		int code;
	} others[] = {
		{ 0, 10, 0 },	     { 20, 30, 0 },	  { 0, 11, -EEXIST },  { 19, 30, -EEXIST },
		{ 10, 20, -EEXIST }, { 12, 13, -EEXIST }, { 0, 100, -EEXIST },
	};

	EXPECT_EQ(bindings.add(first).code(), 0);
	for (const auto &o : others) {
		NotedBinding other{ pages(o.start, o.end) };

		EXPECT_EQ(bindings.add(other).code(), o.code);
		if (o.code == 0)
			bindings.remove(other);
	}
	EXPECT(bindings.load(PageIndex{ 10 }) == &first);
	EXPECT(bindings.load(PageIndex{ 19 }) == &first);
	EXPECT(bindings.load(PageIndex{ 20 }) == nullptr);
	EXPECT(bindings.load(PageIndex{ 9 }) == nullptr);
	bindings.remove(first);
	EXPECT(bindings.first_overlapping(pages(0, 1000)) == nullptr);
}

void each_once_in_order()
{
	Bindings bindings;
	/* Unaligned to any power of two: the xarray has them in many entries. */
	NotedBinding a{ pages(3, 700) }, b{ pages(700, 701) }, c{ pages(1001, 5003) };
	static Binding *seen[4];
	unsigned count = 0;

	EXPECT(bindings.add(c).ok() && bindings.add(a).ok() && bindings.add(b).ok());
	bindings.for_each_overlapping(pages(0, 10000), [&](Binding &found) {
		if (count < 4)
			seen[count] = &found;
		count++;
	});
	EXPECT_EQ(count, 3u);
	EXPECT(seen[0] == &a && seen[1] == &b && seen[2] == &c);

	count = 0;
	bindings.for_each_overlapping(pages(699, 1001), [&](Binding &) { count++; });
	EXPECT_EQ(count, 2u);
	count = 0;
	bindings.for_each_overlapping(pages(701, 1001), [&](Binding &) { count++; });
	EXPECT_EQ(count, 0u);
	count = 0;
	bindings.for_each_overlapping(pages(5, 5), [&](Binding &) { count++; });
	EXPECT_EQ(count, 0u);

	/* As release does: each is removed while it is visited. */
	count = 0;
	bindings.for_each_overlapping(pages(0, 10000), [&](Binding &found) {
		bindings.remove(found);
		count++;
	});
	EXPECT_EQ(count, 3u);
	EXPECT(bindings.first_overlapping(pages(0, 10000)) == nullptr);
}

/* Random binds and unbinds against an owner per page. */
void random_against_owners()
{
	constexpr unsigned kPages = 96, kSlots = 12;
	static signed char owner[kPages];
	Own<NotedBinding> slots[kSlots];
	Bindings bindings;
	Random random{ 7 };

	for (signed char &o : owner)
		o = -1;
	for (unsigned step = 0; step < 3000; step++) {
		const unsigned slot = random.below(kSlots);
		const unsigned start = random.below(kPages), size = 1 + random.below(20);
		const unsigned end = start + size < kPages ? start + size : kPages;

		if (slots[slot]) {
			const IndexRange range = slots[slot]->range();

			bindings.remove(*slots[slot]);
			for (PageIndex i = range.start; i < range.end; i = i + 1)
				owner[i.value] = -1;
			slots[slot].reset();
		} else {
			bool free = true;

			for (unsigned i = start; i < end; i++)
				free = free && owner[i] < 0;

			Result<Own<NotedBinding>> made = make<NotedBinding>(pages(start, end));

			REQUIRE(made.ok());
			const Status status = bindings.add(*made.value());

			EXPECT_EQ(status.code(), free ? 0 : -EEXIST);
			if (status.ok())
				slots[slot] = std::move(made).value();
			for (unsigned i = start; free && i < end; i++)
				owner[i] = slot;
		}
		for (unsigned i = 0; i < kPages; i++) {
			Binding *const got = bindings.load(PageIndex{ i });

			EXPECT(got == (owner[i] < 0 ? nullptr : slots[owner[i]].get()));
		}
	}
	for (const auto &slot : slots) {
		if (slot)
			bindings.remove(*slot);
	}
}

} /* namespace */

GMEM_SUITE(bindings, CASE(overlapping_is_refused), CASE(each_once_in_order),
	   CASE(random_against_owners));
