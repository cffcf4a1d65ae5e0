// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests with handlers of #VC, see vc.h.
 */
#include "vc.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "snp.h"

#define PTE		0x67UL		/* present, writable, users', accessed, dirty */
#define PTE_LARGE	(1UL << 7)

/* %r15, %edi: the record. */
extern const unsigned char vc_blob_end[], vc_stub[], nmi_stub[], irq_stub[], db_stub[], df_stub[],
	np_stub[], gp_stub[], pf_stub[], vc_stub_32[];
asm(".pushsection .rodata\n"
	".globl vc_blob, vc_instructions, vc_loop, vc_in_shadow, vc_cpuid_32\n"
	"vc_blob:\n"
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
	"vc_loop:	cpuid\n"
	"	dec %r13\n"
	"	jnz vc_loop\n"
	"	hlt\n"
	/* The exception ends the shadow of STI. */
	"vc_in_shadow:	sti\n"
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
	"vc_cpuid_32:	cpuid\n"
	"	hlt\n"
	".code64\n"
	".balign 16\n"
	/* Each in 16 bytes, and then the guest stops. */
	"vc_instructions:\n"
	"vc_blob_end:\n"
	".popsection");

const struct vc_row vc_rows[] = {
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

const unsigned int vc_nr_rows = ARRAY_SIZE(vc_rows);

bool vc_reflects(void)
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
	memcpy(code, vc_blob, vc_blob_end - vc_blob);
	for (i = 0; i < vc_nr_rows; i++) {
		char *place = code + (vc_instructions - vc_blob) + 16 * i;

		memset(place, 0x90, 15);
		memcpy(place, vc_rows[i].bytes, vc_rows[i].length);
		place[15] = 0xf4;
	}
}

struct kvm_segment vc_segment(u64 selector, u64 type, u64 dpl)
{
	const bool is_code = type & 8;

	return (struct kvm_segment){ .selector = selector, .limit = ~0U, .type = type,
				     .present = 1, .s = 1, .dpl = dpl, .l = is_code,
				     .db = !is_code, .g = 1 };
}

void vc_set_mode(struct vc_guest *guest, u64 idt, unsigned int cpl, u64 bit)
{
	struct vcpu *vcpu = guest->vcpu;
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cr3 = PML4 | bit;
	sregs.cs = cpl ? vc_segment(USER_CODE, 0xb, 3) : vc_segment(CODE_SELECTOR, 0xb, 0);
	sregs.ss = cpl ? vc_segment(USER_DATA, 3, 3) : vc_segment(DATA_SELECTOR, 3, 0);
	sregs.idt = (struct kvm_dtable){ .base = idt, .limit = 16 * VECTORS - 1 };
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = 8 * 8 - 1 };
	sregs.tr.base = TSS + vcpu->id * 256;
	sregs.tr.limit = 0x67;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
}

void vc_choose(struct vc_guest *guest, unsigned int id)
{
	guest->vcpu = &guest->vm->vcpus[id];
	guest->record = guest->vm->agent + RECORD(id);
}

struct vc_guest vc_launched(unsigned int nr_vcpus, unsigned int c_bit)
{
	struct vc_guest guest = { .vm = snp_knowing_vm(nr_vcpus) };
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
		vc_choose(&guest, i);
		vc_set_mode(&guest, IDT, 0, bit);
	}
	return guest;
}

struct vc_guest vc_reflecting(unsigned int nr_vcpus, unsigned int c_bit)
{
	if (!vc_reflects())
		tap_skip("nothing is #VC without snp_guests=aware-vc");
	return vc_launched(nr_vcpus, c_bit);
}

struct kvm_regs vc_regs_for(struct vc_guest *guest, u64 rip)
{
	return (struct kvm_regs){ .rip = rip, .rflags = FLAGS_FIXED,
				  .rsp = STACK_TOP(guest->vcpu->id), .r15 = RECORD(guest->vcpu->id),
				  .rdi = RECORD(guest->vcpu->id) };
}

struct kvm_regs vc_regs_of(struct vc_guest *guest)
{
	struct kvm_regs regs;

	CHECK_OK(ioctl(guest->vcpu->fd, KVM_GET_REGS, &regs));
	return regs;
}

void vc_start(struct vc_guest *guest, const struct kvm_regs *regs)
{
	memset(guest->record, 0, sizeof(*guest->record));
	CHECK_OK(ioctl(guest->vcpu->fd, KVM_SET_REGS, regs));
}

void vc_must_stop(struct vc_guest *guest)
{
	CHECK_EQ(vcpu_run(guest->vcpu), EXIT_OTHER);
	CHECK_EQ(guest->vcpu->error, 0);
	CHECK_EQ(guest->vcpu->run->exit_reason, KVM_EXIT_HLT);
}

void vc_run_row(struct vc_guest *guest, unsigned int nr, struct kvm_regs *regs)
{
	const struct vc_row *row = &vc_rows[nr];

	regs->rip = PLACE(nr);
	regs->rax = row->rax;
	regs->rbx = 0x1111;
	regs->rcx = row->rcx;
	regs->rdx = row->rdx;
	if (row->rsi)
		regs->rsi = regs->rdi = row->rsi;
	vc_start(guest, regs);
	guest->record->skip = row->length;
	vc_must_stop(guest);
}

void vc_must_be_frame(struct vc_guest *guest, const struct kvm_regs *regs, u64 error, u64 at_rsp)
{
	const struct vc_record *record = guest->record;

	CHECK_EQ(record->other, 0);
	CHECK_EQ(record->count, 1);
	CHECK_EQ(record->error, error);
	CHECK_EQ(record->rip, regs->rip);
	CHECK_EQ(record->rflags, regs->rflags | FLAG_RESUME);
	CHECK_EQ(record->rsp, regs->rsp);
	CHECK_EQ(record->at_rsp, at_rsp);
	CHECK_EQ(record->at_cs, CODE_SELECTOR);
}

void vc_must_reflect(struct vc_guest *guest, unsigned int nr, struct kvm_regs *regs)
{
	vc_run_row(guest, nr, regs);
	vc_must_be_frame(guest, regs, vc_rows[nr].exit, (regs->rsp & ~15UL) - 48);
	CHECK_EQ(guest->record->cs, CODE_SELECTOR);
	CHECK_EQ(guest->record->ss, DATA_SELECTOR);
	CHECK_EQ(guest->record->at_ss, DATA_SELECTOR);
}
