// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stands in the way of a conversion: pinned pages, poison, signals. A conversion is
 * all or nothing: its error says what stood in the way and at which page, and all works
 * as before. And what does not stand in the way: references that the kernel's own batches
 * hold.
 *
 * Tests: gmem/conversion.cc.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "pins.h"
#include "poison.h"
#include "rng.h"

#define FILE_SIZE	(2 * SZ_2M)
#define FILE_PAGES	(FILE_SIZE / PAGE_SIZE)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE

struct scene {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;
	char *p;
	u64 seed;
};

/* Shared, with a content that both sides have looked at; the last page is private. */
static struct scene filled_scene(u64 seed)
{
	struct scene s = { .vm = vm_create_private(1), .seed = seed };

	s.vcpu = &s.vm->vcpus[0];
	s.fd = gmem_add_mappable(s.vm, FILE_SIZE, SHARED_AT_FIRST);
	s.p = gmem_map(s.fd, 0, FILE_SIZE);
	MUST(guest_fill(s.vcpu, TEST_GPA, FILE_SIZE, seed));
	CHECK(mem_holds(s.p, TEST_GPA, FILE_SIZE, seed), "content");
	gmem_make_private(s.fd, FILE_SIZE - PAGE_SIZE, PAGE_SIZE);
	return s;
}

/* As filled_scene() left it, but for the page @except, if it is one of the file. */
static void check_unchanged(struct scene *s, u64 except)
{
	u64 before;

	for (u64 page = 0; page < FILE_PAGES - 1; page++)
		CHECK(page == except || mem_holds(s->p + page * PAGE_SIZE, TEST_GPA +
						  page * PAGE_SIZE, PAGE_SIZE, s->seed),
		      "page %lu has changed", page);
	CHECK(mem_is_hidden(s->p + FILE_SIZE - PAGE_SIZE), "the last page is private");
	before = except < FILE_PAGES ? except : FILE_PAGES;
	MUST(guest_check(s->vcpu, TEST_GPA, before * PAGE_SIZE, s->seed));
	if (before < FILE_PAGES)
		MUST(guest_check(s->vcpu, TEST_GPA + (before + 1) * PAGE_SIZE,
				 (FILE_PAGES - before - 1) * PAGE_SIZE, s->seed));
}

#define NO_PAGE	(~0UL)

static void check_refused(struct scene *s, u64 page, u64 count, u64 attributes, int error, u64 at)
{
	u64 offset;
	int ret = gmem_convert(s->fd, page * PAGE_SIZE, count * PAGE_SIZE, attributes, &offset);

	CHECK(ret == -error, "converting: %s, not %s", strerror(-ret), strerror(error));
	CHECK(offset == at * PAGE_SIZE, "error at %#lx, not page %lu", offset, at);
}

/* ---- pins ----------------------------------------------------------------------- */

static void require_pins(enum pin_kind kind)
{
	if (!pin_possible(kind))
		tap_skip("no %s here", pin_name(kind));
}

static void check_pin(enum pin_kind kind, u64 page, u64 count)
{
	struct scene s;
	struct pin pin;

	require_pins(kind);
	s = filled_scene(page + 1);
	pin_take(&pin, kind, s.p + page * PAGE_SIZE, count);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EAGAIN, page);
	if (kind != PIN_DIRECT_IO)
		check_unchanged(&s, NO_PAGE);
	/* The page by itself, and where the range begins does not matter. */
	check_refused(&s, page, 1, PRIVATE, EAGAIN, page);
	check_refused(&s, page + count - 1, FILE_PAGES - page - count, PRIVATE, EAGAIN,
		      page + count - 1);
	CHECK_EQ(vm_set_attributes(s.vm, TEST_GPA, FILE_SIZE, PRIVATE), -EAGAIN);
	/* The pinned page is shared already, so it can be made shared. */
	gmem_make_shared(s.fd, 0, FILE_SIZE - PAGE_SIZE);
	/* Its neighbours are free. */
	if (page)
		gmem_make_private(s.fd, 0, page * PAGE_SIZE);
	gmem_make_private(s.fd, (page + count) * PAGE_SIZE, PAGE_SIZE);
	gmem_make_shared(s.fd, 0, FILE_SIZE - PAGE_SIZE);
	pin_release(&pin);
	check_unchanged(&s, NO_PAGE);
	gmem_make_private(s.fd, 0, FILE_SIZE);
	CHECK(mem_is_hidden(s.p + page * PAGE_SIZE), "private when released");
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, s.seed));
}

