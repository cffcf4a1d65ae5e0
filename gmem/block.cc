// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where blocks come from and go to (block.h).
 */
#include "gmem/block.h"

namespace gmem
{

Result<Block> Block::for_run(struct inode *inode, PageIndex start)
{
	return charged(inode, kapi_pages_alloc_at(inode, start.value, kRunOrder));
}

Result<Block> Block::for_run_on(struct inode *inode, PageIndex start, int node)
{
	return charged(inode, kapi_pages_alloc_on(inode, start.value, kRunOrder, node));
}

Result<Block> Block::for_giant(struct inode *inode)
{
	struct page *const first = kapi_reserve_take(inode);

	if (!first)
		return error(ENOMEM);
	return Block{ first, kGiantOrder };
}

/* The block at @first, which is of the allocator's, once it is paid for. */
Result<Block> Block::charged(struct inode *inode, struct page *first)
{
	if (!first)
		return error(ENOMEM);

	Block block{ first, kRunOrder };

	if (kapi_pages_next_poisoned(first, 0, kRunPages) < kRunPages)
		return error(EHWPOISON);
	if (kapi_pages_charge(inode, first, kRunPages))
		return error(EDQUOT);
	return block;
}

Block::~Block()
{
	if (!first_)
		return;
	if (order_ == kGiantOrder)
		kapi_reserve_return(first_);
	else
		kapi_pages_put(first_, pages());
}

Result<struct page *> Block::insert(struct inode *inode, PageIndex start)
{
	return published(kapi_cache_insert(inode, start.value, first_, pages()));
}

Result<struct page *> Block::replace(struct inode *inode, PageIndex start)
{
	return published(kapi_cache_replace_run(inode, start.value, first_, order_));
}

Result<struct page *> Block::published(int error)
{
	GMEM_CHECK(Status{ error });
	return std::exchange(first_, nullptr);
}

} /* namespace gmem */
