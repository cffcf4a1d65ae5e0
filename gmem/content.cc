// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page's first content, where it is not zeroes (store.h): what can be populated, and
 * what becomes of a page that was, or was not.
 */
#include "gmem/store.h"

namespace gmem
{

Result<IndexRange> PageStore::populatable(IndexRange range, bool ran)
{
	GMEM_TRY(run, obtain(range.start));
	MutexGuard guard{ run->lock };

	return populatable(*run, range, ran);
}

Result<IndexRange> PageStore::populatable(Run &run, IndexRange range, bool ran)
{
	IndexRange front{ range.start, range.start };

	if (run.empty() && run.shared().none())
		return range;
	for (; front.end < range.end; front.end = front.end + 1) {
		const Status status = refusal(run, front.end, ran);

		if (status.ok())
			continue;
		if (front.empty())
			return status;
		break;
	}
	return front;
}

/* Why the page cannot be populated; 0: it can. */
Status PageStore::refusal(Run &run, PageIndex index, bool ran)
{
	const unsigned slot = Run::slot_of(index);

	if (run.shared().test(slot))
		return error(EINVAL);
	if (!run.present().test(slot))
		return Status{};
	if (is_lost(run, index, page_at(run, index)))
		return error(EHWPOISON);
	if (run.has_content().test(slot) || (ran && run.faulted().test(slot)))
		return error(EEXIST);
	return Status{};
}

/* A page that was prepared and has no content becomes the host's again. */
Status PageStore::reclaim_unused(Run &run, PageIndex index, struct page *page, Platform &platform)
{
	break_giant(index);
	GMEM_CHECK(split(run, platform));
	GMEM_CHECK(platform.reclaim(Pfn{ kapi_page_pfn(page) }, 1));
	run.happens<event::kReclaimed>(Run::slot_of(index));
	return Status{};
}

/* What becomes of a page that could not be populated; @staged: from what was in it. */
void PageStore::settle_failed_populate(Run &run, PageIndex index, struct page *page, Status status,
				       Platform &platform, bool staged)
{
	const unsigned slot = Run::slot_of(index);

	if (status == kHalfDone) {
		/* It is reclaimed at its end like the guest's, or leaked. */
		run.happens<event::kStranded>(slot);
	} else if (!platform.is_hosts(Pfn{ kapi_page_pfn(page) })) {
		/* KVM's own callback does not say that it could not undo what it did. */
		lose<event::kOutOfHand>(run, index);
	} else if (!staged && !is_lost(run, index, page)) {
		/* Half-filled; where pages come zeroed, no later step would clear it. */
		kapi_pages_clear(page, 1);
	}
}

} /* namespace gmem */
