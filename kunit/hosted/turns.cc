// SPDX-License-Identifier: GPL-2.0-only
/*
 * A long call on a file does not keep other tasks from the file: how long the inode lock
 * is held at a stretch, what other tasks can do in between, and what stays true during a
 * conversion. How many flushes a conversion takes; that nothing is done where nothing
 * changes.
 *
 * Tests: gmem/turn.h, gmem/conversion.cc.
 */
#include <atomic>
#include <thread>

#include <gmem/consumer.h>

#include "kunit/fakes/holds.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kRuns = 250, kAll = kRuns * kRunPages;
/* As many as the fakes have memory for. */
constexpr std::uint64_t kFewRuns = 40, kFew = kFewRuns * kRunPages;
/* A turn, and the longest piece of work that is not left in the middle. */
constexpr std::uint64_t kMost = 90;

class SlowWork {
    public:
	explicit SlowWork(std::uint64_t ms) { fake::set_work_ms(ms); }
	~SlowWork() { fake::set_work_ms(0); }
	SlowWork(const SlowWork &) = delete;
	SlowWork &operator=(const SlowWork &) = delete;

	/* Since the last time. */
	static void expect_turns(unsigned long at_least)
	{
		EXPECT(fake::longest_hold() <= kMost);
		EXPECT(fake::inode_lockings() >= at_least);
		fake::set_work_ms(fake::ms_of_work());
	}
};

/* Another task does @fn in each sleep of this one. */
void while_asleep(std::function<void()> fn)
{
	fake::set_on_sleep([fn = std::move(fn)] { std::thread(fn).join(); });
}

/* Every second page of [start, end) is private. */
void alternate(const Guest &g, std::uint64_t start, std::uint64_t end)
{
	for (std::uint64_t i = start; i < end; i += 2)
		EXPECT_EQ(g.file.convert(i, i + 1, Share::kPrivate), 0);
}

void allocation_and_punch_take_turns()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm);
	{
		const GuestFile file{ vm, kFew, kMmap };
		const SlowWork slow{ 5 };

		EXPECT_EQ(fake::fallocate(file.handle, false, 0, kFew * kPageSize), 0);
		slow.expect_turns(kFewRuns / 8);
		EXPECT_EQ(file.inode().handle()->nrpages, kFew);
		EXPECT_EQ(file.punch(0, kFew), 0);
		slow.expect_turns(kFewRuns / 8);
		EXPECT_EQ(file.inode().handle()->nrpages, 0u);
	}
	world_vm_put(vm);
}

void a_long_conversion_takes_turns()
{
	struct kvm *const vm = world_vm(fake::kSwProtectedVm);
	{
		const GuestFile file{ vm, kAll, kInitShared };

		for (const bool to_private : { true, false }) {
			const SlowWork slow{ 1 };

			EXPECT_EQ(file.convert(0, kAll, private_if(to_private)), 0);
			slow.expect_turns(kRuns / 40);
			EXPECT(to_private ? file.is_private(0, kAll) : file.shared(0, kAll));
			/* Looking takes long where there is much to look at. */
			EXPECT_EQ(file.convert(0, kAll, private_if(to_private)), 0);
			slow.expect_turns(kRuns / 40);
		}
	}
	world_vm_put(vm);
}

void a_fragmented_conversion_takes_turns()
{
	const Guest g{ 1024, kInitShared };

	alternate(g, 0, 1024);
	for (const bool to_private : { false, true }) {
		if (to_private)
			alternate(g, 0, 1024);

		const SlowWork slow{ 1 };
		const unsigned long flushes = fake::mmu_calls().flushes;

		for (std::uint64_t i = 0; i < 1024; i += 5)
			EXPECT_EQ(g.access(i), 0);
		EXPECT_EQ(g.file.convert(0, 1024, private_if(to_private)), 0);
		slow.expect_turns(512 / 40);
		/* One a turn, which a stretch takes two milliseconds of. */
		EXPECT(fake::mmu_calls().flushes - flushes <= 512 / 10 + 1);
		EXPECT(g.attributes(0, 1024, to_private));
	}
}

