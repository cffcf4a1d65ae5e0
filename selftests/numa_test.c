// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory policy of a mapped guest_memfd: mbind() on a mapping sets the file's policy. New
 * pages come from the policy's nodes, whichever task touches them first. Needs two nodes
 * (scripts/vm --append numa=fake=2).
 *
 * Tests: gmem/block.cc, kapi/pages.c.
 */
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(4 * SZ_2M)
#define MAX_NODES	64UL

static long mbind(void *p, u64 len, int mode, u64 nodes)
{
	return syscall(SYS_mbind, p, len, mode, &nodes, MAX_NODES, 0);
}

static int policy_at(void *p, u64 *nodes)
{
	int mode;

	*nodes = 0;
	CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, MAX_NODES, p, MPOL_F_ADDR));
	return mode;
}

/* The node of the page at @p, which is brought in if it was not there. */
static int node_of(void *p)
{
	int node;

	CHECK_OK(syscall(SYS_get_mempolicy, &node, NULL, 0, p, MPOL_F_ADDR | MPOL_F_NODE));
	return node;
}

static void require_nodes(void)
{
	u64 allowed = 0;

	syscall(SYS_get_mempolicy, NULL, &allowed, MAX_NODES, NULL, MPOL_F_MEMS_ALLOWED);
	if ((allowed & 3) != 3)
		tap_skip("one node only");
}

/* Pages of [p, p + len) are on @node. */
static void check_nodes(char *p, u64 len, int node)
{
	for (u64 off = 0; off < len; off += 16 * PAGE_SIZE)
		CHECK(node_of(p + off) == node, "page %lu is on node %d", off / PAGE_SIZE,
		      node_of(p + off));
}

static void test_policy_is_kept(void)
{
	char *p, *other, *at;
	u64 nodes;
	int fd;

	require_nodes();
	fd = gmem_mappable(vm_create(KVM_X86_DEFAULT_VM, 0), FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	other = gmem_map(fd, 0, FILE_SIZE);
	CHECK_EQ(policy_at(p, &nodes), MPOL_DEFAULT);
	CHECK_OK(mbind(p, SZ_2M, MPOL_BIND, 2));
	CHECK_OK(mbind(p + SZ_2M, SZ_2M, MPOL_INTERLEAVE, 3));
	/* The file's, so every mapping has it. */
	for (int i = 0; i < 2; i++) {
		at = i ? other : p;
		CHECK_EQ(policy_at(at, &nodes), MPOL_BIND);
		CHECK_EQ(nodes, 2);
		CHECK_EQ(policy_at(at + SZ_2M, &nodes), MPOL_INTERLEAVE);
		CHECK_EQ(nodes, 3);
		CHECK_EQ(policy_at(at + 2 * SZ_2M, &nodes), MPOL_DEFAULT);
	}
	CHECK_OK(mbind(p, FILE_SIZE, MPOL_DEFAULT, 0));
	CHECK_EQ(policy_at(p, &nodes), MPOL_DEFAULT);
	CHECK_ERRNO(mbind(p, SZ_2M, MPOL_BIND, 0), EINVAL);
	CHECK_ERRNO(mbind(p, SZ_2M, MPOL_BIND, 1UL << 60), EINVAL);
}

static void test_user_touch(void)
{
	int fd;
	char *p;

	require_nodes();
	fd = gmem_mappable(vm_create(KVM_X86_DEFAULT_VM, 0), FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	for (int node = 0; node < 2; node++) {
		CHECK_OK(mbind(p, FILE_SIZE, MPOL_BIND, 1 << node));
		mem_fill(p, 0, FILE_SIZE, 1);
		check_nodes(p, FILE_SIZE, node);
		MUST(gmem_punch(fd, 0, FILE_SIZE));
	}
}

/* By the guest and by fallocate(), with no mapping left. */
static void test_other_touches(void)
{
	struct vm *vm;
	int fd;
	char *p;

	require_nodes();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	for (int node = 0; node < 2; node++) {
		p = gmem_map(fd, 0, FILE_SIZE);
		CHECK_OK(mbind(p, FILE_SIZE, MPOL_BIND, 1 << node));
		CHECK_OK(munmap(p, FILE_SIZE));
		MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_2M, 1));
		MUST(gmem_alloc(fd, SZ_2M, SZ_2M));
		p = gmem_map(fd, 0, FILE_SIZE);
		check_nodes(p, 2 * SZ_2M, node);
		MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_2M, 1));
		MUST(gmem_punch(fd, 0, FILE_SIZE));
		CHECK_OK(munmap(p, FILE_SIZE));
	}
}

/* A policy of private pages, which user space cannot touch until they are shared. */
static void test_private_pages(void)
{
	struct vm *vm;
	int fd;
	char *p;

	require_nodes();
	vm = vm_create_private(1);
	fd = gmem_add_mappable(vm, FILE_SIZE, PRIVATE_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	for (int node = 0; node < 2; node++) {
		CHECK_OK(mbind(p, FILE_SIZE, MPOL_BIND, 1 << node));
		MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
		gmem_make_shared(fd, 0, FILE_SIZE);
		check_nodes(p, FILE_SIZE, node);
		CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "content");
		gmem_make_private(fd, 0, FILE_SIZE);
		MUST(gmem_punch(fd, 0, FILE_SIZE));
	}
}

/* Parts of a run from different nodes: the policy counts for each page. */
static void test_policy_within_a_run(void)
{
	int fd;
	char *p;

	require_nodes();
	fd = gmem_mappable(vm_create(KVM_X86_DEFAULT_VM, 0), FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	CHECK_OK(mbind(p, SZ_1M, MPOL_BIND, 1));
	CHECK_OK(mbind(p + SZ_1M, SZ_1M, MPOL_BIND, 2));
	mem_fill(p, 0, SZ_2M, 1);
	check_nodes(p, SZ_1M, 0);
	check_nodes(p + SZ_1M, SZ_1M, 1);
	CHECK(mem_holds(p, 0, SZ_2M, 1), "content");
}

/* Without a policy of the file's the toucher's own counts. */
static void test_task_policy(void)
{
	u64 nodes = 2;
	int fd;
	char *p;

	require_nodes();
	fd = gmem_mappable(vm_create(KVM_X86_DEFAULT_VM, 0), FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, MAX_NODES));
	mem_fill(p, 0, SZ_2M, 1);
	check_nodes(p, SZ_2M, 1);
	CHECK_OK(mbind(p, FILE_SIZE, MPOL_BIND, 1));
	mem_fill(p + SZ_2M, 0, SZ_2M, 1);
	check_nodes(p + SZ_2M, SZ_2M, 0);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_policy_is_kept),
	TAP_TEST(test_user_touch),
	TAP_TEST(test_other_touches),
	TAP_TEST(test_private_pages),
	TAP_TEST(test_policy_within_a_run),
	TAP_TEST(test_task_policy),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
