// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM of SNP's type is launched by KVM's own commands, as QEMU does it: each command, its
 * arguments, what it refuses and with which status of the firmware. What it measures is in
 * snp_measured_test.c. On the model (platform=snp-model); without it, only that there are no
 * such VMs.
 *
 * Tests: mmu/sev.cc, kapi/sev.c, kapi/sev_node.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "launch_pages.h"
#include "snp.h"

#define FILE_SIZE	(2 * SZ_2M)

/* A VM that nobody has said INIT2 to. */
static int raw_vm(void)
{
	int kvm = kvm_open(), vm;

	snp_require_model();
	vm = ioctl(kvm, KVM_CREATE_VM, KVM_X86_SNP_VM);
	CHECK_OK(vm);
	close(kvm);
	return vm;
}

static struct vm *launching(unsigned int nr_vcpus, int *fd)
{
	return snp_launching(nr_vcpus, TEST_GPA, FILE_SIZE, fd);
}

/* ---- what there is -------------------------------------------------------------------- */

static void test_the_type_is_there_with_the_model_alone(void)
{
	const bool model = !strcmp(gmem_platform(), "snp-model");
	int kvm = kvm_open();

	if (model) {
		CHECK(kvm_has_vm_type(KVM_X86_SNP_VM), "KVM_CAP_VM_TYPES does not show the type");
		return;
	}
	if (kvm_has_vm_type(KVM_X86_SNP_VM))
		tap_skip("KVM has such VMs itself");
	CHECK_ERRNO(ioctl(kvm, KVM_CREATE_VM, KVM_X86_SNP_VM), EINVAL);
}

static void test_what_the_vm_can_do(void)
{
	struct vm *vm;

	snp_require_model();
	vm = snp_vm(0);
	CHECK_EQ(vm_check(vm, KVM_CAP_MEMORY_ATTRIBUTES), KVM_MEMORY_ATTRIBUTE_PRIVATE);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD), 1);
	CHECK_EQ(vm_check(vm, KVM_CAP_USER_MEMORY2), 1);
	CHECK_EQ(vm_check(vm, KVM_CAP_READONLY_MEM), 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_SYNC_REGS), 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_X86_SMM), 0);
	CHECK(vm_check(vm, KVM_CAP_EXIT_HYPERCALL) & (1 << KVM_HC_MAP_GPA_RANGE),
	      "conversions by the guest do not come out");
}

/* ---- INIT2 ------------------------------------------------------------------------------ */

static int init_with(int vm, u64 features, u32 flags, uint16_t ghcb_version)
{
	struct sev_init args = {
		.vmsa_features = features,
		.flags = flags,
		.ghcb_version = ghcb_version,
	};

	return snp_command(vm, SEV_INIT2, &args, NULL);
}

static void test_init(void)
{
	struct sev_cmd cmd = { .id = SEV_INIT2, .data = 8 };
	int vm = raw_vm();

	CHECK_EQ(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, 0), 0);
	CHECK_ERRNO(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, 8), EFAULT);
	CHECK_ERRNO(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd), EFAULT);
	CHECK_EQ(init_with(vm, 2, 0, 0), -EINVAL);
	CHECK_EQ(init_with(vm, SNP_ACTIVE | 1 << 5, 0, 0), -EINVAL);
	CHECK_EQ(init_with(vm, 1ULL << 63, 0, 0), -EINVAL);
	CHECK_EQ(init_with(vm, 0, 1, 0), -EINVAL);
	CHECK_EQ(init_with(vm, 0, 0, 3), -EINVAL);
	CHECK_EQ(init_with(vm, 0, 0, 2), 0);
	/* Once; and then only SNP's own are served. */
	CHECK_EQ(init_with(vm, 0, 0, 2), -EPERM);
}

static void test_init_comes_before_vcpus(void)
{
	int vm = raw_vm();

	CHECK_OK(ioctl(vm, KVM_CREATE_VCPU, 0));
	CHECK_EQ(snp_init(vm), -EINVAL);
}

