/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the firmware has what: guest-physical addresses, mapped one to one. All of it is
 * below the hole at 0xa0000, and in sections that its metadata names. Read by C, by
 * the assembler and by the linker.
 */
#ifndef GMEM_SELFTESTS_FIRMWARE_LAYOUT_H
#define GMEM_SELFTESTS_FIRMWARE_LAYOUT_H

/*
 * The image: the last 64 KiB below 4 GiB. Its first instruction is 16 bytes from its end, before
 * that is what a VMM looks for; what runs until there is memory in the page before.
 */
#define IMAGE		0xffff0000
#define IMAGE_SIZE	0x10000
#define EARLY		(IMAGE + IMAGE_SIZE - 0x1000)
#define GUIDS_SIZE	62

/* The rest of the image is copied there and runs there. */
#define PROGRAM		0x50000
#define PROGRAM_SIZE	(IMAGE_SIZE - 0x1000)

/* Code that other processors begin with is copied there. The page's number is their vector. */
#define TRAMPOLINE	0x8000

/* Page tables: one of level 4, one of level 3, four of level 2. */
#define TABLES		0x10000
#define TABLES_SIZE	0x6000

/* The variables of C code, zero at first. */
#define DATA		0x18000
#define DATA_SIZE	0x8000

/* A stack for each processor, the first one's first; they grow downwards. */
#define STACKS		0x20000
#define STACK_SIZE	0x2000
#define MAX_CPUS	16

/* What a launch puts into memory beside the image, a page each. */
#define SECRETS		0x40000
#define CPUID_TABLE	0x41000

#endif /* GMEM_SELFTESTS_FIRMWARE_LAYOUT_H */
