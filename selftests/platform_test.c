// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs on a modelled platform, platform=snp-model or tdx-model: launch and what
 * it measures to, refusals, and a guest that runs. Without a model only that the
 * launch ioctls say so. What becomes of frames is in platform_pages_test.c.
 *
 * Tests: mmu/launch.cc, arch/x86/snp_platform.cc, arch/x86/tdx_platform.cc.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "launch_pages.h"
#include "kmod/gmem_test_abi.h"

#define FILE_SIZE	(2 * SZ_2M)
#define DIGEST_SIZE	48

/* Statuses of the SNP firmware. */
#define SNP_INVALID_GUEST_STATE	0x02
#define SNP_INVALID_PARAM	0x16
#define SNP_INVALID_PAGE_SIZE	0x19
/* Of the TDX module, without the operand. */
#define TDX_STATUS(error)	((error) >> 32)
#define TDX_OPERAND_INVALID	0xc0000100
#define TDX_OP_STATE_INCORRECT	0xc0000608

static bool on_snp(void)
{
	return !strcmp(gmem_platform(), "snp-model");
}

static bool on_tdx(void)
{
	return !strcmp(gmem_platform(), "tdx-model");
}

/* Pages done, or -errno; @firmware_error may be NULL. */
static long populate_with(int fd, u64 gpa, const void *source, u64 npages, u32 type, u32 flags,
			  u64 *firmware_error)
{
	struct gmem_launch_populate args = {
		.gpa = gpa,
		.source = (u64)source,
		.npages = npages,
		.type = type,
		.flags = flags,
	};
	long ret = ioctl(fd, GMEM_POPULATE, &args);

	if (firmware_error)
		*firmware_error = args.firmware_error;
	if (ret < 0)
		return -errno;
	CHECK_EQ(args.done, ret);
	return ret;
}

static long populate(int fd, u64 gpa, const void *source, u64 npages, u32 type, u64 *firmware_error)
{
	return populate_with(fd, gpa, source, npages, type, on_tdx() ? GMEM_POPULATE_MEASURE : 0,
			     firmware_error);
}

static long finish(int fd, u64 *firmware_error)
{
	struct gmem_launch_finish args = {};
	long ret = ioctl(fd, GMEM_FINISH, &args) ? -errno : 0;

	if (firmware_error)
		*firmware_error = args.firmware_error;
	return ret;
}

static long measurement(int fd, unsigned char *digest)
{
	struct gmem_launch_measurement args = {};
	long ret = ioctl(fd, GMEM_GET_MEASUREMENT, &args) ? -errno : 0;

	memcpy(digest, args.digest, DIGEST_SIZE);
	return ret;
}

