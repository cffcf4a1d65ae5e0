// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/gmem/consumer.h: what it promises to other modules, call by call.
 *
 * Tests: gmem/consumers.cc, include/gmem/consumer.h.
 */
#include <gmem/consumer.h>
#include <gmem/gmem.h>

#include "gmem/locks.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

constinit NotedPlatform platform{ kRunOrder, true };

/* A consumer that notes what it is told, and checks the order it is told in. */
class Consumer {
    public:
	Consumer() = default;
	~Consumer() { unbind(); }
	Consumer(const Consumer &) = delete;
	Consumer &operator=(const Consumer &) = delete;

	int bind(int fd, std::uint64_t start, std::uint64_t end, unsigned flags = 0)
	{
		struct file *file;
		const int got = gmem_file_get(fd, &file);

		if (got)
			return got;

		const int ret = gmem_consumer_bind(file, start, end, &kOps, this, flags, &handle);

		gmem_file_put(file);
		return ret;
	}
	void unbind()
	{
		if (handle)
			gmem_consumer_unbind(handle);
		handle = nullptr;
	}

	bool quiet() const { return !prepares && !begins && !unmaps && !converts && !ends; }

	static const gmem_consumer_ops kOps;

	struct gmem_consumer *handle = nullptr;
	int refuse = 0;
	bool fail_unmap = false;
	unsigned beyond = 0; /* pages that it says so of and has no say in */
	unsigned prepares = 0, fails = 0, begins = 0, unmaps = 0, ends = 0, converts = 0;
	unsigned releases = 0;
	bool disorder = false;
	IndexRange last_prepare, last_begin, last_unmap, last_converted;

    private:
	static Consumer &of(void *data) { return *static_cast<Consumer *>(data); }
};

const gmem_consumer_ops Consumer::kOps = {
	.owner = nullptr,
	.prepare =
		[](void *data, gmem_u64 start, gmem_u64 end, bool) {
			Consumer &c = of(data);

			c.prepares++;
			c.last_prepare = pages(start, end);
			c.disorder |= c.begins != c.ends;
			return c.refuse;
		},
	.failed = [](void *data, gmem_u64, gmem_u64, bool) { of(data).fails++; },
	.begin =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = of(data);

			c.begins++;
			c.last_begin = pages(start, end);
			c.disorder |= !c.handle || c.releases;
		},
	.unmap =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = of(data);

			c.unmaps++;
			c.last_unmap = pages(start, end);
			c.disorder |= c.begins != c.ends + 1 || !c.last_begin.covers(c.last_unmap);
			if (c.fail_unmap)
				gmem_consumer_unmap_failed(c.handle, start, end + c.beyond);
		},
	.end =
		[](void *data, gmem_u64 start, gmem_u64 end) {
			Consumer &c = of(data);

			c.ends++;
			c.disorder |= c.begins != c.ends || pages(start, end) != c.last_begin;
		},
	.converted =
		[](void *data, gmem_u64 start, gmem_u64 end, bool) {
			Consumer &c = of(data);

			c.converts++;
			c.last_converted = pages(start, end);
			c.disorder |= c.begins != c.ends + 1 || c.last_unmap != c.last_converted;
		},
	.release =
		[](void *data) {
			Consumer &c = of(data);

			c.releases++;
			c.disorder |= c.begins != c.ends || !c.unmaps;
		},
};

/* A file whose pages are shared at first, and can be converted. */
constexpr FileKind kShared{ .huge = true, .mappable = true, .shared = true };

Status convert(const TestFile &file, IndexRange range, Share to)
{
	PageIndex at;

	kapi_kvm_slots_lock(file.vm);

	const Status status = file.inode().convert(range, to, at);

	kapi_kvm_slots_unlock(file.vm);
	return status;
}