void alternating_pages_take_one_flush()
{
	const Guest g{ 1024, kInitShared };

	for (const bool to_private : { false, true }) {
		alternate(g, 0, 1024);
		for (std::uint64_t i = 0; i < 1024; i++)
			EXPECT(g.write(i, 100 + i));

		const fake::MmuCalls before = fake::mmu_calls();

		EXPECT_EQ(g.file.convert(0, 1024, private_if(to_private)), 0);
		EXPECT_EQ(fake::mmu_calls().unmaps - before.unmaps, 512u);
		EXPECT_EQ(fake::mmu_calls().flushes - before.flushes, 1u);
		EXPECT_EQ(fake::mmu_calls().begins - before.begins, 1u);
		/* Pages that were as wanted stay mapped, and all keep their content. */
		for (std::uint64_t i = 0; i < 1024; i++)
			EXPECT_EQ(g.order(i), (i % 2 == 0) == to_private ? 0 : -1);
		for (std::uint64_t i = 0; i < 1024; i++)
			EXPECT_EQ(g.read(i), 100 + i);
		EXPECT_EQ(g.file.convert(0, 1024, Share::kShared), 0);
	}
}

void nothing_is_done_where_nothing_changes()
{
	const Guest g{ 1024, kInitShared };
	const GuestFile other{ g.vm, 512, kMmap };
	struct kvm_memory_slot *slot;

	EXPECT_EQ(fake::slot_add(g.vm, 4096, 512, other.fd, 0, &slot), 0);
	for (const bool to_private : { false, true }) {
		EXPECT_EQ(fake::set_attributes(g.vm, 0, 6144, to_private), 0);
		for (const std::uint64_t gfn : { 5, 600, 4100 })
			EXPECT_EQ(g.access(gfn), 0);
		EXPECT(g.file.is_private(5, 6) == to_private);

		const fake::MmuCalls before = fake::mmu_calls();

		fake::set_work_ms(0);
		EXPECT_EQ(fake::set_attributes(g.vm, 0, 6144, to_private), 0);
		EXPECT_EQ(fake::set_attributes(g.vm, 1024, 4096, to_private), 0);
		EXPECT_EQ(fake::set_attributes(g.vm, 7, 8, to_private), 0);
		EXPECT_EQ(fake::inode_lockings(), 0u);
		EXPECT_EQ(g.file.convert(0, 1024, private_if(to_private)), 0);
		EXPECT_EQ(other.convert(3, 5, private_if(to_private)), 0);
		EXPECT_EQ(fake::mmu_calls().begins, before.begins);
		EXPECT_EQ(fake::mmu_calls().unmaps, before.unmaps);
		EXPECT_EQ(fake::mmu_calls().flushes, before.flushes);
		for (const std::uint64_t gfn : { 5, 600, 4100 })
			EXPECT(g.order(gfn) >= 0);
	}
	/* Gfns that KVM cannot map are an error still. */
	EXPECT_EQ(fake::set_attributes(g.vm, fake::kEndGfn, fake::kEndGfn + 1, true), -EINVAL);
	fake::slot_delete(g.vm, slot);
}

/* Half of the pages between, of gfns and files: only that is taken out. */
void gfns_on_no_file_that_are_as_wanted_stay()
{
	const Guest g{ 512, kInitShared };

	EXPECT_EQ(fake::set_attributes(g.vm, 512, 1024, false), 0);
	EXPECT_EQ(fake::set_attributes(g.vm, 1024, 1536, true), 0);
	const unsigned long begins = fake::mmu_calls().begins;

	EXPECT_EQ(fake::set_attributes(g.vm, 0, 1536, false), 0);
	EXPECT_EQ(fake::mmu_calls().begins, begins + 1);
	EXPECT(g.attributes(0, 1536, false));
}

/* While a page is waited for, the file is there for everybody, but for what changes. */
void others_use_the_file_while_a_page_is_waited_for()
{
	const Guest g{ 2048, kInitShared };
	unsigned times = 0;

	for (const std::uint64_t index : { 5, 600, 1500 })
		EXPECT(g.file.user_write(index, index));
	fake::hold_until_sleep(g.file.cached(5), 3);
	while_asleep([&] {
		struct page *page = nullptr;

		times++;
		EXPECT_EQ(gmem_file_fault(File::of(g.file.handle), 5, &page), -EBUSY);
		EXPECT_EQ(gmem_file_fault(File::of(g.file.handle), 1000, &page), -EBUSY);
		EXPECT_EQ(g.file.user_read(1500), 1500u);
		EXPECT(g.file.user_write(1024, 7));
		EXPECT_EQ(g.file.punch(600, 601), 0);
		EXPECT_EQ(fake::fallocate(g.file.handle, false, 700 * kPageSize, kPageSize), 0);
		EXPECT_EQ(g.access(6), 0);
	});
	EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate), 0);
	EXPECT(times >= 2);
	fake::set_on_sleep(nullptr);
	EXPECT(g.file.is_private(0, 1024) && g.file.shared(1024, 2048));
	EXPECT_EQ(g.read(5), 5u);
	EXPECT_EQ(g.read(600), 0u);
	EXPECT_EQ(g.file.touch(5), -EFAULT);
}

