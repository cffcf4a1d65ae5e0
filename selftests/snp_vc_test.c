// SPDX-License-Identifier: GPL-2.0-only
/*
 * #VC in a guest that knows that it is SNP's, on a machine without SNP. With
 * snp_guests=aware-vc what hardware would not do for such a guest is an exception to it, whose
 * frame the guest's handlers keep for the test; with any other value KVM serves all of it. The
 * guest has tables, stacks and code of its own, all of them private; with a C-bit, too.
 *
 * Tests: guest/reflect.cc, guest/vc.cc, guest/exits.cc, kapi/vc.c.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "clock.h"
#include "guest.h"
#include "snp.h"

/* What the launch puts at TEST_GPA, page by page. Of stacks each vCPU has a page. */
#define PML4		TEST_GPA
#define PDPT		(TEST_GPA + 1 * PAGE_SIZE)
#define GDT		(TEST_GPA + 2 * PAGE_SIZE)
#define TSS		(TEST_GPA + 3 * PAGE_SIZE)
#define IDT		(TEST_GPA + 4 * PAGE_SIZE)
#define IDT_STACK	(TEST_GPA + 5 * PAGE_SIZE)	/* gates name stacks of the TSS */
#define IDT_ABSENT	(TEST_GPA + 6 * PAGE_SIZE)	/* #VC's gate is not present */
#define IDT_ALONE	(TEST_GPA + 7 * PAGE_SIZE)	/* the same, and no other gate is */
#define IDT_TRAP	(TEST_GPA + 8 * PAGE_SIZE)	/* gates leave IF alone */
#define IDT32		(TEST_GPA + 9 * PAGE_SIZE)
#define CODE		(TEST_GPA + 10 * PAGE_SIZE)
#define STACKS		(TEST_GPA + 16 * PAGE_SIZE)
#define IMAGE_SIZE	(24 * PAGE_SIZE)
#define STACK_TOP(id)	(STACKS + ((id) + 1) * 4 * PAGE_SIZE)
/* Of the TSS's: CPL 0's, and the first two others. */
#define STACK_0(id)	(STACK_TOP(id) - 1 * PAGE_SIZE)
#define STACK_IST(id, n) (STACK_TOP(id) - (1 + (n)) * PAGE_SIZE)

/* Shared with the test: each vCPU's record, in the agent's memory. */
#define RECORD(id)	(0x190000UL + PAGE_SIZE * (id))
/* No memslot is there; and no page table maps it. */
#define NOWHERE		(3 * SZ_1G)
#define UNMAPPED	(1UL << 45)

#define C_BIT		36

#define PTE		0x67UL		/* present, writable, users', accessed, dirty */
#define PTE_LARGE	(1UL << 7)

#define CODE_SELECTOR	0x08
#define DATA_SELECTOR	0x10
#define USER_DATA	0x2b
#define USER_CODE	0x33
#define CODE32_SELECTOR	0x38

#define FLAGS_FIXED	0x2UL
#define FLAG_ZERO	(1UL << 6)
#define FLAG_TRAP	(1UL << 8)
#define FLAG_INTERRUPTS	(1UL << 9)
#define FLAG_NESTED	(1UL << 14)
#define FLAG_RESUME	(1UL << 16)

#define CR0_PG		(1UL << 31)
#define EFER_LME_LMA	0x500UL

#define DB_VECTOR	1
#define NMI_VECTOR	2
#define DF_VECTOR	8
#define NP_VECTOR	11
#define GP_VECTOR	13
#define PF_VECTOR	14
#define VC_VECTOR	29
#define IRQ_VECTOR	0x40
#define VECTORS		0x41

#define EXIT_RDPMC	0x6f
#define EXIT_CPUID	0x72
#define EXIT_INVD	0x76
#define EXIT_IOIO	0x7b
#define EXIT_MSR	0x7c
#define EXIT_VMMCALL	0x81
#define EXIT_WBINVD	0x89
#define EXIT_MONITOR	0x8a
#define EXIT_MWAIT	0x8b
#define EXIT_NPF	0x400

struct record {
	u64 count, skip;	/* #VCs so far; how long the instruction is */
	u64 error, rip, cs, rflags, rsp, ss;	/* the last one's frame */
	u64 at_rsp, at_rflags, at_cs, at_ss;	/* of its handler */
	u64 other, other_error, other_rip;	/* any other exception, at which the guest stops */
	u64 nmis, irqs;
	u64 stop;		/* the handler stops, too */
};

/* %r15, %edi: the record. */
extern const unsigned char blob[], blob_end[], instructions[], vc_stub[], nmi_stub[], irq_stub[],
	db_stub[], df_stub[], np_stub[], gp_stub[], pf_stub[], vc_stub_32[], cpuid_32[], loop[],
	in_shadow[];
