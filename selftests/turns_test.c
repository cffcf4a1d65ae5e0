// SPDX-License-Identifier: GPL-2.0-only
/*
 * A long call on a file does not keep other tasks from the file: how long a touch, a
 * conversion of one page or a punch has to wait beside such a call. A task that waits for
 * a conversion can be killed. When the conversion is over, the task gets its page.
 *
 * Tests: gmem/turn.h.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "pins.h"

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
/*
 * Turns are of 30 ms. On a slow machine the other user may wait for longer than MAX_WAITING
 * seconds, but then for less than MAX_PART of the call, which takes longer as well. Bad luck
 * may spoil a try, but not all TRIES. A user that has to wait for the end of the call waits
 * for most of the call in every try.
 */
#define MAX_WAITING	0.4
#define MAX_PART	0.25
#define TRIES		10
/* Sizes of files: FRAGMENTED has every other page private, SPARSE has hardly any pages. */
#define FRAGMENTED	(128 * SZ_1M)
#define SPARSE		(128 * SZ_1G)
#define MEMORY		(1536 * SZ_1M)

/* Another user: a thread that uses the last two pages of a file all the time. */
struct other {
	pthread_t thread;
	int fd;
	u64 at;		/* the first of them */
	char *p;
	bool converts;
	bool over;
	double longest;
	u64 times;
};

static void note(struct other *other, double since)
{
	const double waited = now() - since;

	if (waited > other->longest)
		other->longest = waited;
	other->times++;
}

static void *use_file(void *arg)
{
	struct other *other = arg;

	while (!__atomic_load_n(&other->over, __ATOMIC_ACQUIRE)) {
		double since = now();

		CHECK_OK(madvise(other->p, PAGE_SIZE, MADV_DONTNEED));
		*(volatile char *)other->p = 1;
		note(other, since);
		since = now();
		if (other->converts) {
			gmem_make_private(other->fd, other->at + PAGE_SIZE, PAGE_SIZE);
			gmem_make_shared(other->fd, other->at + PAGE_SIZE, PAGE_SIZE);
		} else {
			MUST(gmem_punch(other->fd, other->at + PAGE_SIZE, PAGE_SIZE));
		}
		note(other, since);
	}
	return NULL;
}

static void begin(struct other *other, int fd, u64 size, bool converts)
{
	*other = (struct other){
		.fd = fd,
		.at = size - 2 * PAGE_SIZE,
		.p = gmem_map(fd, size - 2 * PAGE_SIZE, 2 * PAGE_SIZE),
		.converts = converts,
	};
	CHECK_EQ(pthread_create(&other->thread, NULL, use_file, other), 0);
}

/* How long the call took. */
static double end(struct other *other, const char *what, double since)
{
	const double took = now() - since;

	__atomic_store_n(&other->over, true, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(other->thread, NULL), 0);
	tap_diag("%s: %.2f s; another user %lu times, for %.3f s at the longest", what, took,
		 other->times, other->longest);
	munmap(other->p, 2 * PAGE_SIZE);
	return took;
}

/* @call() of all but the last two pages. */
static void check_beside(const char *what, int fd, u64 size, bool converts,
			 void (*prepare)(int fd, u64 size), int (*call)(int fd, u64 size))
{
	for (int i = 0; i < TRIES; i++) {
		struct other other;
		double since, took;

		if (prepare)
			prepare(fd, size - SZ_2M);
		begin(&other, fd, size, converts);
		since = now();
		MUST(call(fd, size - SZ_2M));
		took = end(&other, what, since);
		if (other.times && (other.longest < MAX_WAITING || other.longest < took * MAX_PART))
			return;
	}
	FAIL("%s: another user waited too long in each of %d tries", what, TRIES);
}

static int file_of(u64 size)
{
	return gmem_mappable(vm_create_private(0), size, SHARED_AT_FIRST);
}

static int allocate(int fd, u64 size)
{
	return gmem_alloc(fd, 0, size);
}

static int punch(int fd, u64 size)
{
	return gmem_punch(fd, 0, size);
}

static int to_private(int fd, u64 size)
{
	return gmem_convert(fd, 0, size, PRIVATE, NULL);
}

