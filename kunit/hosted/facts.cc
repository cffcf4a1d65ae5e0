// SPDX-License-Identifier: GPL-2.0-only
/*
 * The facts of pages (docs/pages.md): the table of events, gone through in every state
 * that there is; a run as a block; and marks of the hardware, poison and callbacks that
 * come unseen.
 *
 * Tests: gmem/facts.h, gmem/run.h, gmem/store.cc.
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

/* An event, done to slot 7 of a run of which nothing else is known. */
template <Event kEvent> void happen(Run &run)
{
	run.happens<kEvent>(7);
}

using Set = std::vector<Fact>;
struct Row {
	void (*happens)(Run &run);
	Set has, lacks, sets, clears;
};

using enum Fact;
/* The table of docs/pages.md, once more: a slip in the one of gmem/facts.h is found by it. */
const Row kAll[] = {
	{ happen<event::kFilled>, {}, { kPresent }, { kPresent }, {} },
	{ happen<event::kReady>, { kPresent }, { kPrepared, kUnsafe }, { kPrepared }, { kStaged } },
	{ happen<event::kFault>, { kPrepared }, { kUnsafe }, { kFaulted }, {} },
	{ happen<event::kGiven>, { kPrepared }, { kUnsafe }, { kHasContent }, {} },
	{ happen<event::kPopulated>,
	  { kPresent },
	  { kPrepared, kUnsafe, kShared },
	  { kPrepared, kHasContent },
	  { kStaged } },
	{ happen<event::kStranded>,
	  { kPresent },
	  { kPrepared, kUnsafe, kShared },
	  { kPrepared, kHasContent },
	  { kStaged } },
	{ happen<event::kReclaimed>,
	  { kPrepared },
	  { kHasContent, kUnsafe, kShared },
	  {},
	  { kPrepared, kFaulted } },
	{ happen<event::kLeft>,
	  { kPrepared, kShared },
	  { kUnsafe },
	  { kStaged },
	  { kPrepared, kFaulted, kHasContent } },
	{ happen<event::kWiped>,
	  { kPrepared },
	  { kUnsafe },
	  {},
	  { kPrepared, kFaulted, kHasContent } },
	{ happen<event::kStruck>, { kPresent }, {}, { kLost }, {} },
	{ happen<event::kOutOfHand>, { kPresent }, {}, { kLost, kUnsafe }, {} },
	{ happen<event::kMadeShared>, {}, { kShared }, { kShared }, {} },
	{ happen<event::kMadePrivate>, { kShared }, {}, {}, { kShared } },
	{ happen<event::kRemoved>,
	  { kPresent },
	  {},
	  {},
	  { kPresent, kPrepared, kFaulted, kHasContent, kLost, kUnsafe, kStaged } },
};

unsigned state_of(const Run &run)
{
	const RunBitmap *const facts[] = { &run.present(),     &run.prepared(), &run.faulted(),
					   &run.has_content(), &run.lost(),	&run.unsafe(),
					   &run.shared(),      &run.staged() };
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

	return implies(Fact::kPrepared, Fact::kPresent) &&
	       implies(Fact::kFaulted, Fact::kPrepared) &&
	       implies(Fact::kHasContent, Fact::kPrepared) &&
	       implies(Fact::kLost, Fact::kPresent) && implies(Fact::kUnsafe, Fact::kLost) &&
	       implies(Fact::kStaged, Fact::kPresent) &&
	       !(has(state, Fact::kStaged) && has(state, Fact::kPrepared));
}

unsigned mask_of(const Set &facts)
{
	unsigned mask = 0;

	for (const Fact fact : facts)
		mask |= 1u << static_cast<unsigned>(fact);
	return mask;
}

/* How a state is come by, from an absent private page. */
using Path = std::vector<const Row *>;

std::unique_ptr<Run> walk(const Path &path)
{
	auto run = std::make_unique<Run>(false);

	for (const Row *const step : path)
		step->happens(*run);
	return run;
}

