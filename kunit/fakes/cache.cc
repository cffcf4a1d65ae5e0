// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page cache of an inode: kapi/cache.c over a map of chunks. No page may
 * leave it while a guest has it mapped. Memory failure comes in here.
 */
#include "kunit/fakes/files.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"
#include "kunit/fakes/share.h"

using namespace fake;

namespace
{

constexpr std::uint64_t kChunk = 512;

std::atomic<long> copy_that_fails{ -1 };

struct page *lookup(struct inode *inode, kapi_u64 index)
{
	const auto it = inode->cache.find(index / kChunk);

	return it == inode->cache.end() ? nullptr : it->second.pages[index % kChunk];
}

void store(struct inode *inode, kapi_u64 index, struct page *page)
{
	inode::Chunk &chunk = inode->cache[index / kChunk];

	chunk.pages[index % kChunk] = page;
	chunk.count++;
	inode->nrpages++;
	page->mapping = inode;
	page->index = index;
}

void erase(struct inode *inode, struct page *page)
{
	const auto it = inode->cache.find(page->index / kChunk);

	if (page->mapped)
		bug("the page at index %lu leaves the cache while a guest has it mapped",
		    page->index);
	if (page->user_mapped)
		bug("the page at index %lu leaves the cache while user space has it mapped",
		    page->index);
	it->second.pages[page->index % kChunk] = nullptr;
	if (--it->second.count == 0)
		inode->cache.erase(it);
	inode->nrpages--;
	page->mapping = nullptr;
}

} /* namespace */

int kapi_cache_insert(struct inode *inode, kapi_u64 index, struct page *first, unsigned int count)
{
	might_sleep("kapi_cache_insert");
	sched::step("cache_insert");
	if (fail_now())
		return -ENOMEM;

	const std::lock_guard guard{ inode->cache_mutex };

	for (unsigned int i = 0; i < count; i++) {
		if (lookup(inode, index + i))
			return -EEXIST;
	}
	for (unsigned int i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (page->refs == 0 || page->mapping)
			bug("a page that is not the caller's goes into the cache");
		if (!page->charged)
			bug("a page that nobody pays for goes into the cache");
		store(inode, index + i, page);
	}
	return 0;
}

struct page *kapi_cache_peek(struct inode *inode, kapi_u64 index)
{
	sched::step("cache_peek");
	const std::lock_guard guard{ inode->cache_mutex };

	return lookup(inode, index);
}

unsigned int kapi_cache_take(struct inode *inode, kapi_u64 *index, kapi_u64 end,
			     struct page **pages, unsigned int max, struct page **busy)
{
	unsigned int taken = 0;

	sched::step("cache_take");
	const std::lock_guard guard{ inode->cache_mutex };

	while (*index < end) {
		const auto it = inode->cache.lower_bound(*index / kChunk);

		if (it == inode->cache.end()) {
			*index = end;
			break;
		}
		if (it->first > *index / kChunk) {
			*index = std::min<kapi_u64>(end, it->first * kChunk);
			continue;
		}

		struct page *const page = it->second.pages[*index % kChunk];

		if (!page) {
			++*index;
			continue;
		}
		if (taken == max)
			break;
		if (!page_trylock(page)) {
			kapi_page_get(page);
			*busy = page;
			break;
		}
		/* Unmapped before, but a fault may have been under way. */
		user_unmap(page);
		erase(inode, page);
		page_unlock(page);
		pages[taken++] = page;
		++*index;
	}
	return taken;
}

bool kapi_cache_take_run(struct inode *inode, kapi_u64 index, struct page *first,
			 unsigned int order)
{
	const unsigned int count = 1u << order;
	unsigned int frozen;

	sched::step("cache_take_run");
	for (frozen = 0; frozen < count; frozen++) {
		int one = 1;

		if (!kapi_page_nth(first, frozen)->refs.compare_exchange_strong(one, 0))
			break;
	}
	if (frozen < count) {
		while (frozen--)
			kapi_page_nth(first, frozen)->refs = 1;
		return false;
	}

	const std::lock_guard guard{ inode->cache_mutex };

	for (unsigned int i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (page != lookup(inode, index + i))
			bug("the run at index %lu is not what is in the cache", index);
		erase(inode, page);
		page->frozen = true;
	}
	return true;
}

/* The content of all of @old, or an error and a part of it. */
static int copy_all(struct page *block, const std::vector<struct page *> &old)
{
	for (std::size_t i = 0; i < old.size(); i++) {
		if (old[i]->poisoned || static_cast<long>(i) == copy_that_fails)
			return -EHWPOISON;
		kapi_page_nth(block, i)->content = old[i]->content.load();
	}
	return 0;
}

int kapi_cache_replace_run(struct inode *inode, kapi_u64 index, struct page *block,
			   unsigned int order)
{
	const unsigned int count = 1u << order;
	std::vector<struct page *> old;

	might_sleep("kapi_cache_replace_run");
	sched::step("cache_replace_run");
	if (fail_now())
		return -ENOMEM;
	{
		const std::lock_guard guard{ inode->cache_mutex };

		for (unsigned int i = 0; i < count; i++) {
			struct page *const page = lookup(inode, index + i);
			int one = 1;

			if (!page || !page->refs.compare_exchange_strong(one, 0))
				break;
			old.push_back(page);
		}

		const int ret = old.size() < count ? -EBUSY : copy_all(block, old);

		if (ret) {
			for (struct page *page : old)
				page->refs = 1;
			return ret;
		}
		for (unsigned int i = 0; i < count; i++) {
			struct page *const page = kapi_page_nth(block, i);

			if (!page->charged)
				bug("a page that nobody pays for goes into the cache");
			if (kapi_page_node(page) != kapi_page_node(old[i]))
				bug("the page at index %lu moves to another node", index + i);
			page->owned = old[i]->owned.exchange(false);
			erase(inode, old[i]);
			store(inode, index + i, page);
			old[i]->refs = 1;
		}
	}
	kapi_pages_put_array(old.data(), count);
	return 0;
}

int kapi_cache_node(struct inode *inode, kapi_u64 start, kapi_u64 end)
{
	int node = -1;

	sched::step("cache_node");
	const std::lock_guard guard{ inode->cache_mutex };

	for (kapi_u64 i = start; i < end; i++) {
		struct page *const page = lookup(inode, i);

		if (!page)
			continue;
		if (node >= 0 && kapi_page_node(page) != node)
			return -EXDEV;
		node = kapi_page_node(page);
	}
	return node;
}

kapi_u64 kapi_cache_index(struct page *page)
{
	return page->index;
}

void fake::set_copy_that_fails(long page)
{
	copy_that_fails = page;
}

bool fake::memory_failure(struct inode *inode, std::uint64_t index)
{
	struct page *page;

	{
		const std::lock_guard guard{ inode->cache_mutex };

		page = lookup(inode, index);
		if (!page || !page_get_unless_zero(page))
			return false;
	}
	page->poisoned = true;
	sched::step("poison");
	while (!page_trylock(page)) {
		if (sched::active())
			sched::wait("page lock", [page] { return !page->locked; });
	}
	/* The page may have been removed meanwhile. */
	bool cached;
	{
		const std::lock_guard guard{ inode->cache_mutex };

		cached = page->mapping == inode;
	}
	if (cached)
		gmem_inode_poisoned(inode->core, page);
	page_unlock(page);
	/* The reference stays: the page is never used again. */
	return true;
}