/* Require that the launch ends, and its digest to begin with @hex. */
static void check_digest(const char *name, int fd, const char *hex)
{
	unsigned char digest[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];
	unsigned int i;

	CHECK_EQ(finish(fd, NULL), 0);
	CHECK_EQ(measurement(fd, digest), 0);
	for (i = 0; i < DIGEST_SIZE; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	CHECK(!strncmp(text, hex, strlen(hex)), "%s measures to %s", name, text);
	tap_diag("%s: %.12s...", name, text);
}

/* A VM without vCPUs with private memory at [@gpa, @gpa + @size). */
static int launch_at(struct vm **vm, u64 gpa, u64 size)
{
	int fd;

	*vm = vm_create_private(0);
	fd = vm_gmem(*vm, size);
	vm_add_slot(*vm, TEST_SLOT, gpa, size, fd, 0);
	vm_make_private(*vm, gpa, size);
	return fd;
}

static void measure_one(const char *name, u64 gpa, const void *source, u32 type, const char *digest)
{
	struct vm *vm;
	int fd = launch_at(&vm, gpa & ~(SZ_2M - 1), SZ_2M);

	CHECK_EQ(populate(fd, gpa, source, 1, type, NULL), 1);
	check_digest(name, fd, digest);
}

static void test_snp_vectors(void)
{
	struct vm *vm;
	int low, high;

	measure_one("S1", 0, page_zero, GMEM_PAGE_NORMAL,
		    "9d13634b6014bb21cf059b2dc694e7bff01a8a7137041100cd2b695f3d10fb68"
		    "7267b97808b27f8f471d943bc6f53a20");
	measure_one("S2", 0, page_zero, GMEM_PAGE_ZERO,
		    "70c0ecaab9608f14ebf8ac6f0f07bcd8728f4e2ab30382b539b4de4de904ca9f"
		    "8ebdf4b2cd3cd84dd996bd55dd794676");
	measure_one("S3", 0x1000, page_bytes, GMEM_PAGE_UNMEASURED,
		    "81475a112c0223cebe1ccb31a0aa2567772871200b33515a3cbbd5ed6a68a8e6"
		    "30902dd83469ea6553554bfb67111fad");
	measure_one("S4", 0x80d000, NULL, GMEM_PAGE_SECRETS,
		    "e82e99caf82a32c31ec5070eef9e2135866d8f7de60d756814f3bd8c989c1e82"
		    "6622e0a97dad026c6d9d81818780e6a2");
	measure_one("S5", 0x80e000, page_zero, GMEM_PAGE_CPUID,
		    "c9e46442d2b4ddb823fa6b4a907930de7e93901180c5a3126ba234193059a0a5"
		    "1a21ba82f05d2fe0f3136f22b1b1a8e4");

	/* S7 without its VMSAs, through two files of one VM. */
	low = launch_at(&vm, 0x800000, SZ_2M);
	high = vm_gmem(vm, SZ_2M);
	vm_add_slot(vm, TEST_SLOT + 1, 0xffe00000, SZ_2M, high, 0);
	vm_make_private(vm, 0xffe00000, SZ_2M);
	CHECK_EQ(populate(high, 0xfffff000, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(populate(high, 0xffffe000, page_words, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(populate(low, 0x800000, NULL, 2, GMEM_PAGE_ZERO, NULL), 2);
	CHECK_EQ(populate(low, 0x802000, NULL, 1, GMEM_PAGE_UNMEASURED, NULL), 1);
	CHECK_EQ(populate(low, 0x80d000, NULL, 1, GMEM_PAGE_SECRETS, NULL), 1);
	CHECK_EQ(populate(low, 0x80e000, page_zero, 1, GMEM_PAGE_CPUID, NULL), 1);
	check_digest("S7, step 7", high, "5bf770f305f4");
}

static void test_tdx_vectors(void)
{
	struct vm *vm;
	int fd;

	fd = launch_at(&vm, TEST_GPA, SZ_2M);
	check_digest("T1", fd,
		     "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
		     "274edebfe76f65fbd51ad2f14898b95b");
	fd = launch_at(&vm, 0, SZ_2M);
	CHECK_EQ(populate_with(fd, 0, page_zero, 1, GMEM_PAGE_NORMAL, 0, NULL), 1);
	check_digest("T2", fd,
		     "8f3e9a8aca6784eab874f7aa4dda5d49104a88047f1f86695ef2a88f5691a90e"
		     "34aac48ce45ffa1f5a23c7d62980d570");
	measure_one("T3", 0xfffff000, page_bytes, GMEM_PAGE_NORMAL,
		    "cd9d793217c8e5918ad18eca449ba10dcfc5faafc19ceeae46b925d054f3b68f"
		    "85127312438aeba5bc187d9dc73a20fa");
	measure_one("T4", 0, page_zero, GMEM_PAGE_NORMAL,
		    "236f0efa607ff8843f1855d7ef80dc3dda8fb455787a186b8787212951eab009"
		    "6e3193bb26f817c2b63c21f5e10f9938");
	fd = launch_at(&vm, 0xffc00000, SZ_2M);
	CHECK_EQ(populate(fd, 0xffc84000, page_words, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(populate(fd, 0xffc85000, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
	check_digest("T5", fd,
		     "b286f4a5a77d7e836d736eca84b277922079bfed0f2f730e62639921e6bb1541"
		     "de1b721e5d328272ff4c23bef58dafc0");
}

static void test_bad_arguments(void)
{
	void *two = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char digest[DIGEST_SIZE], clean[DIGEST_SIZE];
	struct vm *vm;
	int fd, other;
	u64 error;

	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	other = vm_gmem(vm, FILE_SIZE);
	munmap((char *)two + PAGE_SIZE, PAGE_SIZE);

	CHECK_EQ(populate(fd, TEST_GPA + 1, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), -EINVAL);
	CHECK_EQ(populate(fd, TEST_GPA, page_bytes + 1, 1, GMEM_PAGE_NORMAL, NULL), -EINVAL);
	CHECK_EQ(populate(fd, TEST_GPA, page_bytes, 0, GMEM_PAGE_NORMAL, NULL), -EINVAL);
	CHECK_EQ(populate(fd, TEST_GPA + FILE_SIZE, page_bytes, 1, GMEM_PAGE_NORMAL, NULL),
		 -EINVAL);
	CHECK_EQ(populate(other, TEST_GPA, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), -EINVAL);
	vm_make_shared(vm, TEST_GPA + SZ_2M, PAGE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA + SZ_2M, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), -EINVAL);

	/* Bad in the middle: what was before is done, and told. */
	CHECK_EQ(populate(fd, TEST_GPA, two, 2, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(populate(fd, TEST_GPA + PAGE_SIZE, (char *)two + PAGE_SIZE, 1,
			  GMEM_PAGE_NORMAL, NULL), -EFAULT);
	CHECK_EQ(populate(fd, TEST_GPA, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), -EEXIST);
	CHECK_EQ(populate(fd, TEST_GPA + FILE_SIZE - PAGE_SIZE, NULL, 5, GMEM_PAGE_NORMAL, NULL),
		 1);

	CHECK_EQ(populate(fd, TEST_GPA + 2 * PAGE_SIZE, page_bytes, 1, 7, &error), -EIO);
	if (on_snp())
		CHECK_EQ(error, SNP_INVALID_PARAM);
	else
		CHECK_EQ(TDX_STATUS(error), TDX_OPERAND_INVALID);
	/* The page that was refused is as new. */
	CHECK_EQ(populate(fd, TEST_GPA + 2 * PAGE_SIZE, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);

	/* Nothing of what was refused is in the digest. */
	CHECK_EQ(finish(fd, NULL), 0);
	CHECK_EQ(measurement(fd, digest), 0);
	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, page_zero, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(populate(fd, TEST_GPA + FILE_SIZE - PAGE_SIZE, NULL, 1, GMEM_PAGE_NORMAL, NULL),
		 1);
	CHECK_EQ(populate(fd, TEST_GPA + 2 * PAGE_SIZE, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(finish(fd, NULL), 0);
	CHECK_EQ(measurement(fd, clean), 0);
	CHECK(!memcmp(digest, clean, DIGEST_SIZE), "bad input changed the digest");
}

static void test_single_pages(void)
{
	struct vm *vm;
	u64 error;
	int fd;

	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, NULL, 2, GMEM_PAGE_SECRETS, &error), -EIO);
	CHECK_EQ(error, SNP_INVALID_PAGE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, NULL, 2, GMEM_PAGE_CPUID, &error), -EIO);
	CHECK_EQ(error, SNP_INVALID_PAGE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, NULL, 1, GMEM_PAGE_SECRETS, NULL), 1);
}

static void test_cpuid_table_comes_back(void)
{
	unsigned char *table = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	struct vm *vm;
	u64 error;
	int fd;

	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	memset(table, 0, PAGE_SIZE);
	table[0] = 1;
	table[16] = 7;		/* the leaf */
	table[16 + 40] = 1;	/* reserved */
	CHECK_EQ(populate(fd, TEST_GPA, table, 1, GMEM_PAGE_CPUID, &error), -EIO);
	CHECK_EQ(error, SNP_INVALID_PARAM);
	CHECK_EQ(table[16 + 40], 0);
	CHECK_EQ(table[16], 7);
	CHECK_EQ(populate(fd, TEST_GPA, table, 1, GMEM_PAGE_CPUID, NULL), 1);
}

static void test_end_of_launch(void)
{
	unsigned char digest[DIGEST_SIZE];
	struct vm *vm;
	u64 error;
	int fd;

	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(measurement(fd, digest), -EPERM);
	CHECK_EQ(finish(fd, NULL), 0);
	CHECK_EQ(measurement(fd, digest), 0);
	CHECK_EQ(finish(fd, &error), -EIO);
	CHECK_EQ(on_snp() ? error : TDX_STATUS(error),
		 on_snp() ? SNP_INVALID_GUEST_STATE : TDX_OP_STATE_INCORRECT);
	CHECK_EQ(populate(fd, TEST_GPA + PAGE_SIZE, page_bytes, 1, GMEM_PAGE_NORMAL, &error), -EIO);
	CHECK_EQ(on_snp() ? error : TDX_STATUS(error),
		 on_snp() ? SNP_INVALID_GUEST_STATE : TDX_OP_STATE_INCORRECT);
}

/* Require that no rule was broken meanwhile and nothing lost. */
struct spotless {
	long reports, leaked;
};

static struct spotless spotless_begin(void)
{
	return (struct spotless) { gmem_total("platform_reports"), gmem_total("leaked") };
}

static void spotless_end(const struct spotless *before)
{
	CHECK_EQ(gmem_total("platform_reports"), before->reports);
	CHECK_EQ(gmem_total("leaked"), before->leaked);
}

/* Content, conversion and punching with a guest that runs. */
static void test_guest_runs(void)
{
	struct spotless before = spotless_begin();
	struct vm *vm;
	struct vcpu *vcpu;
	unsigned char in[256];
	u64 size = 4 * SZ_2M;
	int fd, round;

	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	fd = vm_gmem(vm, size);
	vm_add_slot(vm, TEST_SLOT, TEST_GPA, size, fd, 0);
	vm_make_private(vm, TEST_GPA, size);
	CHECK_EQ(populate(fd, TEST_GPA + PAGE_SIZE, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
	CHECK_EQ(finish(fd, NULL), 0);

	MUST(guest_load_bytes(vcpu, TEST_GPA + PAGE_SIZE, in, sizeof(in), 8));
	CHECK(!memcmp(in, page_bytes, sizeof(in)), "the guest reads what was populated");
	/* Pages that were not populated show nothing of their frames' former users. */
	MUST(guest_check_zero(vcpu, TEST_GPA, PAGE_SIZE));
	MUST(guest_check_zero(vcpu, TEST_GPA + 2 * PAGE_SIZE, size - 2 * PAGE_SIZE));

	for (round = 0; round < 3; round++) {
		u64 hole = TEST_GPA + SZ_2M + round * PAGE_SIZE;

		MUST(guest_fill(vcpu, TEST_GPA, size, round));
		/* A page out of the middle of a huge run, then a whole run. */
		vm_make_shared(vm, hole, PAGE_SIZE);
		MUST(gmem_punch(fd, hole - TEST_GPA, PAGE_SIZE));
		vm_make_private(vm, hole, PAGE_SIZE);
		MUST(guest_check_zero(vcpu, hole, PAGE_SIZE));
		MUST(guest_check(vcpu, hole + PAGE_SIZE, PAGE_SIZE, round));
		MUST(gmem_punch(fd, 2 * SZ_2M, SZ_2M));
		MUST(guest_check_zero(vcpu, TEST_GPA + 2 * SZ_2M, SZ_2M));
		MUST(guest_check(vcpu, TEST_GPA, SZ_2M, round));
	}
	vm_free(vm);
	close(fd);
	spotless_end(&before);
}

/* A page's content from before it was populated is in no digest. */
static void test_prefault_before_the_launch(void)
{
	unsigned char digest[2][DIGEST_SIZE];
	struct spotless before = spotless_begin();
	int round;

	for (round = 0; round < 2; round++) {
		u64 gpa = TEST_GPA, size = 4 * PAGE_SIZE;
		struct vm *vm = vm_create_private(1);
		int fd = vm_add_private(vm, FILE_SIZE);

		while (round && size)
			CHECK_OK(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size));
		CHECK_EQ(populate(fd, TEST_GPA, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), 1);
		CHECK_EQ(populate(fd, TEST_GPA + SZ_2M, page_words, 1, GMEM_PAGE_NORMAL, NULL), 1);
		MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA + PAGE_SIZE, 3 * PAGE_SIZE));
		CHECK_EQ(finish(fd, NULL), 0);
		CHECK_EQ(measurement(fd, digest[round]), 0);
		vm_free(vm);
		close(fd);
	}
	CHECK(!memcmp(digest[0], digest[1], DIGEST_SIZE), "a pre-fault changed the digest");
	spotless_end(&before);
}

/*
 * A guest writes to pages by way of their neighbour's huge mapping. For populate such
 * pages are still to be had. A refused populate leaves them as they are.
 */
static void test_refusal_leaves_content(void)
{
	struct spotless before = spotless_begin();
	const bool model = strcmp(gmem_platform(), "none");
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = vm_add_private(vm, FILE_SIZE);
	const u64 gpa = TEST_GPA + PAGE_SIZE;

	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 5));
	CHECK_EQ(populate(fd, gpa, page_bytes, 1, 7, NULL), model ? -EIO : -EOPNOTSUPP);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 5));
	CHECK_EQ(populate(fd, gpa, (void *)PAGE_SIZE, 1, GMEM_PAGE_NORMAL, NULL),
		 model ? -EFAULT : -EOPNOTSUPP);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 5));
	CHECK_EQ(finish(fd, NULL), model ? 0 : -EOPNOTSUPP);
	CHECK_EQ(populate(fd, gpa, page_bytes, 1, GMEM_PAGE_NORMAL, NULL),
		 model ? -EIO : -EOPNOTSUPP);
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 5));
	vm_free(vm);
	close(fd);
	spotless_end(&before);
}