/* Nothing of a conversion that failed is left: pages are user space's as before. */
void a_failed_conversion_lets_everybody_in()
{
	const Guest g{ 2048, kInitShared };
	struct page *const pinned = g.file.pin(1030);
	std::uint64_t at = 0;
	const SlowWork slow{ 35 };

	REQUIRE(pinned);
	EXPECT(g.file.user_write(3, 33));
	EXPECT_EQ(g.file.convert(0, 2048, Share::kPrivate, &at), -EAGAIN);
	EXPECT_EQ(at, 1030u);
	EXPECT_EQ(g.file.user_read(3), 33u);
	EXPECT_EQ(fake::set_attributes(g.vm, 0, 2048, true), -EAGAIN);
	EXPECT_EQ(g.file.user_read(3), 33u);
	EXPECT(g.file.shared(0, 2048) && g.attributes(0, 2048, false));
	fake::user_unpin(pinned);
	EXPECT_EQ(g.file.convert(0, 2048, Share::kPrivate), 0);
	EXPECT_EQ(g.read(3), 33u);
}

/* A turn for each run and stretch, whatever is asked for. */
void conversions_in_the_smallest_turns()
{
	const SlowWork slow{ 35 };
	const Guest g{ 2048, kInitShared };
	struct kvm_memory_slot *slot;
	const GuestFile other{ g.vm, 1024, kInitShared };

	EXPECT_EQ(fake::slot_add(g.vm, 4096, 1024, other.fd, 0, &slot), 0);
	alternate(g, 500, 530);
	for (std::uint64_t i = 0; i < 2048; i += 3)
		EXPECT(g.write(i, 100 + i));
	for (unsigned round = 0; round < 4; round++) {
		const bool to_private = round % 2 == 0;

		EXPECT_EQ(fake::set_attributes(g.vm, 3, 5000, to_private), 0);
		EXPECT(g.attributes(3, 5000, to_private));
		EXPECT(to_private ? g.file.is_private(3, 2048) : g.file.shared(3, 2048));
		EXPECT(to_private ? other.is_private(0, 904) : other.shared(0, 904));
		EXPECT(other.shared(904, 1024));
		for (std::uint64_t i = 0; i < 2048; i += 3)
			EXPECT_EQ(g.read(i), 100 + i);
		alternate(g, 1000, 1100);
	}
	fake::slot_delete(g.vm, slot);
}

/* Two parts of one file: neither is user space's before both are converted. */
void parts_of_one_file_are_kept_together()
{
	Guest g{ 16, kInitShared };
	const GuestFile file{ g.vm, 2048, kInitShared };
	struct kvm_memory_slot *low, *high;
	unsigned busy = 0;

	EXPECT_EQ(fake::slot_add(g.vm, 1024, 512, file.fd, 0, &low), 0);
	EXPECT_EQ(fake::slot_add(g.vm, 1536, 512, file.fd, 1024, &high), 0);
	EXPECT(file.user_write(3, 3) && file.user_write(1030, 1030));
	fake::hold_until_sleep(file.cached(1030), 3);
	while_asleep([&] {
		struct page *page = nullptr;

		busy += gmem_file_fault(File::of(file.handle), 3, &page) == -EBUSY;
		busy += gmem_file_fault(File::of(file.handle), 1030, &page) == -EBUSY;
	});
	EXPECT_EQ(fake::set_attributes(g.vm, 1024, 2048, true), 0);
	fake::set_on_sleep(nullptr);
	EXPECT(busy >= 4);
	EXPECT(file.is_private(0, 512) && file.shared(512, 1024) && file.is_private(1024, 1536));
	EXPECT_EQ(file.touch(600), 0);
	fake::slot_delete(g.vm, low);
	fake::slot_delete(g.vm, high);
}

void whoever_waits_for_the_lock_can_be_killed()
{
	const Guest g{ 512, kInitShared };

	fake::set_killed_after(1);
	EXPECT_EQ(g.file.touch(3), -EINTR);
	EXPECT_EQ(g.file.punch(0, 512), -EINTR);
	EXPECT_EQ(fake::fallocate(g.file.handle, false, 0, kPageSize), -EINTR);
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), -EINTR);
	fake::set_killed_after(0);
	EXPECT_EQ(g.file.touch(3), 0);
}

