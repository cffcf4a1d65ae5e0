// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen from outside: why a page is small, one case a reason, as the fault's
 * answer and the counter agree on it; and what each tracepoint tells.
 *
 * Tests: gmem/trace.h, gmem/store.cc.
 */
#include <string_view>

#include <uapi/gmem.h>

#include "kunit/fakes/platform.h"
#include "kunit/fakes/trace.h"
#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

/* Listens from its construction to its end; a case leaves no listener. */
class Listener {
    public:
	Listener() { fake::listen(true); }
	~Listener() { fake::listen(false); }
	Listener(const Listener &) = delete;
	Listener &operator=(const Listener &) = delete;

	unsigned count(kapi_trace event) const { return fake::traces().count[event]; }
	const fake::Traces *operator->() const { return &fake::traces(); }
};

class PlatformSetting {
    public:
	explicit PlatformSetting(kapi_platform platform) { fake::set_platform(platform); }
	~PlatformSetting()
	{
		fake::set_platform(KAPI_PLATFORM_NONE);
		(void)fake::reports();
	}
};

kapi_stat stat_of(kapi_small why)
{
	return static_cast<kapi_stat>(int{ KAPI_STAT_FALLBACK_MEMORY } + int{ why } - 1);
}

/* The fault says @why, and so many pages are counted for that, and none for another reason. */
void expect_small(const Listener &told, const Inode &inode, kapi_small why, long count)
{
	const Stats &stats = const_cast<Inode &>(inode).store().stats();

	EXPECT_EQ(told->fault.small, why);
	EXPECT_EQ(told->fault.order, 0u);
	EXPECT_EQ(told->fault.ret, 0);
	for (int other = KAPI_SMALL_MEMORY; other < KAPI_SMALLS; other++) {
		const auto small = static_cast<kapi_small>(other);

		EXPECT_EQ(stats.get(stat_of(small)), small == why ? count : 0);
	}
}

void huge_is_not_small()
{
	const Guest g{ 1024 };
	const Listener told;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(told->fault.small, KAPI_SMALL_NOT);
	EXPECT_EQ(told->fault.order, kRunOrder);
	EXPECT_EQ(told->fault.index, 5u);
	EXPECT_EQ(told->fault.gfn, 5u);
	EXPECT_EQ(told->fault.who, KAPI_WHO_GUEST);
	EXPECT(!told->fault.shared);
	EXPECT(told->inode == g.file.inode().handle());
	EXPECT_EQ(told.count(KAPI_TRACE_FAULT), 1u);
}

void small_for_memory()
{
	const Guest g{ 1024 };
	const Listener told;

	fake::set_no_blocks(true);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MEMORY, 1);
	/* The second page is small for what the first was, also when there are blocks again. */
	fake::set_no_blocks(false);
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MEMORY, 2);
	/* Nothing is counted for a page that is there. */
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MEMORY, 2);
	/* Empty, it forgets. */
	EXPECT_EQ(g.punch(0, 512), 0);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(told->fault.small, KAPI_SMALL_NOT);
	EXPECT_EQ(g.punch(2, 3), 0);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(told->fault.small, KAPI_SMALL_PARTIAL);
}

void small_for_place()
{
	const Guest g{ 700 };
	const Listener told;

	EXPECT_EQ(fake::fault(g.vm, 600), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_PLACE, 1);
}

void small_for_mixed_attributes()
{
	const Guest g{ 1024 };
	const Listener told;

	fake::set_private(g.vm, 100, 101, false);
	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MIXED, 1);
	EXPECT_EQ(fake::fault(g.vm, 6), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MIXED, 2);
}

/* A block, of a file that has both kinds itself: one page is counted when it is first used. */
void small_for_mixed_state()
{
	const Guest g{ 1024, kInitShared };

	EXPECT_EQ(g.file.convert(0, 1, Share::kPrivate), 0);
	const Listener told;

	EXPECT_EQ(g.access(5), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MIXED, 1);
	EXPECT(told->fault.shared);
	EXPECT_EQ(g.access(5), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_MIXED, 1);
}

void small_for_what_is_missing()
{
	const Guest g{ 1024 };
	const Listener told;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(g.punch(7, 8), 0);
	EXPECT_EQ(fake::fault(g.vm, 8), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_PARTIAL, 0);
}

void small_for_poison()
{
	const Guest g{ 1024 };
	const Listener told;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT(fake::memory_failure(g.file.inode().handle(), 7));
	EXPECT_EQ(told.count(KAPI_TRACE_POISON), 1u);
	EXPECT_EQ(told->poison_index, 7u);
	EXPECT_EQ(fake::fault(g.vm, 8), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_POISONED, 0);
	EXPECT_EQ(fake::fault(g.vm, 7), -EHWPOISON);
	EXPECT_EQ(told->fault.ret, -EHWPOISON);
	/* A page that comes into such a run is counted. */
	EXPECT_EQ(g.punch(9, 10), 0);
	EXPECT_EQ(fake::fault(g.vm, 9), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_POISONED, 1);
}

