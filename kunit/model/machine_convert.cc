// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of shared memory (machine.h): user space's mappings, and conversion by
 * the file's ioctl and the VM's.
 */
#include "kunit/model/machine.h"

#include <algorithm>

#include "gmem/file.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/share.h"

namespace model
{

unsigned Machine::huge_at(int n, std::uint64_t index) const
{
	const gmem::PageStore &store = gmem::File::of(fake::file_at(real_[n].fd))->inode().store();

	return store.huge_at(gmem::PageIndex{ index }) ? 9 : 0;
}

/* Whether user space has the page at @index now, and not its error. */
bool Machine::touch_at(int n, std::uint64_t index, bool write, int fd)
{
	File &file = files_[n];
	const bool fits = file.has_run(index);
	const long blocks = fake::free_blocks();
	std::uint64_t *content = nullptr;
	const int ret = fake::user_touch(fake::file_at(fd), index, &content);
	Page &page = file.pages[index];

	if (!file.pages[index].shared()) {
		expect(ret == (fake::fail_fired() ? -ENOMEM : -EFAULT),
		       "user space touches a private page");
		return false;
	}
	if (fake::fail_fired()) {
		expect(ret == 0 || ret == -ENOMEM || (page.bad() && ret == -EHWPOISON),
		       "error of a failed touch");
		adopt(n);
	} else {
		expect_fill(file, index, fits && blocks);
		if (page.bad())
			strike(page);
		expect(ret == (page.bad() ? -EHWPOISON : 0), "touch");
	}
	if (ret)
		return false;

	expect_ready({ n, index, fits, fits && file.one_kind(file.run_of(index)) },
		     huge_at(n, index));
	expect(fake::user_mapped(real_[n].inode, index), "nothing is mapped after a touch");
	expect(*content == page.content, "user space reads what is not there");
	if (write)
		*content = page.content = next_content_++;
	return true;
}

void Machine::touch(const Op &op)
{
	const int n = some_file(op.a);

	if (files_[n].open && files_[n].mappable)
		touch_at(n, span_in(files_[n], op).start, op.b & 1, real_[n].fd);
}

Machine::Obstacle Machine::obstacle(int n, Span pages, bool to_private) const
{
	const File &file = files_[n];
	const auto changes = [&](std::uint64_t i) { return file.pages[i].shared() == to_private; };
	std::uint64_t lost = pages.start, used = pages.start;

	while (lost < pages.end && !(changes(lost) && file.pages[lost].bad()))
		lost++;
	while (used < lost && !(to_private && changes(used) && in_use(n, used)))
		used++;
	if (lost < pages.end)
		return used < lost ? Obstacle{ -EAGAIN, used } : Obstacle{ -EHWPOISON, lost };
	/* If no page is lost, consumers are asked before pages in use are waited for. */
	for (const Consumer &c : consumers_) {
		if (!c.used || c.file != n || !c.refuses)
			continue;
		for (std::uint64_t i = pages.start; i < pages.end; i++) {
			if (changes(i) && c.pages.contains(i))
				return { -EBUSY, i };
		}
	}
	return used < lost ? Obstacle{ -EAGAIN, used } : Obstacle{};
}

void Machine::convert(const Op &op)
{
	const int n = some_file(op.a);
	const File &file = files_[n];

	if (!file.open)
		return;
	const bool to_private = op.b & 1;
	Span pages = span_in(file, op);

	if (op.b % 32 == 8)
		pages.end = file.size() + 1;
	const bool possible = file.converts && pages.end <= file.size();
	const Obstacle way = possible ? obstacle(n, pages, to_private) : Obstacle{};
	std::uint64_t at = 0;
	const int ret = fake::convert(fake::file_at(real_[n].fd), pages.start, pages.end,
				      to_private, &at);

	/* The argument is read of a file that might convert. */
	const int refusal = !file.mappable ? -ENOTTY : fake::fail_fired() ? -EFAULT : -EINVAL;

	if (!possible)
		return expect(ret == refusal, "conversion of what does not convert");
	if (fake::fail_fired())
		return expect(ret == -ENOMEM || ret == -EFAULT, "error of a failed conversion");
	expect(ret == way.error, "conversion");
	if (ret == 0)
		return converted(n, pages, to_private);
	expect(at == way.at, "the page that is in the way of a conversion");
	expect_failed(n, pages);
}

/* Of whatever there is at those gfns: all of it, or nothing. */
void Machine::convert_gfns(const Op &op)
{
	const auto [vm, gfn] = place_of(op);
	const std::uint64_t length = op.c & 4 ? 1 + op.y % 16 : 1 + op.y % 2048;
	const bool to_private = op.y >> 15;
	std::vector<const RealSlot *> pieces;
	Obstacle way;

	if (!vm || vm->type == fake::kDefaultVm || gfn >= fake::kGfns)
		return;
	const Span gfns{ gfn, std::min(fake::kGfns, gfn + length) };
	const auto pages_of = [&](const RealSlot &slot) {
		const Span in = slot.expected.gfns();

		return Span{ slot.expected.page_of(std::max(gfns.start, in.start)),
			     slot.expected.page_of(std::min(gfns.end, in.end) - 1) + 1 };
	};

	for (const RealSlot &slot : slots_) {
		if (slot.used && slot.expected.vm == vm && slot.expected.gfns().overlaps(gfns) &&
		    slot.expected.file >= 0 && files_[slot.expected.file].converts)
			pieces.push_back(&slot);
	}
	std::sort(pieces.begin(), pieces.end(), [](const RealSlot *a, const RealSlot *b) {
		return a->expected.base_gfn < b->expected.base_gfn;
	});
	for (const RealSlot *slot : pieces) {
		if (!way.error)
			way = obstacle(slot->expected.file, pages_of(*slot), to_private);
	}

	const long ret = fake::set_attributes(vm, gfns.start, gfns.end, to_private);

	if (fake::fail_fired())
		return expect(ret == -ENOMEM, "error of a failed conversion of gfns");
	expect(ret == way.error, "conversion of gfns");
	if (ret) {
		for (const RealSlot *slot : pieces)
			expect_failed(slot->expected.file, pages_of(*slot));
		return;
	}
	for (const RealSlot *slot : pieces)
		converted(slot->expected.file, pages_of(*slot), to_private);
	expect(kapi_kvm_range_private(vm, gfns.start, gfns.start + 1) == to_private &&
		       fake::range_uniform(vm, gfns.start, gfns.end),
	       "attributes after a conversion");
}

void Machine::converted(int n, Span pages, bool to_private)
{
	File &file = files_[n];

	for (std::uint64_t i = pages.start; i < pages.end; i++) {
		Page &page = file.pages[i];

		if (file.pages[i].shared() != to_private)
			continue;
		file.runs[i / kRun].prepared_as_block = file.runs[i / kRun].wants = false;
		/* It begins anew, as zeros. */
		if (!file.keeps && page.prepared())
			happens(page, to_private ? Event::Left : Event::Wiped);
		happens(page, to_private ? Event::MadePrivate : Event::MadeShared);
		expect_unmapped(n, { i, i + 1 });
		check_unmapped(n, { i, i + 1 });
	}
}

void Machine::check_unmapped(int n, Span pages)
{
	for (std::uint64_t i = pages.start; i < pages.end && files_[n].mappable; i++)
		expect(!fake::user_mapped(real_[n].inode, i), "user space still has it mapped");
	check_guests(n, pages);
}

void Machine::check_guests(int n, Span pages)
{
	for (const RealSlot &slot : slots_) {
		if (!slot.used || slot.expected.file != n || !slot.expected.pages.overlaps(pages))
			continue;
		const Span part = slot.expected.pages.cut(pages);

		for (std::uint64_t i = part.start; i < part.end; i++)
			expect(fake::mapped_order(slot.expected.vm, slot.expected.gfn_of(i)) < 0,
			       "a guest still has it mapped");
	}
}

/* The core has the same pages shared. That KVM's attributes agree is the fakes' to see. */
void Machine::check_kinds(const File &file, int n)
{
	const gmem::PageStore &store = gmem::File::of(fake::file_at(real_[n].fd))->inode().store();

	for (std::uint64_t i = 0; i < file.size();) {
		const gmem::IndexRange rest{ gmem::PageIndex{ i }, gmem::PageIndex{ file.size() } };
		const bool shared = file.pages[i].shared();
		const gmem::IndexRange part = store.next_stretch(rest, gmem::shared_if(shared));

		while (i < file.size() && file.pages[i].shared() == shared)
			i++;
		expect(part.start == rest.start && part.end.value == i, "what is shared");
	}
}

} /* namespace model */
