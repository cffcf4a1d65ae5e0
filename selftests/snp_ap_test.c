// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that a guest of SNP creates itself, on a machine without SNP: the first one writes a
 * save area, makes it one by RMPADJUST, and asks for a vCPU by its GHCB. What the vCPU has then,
 * what is refused, and vCPUs that are created, destroyed and created again, from several sides.
 *
 * Tests: guest/ap.cc, guest/save_area.cc, arch/x86/snp_ap.cc, kapi/ap.c.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "ghcb.h"
#include "guest.h"
#include "snp.h"

/* Requests. */
#define ON_INIT		0UL
#define CREATE		1UL
#define DESTROY		2UL
#define ASK(id, request) ((u64)(id) << 32 | (request))

/* In private memory: save areas, and the code that a created vCPU runs. */
#define AREA(n)		(CODE + (4 + (n)) * PAGE_SIZE)
#define RMPADJUST	(CODE + 1024)
#define RMPADJUST_BACK	(CODE + 1024 + 64)
#define AP_CODE		(CODE + 2048)
#define STACK		(CODE + 4 * PAGE_SIZE)

/* In the agent's memory: what a created vCPU has found; code and record of one in real mode. */
#define RECORD(id)	(0x1b0000UL + PAGE_SIZE * (id))
#define REAL_CODE	0x8000UL
#define REAL_RECORD	0x9000UL

#define APIC_ICR	0xfee00300UL
/* To all but the sender, as firmware does it. */
#define ICR_INIT	0xc4500U
#define ICR_SIPI(v)	(0xc4600U | (v))

#define FAIL_IN_USE	3

/* Where a save area has what. */
enum at {
	ES = 0x00, CS = 0x10, SS = 0x20, DS = 0x30, FS = 0x40, GS = 0x50, GDTR = 0x60,
	LDTR = 0x70, IDTR = 0x80, TR = 0x90, VMPL = 0xca, CPL_ = 0xcb, EFER = 0xd0,
	CR4 = 0x148, CR3 = 0x150, CR0 = 0x158, DR7 = 0x160, DR6 = 0x168, RFLAGS = 0x170,
	RIP = 0x178, RSP = 0x1d8, RAX_ = 0x1f8, STAR = 0x200, LSTAR = 0x208, CSTAR = 0x210,
	SFMASK = 0x218, KERNEL_GS = 0x220, SYSENTER = 0x228, CR2 = 0x240, G_PAT = 0x268,
	RCX_ = 0x308, FEATURES = 0x3b0, XCR0_ = 0x3e8, MXCSR = 0x408, X87_TAGS = 0x40c,
	X87_CONTROL = 0x410, XMM = 0x470, AREA_SIZE = 0x670,
};

#define EFER_SVME	0x1000UL
#define LONG_MODE	0x500UL
#define CR0_LONG	0x80010033UL
#define CR4_LONG	0x620UL
#define CR4_MCE		0x40UL
#define PAT_DEFAULT	0x0007040600070406UL

struct record {
	u64 gprs[16], rflags, cr0, cr3, cr4, cr2;
	u64 msrs[10];
	u64 cs, ss, ldtr, tr;
	unsigned char gdtr[16], idtr[16];
	u32 mxcsr;
	u32 control;
	u64 xmm3[2];
	u64 dr7, dr6;
	u64 count, turns;
};

#define MSR_AT(nr, index)				\
	"	mov $" #index ", %ecx\n"		\
	"	rdmsr\n"				\
	"	mov %eax, %gs:168 + 8 * " #nr "\n"	\
	"	mov %edx, %gs:172 + 8 * " #nr "\n"

extern const unsigned char ap_blob[], ap_blob_end[], real_blob[], real_blob_end[];
asm(".pushsection .rodata\n"
	"ap_blob:	mov %rax, %gs:0\n"
	"	mov %rcx, %gs:8\n"
	"	mov %rdx, %gs:16\n"
	"	mov %rbx, %gs:24\n"
	"	mov %rsp, %gs:32\n"
	"	mov %rbp, %gs:40\n"
	"	mov %rsi, %gs:48\n"
	"	mov %rdi, %gs:56\n"
	"	mov %r8, %gs:64\n"
	"	mov %r9, %gs:72\n"
	"	mov %r10, %gs:80\n"
	"	mov %r11, %gs:88\n"
	"	mov %r12, %gs:96\n"
	"	mov %r13, %gs:104\n"
	"	mov %r14, %gs:112\n"
	"	mov %r15, %gs:120\n"
	"	pushfq\n"
	"	popq %gs:128\n"
	"	mov %cr0, %rax\n"
	"	mov %rax, %gs:136\n"
	"	mov %cr3, %rax\n"
	"	mov %rax, %gs:144\n"
	"	mov %cr4, %rax\n"
	"	mov %rax, %gs:152\n"
	"	mov %cr2, %rax\n"
	"	mov %rax, %gs:160\n"
	MSR_AT(0, 0xc0000080)
	MSR_AT(1, 0xc0000081)
	MSR_AT(2, 0xc0000082)
	MSR_AT(3, 0xc0000083)
	MSR_AT(4, 0xc0000084)
	MSR_AT(5, 0xc0000102)
	MSR_AT(6, 0x174)
	MSR_AT(7, 0x175)
	MSR_AT(8, 0x176)
	MSR_AT(9, 0x277)
	"	mov %cs, %eax\n"
	"	mov %rax, %gs:248\n"
	"	mov %ss, %eax\n"
	"	mov %rax, %gs:256\n"
	"	sldt %rax\n"
	"	mov %rax, %gs:264\n"
	"	str %rax\n"
	"	mov %rax, %gs:272\n"
	"	sgdt %gs:280\n"
	"	sidt %gs:296\n"
	"	stmxcsr %gs:312\n"
	"	fnstcw %gs:316\n"
	"	movups %xmm3, %gs:320\n"
	"	mov %dr7, %rax\n"
	"	mov %rax, %gs:336\n"
	"	mov %dr6, %rax\n"
	"	mov %rax, %gs:344\n"
	"	lock incq %gs:352\n"
	"	out %al, $0xf6\n"
	"1:	incq %gs:360\n"
	"	jmp 1b\n"
	"ap_blob_end:\n"
	"real_blob:	.code16\n"
	"	mov %cs, %ax\n"
	"	mov %ax, 0x9000\n"
	"	mov %sp, 0x9002\n"
	"	mov %ebx, 0x9004\n"
	"	incl 0x9008\n"
	"	out %al, $0xf6\n"
	"2:	jmp 2b\n"
	"	.code64\n"
	"real_blob_end:\n"
	".popsection");

