// SPDX-License-Identifier: GPL-2.0-only
/*
 * Populate (machine.h): by KVM's callback, which may fail half way, and by the ioctl on
 * a file, which a plain VM's platform refuses.
 */
#include "kunit/model/machine.h"

#include <cstdlib>
#include <functional>

#include <uapi/gmem.h>

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"

namespace model
{

namespace
{

struct Source {
	std::uint64_t content; /* of the first page; the next have the next */
	long fail_at; /* the page whose callback fails; -1: none */
	bool keeps; /* ... with the frame still the platform's */
	bool kept = false; /* that has happened */
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
	if (source.done == source.fail_at) {
		page->owned = source.kept = source.keeps;
		return -EIO;
	}
	if (const int ret = source.launch(gfn, pfn))
		return ret;
	if (source.owned)
		page->owned = true;
	source.done++;
	return 0;
}

} /* namespace */

void Machine::populate(const Op &op, bool keeps)
{
	const auto [vm, gfn] = place_of(op);

	if (!vm)
		return;
	RealSlot *const slot = slot_at(vm, gfn);
	const long npages = 1 + op.y % 8;
	const bool owned = vm->type == fake::kSnpVm;
	Source source{ .content = next_content_,
		       .fail_at = keeps || op.y % 11 == 0 ? static_cast<long>(op.y >> 8) % npages
							  : -1,
		       .keeps = keeps && owned,
		       .owned = owned,
		       .launch = [this, kvm = vm](std::uint64_t at, std::uint64_t pfn) {
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
	/* A page that was prepared for a neighbour's sake is the host's again at first. */
	const auto reclaim = [&](std::uint64_t index) {
		if (!file.pages[index].prepared())
			return;
		file.runs[index / kRun].prepared_as_block = file.runs[index / kRun].wants = false;
		file.break_giant();
		happens(file.pages[index], Event::Reclaimed);
	};
	for (; want < npages && !error; want++) {
		const std::uint64_t at = gfn + want;

		if (!slot->expected.gfns().contains(at))
			break;
		if (fake::fail_fired() && want == source.done) {
			if (tried > source.done)
				reclaim(slot->expected.page_of(at));
			if (source.kept) {
				Page &page = file.pages[slot->expected.page_of(at)];

				happens(page, Event::OutOfHand);
				page.content = source.content + want;
			}
			break;
		}
		if (!kapi_kvm_range_private(vm, at, at + 1)) {
			error = -EINVAL;
			break;
		}
		const std::uint64_t index = slot->expected.page_of(at);
		const std::uint64_t block_start = at / kRun * kRun;
		const bool whole = slot->expected.shows_whole(index, kRun) && blocks > 0 &&
				   file.empty(file.run_of(index)) &&
				   (file.mappable ||
				    kapi_kvm_range_private(vm, block_start, block_start + kRun));

		blocks -= whole;
		expect_fill(file, index, whole);
		Page &page = file.pages[index];

		if (page.bad())
			strike(page);
		if (page.bad())
			error = -EHWPOISON;
		else if (has_content(file, page))
			error = -EEXIST;
		if (error)
			break;
		reclaim(index);
		const bool refused = platform_of(vm) != KAPI_PLATFORM_NONE &&
				     (launches_.at(vm).finished || occupied(vm, at));

		if (want == source.fail_at || refused) {
			error = -EIO;
			/* Half-filled; nothing of it may be seen, nor may the host touch it. */
			if (source.keeps) {
				happens(page, Event::OutOfHand);
				page.content = source.content + want;
			}
			break;
		}
		happens(page, Event::Populated);
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

/* Where there is no launch it is refused before anything happens to the page. */
void Machine::launch(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	const RealSlot *const slot = vm ? slot_at(vm, gfn) : nullptr;

	fake::fail_nth(0);
	/* A guest's write by a mapping that a neighbour asked for is content, too. */
	write(op);
	if (!slot || slot->expected.file < 0 || !kapi_kvm_range_private(vm, gfn, gfn + 1))
		return;
	const File &file = files_[slot->expected.file];
	const Page &page = file.pages[slot->expected.page_of(gfn)];

	if (!file.keeps || !page.present())
		return;
	unmaps_known_ = false;
	gmem_launch_populate args{ .gpa = gfn << 12,
				   .source = 0,
				   .npages = 1,
				   .type = GMEM_PAGE_NORMAL,
				   .flags = 0,
				   .done = 0,
				   .firmware_error = 0 };
	struct file *const handle = fake::file_at(real_[slot->expected.file].fd);
	const long ret = gmem_file_populate(handle, kapi_file_core(handle), &args);

	fake::return_to_user();
	expect(ret == -EOPNOTSUPP || (ret == -EEXIST && has_content(file, page)) ||
		       (ret == -EHWPOISON && page.bad()),
	       "a launch where there is none");
}

} /* namespace model */
