// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on files with any values (fuzz.h). Two have simple rules, which are
 * checked: fallocate and conversion.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"
#include "gmem.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* As docs/semantics.md and the running kernel have it. */
static int fallocate_answer(u64 size, u32 mode, u64 offset, u64 len)
{
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return EOPNOTSUPP;
	if (mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) || !(mode & FALLOC_FL_KEEP_SIZE))
		return EOPNOTSUPP;
	if (offset % PAGE_SIZE || len % PAGE_SIZE)
		return EINVAL;
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && offset + len > size)
		return EINVAL;
	return 0;
}

void fuzz_fallocate(struct fuzz *f)
{
	const u32 modes[] = { FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE };
	int i = fuzz_any_file(f), ret, answer;
	u32 mode = MOSTLY(f, modes[rng_below(&f->rng, 2)]);
	u64 offset = MOSTLY(f, fuzz_pages(f, 64 * SZ_1M));
	u64 len = MOSTLY(f, fuzz_length(f, FUZZ_MAX_ALLOC));

	if (f->files[i] < 0)
		return;
	/* Only what would succeed is cut short. */
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && len > FUZZ_MAX_ALLOC && offset < f->sizes[i] &&
	    len <= f->sizes[i] - offset)
		len = FUZZ_MAX_ALLOC;
	answer = fallocate_answer(f->sizes[i], mode, offset, len);
	ret = fallocate(f->files[i], mode, offset, len);
	fuzz_note(f, "fallocate", ret);
	/* What the VFS itself refuses is refused in its own order. */
	if ((int64_t)offset < 0 || (int64_t)len <= 0 || (int64_t)(offset + len) < 0)
		CHECK(ret < 0, "fallocate %#x %#lx %#lx", mode, offset, len);
	else if (!answer)
		CHECK(!ret || errno == ENOMEM, "fallocate %#x %#lx %#lx of %#lx: %m", mode,
		      offset, len, f->sizes[i]);
	else
		CHECK(ret < 0 && (errno == answer || errno == EOPNOTSUPP || errno == EINVAL),
		      "fallocate %#x %#lx %#lx of %#lx: %d %m", mode, offset, len,
		      f->sizes[i], ret);
}

void fuzz_file_ioctl(struct fuzz *f)
{
	static const unsigned long known[] = {
		FIBMAP, FIGETBSZ, FIONREAD, FICLONE, FICLONERANGE, FIDEDUPERANGE, FS_IOC_FIEMAP,
		FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR,
		FIOCLEX, FIONCLEX,
	};
	/* FS_IOC_RESVSP, UNRESVSP, ZERO_RANGE: struct space_resv of <linux/falloc.h>. */
	static const unsigned long space[] = { 0x40305828, 0x4030582a, 0x40305839 };
	struct space {
		int16_t type, whence;
		int64_t start, len;
		int32_t sysid;
		u32 pid;
		int32_t pad[4];
	} resv = {
		.start = MOSTLY(f, fuzz_pages(f, SZ_2M)),
		.len = MOSTLY(f, fuzz_pages(f, SZ_2M)),
	};
	u64 buffer[64];
	int fd = f->files[fuzz_any_file(f)];

	if (rng_once_in(&f->rng, 3)) {
		resv.len = resv.len > (int64_t)FUZZ_MAX_ALLOC ? (int64_t)FUZZ_MAX_ALLOC : resv.len;
		fuzz_note(f, "space ioctl", ioctl(fd, space[rng_below(&f->rng, 3)],
						  fuzz_pointer(f, &resv)));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(buffer); i++)
		buffer[i] = fuzz_any(f);
	fuzz_note(f, "file ioctl", ioctl(fd, rng_once_in(&f->rng, 4) ? fuzz_any(f) :
					 known[rng_below(&f->rng, ARRAY_SIZE(known))],
					 fuzz_pointer(f, buffer)));
}

/* Files are seen, changed and forgotten through it; what is there is a signal or zero. */
void fuzz_mmap(struct fuzz *f)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
	static const int advice[] = {
		MADV_DONTNEED, MADV_REMOVE, MADV_COLLAPSE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_WILLNEED,
	};
	int i = fuzz_any_file(f), kind = flags[rng_below(&f->rng, 3)], prot = rng_below(&f->rng, 8);
	int advise = advice[rng_below(&f->rng, ARRAY_SIZE(advice))];
	u64 len = MOSTLY(f, PAGE_SIZE + fuzz_pages(f, SZ_2M));
	u64 offset = MOSTLY(f, fuzz_pages(f, SZ_2M));
	void *p = mmap(NULL, len, prot, kind, f->files[i], offset);
	u64 span = len < SZ_2M ? (len + PAGE_SIZE - 1) & -PAGE_SIZE : SZ_2M, value;

	fuzz_note(f, "mmap", p == MAP_FAILED ? -1 : 0);
	if (p == MAP_FAILED)
		return;
	CHECK(f->flags[i] & GUEST_MEMFD_FLAG_MMAP && kind != MAP_PRIVATE,
	      "a file with flags %#lx mapped with %#x", f->flags[i], kind);
	for (int n = 0; n < 4; n++) {
		char *at = (char *)p + rng_below(&f->rng, span / 8) * 8;

		if (!mem_read(at, &value))
			CHECK(offset + (at - (char *)p) < f->sizes[i], "read past the end");
		mem_write(at, value);
	}
	if (rng_once_in(&f->rng, 2))
		fuzz_note(f, "madvise", madvise(p, span, advise));
	fuzz_note(f, "munmap", munmap(p, len));
}