/* mov %rdi, %rax; xor %ecx, %ecx; mov $0x10001, %edx; rmpadjust; ret; and with 1. */
static const unsigned char rmpadjust_code[] = {
	0x48, 0x89, 0xf8, 0x31, 0xc9, 0xba, 1, 0, 1, 0, 0xf3, 0x0f, 0x01, 0xfe, 0xc3,
};
static const unsigned char rmpadjust_back_code[] = {
	0x48, 0x89, 0xf8, 0x31, 0xc9, 0xba, 1, 0, 0, 0, 0xf3, 0x0f, 0x01, 0xfe, 0xc3,
};

/* ---- a guest ---------------------------------------------------------------------------- */

static struct ghcb_guest prepared(struct vm *vm)
{
	struct ghcb_guest guest = ghcb_guest_of(vm);

	MUST(guest_store_bytes(guest.vcpu, RMPADJUST, rmpadjust_code, sizeof(rmpadjust_code), 1));
	MUST(guest_store_bytes(guest.vcpu, RMPADJUST_BACK, rmpadjust_back_code,
			       sizeof(rmpadjust_back_code), 1));
	MUST(guest_store_bytes(guest.vcpu, AP_CODE, ap_blob, ap_blob_end - ap_blob, 1));
	memcpy(vm->agent + REAL_CODE, real_blob, real_blob_end - real_blob);
	return ghcb_on(&guest, 0);
}

static struct ghcb_guest creator(unsigned int nr_vcpus)
{
	return prepared(snp_knowing_vm(nr_vcpus));
}

static volatile struct record *record_of(const struct ghcb_guest *guest, unsigned int id)
{
	return guest->vm->agent + RECORD(id);
}

static void put(unsigned char *area, unsigned int at, u64 value)
{
	memcpy(area + at, &value, sizeof(value));
}

static void put_segment(unsigned char *area, unsigned int at, u64 selector, u64 rights, u64 limit,
			u64 base)
{
	put(area, at, selector | rights << 16 | limit << 32);
	put(area, at + 8, base);
}

/* What Linux writes: real mode, CS from the vector of SIPI, all else as after INIT. */
static void fill_real(unsigned char *area)
{
	memset(area, 0, AREA_SIZE);
	put_segment(area, CS, 0x800, 0x9b, 0xffff, REAL_CODE);
	for (unsigned int at = ES; at <= GS; at += 16) {
		if (at != CS)
			put_segment(area, at, 0, 0x93, 0xffff, 0);
	}
	put_segment(area, GDTR, 0, 0, 0xffff, 0);
	put_segment(area, LDTR, 0, 0x82, 0xffff, 0);
	put_segment(area, IDTR, 0, 0, 0xffff, 0);
	put_segment(area, TR, 0, 0x8b, 0xffff, 0);
	put(area, EFER, EFER_SVME);
	put(area, CR0, 0x60000010);
	put(area, DR7, 0x400);
	put(area, DR6, 0xffff0ff0);
	put(area, RFLAGS, 2);
	put(area, G_PAT, PAT_DEFAULT);
	put(area, XCR0_, 1);
	put(area, FEATURES, SNP_ACTIVE);
	put(area, MXCSR, 0x1f80 | 0x5555UL << 32);
	put(area, X87_CONTROL, 0x40);
	put(area, RSP, 0x7654);
	put(area, RCX_ + 16, 0x12345678);
}

/* 64-bit code, with its record by GS. */
static void fill_long(unsigned char *area, unsigned int id)
{
	fill_real(area);
	put_segment(area, CS, 0x08, 0xa9b, ~0U, 0);
	for (unsigned int at = ES; at <= GS; at += 16) {
		if (at != CS)
			put_segment(area, at, 0x10, 0xc93, ~0U, 0);
	}
	put_segment(area, GS, 0x10, 0xc93, ~0U, RECORD(id));
	put(area, EFER, EFER_SVME | LONG_MODE);
	put(area, CR0, CR0_LONG);
	put(area, CR3, AGENT_PML4);
	put(area, CR4, CR4_LONG);
	put(area, RIP, AP_CODE);
	put(area, RSP, STACK - 256 * id);
}

