// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user who may open /dev/kvm and the model's node can do to launches: end at any
 * step, launch again and again, do everything at once. Nothing may be left behind.
 *
 * Tests: mmu/sev.cc, kapi/sev_regions.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "nobody.h"
#include "snp.h"
#include "uffd.h"

#define FILE_SIZE	(2 * SZ_2M)
#define LAUNCHES	200

/* Counters that a launch that has gone leaves as they were. */
static const char *const counters[] = { "pages", "leaked", "platform_reports", "runs_2m" };

struct counted {
	long of[ARRAY_SIZE(counters)];
};

static struct counted count(void)
{
	struct counted now;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		now.of[i] = gmem_total(counters[i]);
	/* cppcheck-suppress uninitvar */
	return now;
}

static void check_settled(const struct counted *before)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		AWAIT(gmem_total(counters[i]) == before->of[i], "%s is %ld, and was %ld",
		      counters[i], gmem_total(counters[i]), before->of[i]);
}

/* The first @steps of a launch. Descriptors stay open. */
static struct vm *launch(int steps)
{
	struct vm *vm = snp_vm(2);
	void *source = vm_source(SZ_2M);
	int fd;

	if (steps > 0)
		MUST(snp_start(vm, SNP_POLICY, NULL));
	fd = vm_gmem(vm, FILE_SIZE);
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	if (steps > 1)
		MUST(snp_update(vm, TEST_GPA, source, 16 * PAGE_SIZE, SNP_PAGE_NORMAL, NULL));
	if (steps > 2)
		MUST(snp_finish(vm, NULL));
	if (steps > 3)
		MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	vm_source_free(source, SZ_2M);
	return vm;
}

/* A process of its own is killed where it stands. */
static void test_killed_at_each_step(void)
{
	struct counted before;
	int steps, status;
	pid_t pid;

	snp_require_model();
	snp_node();
	before = count();
	for (steps = 0; steps <= 4; steps++) {
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			launch(steps);
			raise(SIGKILL);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "step %d failed: status 0x%x", steps, status);
		check_settled(&before);
	}
}

static void test_again_and_again(void)
{
	struct counted before;
	int i, status;
	pid_t pid;

	snp_require_model();
	before = count();
	for (i = 0; i < LAUNCHES; i++) {
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			launch(3);
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	check_settled(&before);
}

/* ---- all at once -------------------------------------------------------------------------- */

static struct {
	struct vm *vm;
	void *source;
	int stop;
	int fd;
	unsigned long commands;
} shared;

/* Any answer will do, so long as one comes. */
static void *commands(void *arg)
{
	struct snp_finish finish = {};
	struct snp_start start = { .policy = SNP_POLICY };
	u32 error;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&shared.stop, __ATOMIC_RELAXED); i++) {
		struct snp_update update = {
			.gfn_start = TEST_GPA / PAGE_SIZE + i % 1024,
			.uaddr = (uintptr_t)shared.source + i % 16 * PAGE_SIZE,
			.len = PAGE_SIZE * (1 + i % 3),
			.type = 1 + i % 6,
		};

		snp_command(shared.vm->fd, SNP_LAUNCH_UPDATE, &update, &error);
		__atomic_add_fetch(&shared.commands, 1, __ATOMIC_RELAXED);
		if (i % 7 == 0)
			snp_command(shared.vm->fd, SNP_LAUNCH_START, &start, &error);
		if (arg && i % 64 == 63)
			snp_command(shared.vm->fd, SNP_LAUNCH_FINISH, &finish, &error);
	}
	return NULL;
}

static void *memslots(void *arg __attribute__((unused)))
{
	void *hva = vm_reserve(TEST_GPA, FILE_SIZE);

	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		vm_set_region2(shared.vm, TEST_SLOT, 4, TEST_GPA, 0, hva, shared.fd, 0);
		vm_set_region2(shared.vm, TEST_SLOT, 4, TEST_GPA, FILE_SIZE, hva, shared.fd, 0);
		vm_set_attributes(shared.vm, TEST_GPA, SZ_2M, 0);
		vm_set_attributes(shared.vm, TEST_GPA, FILE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE);
		gmem_punch(shared.fd, 0, SZ_2M);
	}
	return NULL;
}

/* Sources come and go under the copies. */
static void *sources(void *arg __attribute__((unused)))
{
	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		mprotect(shared.source, 8 * PAGE_SIZE, PROT_NONE);
		mprotect(shared.source, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE);
		madvise(shared.source, 16 * PAGE_SIZE, MADV_DONTNEED);
	}
	return NULL;
}

