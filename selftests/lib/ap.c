// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that create their vCPUs themselves, see ap.h.
 */
#include "ap.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "snp.h"

#define PAT_DEFAULT	0x0007040600070406UL

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

struct ghcb_guest ap_creator_of(struct vm *vm)
{
	struct ghcb_guest guest = ghcb_guest_of(vm);

	MUST(guest_store_bytes(guest.vcpu, RMPADJUST, rmpadjust_code, sizeof(rmpadjust_code), 1));
	MUST(guest_store_bytes(guest.vcpu, RMPADJUST_BACK, rmpadjust_back_code,
			       sizeof(rmpadjust_back_code), 1));
	MUST(guest_store_bytes(guest.vcpu, AP_CODE, ap_blob, ap_blob_end - ap_blob, 1));
	memcpy(vm->agent + REAL_CODE, real_blob, real_blob_end - real_blob);
	return ghcb_on(&guest, 0);
}

struct ghcb_guest ap_creator(unsigned int nr_vcpus)
{
	return ap_creator_of(snp_knowing_vm(nr_vcpus));
}

volatile struct ap_record *ap_record(const struct ghcb_guest *guest, unsigned int id)
{
	return guest->vm->agent + RECORD(id);
}

void ap_put(unsigned char *area, unsigned int at, u64 value)
{
	memcpy(area + at, &value, sizeof(value));
}

void ap_put_segment(unsigned char *area, unsigned int at, u64 selector, u64 rights, u64 limit,
		    u64 base)
{
	ap_put(area, at, selector | rights << 16 | limit << 32);
	ap_put(area, at + 8, base);
}

void ap_fill_real(unsigned char *area)
{
	memset(area, 0, AREA_SIZE);
	ap_put_segment(area, CS, 0x800, 0x9b, 0xffff, REAL_CODE);
	for (unsigned int at = ES; at <= GS; at += 16) {
		if (at != CS)
			ap_put_segment(area, at, 0, 0x93, 0xffff, 0);
	}
	ap_put_segment(area, GDTR, 0, 0, 0xffff, 0);
	ap_put_segment(area, LDTR, 0, 0x82, 0xffff, 0);
	ap_put_segment(area, IDTR, 0, 0, 0xffff, 0);
	ap_put_segment(area, TR, 0, 0x8b, 0xffff, 0);
	ap_put(area, EFER, EFER_SVME);
	ap_put(area, CR0, 0x60000010);
	ap_put(area, DR7, 0x400);
	ap_put(area, DR6, 0xffff0ff0);
	ap_put(area, RFLAGS, 2);
	ap_put(area, G_PAT, PAT_DEFAULT);
	ap_put(area, XCR0_, 1);
	ap_put(area, FEATURES, SNP_ACTIVE);
	ap_put(area, MXCSR, 0x1f80 | 0x5555UL << 32);
	ap_put(area, X87_CONTROL, 0x40);
	ap_put(area, RSP, 0x7654);
	ap_put(area, RCX_ + 16, 0x12345678);
}

void ap_fill_long(unsigned char *area, unsigned int id)
{
	ap_fill_real(area);
	ap_put_segment(area, CS, 0x08, 0xa9b, ~0U, 0);
	for (unsigned int at = ES; at <= GS; at += 16) {
		if (at != CS)
			ap_put_segment(area, at, 0x10, 0xc93, ~0U, 0);
	}
	ap_put_segment(area, GS, 0x10, 0xc93, ~0U, RECORD(id));
	ap_put(area, EFER, EFER_SVME | LONG_MODE);
	ap_put(area, CR0, CR0_LONG);
	ap_put(area, CR3, AGENT_PML4);
	ap_put(area, CR4, CR4_LONG);
	ap_put(area, RIP, AP_CODE);
	ap_put(area, RSP, STACK - 256 * id);
}

u64 ap_call(struct ghcb_guest *guest, u64 code, u64 arg)
{
	u64 result;

	MUST(guest_call(guest->vcpu, code, arg, &result));
	return result;
}

void ap_write_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area)
{
	u64 result = ap_call(guest, PVALIDATE, gpa);

	/* Validated anew, or before. */
	CHECK(result == 0 || result == 0x100, "PVALIDATE gives %#lx", result);
	MUST(guest_store_bytes(guest->vcpu, gpa, area, AREA_SIZE, 1));
}

void ap_make_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area)
{
	ap_write_area(guest, gpa, area);
	CHECK_EQ(ap_call(guest, RMPADJUST, gpa), 0);
}

void ap_prepare(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	ghcb_prepare(guest, AP_CREATION, info_1, gpa);
	ghcb_set(guest, RAX, SNP_ACTIVE);
}

void ap_ask(struct ghcb_guest *guest, u64 info_1, u64 gpa)
{
	ap_prepare(guest, info_1, gpa);
	ghcb_must(guest, 0, 0);
}

void ap_must_begin(struct ghcb_guest *guest, unsigned int id)
{
	struct vcpu *vcpu = &guest->vm->vcpus[id];

	vcpu_run(vcpu);
	CHECK_EQ(vcpu->error, 0);
	CHECK(vcpu->run->exit_reason == KVM_EXIT_IO && vcpu->run->io.port == PORT,
	      "not there: %s", vcpu_exit_text(vcpu));
}

void ap_must_fail_entry(struct ghcb_guest *guest, unsigned int id)
{
	struct vcpu *vcpu = &guest->vm->vcpus[id];

	for (int i = 0; i < 2; i++) {
		vcpu_run(vcpu);
		CHECK_EQ(vcpu->error, 0);
		CHECK(vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY, "it runs: %s",
		      vcpu_exit_text(vcpu));
	}
}

unsigned int ap_mp_state(const struct ghcb_guest *guest, unsigned int id)
{
	struct kvm_mp_state state;

	CHECK_OK(ioctl(guest->vm->vcpus[id].fd, KVM_GET_MP_STATE, &state));
	return state.mp_state;
}

/* ---- threads that run a vCPU --------------------------------------------------------------- */

static void on_signal(int signal __attribute__((unused)))
{
}

static void *run(void *arg)
{
	struct ap_runner *runner = arg;

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

void ap_runner_start(struct ap_runner *runner, const struct ghcb_guest *guest, unsigned int id)
{
	*runner = (struct ap_runner){ .vcpu = &guest->vm->vcpus[id] };
	signal(SIGUSR1, on_signal);
	runner->thread = thread_start(run, runner);
}

void ap_runner_interrupt(struct ap_runner *runner)
{
	const unsigned long runs = __atomic_load_n(&runner->runs, __ATOMIC_SEQ_CST);

	do
		pthread_kill(runner->thread, SIGUSR1);
	while (__atomic_load_n(&runner->runs, __ATOMIC_SEQ_CST) == runs);
}

void ap_runner_stop(struct ap_runner *runner)
{
	__atomic_store_n(&runner->stop, true, __ATOMIC_SEQ_CST);
	runner->vcpu->run->immediate_exit = 1;
	pthread_kill(runner->thread, SIGUSR1);
	thread_join(runner->thread);
	runner->vcpu->run->immediate_exit = 0;
}
