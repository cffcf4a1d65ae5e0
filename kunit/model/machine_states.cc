// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of pages (machine.h, page_states.h): what happens to each, what makes
 * them bad, and the comparison of all of them with what is there.
 */
#include "kunit/model/machine.h"

#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"

namespace model
{

void Machine::happens(Page &page, Event event)
{
	if (page.is.happens(event))
		return;
	const std::string what =
		std::string{ "it cannot happen to a page in its state that it is " } +
		PageState::name(event);

	expect(false, what.c_str());
}

bool Machine::has_content(const File &file, const Page &page) const
{
	return page.is.has_content() || (page.is.faulted() && (file.ran || file.vm->ran));
}

/* The core has seen the page's mark as it was asked for the page, or was told of it. */
void Machine::strike(Page &page)
{
	if (page.marked)
		happens(page, Event::Struck);
}

void Machine::poison(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open)
		return;
	const std::uint64_t index = span_in(file, op).start;
	Page &page = file.pages[index];
	const bool hit = fake::memory_failure(real_[n].inode, index);

	fake::return_to_user();
	expect(hit == page.present(), "poison of a page");
	if (hit) {
		if (page.told)
			kapi_page_put(kapi_cache_peek(real_[n].inode, index));
		page.marked = page.told = true;
		strike(page);
		file.runs[index / kRun].wants = false;
		file.break_giant();
		expect_unmapped(n, { index, index + 1 });
	}
	check_unmapped(n, { index, index + 1 });
}

/* The hardware marks a page, and the core is not told; or unpoison takes a mark away. */
void Machine::mark(const Op &op)
{
	const int n = some_file(op.a);
	File &file = files_[n];

	if (!file.open)
		return;
	const std::uint64_t index = span_in(file, op).start;
	struct page *const real = kapi_cache_peek(real_[n].inode, index);
	Page &page = file.pages[index];

	if (!real)
		return;
	if (page.marked && page.is.lost() && op.b & 1) {
		real->poisoned = page.marked = false;
		if (page.told)
			kapi_page_put(real);
		page.told = false;
		return;
	}
	real->poisoned = page.marked = true;
	file.runs[index / kRun].wants = false;
}

/* Pages among @pages that are not freed with the others, as they must not be. */
std::vector<struct page *> Machine::never_freed(int n, Span pages) const
{
	std::vector<struct page *> those;

	for (std::uint64_t i = pages.start; i < pages.end; i++) {
		if (files_[n].pages[i].is.unsafe())
			those.push_back(kapi_cache_peek(real_[n].inode, i));
	}
	return those;
}

void Machine::check_never_freed(const std::vector<struct page *> &pages)
{
	for (struct page *const page : pages) {
		expect(page->refs > 0 && page->owned && !page->mapping,
		       "a page that its platform has kept is freed");
		/* For the fakes, which count. */
		page->owned = false;
		kapi_page_put(page);
	}
}

void Machine::adopt(int n)
{
	File &file = files_[n];

	for (std::uint64_t i = 0; i < file.size(); i++) {
		const bool present = kapi_cache_peek(real_[n].inode, i);

		expect(present || !file.pages[i].present(), "a failure took a page away");
		if (present && !file.pages[i].present())
			happens(file.pages[i], Event::Filled);
	}
	for (Run &run : file.runs)
		run.unknown = true;
}

/* Of a file that has many pages, those that operations strike. */
void Machine::check_pages(int n, Span pages)
{
	const File &file = files_[n];

	for (std::uint64_t i = pages.start; i < pages.end; i++) {
		const Page &page = file.pages[i];
		struct page *const real = kapi_cache_peek(real_[n].inode, i);

		expect((real != nullptr) == page.present(), "a page is there or not");
		if (!real)
			continue;
		expect(real->poisoned == page.marked, "poison");
		if (page.prepared() || page.is.unsafe())
			expect(real->content == page.content, "content of a page");
		if (file.vm->type == fake::kSnpVm)
			expect(real->owned ==
				       (page.is.unsafe() || (page.prepared() && !page.shared())),
			       "who owns a page of the hardware's");
	}
}

void Machine::check_file(int n, bool fully)
{
	const File &file = files_[n];

	if (!file.open)
		return;
	if (fully || (steps_ % 4 == 0 && file.size() < kGiant))
		expect(real_[n].inode->nrpages == file.present(), "number of pages");
	if (!fully)
		return;
	if (file.size() < kGiant) {
		check_pages(n, { 0, file.size() });
	} else {
		check_pages(n, { 0, kStruck });
		check_pages(n, { file.size() - kStruck, file.size() });
	}
	check_kinds(file, n);
	check_launched(file, n);
}

} /* namespace model */