void files_are_ours_or_not()
{
	const TestFile file{ 1024, platform };
	struct file *handle = nullptr;

	REQUIRE(file);
	EXPECT_EQ(gmem_file_get(file.fd, &handle), 0);
	EXPECT(File::of(handle) == file.file);
	gmem_file_put(handle);

	EXPECT_EQ(gmem_file_get(999, &handle), -EBADF);

	const int foreign = world_foreign_fd();

	EXPECT_EQ(gmem_file_get(foreign, &handle), -EINVAL);
	struct file *const other = kapi_file_from_fd(foreign);
	struct gmem_consumer *consumer;

	EXPECT_EQ(gmem_consumer_bind(other, 0, 1, &Consumer::kOps, nullptr, 0, &consumer), -EBADF);
	EXPECT_EQ(gmem_consumer_bind(nullptr, 0, 1, &Consumer::kOps, nullptr, 0, &consumer),
		  -EBADF);
	kapi_file_put(other);
	world_close(foreign);
}

void bad_binds_are_refused()
{
	const TestFile file{ 1024, platform };
	Consumer c;

	REQUIRE(file);
	EXPECT_EQ(c.bind(file.fd, 5, 5), -EINVAL);
	EXPECT_EQ(c.bind(file.fd, 6, 5), -EINVAL);
	EXPECT_EQ(c.bind(file.fd, 0, 1025), -EINVAL);
	EXPECT_EQ(c.bind(file.fd, 1024, 1025), -EINVAL);
	EXPECT_EQ(c.bind(file.fd, 1, ~0ull), -EINVAL);
	EXPECT_EQ(c.bind(file.fd, 0, 1, 1u << 1), -EINVAL);
	EXPECT_EQ(c.bind(999, 0, 1), -EBADF);

	struct file *handle;

	REQUIRE(gmem_file_get(file.fd, &handle) == 0);
	EXPECT_EQ(gmem_consumer_bind(handle, 0, 1, nullptr, &c, 0, &c.handle), -EINVAL);
	for (unsigned missing = 0; missing < 4; missing++) {
		gmem_consumer_ops ops = Consumer::kOps;

		if (missing == 0)
			ops.begin = nullptr;
		if (missing == 1)
			ops.unmap = nullptr;
		if (missing == 2)
			ops.end = nullptr;
		if (missing == 3)
			ops.release = nullptr;
		EXPECT_EQ(gmem_consumer_bind(handle, 0, 1, &ops, &c, 0, &c.handle), -EINVAL);
	}
	gmem_file_put(handle);
	EXPECT(!c.handle);
	EXPECT(file->bindings().first_overlapping(pages(0, 1024)) == nullptr);
}

