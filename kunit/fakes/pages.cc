// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arena of frames (pages.h), and kapi/pages.c over it.
 */
#include "kunit/fakes/pages.h"

#include <array>
#include <bit>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>

#include "kunit/fakes/locks.h"
#include "kunit/fakes/sched.h"
#include "kunit/fakes/work.h"

namespace fake
{

namespace
{

constexpr unsigned kBlockPages = 512, kBlocks = 48, kFrames = kBlockPages * kBlocks;
/* Behind them a reserve of giants, aligned as they must be. */
constexpr unsigned kGiants = 2, kGiantPages = 1u << 18;
constexpr std::uint64_t kFirstPfn = 0x400000 - kFrames;
/* The pfn of the page of zeros. */
constexpr std::uint64_t kZeroPfn = 1;

/* Which frames are the allocator's; protected by mutex. */
struct Arena {
	std::mutex mutex;
	std::array<std::array<std::uint64_t, kBlockPages / 64>, kBlocks> taken{};
	std::array<unsigned, kBlocks> count{};
	unsigned next_block = 0;
	bool no_blocks = false;
	/* Giants of the reserve, and which of them are not taken. */
	unsigned giants = 0;
	std::array<bool, kGiants> giant_free{};
	unsigned spoiled = 0;
	unsigned nodes = 1;
	page pages[kFrames + kGiants * kGiantPages];
	page zero; /* the kernel's, of zeros */

	Arena() { zero.refs = 1; }
};

std::atomic<bool> come_zeroed;
std::atomic<void (*)(std::uint64_t)> free_check;
std::atomic<unsigned long> requests;
std::atomic<unsigned> marks_in_blocks;
constexpr unsigned kAllNodes = ~0u;
std::atomic<unsigned> task_nodes{ kAllNodes }, policy_nodes{ kAllNodes }, cpuset_nodes{ kAllNodes };
Arena arena;

bool in_arena(const struct page *page)
{
	return page >= arena.pages && page < std::end(arena.pages);
}

unsigned frame_of(const struct page *page)
{
	if (!in_arena(page))
		bug("%p is not a page", static_cast<const void *>(page));
	return page - arena.pages;
}

unsigned node_of(unsigned frame)
{
	if (frame >= kFrames)
		return (frame - kFrames) / kGiantPages % arena.nodes;
	return frame / kBlockPages % arena.nodes;
}

/* Nodes that the current task may have memory of. */
unsigned own_nodes()
{
	return in_worker() ? kAllNodes : task_nodes.load();
}

bool among(unsigned mask, unsigned frame)
{
	return mask >> node_of(frame) & 1;
}

void take(unsigned frame)
{
	arena.taken[frame / kBlockPages][frame % kBlockPages / 64] |= 1ull << (frame % 64);
	arena.count[frame / kBlockPages]++;
}

/* Frames go back one by one; a block is one again when all of it is there. */
void give_back(unsigned frame)
{
	const std::lock_guard guard{ arena.mutex };

	if (frame >= kFrames)
		return; /* a giant that was used is one no more */
	arena.taken[frame / kBlockPages][frame % kBlockPages / 64] &= ~(1ull << (frame % 64));
	arena.count[frame / kBlockPages]--;
}

struct page *hand_out(unsigned frame)
{
	struct page *const page = &arena.pages[frame];

	if (page->refs || page->mapped || page->mapping || page->used.exchange(true))
		bug("frame %u was in use when allocated", frame);
	if (page->charged)
		bug("frame %u was paid for when allocated", frame);
	page->content = come_zeroed ? 0 : kGarbage;
	page->refs = 1;
	return page;
}

struct page *allocate_block(unsigned nodes)
{
	for (unsigned i = 0; i < kBlocks && !arena.no_blocks; i++) {
		const unsigned block = (arena.next_block + i) % kBlocks;

		if (arena.count[block] || !among(nodes, block * kBlockPages))
			continue;
		arena.next_block = block + 1;
		arena.taken[block].fill(~0ull);
		arena.count[block] = kBlockPages;
		return &arena.pages[block * kBlockPages];
	}
	return nullptr;
}

/* One without a marked page. */
struct page *allocate_giant()
{
	for (unsigned i = 0; i < arena.giants; i++) {
		struct page *const first = &arena.pages[kFrames + i * kGiantPages];

		if (!arena.giant_free[i] || !among(own_nodes(), frame_of(first)))
			continue;
		arena.giant_free[i] = false;
		if (kapi_pages_next_poisoned(first, 0, kGiantPages) == kGiantPages)
			return first;
		arena.spoiled++;
	}
	return nullptr;
}

/* Behind the last page of the reserve that there is. */
unsigned end_of_frames()
{
	return kFrames + arena.giants * kGiantPages;
}

/* From a block already broken, if there is one: a page punched out comes back. */
struct page *allocate_one(unsigned nodes)
{
	int best = -1;

