// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that knows that it is one of SNP's, on a machine without SNP: it executes each
 * instruction and register access that only such guests have, from private memory, and looks
 * at what comes back: registers, exceptions, exits. Others find none of it there.
 *
 * Tests: guest/entries.cc, guest/decode.cc, guest/instructions.cc, kapi/guest.c.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "module.h"
#include "snp.h"

#define FILE_SIZE	(3 * SZ_2M)
#define CODE		TEST_GPA
/* A block that a test has for itself. */
#define BLOCK		(TEST_GPA + SZ_2M)
/* No memslot is there; no page table maps it. */
#define NOWHERE		(TEST_GPA + SZ_1G)
#define UNMAPPED	(1UL << 42)

/* What the guest's code and the test share, in the agent's memory. */
#define FRAME		0x190000UL
#define IDT		0x191000UL
#define GDT		0x192000UL
#define TSS		0x193000UL	/* the stack of CPL 3 ends at 0x195000 */

#define MSR_GHCB	0xc0010130U
#define MSR_SEV_STATUS	0xc0010131U

#define FLAG_CARRY	(1UL << 0)
#define FLAG_ZERO	(1UL << 6)
#define FLAG_TRAP	(1UL << 8)
#define FLAGS_FIXED	0x2UL

#define DB_VECTOR	1
#define UD_VECTOR	6
#define GP_VECTOR	13
#define PF_VECTOR	14
#define NO_VECTOR	(~0UL)

/* EAX of PVALIDATE and RMPADJUST. */
#define FAIL_INPUT	1
#define FAIL_PERMISSION	2
#define FAIL_SIZE	6

#define SMALL		0
#define LARGE		1

#define PTE_USER	4UL

struct frame {
	u64 rax, rcx, rdx, rflags;
	u64 rsp;			/* the guest's own */
	u64 vector, error, rip;		/* of the exception that came */
	u64 user;			/* run it at CPL 3 */
};

/* Instructions are patched in at the_instruction: all of them have 4 bytes, or NOPs follow. */
extern const unsigned char blob[], blob_end[], the_instruction[], db_stub[], ud_stub[], gp_stub[],
	pf_stub[];
asm(".pushsection .rodata\n"
	"blob:	push %rbx\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsp, 32(%rbx)\n"
	"	cmpq $0, 64(%rbx)\n"
	"	je 1f\n"
	"	pushq $0x23\n"			/* to CPL 3 */
	"	pushq $0x195000\n"
	"	pushq $2\n"
	"	pushq $0x2b\n"
	"	lea 1f(%rip), %rax\n"
	"	push %rax\n"
	"	iretq\n"
	"1:	mov (%rbx), %rax\n"
	"	mov 8(%rbx), %rcx\n"
	"	mov 16(%rbx), %rdx\n"
	"	pushq 24(%rbx)\n"
	"	popfq\n"			/* the trap flag counts from the next one on */
	"the_instruction:	.byte 0x90, 0x90, 0x90, 0x90\n"
	"	mov %rax, (%rbx)\n"
	"	mov %rcx, 8(%rbx)\n"
	"	mov %rdx, 16(%rbx)\n"
	"	pushfq\n"
	"	popq 24(%rbx)\n"
	"	jmp out\n"
	"db_stub:	pushq $0\n"
	"	pushq $1\n"
	"	jmp caught\n"
	"ud_stub:	pushq $0\n"
	"	pushq $6\n"
	"	jmp caught\n"
	"gp_stub:	pushq $13\n"
	"	jmp caught\n"
	"pf_stub:	pushq $14\n"
	"caught:	mov %rax, (%rbx)\n"
	"	popq 40(%rbx)\n"
	"	popq 48(%rbx)\n"
	"	popq 56(%rbx)\n"
	"out:	mov 32(%rbx), %rsp\n"
	"	pop %rbx\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"blob_end:\n"
	".popsection");

static const unsigned char pvalidate[4] = { 0xf2, 0x0f, 0x01, 0xff };
static const unsigned char rmpadjust[4] = { 0xf3, 0x0f, 0x01, 0xfe };
static const unsigned char vmgexit[4] = { 0xf3, 0x0f, 0x01, 0xd9 };
static const unsigned char vmmcall[4] = { 0x0f, 0x01, 0xd9, 0x90 };
static const unsigned char rdmsr[4] = { 0x0f, 0x32, 0x90, 0x90 };
static const unsigned char wrmsr[4] = { 0x0f, 0x30, 0x90, 0x90 };