static void test_other_commands(void)
{
	struct snp_start start = { .policy = SNP_POLICY };
	u32 i;
	int vm = raw_vm();

	CHECK_EQ(snp_command(vm, SNP_LAUNCH_START, &start, NULL), -ENOTTY);
	CHECK_EQ(snp_command(vm, SNP_LAUNCH_UPDATE, &start, NULL), -EINVAL);
	CHECK_EQ(snp_command(vm, SNP_LAUNCH_FINISH, &start, NULL), -ENOTTY);
	/* Those of SEV without SNP: two are of default VMs, three KVM has not. */
	for (i = 0; i < SEV_INIT2; i++)
		CHECK_EQ(snp_command(vm, i, &start, NULL),
			 i < 2 || i == 10 || i == 14 || i == 19 ? -EINVAL : -ENOTTY);
	MUST(snp_init(vm));
	for (i = 0; i < SNP_LAUNCH_START; i++)
		CHECK_EQ(snp_command(vm, i, &start, NULL), -EPERM);
	CHECK_EQ(snp_command(vm, SNP_LAUNCH_UPDATE, &start, NULL), -EINVAL);
	CHECK_EQ(snp_command(vm, SNP_LAUNCH_FINISH, &start, NULL), -EINVAL);
	CHECK_EQ(snp_command(vm, 104, &start, NULL), -EINVAL);
	CHECK_EQ(snp_command(vm, ~0u, &start, NULL), -EINVAL);
}

/* ---- START ------------------------------------------------------------------------------ */

static void test_start(void)
{
	struct snp_start flags = { .policy = SNP_POLICY, .flags = 1 };
	struct vm *vm;
	u32 error;

	snp_require_model();
	vm = snp_vm(0);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_START, (void *)8, NULL), -EFAULT);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_START, &flags, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, 0, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, 0x10000, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, 0x20000, NULL), -EINVAL);
	/* Single socket; what migration agents need; what is reserved. */
	CHECK_EQ(snp_start(vm, SNP_POLICY | 1 << 20, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, SNP_POLICY | 1 << 18, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, SNP_POLICY | 1ULL << 25, NULL), -EINVAL);
	CHECK_EQ(snp_start(vm, SNP_POLICY | 1ULL << 63, NULL), -EINVAL);
	/* A later version of the firmware's interface than there is. */
	CHECK_EQ(snp_start(vm, SNP_POLICY | 0x200, &error), -EIO);
	CHECK_EQ(error, FW_POLICY_FAILURE);
	CHECK_EQ(snp_start(vm, SNP_POLICY | 1 << 19 | 0x133, &error), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(snp_start(vm, SNP_POLICY, NULL), -EINVAL);
}

static void test_the_node_is_named_by_each_command(void)
{
	struct snp_update update = { .gfn_start = TEST_GPA / PAGE_SIZE, .len = PAGE_SIZE,
				     .type = SNP_PAGE_ZERO };
	struct snp_start start = { .policy = SNP_POLICY };
	struct snp_finish finish = {};
	struct sev_cmd cmd = { .id = SNP_LAUNCH_START, .data = (uintptr_t)&start, .sev_fd = ~0u };
	struct vm *vm;
	int fd;

	snp_require_model();
	vm = snp_vm(0);
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd), EBADF);
	cmd.sev_fd = vm->fd;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd), EBADF);
	vm = launching(0, &fd);
	cmd.id = SNP_LAUNCH_UPDATE;
	cmd.data = (uintptr_t)&update;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd), EIO);
	cmd.id = SNP_LAUNCH_FINISH;
	cmd.data = (uintptr_t)&finish;
	CHECK_ERRNO(ioctl(vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd), EBADF);
}

/* ---- UPDATE ----------------------------------------------------------------------------- */