	for (unsigned block = 0; block < kBlocks; block++) {
		if (arena.count[block] < kBlockPages && among(nodes, block * kBlockPages) &&
		    (best < 0 || arena.count[block] > arena.count[best]))
			best = block;
	}
	if (best < 0)
		return nullptr;
	for (unsigned word = 0;; word++) {
		const std::uint64_t free = ~arena.taken[best][word];

		if (free) {
			const unsigned frame = best * kBlockPages + word * 64 +
					       std::countr_zero(free);

			take(frame);
			return &arena.pages[frame];
		}
	}
}

void release(struct page *page)
{
	page_check_idle(page, "freed");
	if (page->pinned)
		bug("page %u is freed, and counts as pinned: see user_unpin()", frame_of(page));
	if (free_check)
		free_check.load()(kFirstPfn + frame_of(page));
	uncharge(page);
	if (page->poisoned)
		return; /* the allocator never hands it out again */
	page->leaked = false;
	page->used = false;
	give_back(frame_of(page));
}

} /* namespace */

struct page *page_of_pfn(std::uint64_t pfn)
{
	if (pfn == kZeroPfn)
		return &arena.zero;
	if (pfn < kFirstPfn || pfn >= kFirstPfn + std::size(arena.pages))
		bug("pfn %#lx is not memory", pfn);
	return &arena.pages[pfn - kFirstPfn];
}

bool page_get_unless_zero(struct page *page)
{
	int refs = page->refs;

	while (refs) {
		if (page->refs.compare_exchange_weak(refs, refs + 1))
			return true;
	}
	return false;
}

bool page_trylock(struct page *page)
{
	return !page->locked.exchange(true);
}

void page_unlock(struct page *page)
{
	if (!page->locked.exchange(false))
		bug("a page is unlocked twice");
}

void page_check_idle(struct page *page, const char *what)
{
	if (page->mapped)
		bug("page %u is %s while a guest has it mapped", frame_of(page), what);
	if (page->user_mapped)
		bug("page %u is %s while user space has it mapped", frame_of(page), what);
	if (page->mapping)
		bug("page %u is %s while in the page cache", frame_of(page), what);
	if (page->owned)
		bug("page %u is %s while the platform owns it", frame_of(page), what);
	if (page->locked)
		bug("page %u is %s while locked", frame_of(page), what);
}

long pages_used()
{
	const std::lock_guard guard{ arena.mutex };
	const unsigned end = end_of_frames();
	long used = 0;

	for (struct page *page = arena.pages; page < arena.pages + end; page++)
		used += page->used && !page->poisoned && !page->leaked;
	return used;
}

long free_blocks()
{
	const std::lock_guard guard{ arena.mutex };
	long blocks = 0;

	for (unsigned count : arena.count)
		blocks += count == 0;
	return arena.no_blocks ? 0 : blocks;
}

void set_free_check(void (*check)(std::uint64_t pfn))
{
	free_check = check;
}

void for_each_used(void (*fn)(std::uint64_t pfn))
{
	for (unsigned frame = 0; frame < kFrames; frame++) {
		if (arena.pages[frame].used)
			fn(kFirstPfn + frame);
	}
}

void set_no_blocks(bool none)
{
	const std::lock_guard guard{ arena.mutex };

	arena.no_blocks = none;
}

void set_pages_come_zeroed(bool zeroed)
{
	come_zeroed = zeroed;
}

void set_reserve(unsigned giants)
{
	const std::lock_guard guard{ arena.mutex };

	if (giants > kGiants)
		bug("a reserve of %u giants", giants);
	arena.giants = giants;
	arena.giant_free.fill(true);
}

struct page *reserve_page(unsigned giant, unsigned n)
{
	return &arena.pages[kFrames + giant * kGiantPages + n];
}

unsigned long reserve_requests()
{
	return requests;
}

unsigned reserve_spoiled()
{
	return arena.spoiled;
}

void set_nodes(unsigned nodes)
{
	arena.nodes = nodes;
}

void set_task_nodes(unsigned mask)
{
	task_nodes = mask;
}

void set_file_nodes(unsigned policy, unsigned cpuset)
{
	policy_nodes = policy;
	cpuset_nodes = cpuset;
}

void check_pages()
{
	const unsigned end = end_of_frames();

	for (unsigned frame = 0; frame < end; frame++) {
		struct page *const page = &arena.pages[frame];

		if (frame % kBlockPages == 0 && frame < kFrames &&
		    !arena.count[frame / kBlockPages]) {
			frame += kBlockPages - 1;
			continue;
		}
		if (!page->used) {
			page->poisoned = false; /* marked in the reserve */
			continue;
		}
		if (!page->poisoned && !page->leaked)
			bug("page %u is left, with %d references", frame, page->refs.load());
		if (page->mapped || page->mapping || page->locked)
			bug("lost page %u is in use", frame);
		uncharge(page);
		page->refs = 0;
		page->poisoned = page->leaked = page->frozen = page->owned = false;
		page->used = false;
		give_back(frame);
	}
	if (arena.zero.refs != 1)
		bug("the page of zeros has %d references", arena.zero.refs.load());
	check_charges();
	arena.no_blocks = false;
	arena.next_block = 0;
	arena.giants = arena.spoiled = 0;
	arena.nodes = 1;
	task_nodes = policy_nodes = cpuset_nodes = kAllNodes;
}

} /* namespace fake */