static u64 call(struct ghcb_guest *guest, u64 code, u64 arg)
{
	u64 result;

	MUST(guest_call(guest->vcpu, code, arg, &result));
	return result;
}

/* The guest writes it, and makes it one. */
static void write_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area)
{
	u64 result = call(guest, PVALIDATE, gpa);

	/* Validated anew, or before. */
	CHECK(result == 0 || result == 0x100, "PVALIDATE gives %#lx", result);
	MUST(guest_store_bytes(guest->vcpu, gpa, area, AREA_SIZE, 1));
}

static void make_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area)
{
	write_area(guest, gpa, area);
	CHECK_EQ(call(guest, RMPADJUST, gpa), 0);
}

static void prepare_ask(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	ghcb_prepare(guest, AP_CREATION, info_1, gpa);
	ghcb_set(guest, RAX, SNP_ACTIVE);
}

static void ask(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	prepare_ask(guest, info_1, gpa);
	ghcb_must(guest, 0, 0);
}

static void must_refuse(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	prepare_ask(guest, info_1, gpa);
	ghcb_must(guest, 2, ERR_INPUT);
}

/* It runs until it says that it has begun. */
static void must_begin(struct ghcb_guest *guest, unsigned int id)
{
	struct vcpu *vcpu = &guest->vm->vcpus[id];

	vcpu_run(vcpu);
	CHECK_EQ(vcpu->error, 0);
	CHECK(vcpu->run->exit_reason == KVM_EXIT_IO && vcpu->run->io.port == PORT,
	      "not there: %s", vcpu_exit_text(vcpu));
}

static void must_fail_entry(struct ghcb_guest *guest, unsigned int id)
{
	struct vcpu *vcpu = &guest->vm->vcpus[id];

	for (int i = 0; i < 2; i++) {
		vcpu_run(vcpu);
		CHECK_EQ(vcpu->error, 0);
		CHECK(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY, "it runs: %s",
		      vcpu_exit_text(vcpu));
	}
}

static unsigned int mp_state(const struct ghcb_guest *guest, unsigned int id)
{
	struct kvm_mp_state state;

	CHECK_OK(ioctl(guest->vm->vcpus[id].fd, KVM_GET_MP_STATE, &state));
	return state.mp_state;
}

/* ---- threads that run a vCPU --------------------------------------------------------------- */

struct runner {
	struct vcpu *vcpu;
	pthread_t thread;
	bool stop;
	bool once;		/* it ends where the guest has begun */
	bool file_goes;		/* and then KVM_RUN fails */
	unsigned long runs, begun, failed;
};

static void on_signal(int signal __attribute__((unused)))
{
}

static void *run(void *arg)
{
	struct runner *runner = arg;

	while (!__atomic_load_n(&runner->stop, __ATOMIC_SEQ_CST)) {
		int r = ioctl(runner->vcpu->fd, KVM_RUN, 0);
		u32 reason = runner->vcpu->run->exit_reason;

		__atomic_add_fetch(&runner->runs, 1, __ATOMIC_SEQ_CST);
		if (r < 0) {
			if (errno == EFAULT &&
			    __atomic_load_n(&runner->file_goes, __ATOMIC_SEQ_CST))
				return NULL;
			CHECK(errno == EINTR || errno == EAGAIN, "KVM_RUN: %m");
			continue;
		}
		if (reason == KVM_EXIT_IO) {
			__atomic_add_fetch(&runner->begun, 1, __ATOMIC_SEQ_CST);
			if (__atomic_load_n(&runner->once, __ATOMIC_SEQ_CST))
				return NULL;
		} else if (reason == KVM_EXIT_FAIL_ENTRY) {
			__atomic_add_fetch(&runner->failed, 1, __ATOMIC_SEQ_CST);
		} else {
			FAIL("exit reason %u", reason);
		}
	}
	return NULL;
}

static void runner_start(struct runner *runner, const struct ghcb_guest *guest, unsigned int id)
{
	*runner = (struct runner){ .vcpu = &guest->vm->vcpus[id] };
	signal(SIGUSR1, on_signal);
	runner->thread = thread_start(run, runner);
}

/* It has been in KVM_RUN, and has done what it was requested. */
static void runner_interrupt(struct runner *runner)
{
	const unsigned long runs = __atomic_load_n(&runner->runs, __ATOMIC_SEQ_CST);

	do
		pthread_kill(runner->thread, SIGUSR1);
	while (__atomic_load_n(&runner->runs, __ATOMIC_SEQ_CST) == runs);
}

static void runner_stop(struct runner *runner)
{
	__atomic_store_n(&runner->stop, true, __ATOMIC_SEQ_CST);
	runner->vcpu->run->immediate_exit = 1;
	pthread_kill(runner->thread, SIGUSR1);
	thread_join(runner->thread);
	runner->vcpu->run->immediate_exit = 0;
}

/* ---- what a vCPU has ------------------------------------------------------------------------ */

static void test_features(void)
{
	struct ghcb_guest guest = creator(1);

	CHECK_EQ(ghcb_request(&guest, 0x080), 0x3081);
	ghcb_prepare(&guest, HV_FEATURES, 0, 0);
	ghcb_must(&guest, 0, 3);
}

