// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversion in place where a model of hardware stands between guest and host:
 * converted pages have no content left, other pages have all of it. Without a model
 * converted pages keep their content (convert_test.c has more of that).
 *
 * Tests: gmem/conversion.cc, arch/x86/snp_platform.cc, arch/x86/tdx_platform.cc.
 */
#include <string.h>

#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(2 * SZ_2M)
#define FILE_PAGES	(FILE_SIZE / PAGE_SIZE)

static struct vm *vm;
static struct vcpu *vcpu;
static char *p;
static int fd;
static bool keeps;

static void start(u64 flags)
{
	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	fd = gmem_add_mappable(vm, FILE_SIZE, flags);
	p = gmem_map(fd, 0, FILE_SIZE);
	keeps = gmem_keeps_content();
}

/* Pages that have been converted since they had the content of @seed. */
static void check_converted(u64 offset, u64 len, u64 seed)
{
	if (keeps)
		MUST(guest_check(vcpu, TEST_GPA + offset, len, seed));
	else
		MUST(guest_check_zero(vcpu, TEST_GPA + offset, len));
}

static void test_there_and_back(void)
{
	start(PRIVATE_AT_FIRST);
	for (u64 round = 1; round < 5; round += 2) {
		MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, round));
		CHECK(mem_is_hidden(p), "private");
		gmem_make_shared(fd, 0, FILE_SIZE);
		CHECK(keeps ? mem_holds(p, TEST_GPA, FILE_SIZE, round) : mem_is_zero(p, FILE_SIZE),
		      "content for user space");
		check_converted(0, FILE_SIZE, round);
		mem_fill(p, TEST_GPA, FILE_SIZE, round + 1);
		MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, round + 1));
		gmem_make_private(fd, 0, FILE_SIZE);
		CHECK(mem_is_hidden(p) && mem_is_hidden(p + FILE_SIZE - 8), "private again");
		check_converted(0, FILE_SIZE, round + 1);
	}
}

/* Stretches of a mixed range that are already as wanted are left alone. */
static void test_mixed_range(void)
{
	u64 first = 500 * PAGE_SIZE, len = 20 * PAGE_SIZE, end = first + len;

	start(PRIVATE_AT_FIRST);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	gmem_make_shared(fd, first, len);
	mem_fill(p + first, TEST_GPA + first, len, 2);
	MUST(guest_check(vcpu, TEST_GPA, first, 1));
	MUST(guest_check(vcpu, TEST_GPA + first, len, 2));
	MUST(guest_check(vcpu, TEST_GPA + end, FILE_SIZE - end, 1));
	vm_make_private(vm, TEST_GPA, FILE_SIZE);
	MUST(guest_check(vcpu, TEST_GPA, first, 1));
	check_converted(first, len, 2);
	MUST(guest_check(vcpu, TEST_GPA + end, FILE_SIZE - end, 1));
}

static void test_page_by_page(void)
{
	bool private[FILE_PAGES] = { false };

	start(SHARED_AT_FIRST);
	mem_fill(p, TEST_GPA, FILE_SIZE, 1);
	for (u64 page = 1; page < 64; page += 2) {
		gmem_make_private(fd, page * PAGE_SIZE, PAGE_SIZE);
		private[page] = true;
	}
	for (u64 page = 0; page < FILE_PAGES; page++) {
		if (private[page])
			check_converted(page * PAGE_SIZE, PAGE_SIZE, 1);
		else
			MUST(guest_check(vcpu, TEST_GPA + page * PAGE_SIZE, PAGE_SIZE, 1));
	}
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 2));
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 2));
	gmem_check_attributes(vcpu, TEST_SLOT, TEST_GPA, private, FILE_PAGES, 5);
}

/* Holes and the end of a file give pages back, whatever they were. */
static void test_punch_and_close(void)
{
	start(PRIVATE_AT_FIRST);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	gmem_make_shared(fd, SZ_1M, SZ_2M);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 2));
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA, FILE_SIZE));
	CHECK(mem_is_zero(p + SZ_1M, SZ_2M) && mem_is_hidden(p), "states outlive a hole");
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 3));
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 3));
}

static const struct tap_test tests[] = {
	TAP_TEST(test_there_and_back),
	TAP_TEST(test_mixed_range),
	TAP_TEST(test_page_by_page),
	TAP_TEST(test_punch_and_close),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