using fake::bug;
using fake::frame_of;

unsigned int kapi_pages_reserved(void)
{
	const std::lock_guard guard{ fake::arena.mutex };
	unsigned free = 0;

	for (unsigned i = 0; i < fake::arena.giants; i++)
		free += fake::arena.giant_free[i];
	return free;
}

/* 2^order pages of one of the nodes in @nodes. */
static struct page *allocate(unsigned int order, unsigned nodes)
{
	unsigned frame;

	fake::might_sleep("kapi_pages_alloc");
	fake::sched::step("pages_alloc");
	if (order != 0 && order != 9)
		bug("pages of order %u", order);
	if (fake::fail_now())
		return nullptr;
	{
		const std::lock_guard guard{ fake::arena.mutex };
		struct page *const first = order ? fake::allocate_block(nodes)
						 : fake::allocate_one(nodes);

		if (!first)
			return nullptr;
		frame = frame_of(first);
	}
	for (unsigned i = 0; i < 1u << order; i++)
		fake::hand_out(frame + i);
	return &fake::arena.pages[frame];
}

struct page *kapi_pages_alloc(unsigned int order)
{
	return allocate(order, fake::own_nodes());
}

struct page *kapi_pages_alloc_at(struct inode *, kapi_u64, unsigned int order)
{
	return allocate(order, fake::own_nodes() & fake::policy_nodes);
}

struct page *kapi_pages_alloc_on(struct inode *, kapi_u64, unsigned int order, int node)
{
	return allocate(order, 1u << node & fake::policy_nodes & fake::cpuset_nodes);
}

int kapi_page_node(struct page *page)
{
	return fake::node_of(frame_of(page));
}

struct page *kapi_reserve_take(struct inode *inode)
{
	struct page *first;

	fake::might_sleep("kapi_reserve_take");
	fake::requests++;
	if (fake::fail_now() || !fake::can_pay(fake::kGiantPages))
		return nullptr;
	{
		const std::lock_guard guard{ fake::arena.mutex };

		first = fake::allocate_giant();
	}
	if (!first)
		return nullptr;
	for (unsigned i = 0; i < fake::kGiantPages; i++)
		fake::charge(fake::hand_out(frame_of(first) + i));
	return first;
}