static void test_long_term_pin(void)
{
	check_pin(PIN_LONG_TERM, 7, 1);
	check_pin(PIN_LONG_TERM, 0, 600);
}

static void test_vmsplice(void)
{
	check_pin(PIN_VMSPLICE, 511, 1);
	check_pin(PIN_VMSPLICE, 510, 4);
}

static void test_io_uring_buffer(void)
{
	check_pin(PIN_IO_URING, 3, 1);
	check_pin(PIN_IO_URING, 100, 500);
}

static void test_direct_io(void)
{
	check_pin(PIN_DIRECT_IO, 9, 4);
}

static void test_first_of_two_pins(void)
{
	struct scene s;
	struct pin one, two;

	require_pins(PIN_LONG_TERM);
	s = filled_scene(2);
	pin_take(&one, PIN_LONG_TERM, s.p + 900 * PAGE_SIZE, 1);
	pin_take(&two, PIN_VMSPLICE, s.p + 30 * PAGE_SIZE, 1);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EAGAIN, 30);
	check_refused(&s, 31, FILE_PAGES - 31, PRIVATE, EAGAIN, 900);
	pin_release(&two);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EAGAIN, 900);
	check_unchanged(&s, NO_PAGE);
	pin_release(&one);
	gmem_make_private(s.fd, 0, FILE_SIZE);
}

/* A pin outlives the mapping, and the page's place in the file. */
static void test_pin_without_a_mapping(void)
{
	struct scene s;
	struct pin pin;

	require_pins(PIN_LONG_TERM);
	s = filled_scene(3);
	pin_take(&pin, PIN_LONG_TERM, s.p + 5 * PAGE_SIZE, 1);
	CHECK_OK(munmap(s.p, FILE_SIZE));
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EAGAIN, 5);
	MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, 3));
	/* The pin keeps the page; the file gets another. */
	MUST(gmem_punch(s.fd, 5 * PAGE_SIZE, PAGE_SIZE));
	gmem_make_private(s.fd, 0, FILE_SIZE);
	MUST(guest_check_zero(s.vcpu, TEST_GPA + 5 * PAGE_SIZE, PAGE_SIZE));
	pin_release(&pin);
}

/* One slot's pin refuses the whole of a conversion over many. */
static void test_pin_in_one_of_two_files(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	struct pin pin;
	char *p[2];
	int fd[2];

	require_pins(PIN_LONG_TERM);
	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	for (int i = 0; i < 2; i++) {
		fd[i] = gmem_mappable(vm, SZ_2M, SHARED_AT_FIRST);
		p[i] = gmem_map(fd[i], 0, SZ_2M);
		gmem_add_slot(vm, TEST_SLOT + i, TEST_GPA + i * SZ_2M, SZ_2M, fd[i], 0);
	}
	MUST(guest_fill(vcpu, TEST_GPA, 2 * SZ_2M, 1));
	for (int i = 0; i < 2; i++) {
		pin_take(&pin, PIN_LONG_TERM, p[i] + SZ_1M, 1);
		CHECK_EQ(vm_set_attributes(vm, TEST_GPA, 2 * SZ_2M, PRIVATE), -EAGAIN);
		CHECK(mem_holds(p[0], TEST_GPA, SZ_2M, 1), "the first file");
		CHECK(mem_holds(p[1], TEST_GPA + SZ_2M, SZ_2M, 1), "the second file");
		MUST(guest_check(vcpu, TEST_GPA, 2 * SZ_2M, 1));
		pin_release(&pin);
	}
	vm_make_private(vm, TEST_GPA, 2 * SZ_2M);
	CHECK(mem_is_hidden(p[0]) && mem_is_hidden(p[1]), "both are private");
}

/* ---- references that are not in the way --------------------------------------------- */