static void test_update_tells_what_is_left(void)
{
	void *source = vm_source(FILE_SIZE);
	struct snp_update args = {
		.gfn_start = TEST_GPA / PAGE_SIZE,
		.uaddr = (uintptr_t)source,
		.len = 3 * PAGE_SIZE,
		.type = SNP_PAGE_NORMAL,
	};
	struct vm *vm;
	u32 error;
	int fd;

	vm = launching(0, &fd);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, &error), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(args.gfn_start, TEST_GPA / PAGE_SIZE + 3);
	CHECK_EQ(args.uaddr, (uintptr_t)source + 3 * PAGE_SIZE);
	CHECK_EQ(args.len, 0);

	/* Without content, there is no source. */
	args.type = SNP_PAGE_ZERO;
	args.uaddr = 12345;
	args.len = PAGE_SIZE;
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, NULL), 0);
	CHECK_EQ(args.uaddr, 12345);
	CHECK_EQ(args.gfn_start, TEST_GPA / PAGE_SIZE + 4);

	/* Past the memslot: what is in it comes first. */
	args.gfn_start = (TEST_GPA + FILE_SIZE) / PAGE_SIZE - 2;
	args.uaddr = (uintptr_t)source;
	args.len = 4 * PAGE_SIZE;
	args.type = SNP_PAGE_UNMEASURED;
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, NULL), 0);
	CHECK_EQ(args.len, 2 * PAGE_SIZE);
	CHECK_EQ(args.gfn_start, (TEST_GPA + FILE_SIZE) / PAGE_SIZE);
	CHECK_EQ(args.uaddr, (uintptr_t)source + 2 * PAGE_SIZE);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, NULL), -EINVAL);
}

static int update_with(struct vm *vm, u64 gfn, const void *source, u64 len, uint8_t type,
		       uint16_t flags)
{
	struct snp_update args = {
		.gfn_start = gfn,
		.uaddr = (uintptr_t)source,
		.len = len,
		.type = type,
		.flags = flags,
	};

	return snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, NULL);
}

static void test_update_refuses(void)
{
	const u64 gfn = TEST_GPA / PAGE_SIZE;
	void *nothing = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vm *vm;
	u32 error;
	int fd, type;

	vm = launching(0, &fd);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, (void *)8, NULL), -EFAULT);
	CHECK_EQ(update_with(vm, gfn, page_bytes, 1, SNP_PAGE_NORMAL, 0), -EINVAL);
	CHECK_EQ(update_with(vm, gfn, page_bytes, 0, SNP_PAGE_NORMAL, 0), -EINVAL);
	CHECK_EQ(update_with(vm, gfn, page_bytes + 1, PAGE_SIZE, SNP_PAGE_NORMAL, 0), -EINVAL);
	CHECK_EQ(update_with(vm, gfn, NULL, PAGE_SIZE, SNP_PAGE_NORMAL, 0), -EINVAL);
	CHECK_EQ(update_with(vm, gfn, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, 1), -EINVAL);
	/* VMSAs are KVM's to make. */
	for (type = 0; type < 256; type++) {
		if (type != SNP_PAGE_VMSA && type >= SNP_PAGE_NORMAL && type <= SNP_PAGE_CPUID)
			continue;
		CHECK_EQ(update_with(vm, gfn, page_bytes, PAGE_SIZE, type, 0), -EINVAL);
	}
	CHECK_EQ(update_with(vm, gfn - 1, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, 0), -EINVAL);
	CHECK_EQ(update_with(vm, ~0ULL, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, 0), -EINVAL);
	/* What goes wrong with a page is -EIO, whatever it is. */
	CHECK_EQ(snp_update(vm, TEST_GPA, nothing, PAGE_SIZE, SNP_PAGE_NORMAL, &error), -EIO);
	CHECK_EQ(error, 0);
	vm_make_shared(vm, TEST_GPA, PAGE_SIZE);
	CHECK_EQ(snp_update(vm, TEST_GPA, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, NULL), -EIO);
	vm_make_private(vm, TEST_GPA, PAGE_SIZE);
	CHECK_EQ(snp_update(vm, TEST_GPA, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, NULL), 0);
	CHECK_EQ(snp_update(vm, TEST_GPA, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, NULL), -EIO);
}