void kapi_reserve_return(struct page *first)
{
	fake::might_sleep("kapi_reserve_return");
	for (unsigned i = 0; i < fake::kGiantPages; i++) {
		struct page *const page = kapi_page_nth(first, i);

		fake::page_check_idle(page, "put back");
		if (page->refs != 1)
			bug("page %u of a giant that is put back has a user", i);
		fake::uncharge(page);
		page->refs = 0;
		page->used = false;
	}

	const std::lock_guard guard{ fake::arena.mutex };

	fake::arena.giant_free[(frame_of(first) - fake::kFrames) / fake::kGiantPages] = true;
}

struct page *kapi_page_zero(void)
{
	fake::arena.zero.refs++;
	return &fake::arena.zero;
}

bool kapi_page_trylock(struct page *page)
{
	fake::sched::step("page_trylock");
	return fake::page_trylock(page);
}

void kapi_page_unlock(struct page *page)
{
	fake::page_unlock(page);
}

bool kapi_pages_come_zeroed(void)
{
	return fake::come_zeroed;
}

void kapi_pages_clear(struct page *first, kapi_u64 count)
{
	fake::might_sleep("kapi_pages_clear");
	fake::sched::step("pages_clear");
	for (kapi_u64 i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (page->mapped)
			bug("page %u is cleared while a guest has it mapped", frame_of(page));
		if (page->user_mapped)
			bug("page %u is cleared while user space has it mapped", frame_of(page));
		if (page->refs == 0)
			bug("page %u is cleared without a reference", frame_of(page));
		page->content = 0;
		fake::clear_frame(kapi_page_pfn(page));
	}
}

struct page *kapi_page_nth(struct page *first, kapi_u64 n)
{
	if (frame_of(first) + n >= std::size(fake::arena.pages))
		bug("no %lu pages behind page %u", n, frame_of(first));
	return first + n;
}

kapi_u64 kapi_page_pfn(struct page *page)
{
	if (page == &fake::arena.zero)
		return fake::kZeroPfn;
	return fake::kFirstPfn + frame_of(page);
}

bool kapi_page_poisoned(struct page *page)
{
	return page->poisoned;
}

kapi_u64 kapi_pages_next_poisoned(struct page *first, kapi_u64 from, kapi_u64 count)
{
	while (from < count && !kapi_page_nth(first, from)->poisoned)
		from++;
	return from;
}

void kapi_page_get(struct page *page)
{
	if (!fake::in_arena(page) || page->refs++ <= 0)
		bug("reference taken of a page without one");
}

void kapi_page_put(struct page *page)
{
	const int before = page->refs--;

	if (before <= 0)
		bug("page %u: one reference too many is put", frame_of(page));
	if (before == 1)
		fake::release(page);
}

void kapi_pages_put(struct page *first, kapi_u64 count)
{
	for (kapi_u64 i = 0; i < count; i++)
		kapi_page_put(kapi_page_nth(first, i));
}

void kapi_pages_put_array(struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		kapi_page_put(pages[i]);
}

unsigned fake::marks_in_freed_blocks()
{
	return marks_in_blocks.exchange(0);
}

void kapi_pages_free_frozen(struct page *first, kapi_u64 count)
{
	fake::might_sleep("kapi_pages_free_frozen");
	for (kapi_u64 i = 0; i < count; i++) {
		struct page *const page = kapi_page_nth(first, i);

		if (!page->frozen.exchange(false) || page->refs)
			bug("page %u is freed as frozen, and is not", frame_of(page));
		/* The allocator looks for marks of single pages only. */
		if (count > 1 && page->poisoned)
			fake::marks_in_blocks++;
		fake::release(page);
	}
}

void kapi_page_leak_frozen(struct page *page)
{
	if (!page->frozen.exchange(false))
		bug("page %u is leaked as frozen, and is not", frame_of(page));
	page->refs = 1;
	page->leaked = true;
}

void kapi_page_wait_unlocked(struct page *page)
{
	fake::might_sleep("kapi_page_wait_unlocked");
	if (!fake::current().held.empty())
		bug("waiting for a page lock with a lock held");
	if (fake::sched::active()) {
		fake::sched::wait("page lock", [page] { return !page->locked; });
		return;
	}
	while (page->locked)
		std::this_thread::yield();
}
