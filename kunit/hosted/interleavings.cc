// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two or three operations in every order of their steps, up to a number of
 * preemptions. The fakes watch over the rules; here is what must be true when
 * all is done. Deadlocks end the test.
 *
 * Tests: gmem/inode.cc, gmem/removal.cc, gmem/invalidation.cc.
 */
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "kunit/fakes/sched.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

std::unique_ptr<Guest> g;

/* What the guest wrote before a punch. */
constexpr std::uint64_t kOld = 0x01d;

void start(std::uint64_t npages, bool filled)
{
	g = std::make_unique<Guest>(npages);
	if (!filled)
		return;
	EXPECT_EQ(fake::fault(g->vm, 5), 0);
	for (unsigned i = 0; i < 8; i++)
		EXPECT(fake::guest_write(g->vm, i, kOld));
}

/* A vCPU: as KVM it tries again, here only so often that it comes to an end. */
void fault_twice(std::uint64_t gfn)
{
	int ret = fake::fault(g->vm, gfn);

	if (ret == -EAGAIN)
		ret = fake::fault(g->vm, gfn);
	EXPECT(ret == 0 || ret == -EAGAIN || ret == -EFAULT || ret == -ENOENT || ret == -EHWPOISON);
}

void finish()
{
	g.reset();
	fake::check_clean();
}

/* More by GMEM_PREEMPTIONS, for the long run. */
unsigned preemptions(unsigned by_default)
{
	const char *const chosen = std::getenv("GMEM_PREEMPTIONS");

	return chosen ? by_default + std::strtoul(chosen, nullptr, 0) : by_default;
}

void explore(const char *name, unsigned bound, fake::sched::Scenario scenario)
{
	const unsigned long schedules = fake::sched::explore(scenario, preemptions(bound));

	std::printf("  %s: %lu schedules\n", name, schedules);
	/* Fewer would mean that the steps have gone. */
	EXPECT(schedules > 10);
}

void fault_and_punch()
{
	/* Of a page, of a run, and of a page whose neighbour is faulted on. */
	static constexpr unsigned spans[][2] = { { 5, 6 }, { 0, 512 }, { 6, 7 } };

	for (const auto &span : spans) {
		explore("fault, punch", 3,
			{ [] { start(512, true); },
			  { [] { fault_twice(5); }, [&] { g->punch(span[0], span[1]); } },
			  [&] {
				  const bool gone = span[0] <= 5 && span[1] > 5;

				  EXPECT(!gone || g->peek(5) != kOld);
				  EXPECT(gone || g->file.cached(5)->content == kOld);
				  finish();
			  } });
	}
}

void fault_and_punch_of_nothing()
{
	explore("fault of an absent page, punch", 3,
		{ [] { start(512, false); },
		  { [] { fault_twice(5); }, [] { g->punch(0, 512); } },
		  finish });
}

void two_faults()
{
	explore("two faults", 3,
		{ [] { start(512, false); },
		  { [] { EXPECT_EQ(fake::fault(g->vm, 5), 0); },
		    [] { EXPECT_EQ(fake::fault(g->vm, 7), 0); } },
		  [] {
			  EXPECT_EQ(g->peek(5), 0u);
			  EXPECT_EQ(g->peek(7), 0u);
			  finish();
		  } });
}

void two_punches_and_a_fault()
{
	explore("fault, two punches", 2,
		{ [] { start(512, true); },
		  { [] { fault_twice(5); }, [] { g->punch(0, 512); }, [] { g->punch(5, 6); } },
		  [] {
			  EXPECT(g->peek(5) != kOld);
			  EXPECT_EQ(g->vm->invalidate_in_progress.load(), 0);
			  finish();
		  } });
}

void fault_and_close()
{
	explore("fault, close", 3,
		{ [] { start(512, true); },
		  { [] { fault_twice(5); }, [] { g->file.close(); } },
		  [] {
			  EXPECT_EQ(g->peek(5), ~0ull);
			  EXPECT(g->slot->file == nullptr);
			  finish();
		  } });
}

void fault_and_unbind()
{
	explore("fault, unbind", 3,
		{ [] { start(512, true); },
		  { [] { fault_twice(5); },
		    [] {
			    fake::slot_delete(g->vm, g->slot);
			    g->slot = nullptr;
		    } },
		  [] {
			  EXPECT_EQ(g->peek(5), ~0ull);
			  finish();
		  } });
}

void unbind_and_close()
{
	explore("unbind, close", 4,
		{ [] { start(512, true); },
		  { [] {
			   fake::slot_delete(g->vm, g->slot);
			   g->slot = nullptr;
		   },
		    [] { g->file.close(); } },
		  finish });
}

