// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations that bring pages into a file, or use them (machine.h): faults,
 * writes of the guest, populate.
 */
#include "kunit/model/machine.h"

#include <cstdlib>
#include <functional>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"

namespace model
{

void Machine::expect_fill(File &file, std::uint64_t page, bool whole_run_wanted)
{
	const Span run = file.run_of(page);
	const std::uint64_t n = page / kRun;

	if (file.pages[page].present)
		return;
	if (file.empty(run)) {
		file.unknown[n] = false;
		file.block[n] = whole_run_wanted;
		if (whole_run_wanted) {
			for (std::uint64_t i = run.start; i < run.end; i++)
				file.pages[i].present = true;
		}
	}
	file.pages[page].present = true;
}

void Machine::fault(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	if (vm)
		fault_at(vm, gfn);
}

void Machine::sweep(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	for (std::uint64_t i = 0; vm && i < kRun; i++)
		fault_at(vm, (gfn + (op.a & 1 ? i : kRun - 1 - i)) % fake::kGfns);
}

void Machine::fault_at(struct kvm *vm, std::uint64_t gfn)
{
	RealSlot *const slot = slot_at(vm, gfn);
	const bool is_private = kapi_kvm_range_private(vm, gfn, gfn + 1);
	const long blocks = fake::free_blocks();
	unsigned order = 0;
	int ret;

	/* Of a shared access KVM has the error explained, and what has failed may not again. */
	do
		ret = fake::guest_access(vm, gfn, &order);
	while (ret == -EAGAIN && fake::fail_fired());

	if (!slot)
		return expect(ret == -ENOENT, "fault without slot");
	if (!is_private && !slot->expected.mappable)
		return expect(ret == -ENODEV, "shared access of what is not the file's");
	if (slot->expected.file < 0)
		return expect(ret == -EFAULT, "fault of a slot whose file is closed");

	File &file = files_[slot->expected.file];
	const std::uint64_t index = slot->expected.page_of(gfn);
	const bool fits = slot->expected.shows_whole_run(index);
	const std::uint64_t block_start = gfn / kRun * kRun;
	const bool one_kind = fits && (file.mappable ? file.one_kind(file.run_of(index))
						     : kapi_kvm_range_private(vm, block_start,
									      block_start + kRun));
	const kapi_platform platform = platform_of(vm);
	const Page &page = file.pages[index];

	expect(!file.converts || is_private != file.shared[index], "attribute of a page");
	if (fake::fail_fired()) {
		expect(ret == 0 || ret == -ENOMEM || ret == -EIO ||
			       (page.lost && ret == -EHWPOISON),
		       "error of a failed fault");
		adopt(slot->expected.file);
		if (ret)
			return;
	} else {
		expect_fill(file, index, fits && (file.mappable || one_kind) && blocks);
		if (page.lost)
			return expect(ret == -EHWPOISON, "fault of a lost page");
		if (platform != KAPI_PLATFORM_NONE && !file.shared[index] &&
		    (page.prepared ? page.gfn != gfn : occupied(vm, gfn)))
			return expect(ret == -EIO, "fault at another gfn than the page's own");
		expect(ret == 0, "fault");
	}
	const bool one_block = expect_ready({ slot->expected.file, index, fits, one_kind, gfn },
					    order);

	if (fake::mapped_order(vm, gfn) == 9)
		expect(fits && one_block, "a huge mapping of pages that are not one block");

	std::uint64_t content;

	expect(fake::guest_read(vm, gfn, &content), "nothing is mapped after a fault");
	expect(content == page.content, "the guest reads what it did not write");
}

bool Machine::expect_ready(const Use &use, unsigned order)
{
	File &file = files_[use.file];
	const std::uint64_t index = use.index, n = index / kRun;
	const kapi_platform platform = platform_of(file.vm);
	const bool shared = file.shared[index];
	const bool joins = shared || file.keeps;
	Page &page = file.pages[index];
	/* A page from elsewhere ends the block that the run was. */
	struct page *const real = kapi_cache_peek(real_[use.file].inode, index);
	const Span run = file.run_of(index);
	const bool whole = file.has_run(index) &&
			   file.all(run, [](const Page &p) { return p.present && !p.lost; });
	bool contiguous = whole;

	expect(real, "a page that was asked for is not in the cache");
	const auto &neighbours = real_[use.file].inode->cache.at(n).pages;

	for (std::uint64_t i = run.start; i < run.end; i++) {
		struct page *const other = neighbours[i % kRun];

		if (other && other - real != static_cast<long>(i - index)) {
			contiguous = false;
			file.block[n] = false;
		}
	}

	if (!page.prepared) {
		/*
		 * In a block that one mapping can show, all get ready with it. Where it
		 * is not known to be one, the mapping or the platform tells.
		 */
		const auto joined = [&] {
			for (std::uint64_t i = run.start; i < run.end; i++) {
				if (i != index && !file.pages[i].prepared)
					return launched_at(platform, neighbours[i % kRun])
						.has_value();
			}
			return false;
		};
		const bool as_block = use.fits && whole && file.one_kind(run) &&
				      (file.block[n] || (file.unknown[n] && (order || joined())));
		const bool none = file.all(run, [](const Page &p) { return !p.prepared; });

		file.as_one[n] = as_block && none && !shared && platform != KAPI_PLATFORM_TDX_MODEL;
		for (std::uint64_t i = run.start; i < run.end; i++) {
			if (i != index && !file.as_one[n] && !(as_block && joins))
				continue;
			if (!file.pages[i].prepared) {
				file.pages[i].content = 0;
				file.pages[i].gfn = use.gfn + i - index;
			}
			file.pages[i].prepared = true;
		}
	}
	page.claimed = true;

	const bool ready = whole && file.all(run, [](const Page &p) { return p.prepared; });
	const bool together = joins || file.as_one[n];

	if (order)
		expect(use.fits && use.one_kind && contiguous && ready && together,
		       "huge where it must not be");
	else if (!file.unknown[n])
		expect(!(use.fits && use.one_kind && file.block[n] && ready && together),
		       "small where it could be huge");
	return contiguous;
}

void Machine::write(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	std::uint64_t content;

	if (!vm)
		return;
	const bool mapped = fake::guest_read(vm, gfn, &content);
	RealSlot *const slot = slot_at(vm, gfn);

	if (!mapped)
		return;
	expect(slot && slot->expected.file >= 0, "mapped without a slot or a file");
	Page &page = files_[slot->expected.file].pages[slot->expected.page_of(gfn)];

	expect(page.present && page.prepared, "mapped and not prepared");
	expect(content == page.content, "the guest reads what it did not write");
	page.content = next_content_++;
	fake::guest_write(vm, gfn, page.content);
}

namespace
{

struct Source {
	std::uint64_t content; /* of the first page; the next have the next */
	long fail_at; /* the page whose callback fails; -1: none */
	long done = 0;
	bool owned; /* the platform takes the page */
	std::function<int(std::uint64_t gfn, std::uint64_t pfn)> launch = {};
};

int copy_page(struct kvm *, kapi_u64 gfn, kapi_u64 pfn, void *, int order, void *opaque)
{
	Source &source = *static_cast<Source *>(opaque);
	struct page *const page = fake::page_of_pfn(pfn);

	if (order != 0 || !fake::page_faults_off())
		std::abort();
	page->content = source.content + source.done;
	if (source.done == source.fail_at)
		return -EIO;
	if (const int ret = source.launch(gfn, pfn))
		return ret;
	if (source.owned)
		page->owned = true;
	source.done++;
	return 0;
}

} /* namespace */

void Machine::populate(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	if (!vm)
		return;
	RealSlot *const slot = slot_at(vm, gfn);
	const long npages = 1 + op.y % 8;
	Source source{ next_content_, op.y % 11 == 0 ? static_cast<long>(op.y >> 8) % npages : -1,
		       0, vm->type == fake::kSnpVm,
		       [this, kvm = vm](std::uint64_t at, std::uint64_t pfn) {
			       return launch_page(kvm, at, pfn);
		       } };

	if (op.y % 64 == 63)
		finish(vm);

	next_content_ += npages;
	long blocks = fake::free_blocks();
	unmaps_known_ = false;
	static char user[16 * 4096];
	const unsigned long calls = fake::populate_calls();
	const long ret = fake::populate(vm, gfn, op.y & 0x8000 ? user : nullptr, npages, copy_page,
					&source);

	if (!slot)
		return expect(ret == -EINVAL, "populate without a slot");
	if (slot->expected.file < 0)
		return expect(ret == -EFAULT, "populate without a file");

	const int n = slot->expected.file;
	File &file = files_[n];
	const long tried = fake::populate_calls() - calls;
	long want = 0, error = 0;

	if (fake::fail_fired())
		adopt(n);
	/* What was prepared for a neighbour's sake is the host's again at first. */
	const auto take_back = [&](std::uint64_t index) {
		file.as_one[index / kRun] = file.as_one[index / kRun] &&
					    !file.pages[index].prepared;
		file.pages[index].prepared = false;
	};
	for (; want < npages && !error; want++) {
		const std::uint64_t at = gfn + want;

		if (!slot->expected.gfns().contains(at))
			break;
		if (fake::fail_fired() && want == source.done) {
			if (tried > source.done)
				take_back(slot->expected.page_of(at));
			break;
		}
		if (!kapi_kvm_range_private(vm, at, at + 1)) {
			error = -EINVAL;
			break;
		}
		const std::uint64_t index = slot->expected.page_of(at);
		const std::uint64_t block_start = at / kRun * kRun;
		const bool whole = slot->expected.shows_whole_run(index) && blocks > 0 &&
				   file.empty(file.run_of(index)) &&
				   (file.mappable ||
				    kapi_kvm_range_private(vm, block_start, block_start + kRun));

		blocks -= whole;
		expect_fill(file, index, whole);
		Page &page = file.pages[index];

		if (page.lost)
			error = -EHWPOISON;
		else if (page.claimed)
			error = -EEXIST;
		if (error)
			break;
		take_back(index);
		const bool refused = platform_of(vm) != KAPI_PLATFORM_NONE &&
				     (launches_.at(vm).finished || occupied(vm, at));

		if (want == source.fail_at || refused) {
			error = -EIO; /* half-filled; nothing of it may be seen */
			break;
		}
		page.prepared = page.claimed = true;
		page.gfn = at;
		page.content = source.content + want;
	}
	if (fake::fail_fired())
		expect(ret == source.done || (source.done == 0 && ret < 0),
		       "populate says what it has not done");
	else
		expect(ret == (want ? want : error), "populate");
	if (!fake::fail_fired())
		expect(source.done == want, "pages populated");
}

} /* namespace model */
