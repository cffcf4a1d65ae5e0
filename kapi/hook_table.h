/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is taken over for which feature, and which calls of it are sent to us: the table
 * that takeover.c goes by.
 */
#ifndef GMEM_KAPI_HOOK_TABLE_H
#define GMEM_KAPI_HOOK_TABLE_H

#include <linux/types.h>

#include "hooks.h"

struct ftrace_regs;

/* How a kernel binds memslots. */
enum gmem_binding {
	AT_ONCE = 1,
	IN_STEPS,
};

struct gmem_hook {
	/* Which features need it; bits of enum kapi_feature. */
	unsigned int features;
	/* Leaves calls to KVM by their arguments; NULL takes all. Any context. */
	bool (*wanted)(struct ftrace_regs *fregs);
	/*
	 * Functions of the same source file that call it. A compiler might have put a copy
	 * into them, which no hook sees. Calls from other files cannot be copies.
	 */
	const char *callers[2];
	/* Calls from the function that faults pages in are a fault's, and land elsewhere. */
	bool faults;
	/* We fill in what KVM throws at its guest. */
	bool throws;
	/* Its body must not run on a vCPU of ours: what ftrace has put there is looked at first. */
	bool needs_vcpu;
	/* Of a kernel that binds memslots so; 0: of all kernels that have it. */
	enum gmem_binding binding;
};

/*
 * Every function taken over. Those of guest_memfd are replaced, their bodies serve only
 * what the stock backend made; the others are wrapped.
 */
extern const struct gmem_hook gmem_hooks[KAPI_ENTRIES];

#endif /* GMEM_KAPI_HOOK_TABLE_H */
