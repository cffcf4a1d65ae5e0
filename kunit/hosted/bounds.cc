// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calls of user space may cost: a killed one ends early and leaves whole chunks,
 * a failed one gives back what it had set aside, and what does not exist takes no time.
 *
 * Tests: gmem/locks.h, gmem/conversion.cc, gmem/inode.cc, mmu/attributes.cc.
 */
#include <thread>

#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kChunk = 1ull << kChunkOrder;
/* From within the first chunk into the second. */
constexpr std::uint64_t kStart = kChunk - 700, kEnd = kChunk + 300;
constexpr std::uint64_t kHuge = 1ull << 50;

/* Without memslots. */
struct BareVm {
	BareVm() : vm(world_vm(fake::kSwProtectedVm)) {}
	~BareVm() { world_vm_put(vm); }
	BareVm(const BareVm &) = delete;
	BareVm &operator=(const BareVm &) = delete;

	bool attributes(std::uint64_t start, std::uint64_t end, bool is_private) const
	{
		return attributes_of(vm, start, end, is_private);
	}

	struct kvm *vm;
};

/* The answer of @call when the task is killed at the nth look for that. */
template <class Call> long killed_at(unsigned long n, Call call)
{
	fake::set_killed_after(n);
	const long ret = call();

	fake::set_killed_after(0);
	return ret;
}

/* Calls @fn(n), which says what killed_at(n) did, until that is not -EINTR. */
template <class Fn> void killed_ever_later(Fn fn)
{
	long ret = -EINTR;

	for (unsigned long n = 1; ret == -EINTR; n++)
		ret = fn(n);
	EXPECT_EQ(ret, 0);
}

/* Where the front of [kStart, kEnd) that is as wanted ends; all behind it is not. */
std::uint64_t converted_up_to(const GuestFile &file, bool to_private)
{
	std::uint64_t at = kStart;

	while (at < kEnd) {
		const std::uint64_t next = std::min(kEnd, (at | (kChunk - 1)) + 1);

		if (to_private ? !file.is_private(at, next) : !file.shared(at, next))
			break;
		at = next;
	}
	EXPECT(to_private ? file.shared(at, kEnd) : file.is_private(at, kEnd));
	return at;
}

void a_killed_conversion_leaves_whole_chunks()
{
	for (const bool to_private : { true, false }) {
		unsigned parts = 0;

		killed_ever_later([&](unsigned long n) {
			const BareVm g;
			const GuestFile file{ g.vm, kHuge, to_private ? kInitShared : kMmap };
			const long before = fake::core_objects();
			const long ret = killed_at(n, [&] {
				return file.convert(kStart, kEnd, private_if(to_private));
			});
			const std::uint64_t at = converted_up_to(file, to_private);
			const IndexRange done = pages(kStart, at).round_out(kRunOrder);

			/* New objects are the records of converted runs alone. */
			EXPECT_EQ(fake::core_objects() - before,
				  at > kStart ? static_cast<long>(done.size() / kRunPages) : 0);
			EXPECT(ret == -EINTR || (ret == 0 && at == kEnd));
			parts += ret == -EINTR && at > kStart && at < kEnd;
			EXPECT_EQ(file.convert(kStart, kEnd, private_if(to_private)), 0);
			EXPECT_EQ(converted_up_to(file, to_private), kEnd);
			return ret;
		});
		EXPECT(parts > 0);
	}
}

/* However much there is to look at, each run may be the last. */
void a_killed_conversion_looks_no_further()
{
	constexpr unsigned kRuns = 16;
	const Guest g{ kRuns * kRunPages, kInitShared };
	unsigned long looks = 0;

	for (unsigned run = 0; run < kRuns; run++)
		EXPECT(g.file.user_write(run * kRunPages, 1));
	fake::set_before_look([&](std::uint64_t) { looks++; });
	for (unsigned long n = 1; n <= kRuns; n++) {
		looks = 0;
		EXPECT_EQ(killed_at(n,
				    [&] {
					    return g.file.convert(0, kRuns * kRunPages,
								  Share::kPrivate);
				    }),
			  -EINTR);
		EXPECT(looks < n);
	}
	fake::set_before_look(nullptr);
}