/* Use @p in all ways that leave references in batches of the kernel's. */
static void use_pages(char *p, u64 len, int pipefd[2], struct rng *rng)
{
	char buffer[256];
	struct iovec to = { buffer, sizeof(buffer) }, from = { p, sizeof(buffer) };

	memset(p, rng_next(rng), len);
	switch (rng_below(rng, 7)) {
	case 0:
		CHECK_OK(mlock(p, len));
		CHECK_OK(munlock(p, len));
		break;
	case 1:
		madvise(p, len, MADV_COLD);
		break;
	case 2:
		madvise(p, len, MADV_PAGEOUT);
		break;
	case 3:
		CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), sizeof(buffer));
		break;
	case 4:
		CHECK_EQ(write(pipefd[1], p, 64), 64);
		CHECK_EQ(read(pipefd[0], buffer, 64), 64);
		break;
	case 5:
		CHECK_OK(mlock(p, len));	/* and left so */
		break;
	default:
		madvise(p, len, MADV_POPULATE_WRITE);
	}
}

struct user {
	int fd;
	u64 offset;
	u64 seed;
};

#define USER_BYTES	(16 * PAGE_SIZE)

static void *use_and_convert(void *arg)
{
	struct user *user = arg;
	struct rng rng = { user->seed };
	char *p = gmem_map(user->fd, user->offset, USER_BYTES);
	int pipefd[2];

	CHECK_OK(pipe(pipefd));
	for (int round = 0; round < 150; round++) {
		use_pages(p, USER_BYTES, pipefd, &rng);
		gmem_make_private(user->fd, user->offset, USER_BYTES);
		gmem_make_shared(user->fd, user->offset, USER_BYTES);
	}
	return NULL;
}

/* Two users on two processors. Both use pages of the same run. */
static void test_no_false_alarm(void)
{
	struct scene s = filled_scene(4);
	struct user users[2] = { { s.fd, 0, 1 }, { s.fd, 32 * PAGE_SIZE, 2 } };
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		threads[i] = thread_start(use_and_convert, &users[i]);
	for (int i = 0; i < 2; i++)
		thread_join(threads[i]);
}

/* A child that has touched the pages and sits there. */
static void test_children_are_no_reason(void)
{
	struct scene s = filled_scene(5);
	int done[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(done));
	for (int i = 0; i < 8; i++) {
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			mem_fill(s.p, TEST_GPA, SZ_2M, s.seed);
			CHECK_EQ(write(done[1], "", 1), 1);
			for (;;)
				pause();
		}
		CHECK_EQ(read(done[0], &byte, 1), 1);
		gmem_make_private(s.fd, 0, FILE_SIZE);
		MUST(guest_check(s.vcpu, TEST_GPA, FILE_SIZE, s.seed));
		gmem_make_shared(s.fd, 0, FILE_SIZE - PAGE_SIZE);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* ---- poison ------------------------------------------------------------------------- */

static void test_poisoned_shared_page(void)
{
	struct scene s;
	u64 victim = 5, value;

	poison_require();
	s = filled_scene(0x700);
	poison_page(s.fd, victim);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EHWPOISON, victim);
	check_refused(&s, victim, 1, PRIVATE, EHWPOISON, victim);
	check_unchanged(&s, victim);
	CHECK_EQ(mem_read(s.p + victim * PAGE_SIZE, &value), SIGBUS);
	CHECK_EQ(gmem_signal_code(), BUS_MCEERR_AR);
	CHECK_EQ(guest_read(s.vcpu, TEST_GPA + victim * PAGE_SIZE, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(s.vcpu->error, EHWPOISON);
	gmem_make_private(s.fd, (victim + 1) * PAGE_SIZE, SZ_2M);
	gmem_make_shared(s.fd, (victim + 1) * PAGE_SIZE, SZ_2M);
	MUST(gmem_punch(s.fd, victim * PAGE_SIZE, PAGE_SIZE));
	gmem_make_private(s.fd, 0, FILE_SIZE);
	MUST(guest_check_zero(s.vcpu, TEST_GPA + victim * PAGE_SIZE, PAGE_SIZE));
}

static void test_poisoned_private_page(void)
{
	struct scene s;
	u64 victim = 700;

	poison_require();
	s = filled_scene(0x800);
	gmem_make_private(s.fd, 0, FILE_SIZE);
	poison_page(s.fd, victim);
	check_refused(&s, 0, FILE_PAGES, 0, EHWPOISON, victim);
	CHECK(mem_is_hidden(s.p) && mem_is_hidden(s.p + FILE_SIZE - 8), "still private");
	MUST(guest_check(s.vcpu, TEST_GPA, victim * PAGE_SIZE, s.seed));
	MUST(guest_check(s.vcpu, TEST_GPA + (victim + 1) * PAGE_SIZE,
			 (FILE_PAGES - victim - 1) * PAGE_SIZE, s.seed));
	gmem_make_shared(s.fd, 0, victim * PAGE_SIZE);
	CHECK(mem_holds(s.p, TEST_GPA, victim * PAGE_SIZE, s.seed), "up to it");
}

/* Both in the way: the first counts, whatever it is. */
static void test_poison_and_pin(void)
{
	struct scene s;
	struct pin pin;

	poison_require();
	s = filled_scene(0x900);
	pin_take(&pin, PIN_LONG_TERM, s.p + 20 * PAGE_SIZE, 1);
	poison_page(s.fd, 40);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EAGAIN, 20);
	poison_page(s.fd, 10);
	check_refused(&s, 0, FILE_PAGES, PRIVATE, EHWPOISON, 10);
	pin_release(&pin);
}

/* ---- signals ------------------------------------------------------------------------- */

#define BIG	(32 * SZ_1M)

static void on_signal(int sig)
{
	(void)sig;
}

/* Require that all of @p is private, or none of it. */
static void check_all_alike(char *p, u64 size, bool private)
{
	u64 value;

	for (u64 off = 0; off < size; off += 7 * PAGE_SIZE)
		CHECK(private ? mem_is_hidden(p + off) : !mem_read(p + off, &value),
		      "page %lu should be %s", off / PAGE_SIZE, private ? "private" : "shared");
}

static void test_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	const struct itimerspec often = { { 0, 1200000 }, { 0, 1200000 } }, never = { 0 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, BIG, SHARED_AT_FIRST), ret;
	char *p = gmem_map(fd, 0, BIG);
	unsigned int interrupted = 0;
	bool private = false;
	timer_t timer;

	mem_fill(p, TEST_GPA, BIG, 1);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	for (int round = 0; round < 30; round++) {
		CHECK_OK(timer_settime(timer, 0, &often, NULL));
		if (round % 4 < 2)
			ret = gmem_convert(fd, 0, BIG, private ? 0 : PRIVATE, NULL);
		else
			ret = vm_set_attributes(vm, TEST_GPA, BIG, private ? 0 : PRIVATE);
		CHECK_OK(timer_settime(timer, 0, &never, NULL));
		CHECK(!ret || ret == -EAGAIN, "converting: %s", strerror(-ret));
		interrupted += ret != 0;
		private ^= !ret;
		check_all_alike(p, BIG, private);
	}
	tap_diag("%u of 30 conversions interrupted", interrupted);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, BIG, 1));
}

