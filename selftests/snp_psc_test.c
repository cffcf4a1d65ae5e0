// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page state changes that a guest asks for by the GHCB, on a machine without SNP, with a VMM
 * that converts, refuses, does nothing, or goes; and exchanges with user space that come to no
 * end, or meet a GHCB that changes meanwhile.
 *
 * Tests: guest/psc.cc, guest/events.cc, guest/vmgexit.cc, kapi/ghcb.c.
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gmem.h"
#include "ghcb.h"
#include "guest.h"
#include "module.h"
#include "snp.h"

/* ---- one page, by the MSR ---------------------------------------------------------------- */

static void test_msr_conversion(void)
{
	struct ghcb_guest guest = ghcb_guest(1);
	u64 page = BLOCK + PAGE_SIZE, shared = page | SHARED << 52 | 0x014;
	u64 private = page | PRIVATE << 52 | 0x014;

	/* The VMM does not want to hear of it; nothing that there is. */
	CHECK_EQ(ghcb_request(&guest, shared), 1UL << 63 | 0x015);
	vm_enable_map_gpa_exit(guest.vm);
	CHECK_EQ(ghcb_request(&guest, page | 0x014), 1UL << 63 | 0x015);
	CHECK_EQ(ghcb_request(&guest, page | 3UL << 52 | 0x014), 1UL << 63 | 0x015);

	ghcb_must_validate(&guest, page);
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, shared), page, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	MUST(vcpu_run(guest.vcpu));
	ghcb_check_registers(&guest);
	CHECK_EQ(guest.frame->msr, 0x015);
	MUST(guest_write(guest.vcpu, page, 8, 0x77));
	/* And back: it is to be validated again, and has nothing of before. */
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, private), page, 1, MAP_PRIVATE_4K);
	ghcb_convert(&guest);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.frame->msr, 0x015);
	ghcb_must_validate(&guest, page);
	MUST(guest_check_zero(guest.vcpu, page, PAGE_SIZE));
	/* The VMM refuses. */
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, shared), page, 1, MAP_SHARED_4K);
	guest.vcpu->run->hypercall.ret = EINVAL;
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.frame->msr, 1UL << 63 | 0x015);
	/* It says that it has, and has not: the guest finds out. */
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, NOWHERE | PRIVATE << 52 | 0x014), NOWHERE, 1,
		      MAP_PRIVATE_4K);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.frame->msr, 0x015);
	CHECK_EQ(guest_call(guest.vcpu, PVALIDATE, NOWHERE, &page), EXIT_MEMORY_FAULT);
}

/* ---- page state changes ----------------------------------------------------------------- */

static void put_header(struct ghcb_guest *guest, unsigned int at, unsigned int end)
{
	u64 header = at | (u64)end << 16;

	memcpy(guest->ghcb + 0x800, &header, sizeof(header));
}

static void prepare_psc(struct ghcb_guest *guest, unsigned int at, unsigned int end)
{
	ghcb_prepare(guest, PSC, 0, 0);
	ghcb_set(guest, SCRATCH, BUFFER);
	put_header(guest, at, end);
}

static void put_entry(struct ghcb_guest *guest, unsigned int nr, u64 entry)
{
	memcpy(guest->ghcb + 0x808 + nr * 8, &entry, sizeof(entry));
}

static u64 entry(struct ghcb_guest *guest, unsigned int nr)
{
	return ghcb_field(guest, 0x808 + nr * 8);
}

