// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers in another module (selftests/kmod/gmem_consumer_test.c) beside KVM's
 * memslots: they come and go in any order with files, VMs and their own module.
 *
 * Tests: gmem/consumers.cc.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"

#define CONSUMER_PATH	"/sys/kernel/debug/gmem_consumer"
#define CONSUMER_MODULE	"gmem_consumer_test"
#define EXAMPLE_PATH	"/add/gmem_example.ko"

static void require_consumer(void)
{
	if (access(CONSUMER_PATH, F_OK))
		tap_skip("gmem_consumer_test.ko is not loaded");
}

/* 0 or -errno. */
static int consumer_write(const char *text)
{
	int fd = open(CONSUMER_PATH, O_RDWR | O_CLOEXEC), ret;

	CHECK_OK(fd);
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int consumer_bind(int fd, u64 start, u64 end, u64 count, bool shared)
{
	char text[80];

	snprintf(text, sizeof(text), "%d %lu %lu %lu %d", fd, start, end, count, shared);
	return consumer_write(text);
}

static void consumer_unbind(void)
{
	MUST(consumer_write("unbind"));
}

static long consumer_count(const char *name)
{
	FILE *f = fopen(CONSUMER_PATH, "r");
	char word[32];
	long value, found = -1;

	CHECK(f, "%s: %m", CONSUMER_PATH);
	while (fscanf(f, "%31s %ld", word, &value) == 2) {
		if (!strcmp(word, name))
			found = value;
	}
	fclose(f);
	return found;
}

static int unload_consumer(void)
{
	return syscall(SYS_delete_module, CONSUMER_MODULE, O_NONBLOCK) ? -errno : 0;
}

static void test_answers(void)
{
	struct vm *vm = vm_create_private(0);
	int fd;

	require_consumer();
	fd = vm_gmem(vm, SZ_2M);
	CHECK_EQ(consumer_bind(999, 0, 1, 1, true), -EBADF);
	CHECK_EQ(consumer_bind(open("/dev/null", O_RDWR), 0, 1, 1, true), -EINVAL);
	CHECK_EQ(consumer_bind(fd, 512, 513, 1, true), -EINVAL);
	CHECK_EQ(consumer_bind(fd, 3, 3, 1, true), -EINVAL);
	MUST(consumer_bind(fd, 0, 10, 1, false));
	CHECK_EQ(consumer_bind(fd, 9, 10, 1, false), -EEXIST);
	CHECK_EQ(consumer_bind(fd, 9, 10, 1, true), -EEXIST);
	MUST(consumer_bind(fd, 10, 20, 1, true));
	MUST(consumer_bind(fd, 10, 20, 1, true));
	CHECK_EQ(consumer_bind(fd, 0, SZ_2M / PAGE_SIZE, 1, false), -EEXIST);
	consumer_unbind();
	CHECK_EQ(consumer_count("bindings"), 0);
}

/* A guest's memory, punched, with consumers of it. */
static void test_beside_a_guest(void)
{
	struct vm *vm = vm_create_private(1);
	long begins, unmaps, releases;
	int fd;

	require_consumer();
	fd = vm_add_private(vm, 2 * SZ_2M);
	begins = consumer_count("begins");
	unmaps = consumer_count("unmaps");
	releases = consumer_count("releases");
	CHECK_EQ(consumer_bind(fd, 0, 1, 1, false), -EEXIST);
	MUST(consumer_bind(fd, 0, 512, 1, true));
	MUST(consumer_bind(fd, 0, 1024, 1, true));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, 2 * SZ_2M, 1));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, 2 * SZ_2M, 1));
	CHECK_EQ(consumer_count("begins"), begins);
	MUST(gmem_punch(fd, SZ_2M, SZ_2M));
	CHECK_EQ(consumer_count("unmaps"), unmaps + 1);
	/* In one run, too: a turn that is over between two is told of as two. */
	MUST(gmem_punch(fd, SZ_1M, SZ_1M));
	CHECK_EQ(consumer_count("unmaps"), unmaps + 3);
	CHECK_EQ(consumer_count("begins"), begins + 3);
	CHECK_EQ(consumer_count("ends"), consumer_count("begins"));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	vm_free(vm);
	close(fd);
	CHECK_EQ(consumer_count("releases"), releases + 2);
	consumer_unbind();
}

/* First the consumer, the file, or the VM. */
static void test_any_order_of_going(void)
{
	require_consumer();
	for (int order = 0; order < 4; order++) {
		struct vm *vm = vm_create_private(1);
		int fd = vm_add_private(vm, SZ_2M);
		long releases = consumer_count("releases");

		MUST(consumer_bind(fd, 0, 512, 1, true));
		CHECK_EQ(unload_consumer(), -EAGAIN);
		if (order == 0)
			consumer_unbind();
		if (order == 1)
			vm_free(vm);
		close(fd);
		CHECK(order != 1 || consumer_count("releases") == releases + 1, "file gone");
		if (order == 2)
			consumer_unbind();
		if (order != 1)
			vm_free(vm);
		consumer_unbind();
		CHECK_EQ(consumer_count("bindings"), 0);
	}
}

