// SPDX-License-Identifier: GPL-2.0-only
/*
 * TDX through KVM, as far as that goes without TDX: gmem_test.ko adds pages in the order and
 * under the locks of KVM_TDX_INIT_MEM_REGION. The VM is software-protected, but passed for a
 * TDX guest while its guest_memfd was made: its pages are on the platform of such a guest.
 * KVM's counters tell which pages are mapped.
 *
 * Tests: mmu/populate.cc, arch/x86/platforms.cc.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"
#include "stats.h"
#include "vm.h"

#define GFN(gpa)	((gpa) / PAGE_SIZE)
#define AT(page)	(TEST_GPA + (page) * PAGE_SIZE)
#define NOWHERE		(~0ULL)
#define TDX_VM		5
#define PAGES		1024

/* An answer of gmem_test.ko. */
static int ask(unsigned long request, void *arg)
{
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		tap_skip("no gmem_test.ko");
	ret = ioctl(fd, request, arg);
	if (ret)
		ret = -errno;
	close(fd);
	return ret;
}

struct td {
	struct vm *vm;
	int file;
	u64 *source;		/* PAGES pages of words that all differ */
	u64 invalidations;	/* of the last td_add() */
	u64 added;
};

static u64 word_of(u64 page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Adds @npages from @page on, with the content of @td->source; -EBUSY at page @busy. */
static int td_add_busy(struct td *td, u64 page, u64 npages, u64 busy)
{
	struct gmem_test_add req = {
		.gfn = GFN(AT(page)),
		.source = (u64)(td->source + page * 512),
		.npages = npages,
		.busy_gfn = busy == NOWHERE ? NOWHERE : GFN(AT(busy)),
		.vm_fd = td->vm->fd,
	};
	int ret = ask(GMEM_TEST_ADD, &req);

	if (ret == -EOPNOTSUPP)
		tap_skip("KVM of this kernel has no TDX guests");
	td->invalidations = req.invalidations;
	td->added = req.added;
	return ret;
}

static int td_add(struct td *td, u64 page, u64 npages)
{
	return td_add_busy(td, page, npages, NOWHERE);
}

/* A guest with PAGES pages at TEST_GPA, none of which is there. */
static struct td td_create(void)
{
	struct td td = { .vm = vm_create_private(1) };
	struct gmem_test_vm_type as = { .vm_fd = td.vm->fd, .type = TDX_VM };

	if (gmem_total("pages") < 0)
		tap_skip("without gmem.ko there is nothing to test");
	td.source = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(td.source != MAP_FAILED, "mmap: %m");
	for (u64 i = 0; i < PAGES; i++)
		td.source[i * 512] = td.source[i * 512 + 511] = word_of(i);
	MUST(ask(GMEM_TEST_VM_TYPE, &as));
	td.file = vm_gmem(td.vm, PAGES * PAGE_SIZE);
	MUST(ask(GMEM_TEST_VM_TYPE, &as));
	vm_add_slot(td.vm, TEST_SLOT, TEST_GPA, PAGES * PAGE_SIZE, td.file, 0);
	vm_make_private(td.vm, TEST_GPA, PAGES * PAGE_SIZE);
	return td;
}

static u64 mapped_small(const struct td *td)
{
	return kvm_stat(td->vm->fd, "pages_4k");
}

static u64 mapped_huge(const struct td *td)
{
	return kvm_stat(td->vm->fd, "pages_2m");
}

/* Page faults that mapped something for the guest. */
static u64 faults(const struct td *td)
{
	return kvm_stat(td->vm->vcpus[0].fd, "pf_fixed");
}

/* Require that the guest reads what was added from @page on. */
static void check_added(struct td *td, u64 page, u64 npages)
{
	for (u64 i = page; i < page + npages; i++) {
		u64 first, last;

		MUST(guest_read(&td->vm->vcpus[0], AT(i), 8, &first));
		MUST(guest_read(&td->vm->vcpus[0], AT(i + 1) - 8, 8, &last));
		CHECK_EQ(first, word_of(i));
		CHECK_EQ(last, word_of(i));
	}
}

/* Have the guest's agent run, so that later faults are those of the pages alone. */
static void warm_up(struct td *td)
{
	u64 word;

	MUST(guest_read(&td->vm->vcpus[0], AT(PAGES - 1), 8, &word));
}

/* Mapped when it returns, a page each, and the guest does not fault on them. */
static void test_added_pages_are_mapped(void)
{
	struct td td = td_create();
	u64 small = mapped_small(&td), before, huge;

	MUST(td_add(&td, 5, 300));
	CHECK_EQ(td.added, 300);
	CHECK_EQ(mapped_small(&td), small + 300);
	CHECK_EQ(mapped_huge(&td), 0);
	warm_up(&td);
	before = faults(&td);
	huge = mapped_huge(&td);
	check_added(&td, 5, 300);
	CHECK_EQ(faults(&td), before);
	CHECK_EQ(mapped_huge(&td), huge);
}

/* Three times that mmu_lock is taken for writing, a page, and stock's does without. */
static void test_no_invalidation_of_what_is_new(void)
{
	struct td td = td_create();

	MUST(td_add(&td, 0, PAGES));
	CHECK_EQ(td.invalidations, 0);
	check_added(&td, 0, PAGES);
}

/* A page with content is refused and left as it is: it could not be mapped again. */
static void test_added_twice(void)
{
	struct td td = td_create();
	u64 small;

	MUST(td_add(&td, 10, 4));
	small = mapped_small(&td);
	CHECK_EQ(td_add(&td, 8, 6), -EEXIST);
	CHECK_EQ(td.added, 2);
	CHECK_EQ(td.invalidations, 0);
	CHECK_EQ(mapped_small(&td), small + 2);
	check_added(&td, 8, 6);
}

/* One page of a block is punched. No other is unmapped, by the hole or by a fault later. */
static void test_punch_takes_one_page(void)
{
	struct td td = td_create();
	u64 small, before, word, huge;

	MUST(td_add(&td, 0, 512));
	warm_up(&td);
	check_added(&td, 0, 512);
	small = mapped_small(&td);
	before = faults(&td);
	huge = mapped_huge(&td);
	MUST(gmem_punch(td.file, 77 * PAGE_SIZE, PAGE_SIZE));
	CHECK_EQ(mapped_small(&td), small - 1);
	check_added(&td, 0, 77);
	check_added(&td, 78, 512 - 78);
	CHECK_EQ(faults(&td), before);
	MUST(guest_read(&td.vm->vcpus[0], AT(77), 8, &word));
	CHECK_EQ(word, 0);
	CHECK_EQ(faults(&td), before + 1);
	CHECK_EQ(mapped_small(&td), small);
	CHECK_EQ(mapped_huge(&td), huge);
	check_added(&td, 78, 512 - 78);
}

/* A page between private ones becomes shared. No other page is unmapped for it. */
static void test_conversion_takes_one_page(void)
{
	struct td td = td_create();
	u64 small, before;

	MUST(td_add(&td, 0, 512));
	warm_up(&td);
	check_added(&td, 0, 512);
	small = mapped_small(&td);
	before = faults(&td);
	vm_make_shared(td.vm, AT(200), PAGE_SIZE);
	CHECK_EQ(mapped_small(&td), small - 1);
	check_added(&td, 0, 200);
	check_added(&td, 201, 512 - 201);
	CHECK_EQ(faults(&td), before);
}

/* Neither faults for the rest of a block nor time make one mapping of it. */
static void test_nothing_becomes_huge(void)
{
	struct td td = td_create();
	u64 small, huge;

	MUST(td_add(&td, 3, 100));
	warm_up(&td);
	huge = mapped_huge(&td);
	MUST(guest_touch_write(&td.vm->vcpus[0], AT(103), 8, PAGE_SIZE, 512 - 103, 1));
	MUST(guest_touch_write(&td.vm->vcpus[0], AT(0), 8, PAGE_SIZE, 3, 1));
	small = mapped_small(&td);
	let_pass(3000000);
	check_added(&td, 3, 100);
	CHECK_EQ(mapped_small(&td), small);
	CHECK_EQ(mapped_huge(&td), huge);
	CHECK_EQ(gmem_counter(td.file, "gmem_promotions"), 0);
}

/* The TDX module is contended: nothing has happened, and it may be tried again. */
static void test_busy_leaves_nothing_behind(void)
{
	struct td td = td_create();
	u64 small = mapped_small(&td), word;

	CHECK_EQ(td_add_busy(&td, 20, 8, 23), -EBUSY);
	CHECK_EQ(td.added, 3);
	CHECK_EQ(mapped_small(&td), small + 3);
	CHECK_EQ(td_add_busy(&td, 23, 1, 23), -EBUSY);
	CHECK_EQ(td.added, 0);
	CHECK_EQ(td_add_busy(&td, 30, 1, 30), -EBUSY);
	CHECK_EQ(mapped_small(&td), small + 3);
	MUST(td_add(&td, 23, 5));
	check_added(&td, 20, 8);
	MUST(guest_read(&td.vm->vcpus[0], AT(30), 8, &word));
	CHECK_EQ(word, 0);
}

/*
 * A page that a pre-fault has mapped is unmapped first, and it alone. This VM, which is no
 * TD, may have it in a huge mapping. KVM of a TD does not let a pre-fault in before the
 * launch ends.
 */
static void test_prefaulted_page_goes_first(void)
{
	struct td td = td_create();
	u64 gpa = AT(40), size = 4 * PAGE_SIZE, mapped;

	while (size)
		MUST(vcpu_pre_fault(&td.vm->vcpus[0], &gpa, &size));
	mapped = mapped_small(&td) + 512 * mapped_huge(&td);
	MUST(td_add(&td, 41, 1));
	CHECK_EQ(td.invalidations, 1);
	CHECK_EQ(mapped_small(&td) + 512 * mapped_huge(&td), mapped);
	check_added(&td, 41, 1);
}

/* A slot, then the file, and all of it is gone. */
static void test_end(void)
{
	struct td td = td_create();
	u64 small = mapped_small(&td);
	long pages = gmem_total("pages");

	MUST(td_add(&td, 0, PAGES));
	CHECK_EQ(mapped_small(&td), small + PAGES);
	vm_delete_slot(td.vm, TEST_SLOT);
	CHECK_EQ(mapped_small(&td), small);
	close(td.file);
	CHECK_EQ(gmem_total("pages"), pages);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_added_pages_are_mapped),
	TAP_TEST(test_no_invalidation_of_what_is_new),
	TAP_TEST(test_added_twice),
	TAP_TEST(test_punch_takes_one_page),
	TAP_TEST(test_conversion_takes_one_page),
	TAP_TEST(test_nothing_becomes_huge),
	TAP_TEST(test_busy_leaves_nothing_behind),
	TAP_TEST(test_prefaulted_page_goes_first),
	TAP_TEST(test_end),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
