// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole ways of a guest's memory behind a memslot, over KVM's page tables: faults, punches,
 * conversions, poison, platforms of KVM. Populate: populate.cc.
 *
 * Tests: mmu/memslot.cc, gmem/guard.h, gmem/store.cc.
 */
#include "mmu/memslot.h"

#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

void a_guest_keeps_what_it_writes()
{
	Guest g{ 2048 };
	unsigned order;

	EXPECT_EQ(fake::fault(g.vm, 700, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT_EQ(g.peek(1023), 0u);
	EXPECT(fake::guest_write(g.vm, 1023, 5));
	EXPECT_EQ(g.punch(600, 601), 0);
	/* The rest of the huge mapping stays, in small ones. */
	EXPECT_EQ(g.order(600), -1);
	EXPECT_EQ(g.order(1023), 0);
	EXPECT_EQ(fake::fault(g.vm, 1023, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.peek(1023), 5u);
	EXPECT_EQ(fake::fault(g.vm, 600), 0);
	EXPECT_EQ(g.peek(600), 0u);
}

void huge_only_where_all_is_private()
{
	Guest g{ 1024 };
	unsigned order;

	fake::set_private(g.vm, 100, 101, false);
	EXPECT_EQ(fake::fault(g.vm, 100), -ENOENT);
	EXPECT_EQ(fake::fault(g.vm, 101, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.file.cached_pages(0, 512), 1u);
	/* Converted under a huge mapping: the neighbours stay, mapped small. */
	EXPECT_EQ(fake::fault(g.vm, 600, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT(fake::guest_write(g.vm, 601, 9));
	fake::set_private(g.vm, 600, 601, false);
	EXPECT_EQ(g.peek(601), ~0ull);
	EXPECT_EQ(fake::fault(g.vm, 601, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.peek(601), 9u);
}

void pages_that_come_zeroed_are_not_cleared()
{
	fake::set_pages_come_zeroed(true);
	Guest g{ 1024 };
	Filler filler{ .fail_at = 1 };

	EXPECT_EQ(fake::fault(g.vm, 0), 0);
	EXPECT_EQ(g.peek(0), 0u);
	/* But what a populate has half filled is. */
	EXPECT_EQ(filler.populate(g.vm, 600, 2), 1);
	EXPECT_EQ(fake::fault(g.vm, 601), 0);
	EXPECT_EQ(g.peek(601), 0u);
	EXPECT_EQ(fake::fault(g.vm, 600), 0);
	EXPECT_EQ(g.peek(600), 1000u);
	EXPECT_EQ(fake::fault(g.vm, 602), 0);
	EXPECT_EQ(g.peek(602), 0u);
}

void no_zeroing_by_us_where_the_allocator_did()
{
	fake::set_pages_come_zeroed(true);
	Guest g{ 1 };

	EXPECT_EQ(g.allocate(0, 1), 0);
	/* A mark that clearing would take away. */
	g.file.cached(0)->content = 4;
	EXPECT_EQ(fake::fault(g.vm, 0), 0);
	EXPECT_EQ(g.peek(0), 4u);
}

void small_pages_without_blocks()
{
	Guest g{ 1024 };
	unsigned order;

	fake::set_no_blocks(true);
	EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.allocate(512, 1024), 0);
	EXPECT_EQ(g.file.cached_pages(0, 1024), 513u);
}

void a_signal_ends_an_allocation()
{
	Guest g{ 2048 };

	fake::set_signal_after(1);
	EXPECT_EQ(g.allocate(0, 2048), -EINTR);
	EXPECT_EQ(g.file.cached_pages(0, 2048), 0u);
	fake::set_signal_after(3);
	fake::set_no_blocks(true);
	EXPECT_EQ(g.allocate(0, 2048), -EINTR);
	EXPECT_EQ(g.file.cached_pages(0, 2048), 2u);
	fake::set_signal_after(0);
	EXPECT_EQ(g.allocate(0, 2048), 0);
}

void poison_takes_one_page()
{
	Guest g{ 1024 };
	unsigned order;

	EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT(fake::guest_write(g.vm, 6, 66));
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(fake::fault(g.vm, 5), -EHWPOISON);
	EXPECT_EQ(fake::fault(g.vm, 6, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.peek(6), 66u);
	Filler filler;

	EXPECT_EQ(filler.populate(g.vm, 5, 1), -EHWPOISON);
	EXPECT_EQ(filler.calls, 0);
	/* A hole and a new page: all is well but the block. */
	EXPECT_EQ(g.punch(5, 6), 0);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.peek(5), 0u);
}

void a_run_with_a_poisoned_page_goes_page_by_page()
{
	Guest g{ 512 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(g.file.cached_pages(0, 512), 0u);
	EXPECT_EQ(fake::pages_used(), 0);
}

/* unpoison_memory(): the page is well again, its run remembers until it goes. */
void a_poisoned_page_can_recover()
{
	Guest g{ 512 };
	unsigned order;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	struct page *const page = g.file.cached(5);

	EXPECT(fake::memory_failure(g.file.inode().handle(), 5));
	page->poisoned = false;
	kapi_page_put(page);
	EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
	EXPECT_EQ(order, 0u);
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
	EXPECT_EQ(order, 9u);
}

void a_platform_of_kvm_owns_its_pages()
{
	const fake::ArchCalls before = fake::arch_calls();
	{
		Guest g{ 1024, kPlain, fake::kSnpVm };
		unsigned order;
		Filler filler{ .owns = true };

		/* A whole run by one call; parts of one by as many. */
		EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
		EXPECT_EQ(order, 9u);
		EXPECT_EQ(fake::arch_calls().prepares, before.prepares + 1);
		EXPECT_EQ(fake::arch_calls().pages_prepared, before.pages_prepared + 512);
		EXPECT_EQ(filler.populate(g.vm, 600, 4), 4);
		EXPECT_EQ(fake::arch_calls().pages_prepared, before.pages_prepared + 512);
		EXPECT_EQ(fake::fault(g.vm, 700, &order), 0);
		EXPECT_EQ(order, 0u);
		EXPECT_EQ(fake::arch_calls().pages_prepared, before.pages_prepared + 513);
		EXPECT_EQ(g.punch(700, 701), 0);
		EXPECT_EQ(g.punch(0, 512), 0);
		EXPECT_EQ(fake::arch_calls().pages_reclaimed, before.pages_reclaimed + 513);
		EXPECT_EQ(g.punch(600, 602), 0);
		EXPECT_EQ(fake::arch_calls().pages_reclaimed, before.pages_reclaimed + 515);
	}
	EXPECT_EQ(fake::arch_calls().pages_reclaimed, before.pages_reclaimed + 517);
}

/* KVM's hook does less than it was asked to, and says nothing of it. */
void a_platform_of_kvm_that_takes_one_page_at_a_time()
{
	const fake::ArchCalls before = fake::arch_calls();
	Guest g{ 512, kPlain, fake::kSnpVm };
	unsigned order;

	fake::set_arch_faults({ .only_first = true });
	/* The third of its pages is refused: the first two are given back. */
	EXPECT_EQ(g.allocate(0, 512), 0);
	fake::fail_nth(3);
	EXPECT_EQ(fake::fault(g.vm, 5), -EIO);
	EXPECT(fake::fail_fired());
	for (unsigned i = 0; i < 512; i++)
		EXPECT(!g.file.cached(i)->owned);
	EXPECT_EQ(fake::fault(g.vm, 5, &order), 0);
	EXPECT_EQ(order, 9u);
	EXPECT_EQ(fake::arch_calls().prepares, before.prepares + 2 + 512);
	for (unsigned i = 0; i < 512; i++)
		EXPECT(g.file.cached(i)->owned);
	(void)fake::reports();
}

void what_a_platform_of_kvm_keeps_is_leaked()
{
	Guest g{ 512, kPlain, fake::kSnpVm };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	struct page *const kept = g.file.cached(511);

	(void)fake::reports();
	fake::set_arch_faults({ .keeps_one = true });
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(fake::reports(), 1);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT_EQ(g.file.cached_pages(0, 512), 0u);
	EXPECT(kept->owned);
	/* Neither all nor nothing of a block: it goes by way of the platform, too. */
	fake::set_arch_faults({ .only_first = true, .keeps_one = true });
	EXPECT_EQ(g.allocate(0, 512), 0);
	fake::fail_nth(3);
	EXPECT_EQ(fake::fault(g.vm, 5), -ENOTRECOVERABLE);
	EXPECT_EQ(fake::reports(), 1);
	fake::set_arch_faults({});
	EXPECT_EQ(g.punch(0, 512), 0);
	/* The case gives back what the core must not. */
	kept->owned = false;
	kapi_page_put(kept);
	(void)fake::reports();
}

void a_vm_outlives_its_descriptor()
{
	Guest g{ 1024 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	/* User space closes the VM first: the file keeps it, bindings and all. */
	g.vm->users++; /* the case's own */
	kapi_kvm_put(g.vm);
	EXPECT_EQ(g.punch(0, 1024), 0);
	g.file.close();
	EXPECT_EQ(fake::fault(g.vm, 5), -EFAULT);
}

void an_unknown_memslot_is_an_error()
{
	Guest g{ 1024 };
	kapi_u64 pfn;
	auto stray = fake::slot_make(g.vm, 4096, 100);

	/* A slot that says it is bound, of which the file does not know. */
	fake::slot_delete(g.vm, g.slot);
	g.slot = nullptr;
	kapi_slot_set_file(stray.get(), fake::file_at(g.file.fd), 0);
	fake::expect_warnings(true);
	EXPECT_EQ(gmem_get_pfn(g.vm, stray.get(), 4096, &pfn, nullptr), -EIO);
	EXPECT_EQ(fake::warnings(), 1);
	/* One that was just unbound. */
	kapi_slot_set_file(stray.get(), nullptr, 0);
	for (auto *const way_in : { memslot_fault, memslot_kernel_page }) {
		EXPECT(way_in(*g.file.core(), g.vm, stray.get(), Gfn{ 4096 }, Share::kPrivate)
			       .status() == error(EFAULT));
	}
	kapi_slot_set_file(stray.get(), fake::file_at(g.file.fd), 0);
	/* Unbinding a slot that is not bound changes nothing. */
	kapi_kvm_slots_lock(g.vm);
	gmem_unbind(stray.get());
	kapi_kvm_slots_unlock(g.vm);
	fake::expect_warnings(false);
}

void statistics_add_up()
{
	Guest g{ 1300 };
	Stats &stats = g.file.store().stats();

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 512);
	EXPECT_EQ(stats.get(KAPI_STAT_RUNS), 1);
	EXPECT_EQ(fake::fault(g.vm, 1200), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_FALLBACK_PLACE), 1);
	fake::set_private(g.vm, 600, 601, false);
	EXPECT_EQ(fake::fault(g.vm, 700), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_FALLBACK_SHARED), 1);
	/* The reason why the first page of a run is small counts for the run's others, too. */
	EXPECT_EQ(fake::fault(g.vm, 701), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_FALLBACK_SHARED), 2);
	EXPECT_EQ(stats.get(KAPI_STAT_FALLBACK_PARTIAL), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 515);
	EXPECT_EQ(gmem_file_stat(g.file.core(), KAPI_STAT_PAGES), 515);
	EXPECT_EQ(g.punch(700, 702), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 513);
	EXPECT_EQ(g.punch(7, 8), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_RUNS), 0);
	EXPECT_EQ(g.punch(0, 1300), 0);
	EXPECT_EQ(Filler{}.populate(g.vm, 512, 512), 88);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 88);
	EXPECT_EQ(g.punch(0, 1300), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 0);
	fake::set_no_blocks(true);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_FALLBACK_MEMORY), 1);
	EXPECT_EQ(fake::stat_total(KAPI_STAT_PAGES), 1);
}

} /* namespace */

GMEM_SUITE(memslot, CASE(a_guest_keeps_what_it_writes), CASE(huge_only_where_all_is_private),
	   CASE(pages_that_come_zeroed_are_not_cleared),
	   CASE(no_zeroing_by_us_where_the_allocator_did), CASE(small_pages_without_blocks),
	   CASE(a_signal_ends_an_allocation), CASE(poison_takes_one_page),
	   CASE(a_run_with_a_poisoned_page_goes_page_by_page), CASE(a_poisoned_page_can_recover),
	   CASE(a_platform_of_kvm_owns_its_pages),
	   CASE(a_platform_of_kvm_that_takes_one_page_at_a_time),
	   CASE(what_a_platform_of_kvm_keeps_is_leaked), CASE(a_vm_outlives_its_descriptor),
	   CASE(an_unknown_memslot_is_an_error), CASE(statistics_add_up));
