// SPDX-License-Identifier: GPL-2.0-only
/*
 * The boundary's contracts (kapi/kapi.h), as far as the core relies on them: run
 * against the fakes on the host and against the real calls in the kernel.
 *
 * Tests: kapi/kapi.h, kapi/cache.c, gmem/xarray.h.
 */
#include "gmem/locks.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

/* Something to store: aligned as the xarray wants it. */
struct alignas(8) Thing {
	int value;
};

Thing things[4];

void memory_is_zeroed()
{
	for (std::size_t size : { 1ul, 100ul, 5000ul }) {
		auto *const p = static_cast<unsigned char *>(kapi_alloc(size));

		REQUIRE(p);
		for (std::size_t i = 0; i < size; i++)
			EXPECT_EQ(p[i], 0);
		kapi_free(p);
	}
}

void xarray_single_entries()
{
	kapi_xarray xa;
	void *present = &things[3];
	kapi_u64 index;

	kapi_xa_init(&xa);
	EXPECT(kapi_xa_load(&xa, 5) == nullptr);
	EXPECT_EQ(kapi_xa_insert(&xa, 5, &things[0], &present), 0);
	EXPECT(present == nullptr);
	EXPECT_EQ(kapi_xa_insert(&xa, 5, &things[1], &present), -EBUSY);
	EXPECT(present == &things[0]);
	EXPECT_EQ(kapi_xa_insert(&xa, 1ull << 50, &things[1], &present), 0);
	EXPECT(kapi_xa_load(&xa, 5) == &things[0]);
	EXPECT(kapi_xa_load(&xa, 4) == nullptr);

	index = 0;
	EXPECT(kapi_xa_find(&xa, &index, ~0ull) == &things[0]);
	EXPECT_EQ(index, 5u);
	index = 5;
	EXPECT(kapi_xa_find(&xa, &index, 5) == &things[0]);
	index = 6;
	EXPECT(kapi_xa_find(&xa, &index, 1000) == nullptr);
	EXPECT_EQ(index, 6u);
	EXPECT(kapi_xa_find(&xa, &index, 1ull << 50) == &things[1]);
	EXPECT_EQ(index, 1ull << 50);
	kapi_xa_destroy(&xa);
}

void xarray_ranges()
{
	static constexpr struct {
		kapi_u64 first, last;
	} ranges[] = {
		{ 0, 0 }, { 1, 511 }, { 512, 1023 }, { 1025, 70000 }, { 1ull << 40, 1ull << 41 }
	};
	kapi_xarray xa;
	unsigned i = 0;

	kapi_xa_init(&xa);
	for (const auto &r : ranges) {
		EXPECT_EQ(kapi_xa_store_range(&xa, r.first, r.last, &things[i++ % 4]), 0);
	}
	i = 0;
	for (const auto &r : ranges) {
		Thing *const want = &things[i++ % 4];
		const kapi_u64 inside = r.first + (r.last - r.first) / 3;
		kapi_u64 index = inside;

		EXPECT(kapi_xa_load(&xa, r.first) == want);
		EXPECT(kapi_xa_load(&xa, r.last) == want);
		EXPECT(kapi_xa_load(&xa, inside) == want);
		/* Found from its middle too: the core finds overlaps so. */
		EXPECT(kapi_xa_find(&xa, &index, inside) == want);
	}
	EXPECT(kapi_xa_load(&xa, 1024) == nullptr);
	EXPECT(kapi_xa_load(&xa, 70001) == nullptr);
	for (const auto &r : ranges) {
		kapi_xa_erase_range(&xa, r.first, r.last);
		EXPECT(kapi_xa_load(&xa, r.first) == nullptr);
		EXPECT(kapi_xa_load(&xa, r.last) == nullptr);
	}
	kapi_u64 index = 0;

	EXPECT(kapi_xa_find(&xa, &index, ~0ull) == nullptr);
	kapi_xa_destroy(&xa);
}

void pages_come_as_asked()
{
	for (unsigned order : { 0u, kRunOrder }) {
		struct page *const first = kapi_pages_alloc(order);

		REQUIRE(first);
		EXPECT_EQ(kapi_page_pfn(first) % (1ull << order), 0u);
		for (unsigned i = 0; i < 1u << order; i++) {
			struct page *const page = kapi_page_nth(first, i);

			EXPECT_EQ(kapi_page_pfn(page), kapi_page_pfn(first) + i);
			EXPECT_EQ(world_page_refs(page), 1);
			EXPECT(!kapi_page_poisoned(page));
			if (kapi_pages_come_zeroed())
				EXPECT_EQ(world_page_read(page), 0u);
			EXPECT(world_page(kapi_page_pfn(page)) == page);
		}
		world_page_write(first, 77);
		kapi_pages_clear(first, 1u << order);
		EXPECT_EQ(world_page_read(first), 0u);
		kapi_page_get(first);
		EXPECT_EQ(world_page_refs(first), 2);
		kapi_page_put(first);
		kapi_pages_put(first, 1u << order);
	}
}