void fault_unbind_and_close()
{
	explore("fault, unbind, close", 2,
		{ [] { start(512, true); },
		  { [] { fault_twice(5); },
		    [] {
			    fake::slot_delete(g->vm, g->slot);
			    g->slot = nullptr;
		    },
		    [] { g->file.close(); } },
		  finish });
}

void bind_and_close()
{
	static struct kvm_memory_slot *other;

	explore("bind, close", 4,
		{ [] { start(1024, true); },
		  { [] {
			   /* Overlaps the slot there is, or comes after the close. */
			   const int ret = fake::slot_add(g->vm, 4096, 512, g->file.fd, 512,
							  &other);

			   EXPECT(ret == -EBADF || ret == kapi_kvm_overlap_error());
		   },
		    [] { g->file.close(); } },
		  finish });
	explore("bind of a free range, close", 4,
		{ [] {
			 start(1024, false);
			 fake::slot_delete(g->vm, g->slot);
			 g->slot = nullptr;
		 },
		  { [] {
			   const int ret = fake::slot_add(g->vm, 0, 512, g->file.fd, 512, &g->slot);

			   EXPECT(ret == -EBADF || ret == 0);
		   },
		    [] { g->file.close(); } },
		  [] {
			  EXPECT(!g->slot || g->slot->file == nullptr);
			  finish();
		  } });
}

void bind_and_punch()
{
	explore("bind and fault, punch", 3,
		{ [] {
			 start(512, true);
			 fake::slot_delete(g->vm, g->slot);
			 g->slot = nullptr;
		 },
		  { [] {
			   EXPECT_EQ(fake::slot_add(g->vm, 512, 512, g->file.fd, 0, &g->slot), 0);
			   fault_twice(517);
		   },
		    [] { g->punch(0, 512); } },
		  [] {
			  EXPECT(g->peek(517) != kOld || g->file.cached(5));
			  finish();
		  } });
}

void poison_and_punch()
{
	/* Memory failure holds the page that the punch wants, and wants its locks. */
	explore("poison, punch", 3,
		{ [] {
			 start(512, true);
			 g->punch(100, 101);
		 },
		  { [] { fake::memory_failure(g->file.inode().handle(), 5); },
		    [] { g->punch(0, 512); } },
		  [] {
			  EXPECT(g->file.cached(5) == nullptr);
			  finish();
		  } });
}

void poison_and_fault()
{
	explore("poison, fault", 3,
		{ [] { start(512, true); },
		  { [] { EXPECT(fake::memory_failure(g->file.inode().handle(), 5)); },
		    [] { fault_twice(6); } },
		  [] {
			  EXPECT_EQ(g->peek(5), ~0ull);
			  EXPECT_EQ(fake::fault(g->vm, 5), -EHWPOISON);
			  EXPECT(g->peek(6) == kOld || g->peek(6) == ~0ull);
			  finish();
		  } });
}

/* The mark may have gone by the time that the page is unmapped: that it is lost stays. */
void poison_whose_mark_goes_and_fault()
{
	explore("poison, its mark goes, fault", 3,
		{ [] { start(512, true); },
		  { [] { EXPECT(fake::memory_failure(g->file.inode().handle(), 5)); },
		    [] {
			    g->file.cached(5)->poisoned = false;
			    fault_twice(6);
		    } },
		  [] {
			  EXPECT_EQ(g->peek(5), ~0ull);
			  /* Whose reference the page keeps. */
			  g->file.cached(5)->poisoned = true;
			  finish();
		  } });
}

void poison_and_close()
{
	explore("poison, close", 3,
		{ [] { start(512, true); },
		  { [] {
			   /* As memory failure: the inode stays as long as its page is held. */
			   struct file *const file = fake::file_at(g->file.fd);

			   if (!fake::file_get_active(file))
				   return;
			   fake::memory_failure(g->file.inode().handle(), 5);
			   kapi_file_put(file);
		   },
		    [] { g->file.close(); } },
		  finish });
}

void populate_and_fault()
{
	static Filler filler;

	explore("populate, fault", 2,
		{ [] {
			 start(512, false);
			 filler = Filler{};
		 },
		  { [] {
			   const long ret = filler.populate(g->vm, 5, 1);

			   EXPECT(ret == 1 || ret == -EEXIST);
		   },
		    [] { fault_twice(5); } },
		  [] {
			  EXPECT_EQ(fake::fault(g->vm, 5), 0);
			  EXPECT_EQ(g->peek(5), filler.done ? filler.base : 0);
			  finish();
		  } });
}

void populate_and_prefault()
{
	static Filler filler;

	explore("populate, pre-fault", 2,
		{ [] {
			 start(512, false);
			 filler = Filler{};
		 },
		  { [] { EXPECT_EQ(filler.populate(g->vm, 5, 1), 1); },
		    [] {
			    const int ret = fake::prefault(g->vm, 5);

			    EXPECT(ret == 0 || ret == -EAGAIN);
		    } },
		  [] {
			  EXPECT_EQ(fake::fault(g->vm, 5), 0);
			  EXPECT_EQ(g->peek(5), filler.base);
			  finish();
		  } });
}