static void test_psc(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	prepare_psc(&guest, 0, 0);
	put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
	/* The VMM does not want to hear of it. */
	ghcb_must(&guest, 0, PSC_GENERIC);
	vm_enable_map_gpa_exit(guest.vm);
	MUST(guest_fill(guest.vcpu, BLOCK, 2 * SZ_2M, 3));

	/* Three pages, of which two are neighbours, and a block. */
	prepare_psc(&guest, 0, 3);
	put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
	put_entry(&guest, 1, ENTRY(BLOCK + PAGE_SIZE, SHARED));
	put_entry(&guest, 2, ENTRY(BLOCK + 3 * PAGE_SIZE, SHARED));
	put_entry(&guest, 3, ENTRY(BLOCK + SZ_2M, SHARED) | LARGE);
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 2, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_ask(&guest, vcpu_run(guest.vcpu), BLOCK + 3 * PAGE_SIZE, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_ask(&guest, vcpu_run(guest.vcpu), BLOCK + SZ_2M, 512, MAP_SHARED_2M);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, 0x800), 3UL << 16 | 4);
	CHECK_EQ(entry(&guest, 0), ENTRY(BLOCK, SHARED) | 1);
	CHECK_EQ(entry(&guest, 3), ENTRY(BLOCK + SZ_2M, SHARED) | LARGE | 512);
	MUST(guest_check(guest.vcpu, BLOCK + 2 * PAGE_SIZE, PAGE_SIZE, 3));
	MUST(guest_check(guest.vcpu, BLOCK + 4 * PAGE_SIZE, SZ_2M - 4 * PAGE_SIZE, 3));
	MUST(guest_fill(guest.vcpu, BLOCK + SZ_2M, SZ_2M, 4));

	/* And back, once as a block, once page by page. */
	prepare_psc(&guest, 0, 2);
	put_entry(&guest, 0, ENTRY(BLOCK + SZ_2M, PRIVATE) | LARGE);
	put_entry(&guest, 1, ENTRY(BLOCK, PRIVATE));
	put_entry(&guest, 2, ENTRY(BLOCK + PAGE_SIZE, PRIVATE));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK + SZ_2M, 512, MAP_PRIVATE_2M);
	ghcb_convert(&guest);
	ghcb_must_ask(&guest, vcpu_run(guest.vcpu), BLOCK, 2, MAP_PRIVATE_4K);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, 0);
	ghcb_must_validate(&guest, BLOCK);
	ghcb_must_validate(&guest, BLOCK + SZ_2M);
	MUST(guest_check_zero(guest.vcpu, BLOCK + SZ_2M, SZ_2M));
	/* Pages that are so already are the VMM's to see. */
	prepare_psc(&guest, 0, 0);
	put_entry(&guest, 0, ENTRY(BLOCK, PRIVATE));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 1, MAP_PRIVATE_4K);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, 0);
}

static void test_psc_that_fails(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	vm_enable_map_gpa_exit(guest.vm);
	/* Past the buffer's end, also where the scratch area begins later. */
	prepare_psc(&guest, 0, 253);
	ghcb_must(&guest, 0, PSC_HEADER);
	prepare_psc(&guest, 0, 0xffff);
	ghcb_must(&guest, 0, PSC_HEADER);
	prepare_psc(&guest, 0, 1);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x7e8);
	ghcb_must(&guest, 0, PSC_HEADER);
	prepare_psc(&guest, 0, 0);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x7ec);
	ghcb_must(&guest, 2, ERR_SCRATCH);
	prepare_psc(&guest, 0, 0);
	ghcb_set(&guest, SCRATCH, BLOCK);
	ghcb_must(&guest, 2, ERR_SCRATCH);
	/* Nothing to do. */
	prepare_psc(&guest, 7, 6);
	ghcb_must(&guest, 0, 0);
	/* A block that is not aligned; the page before it is done. */
	prepare_psc(&guest, 0, 1);
	put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
	put_entry(&guest, 1, ENTRY(BLOCK + PAGE_SIZE, SHARED) | LARGE);
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, PSC_ENTRY);
	CHECK_EQ(guest.ghcb[0x800], 1);
	CHECK_EQ(entry(&guest, 0), ENTRY(BLOCK, SHARED) | 1);
	/* The VMM refuses: so far it has come, and the guest may try again from there. */
	prepare_psc(&guest, 0, 1);
	put_entry(&guest, 0, ENTRY(BLOCK + 2 * PAGE_SIZE, SHARED));
	put_entry(&guest, 1, ENTRY(BLOCK + 4 * PAGE_SIZE, SHARED));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK + 2 * PAGE_SIZE, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_ask(&guest, vcpu_run(guest.vcpu), BLOCK + 4 * PAGE_SIZE, 1, MAP_SHARED_4K);
	guest.vcpu->run->hypercall.ret = 1;
	ghcb_must_go_on(&guest, 0, PSC_GENERIC);
	CHECK_EQ(guest.ghcb[0x800], 1);
	CHECK_EQ(entry(&guest, 1), ENTRY(BLOCK + 4 * PAGE_SIZE, SHARED));
	ghcb_set(&guest, EVENT, PSC);
	ghcb_set(&guest, INFO_1, 0);
	ghcb_set(&guest, INFO_2, 0);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK + 4 * PAGE_SIZE, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, 0);
	/* It does nothing, and says that it has. */
	prepare_psc(&guest, 0, 0);
	put_entry(&guest, 0, ENTRY(NOWHERE, PRIVATE));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), NOWHERE, 1, MAP_PRIVATE_4K);
	ghcb_must_go_on(&guest, 0, 0);
}