constinit NotedPlatform platform{ kRunOrder, true };

void cache_inserts_all_or_nothing()
{
	TestFile file{ 1024, platform };
	REQUIRE(file);
	struct inode *const inode = file.inode().handle();
	struct page *const one = kapi_pages_alloc(0);
	struct page *const refused = kapi_pages_alloc(kRunOrder);
	struct page *const block = kapi_pages_alloc(kRunOrder);
	struct page *busy = nullptr, *taken[2];
	kapi_u64 index = 0;

	REQUIRE(one && block && refused);
	EXPECT_EQ(kapi_pages_charge(inode, one, 1), 0);
	EXPECT_EQ(kapi_pages_charge(inode, refused, kRunPages), 0);
	EXPECT_EQ(kapi_pages_charge(inode, block, kRunPages), 0);
	EXPECT_EQ(kapi_cache_insert(inode, 200, one, 1), 0);
	EXPECT(kapi_cache_peek(inode, 200) == one);
	EXPECT_EQ(kapi_cache_index(one), 200u);
	EXPECT_EQ(world_page_refs(one), 1);

	EXPECT_EQ(kapi_cache_insert(inode, 0, refused, kRunPages), -EEXIST);
	EXPECT(kapi_cache_peek(inode, 0) == nullptr);
	EXPECT(kapi_cache_peek(inode, 199) == nullptr);
	EXPECT_EQ(world_page_refs(refused), 1);
	kapi_pages_put(refused, kRunPages);

	EXPECT_EQ(kapi_cache_insert(inode, 512, block, kRunPages), 0);
	EXPECT_EQ(file.cached_pages(0, 1024), 513u);
	EXPECT(kapi_cache_peek(inode, 1023) == kapi_page_nth(block, 511));

	EXPECT_EQ(kapi_cache_take(inode, &index, 512, taken, 2, &busy), 1u);
	EXPECT(taken[0] == one && !busy);
	EXPECT_EQ(index, 512u);
	kapi_pages_put_array(taken, 1);
	EXPECT(kapi_cache_take_run(inode, 512, block, kRunOrder));
	kapi_pages_free_frozen(block, kRunPages);
	EXPECT_EQ(file.cached_pages(0, 1024), 0u);
}

/* A page at each of these indices. */
template <std::size_t N> bool insert_pages(struct inode *inode, const unsigned (&at)[N])
{
	for (const unsigned index : at) {
		struct page *const page = kapi_pages_alloc(0);

		if (!page || kapi_pages_charge(inode, page, 1) != 0 ||
		    kapi_cache_insert(inode, index, page, 1) != 0)
			return false;
	}
	return true;
}

void cache_takes_in_order()
{
	TestFile file{ 1024, platform };
	REQUIRE(file);
	struct inode *const inode = file.inode().handle();
	static constexpr unsigned at[] = { 3, 4, 500, 700, 1000 };
	struct page *taken[8], *busy = nullptr;
	kapi_u64 index = 0;

	REQUIRE(insert_pages(inode, at));
	/* As many as asked; the index is where to go on. */
	EXPECT_EQ(kapi_cache_take(inode, &index, 1024, taken, 2, &busy), 2u);
	EXPECT(index > 4 && index <= 500);
	EXPECT_EQ(kapi_cache_index(taken[0]), 3u);
	EXPECT_EQ(kapi_cache_index(taken[1]), 4u);
	EXPECT_EQ(world_page_refs(taken[0]), 1);
	kapi_pages_put_array(taken, 2);

	/* A locked page is not taken; it is returned as @busy, with a reference. */
	struct page *const locked = kapi_cache_peek(inode, 700);

	EXPECT(world_page_trylock(locked));
	EXPECT_EQ(kapi_cache_take(inode, &index, 1024, taken, 8, &busy), 1u);
	EXPECT_EQ(kapi_cache_index(taken[0]), 500u);
	EXPECT_EQ(index, 700u);
	EXPECT(busy == locked);
	EXPECT_EQ(world_page_refs(locked), 2);
	world_page_unlock(locked);
	kapi_page_put(busy);
	kapi_pages_put_array(taken, 1);

	/* Pages past the end are not taken. */
	busy = nullptr;
	EXPECT_EQ(kapi_cache_take(inode, &index, 1000, taken, 8, &busy), 1u);
	EXPECT_EQ(index, 1000u);
	kapi_pages_put_array(taken, 1);
	EXPECT_EQ(kapi_cache_take(inode, &index, 1024, taken, 8, &busy), 1u);
	EXPECT_EQ(index, 1024u);
	EXPECT(!busy);
	kapi_pages_put_array(taken, 1);
}