static int to_shared(int fd, u64 size)
{
	return gmem_convert(fd, 0, size, 0, NULL);
}

static void make_hole(int fd, u64 size)
{
	MUST(punch(fd, size));
}

static void make_shared(int fd, u64 size)
{
	MUST(to_shared(fd, size));
}

static void make_private(int fd, u64 size)
{
	MUST(to_private(fd, size));
}

static void make_memory(int fd, u64 size)
{
	MUST(allocate(fd, size));
}

static void alternate(int fd, u64 size)
{
	MUST(to_shared(fd, size));
	for (u64 at = 0; at < size; at += 2 * PAGE_SIZE)
		gmem_make_private(fd, at, PAGE_SIZE);
}

static void test_beside_fallocate(void)
{
	int fd = file_of(MEMORY);

	check_beside("fallocate", fd, MEMORY, true, make_hole, allocate);
	close(fd);
}

static void test_beside_punch(void)
{
	int fd = file_of(MEMORY);

	check_beside("punch", fd, MEMORY, true, make_memory, punch);
	close(fd);
}

static void test_beside_conversion_of_memory(void)
{
	int fd = file_of(MEMORY);

	MUST(allocate(fd, MEMORY));
	check_beside("memory to private", fd, MEMORY, false, make_shared, to_private);
	check_beside("memory to shared", fd, MEMORY, false, make_private, to_shared);
	close(fd);
}

static void test_beside_conversion_of_much(void)
{
	int fd = file_of(SPARSE);

	check_beside("128 GiB to private", fd, SPARSE, false, NULL, to_private);
	check_beside("128 GiB to shared", fd, SPARSE, false, make_private, to_shared);
	close(fd);
}

static void test_beside_conversion_of_fragments(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = gmem_add_mappable(vm, FRAGMENTED, SHARED_AT_FIRST);

	MUST(allocate(fd, FRAGMENTED));
	check_beside("fragments to private", fd, FRAGMENTED, false, alternate, to_private);
	check_beside("fragments to shared", fd, FRAGMENTED, false, alternate, to_shared);
	close(fd);
}

/* ---- pages that are becoming private ------------------------------------------------ */

struct conversion {
	pthread_t thread;
	int fd;
	int answer;
};

static void *convert_pinned(void *arg)
{
	struct conversion *c = arg;

	c->answer = to_private(c->fd, SZ_2M);
	return NULL;
}

/* A conversion waits for a pin, for a while. A touch of the page's neighbour waits as long. */
static void touch_while_waiting(bool killed)
{
	struct conversion c = { .fd = file_of(SZ_2M) };
	char *p = gmem_map(c.fd, 0, SZ_2M);
	struct pin pin;
	double since, took;
	int status;
	pid_t pid;

	p[0] = p[PAGE_SIZE] = 7;
	pin_take(&pin, PIN_VMSPLICE, p, 1);
	CHECK_EQ(pthread_create(&c.thread, NULL, convert_pinned, &c), 0);
	let_pass(50 * 1000);
	since = now();
	pid = fork();
	CHECK(pid >= 0, "fork: %m");
	if (!pid)
		_exit(p[PAGE_SIZE] == 7 ? 0 : 1);
	if (killed) {
		let_pass(20 * 1000);
		kill(pid, SIGKILL);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	took = now() - since;
	CHECK_EQ(pthread_join(c.thread, NULL), 0);
	tap_diag("%s after %.3f s", killed ? "killed" : "touched", took);
	CHECK_EQ(c.answer, -EAGAIN);
	if (!killed)
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	pin_release(&pin);
	MUST(to_private(c.fd, SZ_2M));
	munmap(p, SZ_2M);
	close(c.fd);
}

static void test_touch_while_it_may_become_private(void)
{
	touch_while_waiting(false);
}

static void test_killed_while_it_may_become_private(void)
{
	touch_while_waiting(true);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_beside_fallocate),
		TAP_TEST(test_beside_punch),
		TAP_TEST(test_beside_conversion_of_memory),
		TAP_TEST(test_beside_conversion_of_much),
		TAP_TEST(test_beside_conversion_of_fragments),
		TAP_TEST(test_touch_while_it_may_become_private),
		TAP_TEST(test_killed_while_it_may_become_private),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
