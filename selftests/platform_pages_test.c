// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of frames when a platform has them: a user of a frame does not see what
 * the last one left there, a page is for one gfn, and a page that the platform keeps is
 * lost. Without a model only the first.
 *
 * Tests: arch/x86/snp_platform.cc, arch/x86/tdx_platform.cc.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "kmod/gmem_test_abi.h"

#define FILE_SIZE	(2 * SZ_2M)

static int test_module(void)
{
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip("no gmem_test.ko");
	return fd;
}

/* Whether the host finds @word at the start of an eighth of the frame. */
static bool frame_has(int tester, u64 pfn, u64 word)
{
	static u64 words[PAGE_SIZE / 8];
	struct gmem_test_frame req = { .pfn = pfn, .to = (u64)words };
	unsigned int i;

	CHECK_EQ(ioctl(tester, GMEM_TEST_FRAME, &req), 0);
	for (i = 0; i < PAGE_SIZE / 8; i += 64) {
		if (words[i] == word)
			return true;
	}
	return false;
}

static u64 frame_of(int tester, int fd, u64 page)
{
	struct gmem_test_pfn req = { .fd = fd, .index = page };

	CHECK_EQ(ioctl(tester, GMEM_TEST_PFN, &req), 0);
	return req.pfn;
}

/* What a guest wrote is in no frame that the host has again. */
static void test_reclaimed_frames_are_empty(void)
{
	const u64 npages = FILE_SIZE / PAGE_SIZE, word = 0x5ec2e7c0de0f6e57;
	u64 frames[FILE_SIZE / PAGE_SIZE], i, seen = 0;
	int tester = test_module(), fd;
	struct vcpu *vcpu;
	struct vm *vm;

	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	fd = vm_add_private(vm, FILE_SIZE);
	MUST(guest_touch_write(vcpu, TEST_GPA, 8, 512, FILE_SIZE / 512, word));
	for (i = 0; i < npages; i++) {
		frames[i] = frame_of(tester, fd, i);
		seen += frame_has(tester, frames[i], word);
	}
	/* A model encrypts nothing: this would see it. */
	CHECK_EQ(seen, npages);

	MUST(gmem_punch(fd, 3 * PAGE_SIZE, PAGE_SIZE));
	CHECK(!frame_has(tester, frames[3], word), "a punched page shows its content");
	MUST(gmem_punch(fd, SZ_2M, SZ_2M));
	for (i = npages / 2; i < npages; i++)
		CHECK(!frame_has(tester, frames[i], word), "page %llu of a punched run shows it",
		      (unsigned long long)i);
	vm_free(vm);
	close(fd);
	for (i = 0; i < npages; i++)
		CHECK(!frame_has(tester, frames[i], word), "page %llu of a closed file shows it",
		      (unsigned long long)i);
}

/* What the host left in a frame is not shown to a guest that was promised zeros. */
static void test_unprepared_frames_are_not_seen(void)
{
	const u64 dirty = SZ_1G, size = 64 * SZ_1M, word = 0x0ddba11ca7cafe11;
	int tester = test_module(), fd;
	u64 *words, i, seen = 0;
	struct vm *vm;

	words = mmap(NULL, dirty, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(words != MAP_FAILED, "no memory");
	for (i = 0; i < dirty / 8; i += 64)
		words[i] = word;
	munmap(words, dirty);

	vm = vm_create_private(1);
	fd = vm_add_private(vm, size);
	MUST(gmem_alloc(fd, 0, size));
	for (i = 0; i < size / PAGE_SIZE; i++)
		seen += frame_has(tester, frame_of(tester, fd, i), word);
	/* None with init_on_alloc=1, where the allocator clears them. */
	tap_diag("%llu of %llu frames have the host's content", (unsigned long long)seen,
		 (unsigned long long)(size / PAGE_SIZE));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, size));
}