void cache_takes_no_run_that_is_referenced()
{
	TestFile file{ 512, platform };
	REQUIRE(file);
	struct inode *const inode = file.inode().handle();

	for (unsigned held : { 0u, 300u, 511u }) {
		struct page *const block = kapi_pages_alloc(kRunOrder);

		REQUIRE(block);
		EXPECT_EQ(kapi_pages_charge(inode, block, kRunPages), 0);
		EXPECT_EQ(kapi_cache_insert(inode, 0, block, kRunPages), 0);
		kapi_page_get(kapi_page_nth(block, held));
		EXPECT(!kapi_cache_take_run(inode, 0, block, kRunOrder));
		EXPECT_EQ(file.cached_pages(0, 512), 512u);
		EXPECT_EQ(world_page_refs(block), held == 0 ? 2 : 1);
		kapi_page_put(kapi_page_nth(block, held));
		EXPECT(kapi_cache_take_run(inode, 0, block, kRunOrder));
		EXPECT_EQ(world_page_refs(block), 0);
		/* In parts, as they are given back to the platform. */
		kapi_pages_free_frozen(block, 3);
		kapi_pages_free_frozen(kapi_page_nth(block, 3), kRunPages - 3);
	}
}

void cache_replaces_a_run_or_nothing()
{
	TestFile file{ 512, platform };
	REQUIRE(file);
	struct inode *const inode = file.inode().handle();
	struct page *const old = kapi_pages_alloc(kRunOrder);

	REQUIRE(old);
	struct page *const block = kapi_pages_alloc_on(inode, 0, kRunOrder, kapi_page_node(old));

	REQUIRE(block);
	EXPECT_EQ(kapi_page_node(block), kapi_page_node(old));
	EXPECT_EQ(kapi_pages_charge(inode, old, kRunPages), 0);
	EXPECT_EQ(kapi_pages_charge(inode, block, kRunPages), 0);
	EXPECT_EQ(kapi_cache_insert(inode, 0, old, kRunPages), 0);
	EXPECT_EQ(kapi_cache_node(inode, 0, kRunPages), kapi_page_node(old));
	for (unsigned i = 0; i < kRunPages; i++)
		world_page_write(kapi_page_nth(old, i), i + 1);

	/* A page with another reference, then one that is marked. */
	kapi_page_get(kapi_page_nth(old, 511));
	EXPECT_EQ(kapi_cache_replace_run(inode, 0, block, kRunOrder), -EBUSY);
	kapi_page_put(kapi_page_nth(old, 511));
	EXPECT_EQ(kapi_pages_next_poisoned(old, 0, kRunPages), kRunPages);
	world_page_set_poisoned(kapi_page_nth(old, 300), true);
	EXPECT_EQ(kapi_pages_next_poisoned(old, 0, kRunPages), 300u);
	EXPECT_EQ(kapi_pages_next_poisoned(old, 0, 300), 300u);
	EXPECT_EQ(kapi_cache_replace_run(inode, 0, block, kRunOrder), -EHWPOISON);
	world_page_set_poisoned(kapi_page_nth(old, 300), false);
	for (unsigned i = 0; i < kRunPages; i++) {
		EXPECT(kapi_cache_peek(inode, i) == kapi_page_nth(old, i));
		EXPECT_EQ(world_page_refs(kapi_page_nth(old, i)), 1);
		EXPECT_EQ(world_page_read(kapi_page_nth(old, i)), i + 1);
	}

	EXPECT_EQ(kapi_cache_replace_run(inode, 0, block, kRunOrder), 0);
	for (unsigned i = 0; i < kRunPages; i++) {
		EXPECT(kapi_cache_peek(inode, i) == kapi_page_nth(block, i));
		EXPECT_EQ(world_page_read(kapi_page_nth(block, i)), i + 1);
	}
	EXPECT(kapi_cache_take_run(inode, 0, block, kRunOrder));
	kapi_pages_free_frozen(block, kRunPages);
}

