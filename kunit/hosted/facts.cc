// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is known of pages (docs/pages.md): the table of events, gone through in every
 * state that there is; and marks of the hardware, poison and callbacks that come when
 * nobody looks.
 */
#include <map>
#include <memory>

#include "gmem/run.h"
#include "kunit/fakes/vendors.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

using gmem::Run;

/* ---- the table ----------------------------------------------------------------------- */

/* Every event, done to slot 7 of a run of which nothing else is known. */
template <Event kEvent> void happen(Run &run)
{
	run.happens<kEvent>(7);
}
using Happens = void (*)(Run &run);
constexpr Happens kAll[] = {
	happen<event::kFilled>,	   happen<event::kReady>,      happen<event::kSeen>,
	happen<event::kGiven>,	   happen<event::kPopulated>,  happen<event::kStranded>,
	happen<event::kTakenBack>, happen<event::kGivenBack>,  happen<event::kStruck>,
	happen<event::kOutOfHand>, happen<event::kMadeShared>, happen<event::kMadePrivate>,
	happen<event::kRemoved>,
};

unsigned state_of(const Run &run)
{
	const RunBitmap *const facts[] = { &run.present(), &run.prepared(), &run.shown(),
					   &run.claimed(), &run.lost(),	    &run.unsafe(),
					   &run.shared() };
	unsigned state = 0;

	for (unsigned i = 0; i < kFacts; i++)
		state |= facts[i]->test(7) << i;
	return state;
}

bool has(unsigned state, Fact fact)
{
	return state >> static_cast<unsigned>(fact) & 1;
}

/* What docs/pages.md says of each fact under "only if". */
bool is_sound(unsigned state)
{
	const auto implies = [&](Fact one, Fact other) {
		return !has(state, one) || has(state, other);
	};

	return implies(Fact::kPrepared, Fact::kPresent) && implies(Fact::kShown, Fact::kPrepared) &&
	       implies(Fact::kClaimed, Fact::kPrepared) && implies(Fact::kLost, Fact::kPresent) &&
	       implies(Fact::kUnsafe, Fact::kLost);
}

/* How a state is come by, from an absent private page. */
using Path = std::vector<Happens>;

std::unique_ptr<Run> walk(const Path &path)
{
	auto run = std::make_unique<Run>(false);

	for (const Happens step : path)
		step(*run);
	return run;
}

void every_event_in_every_state()
{
	std::map<unsigned, Path> reached{ { 0, {} } };
	std::vector<unsigned> todo{ 0 };
	unsigned possible = 0, impossible = 0;

	while (!todo.empty()) {
		const Path path = reached[todo.back()];

		todo.pop_back();
		for (const Happens event : kAll) {
			const std::unique_ptr<Run> run = walk(path);
			fake::expect_warnings(true);
			event(*run);

			const bool refused = fake::warnings() != 0;

			fake::expect_warnings(false);
			if (refused) {
				impossible++;
				continue;
			}
			possible++;

			const unsigned state = state_of(*run);

			EXPECT(is_sound(state));
			if (reached.count(state))
				continue;
			reached[state] = path;
			reached[state].push_back(event);
			todo.push_back(state);
		}
	}
	/* Absent; present and prepared, or not, and seen and given; sound, lost or unsafe. */
	EXPECT_EQ(reached.size(), 2u * (1 + 5 * 3));
	EXPECT_EQ(possible + impossible, static_cast<unsigned>(reached.size() * std::size(kAll)));
	EXPECT(possible > 100 && impossible > 100);
}

/* ---- marks that nobody tells of ------------------------------------------------------- */

/* The neighbours are mapped without it. */
void a_mark_beside_the_page_faulted_on()
{
	Guest g{ 1024 };

	EXPECT_EQ(g.allocate(0, 1024), 0);
	struct page *const marked = g.file.cached(9);

	marked->poisoned = true;
	marked->content = 77;
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 0);
	EXPECT_EQ(g.order(9), -1);
	EXPECT_EQ(fake::fault(g.vm, 9), -EHWPOISON);
	/* Nor does the host touch it. */
	EXPECT_EQ(marked->content.load(), 77u);
	/* One that is marked later ends the next huge mapping. */
	EXPECT_EQ(fake::fault(g.vm, 600), 0);
	EXPECT_EQ(g.order(600), 9);
	g.file.cached(700)->poisoned = true;
	EXPECT_EQ(g.punch(511, 513), 0);
	EXPECT_EQ(g.order(600), 0);
	EXPECT_EQ(fake::fault(g.vm, 512), 0);
	EXPECT_EQ(fake::fault(g.vm, 601), 0);
	EXPECT_EQ(g.order(601), 0);
}