asm(".pushsection .rodata\n"
	"blob:\n"
	"vc_stub:	push %rax\n"
	"	lea 8(%rsp), %rax\n"
	"	mov %rax, 64(%r15)\n"
	"	pushfq\n"
	"	popq 72(%r15)\n"
	"	mov %cs, %eax\n"
	"	mov %rax, 80(%r15)\n"
	"	mov %ss, %eax\n"
	"	mov %rax, 88(%r15)\n"
	"	mov 8(%rsp), %rax\n"
	"	mov %rax, 16(%r15)\n"
	"	mov 16(%rsp), %rax\n"
	"	mov %rax, 24(%r15)\n"
	"	mov 24(%rsp), %rax\n"
	"	mov %rax, 32(%r15)\n"
	"	mov 32(%rsp), %rax\n"
	"	mov %rax, 40(%r15)\n"
	"	mov 40(%rsp), %rax\n"
	"	mov %rax, 48(%r15)\n"
	"	mov 48(%rsp), %rax\n"
	"	mov %rax, 56(%r15)\n"
	"	incq (%r15)\n"
	"	cmpq $0, 136(%r15)\n"
	"	jne stop\n"
	"	mov 8(%r15), %rax\n"
	"	add %rax, 16(%rsp)\n"
	"	pop %rax\n"
	"	add $8, %rsp\n"
	"	iretq\n"
	"nmi_stub:	incq 120(%r15)\n"
	"	iretq\n"
	"irq_stub:	incq 128(%r15)\n"
	"	iretq\n"
	"db_stub:	pushq $0\n"
	"	movq $1, 96(%r15)\n"
	"	jmp other\n"
	"df_stub:	movq $8, 96(%r15)\n"
	"	jmp other\n"
	"np_stub:	movq $11, 96(%r15)\n"
	"	jmp other\n"
	"gp_stub:	movq $13, 96(%r15)\n"
	"	jmp other\n"
	"pf_stub:	movq $14, 96(%r15)\n"
	"other:	popq 104(%r15)\n"
	"	popq 112(%r15)\n"
	"stop:	hlt\n"
	"	jmp stop\n"
	/* %r13 times. */
	"loop:	cpuid\n"
	"	dec %r13\n"
	"	jnz loop\n"
	"	hlt\n"
	/* The exception ends the shadow of STI. */
	"in_shadow:	sti\n"
	"	cpuid\n"
	"	hlt\n"
	".code32\n"
	"vc_stub_32:	mov %esp, 64(%edi)\n"
	"	mov (%esp), %eax\n"
	"	mov %eax, 16(%edi)\n"
	"	mov 4(%esp), %eax\n"
	"	mov %eax, 24(%edi)\n"
	"	mov 8(%esp), %eax\n"
	"	mov %eax, 32(%edi)\n"
	"	mov 12(%esp), %eax\n"
	"	mov %eax, 40(%edi)\n"
	"	pushfl\n"
	"	popl 72(%edi)\n"
	"	incl (%edi)\n"
	"	addl $2, 4(%esp)\n"
	"	add $4, %esp\n"
	"	iretl\n"
	"cpuid_32:	cpuid\n"
	"	hlt\n"
	".code64\n"
	".balign 16\n"
	/* Each in 16 bytes, and then the guest stops. */
	"instructions:\n"
	"blob_end:\n"
	".popsection");

#define PLACE_OF(label) (CODE + ((label) - blob))