struct Counts {
	std::atomic<unsigned> prepared{ 0 }, converted{ 0 };
};

const gmem_consumer_ops kCounting = {
	.owner = nullptr,
	.prepare =
		[](void *data, gmem_u64, gmem_u64, bool) {
			static_cast<Counts *>(data)->prepared++;
			return 0;
		},
	.failed = nullptr,
	.begin = [](void *, gmem_u64, gmem_u64) {},
	.unmap = [](void *, gmem_u64, gmem_u64) {},
	.end = [](void *, gmem_u64, gmem_u64) {},
	.converted = [](void *data, gmem_u64, gmem_u64,
			bool) { static_cast<Counts *>(data)->converted++; },
	.release = [](void *) {},
};

/* A consumer that binds meanwhile was not asked: its bind waits for the conversion's end. */
void consumers_come_before_a_conversion_or_after()
{
	const Guest g{ 1024, kInitShared };
	Counts first, second;
	struct gmem_consumer *had = nullptr, *late = nullptr;
	std::thread binder;
	std::atomic<unsigned> asleep{ 0 };

	EXPECT_EQ(gmem_consumer_bind(g.file.handle, 0, 16, &kCounting, &first, GMEM_CONSUMER_SHARED,
				     &had),
		  0);
	EXPECT(g.file.user_write(5, 5));
	fake::hold_until_sleep(g.file.cached(5), 2);
	while_asleep([&] {
		struct page *page;
		unsigned order;

		if (asleep++)
			return;
		EXPECT_EQ(gmem_consumer_get_page(had, 5, false, &page, &order), -EAGAIN);
		EXPECT(fake::KernelHold(g.vm, 6).error() != 0);
		binder = std::thread([&] {
			EXPECT_EQ(gmem_consumer_bind(g.file.handle, 0, 16, &kCounting, &second,
						     GMEM_CONSUMER_SHARED, &late),
				  0);
		});
	});
	EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate), 0);
	REQUIRE(binder.joinable());
	binder.join();
	fake::set_on_sleep(nullptr);
	EXPECT(first.prepared == 1 && first.converted == 1);
	EXPECT_EQ(second.prepared + second.converted, 0u);
	EXPECT_EQ(gmem_consumer_is_shared(late, 5), 0);
	gmem_consumer_unbind(late);
	gmem_consumer_unbind(had);
}

/* Pages that are private already can be had while others become private. */
void private_pages_do_not_wait_for_a_conversion()
{
	const Guest g{ 512, kInitShared };
	Counts quiet;
	struct gmem_consumer *consumer = nullptr;
	unsigned asleep = 0;

	EXPECT_EQ(g.file.convert(12, 13, Share::kPrivate), 0);
	EXPECT_EQ(gmem_consumer_bind(g.file.handle, 0, 512, &kCounting, &quiet,
				     GMEM_CONSUMER_SHARED, &consumer),
		  0);
	EXPECT(g.file.user_write(5, 5));
	fake::hold_until_sleep(g.file.cached(5), 2);
	while_asleep([&] {
		struct page *page;
		unsigned order;

		if (asleep++)
			return;
		EXPECT_EQ(gmem_consumer_get_page(consumer, 5, false, &page, &order), -EAGAIN);
		REQUIRE(gmem_consumer_get_page(consumer, 12, true, &page, &order) == 0);
		EXPECT(page == g.file.cached(12));
		gmem_consumer_put_page(page);
	});
	EXPECT_EQ(g.file.convert(0, 512, Share::kPrivate), 0);
	fake::set_on_sleep(nullptr);
	EXPECT(asleep > 0);
	gmem_consumer_unbind(consumer);
}

} /* namespace */

GMEM_SUITE(turns, CASE(allocation_and_punch_take_turns), CASE(a_long_conversion_takes_turns),
	   CASE(a_fragmented_conversion_takes_turns), CASE(alternating_pages_take_one_flush),
	   CASE(nothing_is_done_where_nothing_changes),
	   CASE(gfns_on_no_file_that_are_as_wanted_stay),
	   CASE(others_use_the_file_while_a_page_is_waited_for),
	   CASE(a_failed_conversion_lets_everybody_in), CASE(conversions_in_the_smallest_turns),
	   CASE(parts_of_one_file_are_kept_together),
	   CASE(whoever_waits_for_the_lock_can_be_killed),
	   CASE(consumers_come_before_a_conversion_or_after),
	   CASE(private_pages_do_not_wait_for_a_conversion));
