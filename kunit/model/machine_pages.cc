// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults and writes of the guest (machine.h), and what each request for a page changes.
 */
#include "kunit/model/machine.h"

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"

namespace model
{

void Machine::expect_fill(File &file, std::uint64_t page, bool whole_run_wanted)
{
	const Span run = file.run_of(page);
	const std::uint64_t n = page / kRun;

	if (file.pages[page].present())
		return;
	if (file.empty(run)) {
		file.runs[n].unknown = false;
		file.runs[n].block = whole_run_wanted;
		if (whole_run_wanted) {
			for (std::uint64_t i = run.start; i < run.end; i++)
				happens(file.pages[i], Event::Filled);
			return;
		}
	}
	if (!lies_in_place(file, page))
		file.runs[n].block = false;
	happens(file.pages[page], Event::Filled);
}

/* Whether the new page at @index lies where a block with those of its run before it has it. */
bool Machine::lies_in_place(const File &file, std::uint64_t index) const
{
	const Span run = file.run_of(index);
	struct inode *const inode = real_[&file - files_.data()].inode;
	struct page *const page = kapi_cache_peek(inode, index);

	for (std::uint64_t i = run.start; page && i < run.end; i++) {
		if (file.pages[i].present())
			return kapi_page_pfn(page) - kapi_page_pfn(kapi_cache_peek(inode, i)) ==
			       index - i;
	}
	return true;
}

void Machine::fault(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	if (vm)
		fault_at(vm, gfn, op.a >= 224);
}

void Machine::sweep(const Op &op)
{
	const auto [vm, gfn] = place_of(op);

	for (std::uint64_t i = 0; vm && i < kRun; i++)
		fault_at(vm, (gfn + (op.a & 1 ? i : kRun - 1 - i)) % fake::kGfns);
}

void Machine::fault_at(struct kvm *vm, std::uint64_t gfn, bool ahead)
{
	RealSlot *const slot = slot_at(vm, gfn);
	const bool is_private = kapi_kvm_range_private(vm, gfn, gfn + 1);
	const long blocks = fake::free_blocks();
	const unsigned reserve = kapi_pages_reserved();
	unsigned order = 0;
	int ret;

	/* Of a shared access KVM has the error explained, and what has failed may not again. */
	do
		ret = ahead && is_private ? fake::prefault(vm, gfn, &order)
					  : fake::guest_access(vm, gfn, &order);
	while (ret == -EAGAIN && fake::fail_fired());

	if (!slot)
		return expect(ret == -ENOENT, "fault without slot");
	if (!is_private && !slot->expected.mappable)
		return expect(ret == -ENODEV, "shared access of what is not the file's");
	if (slot->expected.file < 0)
		return expect(ret == -EFAULT, "fault of a slot whose file is closed");

	File &file = files_[slot->expected.file];
	const std::uint64_t index = slot->expected.page_of(gfn);
	const bool fits = slot->expected.shows_whole(index, kRun);
	const std::uint64_t block_start = gfn / kRun * kRun;
	const bool one_kind = fits && (file.mappable ? file.one_kind(file.run_of(index))
						     : kapi_kvm_range_private(vm, block_start,
									      block_start + kRun));
	const kapi_platform platform = platform_of(vm);
	Page &page = file.pages[index];

	expect(!file.converts || is_private != page.shared(), "attribute of a page");
	if (file.size() == kGiant)
		expect_giant(file, shows_giant(slot->expected), reserve);
	else
		expect(kapi_pages_reserved() == reserve, "a gigabyte is taken for less");
	if (fake::fail_fired()) {
		expect(ret == 0 || ret == -ENOMEM || ret == -EIO ||
			       (page.bad() && ret == -EHWPOISON),
		       "error of a failed fault");
		adopt(slot->expected.file);
		if (ret)
			return;
	} else {
		expect_fill(file, index, fits && (file.mappable || one_kind) && blocks);
		if (page.bad()) {
			strike(page);
			return expect(ret == -EHWPOISON, "fault of a lost page");
		}
		if (platform != KAPI_PLATFORM_NONE && !page.shared() &&
		    (page.prepared() ? page.gfn != gfn : occupied(vm, gfn)))
			return expect(ret == -EIO, "fault at another gfn than the page's own");
		expect(ret == 0, "fault");
	}
	const bool one_block = expect_ready({ .file = slot->expected.file,
					      .index = index,
					      .fits = fits,
					      .one_kind = one_kind,
					      .gfn = gfn,
					      .guest = is_private },
					    order);

	if (fake::mapped_order(vm, gfn) == 9)
		expect(fits && one_block, "a huge mapping of pages that are not one block");

	std::uint64_t content;
	const bool ran = vm->ran;

	expect(fake::guest_read(vm, gfn, &content), "nothing is mapped after a fault");
	expect(content == page.content, "the guest reads what it did not write");
	vm->ran = ran; /* guest_read() sets it, but the guest has not run here */
}

/* Whether it shows a file's gigabyte as one, all of it private. */
bool Machine::shows_giant(const Slot &slot)
{
	return slot.shows_whole(0, kGiant) &&
	       kapi_kvm_range_private(slot.vm, slot.gfn_of(0), slot.gfn_of(0) + kGiant);
}

bool Machine::expect_ready(const Use &use, unsigned order)
{
	File &file = files_[use.file];
	const std::uint64_t index = use.index;
	Run &known = file.runs[index / kRun];
	const kapi_platform platform = platform_of(file.vm);
	Page &page = file.pages[index];
	const bool joins = page.shared() || file.keeps;
	/* A page from elsewhere ends the block that the run was. */
	struct page *const real = kapi_cache_peek(real_[use.file].inode, index);
	const Span run = file.run_of(index);
	const bool whole = file.has_run(index) &&
			   file.all(run, [](const Page &p) { return p.present() && p.sound(); });
	bool contiguous = whole;

	expect(real, "a page that was asked for is not in the cache");
	const auto &neighbours = real_[use.file].inode->cache.at(index / kRun).pages;

	for (std::uint64_t i = run.start; i < run.end; i++) {
		struct page *const other = neighbours[i % kRun];

		if (other && other - real != static_cast<long>(i - index))
			contiguous = known.block = false;
	}

	if (!page.prepared()) {
		/*
		 * In a block that one mapping can show, all get ready with it. Where it
		 * is not known to be one, the mapping or the platform tells.
		 */
		const auto joined = [&] {
			for (std::uint64_t i = run.start; i < run.end; i++) {
				if (i == index || file.pages[i].prepared())
					continue;
				return neighbours[i % kRun]->owned ||
				       launched_at(platform, neighbours[i % kRun]).has_value();
			}
			return false;
		};
		const bool as_block = use.fits && whole && file.one_kind(run) &&
				      (known.block || (known.unknown && (order || joined())));
		const bool none = file.all(run, [](const Page &p) { return !p.prepared(); });

		known.prepared_as_block = as_block && none && !page.shared() &&
					  platform != KAPI_PLATFORM_TDX_MODEL;
		for (std::uint64_t i = run.start; i < run.end; i++) {
			Page &other = file.pages[i];

			if (other.prepared() ||
			    (i != index && !known.prepared_as_block && !(as_block && joins)))
				continue;
			happens(other, Event::Ready);
			other.content = 0;
			other.gfn = use.gfn + i - index;
		}
	}
	happens(page, use.guest ? Event::Fault : Event::Given);
	if (use.fits && !known.tried)
		known.wants = promotable(use.file, index / kRun);

	const bool ready = whole && file.all(run, [](const Page &p) { return p.prepared(); });
	const bool together = joins || known.prepared_as_block;

	if (order)
		expect(use.fits && use.one_kind && contiguous && ready && together,
		       "huge where it must not be");
	else if (!known.unknown)
		expect(!(use.fits && use.one_kind && known.block && ready && together),
		       "small where it could be huge");
	if (order > 9)
		expect((file.giant == Giant::Whole || file.giant == Giant::Unknown) &&
			       file.all({ 0, kGiant }, [](const Page &p) { return p.sound(); }),
		       "a gigabyte where there is none");
	return contiguous;
}

void Machine::write(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	std::uint64_t content;

	if (!vm || fake::mapped_order(vm, gfn) < 0)
		return;
	RealSlot *const slot = slot_at(vm, gfn);

	fake::guest_read(vm, gfn, &content);
	expect(slot && slot->expected.file >= 0, "mapped without a slot or a file");
	Page &page = files_[slot->expected.file].pages[slot->expected.page_of(gfn)];

	expect(page.prepared(), "mapped and not prepared");
	expect(content == page.content, "the guest reads what it did not write");
	page.content = next_content_++;
	fake::guest_write(vm, gfn, page.content);
}

} /* namespace model */