/* Memory that goes to another VM: its consumers are told that the file is gone. */
static void test_link(void)
{
	struct vm *vm = vm_create_private(1), *heir = vm_create_private(0);
	struct kvm_link_guest_memfd args = { 0 };
	long releases;
	int fd, to;

	require_consumer();
	fd = vm_add_private(vm, SZ_2M);
	args.fd = fd;
	releases = consumer_count("releases");
	MUST(consumer_bind(fd, 0, 512, 1, true));
	to = ioctl(heir->fd, KVM_LINK_GUEST_MEMFD, &args);
	CHECK_OK(to);
	CHECK_EQ(consumer_count("releases"), releases + 1);
	CHECK_EQ(consumer_count("ends"), consumer_count("begins"));
	CHECK_EQ(consumer_bind(fd, 0, 512, 1, true), -ESTALE);
	MUST(consumer_bind(to, 0, 512, 1, false));
	consumer_unbind();
}

static atomic_bool stop;

static void *punch_all_the_time(void *arg)
{
	int fd = *(int *)arg;

	while (!atomic_load(&stop)) {
		MUST(gmem_alloc(fd, 0, SZ_1M));
		MUST(gmem_punch(fd, 0, SZ_1M));
	}
	return NULL;
}

/* Binding and unbinding meanwhile: what begins ends. */
static void test_under_load(void)
{
	struct vm *vm = vm_create_private(0);
	pthread_t thread;
	int fd;

	require_consumer();
	fd = vm_gmem(vm, SZ_2M);
	thread = thread_start(punch_all_the_time, &fd);
	for (int i = 0; i < 40; i++) {
		MUST(consumer_bind(fd, 0, 4, 16, i & 1));
		consumer_unbind();
	}
	atomic_store(&stop, true);
	thread_join(thread);
	CHECK(consumer_count("begins") > 0, "nobody was told");
	CHECK_EQ(consumer_count("ends"), consumer_count("begins"));
}

/* The quickest of many rounds of 200 punches of a 4 KiB that @index has bound. */
static u64 punch_ns(int fd, u64 index)
{
	u64 best = ~0UL;

	for (int round = 0; round < 60; round++) {
		u64 from = now_ns(), ns;

		for (int i = 0; i < 200; i++)
			MUST(gmem_punch(fd, index * PAGE_SIZE, PAGE_SIZE));
		ns = (now_ns() - from) / 200;
		if (ns < best)
			best = ns;
	}
	return best;
}

static long free_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	CHECK(f, "meminfo: %m");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Slab: %ld", &kib) == 1)
			break;
	}
	fclose(f);
	return kib;
}

/* Notification of a 4 KiB change costs the same with 100,000 bindings as with 10. */
static void test_many_bindings(void)
{
	struct vm *vm = vm_create_private(0);
	const u64 many = 100000;
	u64 few_ns, many_ns;
	long before;
	int fd;

	require_consumer();
	fd = vm_gmem(vm, many * PAGE_SIZE);
	for (int shared = 0; shared < 2; shared++) {
		MUST(consumer_bind(fd, 0, 1, 10, shared));
		few_ns = punch_ns(fd, 5);
		consumer_unbind();
		before = free_kib();
		MUST(consumer_bind(fd, 0, 1, many, shared));
		/* 32 of the bytes are the test module's own. */
		tap_diag("%s: %ld bytes a binding", shared ? "shared" : "exclusive",
			 (free_kib() - before) * 1024 / (long)many - 32);
		many_ns = punch_ns(fd, many / 2);
		tap_diag("%s: %lu ns with 10 bindings, %lu ns with %lu",
			 shared ? "shared" : "exclusive", few_ns, many_ns, many);
		consumer_unbind();
		/* Looking at each would be a thousand times as much; `make bench` counts. */
		CHECK(many_ns < few_ns * 4, "%lu ns, not %lu ns", many_ns, few_ns);
	}
}

/* The module of docs/consumers.md, on a file of this task. */
static void test_example(void)
{
	struct vm *vm = vm_create_private(1);
	int module = open(EXAMPLE_PATH, O_RDONLY | O_CLOEXEC), fd;
	char args[16];

	if (module < 0)
		tap_skip("no " EXAMPLE_PATH);
	snprintf(args, sizeof(args), "fd=%d", module);
	CHECK_ERRNO(syscall(SYS_finit_module, module, args, 0), EINVAL);
	fd = vm_add_private(vm, SZ_2M);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_2M, 1));
	snprintf(args, sizeof(args), "fd=%d", fd);
	CHECK_OK(syscall(SYS_finit_module, module, args, 0));
	CHECK_ERRNO(syscall(SYS_delete_module, "gmem_example", O_NONBLOCK), EAGAIN);
	MUST(gmem_punch(fd, 0, PAGE_SIZE));
	vm_free(vm);
	close(fd);
	CHECK_OK(syscall(SYS_delete_module, "gmem_example", O_NONBLOCK));
}

/* The last: the module is not there any more. */
static void test_unload(void)
{
	struct vm *vm = vm_create_private(0);
	int fd, ret;

	require_consumer();
	fd = vm_gmem(vm, SZ_2M);
	MUST(consumer_bind(fd, 0, 512, 1, true));
	CHECK_EQ(unload_consumer(), -EAGAIN);
	vm_free(vm);
	close(fd);
	/* The module has been told that the file is gone, and may go with the binding. */
	AWAIT((ret = unload_consumer()) != -EAGAIN, "the consumer's module does not go");
	MUST(ret);
	CHECK(access(CONSUMER_PATH, F_OK), "it is still there");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_answers),
	TAP_TEST(test_beside_a_guest),
	TAP_TEST(test_any_order_of_going),
	TAP_TEST(test_link),
	TAP_TEST(test_under_load),
	{ .name = "test_many_bindings", .fn = test_many_bindings, .timeout = 300 },
	TAP_TEST(test_example),
	TAP_TEST(test_unload),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
