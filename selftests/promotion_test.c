// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promotion of preallocated runs: on the node that their pages are on, which the
 * counters of both nodes tell; where policy and cpuset allow it; charged to the file's
 * cgroup before the guest is unmapped; as fast as promotion_mib= says.
 * Needs two nodes (scripts/vm --append numa=fake=2).
 *
 * Tests: gmem/promotion.cc, gmem/pace.h.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "memcg.h"
#include "stats.h"

#define RUNS		4
#define FILE_SIZE	(RUNS * SZ_2M)
#define FILE_PAGES	((long)(FILE_SIZE / PAGE_SIZE))
#define MAX_NODES	64UL
/* Batches of the counters that are on their way, and what else goes on. */
#define NOISE		300L
/* Several times what promotion waits before it begins. */
#define A_WHILE_US	1500000
#define FAST_SIZE	(256 * SZ_1M)
#define TRIES		10
/* Seconds that promotion may wait: a second for two GiB, as its rate is, and to begin. */
#define MAX_IDLE	(FAST_SIZE / (double)(2 * SZ_1G) + 0.3)
#define RATE		"/sys/module/gmem/parameters/promotion_mib"

static void require_nodes(void)
{
	u64 allowed = 0;

	syscall(SYS_get_mempolicy, NULL, &allowed, MAX_NODES, NULL, MPOL_F_MEMS_ALLOWED);
	if ((allowed & 3) != 3)
		tap_skip("one node only");
	if (!gmem_huge())
		tap_skip("no huge runs");
}

/* The calling thread's pages come from @node. Other threads' pages do not have to. */
static void bind_thread(int node)
{
	u64 nodes = 1UL << node;

	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, MAX_NODES));
}

/* Pages of files that are on @node. */
static long file_pages(int node)
{
	char path[64], text[16384], *at;
	ssize_t length;
	int fd;

	fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "1", 1) == 1, "stat_refresh: %m");
	close(fd);
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", node);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_OK(fd);
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		length = 0;
	close(fd);
	text[length] = '\0';
	at = strstr(text, "nr_file_pages ");
	CHECK(at, "%s has no nr_file_pages", path);
	return strtol(at + strlen("nr_file_pages "), NULL, 10);
}

/* Require node @node to have @want pages more than @before. */
static void check_more(int node, long before, long want)
{
	long more = file_pages(node) - before;

	CHECK(more > want - NOISE && more < want + NOISE, "node %d has %ld pages more, not %ld",
	      node, more, want);
}

/* Allocates all pages of the file by calls of less than a run, so that no block is taken. */
static void preallocate(int fd, u64 size)
{
	for (u64 at = 0; at < size; at += SZ_2M) {
		MUST(gmem_alloc(fd, at, SZ_2M - PAGE_SIZE));
		MUST(gmem_alloc(fd, at + SZ_2M - PAGE_SIZE, PAGE_SIZE));
	}
}

/* Waits for @want promotions of the file; how many there were in the end. */
static long promotions(int fd, long want)
{
	long done = 0;

	AWAIT((done = gmem_counter(fd, "gmem_promotions")) >= want, "not %ld promotions", want);
	return done;
}

static void test_promotion_stays_on_the_node(void)
{
	long before[2];

	require_nodes();
	for (int node = 0; node < 2; node++) {
		struct vm *vm = vm_create_private(1);
		int fd = vm_add_private(vm, FILE_SIZE);

		bind_thread(node);
		for (int i = 0; i < 2; i++)
			before[i] = file_pages(i);
		preallocate(fd, FILE_SIZE);
		MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
		CHECK_EQ(promotions(fd, RUNS), RUNS);
		CHECK_EQ(gmem_counter(fd, "gmem_runs_2m"), RUNS);
		check_more(node, before[node], FILE_PAGES);
		check_more(!node, before[!node], 0);
		MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
		vm_delete_slot(vm, TEST_SLOT);
		close(fd);
		/* Nothing is left on either node. */
		for (int i = 0; i < 2; i++)
			check_more(i, before[i], 0);
		vm_free(vm);
	}
}

/* Half of each run on another node: it stays, and both go on to have theirs. */
static void test_runs_on_both_nodes(void)
{
	struct vm *vm;
	long before[2];
	int fd;

	require_nodes();
	vm = vm_create_private(1);
	fd = vm_add_private(vm, FILE_SIZE);
	for (int i = 0; i < 2; i++)
		before[i] = file_pages(i);
	for (u64 at = 0; at < FILE_SIZE; at += SZ_1M) {
		bind_thread(at / SZ_1M % 2);
		MUST(gmem_alloc(fd, at, SZ_1M));
	}
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	let_pass(A_WHILE_US);
	CHECK_EQ(gmem_counter(fd, "gmem_promotions"), 0);
	for (int i = 0; i < 2; i++)
		check_more(i, before[i], FILE_PAGES / 2);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	for (int i = 0; i < 2; i++)
		check_more(i, before[i], 0);
}