void cache_finds_who_is_in_the_way()
{
	TestFile file{ 1024, platform };
	REQUIRE(file);
	struct inode *const inode = file.inode().handle();
	static constexpr unsigned at[] = { 3, 4, 500, 700, 1023 };
	struct page *taken[8], *busy = nullptr;
	kapi_u64 index = 0;

	REQUIRE(insert_pages(inode, at));
	ExclusiveInodeLock lock{ inode };
	struct page *const low = kapi_cache_peek(inode, 4), *const high = kapi_cache_peek(inode,
											  700);

	EXPECT_EQ(kapi_cache_first_used(inode, 0, 1024), 1024u);
	EXPECT_EQ(kapi_cache_first_poisoned(inode, 0, 1024), 1024u);
	kapi_page_get(low);
	kapi_page_get(high);
	world_page_set_poisoned(high, true);
	EXPECT_EQ(kapi_cache_first_used(inode, 0, 1024), 4u);
	EXPECT_EQ(kapi_cache_first_used(inode, 4, 5), 4u);
	EXPECT_EQ(kapi_cache_first_used(inode, 5, 1024), 700u);
	EXPECT_EQ(kapi_cache_first_used(inode, 5, 700), 700u);
	EXPECT_EQ(kapi_cache_first_used(inode, 5, 699), 699u);
	EXPECT_EQ(kapi_cache_first_used(inode, 701, 1024), 1024u);
	EXPECT_EQ(kapi_cache_first_poisoned(inode, 0, 1024), 700u);
	EXPECT_EQ(kapi_cache_first_poisoned(inode, 0, 700), 700u);
	EXPECT_EQ(kapi_cache_first_poisoned(inode, 0, 600), 600u);
	EXPECT_EQ(kapi_cache_first_poisoned(inode, 701, 1023), 1023u);
	world_page_set_poisoned(high, false);
	kapi_page_put(low);
	kapi_page_put(high);
	EXPECT_EQ(kapi_cache_take(inode, &index, 1024, taken, 8, &busy), 5u);
	kapi_pages_put_array(taken, 5);
}

struct Counter {
	Mutex mutex{ KAPI_LOCK_RUN };
	unsigned long value = 0;
};

void count_up(void *arg)
{
	Counter &counter = *static_cast<Counter *>(arg);

	for (unsigned i = 0; i < 20000; i++) {
		MutexGuard guard{ counter.mutex };
		unsigned long volatile seen = counter.value;

		counter.value = seen + 1;
	}
}

void mutex_excludes()
{
	Result<Own<Counter>> counter = make<Counter>();

	REQUIRE(counter.ok());
	void *const other = world_thread(count_up, counter.value().get());

	REQUIRE(other);
	count_up(counter.value().get());
	world_join(other);
	EXPECT_EQ(counter.value()->value, 40000u);
}

void descriptors_hold_files()
{
	TestFile file{ 1, platform };
	REQUIRE(file);
	struct file *const handle = kapi_file_from_fd(file.fd);

	REQUIRE(handle);
	EXPECT(kapi_file_core(handle) == file.file);
	EXPECT_EQ(kapi_inode_size(file.inode().handle()), kPageSize);
	kapi_file_put(handle);
	world_settle();

	const int foreign = world_foreign_fd();
	struct file *const other = kapi_file_from_fd(foreign);

	REQUIRE(other);
	EXPECT(kapi_file_core(other) == nullptr);
	kapi_file_put(other);
	world_close(foreign);
	EXPECT(kapi_file_from_fd(foreign) == nullptr);

	const int fd = kapi_fd_reserve();

	EXPECT(fd >= 0);
	EXPECT(kapi_file_from_fd(fd) == nullptr);
	kapi_fd_cancel(fd);
}

void pins_are_at_least_one()
{
	void *const user = world_user_memory();
	kapi_pins pins{};

	REQUIRE(user);
	EXPECT_EQ(kapi_pins_take(&pins, nullptr, 1, false), -EFAULT);
	EXPECT_EQ(pins.count, 0u);
	kapi_pins_drop(&pins);

	const int taken = kapi_pins_take(&pins, user, 16, false);

	EXPECT(taken >= 1 && taken <= 16 && taken <= KAPI_PINS_MAX);
	kapi_pins_drop(&pins);
	EXPECT_EQ(pins.count, 0u);
}

} /* namespace */

GMEM_SUITE(kapi_contract, CASE(memory_is_zeroed), CASE(xarray_single_entries), CASE(xarray_ranges),
	   CASE(pages_come_as_asked), CASE(cache_inserts_all_or_nothing),
	   CASE(cache_takes_in_order), CASE(cache_takes_no_run_that_is_referenced),
	   CASE(cache_replaces_a_run_or_nothing), CASE(cache_finds_who_is_in_the_way),
	   CASE(mutex_excludes), CASE(descriptors_hold_files), CASE(pins_are_at_least_one));
