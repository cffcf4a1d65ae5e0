// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling 1 GiB of a file from one block of the reserve. What happens to the
 * runs later is the same as for all others (store.cc); the first of them that
 * changes makes the giant an ordinary gigabyte for good.
 */
#include "gmem/store.h"

namespace gmem
{

/* The giant around @index, filled if it can be; NULL where there cannot be one. */
Giant *PageStore::giant_for(PageIndex index, const Access &access)
{
	const std::uint64_t number = index.value >> kGiantOrder;

	if (access.fit() < kGiantOrder || !access.platform().pages_join())
		return nullptr;

	Giant *giant = giants_.load(number);

	if (!giant) {
		Result<Own<Giant>> made = make<Giant>();

		if (!made.ok())
			return nullptr;
		if (giants_.insert(number, made.value().get(), giant).ok())
			giant = made.value().release();
		else if (!giant)
			return nullptr;
	}

	MutexGuard guard{ giant->lock };

	if (!giant->tried) {
		giant->tried = true;
		fill_giant(*giant, index, access);
	}
	return giant;
}

void PageStore::fill_giant(Giant &giant, PageIndex index, const Access &access)
{
	const PageIndex start = index.round_down(kGiantOrder);

	if (!access.takes_all(kGiantOrder))
		return;

	struct page *const block = kapi_pages_alloc(kGiantOrder);

	if (!block)
		return;

	/* From here on whoever takes a page out breaks it; nobody maps it yet. */
	stats_.add(KAPI_STAT_GIANTS);
	giant.intact.store(true);
	for (std::uint64_t i = 0; i < 1ull << kGiantOrder; i += kRunPages) {
		const auto ahead = static_cast<std::int64_t>(start + i - index);

		if (!adopt(start + i, kapi_page_nth(block, i), access, ahead))
			break_giant(start);
	}
}

/* Makes @block the run at @start, @ahead of the page asked for, if that is empty, else frees it. */
bool PageStore::adopt(PageIndex start, struct page *block, const Access &access, std::int64_t ahead)
{
	const Result<Run *> run = obtain(start);

	if (run.ok()) {
		MutexGuard guard{ run.value()->lock };

		if (run.value()->empty() && insert_block(*run.value(), start, block))
			return prepare_block(*run.value(), access, ahead).ok();
	}
	kapi_pages_put(block, kRunPages);
	return false;
}

/*
 * Whether the giant around @index may be mapped as one. A page that the hardware alone
 * has marked ends that.
 */
bool PageStore::is_giant(const Giant &giant, PageIndex index)
{
	constexpr std::uint64_t kPages = 1ull << kGiantOrder;

	if (!giant.intact.load())
		return false;
	if (kapi_pages_next_poisoned(kapi_cache_peek(inode_, index.round_down(kGiantOrder).value),
				     0, kPages) == kPages)
		return true;
	break_giant(index);
	return false;
}

/* A page of the giant around @index is about to go, or is lost. */
void PageStore::break_giant(PageIndex index)
{
	Giant *const giant = giants_.load(index.value >> kGiantOrder);

	if (giant && giant->intact.exchange(false))
		stats_.add(KAPI_STAT_GIANTS, -1);
}

} /* namespace gmem */
