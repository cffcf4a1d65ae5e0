/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An aligned block of pages, held by a caller that is about to fill a run or a giant
 * with it. A block is complete from the start: its pages lie where the file may have
 * them, the file's cgroup pays for them, and memory failure has marked none. So each
 * refusal comes before any guest is unmapped for the block. The caller publishes the
 * block. One that is not published goes back whole to its origin, and its charge is
 * returned.
 */
#ifndef GMEM_BLOCK_H
#define GMEM_BLOCK_H

#include <utility>

#include "gmem/result.h"
#include "gmem/types.h"
#include "kapi/kapi.h"

namespace gmem
{

class Block {
    public:
	/*
	 * For the run of @inode at @start, from where its policy, or else that of the
	 * current task, has it. -ENOMEM: there is none. -EDQUOT: the cgroup cannot pay for
	 * it. -EHWPOISON: it has a page that is marked. Sleeps.
	 */
	static Result<Block> for_run(struct inode *inode, PageIndex start);
	/*
	 * The same on @node and no other, for any caller; also -ENOMEM: the file may not have
	 * memory there.
	 */
	static Result<Block> for_run_on(struct inode *inode, PageIndex start, int node);
	/* Of the reserve, for a giant. -ENOMEM: there is none that could be had and paid for. */
	static Result<Block> for_giant(struct inode *inode);

	Block() = default;
	Block(Block &&other) noexcept
		: first_(std::exchange(other.first_, nullptr)), order_(other.order_)
	{
	}
	~Block();
	Block(const Block &) = delete;
	Block &operator=(const Block &) = delete;

	int node() const { return kapi_page_node(first_); }

	/*
	 * Makes its pages those of @inode at @start and on, where there are none. The first
	 * of them; or -ENOMEM, -EEXIST, and it is as it was. Sleeps.
	 */
	Result<struct page *> insert(struct inode *inode, PageIndex start);
	/*
	 * The same in place of the pages that are there, with their content. Errors as
	 * kapi_cache_replace_run(). Sleeps.
	 */
	Result<struct page *> replace(struct inode *inode, PageIndex start);

    private:
	Block(struct page *first, unsigned order) : first_(first), order_(order) {}
	static Result<Block> charged(struct inode *inode, struct page *first);

	std::uint64_t pages() const { return 1ull << order_; }
	Result<struct page *> published(int error);

	struct page *first_ = nullptr; /* NULL: nothing, or published */
	unsigned order_ = kRunOrder; /* kGiantOrder: one of the reserve */
};

} /* namespace gmem */

#endif /* GMEM_BLOCK_H */
