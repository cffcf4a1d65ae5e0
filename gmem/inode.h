/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An inode is physical storage: its pages, and the files that are views of it.
 * It lives from the creation of its first file to the end of the kernel's inode.
 */
#ifndef GMEM_INODE_H
#define GMEM_INODE_H

#include "gmem/store.h"
#include "kapi/kapi.h"

namespace gmem
{

/* Time for a guest to finish with a run, and for a page in use to be let go. */
inline constexpr unsigned kPromotionDelayMs = 100;

class File;

class Inode {
    public:
	Inode(Platform &platform, FileKind kind);

	struct inode *handle() const { return inode_; }
	PageStore &store() { return store_; }
	Platform &platform() { return *platform_.get(); }
	PageIndex end() const { return PageIndex{ kapi_inode_size(inode_) >> kPageShift }; }

	/* Once, when the kernel's inode exists. */
	void attach(struct inode *inode)
	{
		inode_ = inode;
		store_.attach(inode);
	}

	/* The files that are open; inode lock: shared to walk, exclusive to change. */
	File *files() const { return files_; }
	void add(File &file);
	void remove(File &file);
	/* The one behind @file, or NULL. */
	File *next(const File &file) const;

	/* Whether a guest has run that has this memory, or had it. Inode lock. */
	bool guests_ran() const;

	/* As PageStore::get(), and sees to it that runs become huge again. */
	Result<Backing> page(PageIndex index, const Access &access);

	/*
	 * Unmaps @range everywhere and frees its pages. -ESTALE: @view, which asks for it,
	 * is closed; -EINTR: killed; of either, a front part may have been done. Sleeps;
	 * takes the inode lock, a turn at a time. gmem/invalidation.cc, as poisoned().
	 */
	Status punch(IndexRange range, const File *view = nullptr);
	/* Unmaps the poisoned page at @index, so that its next touch is an error. */
	void poisoned(PageIndex index);
	/* Frees all pages; nothing is bound any more. */
	void evict();
	/*
	 * @range becomes private, or shared. Errors and @at as Conversion::prepare().
	 * The VM's slots_lock is held; takes the inode lock. Sleeps. gmem/conversion.cc.
	 */
	Status convert(IndexRange range, Share to, PageIndex &at);
	/*
	 * From a conversion's prepare() to its over(), which may let go of the inode lock in
	 * between: no part of that range is bound, and no shared page of a part that
	 * becomes private is taken. The inode lock, held exclusively.
	 */
	void begin_conversion(IndexRange range, Share to);
	void end_conversion() { converting_ = {}; }
	/* Whether there is one in @range. The inode lock. */
	bool converting(IndexRange range) const { return !converting_.intersect(range).empty(); }
	/* Whether the page at @index, if it is shared, may not be taken now. The inode lock. */
	bool becomes_private(PageIndex index) const
	{
		return converting_to_ == Share::kPrivate && converting_.contains(index);
	}
	/*
	 * A holder could not unmap @range: its pages are lost and will not be used
	 * again. From within Binding::unmap().
	 */
	void unmap_failed(IndexRange range);

    private:
	Result<Backing> find(PageIndex index, const Access &access);
	Result<Backing> find_traced(PageIndex index, const Access &access);
	Status remove(IndexRange range, const File *view); /* gmem/invalidation.cc */
	/* gmem/promotion.cc */
	static void run_promotions(void *self);
	unsigned promote_runs();
	Status promote_run(PageIndex start);
	Status move_run(PageIndex start);

	struct inode *inode_ = nullptr;
	PlatformRef platform_;
	PageStore store_;
	File *files_ = nullptr;
	bool ran_ = false; /* a guest of a file that has gone */
	/* Inode lock. */
	IndexRange converting_{};
	Share converting_to_ = Share::kShared;
	kapi_work promotions_;
	/* Of that work alone. */
	PageIndex next_promotion_; /* where to look for runs that want it */
	unsigned backoff_ms_ = 0; /* the last wait for the cgroup to be able to pay */
};

} /* namespace gmem */

#endif /* GMEM_INODE_H */