static int test_module(void)
{
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip("no gmem_test.ko");
	return fd;
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Microseconds for @size bytes of @source as pages of @type. */
static long time_populate(const void *source, u64 size, u32 type)
{
	struct vm *vm;
	int fd = launch_at(&vm, TEST_GPA, size);
	long from = now_us(), us;

	CHECK_EQ(populate(fd, TEST_GPA, source, size / PAGE_SIZE, type, NULL), size / PAGE_SIZE);
	us = now_us() - from;
	close(fd);
	vm_free(vm);
	return us;
}

/*
 * Against the kernel's SHA-384 alone, and with the pages' own hash left out. No
 * time is asserted: an emulated processor copies memory a word at a time. Where
 * instructions are counted GMEM_LAUNCH_MIB can say a smaller size than 256.
 */
static void test_time_of_a_launch(void)
{
	const char *mib = getenv("GMEM_LAUNCH_MIB");
	u64 size = (mib ? strtoul(mib, NULL, 0) : 256) * SZ_1M;
	struct gmem_test_sha384 req = { .npages = size / PAGE_SIZE };
	void *const source = vm_source(size);
	long all, zeros, rest, hash;

	req.source = (u64)source;
	CHECK_EQ(ioctl(test_module(), GMEM_TEST_SHA384, &req), 0);
	hash = req.ns / 1000;
	all = time_populate(source, size, GMEM_PAGE_NORMAL);
	zeros = time_populate(NULL, size, GMEM_PAGE_NORMAL);
	rest = time_populate(source, size, GMEM_PAGE_UNMEASURED);
	tap_diag("%llu MiB: SHA-384 alone %ld us, populated in %ld us: %ld.%03ld",
		 (unsigned long long)(size / SZ_1M), hash, all, all / hash,
		 all * 1000 / hash % 1000);
	tap_diag("from no source in %ld us: %ld.%03ld; unmeasured in %ld us", zeros,
		 zeros / hash, zeros * 1000 / hash % 1000, rest);
}

/* Memory of a model is its VM's alone. */
static void test_memory_stays_where_it_is(void)
{
	struct kvm_link_guest_memfd args = { 0 };
	struct vm *vm, *other = vm_create_private(0);

	args.fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(vm_check(other, KVM_CAP_GUEST_MEMFD_LINK), 0);
	CHECK_ERRNO(ioctl(other->fd, KVM_LINK_GUEST_MEMFD, &args), EOPNOTSUPP);
	MUST(gmem_alloc(args.fd, 0, PAGE_SIZE));
}

static void test_no_model_no_launch(void)
{
	unsigned char digest[DIGEST_SIZE];
	struct vm *vm;
	int fd;

	fd = launch_at(&vm, TEST_GPA, FILE_SIZE);
	CHECK_EQ(populate(fd, TEST_GPA, page_bytes, 1, GMEM_PAGE_NORMAL, NULL), -EOPNOTSUPP);
	CHECK_EQ(finish(fd, NULL), -EOPNOTSUPP);
	CHECK_EQ(measurement(fd, digest), -EOPNOTSUPP);
	CHECK_EQ(ioctl(fd, _IO('G', 0x4f)), -1);
	CHECK_EQ(errno, ENOTTY);
}

/* The tests that the platform of the module makes sense for. */
static const struct tap_test of_none[] = {
	TAP_TEST(test_no_model_no_launch),
	TAP_TEST(test_refusal_leaves_content),
};

static const struct tap_test of_snp[] = {
	TAP_TEST(test_snp_vectors),
	TAP_TEST(test_bad_arguments),
	TAP_TEST(test_single_pages),
	TAP_TEST(test_cpuid_table_comes_back),
	TAP_TEST(test_end_of_launch),
	TAP_TEST(test_guest_runs),
	TAP_TEST(test_prefault_before_the_launch),
	TAP_TEST(test_refusal_leaves_content),
	TAP_TEST(test_memory_stays_where_it_is),
	{ .name = "test_time_of_a_launch", .fn = test_time_of_a_launch, .timeout = 300 },
};

static const struct tap_test of_tdx[] = {
	TAP_TEST(test_tdx_vectors),
	TAP_TEST(test_bad_arguments),
	TAP_TEST(test_end_of_launch),
	TAP_TEST(test_guest_runs),
	TAP_TEST(test_prefault_before_the_launch),
	TAP_TEST(test_memory_stays_where_it_is),
};

int main(void)
{
	launch_pages_fill();
	if (on_snp())
		return tap_main(of_snp, ARRAY_SIZE(of_snp));
	if (on_tdx())
		return tap_main(of_tdx, ARRAY_SIZE(of_tdx));
	return tap_main(of_none, ARRAY_SIZE(of_none));
}
