// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware poison in guest memory: the guest's touch of the page is an exit
 * with EHWPOISON, its neighbours are unharmed, and the page is lost, not reused.
 *
 * Tests: kapi/poison.c, gmem/invalidation.cc.
 */
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "poison.h"

#define FILE_SIZE	(2 * SZ_2M)
/* In the middle of a huge page. */
#define VICTIM		(TEST_GPA + SZ_1M + 5 * PAGE_SIZE)

static void check_poisoned(struct vcpu *vcpu)
{
	u64 value;

	CHECK_EQ(guest_read(vcpu, VICTIM + 8, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->error, EHWPOISON);
	CHECK_EQ(vcpu->gpa, VICTIM);
	CHECK_EQ(vcpu->size, PAGE_SIZE);
	CHECK_EQ(vcpu->flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	CHECK_EQ(guest_write(vcpu, VICTIM, 1, 1), EXIT_MEMORY_FAULT);
	CHECK_EQ(vcpu->error, EHWPOISON);
}

static void check_neighbours(struct vcpu *vcpu, u64 seed)
{
	u64 after = VICTIM + PAGE_SIZE;

	MUST(guest_check(vcpu, TEST_GPA, VICTIM - TEST_GPA, seed));
	MUST(guest_check(vcpu, after, TEST_GPA + FILE_SIZE - after, seed));
}

/* A VM with memory of a content that no test before it had. */
static struct vm *filled_vm(int *fd, u64 seed)
{
	struct vm *vm;

	poison_require();
	vm = vm_create_private(1);
	*fd = vm_add_private(vm, FILE_SIZE);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, seed));
	return vm;
}

static void test_touch(void)
{
	u64 seed = 0x100;
	int fd;
	struct vm *vm = filled_vm(&fd, seed);
	struct vcpu *vcpu = &vm->vcpus[0];

	poison_page(fd, (VICTIM - TEST_GPA) / PAGE_SIZE);
	check_poisoned(vcpu);
	check_neighbours(vcpu, seed);
	/* It stays poisoned. */
	check_poisoned(vcpu);
	/* Reported once more, too: it is no page to be handled any more. */
	CHECK_EQ(poison_try(fd, (VICTIM - TEST_GPA) / PAGE_SIZE, false), -EHWPOISON);
	check_poisoned(vcpu);
	check_neighbours(vcpu, seed);
}

static void test_unmapped_page(void)
{
	u64 seed = 0x200;
	int fd;
	struct vm *vm = filled_vm(&fd, seed);
	struct vcpu *vcpu = &vm->vcpus[0];

	vm_delete_slot(vm, TEST_SLOT);
	poison_page(fd, (VICTIM - TEST_GPA) / PAGE_SIZE);
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, FILE_SIZE, fd, 0);
	check_poisoned(vcpu);
	check_neighbours(vcpu, seed);
}

static void test_pre_fault(void)
{
	u64 seed = 0x300, gpa = VICTIM, size = PAGE_SIZE;
	int fd;
	struct vm *vm = filled_vm(&fd, seed);

	poison_page(fd, (VICTIM - TEST_GPA) / PAGE_SIZE);
	CHECK_EQ(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size), -EHWPOISON);
	CHECK_EQ(gpa, VICTIM);
	CHECK_EQ(size, PAGE_SIZE);
}

/* Allocation neither sees nor replaces it; a hole gives it up. */
static void test_punch_replaces_the_page(void)
{
	u64 seed = 0x400;
	int fd;
	struct vm *vm = filled_vm(&fd, seed);
	struct vcpu *vcpu = &vm->vcpus[0];

	poison_page(fd, (VICTIM - TEST_GPA) / PAGE_SIZE);
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	check_poisoned(vcpu);
	MUST(gmem_punch(fd, VICTIM - TEST_GPA, PAGE_SIZE));
	MUST(guest_check_zero(vcpu, VICTIM, PAGE_SIZE));
	check_neighbours(vcpu, seed);
}

static void test_close(void)
{
	u64 seed = 0x500;
	int fd;
	struct vm *vm = filled_vm(&fd, seed);
	u64 value;

	poison_page(fd, (VICTIM - TEST_GPA) / PAGE_SIZE);
	CHECK_OK(close(fd));
	CHECK_EQ(guest_read(&vm->vcpus[0], VICTIM, 8, &value), EXIT_MEMORY_FAULT);
	CHECK_EQ(vm->vcpus[0].error, EFAULT);
	vm_free(vm);
}

/* A mark that gmem is not told of: memory failure does not find that the page is gmem's. */
static void mark_untold(int fd, u64 index)
{
	struct gmem_test_fail fail = { .symbol = "kapi_poison_expose", .calls = 1 };
	const int tester = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	CHECK_OK(tester);
	CHECK_OK(ioctl(tester, GMEM_TEST_FAIL, &fail));
	CHECK_EQ(poison_try(fd, index, false), -EBUSY);
	fail.calls = 0;
	CHECK_OK(ioctl(tester, GMEM_TEST_FAIL, &fail));
	CHECK_EQ(fail.left, 0);
	close(tester);
}

static u64 flags_of(u64 pfn)
{
	const int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	u64 flags;

	CHECK_EQ(pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)), sizeof(flags));
	close(fd);
	return flags;
}

/* A whole run goes back to the allocator in one piece, but not with a marked page in it. */
static void test_a_marked_page_is_not_freed(void)
{
	struct gmem_test_pfn page = { .index = 77 };
	const u64 size = 64 * SZ_1M;
	struct vm *vm;
	int tester;

	poison_require();
	tester = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	vm = vm_create_private(1);
	page.fd = vm_add_private(vm, size);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, size, 0x600));
	CHECK_OK(ioctl(tester, GMEM_TEST_PFN, &page));
	mark_untold(page.fd, page.index);
	CHECK(flags_of(page.pfn) & 1ull << KPF_HWPOISON, "no mark");
	/* More than a processor keeps for itself. */
	MUST(gmem_punch(page.fd, 0, size));
	CHECK(flags_of(page.pfn) & 1ull << KPF_HWPOISON, "no mark");
	CHECK(!(flags_of(page.pfn) & 1ull << KPF_BUDDY), "the allocator has a marked page");
	close(tester);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_touch),
	TAP_TEST(test_unmapped_page),
	TAP_TEST(test_pre_fault),
	TAP_TEST(test_punch_replaces_the_page),
	TAP_TEST(test_close),
	TAP_TEST(test_a_marked_page_is_not_freed),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
