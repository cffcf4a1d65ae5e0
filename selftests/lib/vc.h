/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that knows that it is SNP's, and what #VC finds there: tables, stacks, code and handlers
 * of its own, all of them private, and a record of the exceptions that came. With
 * snp_guests=aware-vc what hardware would not do for such a guest is an exception to it.
 */
#ifndef SELFTESTS_VC_H
#define SELFTESTS_VC_H

#include "vm.h"

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

/* Of one vCPU. */
struct vc_record {
	u64 count, skip;	/* #VCs so far; how long the instruction is */
	u64 error, rip, cs, rflags, rsp, ss;	/* the last one's frame */
	u64 at_rsp, at_rflags, at_cs, at_ss;	/* of its handler */
	u64 other, other_error, other_rip;	/* any other exception, at which the guest stops */
	u64 nmis, irqs;
	u64 stop;		/* the handler stops, too */
};

/* Code of the guest's: #VC without end, in the shadow of STI, and in 32 bits. */
extern const unsigned char vc_blob[], vc_instructions[], vc_loop[], vc_in_shadow[], vc_cpuid_32[];

#define PLACE_OF(label) (CODE + ((label) - vc_blob))

/* An instruction, its operands, and the exit that it makes; 0: none that is #VC. */
struct vc_row {
	const char *name;
	unsigned char bytes[8], length;
	u64 exit;
	u64 rax, rcx, rdx;
	u64 rsi;		/* and RDI */
};

extern const struct vc_row vc_rows[];
extern const unsigned int vc_nr_rows;

/* Of the rows; and where one is, behind which the guest stops. */
enum { CPUID = 0, OUT = 1, VMMCALL = 8, MMIO_READ = 14, RDMSR_EFER = 16 };

#define PLACE(nr) (PLACE_OF(vc_instructions) + 16 * (nr))

struct vc_guest {
	struct vm *vm;
	struct vcpu *vcpu;
	struct vc_record *record;
};

/* Whether the module is loaded with snp_guests=aware-vc. */
bool vc_reflects(void);

/* One that has been launched, in 64-bit mode with the IDT; @c_bit is where it has one, or 0. */
struct vc_guest vc_launched(unsigned int nr_vcpus, unsigned int c_bit);
/* The same; skips the test where nothing is #VC. */
struct vc_guest vc_reflecting(unsigned int nr_vcpus, unsigned int c_bit);
/* What follows is about this vCPU. */
void vc_choose(struct vc_guest *guest, unsigned int id);
struct kvm_segment vc_segment(u64 selector, u64 type, u64 dpl);
/* In 64-bit mode at @cpl, with the IDT at @idt. */
void vc_set_mode(struct vc_guest *guest, u64 idt, unsigned int cpl, u64 bit);

/* What code of the guest's needs; what the vCPU has now. */
struct kvm_regs vc_regs_for(struct vc_guest *guest, u64 rip);
struct kvm_regs vc_regs_of(struct vc_guest *guest);
/* The vCPU is to have these registers, and its record is empty. */
void vc_start(struct vc_guest *guest, const struct kvm_regs *regs);
/* It runs to where the guest stops; the same from an instruction of the rows on. */
void vc_must_stop(struct vc_guest *guest);
void vc_run_row(struct vc_guest *guest, unsigned int nr, struct kvm_regs *regs);
/* There was one #VC, with these registers, whose handler found its stack so. */
void vc_must_be_frame(struct vc_guest *guest, const struct kvm_regs *regs, u64 error, u64 at_rsp);
/* The instruction is run, and is #VC to the kernel on its own stack. */
void vc_must_reflect(struct vc_guest *guest, unsigned int nr, struct kvm_regs *regs);

#endif
