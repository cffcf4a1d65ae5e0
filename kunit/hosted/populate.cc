// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate as KVM calls it (kvm_gmem_populate()): what it says that it did, pages that a
 * guest may have seen, signals, and sources that go away. By ioctls on a file: launch.cc.
 *
 * Tests: mmu/populate.cc, gmem/inode.cc.
 */
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

void populate_says_what_it_did()
{
	Guest g{ 1024 };
	Filler all, some{ .fail_at = 3 }, none{ .fail_at = 0 }, past;

	EXPECT_EQ(all.populate(g.vm, 10, 10), 10);
	EXPECT_EQ(all.calls, 10);
	for (unsigned i = 0; i < 10; i++) {
		EXPECT_EQ(fake::fault(g.vm, 10 + i), 0);
		EXPECT_EQ(g.peek(10 + i), 1000 + i);
	}
	EXPECT_EQ(some.populate(g.vm, 100, 10), 3);
	EXPECT_EQ(none.populate(g.vm, 200, 10), -EIO);
	EXPECT_EQ(fake::fault(g.vm, 103), 0);
	EXPECT_EQ(g.peek(103), 0u);
	/* Up to the slot's end; up to what has content. */
	EXPECT_EQ(past.populate(g.vm, 1020, 10), 4);
	EXPECT_EQ(past.populate(g.vm, 300, 5, false), 5);
	EXPECT_EQ(past.populate(g.vm, 298, 5), 2);
	EXPECT_EQ(past.populate(g.vm, 298, 5), -EEXIST);
	fake::set_private(g.vm, 402, 403, false);
	EXPECT_EQ(past.populate(g.vm, 400, 5), 2);
	EXPECT_EQ(past.populate(g.vm, 402, 5), -EINVAL);
}

/* A huge mapping shows neighbours of the page faulted on. They count as not asked for yet. */
void populate_of_a_mapped_neighbour()
{
	Guest g{ 512 };
	Filler filler, failing{ .fail_at = 0 };

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.order(6), 9);
	EXPECT_EQ(filler.populate(g.vm, 6, 1), 1);
	EXPECT_EQ(g.order(6), -1);
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	EXPECT_EQ(g.peek(6), 1000u);
	EXPECT_EQ(fake::fault(g.vm, 7), 0);
	EXPECT_EQ(g.order(8), 9);
	EXPECT_EQ(failing.populate(g.vm, 8, 1), -EIO);
	EXPECT_EQ(fake::fault(g.vm, 8), 0);
	EXPECT_EQ(g.peek(8), 0u);
}

/* A pre-faulted page has content once the guest runs: the guest need not fault on it. */
void populate_of_a_prefaulted_page()
{
	Guest g{ 1024 };
	Filler filler, failing{ .fail_at = 0 }, late;

	for (const std::uint64_t gfn : { 5, 7, 8, 600 })
		EXPECT_EQ(fake::prefault(g.vm, gfn), 0);
	EXPECT_EQ(filler.populate(g.vm, 5, 2), 2);
	EXPECT_EQ(g.order(5), -1);
	EXPECT_EQ(filler.populate(g.vm, 5, 2), -EEXIST);
	EXPECT_EQ(failing.populate(g.vm, 8, 1), -EIO);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.peek(5), 1000u);
	/* The page is as new, and was not asked for since. */
	EXPECT_EQ(late.populate(g.vm, 8, 1), 1);
	EXPECT_EQ(late.populate(g.vm, 7, 1), -EEXIST);
	/* Not for nothing: it was not unmapped. */
	EXPECT_EQ(g.order(600), 9);
	EXPECT_EQ(late.populate(g.vm, 600, 1), -EEXIST);
	EXPECT_EQ(g.order(600), 9);
	/* The next one was not asked for, whether its run was punched or the page by itself. */
	EXPECT_EQ(g.punch(512, 1024), 0);
	EXPECT_EQ(g.allocate(512, 1024), 0);
	EXPECT_EQ(late.populate(g.vm, 600, 1), 1);
	EXPECT_EQ(fake::prefault(g.vm, 601), 0);
	EXPECT_EQ(g.punch(601, 602), 0);
	EXPECT_EQ(g.allocate(601, 602), 0);
	EXPECT_EQ(late.populate(g.vm, 601, 1), 1);
}

