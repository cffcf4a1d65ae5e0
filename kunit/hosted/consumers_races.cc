// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers against the file's end and each other: every order of the steps, an
 * owner that is a module, failing allocations, one that is slow.
 *
 * Tests: gmem/consumers.cc.
 */
#include <atomic>
#include <memory>
#include <thread>

#include <gmem/consumer.h>

#include "kunit/fakes/consumers.h"
#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/sched.h"
#include "kunit/suites/support.h"

using namespace gmem_test;

namespace
{

constinit NotedPlatform platform{ kRunOrder, true };
struct module owner;

struct Told {
	std::atomic<unsigned> begins{ 0 }, ends{ 0 }, releases{ 0 };
	/* unmap() does not return while it is; whether it was called. */
	std::atomic<bool> slow{ false }, inside{ false };
};

const gmem_consumer_ops ops = {
	.owner = &owner,
	.prepare = nullptr,
	.failed = nullptr,
	.begin = [](void *data, gmem_u64, gmem_u64) { static_cast<Told *>(data)->begins++; },
	.unmap =
		[](void *data, gmem_u64, gmem_u64) {
			Told &told = *static_cast<Told *>(data);

			told.inside = true;
			while (told.slow)
				std::this_thread::yield();
		},
	.end = [](void *data, gmem_u64, gmem_u64) { static_cast<Told *>(data)->ends++; },
	.converted = nullptr,
	.release = [](void *data) { static_cast<Told *>(data)->releases++; },
};

int bind(int fd, std::uint64_t start, std::uint64_t end, Told &told,
	 struct gmem_consumer *&consumer)
{
	struct file *file;
	int ret = gmem_file_get(fd, &file);