/* A guest begins to run, and has a page mapped without having asked for it. */
void populate_and_first_run()
{
	static Filler filler;
	static bool wrote;

	explore("populate, first run", 2,
		{ [] {
			 start(512, false);
			 filler = Filler{};
			 EXPECT_EQ(fake::prefault(g->vm, 5), 0);
		 },
		  { [] {
			   const long ret = filler.populate(g->vm, 5, 1);

			   EXPECT(ret == 1 || ret == -EEXIST);
		   },
		    [] { wrote = fake::guest_write(g->vm, 5, kOld); } },
		  [] {
			  EXPECT(!wrote || !filler.done);
			  EXPECT_EQ(fake::fault(g->vm, 5), 0);
			  EXPECT_EQ(g->peek(5), wrote ? kOld : filler.done ? filler.base : 0);
			  finish();
		  } });
}

void populate_and_fault_of_a_neighbour()
{
	static Filler filler;

	explore("populate, fault of a neighbour", 2,
		{ [] {
			 start(512, false);
			 filler = Filler{};
		 },
		  { [] { EXPECT_EQ(filler.populate(g->vm, 5, 1), 1); }, [] { fault_twice(6); } },
		  [] {
			  EXPECT_EQ(fake::fault(g->vm, 5), 0);
			  EXPECT_EQ(g->peek(5), filler.base);
			  finish();
		  } });
}

void populate_and_punch()
{
	static Filler filler;

	explore("populate, punch", 3,
		{ [] {
			 start(512, false);
			 filler = Filler{};
		 },
		  { [] { EXPECT_EQ(filler.populate(g->vm, 5, 2), 2); }, [] { g->punch(5, 6); } },
		  [] {
			  EXPECT_EQ(fake::fault(g->vm, 6), 0);
			  EXPECT_EQ(g->peek(6), filler.base + 1);
			  EXPECT_EQ(fake::fault(g->vm, 5), 0);
			  EXPECT(g->peek(5) == filler.base || g->peek(5) == 0);
			  finish();
		  } });
}

void allocate_and_punch()
{
	explore("allocate, punch", 3,
		{ [] { start(1024, false); },
		  { [] { EXPECT_EQ(g->allocate(0, 1024), 0); }, [] { g->punch(512, 1024); } },
		  [] {
			  EXPECT_EQ(g->file.cached_pages(0, 512), 512u);
			  finish();
		  } });
}

/* A run ready for promotion: all of it there, prepared, no block. */
void start_scattered()
{
	g = std::make_unique<Guest>(512);
	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++) {
		EXPECT_EQ(fake::fault(g->vm, scattered(i)), 0);
		EXPECT(fake::guest_write(g->vm, scattered(i), kOld));
	}
	fake::set_no_blocks(false);
}

void promotion_and_fault()
{
	explore("promotion, fault", 2,
		{ start_scattered, { [] { fake::run_work(); }, [] { fault_twice(5); } }, [] {
			 EXPECT_EQ(g->file.cached(5)->content.load(), kOld);
			 EXPECT(g->peek(5) == kOld || g->peek(5) == ~0ull);
			 finish();
		 } });
}

void promotion_and_punch()
{
	explore("promotion, punch", 2,
		{ start_scattered, { [] { fake::run_work(); }, [] { g->punch(5, 6); } }, [] {
			 EXPECT(g->file.cached(5) == nullptr);
			 EXPECT_EQ(g->file.cached(6)->content.load(), kOld);
			 finish();
		 } });
}

void promotion_and_close()
{
	explore("promotion, close", 2,
		{ start_scattered, { [] { fake::run_work(); }, [] { g->file.close(); } }, finish });
}

} /* namespace */

GMEM_SUITE(interleavings, CASE(fault_and_punch), CASE(fault_and_punch_of_nothing), CASE(two_faults),
	   CASE(two_punches_and_a_fault), CASE(fault_and_close), CASE(fault_and_unbind),
	   CASE(unbind_and_close), CASE(fault_unbind_and_close), CASE(bind_and_close),
	   CASE(bind_and_punch), CASE(poison_and_punch), CASE(poison_and_fault),
	   CASE(poison_whose_mark_goes_and_fault), CASE(poison_and_close), CASE(populate_and_fault),
	   CASE(populate_and_prefault), CASE(populate_and_first_run),
	   CASE(populate_and_fault_of_a_neighbour), CASE(populate_and_punch),
	   CASE(allocate_and_punch), CASE(promotion_and_fault), CASE(promotion_and_punch),
	   CASE(promotion_and_close));
