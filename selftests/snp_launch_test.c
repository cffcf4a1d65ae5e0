// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM of SNP's type is launched by KVM's own commands, as QEMU does it: each command, its
 * arguments, what it refuses and with which status of the firmware. On the model
 * (platform=snp-model); without it, only that there are no such VMs.
 *
 * Tests: mmu/sev.cc, kapi/sev.c, kapi/sev_node.c, arch/x86/id_block.cc.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kunit/hosted/id_vector.h"
#include "gmem.h"
#include "guest.h"
#include "launch_pages.h"
#include "snp.h"

#define FILE_SIZE	(2 * SZ_2M)
#define DIGEST_SIZE	48

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

/* One whose launch has begun, with a private memslot at @gpa on the file *@fd. */
static struct vm *launching_at(unsigned int nr_vcpus, u64 gpa, int *fd)
{
	struct vm *vm;

	snp_require_model();
	vm = snp_vm(nr_vcpus);
	MUST(snp_start(vm, SNP_POLICY, NULL));
	*fd = vm_gmem(vm, FILE_SIZE);
	vm_add_slot(vm, TEST_SLOT, gpa, FILE_SIZE, *fd, 0);
	vm_make_private(vm, gpa, FILE_SIZE);
	return vm;
}

static struct vm *launching(unsigned int nr_vcpus, int *fd)
{
	return launching_at(nr_vcpus, TEST_GPA, fd);
}

