// SPDX-License-Identifier: GPL-2.0-only
/*
 * Security modules and guest_memfds. Security modules are asked before a file is made, by
 * the name that the stock backend's files have. Later they see what is done with the file.
 *
 * Tests: kapi/files.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf_lsm.h"
#include "gmem.h"
#include "guest.h"

#define FILE_SIZE	(2 * SZ_2M)

/* Uses of gmem.ko, which each inode of its own is one of. */
static int module_uses(void)
{
	FILE *f = fopen("/sys/module/gmem/refcnt", "re");
	int uses = -1;

	CHECK(f && fscanf(f, "%d", &uses) == 1, "gmem.ko is not loaded");
	fclose(f);
	return uses;
}

static void test_making_one_is_denied(void)
{
	struct vm *vm = vm_create_private(1);
	struct bpf_attached denial = { 0 };
	int uses = module_uses(), fd;

	bpf_lsm_deny_class(&denial, "[kvm-gmem]");
	for (unsigned int i = 0; i < 1000; i++) {
		CHECK_EQ(vm_create_gmem(vm, FILE_SIZE, 0), -EACCES);
		CHECK_EQ(vm_create_gmem(vm, FILE_SIZE, SHARED_AT_FIRST), -EACCES);
	}
	CHECK_EQ(module_uses(), uses);
	bpf_detach(&denial);
	fd = vm_add_private(vm, FILE_SIZE);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, FILE_SIZE, 1));
	close(fd);
}

/* Only files with that name are denied. */
static void test_another_class(void)
{
	struct vm *vm = vm_create_private(0);
	struct bpf_attached denial = { 0 };

	bpf_lsm_deny_class(&denial, "[kvm-gmen]");
	vm_gmem(vm, FILE_SIZE);
	bpf_detach(&denial);
	bpf_lsm_deny_class(&denial, "[kvm-gmem");
	vm_gmem(vm, FILE_SIZE);
}

static void test_what_is_done_with_one(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_gmem(vm, FILE_SIZE), other = vm_gmem(vm, FILE_SIZE);
	struct bpf_attached denial = { 0 };
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	bpf_lsm_deny_stat(&denial, st.st_ino);
	CHECK_ERRNO(fstat(fd, &st), EACCES);
	CHECK_OK(fstat(other, &st));
	bpf_detach(&denial);
	CHECK_OK(fstat(fd, &st));
}

/* A link makes a view of the same inode. The right to it is checked in another way. */
static void test_linking_makes_no_inode(void)
{
	struct vm *a = vm_create_private(0), *b = vm_create_private(0);
	struct kvm_link_guest_memfd args = { .fd = gmem_mappable(a, FILE_SIZE, SHARED_AT_FIRST) };
	struct bpf_attached denial = { 0 };
	struct stat st;
	char *p;
	int fd;

	bpf_lsm_deny_class(&denial, "[kvm-gmem]");
	fd = ioctl(b->fd, KVM_LINK_GUEST_MEMFD, &args);
	CHECK(fd >= 0, "link: %m");
	bpf_detach(&denial);
	CHECK_OK(fstat(fd, &st));
	bpf_lsm_deny_stat(&denial, st.st_ino);
	CHECK_ERRNO(fstat(fd, &st), EACCES);
	/* It is mapped, and allocated, like any. */
	p = gmem_map(fd, 0, FILE_SIZE);
	MUST(gmem_alloc(fd, 0, FILE_SIZE));
	memset(p, 1, FILE_SIZE);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_making_one_is_denied),
	TAP_TEST(test_another_class),
	TAP_TEST(test_what_is_done_with_one),
	TAP_TEST(test_linking_makes_no_inode),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