/* An instruction, its operands, and the exit that it makes. */
static const struct row {
	const char *name;
	unsigned char bytes[8], length;
	u64 exit;
	u64 rax, rcx, rdx;
	u64 rsi;		/* and RDI */
} rows[] = {
	{ "cpuid", { 0x0f, 0xa2 }, 2, EXIT_CPUID, 1, 0, 0, 0 },
	{ "out %al, $0x80", { 0xe6, 0x80 }, 2, EXIT_IOIO, 1, 0, 0, 0 },
	{ "in (%dx), %eax", { 0xed }, 1, EXIT_IOIO, 0, 0, 0xcf8, 0 },
	{ "outsb", { 0x6e }, 1, EXIT_IOIO, 0, 0, 0x80, RECORD(0) },
	{ "rep insb", { 0xf3, 0x6c }, 2, EXIT_IOIO, 0, 3, 0x80, RECORD(0) },
	{ "rdmsr APIC_BASE", { 0x0f, 0x32 }, 2, EXIT_MSR, 0, 0x1b, 0, 0 },
	{ "rdmsr of none", { 0x0f, 0x32 }, 2, EXIT_MSR, 0, 0x12345, 0, 0 },
	{ "wrmsr MTRRdefType", { 0x0f, 0x30 }, 2, EXIT_MSR, 6, 0x2ff, 0, 0 },
	{ "vmmcall", { 0x0f, 0x01, 0xd9 }, 3, EXIT_VMMCALL, 1, 0, 0, 0 },
	{ "wbinvd", { 0x0f, 0x09 }, 2, EXIT_WBINVD, 0, 0, 0, 0 },
	{ "invd", { 0x0f, 0x08 }, 2, EXIT_INVD, 0, 0, 0, 0 },
	{ "monitor", { 0x0f, 0x01, 0xc8 }, 3, EXIT_MONITOR, RECORD(0), 0, 0, 0 },
	{ "mwait", { 0x0f, 0x01, 0xc9 }, 3, EXIT_MWAIT, 0, 0, 0, 0 },
	{ "rdpmc", { 0x0f, 0x33 }, 2, EXIT_RDPMC, 0, 0, 0, 0 },
	{ "mov (%rsi), %eax", { 0x8b, 0x06 }, 2, EXIT_NPF, 0, 0, 0, NOWHERE + 8 },
	{ "mov %rax, (%rsi)", { 0x48, 0x89, 0x06 }, 3, EXIT_NPF, 1, 0, 0, NOWHERE },
	/* What makes no #VC, from here on. */
	{ "rdmsr EFER", { 0x0f, 0x32 }, 2, 0, 0, 0xc0000080, 0, 0 },
	{ "rdmsr SEV_STATUS", { 0x0f, 0x32 }, 2, 0, 0, 0xc0010131, 0, 0 },
	{ "rdmsr GHCB", { 0x0f, 0x32 }, 2, 0, 0, 0xc0010130, 0, 0 },
	{ "rdmsr PAT", { 0x0f, 0x32 }, 2, 0, 0, 0x277, 0, 0 },
	{ "wrmsr STAR", { 0x0f, 0x30 }, 2, 0, 0, 0xc0000081, 0, 0 },
	{ "wrmsr FS_BASE", { 0x0f, 0x30 }, 2, 0, 0, 0xc0000100, 0, 0 },
	{ "rdtsc", { 0x0f, 0x31 }, 2, 0, 0, 0, 0, 0 },
	{ "pause", { 0xf3, 0x90 }, 2, 0, 0, 0, 0, 0 },
	{ "hlt", { 0xf4 }, 1, 0, 0, 0, 0, 0 },
	{ "mov %cr0, %rax; mov %rax, %cr0", { 0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0 }, 6, 0, 0, 0, 0,
	  0 },
	{ "mov %cr3, %rax; mov %rax, %cr3", { 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8 }, 6, 0, 0, 0, 0,
	  0 },
	{ "invlpg (%rsi)", { 0x0f, 0x01, 0x3e }, 3, 0, 0, 0, 0, RECORD(0) },
	{ "clts", { 0x0f, 0x06 }, 2, 0, 0, 0, 0, 0 },
};

enum { CPUID = 0, OUT = 1, VMMCALL = 8, MMIO_READ = 14, RDMSR_EFER = 16 };

#define PLACE(nr) (PLACE_OF(instructions) + 16 * (nr))

struct guest {
	struct vm *vm;
	struct vcpu *vcpu;
	struct record *record;
};

static bool reflects(void)
{
	char value[32] = "";
	FILE *file = fopen("/sys/module/gmem/parameters/snp_guests", "r");

	if (!file)
		return false;
	if (!fgets(value, sizeof(value), file))
		value[0] = 0;
	fclose(file);
	return !strcmp(value, "aware-vc\n");
}

/* ---- the guest -------------------------------------------------------------------------- */

static void put_gate(char *image, u64 idt, unsigned int vector, const unsigned char *stub,
		     u64 type, u64 stack)
{
	u64 *gate = (void *)(image + (idt - TEST_GPA) + vector * 16), at = PLACE_OF(stub);

	gate[0] = (at & 0xffff) | CODE_SELECTOR << 16 | stack << 32 | type << 40 |
		  (at >> 16 & 0xffff) << 48;
	gate[1] = at >> 32;
}

static void put_gates(char *image, u64 idt, u64 type, u64 stack)
{
	put_gate(image, idt, DB_VECTOR, db_stub, 0x8e, 0);
	put_gate(image, idt, NMI_VECTOR, nmi_stub, 0x8e, stack ? 2 : 0);
	put_gate(image, idt, DF_VECTOR, df_stub, 0x8e, 2);
	put_gate(image, idt, NP_VECTOR, np_stub, 0x8e, 0);
	put_gate(image, idt, GP_VECTOR, gp_stub, 0x8e, 0);
	put_gate(image, idt, PF_VECTOR, pf_stub, 0x8e, 2);
	put_gate(image, idt, VC_VECTOR, vc_stub, type, stack);
	put_gate(image, idt, IRQ_VECTOR, irq_stub, 0x8e, 0);
}

