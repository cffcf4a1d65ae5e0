/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A security module of a few instructions, for kernels that have bpf among theirs
 * (bpf.h). Each function fails the test if its program cannot be had.
 */
#ifndef SELFTESTS_BPF_LSM_H
#define SELFTESTS_BPF_LSM_H

#include "bpf.h"

/* Anonymous inodes of class @name, at most 15 characters, cannot be made: -EACCES. */
void bpf_lsm_deny_class(struct bpf_attached *attached, const char *name);

/*
 * Inodes whose number is @ino cannot be looked at by stat() and its kin: -EACCES. The
 * kernel does not ask about those that are private to it (S_PRIVATE).
 */
void bpf_lsm_deny_stat(struct bpf_attached *attached, unsigned long ino);

#endif
