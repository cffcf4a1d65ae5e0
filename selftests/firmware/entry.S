/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a processor's first instruction to C in 64-bit mode, everything mapped one to one in
 * pages of 2 MiB, and the program copied from the image to memory. The other processors come the
 * same way, over a trampoline below 1 MiB. What goes wrong from then on ends up in exception().
 */
#include "layout.h"

#define CR0_PE		0x1
#define CR0_PG		0x80000000
#define CR4_PAE		0x20
#define EFER		0xc0000080
#define EFER_LME	0x100
#define TABLE		0x3	/* present, writable */
#define LEAF		0x83	/* the same, and a page */
#define CODE32		0x08
#define CODE64		0x10
#define DATA_SEGMENT	0x18

	.section .reset, "ax"
	.code16
	jmp	start16
	.balign	16

	.section .early, "ax"
	.code16
start16:
	cli
	lgdtl	%cs:gdt_pointer - IMAGE
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	$CODE32, $first32

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* CODE32 */
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA_SEGMENT */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.code32
	/* Only the first processor makes the tables. */
first32:
	movw	$DATA_SEGMENT, %ax
	movw	%ax, %ds
	movw	%ax, %es
	cld
	xorl	%eax, %eax
	movl	$TABLES, %edi
	movl	$TABLES_SIZE / 4, %ecx
	rep stosl
	movl	$DATA, %edi
	movl	$DATA_SIZE / 4, %ecx
	rep stosl
	movl	$IMAGE, %esi
	movl	$PROGRAM, %edi
	movl	$PROGRAM_SIZE / 4, %ecx
	rep movsl
	movl	$TABLES + 0x1000 + TABLE, TABLES
	movl	$TABLES + 0x2000 + TABLE, %eax
	movl	$TABLES + 0x1000, %edi
	movl	$4, %ecx
1:	movl	%eax, (%edi)
	addl	$0x1000, %eax
	addl	$8, %edi
	loop	1b
	movl	$LEAF, %eax
	movl	$TABLES + 0x2000, %edi
	movl	$4 * 512, %ecx
1:	movl	%eax, (%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b
	movl	$first64, %esi
	jmp	long_mode

other32:
	movl	$other64, %esi

	/* To the 64-bit code at ESI. */
long_mode:
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$TABLES, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	ljmpl	$CODE64, $1f
	.code64
1:	movw	$DATA_SEGMENT, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	jmp	*%rsi

	.text
	/* What other processors begin with; it is copied to TRAMPOLINE. */
	.globl	trampoline, trampoline_end
	.code16
trampoline:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (trampoline_gdt - trampoline)
	movl	%cr0, %eax
	orb	$CR0_PE, %al
	movl	%eax, %cr0
	ljmpl	$CODE32, $other32
	.balign	4
trampoline_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:

	.code64
first64:
	movl	$STACKS + STACK_SIZE, %esp
	call	firmware
	ud2

other64:
	movl	$1, %edi
	lock xaddl %edi, processors(%rip)	/* 0: the first of the others */
	incl	%edi
	imull	$STACK_SIZE, %edi, %eax
	leal	STACKS + STACK_SIZE(%rax), %esp
	call	other_processor
	ud2

	/*
	 * A stub of eight bytes for each of the 32 exceptions, which pushes its number. Those with
	 * an error code are seen by the stack's alignment, which the processor takes care of.
	 */
	.globl	exception_stubs
	.balign	8
exception_stubs:
	number = 0
	.rept	32
	.balign	8
	pushq	$number
	jmp	1f
	number = number + 1
	.endr
1:	popq	%rdi
	movq	%rsp, %rax
	andl	$8, %eax	/* five words from an aligned stack: an odd number */
	xorl	$8, %eax
	movq	(%rsp, %rax), %rsi
	movq	%cr2, %rdx
	andq	$~15, %rsp
	call	exception
	ud2