void small_for_the_platform()
{
	const PlatformSetting setting{ KAPI_PLATFORM_TDX_MODEL };
	const Guest g{ 1024 };
	const Listener told;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	expect_small(told, g.file.inode(), KAPI_SMALL_PLATFORM, 1);
}

void small_for_policy()
{
	fake::set_huge(KAPI_HUGE_NEVER);
	{
		const Guest g{ 1024 };
		const Listener told;

		EXPECT_EQ(fake::fault(g.vm, 5), 0);
		expect_small(told, g.file.inode(), KAPI_SMALL_POLICY, 1);
		EXPECT_EQ(fake::fault(g.vm, 6), 0);
		expect_small(told, g.file.inode(), KAPI_SMALL_POLICY, 2);
	}
	fake::set_huge(KAPI_HUGE_ALWAYS);
}

/* How many pages are shared follows each way by which they come, change and go. */
void shared_pages_are_counted()
{
	const Guest g{ 1024, kInitShared };
	const Stats &stats = g.file.store().stats();

	EXPECT_EQ(g.access(5), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 512);
	EXPECT_EQ(g.file.convert(0, 10, Share::kPrivate), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 502);
	EXPECT_EQ(g.file.convert(0, 1024, Share::kPrivate), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 0);
	EXPECT_EQ(g.file.convert(3, 600, Share::kShared), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 509);
	EXPECT_EQ(g.file.punch(2, 5), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 507);
	EXPECT_EQ(g.access(4), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 508);
	EXPECT_EQ(g.file.punch(0, 1024), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_SHARED), 0);
	EXPECT_EQ(stats.get(KAPI_STAT_PAGES), 0);
}

void a_life_is_told()
{
	const Listener told;
	{
		const Guest g{ 1024 };

		EXPECT_EQ(told->create.size, 1024 * kPageSize);
		EXPECT(told->create.vm == g.vm);
		EXPECT(told->create.huge && !told->create.mappable);
		EXPECT_EQ(told.count(KAPI_TRACE_BIND), 1u);
		EXPECT_EQ(told->bind.npages, 1024u);
		EXPECT_EQ(told->bind.ret, 0);
		EXPECT_EQ(Filler{}.populate(g.vm, 3, 4), 4);
		EXPECT_EQ(told->populate.gfn, 3u);
		EXPECT_EQ(told->populate.done, 4u);
		EXPECT_EQ(told->populate.ret, 0);
		EXPECT_EQ(Filler{}.populate(g.vm, 3, 4), -EEXIST);
		EXPECT_EQ(told->populate.done, 0u);
		EXPECT_EQ(told->populate.ret, -EEXIST);
		EXPECT_EQ(g.punch(2, 5), 0);
		EXPECT_EQ(told->punch.index, 2u);
		EXPECT_EQ(told->punch.npages, 3u);
		EXPECT_EQ(told->reclaim.npages, 3u);
		EXPECT_EQ(told->reclaim.leaked, 0u);
		/* A hole in nothing takes nothing out, be there a run around it or none. */
		EXPECT_EQ(g.punch(600, 700), 0);
		EXPECT_EQ(g.punch(2, 5), 0);
		EXPECT_EQ(told.count(KAPI_TRACE_PUNCH), 3u);
		EXPECT_EQ(told.count(KAPI_TRACE_RECLAIM), 1u);
	}
	EXPECT_EQ(told.count(KAPI_TRACE_UNBIND), 1u);
	EXPECT_EQ(told->unbind.npages, 1024u);
	EXPECT_EQ(told->reclaim.npages, 509u);
}

void a_binding_that_fails_is_told()
{
	const Guest g{ 1024 };
	const Listener told;
	struct kvm_memory_slot *slot = nullptr;

	EXPECT(fake::slot_add(g.vm, 4096, 1024, g.file.fd, 512, &slot) != 0);
	EXPECT_EQ(told->bind.ret, -EINVAL);
	EXPECT_EQ(told->bind.index, 512u);
	EXPECT_EQ(told->bind.gfn, 4096u);
}