static void test_long_mode(void)
{
	static const unsigned int gprs[] = { RAX_, RCX_, RCX_ + 8, RCX_ + 16 };
	struct ghcb_guest guest = creator(2);
	volatile struct record *record = record_of(&guest, 1);
	unsigned char area[AREA_SIZE];

	fill_long(area, 1);
	for (unsigned int i = 0; i < 4; i++)
		put(area, gprs[i], 0x1111111111111111 * (i + 1));
	for (unsigned int i = 5; i < 16; i++)
		put(area, RCX_ + 8 * (i - 1), 0xabcdef0000000000 + i);
	put(area, RFLAGS, 0xcd7);
	put(area, CR2, 0x123456789000);
	put(area, STAR, 0x0013000800000000);
	put(area, LSTAR, 0xffffffff81234567);
	put(area, CSTAR, 0xffffffff82345678);
	put(area, SFMASK, 0x47700);
	put(area, KERNEL_GS, 0xffff888000001000);
	put(area, SYSENTER, 0x10);
	/* AMD's have 32 bits, as KVM has it. */
	put(area, SYSENTER + 8, 0x2000);
	put(area, SYSENTER + 16, 0x83456789);
	put(area, G_PAT, 0x0007010600070106);
	put_segment(area, GDTR, 0, 0, 0x7f, 0xfffffe0000001000);
	put_segment(area, IDTR, 0, 0, 0xfff, 0xfffffe0000000000);
	put_segment(area, LDTR, 0x28, 0x82, 0xffff, 0);
	put_segment(area, TR, 0x40, 0x8b, 0x67, 0xfffffe0000003000);
	put(area, DR7, 0x400);
	put(area, MXCSR, 0x1fa0 | 0x5555UL << 32);
	put(area, X87_CONTROL, 0x27f);
	put(area, XMM + 3 * 16, 0x0123456789abcdef);
	put(area, XMM + 3 * 16 + 8, 0xfedcba9876543210);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
	for (unsigned int i = 0; i < 4; i++)
		CHECK_EQ(record->gprs[i], 0x1111111111111111 * (i + 1));
	CHECK_EQ(record->gprs[4], STACK - 256);
	for (unsigned int i = 5; i < 16; i++)
		CHECK_EQ(record->gprs[i], 0xabcdef0000000000 + i);
	CHECK_EQ(record->rflags, 0xcd7);
	CHECK_EQ(record->cr0, CR0_LONG);
	CHECK_EQ(record->cr3, AGENT_PML4);
	/* KVM has MCE as the host has it. */
	CHECK_EQ(record->cr4 & ~CR4_MCE, CR4_LONG);
	CHECK_EQ(record->cr2, 0x123456789000);
	/* SVME is not the guest's. */
	CHECK_EQ(record->msrs[0], LONG_MODE);
	CHECK_EQ(record->msrs[1], 0x0013000800000000);
	CHECK_EQ(record->msrs[2], 0xffffffff81234567);
	CHECK_EQ(record->msrs[3], 0xffffffff82345678);
	CHECK_EQ(record->msrs[4], 0x47700);
	CHECK_EQ(record->msrs[5], 0xffff888000001000);
	CHECK_EQ(record->msrs[6], 0x10);
	CHECK_EQ(record->msrs[7], 0x2000);
	CHECK_EQ(record->msrs[8], 0x83456789);
	CHECK_EQ(record->msrs[9], 0x0007010600070106);
	CHECK_EQ(record->cs, 0x08);
	CHECK_EQ(record->ss, 0x10);
	CHECK_EQ(record->ldtr, 0x28);
	CHECK_EQ(record->tr, 0x40);
	CHECK_EQ(*(volatile u64 *)(record->gdtr + 2), 0xfffffe0000001000);
	CHECK_EQ(*(volatile unsigned short *)record->gdtr, 0x7f);
	CHECK_EQ(*(volatile u64 *)(record->idtr + 2), 0xfffffe0000000000);
	CHECK_EQ(*(volatile unsigned short *)record->idtr, 0xfff);
	CHECK_EQ(record->mxcsr, 0x1fa0);
	CHECK_EQ(record->control & 0xffff, 0x27f);
	CHECK_EQ(record->xmm3[0], 0x0123456789abcdef);
	CHECK_EQ(record->xmm3[1], 0xfedcba9876543210);
	CHECK_EQ(record->dr7, 0x400);
	CHECK_EQ(record->dr6, 0xffff0ff0);
	CHECK_EQ(record->count, 1);
	CHECK_EQ(mp_state(&guest, 1), KVM_MP_STATE_RUNNABLE);
}

