/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching to KVM (kapi/takeover.c), the bodies of what is taken over
 * (kapi/stock.c), the proof that each hook fires (kapi/proof.c) and the count of
 * KVM's calls (kapi/calls.c): for each other, and for module init and exit. What is
 * taken over for which feature is in kapi/hook_table.h.
 */
#ifndef GMEM_KAPI_HOOKS_H
#define GMEM_KAPI_HOOKS_H

#include <linux/types.h>

#include "hooked.h"
#include "kapi.h"

struct dentry;

/* The kernel's own type of each function that is taken over. */
#define HOOKED_TYPE(entry, fn, ret, args) typedef ret fn##_proto args;
HOOKED(HOOKED_TYPE)

/*
 * Takes over what @wanted, bits of enum kapi_feature, needs; all of it or nothing, save
 * for holes and shared memory, which the module can go without. The log says what is
 * missing and why. Nothing of the module is called before the last step of this, which
 * cannot fail; and a load must not fail after it. Sleeps.
 */
int gmem_attach(unsigned int wanted);
/*
 * Gives the functions back and waits until no call is inside the module any more. Does
 * not return where the kernel cannot give them back: their text must stay. Sleeps.
 */
void gmem_detach(void);
/* Of the function that is taken over; NULL: none is for @entry. Once attached. */
const char *gmem_entry_name(enum kapi_entry entry);

/* ---- kapi/stock.c ----------------------------------------------------------------- */

/* What kapi_stock_*() of the entry calls from now on. Sleeps. */
void gmem_stock_set_body(enum kapi_entry entry, unsigned long addr);

/* ---- kapi/entries.c --------------------------------------------------------------- */

/* The function of ours that calls of the entry land in. */
unsigned long gmem_landing(enum kapi_entry entry);
/* The one that calls made for a guest's fault land in; 0: all calls are the same. */
unsigned long gmem_fault_landing(enum kapi_entry entry);

/* ---- kapi/proof.c ----------------------------------------------------------------- */

/*
 * Calls the entry's function at the address that gmem_stock_set_body() was given, with
 * arguments that its stock body does nothing with. -ENOMEM. Sleeps.
 */
int gmem_proof_call(enum kapi_entry entry);
/* Meanwhile: whether the call has come to us. */
bool gmem_came_here(enum kapi_entry entry);

/* ---- kapi/calls.c ----------------------------------------------------------------- */

/* How many calls are between enter and leave. */
long gmem_calls_inside(void);
void gmem_calls_debugfs(struct dentry *dir);

/* ---- kapi/pci_hole.c -------------------------------------------------------------- */

/* After detaching. */
void gmem_pci_hole_exit(void);

#endif /* GMEM_KAPI_HOOKS_H */