static void test_update_corrects_a_cpuid_table(void)
{
	unsigned char *table = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
	struct snp_update args = {
		.gfn_start = TEST_GPA / PAGE_SIZE + 1,
		.len = 2 * PAGE_SIZE,
		.type = SNP_PAGE_CPUID,
	};
	struct vm *vm;
	u32 error;
	int fd;

	vm = launching(0, &fd);
	memset(table, 0, PAGE_SIZE);
	table[0] = 1;
	table[16] = 7; /* the leaf */
	table[16 + 40] = 1; /* reserved */
	CHECK_EQ(snp_update(vm, TEST_GPA, table, PAGE_SIZE, SNP_PAGE_CPUID, &error), -EIO);
	CHECK_EQ(error, FW_INVALID_PARAM);
	CHECK_EQ(table[16 + 40], 0);
	CHECK_EQ(table[16], 7);
	CHECK_EQ(snp_update(vm, TEST_GPA, table, PAGE_SIZE, SNP_PAGE_CPUID, &error), 0);
	CHECK_EQ(error, 0);

	/* The one that was refused, and none before it. */
	args.uaddr = (uintptr_t)table;
	memset(table, 0, 2 * PAGE_SIZE);
	table[20] = 7; /* behind the entries that count */
	table[PAGE_SIZE + 4] = 1;
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, &error), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(args.len, PAGE_SIZE);
	CHECK_EQ(table[20], 7);
	CHECK_EQ(table[PAGE_SIZE + 4], 0);
}

/* ---- FINISH ----------------------------------------------------------------------------- */

static void test_finish(void)
{
	struct snp_finish flags = { .flags = 1 };
	struct vm *vm;
	u32 error;
	int fd;

	vm = launching(0, &fd);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_FINISH, (void *)8, NULL), -EFAULT);
	CHECK_EQ(snp_command(vm->fd, SNP_LAUNCH_FINISH, &flags, NULL), -EINVAL);
	CHECK_EQ(snp_finish(vm, &error), 0);
	CHECK_EQ(error, 0);
	CHECK_EQ(snp_finish(vm, &error), -EIO);
	CHECK_EQ(error, FW_INVALID_GUEST_STATE);
	CHECK_EQ(snp_update(vm, TEST_GPA, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, &error), -EIO);
	CHECK_EQ(error, FW_INVALID_GUEST_STATE);
	CHECK_EQ(snp_start(vm, SNP_POLICY, NULL), -EINVAL);
}

/* ---- running ---------------------------------------------------------------------------- */

static void test_guest_finds_what_was_launched(void)
{
	void *source = vm_source(SZ_2M);
	struct vcpu *vcpu;
	struct vm *vm;
	u64 value;
	int fd;

	vm = launching(1, &fd);
	vcpu = &vm->vcpus[0];
	mem_fill(source, TEST_GPA, SZ_2M, 1);
	MUST(snp_update(vm, TEST_GPA, source, SZ_2M, SNP_PAGE_NORMAL, NULL));
	MUST(snp_update(vm, TEST_GPA + SZ_2M, NULL, PAGE_SIZE, SNP_PAGE_ZERO, NULL));
	MUST(snp_finish(vm, NULL));
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check_zero(vcpu, TEST_GPA + SZ_2M, SZ_2M));
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 2));
	MUST(guest_check(vcpu, TEST_GPA, FILE_SIZE, 2));
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
}

static void test_no_page_is_given_before_the_launch_ends(void)
{
	u64 gpa = TEST_GPA, size = PAGE_SIZE, value;
	struct vm *vm;
	int fd;

	vm = launching(1, &fd);
	CHECK(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size) < 0, "pre-faulted before its end");
	CHECK(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value) != EXIT_DONE, "the guest ran before");
	MUST(snp_finish(vm, NULL));
	MUST(guest_read(&vm->vcpus[0], TEST_GPA, 8, &value));
	gpa = TEST_GPA + SZ_2M;
	MUST(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size));
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_the_type_is_there_with_the_model_alone),
		TAP_TEST(test_what_the_vm_can_do),
		TAP_TEST(test_init),
		TAP_TEST(test_init_comes_before_vcpus),
		TAP_TEST(test_other_commands),
		TAP_TEST(test_start),
		TAP_TEST(test_the_node_is_named_by_each_command),
		TAP_TEST(test_update_tells_what_is_left),
		TAP_TEST(test_update_refuses),
		TAP_TEST(test_update_corrects_a_cpuid_table),
		TAP_TEST(test_finish),
		TAP_TEST(test_guest_finds_what_was_launched),
		TAP_TEST(test_no_page_is_given_before_the_launch_ends),
	};

	launch_pages_fill();
	return tap_main(tests, ARRAY_SIZE(tests));
}
