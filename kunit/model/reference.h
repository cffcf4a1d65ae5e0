/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference: what guest memory should look like, kept page by page in the
 * plainest way. It predicts; machine.cc does the real thing and compares.
 */
#ifndef GMEM_MODEL_REFERENCE_H
#define GMEM_MODEL_REFERENCE_H

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kunit/model/page_states.h"

struct kvm;

namespace model
{

inline constexpr std::uint64_t kRun = 512, kGiant = 512 * kRun;
/* Operations strike a file's first pages, and the last of a memslot. */
inline constexpr std::uint64_t kStruck = 2048;

struct Page {
	PageState is; /* changed by Machine::happens() */
	bool marked = false; /* by the hardware, whether memory failure was told or not */
	bool told = false; /* memory failure was, and keeps a reference */
	std::uint64_t content = 0; /* when prepared */
	std::uint64_t gfn = 0; /* likewise: where, which a model remembers of a private page */

	bool present() const { return is.present(); }
	bool prepared() const { return is.prepared(); }
	bool shared() const { return is.shared(); }
	/* No request gets it. */
	bool bad() const { return marked || is.unsafe(); }
	/* A mapping of the whole run may take it in. */
	bool sound() const { return !marked && !is.lost(); }
};

/* What is known of a run, 512 pages of a file. */
struct Run {
	bool block = false; /* its pages are one */
	bool unknown = false; /* whether they are */
	bool prepared_as_block = false; /* the platform took it by one call */
	bool wants = false; /* it has come to want promotion, which has not been tried */
	bool tried = false; /* in vain: it need not be tried again */
};

struct Span {
	std::uint64_t start = 0, end = 0;

	bool overlaps(Span other) const { return start < other.end && other.start < end; }
	bool contains(std::uint64_t n) const { return start <= n && n < end; }
	bool covers(Span other) const { return start <= other.start && other.end <= end; }
	/* What both have; they overlap. */
	Span cut(Span other) const
	{
		return { std::max(start, other.start), std::min(end, other.end) };
	}
	std::uint64_t size() const { return end - start; }
};

/* A memslot bound to a file; the file's pages range are gfns from base_gfn on. */
struct Slot {
	struct kvm *vm = nullptr;
	int file = -1; /* -1: its file is closed */
	std::uint64_t base_gfn = 0;
	Span pages;
	bool mappable = false; /* its file is; shared accesses are of it, too */

	Span gfns() const { return { base_gfn, base_gfn + (pages.end - pages.start) }; }
	std::uint64_t page_of(std::uint64_t gfn) const { return gfn - base_gfn + pages.start; }
	std::uint64_t gfn_of(std::uint64_t page) const { return page - pages.start + base_gfn; }
	/* Whether the @size pages around @page show as one aligned block of gfns. */
	bool shows_whole(std::uint64_t page, std::uint64_t size) const
	{
		const std::uint64_t start = page / size * size;

		return pages.start <= start && start + size <= pages.end &&
		       base_gfn % size == pages.start % size;
	}
};

/* The first gigabyte of a file that may be one block of the reserve. */
enum class Giant {
	None, /* never, or no longer */
	Untried,
	Possible, /* tried when it could not be */
	Unknown, /* something failed meanwhile */
	Whole,
};

struct File {
	bool open = false;
	struct kvm *vm = nullptr;
	bool mappable = false; /* user space can map it, and touch its shared pages */
	bool converts = false; /* ... and its VM knows private memory */
	bool keeps = false; /* pages keep their content when converted */
	bool ran = false; /* a guest has that no longer has the memory */
	Giant giant = Giant::None;
	std::vector<Page> pages;
	std::vector<Run> runs;

	/* A page of it goes, or is lost. */
	void break_giant()
	{
		if (giant == Giant::Whole)
			giant = Giant::None;
	}
	std::uint64_t size() const { return pages.size(); }
	Span run_of(std::uint64_t page) const
	{
		const std::uint64_t start = page / kRun * kRun;

		return { start, start + kRun < size() ? start + kRun : size() };
	}
	template <class Pred> bool all(Span span, Pred pred) const
	{
		for (std::uint64_t i = span.start; i < span.end; i++) {
			if (!pred(pages[i]))
				return false;
		}
		return true;
	}
	bool empty(Span span) const
	{
		return all(span, [](const Page &p) { return !p.present(); });
	}
	bool one_kind(Span span) const
	{
		for (std::uint64_t i = span.start; i < span.end; i++) {
			if (pages[i].shared() != pages[span.start].shared())
				return false;
		}
		return true;
	}
	/* Whether the run around @page is not cut off by the end. */
	bool has_run(std::uint64_t page) const
	{
		return run_of(page).end - run_of(page).start == kRun;
	}
	std::uint64_t present() const
	{
		std::uint64_t n = 0;

		for (const Page &page : pages)
			n += page.present();
		return n;
	}
};

} /* namespace model */

#endif /* GMEM_MODEL_REFERENCE_H */
