// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and boundary values (fuzz.h).
 */
#include <errno.h>
#include <unistd.h>

#include "fuzz.h"

u64 fuzz_any(struct fuzz *f)
{
	static const u64 edges[] = {
		0, 1, 2, 7, 8, 4095, 4096, 4097, 8192, SZ_2M - 4096, SZ_2M - 1, SZ_2M,
		SZ_2M + 1, SZ_2M + 4096, SZ_1G, 1ULL << 31, 1ULL << 32, 1ULL << 40,
		1ULL << 43, 1ULL << 44, 1ULL << 47, 1ULL << 48, 1ULL << 51, 1ULL << 52,
		1ULL << 62, 1ULL << 63, (1ULL << 63) - 4096, (1ULL << 63) - 1, ~0ULL,
		~0ULL - 4095, ~0ULL - 8191, 0xffffffff, 0x7fffffff, FUZZ_GPA,
	};
	u64 value = edges[rng_below(&f->rng, ARRAY_SIZE(edges))];

	switch (rng_below(&f->rng, 6)) {
	case 0:
		return rng_next(&f->rng);
	case 1:
		return rng_next(&f->rng) >> rng_below(&f->rng, 64);
	case 2:
		return (value + rng_next(&f->rng) % 5 - 2) & ~4095ULL;
	case 3:
		return 1ULL << rng_below(&f->rng, 64);
	default:
		return value;
	}
}

u64 fuzz_pages(struct fuzz *f, u64 max)
{
	return rng_below(&f->rng, max / PAGE_SIZE + 1) * PAGE_SIZE;
}

u64 fuzz_length(struct fuzz *f, u64 max)
{
	if (f->wide && rng_once_in(&f->rng, 4))
		return PAGE_SIZE << rng_below(&f->rng, 52);
	return fuzz_pages(f, max);
}

u64 fuzz_gpa(struct fuzz *f)
{
	u64 align = rng_once_in(&f->rng, 2) ? SZ_2M : PAGE_SIZE;

	return MOSTLY(f, FUZZ_GPA + (fuzz_pages(f, FUZZ_SIZE) & -align));
}

int fuzz_any_file(struct fuzz *f)
{
	return rng_below(&f->rng, FUZZ_FILES);
}

int fuzz_any_fd(struct fuzz *f)
{
	switch (rng_below(&f->rng, 16)) {
	case 0:
		return fuzz_any(f);
	case 1:
		return f->others[rng_below(&f->rng, ARRAY_SIZE(f->others))];
	case 2:
		return f->vms[rng_below(&f->rng, FUZZ_VMS)]->fd;
	default:
		return f->files[fuzz_any_file(f)];
	}
}

void *fuzz_pointer(struct fuzz *f, void *arg)
{
	if (!rng_once_in(&f->rng, 64))
		return arg;
	return rng_once_in(&f->rng, 2) ? NULL : (void *)fuzz_any(f);
}

void fuzz_note(struct fuzz *f, const char *what, long ret)
{
	static const int usual[] = {
		EINVAL, EBADF, EFAULT, EEXIST, EOPNOTSUPP, ENOTTY, EFBIG, ESPIPE, ENODEV,
		ENXIO, EPERM, EACCES, ENOENT, ENOMEM, EAGAIN, EINTR, ENOSYS, EBUSY, E2BIG,
		EXDEV, EOVERFLOW, ENODATA, ENOTDIR, EISDIR, ENOSPC, ELOOP, EPIPE, ETXTBSY,
		EROFS, ENOTEMPTY,
	};
	const int err = errno;

	if (ret >= 0) {
		f->ok++;
		return;
	}
	f->refused++;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (err == usual[i])
			return;
	FAIL("%s: errno %d", what, err);
}

void fuzz_forget_file(struct fuzz *f, int i)
{
	if (f->files[i] >= 0)
		close(f->files[i]);
	f->files[i] = -1;
}
