// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every failable step of a conversion fails once; the whole world is compared
 * before and after: the state and content of each page, references, the guest's and
 * user space's mappings, KVM's attributes. A second try works.
 *
 * Tests: gmem/conversion.cc, mmu/attributes.cc.
 */
#include <vector>

#include "kunit/fakes/platform.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kPages = 2048;

struct PageState {
	struct page *page = nullptr;
	std::uint64_t content = 0;
	int order = -1; /* of the guest's mapping */
	bool shared = false, attribute = false, owned = false;

	friend bool operator==(const PageState &, const PageState &) = default;
};

struct State {
	std::vector<PageState> pages{ kPages };
	long in_progress = 0, leaked = 0, runs = 0;
	int vm_users = 0;
	const Binding *binding = nullptr;

	static State of(const Guest &g)
	{
		State state;

		for (std::uint64_t i = 0; i < kPages; i++) {
			PageState &p = state.pages[i];

			p.page = g.file.cached(i);
			p.content = p.page ? p.page->content.load() : 0;
			p.owned = p.page && p.page->owned;
			p.order = g.order(i);
			p.shared = g.file.shared(i, i + 1);
			p.attribute = kapi_kvm_range_private(g.vm, i, i + 1);
		}
		state.in_progress = g.vm->invalidate_in_progress;
		state.leaked = g.file.store().stats().get(KAPI_STAT_LEAKED);
		state.runs = g.file.store().stats().get(KAPI_STAT_RUNS);
		state.vm_users = world_vm_users(g.vm);
		state.binding = File::of(g.file.handle)->bindings().load(PageIndex{ 0 });
		return state;
	}
	friend bool operator==(const State &, const State &) = default;
};

/* Runs of each kind: used by both, mixed, huge, untouched. */
void prepare_pages(const Guest &g, bool mostly_private)
{
	EXPECT_EQ(g.file.convert(5, 500, private_if(!mostly_private)), 0);
	EXPECT_EQ(g.file.convert(5, 500, private_if(mostly_private)), 0);
	EXPECT_EQ(g.file.convert(510, 520, private_if(!mostly_private)), 0);
	for (const unsigned i : { 0u, 7u, 511u, 515u, 600u, 1100u })
		EXPECT(g.write(i, 1000 + i));
	for (const unsigned i : { 1u, 8u, 512u, 601u, 1101u })
		g.file.user_write(i, 2000 + i);
}

void file_ioctl()
{
	for (const bool to_private : { true, false }) {
		unsigned failed = 0;

		for (unsigned n = 1;; n++) {
			const Guest g{ kPages, to_private ? kInitShared : kMmap };

			prepare_pages(g, !to_private);
			const State before = State::of(g);

			fake::fail_nth(n);
			std::uint64_t at = 0;
			const int ret = g.file.convert(3, 1900, private_if(to_private), &at);
			const bool fired = fake::fail_fired();

			fake::fail_nth(0);
			if (!fired) {
				EXPECT_EQ(ret, 0);
				break;
			}
			failed++;
			/* The argument is read first. Memory is missing for all of the range. */
			EXPECT_EQ(ret, n == 1 ? -EFAULT : -ENOMEM);
			EXPECT_EQ(at, n == 1 ? 0u : 3u);
			EXPECT(State::of(g) == before);
			/* The guest goes on, and user space. */
			EXPECT_EQ(g.read(600), 1600u);
			EXPECT_EQ(g.file.user_read(1101), to_private ? 3101u : kNothing);
			EXPECT_EQ(g.file.convert(3, 1900, private_if(to_private)), 0);
			EXPECT_EQ(g.read(600), 1600u);
		}
		/* A record and its place; to private KVM's attributes of each stretch. */
		EXPECT(failed >= (to_private ? 5u : 3u));
	}
}

/* Each cause of a refusal, at each page of a small range. */
void refusals()
{
	for (unsigned index = 0; index < 12; index++) {
		const Guest g{ kPages, kInitShared };

		prepare_pages(g, false);
		struct page *const pinned = g.file.pin(508 + index);
		std::uint64_t at = 0;

		/* Pages that are private already cannot be pinned. */
		if (!pinned) {
			EXPECT(g.file.is_private(508 + index, 509 + index));
			continue;
		}
		const State before = State::of(g);

		EXPECT_EQ(g.file.convert(0, kPages, Share::kPrivate, &at), -EAGAIN);
		EXPECT_EQ(at, 508 + index);
		EXPECT(State::of(g) == before);
		fake::user_unpin(pinned);
		EXPECT(fake::memory_failure(g.file.inode().handle(), 508 + index));
		fake::return_to_user();
		const State poisoned = State::of(g);

		EXPECT_EQ(g.file.convert(0, kPages, Share::kPrivate, &at), -EHWPOISON);
		EXPECT_EQ(at, 508 + index);
		EXPECT(State::of(g) == poisoned);
	}
}

void bad_arguments_change_nothing()
{
	const Guest g{ kPages, kInitShared };

	prepare_pages(g, false);
	const State before = State::of(g);

	EXPECT_EQ(g.file.convert(0, 0, Share::kPrivate), -EINVAL);
	EXPECT_EQ(g.file.convert(1, kPages + 1, Share::kPrivate), -EINVAL);
	EXPECT_EQ(g.file.convert(~0ull >> 12, 5, Share::kPrivate), -EINVAL);
	EXPECT(State::of(g) == before);
	EXPECT_EQ(g.file.user_read(1), 2001u);
}

/* It is too late to fail then: the page is lost, the conversion stands. */
void what_the_hardware_keeps_is_lost()
{
	const Guest g{ 512, kMmap, fake::kSnpVm };
	std::uint64_t at = 0;

	EXPECT(g.write(5, 77) && g.write(6, 78));
	struct page *const kept = g.file.cached(5);

	fake::set_arch_faults({ .keeps_one = true });
	EXPECT_EQ(g.file.convert(5, 6, Share::kShared), 0);
	fake::set_arch_faults({});
	EXPECT(g.file.shared(5, 6) && kept->owned);
	EXPECT_EQ(g.file.touch(5), -EHWPOISON);
	EXPECT_EQ(g.access(5), -EHWPOISON);
	EXPECT_EQ(g.read(6), 78u);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate, &at), -EHWPOISON);
	EXPECT_EQ(at, 5u);
	/* The page is never used again, not even after a punch. */
	EXPECT_EQ(g.file.punch(0, 512), 0);
	EXPECT_EQ(g.file.store().stats().get(KAPI_STAT_LEAKED), 1);
	EXPECT_EQ(kept->refs.load(), 1);
	kept->leaked = true;
	EXPECT_EQ(g.file.user_read(5), 0u);
	EXPECT(g.file.cached(5) != kept);
	EXPECT(fake::reports() > 0);
}

} /* namespace */

GMEM_SUITE(convert_fails, CASE(file_ioctl), CASE(refusals), CASE(bad_arguments_change_nothing),
	   CASE(what_the_hardware_keeps_is_lost));
