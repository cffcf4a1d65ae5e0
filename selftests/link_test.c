// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_LINK_GUEST_MEMFD: the memory of one VM becomes another's, as it is; the first
 * has no way to it any more. Refused on hardware and its models (platform_test).
 *
 * Tests: mmu/link.cc.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(2 * SZ_2M)

static int vm_link(struct vm *vm, u64 fd, u64 flags)
{
	struct kvm_link_guest_memfd args = { .fd = fd, .flags = flags };
	int ret = ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &args);

	return ret < 0 ? -errno : ret;
}

static void show(struct vm *vm, int fd, void *hva)
{
	MUST(vm_set_region2(vm, TEST_SLOT, KVM_MEM_GUEST_MEMFD, TEST_GPA, FILE_SIZE, hva, fd, 0));
}

/* Moves the memory of @fd, all of it private, to @vm and shows it there. */
static int move(struct vm *vm, int fd)
{
	int to = vm_link(vm, fd, 0);

	CHECK(to >= 0, "link: %s", strerror(-to));
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, to, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	return to;
}

/* A guest's access to what has gone. */
static void check_gone(struct vm *vm)
{
	u64 value;

	CHECK_EQ(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(vm->vcpus[0].error, EFAULT);
	CHECK_EQ(vm->vcpus[0].gpa, TEST_GPA);
}

static void check_closed(int fd)
{
	struct vm *third = vm_create_private(0);

	CHECK_EQ(gmem_alloc(fd, 0, PAGE_SIZE), -ESTALE);
	CHECK_EQ(gmem_punch(fd, 0, PAGE_SIZE), -ESTALE);
	CHECK_EQ(vm_link(third, fd, 0), -ESTALE);
	vm_free(third);
}

static void test_refusals(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(0);
	struct vm *other_type = vm_create(KVM_X86_DEFAULT_VM, 0);
	struct kvm_link_guest_memfd args = { 0 };
	int fd = vm_add_private(a, FILE_SIZE), null = open("/dev/null", O_RDWR);

	CHECK_EQ(vm_check(b, KVM_CAP_GUEST_MEMFD_LINK), 1);
	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD_LINK), 1);
	MUST(guest_fill(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	CHECK_EQ(vm_link(b, 99, 0), -EINVAL);
	CHECK_EQ(vm_link(b, fd + (1UL << 32), 0), -EINVAL);
	CHECK_EQ(vm_link(b, -1UL, 0), -EINVAL);
	CHECK_EQ(vm_link(b, null, 0), -EINVAL);
	CHECK_EQ(vm_link(b, b->fd, 0), -EINVAL);
	CHECK_EQ(vm_link(b, fd, 1), -EINVAL);
	CHECK_EQ(vm_link(a, fd, 0), -EINVAL);
	CHECK_EQ(vm_link(other_type, fd, 0), -EINVAL);
	args.fd = fd;
	args.reserved[0] = 1;
	CHECK_ERRNO(ioctl(b->fd, KVM_LINK_GUEST_MEMFD, &args), EINVAL);
	CHECK_ERRNO(ioctl(b->fd, KVM_LINK_GUEST_MEMFD, NULL), EFAULT);
	/* Nothing has happened. */
	MUST(guest_check(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	MUST(gmem_punch(fd, 0, PAGE_SIZE));
}

/* A child's VM ioctls are refused, as all of KVM's are; the file comes along. */
static void test_other_process(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(0);
	int fd = vm_add_private(a, FILE_SIZE), status;
	pid_t pid;

	MUST(guest_fill(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	pid = fork();
	if (!pid)
		_exit(vm_link(b, fd, 0) == -EIO ? 0 : 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	pid = fork();
	if (!pid) {
		/* Its own VM takes the memory. */
		struct vm *own = vm_create_private(1);

		move(own, fd);
		_exit(guest_check(&own->vcpus[0], TEST_GPA, FILE_SIZE, 1) ? 1 : 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_gone(a);
}

static void test_content(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(1);
	int fd = vm_add_private(a, FILE_SIZE), to;
	struct stat one, two;
	long runs;

	MUST(guest_fill(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	MUST(gmem_punch(fd, SZ_2M, PAGE_SIZE));
	runs = gmem_counter(fd, "runs_2m");
	to = move(b, fd);
	CHECK_EQ(gmem_counter(to, "runs_2m"), runs);
	CHECK_OK(fstat(fd, &one));
	CHECK_OK(fstat(to, &two));
	CHECK_EQ(one.st_ino, two.st_ino);
	CHECK_EQ(one.st_size, two.st_size);
	CHECK_EQ(one.st_blocks, two.st_blocks);
	MUST(guest_check(&b->vcpus[0], TEST_GPA, SZ_2M, 1));
	MUST(guest_check_zero(&b->vcpus[0], TEST_GPA + SZ_2M, PAGE_SIZE));
	MUST(guest_check(&b->vcpus[0], TEST_GPA + SZ_2M + PAGE_SIZE, SZ_2M - PAGE_SIZE, 1));
	check_gone(a);
	check_closed(fd);
	/* The memslot and the descriptor of before end without a trace. */
	vm_delete_slot(a, TEST_SLOT);
	close(fd);
	vm_free(a);
	MUST(guest_check(&b->vcpus[0], TEST_GPA, SZ_2M, 1));
	MUST(gmem_punch(to, 0, FILE_SIZE));
	MUST(guest_check_zero(&b->vcpus[0], TEST_GPA, FILE_SIZE));
}

static void test_there_and_back(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(1);
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	int fd = vm_add_private(a, FILE_SIZE);

	vm_make_private(b, TEST_GPA, FILE_SIZE);
	for (u64 round = 0; round < 8; round++) {
		struct vm *from = round & 1 ? b : a, *to = round & 1 ? a : b;
		int next;

		MUST(guest_fill(&from->vcpus[0], TEST_GPA, FILE_SIZE, round));
		next = vm_link(to, fd, 0);
		CHECK(next >= 0, "link: %s", strerror(-next));
		check_gone(from);
		vm_delete_slot(from, TEST_SLOT);
		show(to, next, hva);
		MUST(guest_check(&to->vcpus[0], TEST_GPA, FILE_SIZE, round));
		close(fd);
		fd = next;
	}
}

/* Private and shared pages are what they were; mappings of user space stay. */
static void test_states(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(1);
	int fd = gmem_add_mappable(a, FILE_SIZE, PRIVATE_AT_FIRST), to;
	bool private[FILE_SIZE / PAGE_SIZE];
	char *p = gmem_map(fd, 0, FILE_SIZE), *q;
	u64 value;

	MUST(guest_fill(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	gmem_make_shared(fd, SZ_1M, SZ_2M);
	mem_fill(p + SZ_1M, TEST_GPA + SZ_1M, SZ_2M, 2);
	to = vm_link(b, fd, 0);
	CHECK(to >= 0, "link: %s", strerror(-to));
	gmem_add_slot(b, TEST_SLOT, TEST_GPA, FILE_SIZE, to, 0);
	MUST(guest_check(&b->vcpus[0], TEST_GPA, SZ_1M, 1));
	MUST(guest_check(&b->vcpus[0], TEST_GPA + SZ_1M, SZ_2M, 2));
	MUST(guest_check(&b->vcpus[0], TEST_GPA + 3 * SZ_1M, SZ_1M, 1));
	/* The first guest has neither kind. */
	check_gone(a);
	CHECK_EQ(guest_read(&a->vcpus[0], TEST_GPA + SZ_1M, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(gmem_convert(fd, 0, PAGE_SIZE, 0, NULL), -ESTALE);
	CHECK_EQ(vm_set_region2(a, TEST_SLOT + 1, KVM_MEM_GUEST_MEMFD, TEST_GPA + SZ_1G, FILE_SIZE,
				vm_reserve(TEST_GPA, FILE_SIZE), fd, 0), -ESTALE);
	q = gmem_map(to, 0, FILE_SIZE);
	CHECK(mem_holds(p + SZ_1M, TEST_GPA + SZ_1M, SZ_2M, 2), "a mapping of before");
	CHECK(mem_holds(q + SZ_1M, TEST_GPA + SZ_1M, SZ_2M, 2), "a new one");
	CHECK(mem_is_hidden(p) && mem_is_hidden(q), "private");
	gmem_make_private(to, SZ_1M, SZ_1M);
	CHECK(mem_is_hidden(p + SZ_1M) && mem_is_hidden(q + SZ_1M), "private by now");
	CHECK(mem_holds(p + SZ_2M, TEST_GPA + SZ_2M, SZ_1M, 2), "and nothing else");
	MUST(guest_check(&b->vcpus[0], TEST_GPA + SZ_1M, SZ_1M, 2));
	/* The first VM's attributes have no effect on the memory any more. */
	vm_make_shared(a, TEST_GPA, FILE_SIZE);
	CHECK(mem_is_hidden(p), "private still");
	for (u64 page = 0; page < FILE_SIZE / PAGE_SIZE; page++)
		private[page] = page < 512 || page >= 768;
	gmem_check_attributes(&b->vcpus[0], TEST_SLOT, TEST_GPA, private, FILE_SIZE / PAGE_SIZE,
			      50);
}

static void test_default_vms(void)
{
	struct vm *a = vm_create(KVM_X86_DEFAULT_VM, 1), *b = vm_create(KVM_X86_DEFAULT_VM, 1);
	int fd = gmem_add_mappable(a, FILE_SIZE, SHARED_AT_FIRST), to;
	char *p = gmem_map(fd, 0, FILE_SIZE);

	MUST(guest_fill(&a->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	to = vm_link(b, fd, 0);
	CHECK(to >= 0, "link: %s", strerror(-to));
	check_gone(a);
	gmem_add_slot(b, TEST_SLOT, TEST_GPA, FILE_SIZE, to, 0);
	MUST(guest_check(&b->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	MUST(guest_fill(&b->vcpus[0], TEST_GPA, FILE_SIZE, 2));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 2), "what the second guest wrote");
}

/* The end of either VM and either file, in every order. */
static void test_every_order(void)
{
	for (int code = 0; code < 256; code++) {
		const int order[] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };
		struct vm *vms[2];
		int fds[2], left = 15;

		for (int i = 0; i < 4; i++)
			left &= ~(1 << order[i]);
		if (left)
			continue;
		vms[0] = vm_create_private(1);
		vms[1] = vm_create_private(1);
		fds[0] = vm_add_private(vms[0], FILE_SIZE);
		MUST(guest_fill(&vms[0]->vcpus[0], TEST_GPA, SZ_1M, 1));
		fds[1] = move(vms[1], fds[0]);
		left = 15;
		for (int i = 0; i < 4; i++) {
			if (order[i] < 2)
				vm_free(vms[order[i]]);
			else
				close(fds[order[i] - 2]);
			left &= ~(1 << order[i]);
			if ((left & 10) == 10)
				MUST(guest_check(&vms[1]->vcpus[0], TEST_GPA, SZ_1M, 1));
		}
	}
}

/* Two that want the same memory: one gets it. */
struct claim {
	struct vm *vm;
	int fd, got;
};

static void *claim(void *arg)
{
	struct claim *c = arg;

	c->got = vm_link(c->vm, c->fd, 0);
	return NULL;
}

static void test_two_at_once(void)
{
	for (int round = 0; round < 20; round++) {
		struct vm *a = vm_create_private(1);
		struct claim claims[2];
		pthread_t threads[2];
		int winner;

		claims[0].fd = vm_add_private(a, FILE_SIZE);
		claims[1].fd = claims[0].fd;
		MUST(guest_fill(&a->vcpus[0], TEST_GPA, SZ_1M, 1));
		for (int i = 0; i < 2; i++) {
			claims[i].vm = vm_create_private(1);
			threads[i] = thread_start(claim, &claims[i]);
		}
		for (int i = 0; i < 2; i++)
			thread_join(threads[i]);
		winner = claims[0].got < 0;
		CHECK_EQ(claims[!winner].got, -ESTALE);
		vm_add_slot(claims[winner].vm, TEST_SLOT, TEST_GPA, FILE_SIZE, claims[winner].got,
			    0);
		vm_make_private(claims[winner].vm, TEST_GPA, FILE_SIZE);
		MUST(guest_check(&claims[winner].vm->vcpus[0], TEST_GPA, SZ_1M, 1));
		vm_free(a);
		close(claims[0].fd);
		close(claims[winner].got);
		for (int i = 0; i < 2; i++)
			vm_free(claims[i].vm);
	}
}

/*
 * Both guests run all the time and add to one word whenever they have it, while the
 * memory goes to and fro: none of the additions is lost.
 */
struct adder {
	struct vcpu *vcpu;
	u64 added;
};

static atomic_bool stop;

static void *add(void *arg)
{
	struct adder *adder = arg;
	u64 old;

	while (!atomic_load(&stop)) {
		enum vm_exit how = guest_fetch_add(adder->vcpu, TEST_GPA + 64, 8, 1, &old);

		if (how == EXIT_DONE)
			adder->added++;
		else
			CHECK(how == EXIT_MEMORY_FAULT, "%s", vcpu_exit_text(adder->vcpu));
	}
	return NULL;
}

static void test_running_guests(void)
{
	struct vm *vms[2] = { vm_create_private(1), vm_create_private(1) };
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);
	int fd = vm_add_private(vms[0], FILE_SIZE), at = 0;
	const double begun = now();
	struct adder adders[2] = { { &vms[0]->vcpus[0], 0 }, { &vms[1]->vcpus[0], 0 } };
	pthread_t threads[2];
	u64 sum;

	vm_make_private(vms[1], TEST_GPA, FILE_SIZE);
	/* For the first round to delete. */
	vm_add_slot(vms[1], TEST_SLOT, TEST_GPA, FILE_SIZE, -1, 0);
	for (int i = 0; i < 2; i++)
		threads[i] = thread_start(add, &adders[i]);
	for (int round = 0; round < 60 || !over_at(begun, adders[0].added && adders[1].added);
	     round++) {
		int next = vm_link(vms[!at], fd, 0);

		CHECK(next >= 0, "link: %s", strerror(-next));
		let_pass(1000);
		vm_delete_slot(vms[!at], TEST_SLOT);
		show(vms[!at], next, hva);
		close(fd);
		fd = next;
		at = !at;
		let_pass(5000);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		thread_join(threads[i]);
	MUST(guest_read(&vms[at]->vcpus[0], TEST_GPA + 64, 8, &sum));
	CHECK_EQ(sum, adders[0].added + adders[1].added);
	CHECK(adders[0].added && adders[1].added, "%lu and %lu", adders[0].added,
	      adders[1].added);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_refusals),
	TAP_TEST(test_other_process),
	TAP_TEST(test_content),
	TAP_TEST(test_there_and_back),
	TAP_TEST(test_states),
	TAP_TEST(test_default_vms),
	TAP_TEST(test_every_order),
	TAP_TEST(test_two_at_once),
	TAP_TEST(test_running_guests),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