struct guest {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;
	struct frame *frame;
};

/* ---- the guest -------------------------------------------------------------------------- */

static void put_gate(struct guest *guest, unsigned int vector, const unsigned char *stub)
{
	u64 *gate = guest->vm->agent + IDT + vector * 16;
	u64 at = CODE + (stub - blob);

	gate[0] = (at & 0xffff) | 0x8UL << 16 | 0x8eUL << 40 | (at >> 16 & 0xffff) << 48;
	gate[1] = at >> 32;
}

/* Exceptions come to the stubs, from CPL 3, too. */
static void set_tables(struct guest *guest)
{
	static const u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0,
				   0x00cff3000000ffff, 0x00affb000000ffff };
	u64 stack = AGENT_STACK_TOP(guest->vcpu->id) - 2048, i;
	void *agent = guest->vm->agent;
	struct kvm_sregs sregs;
	u64 *table;

	memcpy(agent + GDT, gdt, sizeof(gdt));
	memcpy(agent + TSS + 4, &stack, sizeof(stack));
	put_gate(guest, DB_VECTOR, db_stub);
	put_gate(guest, UD_VECTOR, ud_stub);
	put_gate(guest, GP_VECTOR, gp_stub);
	put_gate(guest, PF_VECTOR, pf_stub);
	for (table = agent + AGENT_PML4, i = 0; i < 1 + IDENTITY_GIB / 512; i++, table += 512)
		for (u64 *entry = table; entry < table + 512; entry++)
			*entry |= *entry ? PTE_USER : 0;
	CHECK_OK(ioctl(guest->vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.idt.base = IDT;
	sregs.idt.limit = 16 * 32 - 1;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = sizeof(gdt) - 1;
	sregs.tr.base = TSS;
	CHECK_OK(ioctl(guest->vcpu->fd, KVM_SET_SREGS, &sregs));
}

/* One of @vm, all of whose memory but the agent's is private. */
static struct guest launching(struct vm *vm)
{
	struct guest guest = {
		.vm = vm,
		.vcpu = &vm->vcpus[0],
		.frame = vm->agent + FRAME,
	};

	MUST(snp_start(vm, SNP_POLICY, NULL));
	guest.fd = vm_add_private(vm, FILE_SIZE);
	set_tables(&guest);
	return guest;
}

static struct guest launched(struct vm *vm)
{
	struct guest guest = launching(vm);

	MUST(snp_finish(vm, NULL));
	return guest;
}

static struct guest knowing(void)
{
	return launched(snp_knowing_vm(2));
}

/* Has the guest come to @instruction with these operands; how it ended. */
static enum vm_exit run(struct guest *guest, const unsigned char *instruction, u64 rax, u64 rcx,
			u64 rdx)
{
	unsigned char code[256];
	u64 result;

	memcpy(code, blob, blob_end - blob);
	memcpy(code + (the_instruction - blob), instruction, 4);
	MUST(guest_store_bytes(guest->vcpu, CODE, code, blob_end - blob, 1));
	guest->frame->rax = rax;
	guest->frame->rcx = rcx;
	guest->frame->rdx = rdx;
	guest->frame->rflags |= FLAGS_FIXED;
	guest->frame->vector = NO_VECTOR;
	return guest_call(guest->vcpu, CODE, FRAME, &result);
}

/* The same of what must end without an exception; EAX. */
static u64 must(struct guest *guest, const unsigned char *instruction, u64 rax, u64 rcx, u64 rdx)
{
	MUST(run(guest, instruction, rax, rcx, rdx));
	CHECK(guest->frame->vector == NO_VECTOR, "exception %lu (0x%lx) at 0x%lx",
	      guest->frame->vector, guest->frame->error, guest->frame->rip);
	return guest->frame->rax;
}

static void must_fault(struct guest *guest, const unsigned char *instruction, u64 rax, u64 rcx,
		       u64 rdx, u64 vector, u64 error)
{
	MUST(run(guest, instruction, rax, rcx, rdx));
	CHECK_EQ(guest->frame->vector, vector);
	CHECK_EQ(guest->frame->error, error);
	CHECK_EQ(guest->frame->rip, CODE + (the_instruction - blob));
}

/* PVALIDATE, and that a block is split and the instruction executed again where it must be. */
static void must_validate(struct guest *guest, u64 gpa, u64 size, bool validate, bool changes)
{
	CHECK_EQ(must(guest, pvalidate, gpa, size, validate), 0);
	CHECK_EQ(guest->frame->rflags & FLAG_CARRY, !changes);
	CHECK(guest->frame->rflags & FLAG_ZERO, "the flags do not follow the code");
}

static u64 read_msr(struct guest *guest, u32 msr)
{
	must(guest, rdmsr, ~0UL, msr, ~0UL);
	CHECK_EQ(guest->frame->rax >> 32 | guest->frame->rdx >> 32, 0);
	return guest->frame->rax | guest->frame->rdx << 32;
}

static void write_msr(struct guest *guest, u32 msr, u64 value)
{
	must(guest, wrmsr, value & 0xffffffff, msr, value >> 32);
}

/* ---- registers -------------------------------------------------------------------------- */

static void test_sev_status(void)
{
	struct guest guest = knowing();

	CHECK_EQ(read_msr(&guest, MSR_SEV_STATUS), 7);
	must_fault(&guest, wrmsr, 0, MSR_SEV_STATUS, 0, GP_VECTOR, 0);
}

static void test_ghcb_msr(void)
{
	struct vm *vm = snp_knowing_vm(2);
	struct guest guest = launched(vm);

	/* Behind the launch, which gives the guest no C-bit here. */
	snp_set_c_bit(&vm->vcpus[0], 51);
	/* The protocol's versions and the C-bit's place, until it is written. */
	CHECK_EQ(read_msr(&guest, MSR_GHCB), 0x0002000133000001);
	write_msr(&guest, MSR_GHCB, 0xfedcba9876543210);
	CHECK_EQ(read_msr(&guest, MSR_GHCB), 0xfedcba9876543210);
	write_msr(&guest, MSR_GHCB, 0);
	CHECK_EQ(read_msr(&guest, MSR_GHCB), 0);
	/* Another vCPU has its own. */
	guest.vcpu = &vm->vcpus[1];
	CHECK(read_msr(&guest, MSR_GHCB) & 1, "what one vCPU has written another reads");
}

/* User space has no part in it, whatever it filters. */
static void test_msr_filter(void)
{
	static unsigned char nothing[1];
	struct kvm_msr_filter filter = {
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.nmsrs = 1,
			.base = MSR_GHCB,
			.bitmap = nothing,
		},
	};
	struct guest guest = knowing();

	CHECK_OK(ioctl(guest.vm->fd, KVM_X86_SET_MSR_FILTER, &filter));
	write_msr(&guest, MSR_GHCB, 0x1230);
	CHECK_EQ(read_msr(&guest, MSR_GHCB), 0x1230);
}