void a_failed_conversion_keeps_nothing()
{
	const BareVm g;
	const GuestFile file{ g.vm, kHuge, kInitShared };
	const long before = fake::core_objects();
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		fake::fail_nth(n);
		const int ret = file.convert(500, 3000, Share::kPrivate);

		fired = fake::fail_fired();
		fake::fail_nth(0);
		/* The first step that can fail is reading the argument. */
		EXPECT_EQ(ret, !fired ? 0 : n == 1 ? -EFAULT : -ENOMEM);
		EXPECT_EQ(fake::core_objects() - before, fired ? 0 : 6);
	}
	/* Nor does a killed one keep what it had set aside. */
	EXPECT_EQ(killed_at(8, [&] { return file.convert(5000, 9000, Share::kPrivate); }), -EINTR);
	EXPECT_EQ(fake::core_objects() - before, 6);
	EXPECT(file.shared(5000, 9000));
}

/* A guest comes by a page, and so by a record, that a conversion has made one for. */
void a_record_that_came_meanwhile_is_used()
{
	const Guest g{ 2048, kInitShared };

	EXPECT(g.file.user_write(600, 6));
	struct page *const held = g.file.cached(600);

	fake::hold_until_sleep(held, 2);
	fake::set_on_sleep(
		[&] { std::thread([&] { EXPECT_EQ(fake::shared_fault(g.vm, 1100), 0); }).join(); });
	EXPECT_EQ(g.file.convert(0, 2048, Share::kPrivate), 0);
	fake::set_on_sleep(nullptr);
	EXPECT(g.file.is_private(0, 2048) && g.attributes(0, 2048, true));
	EXPECT(g.write(1100, 11));
	EXPECT_EQ(g.read(600), 6u);
	EXPECT_EQ(g.file.convert(0, 2048, Share::kShared), 0);
	EXPECT_EQ(g.file.user_read(1100), 11u);
}

void a_killed_request_of_gfns()
{
	unsigned parts = 0;

	killed_ever_later([&](unsigned long n) {
		const Guest g{ 1024, kInitShared };
		struct kvm_memory_slot *slot;
		const GuestFile other{ g.vm, 1024, kInitShared };

		EXPECT_EQ(fake::slot_add(g.vm, 4096, 1024, other.fd, 0, &slot), 0);
		EXPECT_EQ(fake::set_attributes(g.vm, 1024, 6144, false), 0);
		const long ret =
			killed_at(n, [&] { return fake::set_attributes(g.vm, 0, 6144, true); });
		std::uint64_t at = 0;

		while (at < 6144 && g.attributes(at, at + 1, true))
			at++;
		EXPECT(g.attributes(at, 6144, false));
		EXPECT_EQ(at % fake::kAttributesChunk, 0u);
		EXPECT(ret == -EINTR || (ret == 0 && at == 6144));
		parts += ret == -EINTR && at > 1024 && at < 4096;
		EXPECT_EQ(fake::set_attributes(g.vm, 0, 6144, true), 0);
		EXPECT(g.attributes(0, 6144, true));
		fake::slot_delete(g.vm, slot);
		return ret;
	});
	EXPECT(parts > 0);
}

void gfns_that_kvm_cannot_map()
{
	const Guest g{ 512, kInitShared };
	struct kvm_memory_slot *slot;
	/* All gfns that far are private in the fake. */
	const GuestFile other{ g.vm, 512, kMmap };

	EXPECT_EQ(fake::set_attributes(g.vm, fake::kEndGfn - 1, fake::kEndGfn + 1, true), -EINVAL);
	EXPECT_EQ(fake::set_attributes(g.vm, fake::kEndGfn, fake::kEndGfn + 1, true), -EINVAL);
	EXPECT_EQ(fake::set_attributes(g.vm, 0, fake::kEndGfn + 1, true), -EINVAL);
	EXPECT(g.file.shared(0, 512));
	EXPECT_EQ(fake::set_attributes(g.vm, fake::kEndGfn - 1, fake::kEndGfn, true), 0);
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 1ull << 52, false), 0);
	EXPECT_EQ(fake::slot_add(g.vm, fake::kEndGfn - 511, 512, other.fd, 0, &slot), -EINVAL);
	EXPECT_EQ(fake::slot_add(g.vm, fake::kEndGfn - 512, 512, other.fd, 0, &slot), 0);
	fake::slot_delete(g.vm, slot);
}

