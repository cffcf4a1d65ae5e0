/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF programs on functions of the kernel, over libbpf's system calls. They go when
 * the process ends.
 */
#ifndef SELFTESTS_BPF_H
#define SELFTESTS_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* A program attached to a function; zero: nothing. */
struct bpf_attached {
	int prog, link;
	int calls; /* the map of bpf_count_calls(), else 0 */
};

/*
 * Attaches the @len instructions at @code to @function of the kernel or of a module
 * whose BTF the kernel has. @type and @how are BPF_PROG_TYPE_TRACING and BPF_TRACE_FENTRY,
 * BPF_TRACE_FEXIT or BPF_MODIFY_RETURN; or BPF_PROG_TYPE_LSM and BPF_LSM_MAC, on the
 * function bpf_lsm_HOOK. 0, or:
 *
 *   -ENOENT  the BTF has no such function
 *   -EINVAL  the kernel does not allow such a program there
 *   or another error of bpf(2)
 */
int bpf_attach(struct bpf_attached *attached, const char *function, enum bpf_prog_type type,
	       enum bpf_attach_type how, const struct bpf_insn *code, size_t len);

/* The same of a program of type BPF_PROG_TYPE_TRACING that counts calls, and lets them be. */
int bpf_count_calls(struct bpf_attached *attached, const char *function,
		    enum bpf_attach_type how);
/* How many it has counted. */
uint64_t bpf_calls(const struct bpf_attached *attached);

/* Nothing happens where nothing is attached. */
void bpf_detach(struct bpf_attached *attached);

#endif