static void put_tables(char *image, u64 bit)
{
	u64 *pml4 = (void *)(image + (PML4 - TEST_GPA));
	u64 *pdpt = (void *)(image + (PDPT - TEST_GPA));

	pml4[0] = PDPT | bit | PTE;
	pdpt[0] = PTE | PTE_LARGE;
	pdpt[1] = TEST_GPA | bit | PTE | PTE_LARGE;
	pdpt[3] = NOWHERE | PTE | PTE_LARGE;
}

static void fill(char *image, u64 bit)
{
	static const u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0,
				   0x00cff3000000ffff, 0x00affb000000ffff, 0x00cf9b000000ffff };
	u64 *vc32 = (void *)(image + (IDT32 - TEST_GPA) + VC_VECTOR * 8), at = PLACE_OF(vc_stub_32);
	char *code = image + (CODE - TEST_GPA);
	unsigned int i;

	memset(image, 0, IMAGE_SIZE);
	put_tables(image, bit);
	memcpy(image + (GDT - TEST_GPA), gdt, sizeof(gdt));
	for (i = 0; i < 2; i++) {
		char *tss = image + (TSS - TEST_GPA) + i * 256;

		*(u64 *)(tss + 4) = STACK_0(i);
		*(u64 *)(tss + 0x24) = STACK_IST(i, 1);
		*(u64 *)(tss + 0x2c) = STACK_IST(i, 2);
	}
	put_gates(image, IDT, 0x8e, 0);
	put_gates(image, IDT_STACK, 0x8e, 1);
	put_gates(image, IDT_ABSENT, 0x0e, 0);
	put_gate(image, IDT_ALONE, VC_VECTOR, vc_stub, 0x0e, 0);
	put_gates(image, IDT_TRAP, 0x8f, 0);
	*vc32 = (at & 0xffff) | CODE32_SELECTOR << 16 | 0x8eUL << 40 | (at >> 16 & 0xffff) << 48;
	memcpy(code, blob, blob_end - blob);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char *place = code + (instructions - blob) + 16 * i;

		memset(place, 0x90, 15);
		memcpy(place, rows[i].bytes, rows[i].length);
		place[15] = 0xf4;
	}
}

static struct kvm_segment segment(u64 selector, u64 type, u64 dpl)
{
	const bool is_code = type & 8;

	return (struct kvm_segment){ .selector = selector, .limit = ~0U, .type = type,
				     .present = 1, .s = 1, .dpl = dpl, .l = is_code,
				     .db = !is_code, .g = 1 };
}

/* In 64-bit mode at @cpl, with the IDT at @idt. */
static void set_mode(struct guest *guest, u64 idt, unsigned int cpl, u64 bit)
{
	struct vcpu *vcpu = guest->vcpu;
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cr3 = PML4 | bit;
	sregs.cs = cpl ? segment(USER_CODE, 0xb, 3) : segment(CODE_SELECTOR, 0xb, 0);
	sregs.ss = cpl ? segment(USER_DATA, 3, 3) : segment(DATA_SELECTOR, 3, 0);
	sregs.idt = (struct kvm_dtable){ .base = idt, .limit = 16 * VECTORS - 1 };
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = 8 * 8 - 1 };
	sregs.tr.base = TSS + vcpu->id * 256;
	sregs.tr.limit = 0x67;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
}

static void choose_vcpu(struct guest *guest, unsigned int id)
{
	guest->vcpu = &guest->vm->vcpus[id];
	guest->record = guest->vm->agent + RECORD(id);
}

static struct guest launched(unsigned int nr_vcpus, unsigned int c_bit)
{
	struct guest guest = { .vm = snp_knowing_vm(nr_vcpus) };
	const u64 bit = c_bit ? 1UL << c_bit : 0;
	char *image = vm_source(IMAGE_SIZE);

	MUST(snp_start(guest.vm, SNP_POLICY, NULL));
	vm_add_private(guest.vm, SZ_2M);
	fill(image, bit);
	MUST(snp_update(guest.vm, TEST_GPA, image, IMAGE_SIZE, SNP_PAGE_NORMAL, NULL));
	vm_source_free(image, IMAGE_SIZE);
	for (unsigned int i = 0; c_bit && i < nr_vcpus; i++)
		snp_set_c_bit(&guest.vm->vcpus[i], c_bit);
	MUST(snp_finish(guest.vm, NULL));
	for (unsigned int i = nr_vcpus; i--; ) {
		choose_vcpu(&guest, i);
		set_mode(&guest, IDT, 0, bit);
	}
	return guest;
}