/* Another vCPU, or the VMM, writes to the page while user space is at it. */
static void test_page_that_changes(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	vm_enable_map_gpa_exit(guest.vm);
	prepare_psc(&guest, 0, 1);
	put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
	put_entry(&guest, 1, ENTRY(BLOCK + 2 * PAGE_SIZE, SHARED));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	memset(guest.ghcb, 0xff, PAGE_SIZE);
	ghcb_must_ask(&guest, vcpu_run(guest.vcpu), BLOCK + 2 * PAGE_SIZE, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, 0x800), 1UL << 16 | 2);
	CHECK_EQ(ghcb_field(&guest, SCRATCH), -1);
	/* A string's length and place. */
	ghcb_prepare(&guest, IOIO, IO_PORT(PORT) | IO_SIZE(1) | IO_STRING | IO_IN, 4);
	ghcb_set(&guest, SCRATCH, BUFFER + 0x7ec);
	ghcb_must_exit(&guest, KVM_EXIT_IO);
	memset(guest.ghcb, 0xff, PAGE_SIZE);
	memcpy(ghcb_io_data(&guest, 1, 4, true), "abcd", 4);
	ghcb_must_go_on(&guest, 0, 0);
	CHECK(!memcmp(guest.ghcb + 0xfeb, "\xff\x61\x62\x63\x64\xff", 6), "it went elsewhere");
}

/* ---- in the middle ---------------------------------------------------------------------- */

static void on_signal(int nr)
{
	(void)nr;
}

/* KVM_RUN that ends at once completes what user space has answered, and no more. */
static void test_signal_in_the_middle(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);

	vm_enable_map_gpa_exit(guest.vm);
	prepare_psc(&guest, 0, 0);
	put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
	ghcb_must_ask(&guest, ghcb_vmgexit(&guest, GHCB), BLOCK, 1, MAP_SHARED_4K);
	ghcb_convert(&guest);
	guest.vcpu->run->immediate_exit = 1;
	CHECK_ERRNO(ioctl(guest.vcpu->fd, KVM_RUN, 0), EINTR);
	CHECK_EQ(entry(&guest, 0), ENTRY(BLOCK, SHARED) | 1);
	CHECK_ERRNO(ioctl(guest.vcpu->fd, KVM_RUN, 0), EINTR);
	guest.vcpu->run->immediate_exit = 0;
	ghcb_must_go_on(&guest, 0, 0);
}