/* ---- PVALIDATE -------------------------------------------------------------------------- */

static void test_pvalidate_block_and_pages(void)
{
	struct guest guest = knowing();
	bool huge = gmem_huge();

	CHECK_EQ(must(&guest, pvalidate, BLOCK, LARGE, 1), huge ? 0 : FAIL_SIZE);
	if (huge) {
		CHECK_EQ(guest.frame->rflags & FLAG_CARRY, 0);
		must_validate(&guest, BLOCK, LARGE, true, false);
		/* The guest uses it, and then it is split under the guest's eyes. */
		MUST(guest_fill(guest.vcpu, BLOCK, SZ_2M, 17));
		must_validate(&guest, BLOCK + 5 * PAGE_SIZE, SMALL, true, false);
		must_validate(&guest, BLOCK + 5 * PAGE_SIZE, SMALL, false, true);
		MUST(guest_check(guest.vcpu, BLOCK, SZ_2M, 17));
	}
	/* 2 MiB over 4 KiB; page by page it goes. */
	CHECK_EQ(must(&guest, pvalidate, BLOCK, LARGE, 1), FAIL_SIZE);
	CHECK_EQ(guest.frame->rflags & (FLAG_CARRY | FLAG_ZERO), 0);
	must_validate(&guest, BLOCK, SMALL, true, !huge);
	must_validate(&guest, BLOCK + 5 * PAGE_SIZE, SMALL, true, true);
	must_validate(&guest, BLOCK + 5 * PAGE_SIZE, SMALL, true, false);
	must_validate(&guest, BLOCK + 511 * PAGE_SIZE, SMALL, true, !huge);
	must_validate(&guest, BLOCK + 511 * PAGE_SIZE, SMALL, false, true);
	must_validate(&guest, BLOCK + 511 * PAGE_SIZE, SMALL, false, false);
}