static void test_real_mode(void)
{
	struct ghcb_guest guest = creator(2);
	volatile u32 *record = guest.vm->agent + REAL_RECORD;
	unsigned char area[AREA_SIZE];

	fill_real(area);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
	CHECK_EQ(record[0], 0x76540800);
	CHECK_EQ(record[1], 0x12345678);
	CHECK_EQ(record[2], 1);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_refusals(void)
{
	struct ghcb_guest guest = creator(2);
	unsigned char area[AREA_SIZE];
	long reports;
	u64 value;

	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	reports = gmem_total("platform_reports");
	must_refuse(&guest, ASK(2, CREATE), AREA(0));
	must_refuse(&guest, ASK(0xffffffff, CREATE), AREA(0));
	must_refuse(&guest, ASK(0x80000001, DESTROY), 0);
	for (u64 vmpl = 1; vmpl < 4; vmpl++)
		must_refuse(&guest, ASK(1, CREATE | vmpl << 16), AREA(0));
	must_refuse(&guest, ASK(1, 3), AREA(0));
	must_refuse(&guest, ASK(1, 0x8001), AREA(0));
	for (u64 request = ON_INIT; request <= CREATE; request++) {
		static const u64 wrong[] = {
			AREA(0) + 1, AREA(0) + 8, BLOCK, 0, 1UL << 52, ~0xfffUL,
		};

		for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++)
			must_refuse(&guest, ASK(1, request), wrong[i]);
		prepare_ask(&guest, ASK(1, request), AREA(0));
		ghcb_set(&guest, RAX, 3);
		ghcb_must(&guest, 2, ERR_INPUT);
		prepare_ask(&guest, ASK(1, request), AREA(0));
		ghcb_set(&guest, RAX, 0);
		ghcb_must(&guest, 2, ERR_INPUT);
		ghcb_prepare(&guest, AP_CREATION, ASK(1, request), AREA(0));
		ghcb_must(&guest, 2, ERR_MISSING);
	}
	CHECK_EQ(gmem_total("platform_reports"), reports + 8 + 2 * 9);
	/* Nothing has happened to it. */
	MUST(guest_read(&guest.vm->vcpus[1], GHCB, 8, &value));
	/* What is destroyed takes no features. */
	ghcb_prepare(&guest, AP_CREATION, ASK(1, DESTROY), 0);
	ghcb_must(&guest, 0, 0);
}

static void test_areas_that_are_none(void)
{
	struct ghcb_guest guest = creator(2);
	struct runner runner;
	unsigned char area[AREA_SIZE];
	long reports = gmem_total("platform_reports");

	/* Not made one; not validated; shared. */
	fill_long(area, 1);
	write_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_fail_entry(&guest, 1);
	MUST(guest_store_bytes(guest.vcpu, AREA(1), area, AREA_SIZE, 1));
	ask(&guest, ASK(1, CREATE), AREA(1));
	must_fail_entry(&guest, 1);
	make_area(&guest, AREA(2), area);
	vm_make_shared(guest.vm, AREA(2), PAGE_SIZE);
	ask(&guest, ASK(1, CREATE), AREA(2));
	must_fail_entry(&guest, 1);
	/* It became private again, and is none any more. */
	MUST(gmem_punch(guest.fd, AREA(2) - TEST_GPA, PAGE_SIZE));
	vm_make_private(guest.vm, AREA(2), PAGE_SIZE);
	ask(&guest, ASK(1, CREATE), AREA(2));
	must_fail_entry(&guest, 1);
	CHECK_EQ(gmem_total("platform_reports"), reports + 4);
	/* No memory, or none of guest_memfd's: it waits, as one that is destroyed. */
	for (unsigned int i = 0; i < 2; i++) {
		static const u64 nowhere[] = { NOWHERE + PAGE_SIZE, 0x1c0000 };

		ask(&guest, ASK(1, CREATE), nowhere[i]);
		runner_start(&runner, &guest, 1);
		AWAIT(gmem_total("platform_reports") == reports + 5 + i, "nothing is said of it");
		runner_stop(&runner);
		CHECK_EQ(runner.begun + runner.failed, 0);
		CHECK_EQ(mp_state(&guest, 1), KVM_MP_STATE_HALTED);
	}
	/* All of that can be mended. */
	CHECK_EQ(call(&guest, RMPADJUST, AREA(0)), 0);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
}

static void test_values_that_are_refused(void)
{
	static const struct {
		unsigned int at;
		u64 value;
	} wrong[] = {
		{ EFER, LONG_MODE }, /* without SVME */
		{ EFER, EFER_SVME | LONG_MODE | 1UL << 40 },
		{ CR0, CR0_LONG & ~1UL }, /* paging alone */
		{ CR0, CR0_LONG | 1UL << 29 }, /* NW without CD */
		{ CR0, CR0_LONG | 1UL << 32 },
		{ CR4, CR4_LONG & ~0x20UL }, /* long mode without PAE */
		{ CR4, CR4_LONG | 1UL << 63 },
		{ CR3, 1UL << 60 },
		{ DR6, 1UL << 32 },
		{ DR7, 1UL << 32 },
		{ G_PAT, 0x0202020202020202 },
		{ XCR0_, 0 },
		{ XCR0_, 1 | 1UL << 62 },
		{ FEATURES, 0 },
		{ FEATURES, 3 },
		{ CS, 0x08 | 0xe9bUL << 16 | 0xffffffffUL << 32 }, /* L and D */
		{ VMPL - 2, 1UL << 16 }, /* VMPL 1 */
		{ MXCSR, 1UL << 31 },
	};
	struct ghcb_guest guest = creator(2);
	unsigned char area[AREA_SIZE];

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_diag("%#x: %#lx", wrong[i].at, wrong[i].value);
		fill_long(area, 1);
		put(area, wrong[i].at, wrong[i].value);
		make_area(&guest, AREA(0), area);
		ask(&guest, ASK(1, CREATE), AREA(0));
		must_fail_entry(&guest, 1);
		/* It is not in use. */
		CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	}
	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
}