void binding_that_fails_or_is_killed()
{
	const BareVm g;
	const GuestFile file{ g.vm, 4096, kMmap };
	struct kvm_memory_slot *slot;
	bool fired = true;

	EXPECT_EQ(file.convert(700, 800, Share::kShared), 0);
	for (unsigned n = 1; fired; n++) {
		fake::fail_nth(n);
		const int ret = fake::slot_add(g.vm, 0, 4096, file.fd, 0, &slot);

		fired = fake::fail_fired();
		fake::fail_nth(0);
		EXPECT_EQ(ret, fired ? -ENOMEM : 0);
		EXPECT(g.vm->reserved.empty());
	}
	fake::slot_delete(g.vm, slot);
	killed_ever_later([&](unsigned long n) {
		/* Whatever they were before. */
		EXPECT_EQ(fake::set_attributes(g.vm, 0, 4096, false), 0);
		EXPECT_EQ(fake::set_attributes(g.vm, 700, 800, true), 0);
		const long ret = killed_at(
			n, [&] { return fake::slot_add(g.vm, 0, 4096, file.fd, 0, &slot); });

		EXPECT(g.vm->reserved.empty());
		EXPECT(ret == -EINTR || slot);
		return ret;
	});
	EXPECT(g.attributes(0, 700, true) && g.attributes(700, 800, false));
	EXPECT(g.attributes(800, 4096, true));
	fake::slot_delete(g.vm, slot);
}

void what_is_not_there_takes_no_time()
{
	const BareVm g;
	const GuestFile file{ g.vm, kHuge, kInitShared };

	EXPECT(file.user_write(5, 55) && file.user_write(kHuge - 1, 66));
	EXPECT_EQ(file.convert(0, kHuge, Share::kShared), 0);
	EXPECT_EQ(file.punch(0, kHuge), 0);
	EXPECT(!file.cached(5) && !file.cached(kHuge - 1));
	EXPECT_EQ(file.punch(kChunk, kHuge), 0);
}

void a_killed_punch_leaves_whole_chunks()
{
	unsigned parts = 0;

	killed_ever_later([&](unsigned long n) {
		const BareVm g;
		const GuestFile file{ g.vm, kHuge, kInitShared };
		const std::uint64_t at[] = { 3, kChunk + 3, kChunk + 600, 7 * kChunk };

		for (const std::uint64_t index : at)
			EXPECT(file.user_write(index, index));
		const long ret = killed_at(n, [&] { return file.punch(0, kHuge); });
		unsigned left = 0;

		for (const std::uint64_t index : at)
			left += file.cached(index) != nullptr;
		EXPECT_EQ(!file.cached(at[1]), !file.cached(at[2]));
		EXPECT(ret == -EINTR || (ret == 0 && left == 0));
		parts += ret == -EINTR && left > 0 && left < 4;
		return ret;
	});
	EXPECT(parts > 0);
}

void killed_where_nothing_is_left_to_do()
{
	const Guest g{ 1024, kMmap };

	EXPECT_EQ(fake::fallocate(g.file.handle, false, 0, 1024 * kPageSize), 0);
	/* The lock, and then each run. */
	for (unsigned n = 1; n <= 3; n++) {
		EXPECT_EQ(killed_at(n,
				    [&] {
					    return fake::fallocate(g.file.handle, false, 0,
								   1024 * kPageSize);
				    }),
			  -EINTR);
	}
	Filler filler;

	EXPECT_EQ(killed_at(1, [&] { return filler.populate(g.vm, 0, 1); }), -EINTR);
}

void a_killed_link_leaves_it_where_it_was()
{
	const Guest g{ 512 };
	struct kvm *const heir = world_vm(fake::kSwProtectedVm);

	for (unsigned n = 1; n <= 2; n++) {
		EXPECT_EQ(killed_at(n, [&] { return fake::link(heir, g.file.fd); }), -EINTR);
		EXPECT_EQ(g.allocate(0, 512), 0);
	}
	world_vm_put(heir);
}

} /* namespace */

GMEM_SUITE(bounds, CASE(a_killed_conversion_leaves_whole_chunks),
	   CASE(a_killed_conversion_looks_no_further), CASE(a_failed_conversion_keeps_nothing),
	   CASE(a_record_that_came_meanwhile_is_used), CASE(a_killed_request_of_gfns),
	   CASE(gfns_that_kvm_cannot_map), CASE(binding_that_fails_or_is_killed),
	   CASE(what_is_not_there_takes_no_time), CASE(a_killed_punch_leaves_whole_chunks),
	   CASE(killed_where_nothing_is_left_to_do), CASE(a_killed_link_leaves_it_where_it_was));