static struct kvm_regs regs_for(struct guest *guest, u64 rip)
{
	return (struct kvm_regs){ .rip = rip, .rflags = FLAGS_FIXED,
				  .rsp = STACK_TOP(guest->vcpu->id), .r15 = RECORD(guest->vcpu->id),
				  .rdi = RECORD(guest->vcpu->id) };
}

static struct kvm_regs regs_of(struct guest *guest)
{
	struct kvm_regs regs;

	CHECK_OK(ioctl(guest->vcpu->fd, KVM_GET_REGS, &regs));
	return regs;
}

static void start(struct guest *guest, const struct kvm_regs *regs)
{
	memset(guest->record, 0, sizeof(*guest->record));
	CHECK_OK(ioctl(guest->vcpu->fd, KVM_SET_REGS, regs));
}

static void must_stop(struct guest *guest)
{
	CHECK_EQ(vcpu_run(guest->vcpu), EXIT_OTHER);
	CHECK_EQ(guest->vcpu->error, 0);
	CHECK_EQ(guest->vcpu->run->exit_reason, KVM_EXIT_HLT);
}

/* From the instruction on, to where the guest stops. */
static void run_row(struct guest *guest, unsigned int nr, struct kvm_regs *regs)
{
	const struct row *row = &rows[nr];

	regs->rip = PLACE(nr);
	regs->rax = row->rax;
	regs->rbx = 0x1111;
	regs->rcx = row->rcx;
	regs->rdx = row->rdx;
	if (row->rsi)
		regs->rsi = regs->rdi = row->rsi;
	start(guest, regs);
	guest->record->skip = row->length;
	must_stop(guest);
}

static void must_be_frame(struct guest *guest, const struct kvm_regs *regs, u64 error, u64 at_rsp)
{
	const struct record *record = guest->record;

	CHECK_EQ(record->other, 0);
	CHECK_EQ(record->count, 1);
	CHECK_EQ(record->error, error);
	CHECK_EQ(record->rip, regs->rip);
	CHECK_EQ(record->rflags, regs->rflags | FLAG_RESUME);
	CHECK_EQ(record->rsp, regs->rsp);
	CHECK_EQ(record->at_rsp, at_rsp);
	CHECK_EQ(record->at_cs, CODE_SELECTOR);
}

static void must_reflect(struct guest *guest, unsigned int nr, struct kvm_regs *regs)
{
	run_row(guest, nr, regs);
	must_be_frame(guest, regs, rows[nr].exit, (regs->rsp & ~15UL) - 48);
	CHECK_EQ(guest->record->cs, CODE_SELECTOR);
	CHECK_EQ(guest->record->ss, DATA_SELECTOR);
	CHECK_EQ(guest->record->at_ss, DATA_SELECTOR);
}

/* ---- what is #VC ------------------------------------------------------------------------ */

static void check_rows(struct guest *guest)
{
	struct kvm_regs regs = regs_for(guest, 0), after;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		if (!row->exit) {
			run_row(guest, i, &regs);
			CHECK(!guest->record->count && !guest->record->other, "%s: #VC 0x%lx",
			      row->name, guest->record->error);
			continue;
		}
		run_row(guest, i, &regs);
		CHECK(guest->record->count == 1 && guest->record->error == row->exit,
		      "%s: %lu #VCs, the last 0x%lx, other %lu", row->name, guest->record->count,
		      guest->record->error, guest->record->other);
		must_reflect(guest, i, &regs);
		/* The handler has gone on behind the instruction, and nothing was done. */
		after = regs_of(guest);
		CHECK_EQ(after.rip, regs.rip + 16);
		CHECK_EQ(after.rsp, regs.rsp);
		CHECK(after.rax == row->rax && after.rbx == 0x1111 && after.rcx == row->rcx &&
		      after.rdx == row->rdx && after.rsi == regs.rsi && after.rdi == regs.rdi,
		      "%s: registers have changed", row->name);
	}
	CHECK_EQ(guest->vm->vcpus[0].run->exit_reason, KVM_EXIT_HLT);
}

static void test_each_instruction(void)
{
	struct guest guest = launched(1, 0);

	check_rows(&guest);
}

static void test_with_a_c_bit(void)
{
	struct guest guest = launched(1, C_BIT);

	check_rows(&guest);
}

