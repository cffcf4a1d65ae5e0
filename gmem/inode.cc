// SPDX-License-Identifier: GPL-2.0-only
/*
 * An inode as a whole: its beginning, its files, handing out pages, its end. What it does to
 * those that have its pages is with what that is done by: punching and poison are in
 * gmem/invalidation.cc, conversion is in gmem/conversion.cc, promotion in gmem/promotion.cc.
 */
#include "gmem/inode.h"

#include "gmem/file.h"
#include "gmem/trace.h"

namespace gmem
{

Inode::Inode(Platform &platform, FileKind kind) : platform_(hold(platform)), store_(kind)
{
	kapi_work_init(&promotions_, run_promotions, this);
}

void Inode::add(File &file)
{
	file.next_ = files_;
	files_ = &file;
	file.open_ = true;
}

void Inode::remove(File &file)
{
	File **link = &files_;

	while (*link != &file)
		link = &(*link)->next_;
	*link = file.next_;
	file.open_ = false;
	ran_ = ran_ || kapi_kvm_has_run(file.vm());
}

bool Inode::guests_ran() const
{
	for (const File *file = files_; file; file = next(*file)) {
		if (kapi_kvm_has_run(file->vm()))
			return true;
	}
	return ran_;
}

File *Inode::next(const File &file) const
{
	return file.next_;
}

/* Inlined twice: a call more on the way of each fault is more than 1% of its instructions. */
[[gnu::always_inline]] inline Result<Backing> Inode::find(PageIndex index, const Access &access)
{
	/*
	 * A conversion has made sure that nobody has a reference of the page, or is about to. Who
	 * would keep the page for long must not get a new one.
	 */
	if (access.use() == Use::kKeeps && access.share() != Share::kPrivate &&
	    becomes_private(index))
		return kOtherState;

	Result<Backing> backing = store_.get(index, access);

	/* Pages of some platforms cannot be copied, nor be joined by copying. */
	if (store_.promotion_wanted() && platform().pages_join())
		kapi_work_schedule(&promotions_, kPromotionDelayMs);
	return backing;
}

/* Apart from page(), which would have to save more registers for it. */
[[gnu::noinline]] Result<Backing> Inode::find_traced(PageIndex index, const Access &access)
{
	return traced(
		KAPI_TRACE_FAULT, [&] { return find(index, access); },
		[&](Result<Backing> &found, std::uint64_t ns) {
			const Backing &backing = found.value();
			const Asker asker = access.asker();
			const kapi_event_fault event{ index.value,
						      asker.gfn,
						      asker.who,
						      access.share() != Share::kPrivate,
						      backing.order,
						      backing.small,
						      found.status().code(),
						      ns };

			kapi_trace_fault(inode_, &event);
		});
}

Result<Backing> Inode::page(PageIndex index, const Access &access)
{
	Result<Backing> result = is_traced(KAPI_TRACE_FAULT) ? find_traced(index, access)
							     : find(index, access);

	if (!result.ok()) [[unlikely]]
		store_.stats().add_refused(result.status(), KAPI_STAT_REFUSED_STATE);
	return result;
}

void Inode::evict()
{
	kapi_work_cancel(&promotions_);
	while (PageRef busy = store_.remove({ PageIndex{ 0 }, end() }, platform()))
		kapi_page_wait_unlocked(busy.get());
}

void Inode::begin_conversion(IndexRange range, Share to)
{
	/* Of several parts of a file, what lies between them is taken in. */
	if (!converting_.empty())
		range = { std::min(range.start, converting_.start),
			  std::max(range.end, converting_.end) };
	converting_ = range;
	converting_to_ = to;
}

void Inode::unmap_failed(IndexRange range)
{
	for (PageIndex index = range.start; index < range.end; index = index + 1)
		store_.unmap_failed(index);
}

} /* namespace gmem */