/* Of a knowing guest nothing else of the platform's rules is broken by that. */
static void test_pvalidate_leaves_nothing(void)
{
	long leaked = gmem_total("leaked"), pages = gmem_total("pages");
	struct guest guest = knowing();

	must(&guest, pvalidate, BLOCK, LARGE, 1);
	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, false, gmem_huge());
	MUST(gmem_punch(guest.fd, SZ_2M + PAGE_SIZE, PAGE_SIZE));
	MUST(gmem_punch(guest.fd, SZ_2M, SZ_2M));
	MUST(guest_check_zero(guest.vcpu, BLOCK, SZ_2M));
	vm_free(guest.vm);
	close(guest.fd);
	CHECK_EQ(gmem_total("leaked"), leaked);
	CHECK_EQ(gmem_total("pages"), pages);
}

static void test_pvalidate_operands(void)
{
	struct guest guest = knowing();
	long reports = gmem_total("platform_reports");

	/* Where in its page it is makes no difference. */
	CHECK_EQ(must(&guest, pvalidate, BLOCK + SZ_2M + 0x123, SMALL, 1), 0);
	CHECK_EQ(must(&guest, pvalidate, BLOCK + PAGE_SIZE, LARGE, 1), FAIL_INPUT);
	CHECK_EQ(gmem_total("platform_reports"), reports + 1);
	/* Above the lowest bit of a size, and of what is asked for, anything goes. */
	CHECK_EQ(must(&guest, pvalidate, BLOCK, 0x17600 | SMALL, 0x17600 | 1), 0);
	CHECK_EQ(must(&guest, pvalidate, BLOCK, 0x17600 | SMALL, 0x17600), 0);
	CHECK_EQ(gmem_total("platform_reports"), reports + 1);
	must_fault(&guest, pvalidate, 1UL << 47, SMALL, 1, GP_VECTOR, 0);
	must_fault(&guest, pvalidate, ~0UL << 48, SMALL, 1, GP_VECTOR, 0);
	must_fault(&guest, pvalidate, UNMAPPED, SMALL, 1, PF_VECTOR, 0);
	guest.frame->user = 1;
	must_fault(&guest, pvalidate, BLOCK, SMALL, 1, GP_VECTOR, 0);
	must_fault(&guest, rmpadjust, BLOCK, SMALL, 1, GP_VECTOR, 0);
}

static void must_exit(struct guest *guest, const unsigned char *instruction, u64 gpa)
{
	struct kvm_regs regs;

	CHECK_EQ(run(guest, instruction, gpa, SMALL, 1), EXIT_MEMORY_FAULT);
	CHECK_EQ(guest->vcpu->error, EFAULT);
	CHECK_EQ(guest->vcpu->gpa, gpa);
	CHECK_EQ(guest->vcpu->flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	CHECK_OK(ioctl(guest->vcpu->fd, KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rip, CODE + (the_instruction - blob));
	CHECK_EQ(regs.rax, gpa);
}

static void test_pages_not_assigned(void)
{
	struct guest guest = knowing();

	vm_make_shared(guest.vm, BLOCK, PAGE_SIZE);
	must_exit(&guest, rmpadjust, BLOCK);
	must_exit(&guest, rmpadjust, NOWHERE);
	must_exit(&guest, pvalidate, NOWHERE);
	must_exit(&guest, pvalidate, BLOCK);
	/* The VMM makes it private, and the guest goes on. */
	vm_make_private(guest.vm, BLOCK, PAGE_SIZE);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.frame->vector, NO_VECTOR);
	CHECK_EQ(guest.frame->rax, 0);
	CHECK_EQ(guest.frame->rflags & FLAG_CARRY, 0);
}

static void test_conversion_takes_validation_away(void)
{
	struct guest guest = knowing();

	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, true, true);
	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, true, false);
	vm_make_shared(guest.vm, BLOCK + PAGE_SIZE, PAGE_SIZE);
	MUST(gmem_punch(guest.fd, SZ_2M + PAGE_SIZE, PAGE_SIZE));
	vm_make_private(guest.vm, BLOCK + PAGE_SIZE, PAGE_SIZE);
	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, true, true);
}