/* ---- the life of a vCPU --------------------------------------------------------------------- */

static void test_in_use(void)
{
	struct ghcb_guest guest = creator(3);
	unsigned char area[AREA_SIZE];

	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	CHECK_EQ(call(&guest, RMPADJUST, AREA(0)), 0);
	must_begin(&guest, 1);
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), FAIL_IN_USE);
	CHECK_EQ(call(&guest, RMPADJUST, AREA(0)), FAIL_IN_USE);
	/* Another one cannot run from it, too. */
	ask(&guest, ASK(2, CREATE), AREA(0));
	must_fail_entry(&guest, 2);
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), FAIL_IN_USE);
	/* A new one takes its place, as Linux does it: the old one is free at once. */
	fill_long(area, 1);
	make_area(&guest, AREA(1), area);
	ask(&guest, ASK(1, CREATE), AREA(1));
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	must_begin(&guest, 1);
	CHECK_EQ(record_of(&guest, 1)->count, 2);
	/* And as OVMF does it. */
	ask(&guest, ASK(1, DESTROY), 0);
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(1)), 0);
	make_area(&guest, AREA(1), area);
	ask(&guest, ASK(1, CREATE), AREA(1));
	must_begin(&guest, 1);
	CHECK_EQ(record_of(&guest, 1)->count, 3);
	/* One that is given for the next INIT leaves it what it has. */
	make_area(&guest, AREA(2), area);
	ask(&guest, ASK(1, ON_INIT), AREA(2));
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(1)), FAIL_IN_USE);
}

static void test_create_and_destroy(void)
{
	struct ghcb_guest guest = creator(2);
	volatile struct record *record = record_of(&guest, 1);
	struct runner runner;
	unsigned char area[AREA_SIZE];
	u64 turns;

	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	make_area(&guest, AREA(1), area);
	ask(&guest, ASK(1, DESTROY), 0);
	runner_start(&runner, &guest, 1);
	for (u64 i = 1; i <= 50; i++) {
		ask(&guest, ASK(1, CREATE), AREA(i % 2));
		turns = record->turns;
		AWAIT(record->count == i && record->turns != turns, "it does not run");
		if (i % 3 == 0)
			continue;
		/* It stops, and leaves its area. */
		ask(&guest, ASK(1, DESTROY), 0);
		CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(i % 2)), 0);
		CHECK_EQ(call(&guest, RMPADJUST, AREA(i % 2)), 0);
	}
	ask(&guest, ASK(1, DESTROY), 0);
	runner_interrupt(&runner);
	runner_stop(&runner);
	CHECK_EQ(runner.begun, 50);
	CHECK_EQ(runner.failed, 0);
	CHECK_EQ(mp_state(&guest, 1), KVM_MP_STATE_HALTED);
}

/* A VMM that would have it run all the same. */
static void test_destroyed(void)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct ghcb_guest guest = creator(2);
	struct vcpu *vcpu = &guest.vm->vcpus[1];
	struct runner runner;
	unsigned char area[AREA_SIZE];

	ask(&guest, ASK(1, DESTROY), 0);
	runner_start(&runner, &guest, 1);
	runner_interrupt(&runner);
	runner_stop(&runner);
	CHECK_EQ(mp_state(&guest, 1), KVM_MP_STATE_HALTED);
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_MP_STATE, &state));
	must_fail_entry(&guest, 1);
	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
}

