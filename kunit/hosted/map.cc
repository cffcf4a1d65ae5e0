// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a file says of itself: the records of its runs (GMEM_GET_MAP), and what its fdinfo
 * tells of the file as a whole.
 *
 * Tests: mmu/map.cc.
 */
#include <array>
#include <cerrno>
#include <cstring>

#include "kunit/hosted/guest.h"

using namespace gmem_test;

namespace
{

constexpr std::uint64_t kRunSize = kRunPages * kPageSize;

/* A request for a map, and the room for its answer. */
struct Map {
	std::array<gmem_map_run, 64> runs{};
	gmem_get_map args{};

	explicit Map(unsigned count = 64, std::uint64_t offset = 0)
	{
		args.offset = offset;
		args.runs = reinterpret_cast<std::uint64_t>(runs.data());
		args.count = count;
	}
	long get(const Guest &g) { return gmem_file_map(g.file.core(), &args); }
};

void each_run_is_described()
{
	const Guest g{ 3 * kRunPages + 10 };
	Map map;

	EXPECT_EQ(fake::fault(g.vm, 5), 0);
	EXPECT_EQ(fake::fault(g.vm, 3 * kRunPages + 7), 0);
	fake::set_no_blocks(true);
	EXPECT_EQ(fake::fault(g.vm, 2 * kRunPages + 9), 0);
	fake::set_no_blocks(false);
	EXPECT_EQ(map.get(g), 0);
	EXPECT_EQ(map.args.count, 4u);

	/* A block; nothing; a page that came without a block; the rest of the file. */
	EXPECT_EQ(map.runs[0].present, kRunPages);
	EXPECT_EQ(map.runs[0].order, kRunOrder);
	EXPECT_EQ(map.runs[0].small, GMEM_SMALL_NOT);
	EXPECT_EQ(map.runs[0].node, 0);
	EXPECT_EQ(map.runs[1].present, 0);
	EXPECT_EQ(map.runs[1].order, 0);
	EXPECT_EQ(map.runs[1].node, -1);
	EXPECT_EQ(map.runs[2].present, 1);
	EXPECT_EQ(map.runs[2].order, 0);
	EXPECT_EQ(map.runs[2].small, GMEM_SMALL_MEMORY);
	EXPECT_EQ(map.runs[3].present, 1);
	EXPECT_EQ(map.runs[3].small, GMEM_SMALL_PLACE);
	for (const gmem_map_run &run : map.runs)
		EXPECT(run.shared == 0 && run.lost == 0 && run.reserved[0] == 0);
}

void shared_and_lost_pages_are_counted()
{
	const Guest g{ 2 * kRunPages, kInitShared };
	Map map;

	EXPECT_EQ(g.access(5), 0);
	EXPECT_EQ(g.access(kRunPages + 5), 0);
	EXPECT_EQ(g.file.convert(6, 9, Share::kPrivate), 0);
	EXPECT(fake::memory_failure(g.file.inode().handle(), kRunPages + 7));
	fake::return_to_user();
	EXPECT_EQ(map.get(g), 0);
	EXPECT_EQ(map.runs[0].shared, kRunPages - 3);
	EXPECT_EQ(map.runs[0].small, GMEM_SMALL_MIXED);
	EXPECT_EQ(map.runs[1].shared, kRunPages);
	EXPECT_EQ(map.runs[1].lost, 1);
	EXPECT_EQ(map.runs[1].small, GMEM_SMALL_POISONED);
}

/* Where the memslot shows a run in two pieces, no guest maps it huge. */
void the_memslot_decides_what_fits()
{
	const Guest g{ kRunPages };
	const GuestFile file{ g.vm, 2 * kRunPages, kPlain };
	struct kvm_memory_slot *slot = nullptr;
	Map map;

	EXPECT_EQ(fake::slot_add(g.vm, 4096 + 1, kRunPages, file.fd, kRunPages, &slot), 0);
	EXPECT_EQ(file.allocate(0, 2 * kRunPages), 0);
	EXPECT_EQ(gmem_file_map(file.core(), &map.args), 0);
	/* No memslot shows the first run. */
	EXPECT_EQ(map.runs[0].order, kRunOrder);
	EXPECT_EQ(map.runs[1].order, 0);
	EXPECT_EQ(map.runs[1].small, GMEM_SMALL_PLACE);
	fake::slot_delete(g.vm, slot);
}

/* More runs than are looked at under one hold of the lock; parts; more room than runs. */
void a_map_can_be_had_in_parts()
{
	constexpr unsigned kRuns = 40;
	const Guest g{ kRuns * kRunPages };
	Map all, few{ 3 }, tail{ 64, (kRuns - 2) * kRunSize };

	for (unsigned run = 0; run < kRuns; run += 3)
		EXPECT_EQ(fake::fault(g.vm, run * kRunPages), 0);
	EXPECT_EQ(all.get(g), 0);
	EXPECT_EQ(all.args.count, kRuns);
	for (unsigned run = 0; run < kRuns; run++)
		EXPECT_EQ(all.runs[run].present, run % 3 ? 0 : kRunPages);
	EXPECT_EQ(few.get(g), 0);
	EXPECT_EQ(few.args.count, 3u);
	EXPECT_EQ(few.runs[3].present, 0);
	EXPECT_EQ(tail.get(g), 0);
	EXPECT_EQ(tail.args.count, 2u);
	EXPECT_EQ(tail.runs[1].present, kRunPages);
}

void bad_requests()
{
	const Guest g{ kRunPages };
	Map flags, none{ 0 }, odd{ 1, kPageSize }, end{ 1, kRunSize }, nowhere;

	flags.args.flags = 1;
	for (Map *const map : { &flags, &none, &odd, &end }) {
		EXPECT_EQ(map->get(g), -EINVAL);
		EXPECT_EQ(map->args.count, 0u);
	}
	nowhere.args.runs = 0;
	EXPECT_EQ(nowhere.get(g), -EFAULT);
	EXPECT_EQ(nowhere.args.count, 0u);
}

/* The memory is another VM's. */
void a_closed_view_has_no_map()
{
	const Guest g{ kRunPages };
	struct kvm *const heir = world_vm(fake::kSwProtectedVm);
	const int fd = fake::link(heir, g.file.fd);
	kapi_description said;
	Map map;

	REQUIRE(fd >= 0);
	EXPECT_EQ(map.get(g), -ESTALE);
	EXPECT_EQ(gmem_file_describe(g.file.core(), &said), 0);
	EXPECT(!said.open && !said.bound);
	map.args.count = 1;
	EXPECT_EQ(gmem_file_map(File::of(fake::file_at(fd)), &map.args), 0);
	fake::close_fd(fd);
	world_vm_put(heir);
}

void a_file_is_described()
{
	const Guest plain{ kRunPages }, mappable{ kRunPages, kInitShared };
	kapi_description said;

	EXPECT_EQ(gmem_file_describe(plain.file.core(), &said), 0);
	EXPECT(said.vm == plain.vm && said.huge && !said.mappable && said.open && said.bound);
	EXPECT(std::strcmp(said.platform, "none") == 0);
	EXPECT_EQ(gmem_file_describe(mappable.file.core(), &said), 0);
	EXPECT(said.vm == mappable.vm && said.mappable);
}

} /* namespace */

GMEM_SUITE(map, CASE(each_run_is_described), CASE(shared_and_lost_pages_are_counted),
	   CASE(the_memslot_decides_what_fits), CASE(a_map_can_be_had_in_parts), CASE(bad_requests),
	   CASE(a_closed_view_has_no_map), CASE(a_file_is_described));