void a_mark_in_a_giant()
{
	fake::set_reserve(1);
	Guest g{ 1ull << kGiantOrder };

	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 18);
	g.file.cached(5000)->poisoned = true;
	g.vm->tables.zap(0, 1ull << kGiantOrder);
	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 9);
	EXPECT_EQ(fake::fault(g.vm, 5001), 0);
	EXPECT_EQ(g.order(5001), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_GIANTS), 0);
}

/* The mark may go; the page stays out of mappings of more than itself (docs/pages.md). */
void a_mark_in_a_giant_that_goes_again()
{
	fake::set_reserve(1);
	Guest g{ 1ull << kGiantOrder };

	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 18);
	g.file.cached(5000)->poisoned = true;
	g.vm->tables.zap(0, 1ull << kGiantOrder);
	/* Only who looks at its own run sees it. */
	EXPECT_EQ(fake::fault(g.vm, 5001), 0);
	EXPECT_EQ(g.order(5001), 0);
	g.file.cached(5000)->poisoned = false;
	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 9);
	EXPECT_EQ(g.order(5000), -1);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_GIANTS), 0);
}

/* ---- poison -------------------------------------------------------------------------- */

void poison_leaves_the_neighbours_mapped()
{
	Guest g{ 1024 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(fake::guest_write(g.vm, 6, 66));
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(g.order(4), 0);
	EXPECT_EQ(g.order(6), 0);
	EXPECT_EQ(g.order(511), 0);
	EXPECT_EQ(g.read(6), 66u);
	/* A second one likewise. */
	EXPECT(fake::memory_failure(g.file.inode().handle(), 300));
	EXPECT_EQ(g.order(300), -1);
	EXPECT_EQ(g.order(299), 0);
}

/* ---- callbacks of populate that fail half way ------------------------------------------ */

/* KVM's SNP callback when reclaiming is refused after the launch update. */
struct HalfWay {
	fake::SnpVendor &vendor;
	bool undone;

	static int fill(struct kvm *, gmem_u64 gfn, gmem_u64 pfn, void *, int, void *opaque)
	{
		const HalfWay &self = *static_cast<HalfWay *>(opaque);

		fake::page_of_pfn(pfn)->content = 99;
		if (!self.undone)
			self.vendor.prepare(gfn, pfn, 0);
		return -EIO;
	}
};

void populate_that_could_not_be_undone()
{
	fake::SnpVendor snp;
	Guest g{ 512, fake::kSnpVm };
	HalfWay kept{ snp, false }, undone{ snp, true };
	const auto populate = [&](std::uint64_t gfn, HalfWay &how) {
		return fake::populate(g.vm, gfn, world_user_memory(), 1, HalfWay::fill, &how);
	};

	EXPECT_EQ(populate(5, undone), -EIO);
	EXPECT_EQ(g.file.cached(5)->content.load(), 0u);
	EXPECT_EQ(populate(6, kept), -EIO);

	struct page *const page = g.file.cached(6);

	/* The host has not written to it, and nobody gets it. */
	EXPECT_EQ(page->content.load(), 99u);
	EXPECT(snp.entry(kapi_page_pfn(page)).assigned);
	EXPECT_EQ(fake::fault(g.vm, 6), -EHWPOISON);
	EXPECT_EQ(populate(6, undone), -EHWPOISON);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	/* Nor is it freed. */
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT_EQ(page->refs.load(), 1);
	snp.invalidate(kapi_page_pfn(page), kapi_page_pfn(page) + 1);
	kapi_page_put(page);
}

/* ---- promotion is wanted ---------------------------------------------------------------- */

/* Preallocated in small pages, then used. */
void promotion_of_preallocated_memory()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(g.allocate(i * 37 % 512, i * 37 % 512 + 1), 0);
	for (unsigned i = 0; i < 512; i++) {
		EXPECT(!fake::run_work());
		EXPECT_EQ(fake::fault(g.vm, i), 0);
	}
	fake::set_no_blocks(false);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 9);
}

} /* namespace */

GMEM_SUITE(facts, CASE(every_event_in_every_state), CASE(a_mark_beside_the_page_faulted_on),
	   CASE(a_mark_in_a_giant), CASE(a_mark_in_a_giant_that_goes_again),
	   CASE(poison_leaves_the_neighbours_mapped), CASE(populate_that_could_not_be_undone),
	   CASE(promotion_of_preallocated_memory));