static void test_itself(void)
{
	struct ghcb_guest guest = creator(2), other = ghcb_on(&guest, 1);
	struct runner runner;
	unsigned char area[AREA_SIZE];

	/* The second gives itself other registers. */
	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	prepare_ask(&other, ASK(1, CREATE), AREA(0));
	ghcb_vmgexit(&other, GHCB_OF(1));
	CHECK_EQ(other.vcpu->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(other.vcpu->run->io.port, PORT);
	CHECK_EQ(record_of(&guest, 1)->count, 1);
	CHECK_EQ(ghcb_field(&other, INFO_1), 0);
	/* The first destroys itself: the second creates it anew. */
	other = ghcb_on(&guest, 1);
	prepare_ask(&guest, ASK(0, DESTROY), 0);
	guest.frame->msr = GHCB;
	*guest.frame = (struct ghcb_frame){ .msr = GHCB };
	guest.vcpu->mailbox->op = GUEST_CALL;
	guest.vcpu->mailbox->gpa = CODE;
	guest.vcpu->mailbox->arg = FRAME;
	vcpu_restart(guest.vcpu);
	runner_start(&runner, &guest, 0);
	AWAIT(ghcb_field(&guest, INFO_1) == 0, "the first is not answered");
	fill_long(area, 0);
	make_area(&other, AREA(1), area);
	ask(&other, ASK(0, CREATE), AREA(1));
	AWAIT(record_of(&guest, 0)->turns, "the first does not run");
	runner_stop(&runner);
	CHECK_EQ(runner.begun, 1);
	CHECK_EQ(runner.failed, 0);
}

/* ---- INIT and SIPI -------------------------------------------------------------------------- */

static void icr(struct ghcb_guest *guest, u32 value)
{
	MUST(guest_write(guest->vcpu, APIC_ICR, 4, value));
}

/* No code is there. */
#define VECTOR		0x99

/* In real mode, at the start of a segment. */
static void place_at(struct ghcb_guest *guest, unsigned int id, u64 base)
{
	const int fd = guest->vm->vcpus[id].fd;
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	CHECK_OK(ioctl(fd, KVM_GET_SREGS, &sregs));
	sregs.cr0 = 0x10;
	sregs.cr4 = sregs.efer = 0;
	sregs.cs = (struct kvm_segment){
		.base = base,
		.limit = 0xffff,
		.selector = base >> 4,
		.type = 0xb,
		.present = 1,
		.s = 1,
	};
	CHECK_OK(ioctl(fd, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(fd, KVM_SET_REGS, &regs));
}

static void test_on_init(void)
{
	struct ghcb_guest guest = prepared(snp_knowing_vm_with_apic(2));
	volatile u32 *real = guest.vm->agent + REAL_RECORD;
	volatile struct record *record = record_of(&guest, 1);
	struct runner runner;
	unsigned char area[AREA_SIZE];

	CHECK_EQ(mp_state(&guest, 1), KVM_MP_STATE_UNINITIALIZED);
	place_at(&guest, 1, REAL_CODE);
	runner_start(&runner, &guest, 1);
	/* From what its VMM has given it, whatever the vector says. */
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1, "SIPI does not start it");
	CHECK_EQ(real[2], 1);
	/* At the next INIT, and where SIPI says has no part in that. */
	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, ON_INIT), AREA(0));
	icr(&guest, ICR_INIT);
	AWAIT(call(&guest, RMPADJUST, AREA(0)) == FAIL_IN_USE, "INIT does not take it");
	CHECK_EQ(record->count, 0);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(record->turns, "it does not run from its area");
	CHECK_EQ(record->count, 1);
	CHECK_EQ(real[2], 1);
	/* At once, from wherever it is. */
	make_area(&guest, AREA(1), area);
	ask(&guest, ASK(1, CREATE), AREA(1));
	AWAIT(record->count == 2, "it is not created again");
	/* Destroyed, it does not come back by INIT and SIPI. */
	ask(&guest, ASK(1, DESTROY), 0);
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(1)), 0);
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.failed, __ATOMIC_SEQ_CST), "it is not refused");
	CHECK_EQ(real[2], 1);
	runner_stop(&runner);
}

/* vCPU 1 of a guest of two, as firmware leaves its vCPUs to the system: held until its reset. */
static struct ghcb_guest held(const struct ghcb_guest *guest, struct runner *runner)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct ghcb_guest other;

	CHECK_OK(ioctl(guest->vm->vcpus[1].fd, KVM_SET_MP_STATE, &state));
	other = ghcb_on(guest, 1);
	ghcb_prepare(&other, RESET_HOLD, 0, 0);
	*other.frame = (struct ghcb_frame){ .msr = GHCB_OF(1) };
	vcpu_restart(other.vcpu);
	other.vcpu->mailbox->op = GUEST_CALL;
	other.vcpu->mailbox->gpa = CODE;
	other.vcpu->mailbox->arg = FRAME + sizeof(struct ghcb_frame);
	runner_start(runner, guest, 1);
	AWAIT(other.ghcb[BITMAP + 14] == 0x18, "it is not answered");
	return other;
}

/* INIT and SIPI have it go on, and say so. */
static void test_held_until_sipi(void)
{
	struct ghcb_guest guest = prepared(snp_knowing_vm_with_apic(2));
	struct runner runner;
	struct ghcb_guest other = held(&guest, &runner);
	volatile u64 *result = (volatile u64 *)(other.ghcb + INFO_2);

	CHECK_EQ(*result, 0);
	__atomic_store_n(&runner.once, true, __ATOMIC_SEQ_CST);
	icr(&guest, ICR_INIT);
	icr(&guest, ICR_SIPI(VECTOR));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1,
	      "it does not go on behind its VMGEXIT");
	CHECK_EQ(*result, 1);
	runner_stop(&runner);
}

static void test_held(void)
{
	struct ghcb_guest guest = prepared(snp_knowing_vm_with_apic(2));
	struct runner runner;
	unsigned char area[AREA_SIZE];

	held(&guest, &runner);
	fill_real(area);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	AWAIT(__atomic_load_n(&runner.begun, __ATOMIC_SEQ_CST) == 1, "it does not begin");
	runner_stop(&runner);
	CHECK_EQ(((volatile u32 *)(guest.vm->agent + REAL_RECORD))[2], 1);
}

/* ---- races ---------------------------------------------------------------------------------- */

struct asker {
	struct ghcb_guest guest;
	u64 area;
	unsigned long asked;
};

static void *ask_often(void *arg)
{
	struct asker *asker = arg;

	for (int i = 0; i < 100; i++) {
		ask(&asker->guest, ASK(2, i % 4 == 3 ? DESTROY : CREATE), asker->area);
		asker->asked++;
	}
	return NULL;
}