/* Of consumers, and of consumers and memslots. */
void who_may_overlap_whom()
{
	const TestFile file{ 1024, platform };
	Consumer first, second;

	REQUIRE(file);
	static constexpr struct {
		unsigned first, second;
		int code;
	} pairs[] = {
		{ 0, 0, -EEXIST },
		{ 0, GMEM_CONSUMER_SHARED, -EEXIST },
		{ GMEM_CONSUMER_SHARED, 0, -EEXIST },
		{ GMEM_CONSUMER_SHARED, GMEM_CONSUMER_SHARED, 0 },
	};

	for (const auto &p : pairs) {
		EXPECT_EQ(first.bind(file.fd, 10, 20, p.first), 0);
		for (const IndexRange range :
		     { pages(0, 11), pages(19, 30), pages(0, 30), pages(12, 13), pages(10, 20) }) {
			EXPECT_EQ(
				second.bind(file.fd, range.start.value, range.end.value, p.second),
				p.code);
			second.unbind();
		}
		for (const IndexRange range : { pages(0, 10), pages(20, 30) }) {
			EXPECT_EQ(
				second.bind(file.fd, range.start.value, range.end.value, p.second),
				0);
			second.unbind();
		}
		first.unbind();
	}

	struct kvm_memory_slot *const slot = world_slot(file.vm, 100, 512, true);

	EXPECT_EQ(first.bind(file.fd, 511, 512), 0);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 0), kapi_kvm_overlap_error());
	EXPECT(file->bindings().first_overlapping(pages(0, 1024)));
	EXPECT(!file->bindings().first_overlapping(pages(0, 511)));
	EXPECT(!file->bindings().first_overlapping(pages(511, 511)));
	first.unbind();
	EXPECT_EQ(first.bind(file.fd, 511, 512, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(gmem_bind(file.vm, slot, file.fd, 0), 0);
	EXPECT_EQ(second.bind(file.fd, 0, 1), -EEXIST);
	EXPECT_EQ(second.bind(file.fd, 0, 1, GMEM_CONSUMER_SHARED), 0);

	const struct world_mmu before = world_mmu_calls();

	EXPECT(file.inode().punch(pages(511, 512)).ok());
	EXPECT_EQ(first.unmaps, 1u);
	EXPECT(second.quiet());
	EXPECT_EQ(world_mmu_calls().unmaps, before.unmaps + 1);

	kapi_kvm_slots_lock(file.vm);
	gmem_unbind(slot);
	kapi_kvm_slots_unlock(file.vm);
	world_slot_free(slot);
	EXPECT(file.inode().punch(pages(511, 512)).ok());
	EXPECT_EQ(first.unmaps, 2u);
}

void exactly_those_that_overlap_are_told()
{
	const TestFile file{ 4096, platform };
	Consumer left, right, wide, narrow;

	REQUIRE(file);
	EXPECT_EQ(left.bind(file.fd, 0, 1000), 0);
	EXPECT_EQ(right.bind(file.fd, 2000, 4096), 0);
	EXPECT_EQ(wide.bind(file.fd, 1000, 2000, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(narrow.bind(file.fd, 1100, 1101, GMEM_CONSUMER_SHARED), 0);

	EXPECT(file.inode().punch(pages(1100, 1110)).ok());
	EXPECT(left.quiet() && right.quiet());
	EXPECT_EQ(wide.unmaps, 1u);
	EXPECT(wide.last_unmap == pages(1100, 1110));
	/* In whole runs, cut to the bound range. */
	EXPECT(wide.last_begin == pages(1024, 1536));
	EXPECT_EQ(narrow.unmaps, 1u);
	EXPECT(narrow.last_unmap == pages(1100, 1101) && narrow.last_begin == pages(1100, 1101));

	file.inode().poisoned(PageIndex{ 999 });
	EXPECT_EQ(left.unmaps, 1u);
	EXPECT_EQ(wide.unmaps, 1u);

	EXPECT(file.inode().punch(pages(0, 4096)).ok());
	for (const Consumer *c : { &left, &right, &wide, &narrow }) {
		EXPECT_EQ(c->begins, c->ends);
		EXPECT(!c->disorder);
	}
	EXPECT_EQ(right.unmaps, 1u);

	narrow.unbind();
	EXPECT(file.inode().punch(pages(1100, 1101)).ok());
	EXPECT_EQ(narrow.unmaps, 2u);
	EXPECT_EQ(wide.unmaps, 3u);
}

void conversion_is_asked_for_and_told()
{
	const TestFile file{ 2048, platform, kShared };
	Consumer a, b;

	REQUIRE(file);
	EXPECT_EQ(a.bind(file.fd, 0, 100, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(b.bind(file.fd, 50, 2048, GMEM_CONSUMER_SHARED), 0);
	EXPECT(convert(file, pages(90, 200), Share::kPrivate).ok());
	for (const Consumer *c : { &a, &b }) {
		EXPECT_EQ(c->prepares, 1u);
		EXPECT_EQ(c->converts, 1u);
		EXPECT_EQ(c->ends, 1u);
		EXPECT_EQ(c->fails, 0u);
		EXPECT(!c->disorder);
	}
	EXPECT(a.last_prepare == pages(90, 100) && a.last_converted == pages(90, 100));
	EXPECT(b.last_prepare == pages(90, 200) && b.last_converted == pages(90, 200));
	EXPECT_EQ(gmem_consumer_is_shared(a.handle, 89), 1);
	EXPECT_EQ(gmem_consumer_is_shared(a.handle, 90), 0);
	EXPECT_EQ(gmem_consumer_is_shared(b.handle, 199), 0);
	EXPECT_EQ(gmem_consumer_is_shared(b.handle, 200), 1);

	/* Consumers are not asked about pages that are private already. */
	EXPECT(convert(file, pages(90, 200), Share::kPrivate).ok());
	EXPECT_EQ(b.prepares, 1u);
}

void who_refuses_stops_it()
{
	const TestFile file{ 2048, platform, kShared };
	Consumer before, refusing, after;

	REQUIRE(file);
	EXPECT_EQ(before.bind(file.fd, 0, 100, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(refusing.bind(file.fd, 50, 150, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(after.bind(file.fd, 120, 300, GMEM_CONSUMER_SHARED), 0);
	refusing.refuse = -EBUSY;
	EXPECT_EQ(convert(file, pages(10, 200), Share::kPrivate).code(), -EBUSY);
	/* A number that is no error is one, too. */
	refusing.refuse = 1;
	EXPECT_EQ(convert(file, pages(10, 200), Share::kPrivate).code(), -EIO);
	for (const Consumer *c : { &before, &refusing, &after }) {
		EXPECT_EQ(c->begins + c->unmaps + c->ends + c->converts, 0u);
		EXPECT_EQ(c->fails, 2u);
	}
	EXPECT_EQ(before.prepares, 2u);
	EXPECT_EQ(after.prepares, 0u);
	EXPECT_EQ(gmem_consumer_is_shared(before.handle, 10), 1);

	refusing.refuse = 0;
	EXPECT(convert(file, pages(10, 200), Share::kPrivate).ok());
	EXPECT_EQ(gmem_consumer_is_shared(before.handle, 10), 0);
	EXPECT_EQ(after.converts, 1u);
}

void callbacks_that_may_be_missing()
{
	const TestFile file{ 1024, platform, kShared };
	gmem_consumer_ops ops = Consumer::kOps;
	Consumer c, refusing;
	struct file *handle;

	ops.prepare = nullptr;
	ops.failed = nullptr;
	ops.converted = nullptr;
	REQUIRE(file);
	REQUIRE(gmem_file_get(file.fd, &handle) == 0);
	EXPECT_EQ(gmem_consumer_bind(handle, 0, 512, &ops, &c, GMEM_CONSUMER_SHARED, &c.handle), 0);
	gmem_file_put(handle);
	EXPECT_EQ(refusing.bind(file.fd, 100, 200, GMEM_CONSUMER_SHARED), 0);
	refusing.refuse = -EBUSY;
	EXPECT_EQ(convert(file, pages(0, 512), Share::kPrivate).code(), -EBUSY);
	EXPECT(c.quiet() && !c.fails);
	refusing.refuse = 0;
	EXPECT(convert(file, pages(0, 512), Share::kPrivate).ok());
	EXPECT_EQ(c.unmaps, 1u);
	EXPECT_EQ(c.ends, 1u);
	EXPECT(!c.prepares && !c.converts && !c.disorder);
	c.unbind();
}

void pages_come_with_their_order()
{
	const TestFile file{ 2048, platform, kShared };
	Consumer c, part;
	struct page *page, *again;
	unsigned order = 99;

	REQUIRE(file);
	EXPECT_EQ(c.bind(file.fd, 0, 1030, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(part.bind(file.fd, 1, 512, GMEM_CONSUMER_SHARED), 0);
	REQUIRE(gmem_consumer_get_page(c.handle, 3, false, &page, &order) == 0);
	EXPECT_EQ(order, kRunOrder);
	EXPECT(page == file.cached(3));
	/* Not all of the run is bound. */
	EXPECT_EQ(gmem_consumer_get_page(part.handle, 3, false, &again, &order), 0);
	EXPECT(again == page);
	EXPECT_EQ(order, 0u);
	gmem_consumer_put_page(again);
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 1025, false, &again, &order), 0);
	EXPECT_EQ(order, 0u);
	gmem_consumer_put_page(again);

	EXPECT_EQ(gmem_consumer_get_page(c.handle, 1030, false, &again, &order), -EINVAL);
	EXPECT_EQ(gmem_consumer_get_page(part.handle, 0, false, &again, &order), -EINVAL);
	EXPECT_EQ(gmem_consumer_is_shared(part.handle, 0), -EINVAL);
	EXPECT_EQ(gmem_consumer_is_shared(part.handle, 512), -EINVAL);

	/* The page has a user: it stays shared. */
	EXPECT_EQ(convert(file, pages(3, 4), Share::kPrivate).code(), -EAGAIN);
	EXPECT_EQ(c.fails, 1u);
	gmem_consumer_put_page(page);
	EXPECT(convert(file, pages(3, 4), Share::kPrivate).ok());
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 3, false, &page, &order), -EAGAIN);
	/* This platform's private pages are its guests'. */
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 3, true, &page, &order), -EOPNOTSUPP);
	/* The run is no block of one state any more. */
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 4, false, &page, &order), 0);
	EXPECT_EQ(order, 0u);
	gmem_consumer_put_page(page);
}

void private_pages_of_software_protection()
{
	const TestFile file{ 1024 };
	Consumer c;
	struct page *page;
	unsigned order;

	REQUIRE(file);
	EXPECT_EQ(c.bind(file.fd, 0, 1024), 0);
	EXPECT_EQ(gmem_consumer_is_shared(c.handle, 0), 0);
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 0, false, &page, &order), -EAGAIN);
	REQUIRE(gmem_consumer_get_page(c.handle, 0, true, &page, &order) == 0);
	EXPECT_EQ(world_page_read(page), 0u);
	EXPECT(file.inode().punch(pages(0, 1)).ok());
	EXPECT_EQ(c.unmaps, 1u);
	/* It is the consumer's alone now. */
	EXPECT_EQ(world_page_refs(page), 1);
	gmem_consumer_put_page(page);
}

void what_was_not_unmapped_is_lost()
{
	TestFile file{ 1024, platform, kShared };
	Consumer c;
	struct page *page, *lost;
	unsigned order;

	REQUIRE(file);
	EXPECT_EQ(c.bind(file.fd, 0, 1024), 0);
	REQUIRE(gmem_consumer_get_page(c.handle, 7, false, &lost, &order) == 0);
	gmem_consumer_put_page(lost);
	c.fail_unmap = true;
	file.inode().poisoned(PageIndex{ 7 });
	c.fail_unmap = false;
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 7, false, &page, &order), -EHWPOISON);
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 8, false, &page, &order), 0);
	gmem_consumer_put_page(page);

	/* The file never frees the page. The case does: it knows that the page is safe again. */
	file.close();
	EXPECT_EQ(world_page_refs(lost), 1);
	gmem_consumer_put_page(lost);
}

