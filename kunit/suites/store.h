/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking a file's store for pages, and giving them content: for suites about the store.
 */
#ifndef GMEM_KUNIT_STORE_H
#define GMEM_KUNIT_STORE_H

#include "kunit/suites/support.h"

namespace gmem_test
{

/* A page as get() gives it, its reference dropped. */
struct Got {
	int code;
	unsigned order;
	struct page *page;
};

inline Got get(const TestFile &file, std::uint64_t index, unsigned largest_order = kRunOrder)
{
	Result<Backing> backing = file.store().get(PageIndex{ index },
						   file.access(index, largest_order));

	if (!backing.ok())
		return { backing.status().code(), 0, nullptr };
	return { 0, backing.value().order, backing.value().page.get() };
}

inline int populate(const TestFile &file, std::uint64_t index, int answer, std::uint64_t content,
		    unsigned largest_order = kRunOrder, bool sure = true)
{
	std::uint64_t done;

	return file.store()
		.populate(pages(index, index + 1), file.access(index, largest_order), true,
			  sure ? Source::kSure : Source::kUnsure, done,
			  [&](Gfn, Pfn pfn) {
				  world_page_write(world_page(pfn.value), content);
				  return Status{ answer };
			  })
		.code();
}

} /* namespace gmem_test */

#endif /* GMEM_KUNIT_STORE_H */