static void get_digest(int fd, unsigned char *digest)
{
	struct gmem_launch_measurement measured;

	CHECK_OK(ioctl(fd, GMEM_GET_MEASUREMENT, &measured));
	memcpy(digest, measured.digest, DIGEST_SIZE);
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
	CHECK_EQ(init_with(vm, 1, 0, 0), -EINVAL);
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
	unsigned char *table = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
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

/* S7 of the published scheme, but for its VMSAs. */
static void test_pages_are_measured(void)
{
	static const unsigned char expected[DIGEST_SIZE] = {
		0x5b, 0xf7, 0x70, 0xf3, 0x05, 0xf4,
	};
	unsigned char digest[DIGEST_SIZE];
	struct vm *vm;
	int fd, low;

	vm = launching_at(0, 0xffc00000, &fd);
	low = vm_gmem(vm, SZ_2M);
	vm_add_slot(vm, TEST_SLOT + 1, 0x800000, SZ_2M, low, 0);
	vm_make_private(vm, 0x800000, SZ_2M);
	MUST(snp_update(vm, 0xfffff000, page_bytes, PAGE_SIZE, SNP_PAGE_NORMAL, NULL));
	MUST(snp_update(vm, 0xffffe000, page_words, PAGE_SIZE, SNP_PAGE_NORMAL, NULL));
	MUST(snp_update(vm, 0x800000, NULL, 2 * PAGE_SIZE, SNP_PAGE_ZERO, NULL));
	MUST(snp_update(vm, 0x802000, page_words, PAGE_SIZE, SNP_PAGE_UNMEASURED, NULL));
	MUST(snp_update(vm, 0x80d000, page_bytes, PAGE_SIZE, SNP_PAGE_SECRETS, NULL));
	MUST(snp_update(vm, 0x80e000, page_zero, PAGE_SIZE, SNP_PAGE_CPUID, NULL));
	MUST(snp_finish(vm, NULL));
	get_digest(fd, digest);
	CHECK(!memcmp(digest, expected, 6), "the digest begins with %02x%02x%02x", digest[0],
	      digest[1], digest[2]);
}

/* ---- the ID block ------------------------------------------------------------------------ */

struct ids {
	unsigned char block[96], auth[4096];
};

static void good_ids(struct ids *ids)
{
	memcpy(ids->block, id_vector_block, sizeof(ids->block));
	id_vector_auth(ids->auth);
}

static int finish_with(struct vm *vm, const struct ids *ids, bool author, u32 *error)
{
	struct snp_finish args = {
		.id_block_uaddr = (uintptr_t)ids->block,
		.id_auth_uaddr = (uintptr_t)ids->auth,
		.id_block_en = 1,
		.auth_key_en = author,
		.vcek_disabled = 1,
		.host_data = { 1, 2, 3 },
	};

	return snp_command(vm->fd, SNP_LAUNCH_FINISH, &args, error);
}

/* One launch, as the vector has it; each thing that is wrong with its block, and then none. */
static void test_id_block(void)
{
	struct ids ids, bad;
	struct vm *vm;
	u32 error;
	int fd;

	good_ids(&ids);
	vm = launching_at(0, 0, &fd);
	CHECK_EQ(finish_with(vm, &ids, true, &error), -EIO);
	CHECK_EQ(error, FW_BAD_MEASUREMENT);
	MUST(snp_update(vm, 0, NULL, PAGE_SIZE, SNP_PAGE_ZERO, NULL));
	CHECK_EQ(finish_with(vm, (struct ids *)8, true, &error), -EFAULT);
	bad = ids;
	bad.auth[4] = 2;
	CHECK_EQ(finish_with(vm, &bad, true, &error), -EIO);
	CHECK_EQ(error, FW_INVALID_PARAM);
	bad = ids;
	bad.block[60] ^= 1;
	CHECK_EQ(finish_with(vm, &bad, false, &error), -EIO);
	CHECK_EQ(error, FW_BAD_SIGNATURE);
	bad = ids;
	bad.auth[0x244] ^= 1;
	CHECK_EQ(finish_with(vm, &bad, false, &error), -EIO);
	CHECK_EQ(error, FW_BAD_SIGNATURE);
	bad = ids;
	bad.auth[0x680] ^= 1;
	CHECK_EQ(finish_with(vm, &bad, true, &error), -EIO);
	CHECK_EQ(error, FW_BAD_SIGNATURE);
	CHECK_EQ(finish_with(vm, &ids, true, &error), 0);
	CHECK_EQ(error, 0);
}

static void test_id_block_of_another_policy(void)
{
	struct vm *vm;
	struct ids ids;
	u32 error;
	int fd;

	good_ids(&ids);
	snp_require_model();
	vm = snp_vm(0);
	MUST(snp_start(vm, SNP_POLICY | 1 << 19, NULL));
	fd = vm_gmem(vm, FILE_SIZE);
	vm_add_slot(vm, TEST_SLOT, 0, FILE_SIZE, fd, 0);
	vm_make_private(vm, 0, FILE_SIZE);
	MUST(snp_update(vm, 0, NULL, PAGE_SIZE, SNP_PAGE_ZERO, NULL));
	CHECK_EQ(finish_with(vm, &ids, true, &error), -EIO);
	CHECK_EQ(error, FW_POLICY_FAILURE);
}

/* ---- vCPUs ------------------------------------------------------------------------------- */

/* What the launches that there are have measured, as the module tells it. */
static void read_steps(char *text, size_t size)
{
	FILE *file = fopen("/sys/kernel/debug/gmem/launch_steps", "r");
	size_t len;

	if (!file)
		tap_skip("launch_steps: %m");
	len = fread(text, 1, size - 1, file);
	text[len] = 0;
	fclose(file);
}

/* A vCPU out of reset, with segments that have been used, as QEMU gives them. */
static void add_vcpu(struct vm *vm, unsigned long id)
{
	struct kvm_sregs sregs;
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);

	CHECK_OK(fd);
	CHECK_OK(ioctl(fd, KVM_GET_SREGS, &sregs));
	sregs.cs.type = 0xb;
	sregs.ds.type = sregs.es.type = sregs.fs.type = sregs.gs.type = sregs.ss.type = 3;
	sregs.ldt.type = 2;
	sregs.tr.type = 0xb;
	CHECK_OK(ioctl(fd, KVM_SET_SREGS, &sregs));
}

/* The digest is that of a save area written down from AMD's layout. */
static void test_vcpus_are_measured(void)
{
	static const char area[] =
		"{\"type\": 2, \"gpa\": \"0xfffffffff000\", \"contents\": \""
		"4ee63439cd34f95591eae3262c49896b7b6f5f788429f623fd739aa3364c8fb8"
		"857c37b93d407565e33b56f03fc36255\"}";
	static char text[1 << 16];
	const char *first;
	struct vm *vm;
	int fd;

	vm = launching(0, &fd);
	add_vcpu(vm, 0);
	add_vcpu(vm, 5);
	MUST(snp_finish(vm, NULL));
	read_steps(text, sizeof(text));
	first = strstr(text, area);
	CHECK(first, "the save area is another: %.300s", text);
	CHECK(strstr(first + 1, area), "there is one save area: %.300s", text);
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
		TAP_TEST(test_pages_are_measured),
		TAP_TEST(test_id_block),
		TAP_TEST(test_id_block_of_another_policy),
		TAP_TEST(test_vcpus_are_measured),
		TAP_TEST(test_guest_finds_what_was_launched),
		TAP_TEST(test_no_page_is_given_before_the_launch_ends),
	};

	launch_pages_fill();
	return tap_main(tests, ARRAY_SIZE(tests));
}