void every_event_in_every_state()
{
	std::map<unsigned, Path> reached{ { 0, {} } };
	std::vector<unsigned> todo{ 0 };

	while (!todo.empty()) {
		const unsigned before = todo.back();
		const Path path = reached[before];

		todo.pop_back();
		for (const Row &row : kAll) {
			const unsigned has = mask_of(row.has), lacks = mask_of(row.lacks);
			const bool possible = (before & has) == has && !(before & lacks);
			const std::unique_ptr<Run> run = walk(path);

			fake::expect_warnings(true);
			row.happens(*run);
			EXPECT_EQ(fake::warnings() == 0, possible);
			fake::expect_warnings(false);
			if (!possible)
				continue;

			const unsigned state = state_of(*run);

			EXPECT_EQ(state, (before | mask_of(row.sets)) & ~mask_of(row.clears));
			EXPECT(is_sound(state));
			if (reached.count(state))
				continue;
			reached[state] = path;
			reached[state].push_back(&row);
			todo.push_back(state);
		}
	}
	/* Absent; present, staged, and prepared, seen and given; sound, lost or unsafe. */
	EXPECT_EQ(reached.size(), 2u * (1 + 6 * 3));
}

/* Of several pages each is asked, and each changes; those around them do not. */
void an_event_of_several_pages()
{
	constexpr unsigned kFrom = 60, kTo = 200;
	/* Beside one that is not, whichever it is. */
	for (const unsigned other : { kFrom, 100u, kTo - 1, kTo, kFrom - 1 }) {
		const bool among = other >= kFrom && other < kTo;
		Run run{ false }, absent{ false };

		run.happens<event::kFilled>(other);
		fake::expect_warnings(true);
		run.happens<event::kFilled>(kFrom, kTo);
		EXPECT_EQ(fake::warnings() != 0, among);
		fake::expect_warnings(false);

		absent.happens<event::kFilled>(kFrom, kTo);
		absent.happens<event::kReady>(kFrom, kTo);
		if (among)
			absent.happens<event::kRemoved>(other);
		fake::expect_warnings(true);
		absent.happens<event::kFault>(kFrom, kTo);
		EXPECT_EQ(fake::warnings() != 0, among);
		fake::expect_warnings(false);
	}

	Run run{ false };

	run.happens<event::kFilled>(0, kRunPages);
	run.happens<event::kReady>(kFrom, kTo);
	EXPECT_EQ(run.prepared().next_set(0), kFrom);
	EXPECT_EQ(run.prepared().next_clear(kFrom), kTo);
	run.happens<event::kRemoved>(kFrom, kTo);
	EXPECT(run.prepared().none());
	EXPECT_EQ(run.present().next_clear(0), kFrom);
	EXPECT_EQ(run.present().next_set(kFrom), kTo);
}

/* ---- a run as a block ---------------------------------------------------------------- */

void a_run_and_its_block()
{
	Guest g{ 1024 };

	EXPECT_EQ(g.allocate(0, 1024), 0);
	struct page *const block = g.file.cached(0), *const elsewhere = g.file.cached(512);
	Run run{ false };

	EXPECT(!run.block() && !run.whole());
	run.fill(block);
	EXPECT(run.block() == block && run.whole());
	run.happens<event::kRemoved>(5);
	EXPECT(run.block() == block && !run.whole());
	run.fill(5, kapi_page_nth(block, 5));
	EXPECT(run.block() == block && run.whole());
	run.happens<event::kRemoved>(5);
	run.fill(5, elsewhere);
	EXPECT(!run.block() && !run.whole());
	run.happens<event::kRemoved>(0, kRunPages);

	/* As one until it is split, or nothing of it is left. */
	run.fill(block);
	EXPECT(!run.prepared_as_block());
	run.was_prepared_as_block();
	run.happens<event::kRemoved>(0, kRunPages - 1);
	EXPECT(run.block() == block && run.prepared_as_block());
	run.happens<event::kRemoved>(kRunPages - 1);
	EXPECT(!run.block() && !run.prepared_as_block());
	run.fill(block);
	run.was_prepared_as_block();
	run.split();
	EXPECT(run.block() == block && !run.prepared_as_block());
}

/* A run that was handed out huge, after @kEvent has happened to one of its pages. */
template <Event kEvent> void expect_then(bool huge, bool joined, bool shared = false)
{
	Guest g{ 512 };

	EXPECT_EQ(g.allocate(0, 512), 0);
	Run run{ shared };

	EXPECT_EQ(run.shared().all(), shared);
	run.fill(g.file.cached(0));
	run.happens<event::kReady>(0, kRunPages);
	EXPECT(!run.huge() && !run.joined());
	run.handed_out_huge();
	EXPECT(run.huge() && run.joined());
	run.happens<kEvent>(7);
	EXPECT_EQ(run.huge(), huge);
	EXPECT_EQ(run.joined(), joined);
}