static void *vcpus(void *arg __attribute__((unused)))
{
	unsigned int id;

	for (id = 10; id < 60 && !__atomic_load_n(&shared.stop, __ATOMIC_RELAXED); id++) {
		int fd = ioctl(shared.vm->fd, KVM_CREATE_VCPU, id);

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void race(bool finishes)
{
	pthread_t threads[5];
	double end = now() + 3;
	unsigned int i;

	snp_require_model();
	shared.vm = snp_vm(0);
	shared.source = mmap(NULL, 32 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared.fd = vm_gmem(shared.vm, FILE_SIZE);
	threads[0] = thread_start(commands, finishes ? &shared : NULL);
	threads[1] = thread_start(commands, NULL);
	threads[2] = thread_start(memslots, NULL);
	threads[3] = thread_start(sources, NULL);
	threads[4] = thread_start(vcpus, NULL);
	while (!over_at(end, __atomic_load_n(&shared.commands, __ATOMIC_RELAXED) > 1000))
		let_pass(10000);
	__atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
}

static void in_a_child(void (*fn)(void))
{
	struct counted before;
	int status;
	pid_t pid;

	snp_require_model();
	snp_node();
	before = count();
	pid = fork();
	CHECK_OK(pid);
	if (!pid) {
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_settled(&before);
}

static void race_launching(void)
{
	race(false);
}

static void race_finishing(void)
{
	race(true);
}

static void test_commands_against_the_rest(void)
{
	in_a_child(race_launching);
}

static void test_commands_against_the_end(void)
{
	in_a_child(race_finishing);
}

static void as_nobody(void)
{
	snp_node();
	become_nobody();
	launch(4);
}

static void test_anybody(void)
{
	in_a_child(as_nobody);
}

/* ---- registered memory ------------------------------------------------------------------- */

static void test_regions(void)
{
	struct kvm_enc_region region = { .size = 4 * PAGE_SIZE };
	struct vm *vm;
	int kvm, raw;

	snp_require_model();
	region.addr = (uintptr_t)vm_source(SZ_2M);
	kvm = kvm_open();
	raw = ioctl(kvm, KVM_CREATE_VM, KVM_X86_SNP_VM);
	CHECK_OK(raw);
	CHECK_ERRNO(ioctl(raw, KVM_MEMORY_ENCRYPT_REG_REGION, &region), ENOTTY);
	CHECK_ERRNO(ioctl(raw, KVM_MEMORY_ENCRYPT_UNREG_REGION, &region), ENOTTY);
	vm = snp_vm(0);
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, NULL), EFAULT);
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_UNREG_REGION, &region), EINVAL);
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region));
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region));
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_UNREG_REGION, &region));
	region.size -= 1;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_UNREG_REGION, &region), EINVAL);
	/* None; the end of addresses; more than there is; nothing there. */
	region.size = 0;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region), EINVAL);
	region.size = -region.addr;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region), EINVAL);
	region.size = 1ULL << 46;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region), EINVAL);
	region.size = PAGE_SIZE;
	region.addr = PAGE_SIZE;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region), ENOMEM);
}

static void *register_late_page(void *arg)
{
	const struct late_page *page = arg;
	struct kvm_enc_region region = { (uintptr_t)page->at, PAGE_SIZE };
	struct vm *vm = snp_vm(0);

	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region));
	vm_free(vm);
	return NULL;
}

/* A VMM waits for a page of its memory. Other VMs do not wait for it, nor do their ends. */
static void test_regions_of_others(void)
{
	struct kvm_enc_region region = { .size = PAGE_SIZE };
	struct late_page page = late_page_make();
	pthread_t waiter;
	struct vm *vm;

	snp_require_model();
	region.addr = (uintptr_t)vm_source(SZ_2M);
	waiter = thread_start(register_late_page, &page);
	late_page_await(&page);
	vm = snp_vm(0);
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region));
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_UNREG_REGION, &region));
	CHECK_OK(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_REG_REGION, &region));
	vm_free(vm);
	late_page_give(&page);
	thread_join(waiter);
	late_page_free(&page);
}

/* ---- the node ------------------------------------------------------------------------------ */

struct issue_cmd {
	u32 cmd;
	u64 data;
	u32 error;
} __attribute__((packed));

#define SEV_ISSUE_CMD	_IOWR('S', 0x0, struct issue_cmd)

static int issue(u32 number, void *data, u32 *error)
{
	struct issue_cmd cmd = { .cmd = number, .data = (uintptr_t)data, .error = 77 };
	int r = ioctl(snp_node(), SEV_ISSUE_CMD, &cmd);

	*error = cmd.error;
	return r < 0 ? -errno : r;
}

static void test_node(void)
{
	struct { u64 address; u32 length; } __attribute__((packed)) id = {};
	unsigned char status[64] = {};
	char text[64];
	u32 error;

	snp_require_model();
	CHECK_EQ(issue(1, status, &error), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(status[0], 1);
	CHECK_EQ(status[2], 1);
	CHECK_EQ(issue(9, status, &error), 0);
	CHECK_EQ(memcmp(status + 4, "gmem", 4), 0);
	CHECK_EQ(issue(1, (void *)8, &error), -EFAULT);
	CHECK_EQ(issue(0, status, &error), -EIO);
	CHECK_EQ(error, FW_UNSUPPORTED);
	CHECK_EQ(issue(1000, status, &error), -EINVAL);
	CHECK_ERRNO(ioctl(snp_node(), SEV_ISSUE_CMD + 1, status), EINVAL);
	/* How long an ID is, and what it says. */
	CHECK_EQ(issue(8, &id, &error), -EIO);
	CHECK_EQ(id.length, sizeof(text));
	id.address = (uintptr_t)text;
	CHECK_EQ(issue(8, &id, &error), 0);
	/* cppcheck-suppress uninitvar */
	CHECK(strstr(text, "protects nothing"), "the ID is \"%.64s\"", text);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_node),
		TAP_TEST(test_regions),
		TAP_TEST(test_regions_of_others),
		TAP_TEST(test_killed_at_each_step),
		{ .name = "test_again_and_again", .fn = test_again_and_again, .timeout = 600 },
		TAP_TEST(test_commands_against_the_rest),
		TAP_TEST(test_commands_against_the_end),
		TAP_TEST(test_anybody),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
