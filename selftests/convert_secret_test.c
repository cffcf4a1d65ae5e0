// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private memory is hidden from user space: a guest writes a secret into pages while
 * they are private, and clears it before they are shared again, over and over.
 * Everything by which user space can look at memory looks all the time, and must never
 * see the secret.
 *   convert_secret_test [SECONDS]
 *
 * Tests: gmem/share.cc, kapi/access.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "pins.h"
#include "rng.h"

#define PAGES		96UL
/* Around the border of two runs. */
#define FIRST		(SZ_2M / PAGE_SIZE - PAGES / 2)
#define FILE_SIZE	(2 * SZ_2M)
#define WORDS		(PAGE_SIZE / 8)
/* The two words have no byte in common. */
#define SECRET		0x5ec2e75ec2e75ec2UL
#define PUBLIC		0x0b11c0b11c0b11c0UL
#define OWNERS		2

static unsigned int seconds = 5;
static uint64_t seed;

static struct {
	int fd;
	char *p;	/* the pages */
	double end;
	/* Each page has one owner. */
	struct vm *vm;
	u64 cycles[OWNERS], busy[OWNERS];
	size_t nr_readers, seeing;	/* those that have seen something */
} stage;

static bool over(void)
{
	bool enough = __atomic_load_n(&stage.seeing, __ATOMIC_RELAXED) == stage.nr_readers;

	for (int i = 0; i < OWNERS; i++)
		enough = enough && stage.cycles[i];
	return over_at(stage.end, enough);
}

/* ---- owners ------------------------------------------------------------------------ */

/* A pin of a page is gone after a while. The conversion is repeated until then. */
static bool convert(int owner, u64 page, u64 count, u64 attributes)
{
	int ret;

	do {
		if (owner % 2)
			ret = gmem_convert(stage.fd, page * PAGE_SIZE, count * PAGE_SIZE,
					   attributes, NULL);
		else
			ret = vm_set_attributes(stage.vm, TEST_GPA + page * PAGE_SIZE,
						count * PAGE_SIZE, attributes);
		CHECK(!ret || (ret == -EAGAIN && attributes), "converting: %s", strerror(-ret));
		if (ret) {
			stage.busy[owner]++;
			let_pass(200);
		}
	} while (ret && !over());
	return !ret;
}

static void write_pages(struct vcpu *vcpu, u64 page, u64 count, u64 value)
{
	MUST(guest_touch_write(vcpu, TEST_GPA + page * PAGE_SIZE, 8, 8, count * WORDS, value));
}

static void check_pages(struct vcpu *vcpu, u64 page, u64 count, u64 value)
{
	MUST(guest_touch_read(vcpu, TEST_GPA + page * PAGE_SIZE, 8, 8, count * WORDS));
	CHECK(vcpu->mailbox->all_and == value && vcpu->mailbox->all_or == value,
	      "page %lu holds %#llx to %#llx, not %#lx", page, vcpu->mailbox->all_and,
	      vcpu->mailbox->all_or, value);
}

static void *own(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + vcpu->id };
	u64 mine = PAGES / OWNERS, first = FIRST + vcpu->id * mine;

	while (!over()) {
		u64 page = rng_below(&rng, mine), count = 1 + rng_below(&rng, 8);

		count = count < mine - page ? count : mine - page;
		page += first;
		if (!convert(vcpu->id, page, count, KVM_MEMORY_ATTRIBUTE_PRIVATE))
			break;
		write_pages(vcpu, page, count, SECRET);
		check_pages(vcpu, page, count, SECRET);
		if (rng_once_in(&rng, 4))
			let_pass(rng_below(&rng, 2000));
		write_pages(vcpu, page, count, 0);
		CHECK(convert(vcpu->id, page, count, 0), "pages cannot be shared");
		check_pages(vcpu, page, count, 0);
		write_pages(vcpu, page, count, PUBLIC);
		stage.cycles[vcpu->id]++;
	}
	return NULL;
}

/* ---- readers ------------------------------------------------------------------------- */

struct reader {
	const char *name;
	void (*look)(struct reader *r, u64 page);
	struct rng rng;
	int fd, other_fd;
	char *buffer;
	u64 seen, refused;
};

/* What a reader got of @page. By bytes: copies may see the middle of a write. */
static void inspect(struct reader *r, u64 page, const void *data, u64 len)
{
	static const u64 word = PUBLIC;
	const unsigned char *bytes = data;

	if (!r->seen++)
		__atomic_fetch_add(&stage.seeing, 1, __ATOMIC_RELAXED);
	for (u64 i = 0; i < len; i++)
		CHECK(!bytes[i] || memchr(&word, bytes[i], sizeof(word)),
		      "%s shows %#x at %#lx of page %lu", r->name, bytes[i], i, page);
}

static void look_at_mapping(struct reader *r, u64 page)
{
	u64 value, first = rng_below(&r->rng, WORDS);

	for (u64 i = first; i < first + 32 && i < WORDS; i++) {
		if (mem_read(stage.p + page * PAGE_SIZE + i * 8, &value)) {
			r->refused++;
			return;
		}
		inspect(r, page, &value, sizeof(value));
	}
}

static void look_through_a_new_mapping(struct reader *r, u64 page)
{
	char *p = gmem_map(stage.fd, (FIRST + page) * PAGE_SIZE, PAGE_SIZE);
	u64 value;

	if (rng_once_in(&r->rng, 2))
		madvise(p, PAGE_SIZE, MADV_POPULATE_READ);
	if (mem_read(p + rng_below(&r->rng, WORDS) * 8, &value))
		r->refused++;
	else
		inspect(r, page, &value, sizeof(value));
	munmap(p, PAGE_SIZE);
}