void what_ends_huge_and_joined()
{
	expect_then<event::kFault>(true, true);
	expect_then<event::kGiven>(true, true);
	/* The neighbours stay mapped, and are split when one of them is unmapped. */
	expect_then<event::kStruck>(false, true);
	expect_then<event::kOutOfHand>(false, true);
	expect_then<event::kReclaimed>(false, false);
	expect_then<event::kWiped>(false, false);
	expect_then<event::kLeft>(false, false, true);
	expect_then<event::kMadeShared>(false, false);
	expect_then<event::kMadePrivate>(false, false, true);
	expect_then<event::kRemoved>(false, false);
}

void when_a_run_wants_promotion()
{
	Guest g{ 1024 };

	EXPECT_EQ(g.allocate(0, 1024), 0);
	struct page *const block = g.file.cached(0), *const elsewhere = g.file.cached(512);
	Run run{ false };

	for (unsigned i = 0; i < kRunPages; i++)
		run.fill(i, kapi_page_nth(i % 2 ? block : elsewhere, i));
	run.asked_for_huge();
	EXPECT(!run.promotable() && !run.wants_promotion());
	run.happens<event::kReady>(0, kRunPages);
	EXPECT(run.promotable() && run.wants_promotion());
	/* A run says so once, and again when it has changed meanwhile. */
	EXPECT(!run.wants_promotion());
	run.happens<event::kMadeShared>(7);
	EXPECT(!run.promotable() && !run.wants_promotion());
	EXPECT(!run.uniform() && !run.owns(7) && run.owns(8) && !run.owned().test(7));
	run.happens<event::kMadePrivate>(7);
	EXPECT(run.promotable() && run.wants_promotion());
	run.happens<event::kReclaimed>(7);
	run.happens<event::kReady>(7);
	EXPECT(run.promotable() && run.wants_promotion());
	run.move_to(block);
	EXPECT(run.block() == block && !run.promotable() && !run.wants_promotion());
	run.happens<event::kRemoved>(7);
	run.fill(7, elsewhere);
	run.happens<event::kReady>(7);
	EXPECT(run.promotable() && run.wants_promotion());
	run.happens<event::kStruck>(7);
	EXPECT(!run.promotable() && !run.wants_promotion());

	/* A run that could not be mapped huge does not want promotion, however ready it is. */
	Run unseen{ false };

	for (unsigned i = 0; i < kRunPages; i++)
		unseen.fill(i, kapi_page_nth(i % 2 ? block : elsewhere, i));
	unseen.happens<event::kReady>(0, kRunPages);
	EXPECT(unseen.promotable() && !unseen.wants_promotion());
}

/* ---- marks that memory failure does not tell of --------------------------------------- */

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

void a_mark_in_a_run_that_goes()
{
	Guest g{ 512 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	g.file.cached(9)->poisoned = true;
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(g.file.cached_pages(0, 512), 0u);
	EXPECT_EQ(fake::marks_in_freed_blocks(), 0u);
}

/* A look finds all marks, not the first alone. What it noted holds when marks have gone. */
void two_marks_in_a_run()
{
	Guest g{ 512 };

	EXPECT_EQ(g.allocate(0, 512), 0);
	g.file.cached(9)->poisoned = true;
	g.file.cached(300)->poisoned = true;
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 0);
	g.file.cached(9)->poisoned = false;
	g.file.cached(300)->poisoned = false;
	/* Each is lost until another page, which here comes to lie in its place, is there. */
	EXPECT_EQ(g.punch(9, 10), 0);
	EXPECT_EQ(fake::fault(g.vm, 9), 0);
	g.vm->tables.zap(0, 512);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 0);
	EXPECT_EQ(g.punch(300, 301), 0);
	EXPECT_EQ(fake::fault(g.vm, 300), 0);
	g.vm->tables.zap(0, 512);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 9);
}

/* The mark was noted when the page was asked for. This holds when the mark has gone. */
void a_mark_that_a_fault_has_seen()
{
	Guest g{ 512 };

	EXPECT_EQ(g.allocate(0, 512), 0);
	g.file.cached(9)->poisoned = true;
	EXPECT_EQ(fake::fault(g.vm, 9), -EHWPOISON);
	g.file.cached(9)->poisoned = false;
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(5), 0);
	EXPECT_EQ(fake::fault(g.vm, 9), 0);
	EXPECT_EQ(g.order(9), 0);
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
	/* Only a fault in the mark's own run sees the mark. */
	EXPECT_EQ(fake::fault(g.vm, 5001), 0);
	EXPECT_EQ(g.order(5001), 0);
	g.file.cached(5000)->poisoned = false;
	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 9);
	EXPECT_EQ(g.order(5000), -1);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_GIANTS), 0);
}