/* A second VM that has run may have written to a page, even when its file has gone. */
void another_vm_has_run()
{
	Guest g{ 1024 };
	struct kvm *const other = fake::vm_create();
	Result<Own<File>> second = make<File>(g.file.inode(), other);
	Filler filler;
	const auto locked = [&](auto fn) {
		ExclusiveInodeLock lock{ g.file.inode().handle() };

		fn(g.file.inode());
	};

	REQUIRE(second.ok());
	locked([&](Inode &inode) { inode.add(*second.value()); });
	EXPECT_EQ(fake::prefault(g.vm, 5), 0);
	EXPECT_EQ(filler.populate(g.vm, 5, 1), 1);
	EXPECT_EQ(fake::prefault(g.vm, 6), 0);
	other->ran = true;
	EXPECT_EQ(filler.populate(g.vm, 6, 1), -EEXIST);
	locked([&](Inode &inode) { inode.remove(*second.value()); });
	EXPECT_EQ(filler.populate(g.vm, 6, 1), -EEXIST);
	EXPECT_EQ(filler.populate(g.vm, 7, 1), 1);
	kapi_kvm_put(other);
}

void populate_takes_signals_between_pages()
{
	Guest g{ 512 };
	Filler filler;

	fake::set_signal_after(1);
	EXPECT_EQ(filler.populate(g.vm, 0, 5), -EINTR);
	fake::set_signal_after(4);
	EXPECT_EQ(filler.populate(g.vm, 0, 5), 3);
	fake::set_signal_after(0);
}

/* The source has gone, and as the next import its pin fails. */
int vanish(struct kvm *, gmem_u64, gmem_u64, void *, int, void *)
{
	fake::fail_nth(1);
	return -EFAULT;
}

void populate_pins_again()
{
	Guest g{ 512 };

	/* Its source vanishes between pin and copy; not for ever. */
	Filler thrice{ .faults = 3 };

	EXPECT_EQ(thrice.populate(g.vm, 0, 9), 9);
	EXPECT_EQ(thrice.calls, 12);
	EXPECT_EQ(fake::fault(g.vm, 8), 0);
	EXPECT_EQ(g.peek(8), 1008u);

	Filler forever{ .faults = 1000 };

	EXPECT_EQ(forever.populate(g.vm, 100, 9), -EFAULT);
	EXPECT(forever.calls > 3 && forever.calls < 100);
	/* Without a source there is nothing to pin. */
	Filler sourceless{ .faults = 1 };

	EXPECT_EQ(sourceless.populate(g.vm, 200, 9, false), -EFAULT);
	EXPECT_EQ(sourceless.calls, 1);
	/* Each page has its own patience. */
	Filler often{ .faults = 10, .faults_each = 10 };

	EXPECT_EQ(often.populate(g.vm, 300, 3), 3);
	for (unsigned pins : { 1u, 2u, 3u, 4u }) {
		fake::set_pins_per_call(pins);
		Filler filler;

		EXPECT_EQ(filler.populate(g.vm, 400 + pins * 10, 10), 10);
	}
	const unsigned long before = fake::populate_calls();

	EXPECT_EQ(fake::populate(g.vm, 50, world_user_memory(), 2, vanish, nullptr), -EFAULT);
	EXPECT(fake::fail_fired());
	EXPECT_EQ(fake::populate_calls(), before + 1);
	fake::fail_nth(0);
}

} /* namespace */

GMEM_SUITE(populate, CASE(populate_says_what_it_did), CASE(populate_of_a_mapped_neighbour),
	   CASE(populate_of_a_prefaulted_page), CASE(another_vm_has_run),
	   CASE(populate_takes_signals_between_pages), CASE(populate_pins_again));