/* The VMM goes when it should answer, in each kind of exchange. */
static void test_end_in_the_middle(void)
{
	long leaked = gmem_total("leaked"), pages = gmem_total("pages");

	for (unsigned int kind = 0; kind < 5; kind++) {
		struct ghcb_guest guest = ghcb_registered_guest(2);

		vm_enable_map_gpa_exit(guest.vm);
		prepare_psc(&guest, 0, 1);
		put_entry(&guest, 0, ENTRY(BLOCK, SHARED));
		put_entry(&guest, 1, ENTRY(BLOCK + 2 * PAGE_SIZE, SHARED));
		switch (kind) {
		case 1:
			ghcb_prepare(&guest, MMIO_READ, NOWHERE, 8);
			ghcb_set(&guest, SCRATCH, BUFFER);
			break;
		case 2:
			ghcb_prepare(&guest, IOIO,
				     IO_PORT(PORT) | IO_SIZE(1) | IO_STRING | IO_IN, 9);
			ghcb_set(&guest, SCRATCH, BUFFER);
			break;
		case 3:
			ghcb_prepare(&guest, VMMCALL, 0, 0);
			ghcb_set(&guest, RAX, KVM_HC_MAP_GPA_RANGE);
			ghcb_set(&guest, RBX, BLOCK);
			ghcb_set(&guest, RCX, 1);
			ghcb_set(&guest, RDX, MAP_PRIVATE_4K);
			ghcb_set(&guest, CPL, 0);
			break;
		}
		ghcb_vmgexit(&guest, kind == 4 ? BLOCK | SHARED << 52 | 0x014 : GHCB);
		CHECK_EQ(guest.vcpu->error, 0);
		CHECK(guest.vcpu->exit != EXIT_DONE, "user space was not asked");
		CHECK_EQ(module_unload("gmem"), -EWOULDBLOCK);
		vm_free(guest.vm);
		close(guest.fd);
	}
	CHECK_EQ(gmem_total("leaked"), leaked);
	CHECK_EQ(gmem_total("pages"), pages);
}

/* The page goes to the guest's private ones meanwhile. */
static void test_page_that_goes(void)
{
	struct ghcb_guest guest = ghcb_guest(1);
	u64 value;

	vm_make_shared(guest.vm, BLOCK, PAGE_SIZE);
	CHECK_EQ(ghcb_request(&guest, BLOCK | 0x012), BLOCK | 0x013);
	MUST(guest_write(guest.vcpu, BLOCK + EVENT, 8, IOIO));
	MUST(guest_write(guest.vcpu, BLOCK + INFO_1, 8, IO_PORT(PORT) | IO_SIZE(1) | IO_IN));
	MUST(guest_write(guest.vcpu, BLOCK + BITMAP + 14, 2, 0x001c));
	ghcb_vmgexit(&guest, BLOCK);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_IO);
	vm_make_private(guest.vm, BLOCK, PAGE_SIZE);
	vcpu_run(guest.vcpu);
	/* Nothing of the answer is in the guest's page. */
	MUST(guest_read(guest.vcpu, BLOCK + INFO_1, 8, &value));
	CHECK_EQ(value, 0);
	MUST(guest_check_zero(guest.vcpu, BLOCK, PAGE_SIZE));
}

struct looper {
	struct ghcb_guest *guest;
	bool stop;
	unsigned long rounds;
	int error;
};

static void *answer_all(void *arg)
{
	struct looper *looper = arg;
	struct vcpu *vcpu = looper->guest->vcpu;

	while (!__atomic_load_n(&looper->stop, __ATOMIC_SEQ_CST)) {
		int r = ioctl(vcpu->fd, KVM_RUN, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r || vcpu->run->exit_reason != KVM_EXIT_HYPERCALL) {
			looper->error = r ? errno : -1;
			break;
		}
		vcpu->run->hypercall.ret =
			__atomic_fetch_add(&looper->rounds, 1, __ATOMIC_SEQ_CST) % 3 == 0;
	}
	return NULL;
}