/* A fault in another run that sees the mark ends the giant for good. */
void a_mark_in_another_run_of_a_giant()
{
	fake::set_reserve(1);
	Guest g{ 1ull << kGiantOrder };

	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 18);
	g.file.cached(5000)->poisoned = true;
	g.vm->tables.zap(0, 1ull << kGiantOrder);
	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_GIANTS), 0);
	g.file.cached(5000)->poisoned = false;
	g.vm->tables.zap(0, 1ull << kGiantOrder);
	EXPECT_EQ(fake::fault(g.vm, 1000), 0);
	EXPECT_EQ(g.order(1000), 9);
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
	EXPECT_EQ(g.peek(6), 66u);
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
	Guest g{ 512, kPlain, fake::kSnpVm };
	HalfWay kept{ snp, false }, undone{ snp, true };
	const auto populate = [&](std::uint64_t gfn, HalfWay &how) {
		return fake::populate(g.vm, gfn, world_user_memory(), 1, HalfWay::fill, &how);
	};

	EXPECT_EQ(populate(5, undone), -EIO);
	EXPECT_EQ(g.file.cached(5)->content.load(), 0u);
	EXPECT_EQ(populate(6, kept), -EIO);

	struct page *const page = g.file.cached(6);

	/* The host has not written to it, and no caller gets it. */
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

/* Memory failure marks the page while it is written to. */
int fill_and_mark(struct kvm *, gmem_u64, gmem_u64 pfn, void *, int, void *)
{
	struct page *const page = fake::page_of_pfn(pfn);

	page->content = 88;
	page->poisoned = true;
	return -EIO;
}

void populate_of_a_page_that_is_marked_meanwhile()
{
	Guest g{ 512, kPlain, fake::kSnpVm };

	EXPECT_EQ(fake::populate(g.vm, 5, world_user_memory(), 1, fill_and_mark, nullptr), -EIO);
	/* The host does not touch it any more, not even to clear it. */
	EXPECT_EQ(g.file.cached(5)->content.load(), 88u);
	EXPECT_EQ(fake::fault(g.vm, 5), -EHWPOISON);
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	EXPECT_EQ(g.order(6), 0);
}

/* ---- promotion is wanted ---------------------------------------------------------------- */

/* Preallocated in small pages, then used. */
void promotion_of_preallocated_memory()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(g.allocate(scattered(i), scattered(i) + 1), 0);
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

/* Promotion has noted the mark. This holds when the mark has gone again. */
void a_mark_that_promotion_has_seen()
{
	Guest g{ 512 };

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, i), 0);
	fake::set_no_blocks(false);
	g.file.cached(7)->poisoned = true;
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	g.file.cached(7)->poisoned = false;
	EXPECT_EQ(g.punch(5, 6), 0);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(!fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 0);
	/* Unlike that of a page that has gone. */
	EXPECT_EQ(g.punch(7, 8), 0);
	EXPECT_EQ(fake::fault(g.vm, 7), 0);
	EXPECT(fake::run_work());
	EXPECT_EQ(fake::stat_total(KAPI_STAT_RUNS), 1);
}

} /* namespace */

GMEM_SUITE(facts, CASE(every_event_in_every_state), CASE(an_event_of_several_pages),
	   CASE(a_run_and_its_block), CASE(what_ends_huge_and_joined),
	   CASE(when_a_run_wants_promotion), CASE(a_mark_beside_the_page_faulted_on),
	   CASE(a_mark_in_a_run_that_goes), CASE(two_marks_in_a_run),
	   CASE(a_mark_that_a_fault_has_seen), CASE(a_mark_in_a_giant),
	   CASE(a_mark_in_a_giant_that_goes_again), CASE(a_mark_in_another_run_of_a_giant),
	   CASE(poison_leaves_the_neighbours_mapped), CASE(populate_that_could_not_be_undone),
	   CASE(populate_of_a_page_that_is_marked_meanwhile),
	   CASE(promotion_of_preallocated_memory), CASE(a_mark_that_promotion_has_seen));
