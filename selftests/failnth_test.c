// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every call fails once: the nth of the calling task, n = 1,
 * 2, ... until the call has fewer. A call that fails says ENOMEM and has changed
 * nothing; without the failure it succeeds then. For kernels with FAULT_INJECTION:
 * elsewhere this program plans no test. Leaks are tap_main()'s to find, and
 * kmemleak's (GMEM_VM_KMEMLEAK=1).
 *
 * Tests: gmem/memory.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failnth.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "vm.h"

#define SIZE		(2 * SZ_2M)
#define MOST_POINTS	5000

/* What a call works on, made anew for each n. */
struct state {
	struct vm *vm;
	int fd;
	void *hva;
	u64 source[512];
	int lowest;	/* free descriptor before the call */
};

struct call {
	/* 0 or a descriptor, or -errno. */
	int (*run)(struct state *s);
	void (*set_up)(struct state *s);
	/* After a failure, and after success. */
	void (*unchanged)(struct state *s);
	void (*done)(struct state *s, int answer);
	/* Whether the call allocates at all. */
	bool allocates;
};

static u64 blocks(struct state *s)
{
	struct stat st;

	CHECK_OK(fstat(s->fd, &st));
	return st.st_blocks;
}

static void usual(struct state *s)
{
	u64 word;

	s->vm = vm_create_private(1);
	/* Has KVM stock the vCPU with what page tables are made of: not ours to fail. */
	MUST(guest_read(&s->vm->vcpus[0], AGENT_GPA, 8, &word));
	s->fd = vm_gmem(s->vm, SIZE);
	s->hva = vm_add_slot(s->vm, TEST_SLOT, TEST_GPA, SIZE, s->fd, 0);
	vm_make_private(s->vm, TEST_GPA, SIZE);
	for (int i = 0; i < 512; i++)
		s->source[i] = i + 1;
}

static void filled(struct state *s)
{
	usual(s);
	MUST(guest_fill(&s->vm->vcpus[0], TEST_GPA, SIZE, 1));
}

static void works(struct state *s)
{
	MUST(guest_fill(&s->vm->vcpus[0], TEST_GPA, SIZE, 5));
	MUST(guest_check(&s->vm->vcpus[0], TEST_GPA, SIZE, 5));
}

static void is_empty(struct state *s)
{
	CHECK_EQ(blocks(s), 0);
}

static void is_filled(struct state *s)
{
	MUST(guest_check(&s->vm->vcpus[0], TEST_GPA, SIZE, 1));
}

static void works_after(struct state *s, int answer)
{
	CHECK_EQ(answer, 0);
	works(s);
}

/* Create. */
static int run_create(struct state *s)
{
	return vm_create_gmem(s->vm, SIZE, 0);
}

static void no_descriptor(struct state *s)
{
	int next = dup(s->fd);

	close(next);
	CHECK_EQ(next, s->lowest);
}

static void descriptor(struct state *s, int answer)
{
	CHECK(answer > 0, "create: %s", strerror(-answer));
	close(answer);
	works(s);
}

static void before_create(struct state *s)
{
	usual(s);
	s->lowest = dup(s->fd);
	close(s->lowest);
}

/* Bind: the same range of the file can be bound only when it is not bound yet. */
static void unbound(struct state *s)
{
	usual(s);
	vm_delete_slot(s->vm, TEST_SLOT);
}

static int run_bind(struct state *s)
{
	return vm_set_region2(s->vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SIZE, s->hva,
			      s->fd, 0);
}

static int run_unbind(struct state *s)
{
	return vm_set_region(s->vm, TEST_SLOT, 0, 0, 0, NULL);
}

static void bindable(struct state *s, int answer)
{
	CHECK_EQ(answer, 0);
	MUST(run_bind(s));
	is_filled(s);
	works(s);
}

/* Fallocate: some of it may be there. */
static int run_alloc(struct state *s)
{
	return gmem_alloc(s->fd, 0, SIZE);
}

static void at_most_all(struct state *s)
{
	CHECK(blocks(s) <= SIZE / 512, "more than the file has room for");
}

static int run_punch(struct state *s)
{
	return gmem_punch(s->fd, PAGE_SIZE, SZ_2M);
}