static void test_what_is_not(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);
	struct kvm_sregs sregs;

	run_row(&guest, RDMSR_EFER, &regs);
	CHECK_EQ(regs_of(&guest).rax & EFER_LME_LMA, EFER_LME_LMA);
	/* Without an IDT KVM serves what it can. */
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.idt.limit = 16 * VC_VECTOR + 14;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK(regs_of(&guest).rbx != 0x1111, "CPUID has not been served");
}

/* ---- frames ----------------------------------------------------------------------------- */

static void test_stacks_are_aligned(void)
{
	struct guest guest = launched(1, 0);

	for (u64 off = 0; off < 32; off++) {
		struct kvm_regs regs = regs_for(&guest, 0);

		regs.rsp -= off;
		must_reflect(&guest, CPUID, &regs);
	}
	/* Across two pages. */
	for (u64 off = 16; off < 48; off += 16) {
		struct kvm_regs regs = regs_for(&guest, 0);

		regs.rsp = STACK_TOP(0) - PAGE_SIZE + off;
		must_reflect(&guest, OUT, &regs);
	}
}

static void test_flags(void)
{
	static const u64 flags[] = { 0, FLAG_INTERRUPTS, FLAG_NESTED, FLAG_ZERO,
				     FLAG_INTERRUPTS | FLAG_ZERO, FLAG_RESUME };
	static const u64 idts[] = { IDT, IDT_TRAP };
	struct guest guest = launched(1, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(flags) * 2; i++) {
		struct kvm_regs regs = regs_for(&guest, 0);
		const u64 kept = i % 2 ? FLAG_INTERRUPTS | FLAG_ZERO : FLAG_ZERO;

		set_mode(&guest, idts[i % 2], 0, 0);
		regs.rflags |= flags[i / 2];
		/* With NT an IRET would do something else. */
		regs.rip = PLACE(CPUID);
		start(&guest, &regs);
		guest.record->stop = 1;
		must_stop(&guest);
		must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
		/* The handler's own arithmetic comes after. */
		CHECK_EQ(guest.record->at_rflags & ~FLAG_ZERO,
			 (regs.rflags & kept & ~FLAG_ZERO) | FLAGS_FIXED);
	}
}

static void test_single_step(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);

	regs.rflags |= FLAG_TRAP;
	run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 1);
	CHECK_EQ(guest.record->rflags, FLAGS_FIXED | FLAG_TRAP | FLAG_RESUME);
	CHECK_EQ(guest.record->at_rflags & FLAG_TRAP, 0);
	/* The trap comes behind the first instruction after the handler. */
	CHECK_EQ(guest.record->other, DB_VECTOR);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID) + 3);
}

static void test_shadow_of_sti(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, PLACE_OF(in_shadow));
	struct kvm_vcpu_events events;

	set_mode(&guest, IDT_TRAP, 0, 0);
	start(&guest, &regs);
	guest.record->stop = 1;
	must_stop(&guest);
	CHECK_EQ(guest.record->rip, PLACE_OF(in_shadow) + 1);
	CHECK_EQ(guest.record->rflags, FLAGS_FIXED | FLAG_INTERRUPTS | FLAG_RESUME);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_VCPU_EVENTS, &events));
	CHECK_EQ(events.interrupt.shadow, 0);
}

static void test_stack_of_the_tss(void)
{
	struct guest guest = launched(2, 0);

	for (unsigned int id = 0; id < 2; id++) {
		struct kvm_regs regs;

		choose_vcpu(&guest, id);
		set_mode(&guest, IDT_STACK, 0, 0);
		regs = regs_for(&guest, 0);
		run_row(&guest, CPUID, &regs);
		must_be_frame(&guest, &regs, EXIT_CPUID, STACK_IST(id, 1) - 48);
		CHECK_EQ(guest.record->ss, DATA_SELECTOR);
		CHECK_EQ(guest.record->at_ss, DATA_SELECTOR);
	}
}

static void test_from_users(void)
{
	static const u64 idts[] = { IDT, IDT_STACK };
	struct guest guest = launched(1, 0);

	for (unsigned int i = 0; i < 2; i++) {
		struct kvm_regs regs = regs_for(&guest, 0);

		set_mode(&guest, idts[i], 3, 0);
		run_row(&guest, CPUID, &regs);
		/* It goes on at CPL 3, where HLT is #GP. */
		CHECK_EQ(guest.record->other, GP_VECTOR);
		CHECK_EQ(guest.record->other_rip, PLACE(CPUID) + 15);
		guest.record->other = 0;
		must_be_frame(&guest, &regs, EXIT_CPUID,
			      (i ? STACK_IST(0, 1) : STACK_0(0)) - 48);
		CHECK_EQ(guest.record->cs, USER_CODE);
		CHECK_EQ(guest.record->ss, USER_DATA);
		CHECK_EQ(guest.record->at_ss, 0);
	}
}

