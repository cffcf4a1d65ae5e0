/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host and the guest agent agree on: the layout of the agent's
 * memory, the commands, the pattern. Included by both, so freestanding.
 */
#ifndef SELFTESTS_GUEST_ABI_H
#define SELFTESTS_GUEST_ABI_H

#include <linux/types.h>

/*
 * The agent lives in one ordinary (shared) memslot at the bottom of guest
 * physical memory, identity mapped like everything else. A test has all gpas
 * from AGENT_SIZE to IDENTITY_GIB for itself.
 */
#define AGENT_SLOT	0
#define AGENT_GPA	0UL
#define AGENT_SIZE	(2UL << 20)
#define AGENT_CODE	0x10000UL	/* guest.lds links the blob here */
#define AGENT_PML4	0x20000UL
#define AGENT_PDPT	0x21000UL
#define AGENT_MAILBOX(id)	(0x40000UL + 0x4000UL * (id))
#define AGENT_STACK_TOP(id)	(AGENT_MAILBOX(id) + 0x4000UL)
#define AGENT_MAX_VCPUS	64

/* Identity mapped, in pages of 1 GiB, 512 to a table. */
#define IDENTITY_GIB	2048UL

/* The agent writes a byte here when a command is complete. */
#define AGENT_PORT	0xf4

enum guest_op {
	GUEST_READ,	/* result = width bytes at gpa */
	GUEST_WRITE,	/* width bytes at gpa = arg */
	GUEST_FILL,	/* [gpa, gpa + len) = pattern of seed arg */
	GUEST_CHECK,	/* result = first gpa that differs from it, or ~0 */
	GUEST_TOUCH,	/* width bytes every stride, len times; see below */
	GUEST_COPY,	/* len bytes from arg to gpa, in units of width */
	GUEST_CALL,	/* result = the function at gpa, called with arg */
	GUEST_HYPERCALL,	/* result = call gpa(arg, len, stride) */
	GUEST_ATOMIC,	/* result = fetch and add arg, width bytes */
};

/* GUEST_TOUCH writes arg when set, else reads and combines what it read. */
#define TOUCH_WRITE	1

/* The largest GUEST_COPY width is a vector's. */
#define COPY_VECTOR	16

struct mailbox {
	__u32 op;
	__u32 width;
	__u32 flags;
	/* Which instruction calls the hypervisor on this machine. */
	__u32 use_vmcall;
	__u64 gpa;
	__u64 len;
	__u64 stride;
	__u64 arg;
	/* From the agent. */
	__u64 result;
	__u64 all_and;	/* GUEST_TOUCH: of all values read */
	__u64 all_or;
	__u64 ticks;	/* TSC ticks that the command took */
	/* For GUEST_COPY from and to the host. */
	__u8 data[3072] __attribute__((aligned(16)));
};

/*
 * The 8 bytes of the pattern at @gpa: no two places or seeds alike, never 0,
 * so neither a page from elsewhere nor a fresh one passes for it.
 */
static inline __u64 pattern_word(__u64 gpa, __u64 seed)
{
	__u64 x = gpa ^ (seed * 0x9e3779b97f4a7c15ULL);

	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	return x | 1;
}

#endif