/* 1: vmgexit; jmp 1b */
static const unsigned char loop_code[] = { 0xf3, 0x0f, 0x01, 0xd9, 0xeb, 0xfa };

/* A guest that asks all the time, a page that all write to, and signals. */
static void test_a_guest_that_loops(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(1);
	struct looper looper = { .guest = &guest };
	struct kvm_regs regs;
	pthread_t thread;
	u64 seed = 1;

	signal(SIGUSR1, on_signal);
	vm_enable_map_gpa_exit(guest.vm);
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	ghcb_must(&guest, 0, 3);
	MUST(guest_store_bytes(guest.vcpu, CODE + 1024, loop_code, sizeof(loop_code), 1));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	regs.rip = CODE + 1024;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_REGS, &regs));
	thread = thread_start(answer_all, &looper);
	for (unsigned int i = 0; i < 2000 || __atomic_load_n(&looper.rounds, __ATOMIC_SEQ_CST) < 50;
	     i++) {
		prepare_psc(&guest, 0, 7);
		for (unsigned int at = 0; at < 8; at++) {
			seed = seed * 6364136223846793005UL + 1442695040888963407UL;
			/* Now and then one that is nothing. */
			put_entry(&guest, at, seed >> 60 ? ENTRY(seed >> 40 << 12, 1 + seed % 3) :
							   seed);
		}
		if (__atomic_load_n(&looper.error, __ATOMIC_SEQ_CST))
			break;
		if (i % 100 == 0)
			pthread_kill(thread, SIGUSR1);
	}
	__atomic_store_n(&looper.stop, true, __ATOMIC_SEQ_CST);
	guest.vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	thread_join(thread);
	CHECK_EQ(looper.error, 0);
}

/* Each vCPU has its own GHCB and exchange. */
static void test_two_vcpus(void)
{
	struct ghcb_guest guest = ghcb_registered_guest(2), other = guest;

	other.vcpu = &guest.vm->vcpus[1];
	other.frame = guest.vm->agent + FRAME + PAGE_SIZE;
	other.ghcb = guest.vm->agent + GHCB + PAGE_SIZE;
	ghcb_prepare(&guest, MMIO_READ, NOWHERE, 8);
	ghcb_set(&guest, SCRATCH, BUFFER);
	ghcb_must_exit(&guest, KVM_EXIT_MMIO);
	vcpu_mmio_answer(guest.vcpu, 0x1234);
	{
		u64 result;

		*other.frame = (struct ghcb_frame){ .msr = (GHCB + PAGE_SIZE) | 0x012 };
		MUST(guest_call(other.vcpu, CODE, FRAME + PAGE_SIZE, &result));
		CHECK_EQ(other.frame->msr, (GHCB + PAGE_SIZE) | 0x013);
		ghcb_prepare(&other, HV_FEATURES, 0, 0);
		*other.frame = (struct ghcb_frame){ .msr = GHCB + PAGE_SIZE };
		MUST(guest_call(other.vcpu, CODE, FRAME + PAGE_SIZE, &result));
		CHECK_EQ(ghcb_field(&other, INFO_2), 3);
		/* The first one's is none of its. */
		*other.frame = (struct ghcb_frame){ .msr = GHCB };
		guest_call(other.vcpu, CODE, FRAME + PAGE_SIZE, &result);
		CHECK_EQ(other.vcpu->error, EINVAL);
	}
	ghcb_must_go_on(&guest, 0, 0);
	CHECK_EQ(ghcb_field(&guest, 0x800), 0x1234);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_msr_conversion),
		TAP_TEST(test_psc),
		TAP_TEST(test_psc_that_fails),
		TAP_TEST(test_page_that_changes),
		TAP_TEST(test_signal_in_the_middle),
		TAP_TEST(test_end_in_the_middle),
		TAP_TEST(test_page_that_goes),
		TAP_TEST(test_a_guest_that_loops),
		TAP_TEST(test_two_vcpus),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