static void test_32_bits(void)
{
	struct kvm_segment code = segment(CODE32_SELECTOR, 0xb, 0);
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, PLACE_OF(cpuid_32));
	struct kvm_sregs sregs;

	code.l = 0;
	code.db = 1;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cr0 &= ~CR0_PG;
	sregs.efer &= ~EFER_LME_LMA;
	sregs.cs = code;
	sregs.idt.base = IDT32;
	sregs.idt.limit = 8 * 32 - 1;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	regs.rsp -= 3;
	regs.rflags |= FLAG_INTERRUPTS;
	start(&guest, &regs);
	must_stop(&guest);
	CHECK_EQ(regs_of(&guest).rip, PLACE_OF(cpuid_32) + 3);
	CHECK_EQ(regs_of(&guest).rsp, regs.rsp);
	CHECK_EQ(guest.record->count, 1);
	CHECK_EQ(guest.record->error, EXIT_CPUID);
	CHECK_EQ(guest.record->rip, regs.rip);
	CHECK_EQ(guest.record->cs, CODE32_SELECTOR);
	CHECK_EQ(guest.record->rflags, regs.rflags | FLAG_RESUME);
	CHECK_EQ(guest.record->at_rsp, regs.rsp - 16);
	CHECK_EQ(guest.record->at_rflags & FLAG_INTERRUPTS, 0);
}

/* ---- deliveries that fail --------------------------------------------------------------- */

static void test_no_handler(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);

	set_mode(&guest, IDT_ABSENT, 0, 0);
	run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK_EQ(guest.record->other, NP_VECTOR);
	CHECK_EQ(guest.record->other_error, VC_VECTOR << 3 | 2);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID));
	/* That cannot be delivered, either. */
	set_mode(&guest, IDT_ALONE, 0, 0);
	start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_SHUTDOWN);
}

static void test_no_stack(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);
	struct kvm_sregs sregs;

	regs.rsp = UNMAPPED;
	run_row(&guest, CPUID, &regs);
	CHECK_EQ(guest.record->count, 0);
	CHECK_EQ(guest.record->other, PF_VECTOR);
	CHECK_EQ(guest.record->other_error, 2);
	CHECK_EQ(guest.record->other_rip, PLACE(CPUID));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.cr2, UNMAPPED - 48);
}

static void test_a_stack_that_is_no_memory(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);

	regs.rip = PLACE(CPUID);
	regs.rsp = NOWHERE + PAGE_SIZE;
	start(&guest, &regs);
	guest.record->skip = 2;
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MEMORY_FAULT);
	CHECK_EQ(guest.vcpu->error, EFAULT);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE);
	CHECK_EQ(regs_of(&guest).rip, regs.rip);
	CHECK_EQ(regs_of(&guest).rsp, regs.rsp);
	/* The VMM puts some there, and the guest gets what it was to get. */
	vm_add_slot(guest.vm, 3, NOWHERE, SZ_2M, -1, 0);
	must_stop(&guest);
	must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
}

static void test_the_wrong_bit(void)
{
	struct guest guest = launched(1, C_BIT);
	struct kvm_regs regs = regs_for(&guest, 0);
	const u64 page = STACK_TOP(0) - PAGE_SIZE;

	vm_make_shared(guest.vm, page, PAGE_SIZE);
	regs.rip = PLACE(CPUID);
	start(&guest, &regs);
	guest.record->skip = 2;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MEMORY_FAULT);
		CHECK_EQ(guest.vcpu->gpa, page);
		CHECK_EQ(guest.vcpu->flags, KVM_MEMORY_EXIT_FLAG_PRIVATE);
	}
	vm_make_private(guest.vm, page, PAGE_SIZE);
	must_stop(&guest);
	must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
}

/* ---- at once ---------------------------------------------------------------------------- */

static void test_interrupt_first(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);
	struct kvm_interrupt irq = { .irq = IRQ_VECTOR };

	/* What is pending comes before the instruction, and #VC with its own frame after. */
	regs.rip = PLACE(CPUID);
	regs.rflags |= FLAG_INTERRUPTS;
	start(&guest, &regs);
	guest.record->skip = 2;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_INTERRUPT, &irq));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_NMI));
	must_stop(&guest);
	must_be_frame(&guest, &regs, EXIT_CPUID, regs.rsp - 48);
	CHECK_EQ(guest.record->irqs, 1);
	CHECK_EQ(guest.record->nmis, 1);
}

#define ROUNDS	2000
#define SIGNALS	20

struct looper {
	struct guest guest;
	unsigned int signals;
	bool done;
};

