/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random and boundary values for calls, and the calls on files that are made with
 * them (fuzz_files.c). Those on VMs are in ioctl_fuzz_test.c.
 */
#ifndef SELFTESTS_FUZZ_H
#define SELFTESTS_FUZZ_H

#include "rng.h"
#include "vm.h"

#define FUZZ_FILES		24
#define FUZZ_VMS		3
/* Where the fuzzer's memslots mostly are. */
#define FUZZ_GPA		(4 * SZ_1G)
#define FUZZ_SIZE		(256 * SZ_1M)
/* What one valid call may spend; invalid ones ask for anything. */
#define FUZZ_MAX_ALLOC		(4 * SZ_1M)
#define FUZZ_MAX_ATTRIBUTES	(32 * SZ_1M)
/* Of wide ranges that cost memory for each page, or run; others are of any size. */
#define FUZZ_MAX_WIDE		(64 * SZ_1G)

struct fuzz {
	struct rng rng;
	/* The first has the live guest and stays; then one like it, one default VM. */
	struct vm *vms[FUZZ_VMS];
	int files[FUZZ_FILES];
	u64 sizes[FUZZ_FILES], flags[FUZZ_FILES];
	unsigned long types[FUZZ_FILES];	/* of their VMs */
	int others[4];		/* descriptors of something else */
	void *hva;
	bool wide;		/* a share of the ranges is of any size */
	unsigned long ok, refused;
};

/* A number that some check somewhere compares with. */
u64 fuzz_any(struct fuzz *f);
/* Pages up to @max bytes, seldom none. */
u64 fuzz_pages(struct fuzz *f, u64 max);
/* The length of a range: pages up to @max bytes, or sometimes any power of two. */
u64 fuzz_length(struct fuzz *f, u64 max);
/* A fitting value mostly, else any. */
#define MOSTLY(f, value) (rng_once_in(&(f)->rng, 8) ? fuzz_any(f) : (u64)(value))

u64 fuzz_gpa(struct fuzz *f);
/* Of @f's files, which may be closed. */
int fuzz_any_file(struct fuzz *f);
/* A descriptor: of ours mostly, of something else, of nothing. */
int fuzz_any_fd(struct fuzz *f);
/* A call's argument in user memory: @arg mostly. */
void *fuzz_pointer(struct fuzz *f, void *arg);
/* Require that a call's error is one that user space may see; counts it. */
void fuzz_note(struct fuzz *f, const char *what, long ret);
void fuzz_forget_file(struct fuzz *f, int i);

/* One call each, or a few, on any file. */
void fuzz_fallocate(struct fuzz *f);
void fuzz_file_ioctl(struct fuzz *f);
void fuzz_mmap(struct fuzz *f);
void fuzz_convert(struct fuzz *f);
void fuzz_file(struct fuzz *f);

#endif