static void look_with_readv(struct reader *r, u64 page)
{
	struct iovec to = { r->buffer, PAGE_SIZE };
	struct iovec from = { stage.p + page * PAGE_SIZE, PAGE_SIZE };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	if (n > 0)
		inspect(r, page, r->buffer, n);
	else
		r->refused++;
}

static void look_with_proc_mem(struct reader *r, u64 page)
{
	ssize_t n = pread(r->fd, r->buffer, PAGE_SIZE, (off_t)(stage.p + page * PAGE_SIZE));

	if (n > 0)
		inspect(r, page, r->buffer, n);
	else
		r->refused++;
}

/* A disk reads the page without the processor: what it got is read back. */
static void look_with_direct_io(struct reader *r, u64 page)
{
	ssize_t n = pwrite(r->fd, stage.p + page * PAGE_SIZE, PAGE_SIZE, 0);

	if (n <= 0) {
		r->refused++;
		return;
	}
	CHECK_EQ(pread(r->fd, r->buffer, n, 0), n);
	inspect(r, page, r->buffer, n);
}

/* The page itself is in the pipe for a while. */
static void look_through_a_pipe(struct reader *r, u64 page)
{
	struct iovec iov = { stage.p + page * PAGE_SIZE, PAGE_SIZE };
	ssize_t n = vmsplice(r->other_fd, &iov, 1, SPLICE_F_NONBLOCK);

	if (n <= 0) {
		r->refused++;
		return;
	}
	let_pass(rng_below(&r->rng, 1500));
	CHECK_EQ(read(r->fd, r->buffer, n), n);
	inspect(r, page, r->buffer, n);
	let_pass(500);
}

static void look_with_write(struct reader *r, u64 page)
{
	ssize_t n = pwrite(r->fd, stage.p + page * PAGE_SIZE, PAGE_SIZE, 0);

	if (n <= 0) {
		r->refused++;
		return;
	}
	CHECK_EQ(pread(r->fd, r->buffer, n, 0), n);
	inspect(r, page, r->buffer, n);
}

static void *read_all_the_time(void *arg)
{
	struct reader *r = arg;

	while (!over())
		r->look(r, rng_below(&r->rng, PAGES));
	return NULL;
}

/* A child with a copy of the mapping; its status tells. */
static pid_t start_child(void)
{
	pid_t pid = fork();
	struct reader r = { .name = "a child", .rng = { seed + 1000 } };

	CHECK_OK(pid);
	if (!pid) {
		while (now() < stage.end)
			look_at_mapping(&r, rng_below(&r.rng, PAGES));
		_exit(0);
	}
	return pid;
}

static struct reader readers[] = {
	{ .name = "the mapping", .look = look_at_mapping },
	{ .name = "a new mapping", .look = look_through_a_new_mapping },
	{ .name = "process_vm_readv", .look = look_with_readv },
	{ .name = "/proc/self/mem", .look = look_with_proc_mem },
	{ .name = "write", .look = look_with_write },
	{ .name = "vmsplice", .look = look_through_a_pipe },
	/* The last: not every kernel has a disk. */
	{ .name = "direct I/O", .look = look_with_direct_io },
};

/* How many of the readers can read here. */
static size_t open_readers(void)
{
	size_t nr = ARRAY_SIZE(readers);
	int pipefd[2];

	for (size_t i = 0; i < nr; i++) {
		readers[i].rng.state = seed + 100 + i;
		readers[i].buffer = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	CHECK_OK(pipe(pipefd));
	readers[3].fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	readers[4].fd = memfd_create("copy", MFD_CLOEXEC);
	readers[5].fd = pipefd[0];
	readers[5].other_fd = pipefd[1];
	readers[6].fd = direct_disk(0);
	return readers[6].fd < 0 ? nr - 1 : nr;
}

static void test_nobody_sees_a_private_page(void)
{
	pthread_t threads[ARRAY_SIZE(readers)], owners[OWNERS];
	int status;
	pid_t child;

	tap_diag("SEED=%lu", seed);
	stage.vm = vm_create_private(OWNERS);
	stage.fd = gmem_add_mappable(stage.vm, FILE_SIZE, SHARED_AT_FIRST);
	stage.p = gmem_map(stage.fd, FIRST * PAGE_SIZE, PAGES * PAGE_SIZE);
	stage.nr_readers = open_readers();
	stage.end = now() + seconds;
	child = start_child();
	for (int i = 0; i < OWNERS; i++)
		owners[i] = thread_start(own, &stage.vm->vcpus[i]);
	for (size_t i = 0; i < stage.nr_readers; i++)
		threads[i] = thread_start(read_all_the_time, &readers[i]);
	for (int i = 0; i < OWNERS; i++)
		thread_join(owners[i]);
	for (size_t i = 0; i < stage.nr_readers; i++) {
		thread_join(threads[i]);
		tap_diag("%s: %lu seen, %lu refused", readers[i].name, readers[i].seen,
			 readers[i].refused);
		CHECK(readers[i].seen, "%s never saw anything", readers[i].name);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the child's status is %#x", status);
	for (int i = 0; i < OWNERS; i++) {
		tap_diag("owner %d: %lu cycles, %lu times busy", i, stage.cycles[i], stage.busy[i]);
		CHECK(stage.cycles[i], "owner %d never got to it", i);
	}
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_nobody_sees_a_private_page),
	};

	if (argc > 1)
		seconds = strtoul(argv[1], NULL, 0);
	if (argc > 2 || !seconds)
		tap_bail_out("usage: %s [SECONDS]", argv[0]);
	seed = rng_seed();
	tests[0].timeout = seconds + 120;
	return tap_main(tests, ARRAY_SIZE(tests));
}