void release_comes_once_and_then_nothing()
{
	TestFile file{ 1024, platform, kShared };
	Consumer exclusive, shared, other, gone;
	struct page *page;
	unsigned order;

	REQUIRE(file);
	EXPECT_EQ(exclusive.bind(file.fd, 0, 100), 0);
	EXPECT_EQ(shared.bind(file.fd, 100, 1024, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(other.bind(file.fd, 200, 300, GMEM_CONSUMER_SHARED), 0);
	EXPECT_EQ(gone.bind(file.fd, 200, 300, GMEM_CONSUMER_SHARED), 0);
	gone.unbind();
	/* The bindings keep nothing. */
	EXPECT_EQ(world_vm_users(file.vm), 2);
	file.close();
	EXPECT_EQ(world_vm_users(file.vm), 1);
	for (Consumer *c : { &exclusive, &shared, &other }) {
		EXPECT_EQ(c->releases, 1u);
		EXPECT_EQ(c->unmaps, 1u);
		EXPECT(!c->disorder);
		EXPECT_EQ(gmem_consumer_is_shared(c->handle, 200), -ESTALE);
		EXPECT_EQ(gmem_consumer_get_page(c->handle, 200, false, &page, &order), -ESTALE);
		c->unbind();
		EXPECT_EQ(c->releases, 1u);
	}
	EXPECT(exclusive.last_unmap == pages(0, 100));
	EXPECT_EQ(gone.releases, 0u);
	EXPECT(gone.quiet());
}

void nobody_loses_what_another_has_bound()
{
	TestFile file{ 1024, platform, kShared };
	Consumer c, next;
	struct page *page, *lost;
	unsigned order;

	REQUIRE(file);
	EXPECT_EQ(c.bind(file.fd, 0, 8), 0);
	EXPECT_EQ(next.bind(file.fd, 8, 1024), 0);
	REQUIRE(gmem_consumer_get_page(c.handle, 7, false, &lost, &order) == 0);
	REQUIRE(gmem_consumer_get_page(next.handle, 8, false, &page, &order) == 0);
	gmem_consumer_put_page(page);
	gmem_consumer_put_page(lost);
	c.fail_unmap = true;
	c.beyond = 1;
	file.inode().poisoned(PageIndex{ 7 });
	EXPECT_EQ(gmem_consumer_get_page(c.handle, 7, false, &page, &order), -EHWPOISON);
	EXPECT_EQ(gmem_consumer_get_page(next.handle, 8, false, &page, &order), 0);
	gmem_consumer_put_page(page);
	c.fail_unmap = false;
	file.close();
	gmem_consumer_put_page(lost);
}

/* Random binds, unbinds and changes; the right consumers are told of each change. */
void random_against_a_list()
{
	constexpr unsigned kPages = 64, kConsumers = 10;
	const TestFile file{ kPages, platform };
	Consumer all[kConsumers];
	IndexRange bound[kConsumers];
	bool shared[kConsumers];
	Random random{ 11 };

	REQUIRE(file);
	for (unsigned step = 0; step < 2000; step++) {
		const unsigned who = random.below(kConsumers);
		const unsigned start = random.below(kPages), size = 1 + random.below(12);
		const IndexRange range = pages(start,
					       start + size < kPages ? start + size : kPages);

		if (random.below(3) == 0) {
			unsigned before[kConsumers];

			for (unsigned i = 0; i < kConsumers; i++)
				before[i] = all[i].unmaps;
			EXPECT(file.inode().punch(range).ok());
			for (unsigned i = 0; i < kConsumers; i++) {
				const bool told = all[i].handle && bound[i].overlaps(range);

				EXPECT_EQ(all[i].unmaps, before[i] + told);
				if (told)
					EXPECT(all[i].last_unmap == bound[i].intersect(range));
			}
		} else if (all[who].handle) {
			all[who].unbind();
		} else {
			int code = 0;

			shared[who] = random.below(4) != 0;
			for (unsigned i = 0; i < kConsumers; i++) {
				if (all[i].handle && bound[i].overlaps(range) &&
				    !(shared[i] && shared[who]))
					code = -EEXIST;
			}
			bound[who] = range;
			EXPECT_EQ(all[who].bind(file.fd, range.start.value, range.end.value,
						shared[who] ? GMEM_CONSUMER_SHARED : 0),
				  code);
		}
	}
	for (Consumer &c : all) {
		EXPECT(!c.disorder);
		c.unbind();
	}
}

} /* namespace */

GMEM_SUITE(consumers, CASE(files_are_ours_or_not), CASE(bad_binds_are_refused),
	   CASE(who_may_overlap_whom), CASE(exactly_those_that_overlap_are_told),
	   CASE(conversion_is_asked_for_and_told), CASE(who_refuses_stops_it),
	   CASE(callbacks_that_may_be_missing), CASE(pages_come_with_their_order),
	   CASE(private_pages_of_software_protection), CASE(what_was_not_unmapped_is_lost),
	   CASE(nobody_loses_what_another_has_bound), CASE(release_comes_once_and_then_nothing),
	   CASE(random_against_a_list));
