// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs of a guest that knows SNP, on a machine without it, which KVM resets for another reason
 * than INIT: a shutdown has left the processor without any state of theirs. INIT and SIPI are
 * snp_ap_sipi_test's.
 *
 * Tests: guest/ap.cc, kapi/ap.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "ghcb.h"
#include "guest.h"
#include "nested.h"
#include "snp.h"

#define BREAKPOINT	(CODE + 1024)

#define CR0_LONG	0x80010033UL
#define CR4_PAE		0x20UL
#define EFER_SVME	0x1000UL
#define LONG_MODE	0x500UL
/* Of a page table: present, writable, accessed and dirty; a page of 1 GiB. */
#define TABLE_ENTRY		0x63UL
#define TABLE_LARGE	0x80UL
#define RFLAGS_FIXED	2UL

/* What the kernel takes of a VMCB. */
#define VMCB_SIZE	0x1000

/* An exception that finds no IDT. */
static struct ghcb_guest shut_down(void)
{
	static const unsigned char int3 = 0xcc;
	struct ghcb_guest guest = ghcb_guest(1);
	struct kvm_sregs sregs;
	u64 result;

	MUST(guest_store_bytes(guest.vcpu, BREAKPOINT, &int3, sizeof(int3), 1));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.idt.limit = 0;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	CHECK_EQ(guest_call(guest.vcpu, BREAKPOINT, 0, &result), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_SHUTDOWN);
	return guest;
}

static void test_shutdown(void)
{
	struct ghcb_guest guest = shut_down();
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	CHECK_EQ(sregs.cs.selector, 0xf000);
	CHECK_EQ(sregs.cs.base, 0xffff0000);
	CHECK_EQ(sregs.tr.type, 3);
	CHECK_EQ(sregs.efer, 0);
	CHECK_EQ(regs.rip, 0xfff0);
	CHECK_EQ(regs.rflags, RFLAGS_FIXED);
	/* The processor takes that. */
	vcpu_run(guest.vcpu);
	CHECK(guest.vcpu->run->exit_reason != KVM_EXIT_FAIL_ENTRY, "it cannot be entered");
}

/* ---- where the machine's memory would show -------------------------------------------------- */

static u64 physical(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	u64 entry;

	CHECK_OK(fd);
	CHECK_EQ(pread(fd, &entry, sizeof(entry), (u64)page / PAGE_SIZE * sizeof(entry)),
		 sizeof(entry));
	close(fd);
	return (entry & ((1UL << 55) - 1)) * PAGE_SIZE;
}

static struct kvm_segment segment(unsigned int selector, unsigned int type, bool is_code)
{
	return (struct kvm_segment){
		.limit = ~0U, .selector = selector, .type = type, .present = 1, .s = 1,
		.db = !is_code, .l = is_code, .g = 1,
	};
}

/* 64-bit code at @rip, by the tables at @root. */
static void set_long(struct vcpu *vcpu, u64 root, u64 rip)
{
	struct kvm_regs regs = { .rip = rip, .rflags = RFLAGS_FIXED };
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cs = segment(8, 0xb, true);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(16, 3, false);
	sregs.cr0 = CR0_LONG;
	sregs.cr3 = root;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_SVME | LONG_MODE;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_REGS, &regs));
}

/* Where the machine has it, all of the tables, the code and what that reads and writes. */
struct spy {
	u64 root[512], table[512];
	unsigned char code[PAGE_SIZE];
	u32 secret, copy;
	unsigned char rest[PAGE_SIZE - 8];
};

static struct spy *spy(void)
{
	struct spy *spy = mmap(NULL, sizeof(*spy), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	/* movabs $secret, %rax; mov (%rax), %ecx; mov %ecx, 4(%rax); hlt */
	static const unsigned char code[] = {
		0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x8b, 0x08, 0x89, 0x48, 0x04, 0xf4,
	};
	u64 at;

	CHECK(spy != MAP_FAILED, "mmap: %m");
	memcpy(spy->code, code, sizeof(code));
	spy->secret = 0x5ec2e7;
	at = physical(&spy->secret);
	memcpy(spy->code + 2, &at, sizeof(at));
	spy->root[0] = physical(spy->table) | TABLE_ENTRY;
	for (u64 i = 0; i < 512; i++)
		spy->table[i] = i * SZ_1G | TABLE_ENTRY | TABLE_LARGE;
	return spy;
}

static void on_signal(int signal __attribute__((unused)))
{
}

struct run {
	pthread_t thread;
	atomic_bool over;
};

/* Again and again, as the first signal may come before KVM_RUN. */
static void *end_run(void *of)
{
	struct run *run = of;

	let_pass(2000000);
	while (!run->over) {
		pthread_kill(run->thread, SIGUSR1);
		let_pass(10000);
	}
	return NULL;
}

/* Its tables are at no address of the guest's, so that it may try for ever. */
static void run_for_a_while(struct vcpu *vcpu)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct run run = { .thread = pthread_self() };
	pthread_t ender;

	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_EQ(pthread_create(&ender, NULL, end_run, &run), 0);
	if (ioctl(vcpu->fd, KVM_RUN, 0))
		CHECK(errno == EINTR || errno == EFAULT, "KVM_RUN: %m");
	run.over = true;
	CHECK_EQ(pthread_join(ender, NULL), 0);
}

/*
 * A VMM has the vCPU go on as a guest's guest, whose VMCB KVM makes from what the outer one has:
 * were that empty, there would be no nested paging, and addresses would be the machine's own.
 */
static void test_shutdown_shows_no_memory(void)
{
	struct ghcb_guest guest = shut_down();
	struct spy *there = spy();
	struct {
		struct kvm_nested_state head;
		unsigned char vmcb[VMCB_SIZE];
	} state = {
		.head.flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET,
		.head.format = KVM_STATE_NESTED_FORMAT_SVM,
		.head.size = sizeof(state),
		.head.hdr.svm.vmcb_pa = NESTED_VMCB,
	};
	struct nested nested = { .vcpu = guest.vcpu };

	set_long(guest.vcpu, physical(there->root), physical(there->code));
	nested_fill_vmcb(&nested, state.vmcb, false);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_NESTED_STATE, &state));
	run_for_a_while(guest.vcpu);
	CHECK_EQ(there->copy, 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_shutdown),
		TAP_TEST(test_shutdown_shows_no_memory),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