/* An NMI at first, and one more whenever a signal has stopped it; until there were enough. */
static void *run_loop(void *arg)
{
	struct looper *looper = arg;
	struct guest *guest = &looper->guest;
	const struct record *record = guest->record;
	struct kvm_regs regs = regs_for(guest, PLACE_OF(loop));

	regs.r13 = ROUNDS;
	regs.rflags |= FLAG_INTERRUPTS;
	while (looper->signals < SIGNALS) {
		unsigned int nmis = 1;

		start(guest, &regs);
		guest->record->skip = 2;
		for (;; nmis++) {
			CHECK_OK(ioctl(guest->vcpu->fd, KVM_NMI));
			if (ioctl(guest->vcpu->fd, KVM_RUN, 0) == 0)
				break;
			CHECK_EQ(errno, EINTR);
			looper->signals++;
		}
		CHECK_EQ(guest->vcpu->run->exit_reason, KVM_EXIT_HLT);
		CHECK_EQ(record->other, 0);
		CHECK_EQ(record->count, ROUNDS);
		CHECK_EQ(record->at_rsp, STACK_IST(guest->vcpu->id, 1) - 48);
		/* KVM keeps two at most until the guest can take them. */
		CHECK(record->nmis && record->nmis <= nmis, "%lu NMIs of %u", record->nmis, nmis);
	}
	__atomic_store_n(&looper->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void on_signal(int nr)
{
	(void)nr;
}

/* Two vCPUs get #VC all the time, and are disturbed by signals, and an NMI after each. */
static void test_two_vcpus_beside_nmis(void)
{
	struct guest guest = launched(2, C_BIT);
	struct looper loopers[2];
	pthread_t threads[2];
	unsigned int i;

	signal(SIGUSR1, on_signal);
	for (i = 0; i < 2; i++) {
		choose_vcpu(&guest, i);
		set_mode(&guest, IDT_STACK, 0, 1UL << C_BIT);
		loopers[i] = (struct looper){ .guest = guest };
		threads[i] = thread_start(run_loop, &loopers[i]);
	}
	for (i = 0; i < 2; ) {
		pthread_kill(threads[0], SIGUSR1);
		pthread_kill(threads[1], SIGUSR1);
		let_pass(1000);
		i += __atomic_load_n(&loopers[i].done, __ATOMIC_SEQ_CST);
	}
	thread_join(threads[0]);
	thread_join(threads[1]);
}

/* ---- without ---------------------------------------------------------------------------- */

/* Any #VC would be counted, and its exit would not be user space's or KVM's. */
static void test_kvm_serves_it(void)
{
	struct guest guest = launched(1, 0);
	struct kvm_regs regs = regs_for(&guest, 0);

	run_row(&guest, CPUID, &regs);
	CHECK(regs_of(&guest).rbx != 0x1111, "CPUID has not been served");
	run_row(&guest, VMMCALL, &regs);
	run_row(&guest, RDMSR_EFER, &regs);
	CHECK_EQ(regs_of(&guest).rax & EFER_LME_LMA, EFER_LME_LMA);
	CHECK_EQ(guest.record->count, 0);
	regs.rip = PLACE(OUT);
	start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_OTHER);
	CHECK_EQ(guest.vcpu->run->exit_reason, KVM_EXIT_IO);
	must_stop(&guest);
	regs.rip = PLACE(MMIO_READ);
	regs.rsi = NOWHERE;
	start(&guest, &regs);
	CHECK_EQ(vcpu_run(guest.vcpu), EXIT_MMIO);
	must_stop(&guest);
	CHECK_EQ(guest.record->count, 0);
}

int main(void)
{
	static const struct tap_test served[] = { TAP_TEST(test_kvm_serves_it) };
	static const struct tap_test reflected[] = {
		TAP_TEST(test_each_instruction),
		TAP_TEST(test_with_a_c_bit),
		TAP_TEST(test_what_is_not),
		TAP_TEST(test_stacks_are_aligned),
		TAP_TEST(test_flags),
		TAP_TEST(test_single_step),
		TAP_TEST(test_shadow_of_sti),
		TAP_TEST(test_stack_of_the_tss),
		TAP_TEST(test_from_users),
		TAP_TEST(test_32_bits),
		TAP_TEST(test_no_handler),
		TAP_TEST(test_no_stack),
		TAP_TEST(test_a_stack_that_is_no_memory),
		TAP_TEST(test_the_wrong_bit),
		TAP_TEST(test_interrupt_first),
		TAP_TEST(test_two_vcpus_beside_nmis),
	};

	if (!reflects())
		return tap_main(served, ARRAY_SIZE(served));
	return tap_main(reflected, ARRAY_SIZE(reflected));
}
