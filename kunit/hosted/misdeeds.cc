// SPDX-License-Identifier: GPL-2.0-only
/*
 * What root orders the model to do to guests (guest/misdeeds.h): that it is done as often as
 * ordered, when it is ordered, what the guest sees of each, and that nothing else changes.
 *
 * Tests: guest/misdeeds.cc, guest/misdeeds.h.
 */
#include "guest/misdeeds.h"

#include <string>

#include "guest/ghcb_msr.h"
#include "kapi/misdeeds.h"
#include "kunit/hosted/exiting.h"

using namespace gmem_test;
using gmem::Misdeed;
using gmem::Misdeeds;

namespace
{

constexpr std::uint64_t kToPrivate = 0x0010000000005000, kToPrivateNext = 0x0010000000006000;

/* None is left ordered for the cases behind this one. */
struct Ordered {
	~Ordered()
	{
		for (std::size_t nr = 0; nr < gmem::kMisdeeds; nr++)
			(void)gmem_misdeed_order(Misdeeds::name(static_cast<Misdeed>(nr)), 0, 0);
	}
};

void as_often_as_ordered()
{
	Misdeeds some;

	EXPECT(!some.due(Misdeed::PscLies));
	EXPECT(some.order("psc-lies", 2, 3).ok());
	for (const bool due : { false, false, false, true, true, false, false })
		EXPECT_EQ(some.due(Misdeed::PscLies), due);
	/* Others have not been ordered. */
	EXPECT(!some.due(Misdeed::PscStuck));
	EXPECT_EQ(some.ordered(Misdeed::PscLies).done, 2u);
	EXPECT_EQ(some.ordered(Misdeed::PscLies).times, 0u);
	/* The last order counts, and that there is none is one. */
	EXPECT(some.order("psc-lies", ~0u, ~0u).ok());
	EXPECT(!some.due(Misdeed::PscLies));
	EXPECT_EQ(some.ordered(Misdeed::PscLies).times, ~0u);
	EXPECT_EQ(some.ordered(Misdeed::PscLies).after, ~0u - 1);
	EXPECT(some.order("psc-lies", 1, 0).ok());
	EXPECT(some.order("psc-lies", 0, 7).ok());
	EXPECT(!some.due(Misdeed::PscLies));
	EXPECT_EQ(some.ordered(Misdeed::PscLies).after, 0u);
	/* No such names. */
	for (const char *const name : { "", "psc", "psc-lies ", "PSC-LIES" })
		EXPECT_EQ(some.order(name, 1, 0).code(), -EINVAL);
}

void what_root_reads()
{
	const Ordered ordered;
	std::string text;

	EXPECT_EQ(gmem_misdeed_order("psc-stuck", 7, 9), 0);
	EXPECT_EQ(gmem_misdeed_order("nothing", 7, 9), -EINVAL);
	gmem_misdeeds_show(&text);
	EXPECT(text.find("psc-stuck 7 9 ") != std::string::npos);
	EXPECT(text.find("event-refused 0 0 ") != std::string::npos);
	EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), std::ptrdiff_t{ gmem::kMisdeeds });
}

void page_state_changes_are_refused()
{
	const Ordered ordered;
	Exiting guest;
	const unsigned long exits = ghcb().exits;

	REQUIRE(guest.ready);
	EXPECT_EQ(gmem_misdeed_order("psc-refused", 2, 0), 0);
	guest.prepare_psc({ kToPrivate });
	guest.ends(0, 0x10000000000);
	EXPECT_EQ(guest.get(0x808), kToPrivate);
	EXPECT_EQ(guest.request(0x5014 | 1ull << 52), 0x8000000000000015u);
	EXPECT_EQ(ghcb().exits, exits);
	/* And no longer. */
	guest.prepare_psc({ kToPrivate });
	guest.waits();
	EXPECT_EQ(guest.user_answers(), kGoOn);
	guest.expect_answer(0, 0);
}

void page_state_changes_that_never_were()
{
	const Ordered ordered;
	Exiting guest;
	const unsigned long exits = ghcb().exits;

	REQUIRE(guest.ready);
	EXPECT_EQ(gmem_misdeed_order("psc-lies", 3, 0), 0);
	guest.prepare_psc({ kToPrivate, kToPrivateNext | 1ull << 53, kToPrivate });
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(0x800), 2ull << 16 | 3);
	EXPECT_EQ(guest.get(0x808), kToPrivate | 1);
	EXPECT_EQ(guest.request(0x5014 | 1ull << 52), 0x15u);
	EXPECT_EQ(ghcb().exits, exits);
	/* The first of two ranges; user space hears of the other. */
	EXPECT_EQ(gmem_misdeed_order("psc-lies", 1, 0), 0);
	guest.prepare_psc({ kToPrivate, 0x0020000000009000 });
	guest.waits();
	EXPECT_EQ(ghcb().gpa, 0x9000u);
	EXPECT_EQ(guest.user_answers(), kGoOn);
	guest.expect_answer(0, 0);
}

void page_state_changes_that_get_nowhere()
{
	const Ordered ordered;
	Exiting guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(gmem_misdeed_order("psc-stuck", 1, 0), 0);
	guest.prepare_psc({ kToPrivate });
	guest.ends(0, 0);
	EXPECT_EQ(guest.get(0x800), 0u);
	EXPECT_EQ(guest.get(0x808), kToPrivate);
	guest.prepare_psc({ kToPrivate });
	guest.waits();
	EXPECT_EQ(guest.user_answers(), kGoOn);
}

void nothing_that_it_can()
{
	const Ordered ordered;
	Exiting guest;

	REQUIRE(guest.ready);
	EXPECT_EQ(gmem_misdeed_order("no-features", 2, 0), 0);
	EXPECT_EQ(guest.request(0x080), 0x081u);
	guest.prepare(0x8000fffd);
	guest.ends(0, 0);
	EXPECT_EQ(gmem_misdeed_order("event-refused", 1, 1), 0);
	guest.prepare(0x8000fffd);
	guest.ends(0, gmem::kGhcbFeatures);
	guest.prepare(0x8000fffd);
	guest.ends(2, 6);
	guest.prepare(0x8000fffd);
	guest.ends(0, gmem::kGhcbFeatures);
}

} /* namespace */

GMEM_SUITE(misdeeds, CASE(as_often_as_ordered), CASE(what_root_reads),
	   CASE(page_state_changes_are_refused), CASE(page_state_changes_that_never_were),
	   CASE(page_state_changes_that_get_nowhere), CASE(nothing_that_it_can));
