/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attaching to KVM (kapi/takeover.c) and counting its calls (kapi/calls.c), for
 * module init and exit.
 */
#ifndef GMEM_KAPI_HOOKS_H
#define GMEM_KAPI_HOOKS_H

#include <linux/types.h>

#include "kapi.h"

struct dentry;

/*
 * Takes over KVM's functions: all, or with @stock_backend only those that make
 * software-protected VMs work. All or nothing, save for what is optional, which is
 * left alone without @extensions; the log names what is missing.
 */
int gmem_attach(bool stock_backend, bool extensions);
/* Gives them back and waits until no call is inside the module any more. */
void gmem_detach(void);
const char *gmem_entry_name(enum kapi_entry entry);

/* How many calls are between enter and leave. */
long gmem_calls_inside(void);
void gmem_calls_debugfs(struct dentry *dir);

/* kapi/pci_hole.c: after detaching. */
void gmem_pci_hole_exit(void);

#endif /* GMEM_KAPI_HOOKS_H */