	if (ret)
		return ret;
	ret = gmem_consumer_bind(file, start, end, &ops, &told, 0, &consumer);
	gmem_file_put(file);
	return ret;
}

void owner_stays_while_bound()
{
	TestFile file{ 512, platform };
	Told told;
	struct gmem_consumer *a, *b;

	REQUIRE(file);
	EXPECT_EQ(bind(file.fd, 0, 10, told, a), 0);
	EXPECT_EQ(bind(file.fd, 5, 10, told, b), -EEXIST);
	EXPECT_EQ(owner.users.load(), 1);
	EXPECT_EQ(bind(file.fd, 10, 20, told, b), 0);
	EXPECT_EQ(owner.users.load(), 2);
	gmem_consumer_unbind(a);
	EXPECT_EQ(owner.users.load(), 1);
	owner.going = true;
	EXPECT_EQ(bind(file.fd, 0, 10, told, a), -ENODEV);
	owner.going = false;
	file.close();
	/* It may go before it unbinds. */
	EXPECT_EQ(owner.users.load(), 0);
	gmem_consumer_unbind(b);
	EXPECT_EQ(told.releases.load(), 1u);
}

void what_is_not_bound_is_left_alone()
{
	const TestFile file{ 512, platform };
	Told told;
	struct gmem_consumer *a;
	struct page *page;
	unsigned order;

	REQUIRE(file);
	EXPECT_EQ(bind(file.fd, 0, 10, told, a), 0);
	gmem_consumer_unbind(a);
	fake::expect_warnings(true);
	const long before = fake::warnings();

	gmem_consumer_unbind(a);
	gmem_consumer_unbind(nullptr);
	EXPECT_EQ(fake::warnings(), before + 2);
	fake::expect_warnings(false);
	EXPECT_EQ(gmem_consumer_is_shared(a, 0), -EBADF);
	EXPECT_EQ(gmem_consumer_get_page(a, 0, true, &page, &order), -EBADF);
	EXPECT_EQ(owner.users.load(), 0);
}

void each_allocation_fails_once()
{
	const TestFile file{ 512, platform };
	Told told;
	struct gmem_consumer *a = nullptr;
	unsigned failures = 0;

	REQUIRE(file);
	for (;;) {
		fake::fail_nth(failures + 1);
		const int ret = bind(file.fd, 0, 10, told, a);

		if (!fake::fail_fired()) {
			fake::fail_nth(0);
			EXPECT_EQ(ret, 0);
			break;
		}
		failures++;
		EXPECT_EQ(ret, -ENOMEM);
		EXPECT(!a);
		EXPECT_EQ(owner.users.load(), 0);
	}
	EXPECT_EQ(failures, 2u);
	gmem_consumer_unbind(a);
}

/* A punch that waits for its consumer, and one elsewhere that does not. */
void a_slow_one_holds_up_nobody_else()
{
	const TestFile file{ 1024, platform };
	Told slow, other;
	struct gmem_consumer *a, *b;

	REQUIRE(file);
	EXPECT_EQ(bind(file.fd, 0, 512, slow, a), 0);
	EXPECT_EQ(bind(file.fd, 512, 1024, other, b), 0);
	slow.slow = true;
	std::thread waiting{ [&] { EXPECT(file.inode().punch(pages(0, 1)).ok()); } };

	while (!slow.inside)
		std::this_thread::yield();
	EXPECT(file.inode().punch(pages(512, 513)).ok());
	EXPECT_EQ(other.ends.load(), 1u);
	EXPECT_EQ(slow.ends.load(), 0u);
	slow.slow = false;
	waiting.join();
	EXPECT_EQ(slow.ends.load(), 1u);
	gmem_consumer_unbind(a);
	gmem_consumer_unbind(b);
}

/* One file and one consumer of it for each schedule. */
std::unique_ptr<TestFile> f;
std::unique_ptr<Told> t;
struct gmem_consumer *bound;

void setup()
{
	f = std::make_unique<TestFile>(512, platform);
	t = std::make_unique<Told>();
	EXPECT_EQ(bind(f->fd, 0, 512, *t, bound), 0);
}

void finish()
{
	EXPECT_EQ(t->begins.load(), t->ends.load());
	EXPECT_EQ(owner.users.load(), 0);
	f.reset();
	fake::check_clean();
}

void unbind()
{
	gmem_consumer_unbind(bound);
	fake::return_to_user();
}

void unbind_and_close()
{
	const unsigned long schedules = fake::sched::explore(
		{ setup, { unbind, [] { f->close(); } }, [] { finish(); } }, 3);

	EXPECT(schedules > 10);
}

void page_and_close()
{
	const unsigned long schedules =
		fake::sched::explore({ setup,
				       { [] {
						const int is = gmem_consumer_is_shared(bound, 3);

						EXPECT(is == 0 || is == -ESTALE);
						fake::return_to_user();
					},
					 [] { f->close(); } },
				       [] {
					       EXPECT_EQ(t->releases.load(), 1u);
					       unbind();
					       finish();
				       } },
				     3);

	EXPECT(schedules > 10);
}

void unbind_and_punch()
{
	const unsigned long schedules = fake::sched::explore(
		{ setup,
		  { unbind, [] { EXPECT(f->inode().punch(pages(3, 4)).ok()); } },
		  [] { finish(); } },
		3);

	EXPECT(schedules > 10);
}

/* The memory becomes another VM's: for the consumer of the first, it is gone. */
struct kvm *heir;
int linked;

void setup_heir()
{
	setup();
	heir = world_vm(fake::kSwProtectedVm);
}

void link()
{
	linked = fake::link(heir, f->fd);
}

void finish_heir()
{
	EXPECT(linked >= 0);
	fake::close_fd(linked);
	world_vm_put(heir);
	finish();
}

void unbind_and_link()
{
	const unsigned long schedules =
		fake::sched::explore({ setup_heir, { unbind, link }, finish_heir }, 3);

	EXPECT(schedules > 10);
}

void page_and_link()
{
	const unsigned long schedules = fake::sched::explore(
		{ setup_heir,
		  { [] {
			   struct page *page;
			   unsigned order;
			   const int ret = gmem_consumer_get_page(bound, 3, true, &page, &order);

			   /* This platform lends no private pages. */
			   EXPECT(ret == -EOPNOTSUPP || ret == -ESTALE);
			   fake::return_to_user();
		   },
		    link },
		  [] {
			  EXPECT_EQ(t->releases.load(), 1u);
			  EXPECT_EQ(gmem_consumer_is_shared(bound, 3), -ESTALE);
			  unbind();
			  finish_heir();
		  } },
		3);

	EXPECT(schedules > 10);
}

} /* namespace */

GMEM_SUITE(consumers_races, CASE(owner_stays_while_bound), CASE(what_is_not_bound_is_left_alone),
	   CASE(each_allocation_fails_once), CASE(a_slow_one_holds_up_nobody_else),
	   CASE(unbind_and_close), CASE(page_and_close), CASE(unbind_and_punch),
	   CASE(unbind_and_link), CASE(page_and_link));