/* What the firmware puts there at launch it has validated. */
static void test_launched_pages_are_validated(void)
{
	struct guest guest = launching(snp_knowing_vm(1));
	void *source = vm_source(PAGE_SIZE);

	MUST(snp_update(guest.vm, BLOCK, source, PAGE_SIZE, SNP_PAGE_NORMAL, NULL));
	MUST(snp_finish(guest.vm, NULL));
	must_validate(&guest, BLOCK, SMALL, true, false);
	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, true, true);
}

/* A trap comes behind it, and not instead of it. */
static void test_single_step(void)
{
	struct guest guest = knowing();

	must_validate(&guest, BLOCK, SMALL, true, true);
	guest.frame->rflags = FLAG_TRAP;
	MUST(run(&guest, pvalidate, BLOCK, SMALL, 0));
	CHECK_EQ(guest.frame->vector, DB_VECTOR);
	CHECK_EQ(guest.frame->rip, CODE + (the_instruction - blob) + 4);
	CHECK_EQ(guest.frame->rax, 0);
	guest.frame->rflags = 0;
	must_validate(&guest, BLOCK, SMALL, false, false);
}

/* ---- RMPADJUST -------------------------------------------------------------------------- */

static void test_rmpadjust(void)
{
	struct guest guest = knowing();

	/* Not validated. */
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 1), FAIL_INPUT);
	must_validate(&guest, BLOCK + PAGE_SIZE, SMALL, true, true);
	/* Whether it is VMPL0; a save area, made and unmade. */
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 1), 0);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 0x10001), 0);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 1), 0);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 0xf03), 0);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 0), FAIL_PERMISSION);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 4), FAIL_INPUT);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, SMALL, 0x20001), FAIL_INPUT);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK + PAGE_SIZE, LARGE, 1), FAIL_INPUT);
	CHECK_EQ(must(&guest, rmpadjust, BLOCK, LARGE, 1), FAIL_SIZE);
	must_fault(&guest, rmpadjust, UNMAPPED, SMALL, 1, PF_VECTOR, 0);
	must_fault(&guest, rmpadjust, 1UL << 63, SMALL, 1, GP_VECTOR, 0);
}

/* ---- VMGEXIT ---------------------------------------------------------------------------- */

static void test_vmgexit(void)
{
	struct guest guest = knowing();

	/* A hypercall that there is not. */
	CHECK_EQ(must(&guest, vmmcall, 12345, 0, 0), (u64)-1000);
	/* Not one: no register changes. */
	write_msr(&guest, MSR_GHCB, 0);
	CHECK_EQ(must(&guest, vmgexit, 12345, 6, 7), 12345);
	CHECK_EQ(guest.frame->rcx, 6);
	CHECK_EQ(guest.frame->rdx, 7);
	/* The guest asks for its end, with set 1 and reason 2. */
	write_msr(&guest, MSR_GHCB, 0x21100);
	CHECK_EQ(run(&guest, vmgexit, 0, 0, 0), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->error, 0);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_SYSTEM_EVENT);
	CHECK_EQ(guest.vcpu->run->system_event.type, KVM_SYSTEM_EVENT_SEV_TERM);
	CHECK_EQ(guest.vcpu->run->system_event.ndata, 1);
	CHECK_EQ(guest.vcpu->run->system_event.data[0], 0x21100);
	/* The hypervisor's features, in the MSR. */
	write_msr(&guest, MSR_GHCB, 0x080);
	CHECK_EQ(must(&guest, vmgexit, 12345, 6, 7), 12345);
	CHECK_EQ(read_msr(&guest, MSR_GHCB), 0x3081);
}

/* ---- others ----------------------------------------------------------------------------- */

