/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VMM looks for in the image: the table of GUIDs as OVMF has it, which is read from its
 * end, 32 bytes before that of the image, and the metadata that it points to: the
 * pages that an SNP launch adds beside the image.
 */
#include "layout.h"

/* A GUID as it lies in memory: its first three parts are little-endian numbers. */
.macro guid a, b, c, d, e, rest:vararg
	.long	\a
	.short	\b, \c
	.byte	\d, \e, \rest
.endm

/* Kinds of sections of SEV metadata. */
#define SECTION_MEMORY		1
#define SECTION_SECRETS		2
#define SECTION_CPUID		3

.macro section base, size, kind
	.long	\base, \size, \kind
.endm

	.section .metadata, "a"
	.balign	16
	.globl	metadata
metadata:
	.ascii	"ASEV"
	.long	metadata_end - metadata
	.long	1			/* version */
	.long	(metadata_end - sections) / 12
sections:
	section	TRAMPOLINE, 0x1000, SECTION_MEMORY
	section	TABLES, (STACKS + STACK_SIZE * MAX_CPUS - TABLES), SECTION_MEMORY
	section	PROGRAM, (PROGRAM_SIZE), SECTION_MEMORY
	section	SECRETS, 0x1000, SECTION_SECRETS
	section	CPUID_TABLE, 0x1000, SECTION_CPUID
metadata_end:

	/* Each entry's size and GUID come after what it holds; the size is all of it. */
	.section .guids, "a"
table:
	.long	metadata_from_end
	.short	22
	guid	0xdc886566, 0x984a, 0x4798, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc
	.long	trampoline_start	/* where SEV-ES starts other processors */
	.short	22
	guid	0x00f771de, 0x1a7e, 0x4fcb, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e
	.short	table_end - table
	guid	0x96b582de, 0x1fb2, 0x45f7, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d
table_end:
	.if	table_end - table - GUIDS_SIZE
	.error	"layout.h has another size"
	.endif

	.globl	trampoline_start
	trampoline_start = IMAGE + IMAGE_SIZE - 16
