// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem/invalidation.h and Inode::punch(): which bindings are told of which range, and in
 * which order.
 *
 * Tests: gmem/invalidation.cc, gmem/inode.cc.
 */
#include "gmem/invalidation.h"

#include "gmem/locks.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

constinit NotedPlatform platform{ kRunOrder, true };

/* A binding of @file as long as this lives. */
class Bound {
    public:
	Bound(const TestFile &file, IndexRange range) : binding(range), file_(file)
	{
		ExclusiveInodeLock lock{ file_.inode().handle() };

		if (!file_->bindings().add(binding).ok())
			gmem_case_failed(__FILE__, __LINE__, "a binding was refused");
	}
	~Bound()
	{
		ExclusiveInodeLock lock{ file_.inode().handle() };

		file_->bindings().remove(binding);
	}

	NotedBinding binding;

    private:
	const TestFile &file_;
};

void only_what_overlaps_is_told()
{
	const TestFile file{ 4096, platform };

	REQUIRE(file);
	Bound left{ file, pages(0, 600) }, middle{ file, pages(600, 1500) },
		right{ file, pages(2000, 4096) };
	{
		SharedInodeLock lock{ file.inode().handle() };
		Invalidation invalidation{ file.inode(), pages(700, 800) };

		EXPECT_EQ(middle.binding.begins, 1u);
		EXPECT_EQ(middle.binding.ends, 0u);
		invalidation.unmap();
		EXPECT_EQ(middle.binding.unmaps, 1u);
		EXPECT_EQ(middle.binding.ends, 0u);
	}
	EXPECT_EQ(middle.binding.ends, 1u);
	EXPECT_EQ(left.binding.begins + left.binding.unmaps + left.binding.ends, 0u);
	EXPECT_EQ(right.binding.begins + right.binding.unmaps + right.binding.ends, 0u);
	/* Unmapped exactly; waited for in whole runs, cut to the binding. */
	EXPECT(middle.binding.last_unmap == pages(700, 800));
	EXPECT(middle.binding.last_begin == pages(600, 1024));
	EXPECT(middle.binding.last_end == pages(600, 1024));
}

void a_range_is_cut_for_each()
{
	const TestFile file{ 4096, platform };

	REQUIRE(file);
	Bound left{ file, pages(0, 600) }, right{ file, pages(600, 4096) };

	EXPECT(file.inode().punch(pages(599, 1025)).ok());
	EXPECT(left.binding.last_unmap == pages(599, 600));
	EXPECT(left.binding.last_begin == pages(512, 600));
	EXPECT(right.binding.last_unmap == pages(600, 1025));
	EXPECT(right.binding.last_begin == pages(600, 1536));
	EXPECT_EQ(left.binding.begins, left.binding.ends);
	EXPECT_EQ(right.binding.begins, right.binding.ends);
	EXPECT(!left.binding.unmapped_outside && !right.binding.unmapped_outside);
}

void nothing_is_nothing()
{
	const TestFile file{ 4096, platform };

	REQUIRE(file);
	Bound all{ file, pages(0, 4096) };

	EXPECT(file.inode().punch(pages(100, 100)).ok());
	EXPECT_EQ(all.binding.begins, 0u);
	/* Punching past the end goes up to the end. */
	EXPECT_EQ(gmem_file_fallocate(file.file, true, 4000 * kPageSize, 1000 * kPageSize), 0);
	EXPECT(all.binding.last_unmap == pages(4000, 4096));
	EXPECT_EQ(gmem_file_fallocate(file.file, true, 5000 * kPageSize, 1000 * kPageSize), 0);
	EXPECT_EQ(all.binding.begins, 1u);
}

/* Every range of a few bounds against every binding. */
void small_space_in_full()
{
	static constexpr unsigned bounds[] = { 0, 1, 511, 512, 513, 1024, 1300, 1536 };
	const TestFile file{ 1536, platform };

	REQUIRE(file);
	for (unsigned bs : bounds) {
		for (unsigned be : bounds) {
			if (bs >= be)
				continue;
			Bound bound{ file, pages(bs, be) };
			unsigned told = 0;

			for (unsigned s : bounds) {
				for (unsigned e : bounds) {
					const IndexRange range = pages(s, e);
					const IndexRange hit = range.intersect(pages(bs, be));

					if (range.empty())
						continue;
					EXPECT(file.inode().punch(range).ok());
					told += !hit.empty();
					EXPECT_EQ(bound.binding.unmaps, told);
					EXPECT_EQ(bound.binding.begins, told);
					EXPECT_EQ(bound.binding.ends, told);
					if (hit.empty())
						continue;
					EXPECT(bound.binding.last_unmap == hit);
					EXPECT(bound.binding.last_begin ==
					       range.round_out(kRunOrder).intersect(pages(bs, be)));
				}
			}
		}
	}
}

void release_tells_all()
{
	TestFile file{ 2048, platform };

	REQUIRE(file);
	NotedBinding a{ pages(0, 700) }, b{ pages(700, 2048) };
	{
		ExclusiveInodeLock lock{ file.inode().handle() };

		EXPECT(file->bindings().add(a).ok() && file->bindings().add(b).ok());
	}
	file.close();
	for (const NotedBinding *binding : { &a, &b }) {
		EXPECT_EQ(binding->begins, 1u);
		EXPECT_EQ(binding->ends, 1u);
		EXPECT(binding->last_unmap == binding->range());
		EXPECT_EQ(binding->file_closings, 1u);
		EXPECT_EQ(binding->destroys, 1u);
	}
}

/* All files of the inode are told; one that has left is not. */
void each_file_of_an_inode_is_told()
{
	const TestFile file{ 1024, platform };

	REQUIRE(file);
	Result<Own<File>> second = make<File>(file.inode(), file.vm);

	REQUIRE(second.ok());
	NotedBinding binding{ pages(0, 512) };
	Bound first{ file, pages(0, 512) };

	{
		ExclusiveInodeLock lock{ file.inode().handle() };

		file.inode().add(*second.value());
		EXPECT(second.value()->bindings().add(binding).ok());
	}
	EXPECT(file.inode().punch(pages(3, 4)).ok());
	EXPECT_EQ(binding.unmaps, 1u);
	EXPECT_EQ(first.binding.unmaps, 1u);
	{
		ExclusiveInodeLock lock{ file.inode().handle() };

		/* From the end of the list, and from its beginning. */
		file.inode().remove(*file.file);
		file.inode().add(*file.file);
		file.inode().remove(*file.file);
		file.inode().add(*file.file);
		file.inode().remove(*second.value());
		second.value()->bindings().remove(binding);
	}
	EXPECT(file.inode().punch(pages(3, 4)).ok());
	EXPECT_EQ(binding.unmaps, 1u);
	EXPECT_EQ(first.binding.unmaps, 2u);
}

} /* namespace */

GMEM_SUITE(invalidation, CASE(only_what_overlaps_is_told), CASE(a_range_is_cut_for_each),
	   CASE(nothing_is_nothing), CASE(small_space_in_full), CASE(release_tells_all),
	   CASE(each_file_of_an_inode_is_told));