/* The policy that the file has by now is against the node of its pages. */
static void test_a_policy_against_it(void)
{
	u64 nodes = 2;
	struct vm *vm;
	int fd;
	char *p;

	require_nodes();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	bind_thread(0);
	preallocate(fd, FILE_SIZE);
	CHECK_OK(syscall(SYS_mbind, p, SZ_2M, MPOL_BIND, &nodes, MAX_NODES, 0));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	/* Those without a policy become huge. */
	CHECK_EQ(promotions(fd, RUNS - 1), RUNS - 1);
	let_pass(A_WHILE_US);
	CHECK_EQ(gmem_counter(fd, "gmem_promotions"), RUNS - 1);
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "content");
}

/* The cpuset that the file's maker is in by now is against it, too. */
static void test_a_cpuset_against_it(void)
{
	char controllers[256];
	struct vm *vm;
	int fd;

	require_nodes();
	cgroup_make("nodes", ~0UL >> 1);
	cgroup_get("", "cgroup.controllers", controllers, sizeof(controllers));
	if (!strstr(controllers, "cpuset"))
		tap_skip("no cpusets");
	cgroup_put("", "cgroup.subtree_control", "+cpuset");
	cgroup_put("nodes", "cpuset.mems", "1");
	cgroup_enter("nodes");
	vm = vm_create_private(1);
	fd = vm_add_private(vm, FILE_SIZE);
	preallocate(fd, FILE_SIZE);
	cgroup_put("nodes", "cpuset.mems", "0");
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	let_pass(A_WHILE_US);
	CHECK_EQ(gmem_counter(fd, "gmem_promotions"), 0);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	cgroup_enter(NULL);
	cgroup_remove("nodes");
}

/* If the cgroup cannot pay, promotion tries now and then: its CPU time is short. */
static void check_trying(int fd, double seconds)
{
	const double tried = gmem_counter(fd, "gmem_promotion_ns") / 1e9;

	CHECK(tried > 0 && tried < seconds / 2, "it took %.3f s of %.3f", tried, seconds);
}

/* At its limit a cgroup is asked now and then, and the guest keeps its mappings. */
static void test_a_cgroup_at_its_limit(void)
{
	struct vm *vm;
	double begun;
	int fd;

	require_nodes();
	vm = vm_create_private(1);
	memcg_begin(FILE_SIZE + SZ_1M);
	memcg_enter("owner");
	fd = vm_gmem(vm, FILE_SIZE);
	memcg_enter("other");
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	preallocate(fd, FILE_SIZE);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	begun = now();
	/* Until it was tried. */
	while (!over_at(begun + A_WHILE_US / 1e6, gmem_counter(fd, "gmem_promotion_ns"))) {
		let_pass(A_WHILE_US / 20);
		CHECK((long)kvm_stat(vm->fd, "pages_4k") >= FILE_PAGES, "%ld pages are mapped",
		      (long)kvm_stat(vm->fd, "pages_4k"));
	}
	check_trying(fd, now() - begun);
	CHECK_EQ(gmem_counter(fd, "gmem_promotions"), 0);
	memcg_set_limit("max");
	CHECK_EQ(promotions(fd, RUNS), RUNS);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	memcg_end();
}

static void set_rate(const char *mib)
{
	int fd = open(RATE, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, mib, strlen(mib)) == (ssize_t)strlen(mib), RATE ": %m");
	close(fd);
}

struct pace {
	double took;	/* seconds until all of a preallocated file is huge */
	double idle;	/* of which no CPU had to do with it */
};

static struct pace pace_at(const char *mib)
{
	const long runs = FAST_SIZE / SZ_2M;
	struct vm *vm = vm_create_private(1);
	int fd = vm_add_private(vm, FAST_SIZE);
	struct pace pace;
	double began;

	set_rate("0");
	preallocate(fd, FAST_SIZE);
	MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA, 8, PAGE_SIZE, FAST_SIZE / PAGE_SIZE - 1,
			       7));
	let_pass(500000);
	CHECK_EQ(gmem_counter(fd, "gmem_promotions"), 0);
	set_rate(mib);
	began = now();
	MUST(guest_touch_write(&vm->vcpus[0], TEST_GPA + FAST_SIZE - PAGE_SIZE, 8, 8, 1, 7));
	AWAIT(gmem_counter(fd, "gmem_runs_2m") >= runs, "not all is huge");
	pace.took = now() - began;
	pace.idle = pace.took - gmem_counter(fd, "gmem_promotion_ns") / 1e9;
	tap_diag("%ld MiB at %s MiB a second: %.2f s, of which %.2f idle", FAST_SIZE / SZ_1M, mib,
		 pace.took, pace.idle);
	CHECK_EQ(gmem_counter(fd, "gmem_runs_2m"), runs);
	set_rate("2048");
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	vm_free(vm);
	return pace;
}

static void test_the_rate(void)
{
	struct pace slow, fast;
	int tries = 0;

	require_nodes();
	slow = pace_at("128");
	CHECK(slow.took >= 1.9, "%.2f s", slow.took);
	/* How long copying takes is the machine's affair; what it waits is ours, at best. */
	do
		fast = pace_at("2048");
	while (fast.idle >= MAX_IDLE && ++tries < TRIES);
	CHECK(fast.idle < MAX_IDLE, "%.2f s idle", fast.idle);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_promotion_stays_on_the_node),
	TAP_TEST(test_runs_on_both_nodes),
	TAP_TEST(test_a_policy_against_it),
	TAP_TEST(test_a_cpuset_against_it),
	TAP_TEST(test_a_cgroup_at_its_limit),
	TAP_TEST(test_the_rate),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