static void punched(struct state *s, int answer)
{
	struct vcpu *vcpu = &s->vm->vcpus[0];

	CHECK_EQ(answer, 0);
	MUST(guest_check(vcpu, TEST_GPA, PAGE_SIZE, 1));
	MUST(guest_check_zero(vcpu, TEST_GPA + PAGE_SIZE, SZ_2M));
	MUST(guest_check(vcpu, TEST_GPA + PAGE_SIZE + SZ_2M, SZ_2M - PAGE_SIZE, 1));
	works(s);
}

static int run_prefault(struct state *s)
{
	u64 gpa = TEST_GPA, size = PAGE_SIZE;

	return vcpu_pre_fault(&s->vm->vcpus[0], &gpa, &size);
}

/* A guest's fault: KVM_RUN fails, and run again goes on. */
static int run_fault(struct state *s)
{
	struct vcpu *vcpu = &s->vm->vcpus[0];
	enum vm_exit exit = guest_write(vcpu, TEST_GPA + 5 * PAGE_SIZE, 8, 1);

	if (exit == EXIT_DONE)
		return 0;
	CHECK(vcpu->error, "%s", vcpu_exit_text(vcpu));
	return -vcpu->error;
}

static int run_populate(struct state *s)
{
	struct gmem_test_populate req = {
		.gfn = TEST_GPA / PAGE_SIZE,
		.source = (u64)s->source,
		.npages = 1,
		.fail_gfn = ~0ULL,
		.vm_fd = s->vm->fd,
	};
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, GMEM_TEST_POPULATE, &req);
	ret = ret < 0 ? -errno : ret;
	close(fd);
	return ret;
}

static void populated(struct state *s, int answer)
{
	u64 word;

	CHECK_EQ(answer, 1);
	MUST(guest_read(&s->vm->vcpus[0], TEST_GPA + 8 * 100, 8, &word));
	CHECK_EQ(word, s->source[100]);
	works(s);
}

/* Nothing is there yet, not even records of it. */
static void sparse(struct state *s)
{
	usual(s);
	vm_delete_slot(s->vm, TEST_SLOT);
	vm_unreserve(s->hva, SIZE);
	close(s->fd);
	s->fd = gmem_add_mappable(s->vm, SIZE, SHARED_AT_FIRST);
	s->hva = gmem_map(s->fd, 0, SIZE);
}

static void is_zero(struct state *s)
{
	CHECK(mem_is_zero(s->hva, SIZE), "shared and empty");
}

/* Conversion: most is shared and mapped, a page here and a few there are private. */
static const struct {
	u64 page, count;
} stripes[] = { { 7, 1 }, { 509, 6 } };

static void mixed(struct state *s)
{
	sparse(s);
	MUST(guest_fill(&s->vm->vcpus[0], TEST_GPA, SIZE, 1));
	for (size_t i = 0; i < ARRAY_SIZE(stripes); i++)
		gmem_make_private(s->fd, stripes[i].page * PAGE_SIZE, stripes[i].count * PAGE_SIZE);
}

static bool in_stripe(u64 page)
{
	for (size_t i = 0; i < ARRAY_SIZE(stripes); i++)
		if (page - stripes[i].page < stripes[i].count)
			return true;
	return false;
}

static void is_mixed(struct state *s)
{
	for (u64 off = 0; off < SIZE; off += PAGE_SIZE)
		CHECK(in_stripe(off / PAGE_SIZE) ? mem_is_hidden(s->hva + off) :
		      mem_holds(s->hva + off, TEST_GPA + off, PAGE_SIZE, 1),
		      "page %lu has changed", off / PAGE_SIZE);
	is_filled(s);
}

static int run_to_private(struct state *s)
{
	return gmem_convert(s->fd, 0, SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL);
}

static int run_to_shared(struct state *s)
{
	return gmem_convert(s->fd, 0, SIZE, 0, NULL);
}