/* What KVM_SET_MEMORY_ATTRIBUTES2 refuses is refused, and it refuses nothing else. */
void fuzz_convert(struct fuzz *f)
{
	struct kvm_memory_attributes2 args = {
		.offset = MOSTLY(f, fuzz_pages(f, 64 * SZ_1M)),
		.size = MOSTLY(f, fuzz_length(f, FUZZ_MAX_ALLOC)),
		.attributes = MOSTLY(f, rng_below(&f->rng, 2) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0),
		.flags = rng_once_in(&f->rng, 16) ? fuzz_any(f) : 0,
	};
	const u64 most = f->wide ? FUZZ_MAX_WIDE : FUZZ_MAX_ATTRIBUTES;
	int i = fuzz_any_file(f), ret;
	void *arg = fuzz_pointer(f, &args);
	bool valid;

	if (f->files[i] < 0)
		return;
	if (rng_once_in(&f->rng, 16))
		args.reserved[rng_below(&f->rng, 11)] = fuzz_any(f);
	/* Each 2 MiB of a file without memory has a record from then on. */
	if (args.size % PAGE_SIZE == 0 && args.size > most &&
	    args.offset + args.size <= f->sizes[i] && args.offset + args.size > args.offset)
		args.size = most;
	valid = args.size && !((args.size | args.offset) % PAGE_SIZE) &&
		args.offset + args.size > args.offset &&
		args.offset + args.size <= f->sizes[i] &&
		!(args.attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) && !args.flags &&
		f->types[i] == KVM_X86_SW_PROTECTED_VM;
	for (size_t n = 0; n < ARRAY_SIZE(args.reserved); n++)
		valid = valid && !args.reserved[n];
	ret = ioctl(f->files[i], KVM_SET_MEMORY_ATTRIBUTES2, arg);
	fuzz_note(f, "convert", ret);
	if (!(f->flags[i] & GUEST_MEMFD_FLAG_MMAP))
		CHECK(ret < 0 && (errno == ENOTTY || errno == EFAULT ||
				  (!valid && errno == EINVAL)),
		      "a file without mmap: %d %m", ret);
	else if (arg != &args) /* Where by chance there is something, it is no request. */
		CHECK(ret < 0 && (errno == EFAULT || errno == EINVAL), "no argument: %d %m", ret);
	else if (valid)
		CHECK(!ret || errno == ENOMEM, "convert %#llx %#llx of %#lx: %m", args.offset,
		      args.size, f->sizes[i]);
	else
		CHECK(ret < 0 && errno == EINVAL, "convert %#llx %#llx of %#lx: %d %m", args.offset,
		      args.size, f->sizes[i], ret);
}

void fuzz_file(struct fuzz *f)
{
	int i = fuzz_any_file(f), fd = f->files[i];
	static char buffer[8192];
	struct iovec iov = { .iov_base = fuzz_pointer(f, buffer), .iov_len = sizeof(buffer) };
	u64 offset = fuzz_any(f), len = MOSTLY(f, rng_below(&f->rng, sizeof(buffer)));
	char path[64];
	struct statx stx;
	off_t at = offset;
	int other;

	switch (rng_below(&f->rng, 18)) {
	case 0:
		return fuzz_note(f, "read", read(fd, buffer, len % sizeof(buffer)));
	case 1:
		return fuzz_note(f, "write", write(fd, buffer, len % sizeof(buffer)));
	case 2:
		return fuzz_note(f, "preadv", preadv(fd, &iov, 1, offset));
	case 3:
		return fuzz_note(f, "pwritev", pwritev(fd, &iov, 1, offset));
	case 4:
		return fuzz_note(f, "lseek", lseek(fd, offset, rng_below(&f->rng, 8)) < 0 ? -1 : 0);
	case 5:
		return fuzz_note(f, "ftruncate", ftruncate(fd, MOSTLY(f, f->sizes[i] / 2)));
	case 6:
		return fuzz_note(f, "fsync", rng_once_in(&f->rng, 2) ? fsync(fd) : fdatasync(fd));
	case 7:
		return fuzz_note(f, "statx",
				 statx(fd, "", AT_EMPTY_PATH, fuzz_any(f) & 0x7fffffff, &stx));
	case 8:
		return fuzz_note(f, "fchmod", fchmod(fd, fuzz_any(f)));
	case 9:
		return fuzz_note(f, "fchown", fchown(fd, fuzz_any(f), fuzz_any(f)));
	case 10:
		errno = posix_fadvise(fd, offset, len, rng_below(&f->rng, 8));
		return fuzz_note(f, "fadvise", errno ? -1 : 0);
	case 11:
		return fuzz_note(f, "readahead", readahead(fd, offset, len));
	case 12:
		return fuzz_note(f, "sync_file_range",
				 sync_file_range(fd, offset, len, rng_below(&f->rng, 8)));
	case 13:
		return fuzz_note(f, "sendfile", sendfile(f->others[0], fd, &at, len % SZ_1M));
	case 14:
		return fuzz_note(f, "copy_file_range",
				 copy_file_range(fd, NULL, fuzz_any_fd(f), NULL, len % SZ_1M, 0));
	case 15:
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		other = open(path, rng_below(&f->rng, 4) | O_NONBLOCK | O_CLOEXEC);
		CHECK(other < 0 || fd < 0, "a guest_memfd was opened anew");
		return fuzz_note(f, "open", other);
	case 16:
		return fuzz_note(f, "fcntl", fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		other = open(path, O_RDONLY | O_CLOEXEC);
		fuzz_note(f, "fdinfo", other < 0 ? -1 : read(other, buffer, sizeof(buffer)));
		if (other >= 0)
			close(other);
	}
}