static void test_guests_that_do_not_know(void)
{
	struct guest guest;

	snp_require_model();
	guest = launched(snp_vm(1));
	CHECK_EQ(read_msr(&guest, MSR_SEV_STATUS), 0);
	/* As on this machine without the module: it keeps nothing, or is none. */
	MUST(run(&guest, wrmsr, 0x1230, MSR_GHCB, 0));
	if (guest.frame->vector == NO_VECTOR)
		CHECK_EQ(read_msr(&guest, MSR_GHCB), 0);
	else
		CHECK_EQ(guest.frame->vector, GP_VECTOR);
	must_fault(&guest, pvalidate, BLOCK, SMALL, 1, UD_VECTOR, 0);
	must_fault(&guest, rmpadjust, BLOCK, SMALL, 1, UD_VECTOR, 0);
	CHECK_EQ(must(&guest, vmgexit, 12345, 0, 0), (u64)-1000);
}

/* mov eax, edi; xor ecx, ecx; mov edx, 1; pvalidate; mov eax, edi; xor edx, edx; pvalidate; jmp */
static const unsigned char loop_code[] = {
	0x89, 0xf8, 0x31, 0xc9, 0xba, 1, 0, 0, 0, 0xf2, 0x0f, 0x01, 0xff,
	0x89, 0xf8, 0x31, 0xd2, 0xf2, 0x0f, 0x01, 0xff, 0xeb, 0xe9,
};

static void on_signal(int nr)
{
	(void)nr;
}

struct looper {
	struct vcpu *vcpu;
	bool stop;
	unsigned long faults;
	int error; /* of KVM_RUN, if it ends otherwise */
};

static void *loop(void *arg)
{
	struct looper *looper = arg;

	while (!__atomic_load_n(&looper->stop, __ATOMIC_SEQ_CST)) {
		int r = ioctl(looper->vcpu->fd, KVM_RUN, 0);

		if (r < 0 && errno == EFAULT) {
			__atomic_add_fetch(&looper->faults, 1, __ATOMIC_SEQ_CST);
		} else if (r == 0 || errno != EINTR) {
			looper->error = r < 0 ? errno : -1;
			break;
		}
	}
	return NULL;
}

/* The module stays, the page comes and goes, and the guest is stopped at any moment. */
static void test_a_guest_that_loops(void)
{
	struct guest guest = knowing();
	struct looper looper = { .vcpu = guest.vcpu };
	struct kvm_regs regs;
	pthread_t thread;

	signal(SIGUSR1, on_signal);
	MUST(guest_store_bytes(guest.vcpu, CODE, loop_code, sizeof(loop_code), 1));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	regs.rip = CODE;
	regs.rdi = BLOCK + PAGE_SIZE;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_REGS, &regs));
	thread = thread_start(loop, &looper);
	for (int i = 0; i < 100; i++) {
		unsigned long faults = __atomic_load_n(&looper.faults, __ATOMIC_SEQ_CST);

		vm_make_shared(guest.vm, BLOCK + PAGE_SIZE, PAGE_SIZE);
		while (__atomic_load_n(&looper.faults, __ATOMIC_SEQ_CST) == faults &&
		       !looper.error)
			;
		MUST(gmem_punch(guest.fd, SZ_2M, SZ_2M));
		vm_make_private(guest.vm, BLOCK + PAGE_SIZE, PAGE_SIZE);
	}
	CHECK_EQ(module_unload("gmem"), -EWOULDBLOCK);
	__atomic_store_n(&looper.stop, true, __ATOMIC_SEQ_CST);
	guest.vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	thread_join(thread);
	CHECK_EQ(looper.error, 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_sev_status),
		TAP_TEST(test_ghcb_msr),
		TAP_TEST(test_msr_filter),
		TAP_TEST(test_pvalidate_block_and_pages),
		TAP_TEST(test_pvalidate_leaves_nothing),
		TAP_TEST(test_pvalidate_operands),
		TAP_TEST(test_pages_not_assigned),
		TAP_TEST(test_conversion_takes_validation_away),
		TAP_TEST(test_launched_pages_are_validated),
		TAP_TEST(test_single_step),
		TAP_TEST(test_rmpadjust),
		TAP_TEST(test_vmgexit),
		TAP_TEST(test_guests_that_do_not_know),
		TAP_TEST(test_a_guest_that_loops),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
