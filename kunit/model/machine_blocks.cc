// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that become one block (machine.h): promotion in the background, with its
 * outcome known in advance, and gigabytes of the reserve.
 */
#include "kunit/model/machine.h"

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/work.h"

namespace model
{

/* Whether a run is no block and could be made one, if none of its pages is in use. */
bool Machine::promotable(int n, std::size_t run) const
{
	const File &file = files_[n];
	const Span pages = file.run_of(run * kRun);

	return file.keeps && pages.size() == kRun && !file.runs[run].block &&
	       !file.runs[run].unknown && file.one_kind(pages) &&
	       file.all(pages, [](const Page &p) { return p.prepared() && p.sound(); });
}

void Machine::work()
{
	struct Candidate {
		int file;
		std::size_t run;
		struct page *first;
		bool possible, must;
	};
	std::vector<Candidate> candidates;
	long left = fake::free_blocks();
	bool worked = false;

	for (int n = 0; n < kFiles; n++) {
		const File &file = files_[n];

		for (std::size_t run = 0; run < file.size() / kRun && file.size() < kGiant; run++) {
			const Span pages = file.run_of(run * kRun);
			bool used = false;

			for (std::uint64_t i = pages.start; i < pages.end && !held_.empty(); i++)
				used = used || in_use(n, i);
			const bool unknown = file.runs[run].unknown;
			const bool possible = !used && !file.runs[run].block &&
					      file.one_kind(pages) &&
					      file.all(pages, [&](const Page &p) {
						      return p.present() &&
							     (p.prepared() || unknown) && p.sound();
					      });

			left -= possible;
			candidates.push_back({ n, run, kapi_cache_peek(real_[n].inode, pages.start),
					       possible, file.runs[run].wants && possible });
		}
	}
	unmaps_known_ = false;
	/* Each file's, once at least. */
	for (int n = 0; n < kFiles; n++)
		worked = fake::run_work() || worked;
	const bool sure = left >= 0 && !fake::fail_fired();

	for (const Candidate &c : candidates) {
		Run &run = files_[c.file].runs[c.run];
		struct page *const now = kapi_cache_peek(real_[c.file].inode, c.run * kRun);

		if (now != c.first) {
			expect(worked && c.possible, "a run is promoted that may not be");
			run = Run{ .block = true, .prepared_as_block = run.prepared_as_block };
			check_block(c.file, c.run);
			continue;
		}
		expect(!sure || !c.must, "a run that wants it is not promoted");
		if (worked && !run.block)
			run.tried = run.tried || promotable(c.file, c.run), run.wants = false;
	}
}

/* The run is one block, and no mapping of its old pages is left. */
void Machine::check_block(int n, std::size_t run)
{
	const auto &pages = real_[n].inode->cache.at(run).pages;

	for (std::size_t i = 0; i < kRun; i++)
		expect(pages[i] == pages[0] + i, "a promoted run is not one block");
	expect(kapi_page_pfn(pages[0]) % kRun == 0, "a promoted run is not aligned");
	check_unmapped(n, { run * kRun, (run + 1) * kRun });
}

/* A page of @file was asked for. Before, @reserve giants were left. */
void Machine::expect_giant(File &file, bool used_as_one, unsigned reserve)
{
	const bool taken = kapi_pages_reserved() < reserve;
	const bool possible = used_as_one && file.giant != Giant::None &&
			      file.giant != Giant::Whole && file.empty({ 0, file.size() });

	if (!used_as_one || file.giant == Giant::None || file.giant == Giant::Whole)
		return expect(!taken, "a gigabyte goes where there can be none");
	if (fake::fail_fired()) {
		file.giant = Giant::Unknown;
		return;
	}
	expect(!taken || possible, "a gigabyte is taken that cannot be used");
	expect(taken || !possible || file.giant != Giant::Untried || !reserve,
	       "a gigabyte is not taken that could be used");
	file.giant = taken ? Giant::Whole : Giant::Possible;
	if (!taken)
		return;
	for (std::uint64_t i = 0; i < kGiant; i++) {
		happens(file.pages[i], Event::Filled);
		happens(file.pages[i], Event::Ready);
		file.pages[i].content = 0;
	}
	for (std::uint64_t run = 0; run < kGiant / kRun; run++)
		file.runs[run] = Run{ .block = true, .prepared_as_block = true };
}

} /* namespace model */