void conversions_are_told()
{
	const Guest g{ 1024, kInitShared };
	const Listener told;

	EXPECT_EQ(g.file.convert(8, 16, Share::kPrivate), 0);
	EXPECT_EQ(told.count(KAPI_TRACE_CONVERT), 2u);
	EXPECT_EQ(told->convert.phase, KAPI_PHASE_COMMIT);
	EXPECT(told->convert.to_private);
	EXPECT_EQ(told->convert.index, 8u);
	EXPECT_EQ(told->convert.npages, 8u);
	EXPECT_EQ(told->convert.ret, 0);
}

void a_refusal_names_the_page()
{
	const Guest g{ 1024, kInitShared };
	const Listener told;

	EXPECT_EQ(g.file.touch(9), 0);
	EXPECT_EQ(told->fault.who, KAPI_WHO_USER);
	EXPECT_EQ(told->fault.gfn, KAPI_NO_GFN);

	struct page *const pinned = g.file.pin(9);

	REQUIRE(pinned);
	EXPECT_EQ(g.file.convert(8, 16, Share::kPrivate), -EAGAIN);
	EXPECT_EQ(told.count(KAPI_TRACE_CONVERT), 2u);
	EXPECT_EQ(told->convert.phase, KAPI_PHASE_FAIL);
	fake::user_unpin(pinned);
}

void promotion_is_told()
{
	const Guest g{ 1024 };
	const Listener told;

	fake::set_no_blocks(true);
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(fake::fault(g.vm, i), 0);
	fake::set_no_blocks(false);
	while (fake::run_work())
		;
	EXPECT_EQ(told.count(KAPI_TRACE_PROMOTION), 1u);
	EXPECT_EQ(told->promotion.index, 0u);
	EXPECT_EQ(told->promotion.ret, 0);
	EXPECT_EQ(fake::fault(g.vm, 8), 0);
	EXPECT_EQ(told->fault.small, KAPI_SMALL_NOT);
	/* After a hole in the block, pages are small for the hole, not for want of memory. */
	EXPECT_EQ(g.punch(8, 9), 0);
	EXPECT_EQ(fake::fault(g.vm, 9), 0);
	EXPECT_EQ(told->fault.small, KAPI_SMALL_PARTIAL);
}

void linking_is_told()
{
	const Guest g{ 1024 };
	const Listener told;
	struct kvm *const heir = world_vm(fake::kSwProtectedVm);
	const int fd = fake::link(heir, g.file.fd);

	EXPECT(fd >= 0);
	EXPECT(told->link.from == g.vm);
	EXPECT(told->link.to == heir);
	EXPECT_EQ(told->link.ret, 0);
	fake::close_fd(fd);
	world_vm_put(heir);
}

void a_launch_is_told()
{
	const PlatformSetting setting{ KAPI_PLATFORM_TDX_MODEL };
	const Listener told;
	const Guest g{ 1024 };
	struct file *const handle = fake::file_at(g.file.fd);
	gmem_launch_populate args{ .gpa = 0,
				   .source = 0,
				   .npages = 2,
				   .type = GMEM_PAGE_NORMAL,
				   .flags = GMEM_POPULATE_MEASURE,
				   .done = 0,
				   .firmware_error = 0 };
	gmem_launch_finish finish{};
	gmem_launch_measurement measurement{};

	EXPECT(std::string_view{ told->create.platform } == "tdx-model");
	EXPECT_EQ(gmem_file_measurement(g.file.core(), &measurement), -EPERM);
	EXPECT_EQ(told->launch.phase, KAPI_LAUNCH_MEASUREMENT);
	EXPECT_EQ(told->launch.ret, -EPERM);
	EXPECT_EQ(gmem_file_populate(handle, g.file.core(), &args), 2);
	fake::return_to_user();
	EXPECT_EQ(told->launch.phase, KAPI_LAUNCH_POPULATE);
	EXPECT_EQ(told->launch.done, 2u);
	EXPECT_EQ(told->launch.ret, 0);
	EXPECT_EQ(told.count(KAPI_TRACE_POPULATE), 1u);
	EXPECT_EQ(gmem_file_finish(g.file.core(), &finish), 0);
	EXPECT_EQ(told->launch.phase, KAPI_LAUNCH_FINISH);
}

} /* namespace */

GMEM_SUITE(observe, CASE(huge_is_not_small), CASE(small_for_memory), CASE(small_for_place),
	   CASE(small_for_mixed_attributes), CASE(small_for_mixed_state),
	   CASE(small_for_what_is_missing), CASE(small_for_poison), CASE(small_for_the_platform),
	   CASE(small_for_policy), CASE(shared_pages_are_counted), CASE(a_life_is_told),
	   CASE(a_binding_that_fails_is_told), CASE(conversions_are_told),
	   CASE(a_refusal_names_the_page), CASE(promotion_is_told), CASE(linking_is_told),
	   CASE(a_launch_is_told));