/* A VMM killed in the middle; its parent has the file, too. */
static void test_kill(void)
{
	struct vm *vm = vm_create_private(1);
	int fd = gmem_add_mappable(vm, BIG, SHARED_AT_FIRST), pipefd[2], status;
	char *p = gmem_map(fd, 0, BIG), byte;
	struct rng rng = { rng_seed() };
	u64 value;
	pid_t pid;

	mem_fill(p, TEST_GPA, BIG, 1);
	for (int round = 0; round < 6; round++) {
		CHECK_OK(pipe(pipefd));
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			CHECK_EQ(write(pipefd[1], "", 1), 1);
			for (;;) {
				gmem_make_private(fd, 0, BIG);
				gmem_make_shared(fd, 0, BIG);
			}
		}
		CHECK_EQ(read(pipefd[0], &byte, 1), 1);
		let_pass(rng_below(&rng, 30000));
		CHECK_OK(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status), "the child ended before its time");
		check_all_alike(p, BIG, mem_read(p, &value) != 0);
		close(pipefd[0]);
		close(pipefd[1]);
	}
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, BIG, 1));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_long_term_pin),
	TAP_TEST(test_vmsplice),
	TAP_TEST(test_io_uring_buffer),
	TAP_TEST(test_first_of_two_pins),
	TAP_TEST(test_pin_without_a_mapping),
	TAP_TEST(test_pin_in_one_of_two_files),
	TAP_TEST(test_no_false_alarm),
	TAP_TEST(test_children_are_no_reason),
	TAP_TEST(test_poisoned_shared_page),
	TAP_TEST(test_poisoned_private_page),
	TAP_TEST(test_poison_and_pin),
	TAP_TEST(test_signals),
	TAP_TEST(test_kill),
	/* The last: not every kernel has the disk. */
	TAP_TEST(test_direct_io),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests) - !pin_possible(PIN_DIRECT_IO));
}
