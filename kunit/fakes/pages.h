/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages: an arena of frames. A page's content is one number that stands for all
 * of it: garbage from the allocator, zero once cleared, then what was written.
 */
#ifndef GMEM_FAKES_PAGES_H
#define GMEM_FAKES_PAGES_H

#include <atomic>

#include "kunit/fakes/fakes.h"

struct page {
	/* 0: free, or frozen by kapi_cache_take_run(). */
	std::atomic<int> refs{ 0 };
	std::atomic<bool> used{ false }; /* not the allocator's */
	std::atomic<bool> locked{ false };
	std::atomic<bool> poisoned{ false };
	std::atomic<bool> frozen{ false };
	std::atomic<bool> leaked{ false };
	/* A cgroup pays for it. Charging a page twice is a broken rule. */
	std::atomic<bool> charged{ false };
	/* How many guest mappings show it. */
	std::atomic<int> mapped{ 0 };
	/* How many user mappings show it; each has a reference. */
	std::atomic<int> user_mapped{ 0 };
	/* How many pins it has, by which user space reads or writes it. */
	std::atomic<int> pinned{ 0 };
	/* How many references KVM itself has of it, by kvm_vcpu_map(). */
	std::atomic<int> kernel_held{ 0 };
	/* Whether kapi_arch_prepare() has made it a guest's. */
	std::atomic<bool> owned{ false };
	std::atomic<std::uint64_t> content{ 0 };
	struct inode *mapping = nullptr;
	std::uint64_t index = 0;
};

namespace fake
{

/* What a page holds before it is cleared. */
inline constexpr std::uint64_t kGarbage = 0xbad0bad0bad0bad0;

struct page *page_of_pfn(std::uint64_t pfn);
bool page_get_unless_zero(struct page *page);
bool page_trylock(struct page *page);
void page_unlock(struct page *page);
/* The frozen page's count, and what else its allocator must find undone. */
void page_check_idle(struct page *page, const char *what);

/* Clears the bytes of a frame, if kapi_frame() has made them. */
void clear_frame(std::uint64_t pfn);

/* Pages out of the allocator's hands; poisoned and leaked ones do not count. */
long pages_used();
/* Blocks of order 9 that the allocator could hand out. */
long free_blocks();
/* Marked pages that were freed as parts of blocks since this was last asked. */
unsigned marks_in_freed_blocks();
/* Makes blocks of order 9 scarce: the allocator has none. */
void set_no_blocks(bool none);
/* The module's reserve of giants: two at the most. */
void set_reserve(unsigned giants);
/* Page @n of a giant of the reserve, whether the giant is in use or not. */
struct page *reserve_page(unsigned giant, unsigned n);
/* How many of its giants were found to have a marked page. */
unsigned reserve_spoiled();
/* How often a giant was asked for. */
unsigned long reserve_requests();

/*
 * Memory is of so many nodes: blocks of order 9 by turns, giants likewise; one at first.
 * Masks are of nodes; all at first.
 */
void set_nodes(unsigned nodes);
/* Nodes that tasks may have pages of. Workers may have pages of any node. */
void set_task_nodes(unsigned mask);
/* Nodes that the policies of files, and the cpusets of their makers, allow. */
void set_file_nodes(unsigned policy, unsigned cpuset);

/* How many pages the cgroup of all files can pay for; and how many it does. */
void set_cgroup_limit(long pages);
long cgroup_pages();
/* How often the cgroup was asked to pay for a block. */
unsigned long block_charges();
/* For the fakes: whether it could pay; it pays for @page; it no longer does, if it did. */
bool can_pay(long pages);
void charge(struct page *page);
void uncharge(struct page *page);
/* For check_pages(). */
void check_charges();
/* Called with each page that goes back to the allocator; NULL: nothing is called. */
void set_free_check(void (*check)(std::uint64_t pfn));
/* Calls fn(pfn) for each page out of the allocator's hands. */
void for_each_used(void (*fn)(std::uint64_t pfn));
/* For check_clean(). */
void check_pages();

} /* namespace fake */

#endif /* GMEM_FAKES_PAGES_H */