/* A page is assigned at one gfn: showing it at another is refused. */
static void test_moved_slot_is_refused(void)
{
	const long leaked = gmem_total("leaked"), reports = gmem_total("platform_reports");
	struct vm *vm;
	struct vcpu *vcpu;
	u64 value;
	int fd;

	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	fd = vm_add_private(vm, SZ_2M);
	MUST(guest_write(vcpu, TEST_GPA, 8, 1));
	vm_delete_slot(vm, TEST_SLOT);
	vm_add_slot(vm, TEST_SLOT, TEST_GPA + SZ_1G, SZ_2M, fd, 0);
	vm_make_private(vm, TEST_GPA + SZ_1G, SZ_2M);
	CHECK(guest_read(vcpu, TEST_GPA + SZ_1G, 8, &value) != EXIT_DONE,
	      "a page at another gfn than its own was mapped");
	CHECK(gmem_total("platform_reports") > reports, "nothing was reported");
	CHECK_EQ(gmem_total("leaked"), leaked);
	/* Given back and taken anew, it may be there. */
	MUST(gmem_punch(fd, 0, SZ_2M));
	MUST(guest_read(vcpu, TEST_GPA + SZ_1G, 8, &value));
	CHECK_EQ(value, 0);
}

static bool on_snp(void)
{
	return !strcmp(gmem_platform(), "snp-model");
}

/* Have the model refuse to give a page back, as often as @calls. */
static void fail_reclaims(int tester, u32 calls)
{
	/* RMPUPDATE: FAIL_PERMISSION. */
	const struct gmem_test_fail snp = {
		.symbol = "_ZN4gmem3Rmp6updateENS_5FrameINS_6PfnTagEEERKNS_9RmpUpdateE",
		.rax = 2,
	};
	/* TDH.MEM.PAGE.REMOVE. */
	const struct gmem_test_fail tdx = {
		.symbol = "_ZN4gmem9TdxModule11page_removeERNS_2TdEmj",
		.rax = 0xc000010000000000 /* TDX_OPERAND_INVALID */,
	};
	struct gmem_test_fail fail = on_snp() ? snp : tdx;

	fail.calls = calls;
	CHECK_OK(ioctl(tester, GMEM_TEST_FAIL, &fail));
	CHECK_EQ(fail.left, 0);
}

/*
 * A page that the platform keeps: it is counted and reported, and neither the host nor a
 * guest gets it again.
 */
static void test_kept_page_is_leaked(void)
{
	const u64 size = 64 * SZ_1M, gpa = TEST_GPA + 3 * PAGE_SIZE;
	const long leaked = gmem_total("leaked"), reports = gmem_total("platform_reports");
	int tester = test_module(), fd, other;
	u64 kept, value, i;
	struct vm *vm;

	vm = vm_create_private(1);
	fd = vm_add_private(vm, FILE_SIZE);
	MUST(guest_write(&vm->vcpus[0], gpa, 8, 42));
	kept = frame_of(tester, fd, 3);
	fail_reclaims(tester, 1);
	MUST(gmem_punch(fd, 3 * PAGE_SIZE, PAGE_SIZE));
	fail_reclaims(tester, 0);
	CHECK_EQ(gmem_total("leaked"), leaked + 1);
	CHECK(gmem_total("platform_reports") > reports, "nothing was reported");

	/* The place has another page, or none: a S-EPT entry goes with its page. */
	if (on_snp())
		MUST(guest_check_zero(&vm->vcpus[0], gpa, PAGE_SIZE));
	else
		CHECK(guest_read(&vm->vcpus[0], gpa, 8, &value) != EXIT_DONE,
		      "another page is mapped where the TD has one");
	CHECK(frame_of(tester, fd, 3) != kept, "the page is there again");
	other = vm_gmem(vm, size);
	MUST(gmem_alloc(other, 0, size));
	for (i = 0; i < size / PAGE_SIZE; i++)
		CHECK(frame_of(tester, other, i) != kept, "the page was used again");
	/* Its neighbours go as ever. */
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	CHECK_EQ(gmem_total("leaked"), leaked + 1);
	close(other);
	vm_free(vm);
	close(fd);
	CHECK_EQ(gmem_total("leaked"), leaked + 1);
	close(tester);
}

/* Without a model. */
static const struct tap_test of_none[] = {
	TAP_TEST(test_unprepared_frames_are_not_seen),
};

static const struct tap_test of_models[] = {
	TAP_TEST(test_reclaimed_frames_are_empty),
	TAP_TEST(test_unprepared_frames_are_not_seen),
	TAP_TEST(test_moved_slot_is_refused),
	TAP_TEST(test_kept_page_is_leaked),
};

int main(void)
{
	if (!strcmp(gmem_platform(), "none"))
		return tap_main(of_none, ARRAY_SIZE(of_none));
	return tap_main(of_models, ARRAY_SIZE(of_models));
}