static int run_to_private_by_vm(struct state *s)
{
	return vm_set_attributes(s->vm, TEST_GPA, SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static void is_hidden(struct state *s, int answer)
{
	CHECK_EQ(answer, 0);
	for (u64 off = 0; off < SIZE; off += PAGE_SIZE)
		CHECK(mem_is_hidden(s->hva + off), "page %lu is shared", off / PAGE_SIZE);
	works(s);
}

static void is_private(struct state *s, int answer)
{
	is_filled(s);
	is_hidden(s, answer);
}

static void is_shared(struct state *s, int answer)
{
	CHECK_EQ(answer, 0);
	CHECK(mem_holds(s->hva, TEST_GPA, SIZE, 1), "content");
	works(s);
	CHECK(mem_holds(s->hva, TEST_GPA, SIZE, 5), "what the guest wrote");
}

/* A slot of a file that has states: KVM's attributes follow. */
static void mixed_unbound(struct state *s)
{
	mixed(s);
	vm_delete_slot(s->vm, TEST_SLOT);
	vm_make_private(s->vm, TEST_GPA + SZ_1M, SZ_1M);
}

static int run_bind_mixed(struct state *s)
{
	return vm_set_region2(s->vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, SIZE, NULL, s->fd,
			      0);
}

static void is_mixed_unbound(struct state *s)
{
	for (u64 off = 0; off < SIZE; off += PAGE_SIZE)
		CHECK(in_stripe(off / PAGE_SIZE) == mem_is_hidden(s->hva + off),
		      "page %lu has changed", off / PAGE_SIZE);
}

static void is_mixed_now(struct state *s, int answer)
{
	CHECK_EQ(answer, 0);
	is_mixed(s);
	works(s);
}

static void fail_each(const struct call *call)
{
	unsigned int n, refused = 0;
	bool injected = true;

	failnth_begin();
	for (n = 1; injected; n++) {
		struct state *s = calloc(1, sizeof(*s));
		int answer;

		CHECK(n < MOST_POINTS, "there is no end of it");
		call->set_up(s);
		failnth_arm(n);
		answer = call->run(s);
		injected = failnth_disarm();
		if (answer < 0) {
			CHECK(injected, "fails by itself: %s", strerror(-answer));
			CHECK(answer == -ENOMEM, "allocation %u: %s", n, strerror(-answer));
			refused++;
			call->unchanged(s);
			answer = call->run(s);
		}
		call->done(s, answer);
		close(s->fd);
		vm_unreserve(s->hva, SIZE);
		vm_free(s->vm);
		free(s);
	}
	tap_diag("%u allocations failed, %u calls with them", n - 2, refused);
	CHECK(!call->allocates || refused, "no allocation was made to fail");
}

#define FAIL_EACH(name, ...)						\
	static void test_##name(void)					\
	{								\
		const struct call call = { __VA_ARGS__ };		\
									\
		fail_each(&call);					\
	}

FAIL_EACH(create, run_create, before_create, no_descriptor, descriptor, true)
FAIL_EACH(bind, run_bind, unbound, is_empty, works_after, true)
FAIL_EACH(unbind, run_unbind, filled, is_filled, bindable, false)
FAIL_EACH(fallocate, run_alloc, usual, at_most_all, works_after, true)
FAIL_EACH(punch, run_punch, filled, is_filled, punched, false)
FAIL_EACH(pre_fault, run_prefault, usual, at_most_all, works_after, true)
FAIL_EACH(fault, run_fault, usual, at_most_all, works_after, true)
/* What these need is tried again with more patience, or is there. */
FAIL_EACH(to_private, run_to_private, mixed, is_mixed, is_private, false)
FAIL_EACH(to_shared, run_to_shared, mixed, is_mixed, is_shared, false)
FAIL_EACH(to_private_by_vm, run_to_private_by_vm, mixed, is_mixed, is_private, false)
FAIL_EACH(to_private_sparse, run_to_private, sparse, is_zero, is_hidden, true)
FAIL_EACH(bind_mixed, run_bind_mixed, mixed_unbound, is_mixed_unbound, is_mixed_now, true)

static void test_populate(void)
{
	const struct call call = { run_populate, usual, at_most_all, populated, true };

	if (access(GMEM_TEST_PATH, F_OK))
		tap_skip("no gmem_test.ko");
	fail_each(&call);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_create), TAP_TEST(test_bind), TAP_TEST(test_unbind),
		TAP_TEST(test_fallocate), TAP_TEST(test_punch), TAP_TEST(test_pre_fault),
		TAP_TEST(test_fault), TAP_TEST(test_populate), TAP_TEST(test_to_private),
		TAP_TEST(test_to_shared), TAP_TEST(test_to_private_by_vm),
		TAP_TEST(test_to_private_sparse), TAP_TEST(test_bind_mixed),
	};
	struct tap_test timed[ARRAY_SIZE(tests)];

	if (!failnth_or_plan_none())
		return 0;
	memcpy(timed, tests, sizeof(tests));
	for (size_t i = 0; i < ARRAY_SIZE(timed); i++)
		timed[i].timeout = 300;
	return tap_main(timed, ARRAY_SIZE(timed));
}