static void test_two_creators(void)
{
	struct ghcb_guest guest = creator(3);
	struct asker askers[2] = { { guest, AREA(0), 0 }, { ghcb_on(&guest, 1), AREA(1), 0 } };
	volatile struct record *record = record_of(&guest, 2);
	pthread_t threads[2];
	struct runner runner;
	unsigned char area[AREA_SIZE];
	u64 count;

	fill_long(area, 2);
	make_area(&guest, AREA(0), area);
	make_area(&guest, AREA(1), area);
	ask(&guest, ASK(2, DESTROY), 0);
	runner_start(&runner, &guest, 2);
	for (int i = 0; i < 2; i++)
		threads[i] = thread_start(ask_often, &askers[i]);
	for (int i = 0; i < 2; i++)
		thread_join(threads[i]);
	count = record->count;
	ask(&guest, ASK(2, CREATE), AREA(0));
	AWAIT(record->count != count, "it does not run in the end");
	ask(&guest, ASK(2, DESTROY), 0);
	runner_stop(&runner);
	CHECK_EQ(runner.failed, 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(i)), 0);
}

/* The page goes while the vCPU runs, or is about to. */
static void test_pages_that_go(void)
{
	struct ghcb_guest guest = creator(2);
	volatile struct record *record = record_of(&guest, 1);
	struct runner runner;
	unsigned char area[AREA_SIZE];
	u64 turns;

	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	ask(&guest, ASK(1, CREATE), AREA(0));
	runner_start(&runner, &guest, 1);
	AWAIT(record->turns, "it does not run");
	/* It has its registers, and goes on. */
	vm_make_shared(guest.vm, AREA(0), PAGE_SIZE);
	MUST(gmem_punch(guest.fd, AREA(0) - TEST_GPA, PAGE_SIZE));
	turns = record->turns;
	AWAIT(record->turns != turns, "it has stopped");
	vm_make_private(guest.vm, AREA(0), PAGE_SIZE);
	/* The new page there is not in use. */
	make_area(&guest, AREA(0), area);
	CHECK_EQ(call(&guest, RMPADJUST_BACK, AREA(0)), 0);
	for (int i = 0; i < 30; i++) {
		make_area(&guest, AREA(1), area);
		ask(&guest, ASK(1, CREATE), AREA(1));
		vm_make_shared(guest.vm, AREA(1), PAGE_SIZE);
		MUST(gmem_punch(guest.fd, AREA(1) - TEST_GPA, PAGE_SIZE));
		vm_make_private(guest.vm, AREA(1), PAGE_SIZE);
	}
	make_area(&guest, AREA(2), area);
	ask(&guest, ASK(1, DESTROY), 0);
	ask(&guest, ASK(1, CREATE), AREA(2));
	turns = record->turns;
	AWAIT(record->turns != turns, "it does not run in the end");
	__atomic_store_n(&runner.file_goes, true, __ATOMIC_SEQ_CST);
	close(guest.fd);
	runner_stop(&runner);
}

/* Whether the kernel has warned of itself. */
static bool kernel_has_warned(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long tainted;

	CHECK(file && fscanf(file, "%lu", &tainted) == 1, "no taints to read: %m");
	fclose(file);
	return tainted & 1UL << 9;
}

/* A VMM has put the vCPU there; INIT would wait for its end. */
static void test_system_management_mode(void)
{
	struct ghcb_guest guest = creator(2);
	const bool warned = kernel_has_warned();
	struct kvm_vcpu_events events;
	unsigned char area[AREA_SIZE];

	fill_long(area, 1);
	make_area(&guest, AREA(0), area);
	CHECK_OK(ioctl(guest.vm->vcpus[1].fd, KVM_GET_VCPU_EVENTS, &events));
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	if (ioctl(guest.vm->vcpus[1].fd, KVM_SET_VCPU_EVENTS, &events))
		tap_skip("no vCPU gets there: %m");
	ask(&guest, ASK(1, CREATE), AREA(0));
	must_begin(&guest, 1);
	CHECK_OK(ioctl(guest.vm->vcpus[1].fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.smi.smm, 0);
	CHECK_EQ(kernel_has_warned(), warned);
}

/* The process is killed while vCPUs are created: nothing is left, which tap_main() looks at. */
static void test_killed(void)
{
	for (int i = 0; i < 5; i++) {
		int pipes[2], status;
		char byte;
		pid_t pid;

		CHECK_OK(pipe(pipes));
		pid = fork();
		CHECK_OK(pid);
		if (!pid) {
			struct ghcb_guest guest = creator(2);
			struct runner runner;
			unsigned char area[AREA_SIZE];

			fill_long(area, 1);
			make_area(&guest, AREA(0), area);
			runner_start(&runner, &guest, 1);
			CHECK_EQ(write(pipes[1], "", 1), 1);
			for (;;) {
				ask(&guest, ASK(1, CREATE), AREA(0));
				ask(&guest, ASK(1, DESTROY), 0);
			}
		}
		close(pipes[1]);
		CHECK_EQ(read(pipes[0], &byte, 1), 1);
		let_pass(1000 * i);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status), "it has ended by itself");
		close(pipes[0]);
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_features),
		TAP_TEST(test_long_mode),
		TAP_TEST(test_real_mode),
		TAP_TEST(test_refusals),
		TAP_TEST(test_areas_that_are_none),
		TAP_TEST(test_values_that_are_refused),
		TAP_TEST(test_in_use),
		TAP_TEST(test_create_and_destroy),
		TAP_TEST(test_destroyed),
		TAP_TEST(test_itself),
		TAP_TEST(test_on_init),
		TAP_TEST(test_held_until_sipi),
		TAP_TEST(test_held),
		TAP_TEST(test_two_creators),
		TAP_TEST(test_pages_that_go),
		TAP_TEST(test_system_management_mode),
		TAP_TEST(test_killed),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
