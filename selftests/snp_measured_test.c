// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the launch of a VM of SNP's type measures: pages, save areas of vCPUs; and the ID
 * block that is checked against it. On the model (platform=snp-model).
 *
 * Tests: mmu/sev.cc, kapi/sev.c, arch/x86/id_block.cc.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../kunit/hosted/id_vector.h"
#include "gmem.h"
#include "launch_pages.h"
#include "snp.h"

#define FILE_SIZE	(2 * SZ_2M)
#define DIGEST_SIZE	48

static struct vm *launching_at(u64 gpa, int *fd)
{
	return snp_launching(0, gpa, FILE_SIZE, fd);
}

static void get_digest(int fd, unsigned char *digest)
{
	struct gmem_launch_measurement measured;

	CHECK_OK(ioctl(fd, GMEM_GET_MEASUREMENT, &measured));
	memcpy(digest, measured.digest, DIGEST_SIZE);
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

	vm = launching_at(0xffc00000, &fd);
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
	vm = launching_at(0, &fd);
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
static int add_vcpu(struct vm *vm, unsigned long id)
{
	struct kvm_sregs sregs;
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);

	CHECK_OK(fd);
	CHECK_OK(ioctl(fd, KVM_GET_SREGS, &sregs));
	sregs.cs.type = 0xb;
	sregs.ds.type = sregs.es.type = sregs.fs.type = sregs.gs.type = sregs.ss.type = 3;
	sregs.ldt.type = 2;
	sregs.tr.type = 0xb;
	/* Of no matter before the guest is entered. */
	sregs.cr2 = 0x1234;
	CHECK_OK(ioctl(fd, KVM_SET_SREGS, &sregs));
	return fd;
}

/* How many save areas that hash to @contents the launches that there are have measured. */
static int areas(const char *contents)
{
	static char text[1 << 16];
	char area[256];
	const char *at;
	int count = 0;

	snprintf(area, sizeof(area),
		 "{\"type\": 2, \"gpa\": \"0xfffffffff000\", \"contents\": \"%s\"}", contents);
	read_steps(text, sizeof(text));
	for (at = text; (at = strstr(at, area)); at++)
		count++;
	return count;
}

/* What these hash to is from save areas written down from AMD's layout. */
#define RESET_AREA	"4ee63439cd34f95591eae3262c49896b7b6f5f788429f623fd739aa3364c8fb8" \
			"857c37b93d407565e33b56f03fc36255"
#define UNCACHED_AREA	"962d43a418d30d2c848c324e2edd1ca374be7fa8c5096a8547c6b84764b2c2e1" \
			"596b18278d43debd7ccc138ecd8e57ef"
#define MSRS_AREA	"1106ffb2dedf83df102adce1d7c40c2e8622ab82edc49e0b681800c45cf48783" \
			"4a9a9ff75259ad4c12d5af362b375799"

static void test_vcpus_are_measured(void)
{
	struct vm *vm;
	int fd;

	vm = launching_at(TEST_GPA, &fd);
	add_vcpu(vm, 0);
	add_vcpu(vm, 5);
	MUST(snp_finish(vm, NULL));
	CHECK_EQ(areas(RESET_AREA), 2);
}

/* Those that have a place in the save area, which has the low half of two. */
static void test_msrs_are_measured(void)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = 0xc0000081, .data = 0x0023001000000000 }, /* STAR */
		{ .index = 0xc0000082, .data = 0xffffffff81000000 }, /* LSTAR */
		{ .index = 0xc0000083, .data = 0xffffffff82000000 }, /* CSTAR */
		{ .index = 0xc0000084, .data = 0x47700 }, /* SFMASK */
		{ .index = 0xc0000102, .data = 0xffff888000001000 }, /* KERNEL_GS_BASE */
		{ .index = 0x174, .data = 0x10 }, /* SYSENTER_CS */
		{ .index = 0x175, .data = 0xfffffe0000003000 }, /* SYSENTER_ESP */
		{ .index = 0x176, .data = 0xffffffff83001000 }, /* SYSENTER_EIP */
		{ .index = 0x277, .data = 0x0007010600070106 }, /* PAT */
	};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[ARRAY_SIZE(entries)];
	} msrs = { .head.nmsrs = ARRAY_SIZE(entries) };
	struct vm *vm;
	int fd;

	memcpy(msrs.entries, entries, sizeof(entries));
	vm = launching_at(TEST_GPA, &fd);
	CHECK_EQ(ioctl(add_vcpu(vm, 0), KVM_SET_MSRS, &msrs), (int)ARRAY_SIZE(entries));
	MUST(snp_finish(vm, NULL));
	CHECK_EQ(areas(MSRS_AREA), 1);
}

/* KVM has caches on, unless the VMM says that it knows what it does. */
static void test_caches_that_are_off_are_measured(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2,
				      .args = { KVM_X86_QUIRK_CD_NW_CLEARED } };
	struct vm *vm;
	int fd;

	vm = launching_at(TEST_GPA, &fd);
	CHECK_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &cap));
	add_vcpu(vm, 0);
	MUST(snp_finish(vm, NULL));
	CHECK_EQ(areas(UNCACHED_AREA), 1);
}

/* By then hardware would have encrypted their save areas. */
static void test_vcpus_are_not_measured_again(void)
{
	struct ids ids;
	struct vm *vm;
	u32 error;
	int fd;

	good_ids(&ids);
	vm = launching_at(TEST_GPA, &fd);
	add_vcpu(vm, 0);
	CHECK_EQ(finish_with(vm, &ids, true, &error), -EIO);
	CHECK_EQ(error, FW_BAD_MEASUREMENT);
	CHECK_EQ(snp_finish(vm, NULL), -EINVAL);
	add_vcpu(vm, 1);
	CHECK_EQ(snp_finish(vm, NULL), -EINVAL);
	CHECK_EQ(areas(RESET_AREA), 1);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_pages_are_measured),
		TAP_TEST(test_id_block),
		TAP_TEST(test_id_block_of_another_policy),
		TAP_TEST(test_vcpus_are_measured),
		TAP_TEST(test_msrs_are_measured),
		TAP_TEST(test_caches_that_are_off_are_measured),
		TAP_TEST(test_vcpus_are_not_measured_again),
	};

	launch_pages_fill();
	return tap_main(tests, ARRAY_SIZE(tests));
}
