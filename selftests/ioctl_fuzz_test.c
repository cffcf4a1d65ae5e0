// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and boundary values in every field of every call that gmem serves, valid
 * ones among them, while a guest runs. Two calls have simple rules, which are
 * checked (create, fallocate); of the others, that the error is one of user
 * space's. Afterwards the VM works, and (tap_main) memory has not grown.
 *   ioctl_fuzz_test [-n CALLS]
 * SEED=N repeats a run's calls.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "rng.h"
#include "vm.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define DEFAULT_CALLS	20000
/* Files and VMs start afresh this often, and when memory is short. */
#define EPOCH		4000
#define MAX_FILES	24
#define NR_VMS		3
#define NR_SLOTS	12	/* fuzzed ids are FIRST_SLOT on */
#define FIRST_SLOT	2
#define MIN_FREE	(SZ_1G)

/* What one valid call may spend; invalid ones ask for anything. */
#define MAX_ALLOC	(4 * SZ_1M)
#define MAX_PREFAULT	(4 * SZ_1M)
#define MAX_ATTRIBUTES	(32 * SZ_1M)
#define MAX_SLOT	(64 * SZ_1G)

/* User addresses where slots' memory is, or where there is nothing at all. */
#define PLAY_HVA	(64 * SZ_1G + SZ_1G)
#define NO_HVA		(1ULL << 40)
#define END_OF_NO_HVA	(1ULL << 46)

/* The live guest's own memory; where the fuzzer plays. */
#define HOME_SIZE	SZ_2M
#define PLAY_GPA	(4 * SZ_1G)
#define PLAY_SIZE	(256 * SZ_1M)
/*
 * Where no guest met MMIO before: KVM of 6.12 takes a fault on an old MMIO entry
 * for a shared one, and with a private slot there now, fails it (-EFAULT).
 */
#define AFTER_GPA	(TEST_GPA + 512 * SZ_1M)

enum { VCPU_HOME, VCPU_PLAY, VCPU_PREFAULT, NR_VCPUS };

static unsigned long nr_calls = DEFAULT_CALLS;
static uint64_t seed;

struct fuzz {
	struct rng rng;
	/* The first has the live guest and stays; then one like it, one default VM. */
	struct vm *vms[NR_VMS];
	int files[MAX_FILES];
	u64 sizes[MAX_FILES], flags[MAX_FILES];
	unsigned long types[MAX_FILES];	/* of their VMs */
	int others[4];		/* descriptors of something else */
	void *hva;
	unsigned long ok, refused;
};

static bool stop;

static bool stopping(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* A number that some check somewhere compares with. */
static u64 any(struct fuzz *f)
{
	static const u64 edges[] = {
		0, 1, 2, 7, 8, 4095, 4096, 4097, 8192, SZ_2M - 4096, SZ_2M - 1, SZ_2M,
		SZ_2M + 1, SZ_2M + 4096, SZ_1G, 1ULL << 31, 1ULL << 32, 1ULL << 40,
		1ULL << 43, 1ULL << 44, 1ULL << 47, 1ULL << 48, 1ULL << 51, 1ULL << 52,
		1ULL << 62, 1ULL << 63, (1ULL << 63) - 4096, (1ULL << 63) - 1, ~0ULL,
		~0ULL - 4095, ~0ULL - 8191, 0xffffffff, 0x7fffffff, PLAY_GPA,
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

/* Pages up to @max bytes, seldom none. */
static u64 small(struct fuzz *f, u64 max)
{
	return rng_below(&f->rng, max / PAGE_SIZE + 1) * PAGE_SIZE;
}

/* A fitting value mostly, else any. */
#define MOSTLY(f, value) (rng_once_in(&(f)->rng, 8) ? any(f) : (u64)(value))

static u64 any_gpa(struct fuzz *f)
{
	u64 align = rng_once_in(&f->rng, 2) ? SZ_2M : PAGE_SIZE;

	return MOSTLY(f, PLAY_GPA + (small(f, PLAY_SIZE) & -align));
}

static int any_file(struct fuzz *f)
{
	return rng_below(&f->rng, MAX_FILES);
}

/* A descriptor: of ours mostly, of something else, of nothing. */
static int any_fd(struct fuzz *f)
{
	switch (rng_below(&f->rng, 16)) {
	case 0:
		return any(f);
	case 1:
		return f->others[rng_below(&f->rng, ARRAY_SIZE(f->others))];
	case 2:
		return f->vms[rng_below(&f->rng, NR_VMS)]->fd;
	default:
		return f->files[any_file(f)];
	}
}

/* A call's argument in user memory: @arg mostly. */
static void *any_pointer(struct fuzz *f, void *arg)
{
	if (!rng_once_in(&f->rng, 64))
		return arg;
	return rng_once_in(&f->rng, 2) ? NULL : (void *)any(f);
}

/* Only what user space may see, and nothing that is a mistake of ours. */
static void note(struct fuzz *f, const char *what, long ret)
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

static void forget_file(struct fuzz *f, int i)
{
	if (f->files[i] >= 0)
		close(f->files[i]);
	f->files[i] = -1;
}

static void fuzz_create(struct fuzz *f)
{
	struct kvm_create_guest_memfd args = {
		.size = MOSTLY(f, small(f, 64 * SZ_1M)),
		.flags = MOSTLY(f, rng_below(&f->rng, 4)),
	};
	int vm = rng_below(&f->rng, NR_VMS), i = any_file(f), fd, known;
	void *arg = any_pointer(f, &args);
	bool valid;

	if (rng_once_in(&f->rng, 16))
		args.reserved[rng_below(&f->rng, 6)] = any(f);
	known = vm_check(f->vms[vm], KVM_CAP_GUEST_MEMFD_FLAGS);
	valid = arg == &args && args.size && args.size % PAGE_SIZE == 0 &&
		!(args.size >> 63) && !(args.flags & ~(u64)(known > 0 ? known : 0));
	fd = ioctl(f->vms[vm]->fd, KVM_CREATE_GUEST_MEMFD, arg);
	note(f, "create", fd);
	if (fd >= 0) {
		struct stat st;

		CHECK(valid, "created with size %#llx flags %#llx", args.size, args.flags);
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_size, args.size);
		CHECK_EQ(st.st_blocks, 0);
		forget_file(f, i);
		f->files[i] = fd;
		f->sizes[i] = args.size;
		f->flags[i] = args.flags;
		f->types[i] = f->vms[vm]->type;
	} else if (valid) {
		CHECK(errno == ENOMEM, "create of %#llx: %m", args.size);
	} else if (arg == &args) {
		CHECK(errno == EINVAL, "bad create of %#llx: %m", args.size);
	}
}

static void fuzz_region(struct fuzz *f)
{
	struct kvm_userspace_memory_region2 args = {
		.slot = FIRST_SLOT + rng_below(&f->rng, NR_SLOTS),
		.flags = MOSTLY(f, rng_below(&f->rng, 4) ? KVM_MEM_GUEST_MEMFD :
							   rng_below(&f->rng, 8)),
		.guest_phys_addr = any_gpa(f),
		.memory_size = MOSTLY(f, rng_once_in(&f->rng, 3) ? 0 : small(f, 16 * SZ_1M)),
		.userspace_addr = MOSTLY(f, (u64)f->hva + small(f, SZ_2M)),
		.guest_memfd_offset = MOSTLY(f, small(f, 8 * SZ_1M)),
		.guest_memfd = any_fd(f),
	};
	struct vm *vm = f->vms[rng_below(&f->rng, NR_VMS)];

	if (rng_once_in(&f->rng, 16)) {
		args.slot = any(f);
		if ((args.slot & 0xffff) < FIRST_SLOT)
			args.slot += FIRST_SLOT;	/* the live guest's own */
	}
	/* Not this program's own memory: the guest may write there. */
	if (args.userspace_addr < NO_HVA)
		args.userspace_addr += NO_HVA;
	else if (args.userspace_addr > END_OF_NO_HVA && args.userspace_addr < 2 * END_OF_NO_HVA &&
		 args.userspace_addr - (u64)f->hva > SZ_2M)
		args.userspace_addr -= END_OF_NO_HVA - NO_HVA;
	if (rng_once_in(&f->rng, 16))
		args.pad2[rng_below(&f->rng, 14)] = any(f);
	if (args.memory_size % PAGE_SIZE == 0 && args.memory_size > MAX_SLOT)
		args.memory_size = MAX_SLOT;
	/* The bitmap of dirty pages is memory. */
	if (args.flags & KVM_MEM_LOG_DIRTY_PAGES && args.memory_size > SZ_1G)
		args.memory_size &= SZ_1G - 1;
	note(f, "region", ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, any_pointer(f, &args)));
}

static void fuzz_attributes(struct fuzz *f)
{
	struct kvm_memory_attributes args = {
		.address = any_gpa(f),
		.size = MOSTLY(f, small(f, 8 * SZ_1M)),
		.attributes = MOSTLY(f, rng_below(&f->rng, 2) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0),
		.flags = rng_once_in(&f->rng, 16) ? any(f) : 0,
	};
	int vm = rng_below(&f->rng, NR_VMS);

	/* KVM spends memory on each page, and does not care for the host's limits. */
	if (args.size % PAGE_SIZE == 0 && args.size > MAX_ATTRIBUTES &&
	    args.address + args.size > args.address)
		args.size = MAX_ATTRIBUTES;
	if (!vm && args.address < PLAY_GPA)
		args.address += PLAY_GPA;
	if (!vm && args.address + args.size < args.address)
		args.size = 0;
	note(f, "attributes", ioctl(f->vms[vm]->fd, KVM_SET_MEMORY_ATTRIBUTES,
				    any_pointer(f, &args)));
}

static void fuzz_pre_fault(struct fuzz *f)
{
	struct kvm_pre_fault_memory args = {
		.gpa = any_gpa(f),
		.size = MOSTLY(f, small(f, SZ_2M)),
		.flags = rng_once_in(&f->rng, 16) ? any(f) : 0,
	};

	if (args.size % PAGE_SIZE == 0 && args.size > MAX_PREFAULT)
		args.size = MAX_PREFAULT;
	if (rng_once_in(&f->rng, 16))
		args.padding[rng_below(&f->rng, 5)] = any(f);
	note(f, "pre-fault", ioctl(f->vms[0]->vcpus[VCPU_PREFAULT].fd, KVM_PRE_FAULT_MEMORY,
				   any_pointer(f, &args)));
}

static void fuzz_check(struct fuzz *f)
{
	note(f, "check", vm_check(f->vms[rng_below(&f->rng, NR_VMS)],
				  MOSTLY(f, rng_below(&f->rng, 256))));
}

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

static void fuzz_fallocate(struct fuzz *f)
{
	const u32 modes[] = { FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE };
	int i = any_file(f), ret, answer;
	u32 mode = MOSTLY(f, modes[rng_below(&f->rng, 2)]);
	u64 offset = MOSTLY(f, small(f, 64 * SZ_1M)), len = MOSTLY(f, small(f, MAX_ALLOC));

	if (f->files[i] < 0)
		return;
	/* Only what would succeed is cut short. */
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && len > MAX_ALLOC && offset < f->sizes[i] &&
	    len <= f->sizes[i] - offset)
		len = MAX_ALLOC;
	answer = fallocate_answer(f->sizes[i], mode, offset, len);
	ret = fallocate(f->files[i], mode, offset, len);
	note(f, "fallocate", ret);
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

static void fuzz_file_ioctl(struct fuzz *f)
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
	} resv = { .start = MOSTLY(f, small(f, SZ_2M)), .len = MOSTLY(f, small(f, SZ_2M)) };
	u64 buffer[64];
	int fd = f->files[any_file(f)];

	if (rng_once_in(&f->rng, 3)) {
		resv.len = resv.len > (int64_t)MAX_ALLOC ? (int64_t)MAX_ALLOC : resv.len;
		note(f, "space ioctl", ioctl(fd, space[rng_below(&f->rng, 3)],
					     any_pointer(f, &resv)));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(buffer); i++)
		buffer[i] = any(f);
	note(f, "file ioctl", ioctl(fd, rng_once_in(&f->rng, 4) ? any(f) :
				    known[rng_below(&f->rng, ARRAY_SIZE(known))],
				    any_pointer(f, buffer)));
}

/* Files are seen, changed and forgotten through it; what is there is a signal or zero. */
static void fuzz_mmap(struct fuzz *f)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE };
	static const int advice[] = {
		MADV_DONTNEED, MADV_REMOVE, MADV_COLLAPSE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_WILLNEED,
	};
	int i = any_file(f), kind = flags[rng_below(&f->rng, 3)], prot = rng_below(&f->rng, 8);
	int advise = advice[rng_below(&f->rng, ARRAY_SIZE(advice))];
	u64 len = MOSTLY(f, PAGE_SIZE + small(f, SZ_2M)), offset = MOSTLY(f, small(f, SZ_2M));
	void *p = mmap(NULL, len, prot, kind, f->files[i], offset);
	u64 span = len < SZ_2M ? (len + PAGE_SIZE - 1) & -PAGE_SIZE : SZ_2M, value;

	note(f, "mmap", p == MAP_FAILED ? -1 : 0);
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
		note(f, "madvise", madvise(p, span, advise));
	note(f, "munmap", munmap(p, len));
}

/* What KVM_SET_MEMORY_ATTRIBUTES2 refuses is refused, and it refuses nothing else. */
static void fuzz_convert(struct fuzz *f)
{
	struct kvm_memory_attributes2 args = {
		.offset = MOSTLY(f, small(f, 64 * SZ_1M)),
		.size = MOSTLY(f, small(f, MAX_ALLOC)),
		.attributes = MOSTLY(f, rng_below(&f->rng, 2) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0),
		.flags = rng_once_in(&f->rng, 16) ? any(f) : 0,
	};
	int i = any_file(f), ret;
	void *arg = any_pointer(f, &args);
	bool valid;

	if (f->files[i] < 0)
		return;
	if (rng_once_in(&f->rng, 16))
		args.reserved[rng_below(&f->rng, 11)] = any(f);
	/* Each 2 MiB of a file without memory has a record from then on. */
	if (args.size % PAGE_SIZE == 0 && args.size > MAX_ATTRIBUTES &&
	    args.offset + args.size <= f->sizes[i] && args.offset + args.size > args.offset)
		args.size = MAX_ATTRIBUTES;
	valid = args.size && !((args.size | args.offset) % PAGE_SIZE) &&
		args.offset + args.size > args.offset &&
		args.offset + args.size <= f->sizes[i] &&
		!(args.attributes & ~KVM_MEMORY_ATTRIBUTE_PRIVATE) && !args.flags &&
		f->types[i] == KVM_X86_SW_PROTECTED_VM;
	for (size_t n = 0; n < ARRAY_SIZE(args.reserved); n++)
		valid = valid && !args.reserved[n];
	ret = ioctl(f->files[i], KVM_SET_MEMORY_ATTRIBUTES2, arg);
	note(f, "convert", ret);
	if (!(f->flags[i] & GUEST_MEMFD_FLAG_MMAP))
		CHECK(ret < 0 && (errno == ENOTTY || errno == EFAULT ||
				  (!valid && errno == EINVAL)),
		      "a file without mmap: %d %m", ret);
	else if (arg != &args)
		CHECK(ret < 0 && errno == EFAULT, "no argument: %d %m", ret);
	else if (valid)
		CHECK(!ret || errno == ENOMEM, "convert %#llx %#llx of %#lx: %m", args.offset,
		      args.size, f->sizes[i]);
	else
		CHECK(ret < 0 && errno == EINVAL, "convert %#llx %#llx of %#lx: %d %m", args.offset,
		      args.size, f->sizes[i], ret);
}

static void fuzz_file(struct fuzz *f)
{
	int i = any_file(f), fd = f->files[i];
	static char buffer[8192];
	struct iovec iov = { .iov_base = any_pointer(f, buffer), .iov_len = sizeof(buffer) };
	u64 offset = any(f), len = MOSTLY(f, rng_below(&f->rng, sizeof(buffer)));
	char path[64];
	struct statx stx;
	off_t at = offset;
	int other;

	switch (rng_below(&f->rng, 18)) {
	case 0:
		return note(f, "read", read(fd, buffer, len % sizeof(buffer)));
	case 1:
		return note(f, "write", write(fd, buffer, len % sizeof(buffer)));
	case 2:
		return note(f, "preadv", preadv(fd, &iov, 1, offset));
	case 3:
		return note(f, "pwritev", pwritev(fd, &iov, 1, offset));
	case 4:
		return note(f, "lseek", lseek(fd, offset, rng_below(&f->rng, 8)) < 0 ? -1 : 0);
	case 5:
		return note(f, "ftruncate", ftruncate(fd, MOSTLY(f, f->sizes[i] / 2)));
	case 6:
		return note(f, "fsync", rng_once_in(&f->rng, 2) ? fsync(fd) : fdatasync(fd));
	case 7:
		return note(f, "statx", statx(fd, "", AT_EMPTY_PATH, any(f) & 0x7fffffff, &stx));
	case 8:
		return note(f, "fchmod", fchmod(fd, any(f)));
	case 9:
		return note(f, "fchown", fchown(fd, any(f), any(f)));
	case 10:
		errno = posix_fadvise(fd, offset, len, rng_below(&f->rng, 8));
		return note(f, "fadvise", errno ? -1 : 0);
	case 11:
		return note(f, "readahead", readahead(fd, offset, len));
	case 12:
		return note(f, "sync_file_range",
			    sync_file_range(fd, offset, len, rng_below(&f->rng, 8)));
	case 13:
		return note(f, "sendfile", sendfile(f->others[0], fd, &at, len % SZ_1M));
	case 14:
		return note(f, "copy_file_range",
			    copy_file_range(fd, NULL, any_fd(f), NULL, len % SZ_1M, 0));
	case 15:
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		other = open(path, rng_below(&f->rng, 4) | O_NONBLOCK | O_CLOEXEC);
		CHECK(other < 0 || fd < 0, "a guest_memfd was opened anew");
		return note(f, "open", other);
	case 16:
		return note(f, "fcntl", fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		other = open(path, O_RDONLY | O_CLOEXEC);
		note(f, "fdinfo", other < 0 ? -1 : read(other, buffer, sizeof(buffer)));
		if (other >= 0)
			close(other);
	}
}

static void fuzz_close(struct fuzz *f)
{
	forget_file(f, any_file(f));
	f->ok++;
}

/* All slots of the live VM but its own; other VMs and all files anew. */
static void start_epoch(struct fuzz *f, bool first)
{
	for (u32 i = 0; i < NR_SLOTS && !first; i++)
		vm_set_region(f->vms[0], FIRST_SLOT + i, 0, 0, 0, NULL);
	for (int i = 0; i < MAX_FILES; i++)
		if (!first)
			forget_file(f, i);
		else
			f->files[i] = -1;
	for (int i = 1; i < NR_VMS; i++) {
		if (!first)
			vm_free(f->vms[i]);
		f->vms[i] = vm_create(i == NR_VMS - 1 ? KVM_X86_DEFAULT_VM :
				      KVM_X86_SW_PROTECTED_VM, 0);
	}
	if (!first)
		madvise(f->hva, PLAY_HVA, MADV_DONTNEED);
}

static bool memory_short(void)
{
	struct sysinfo info;

	return !sysinfo(&info) && (u64)info.freeram * info.mem_unit < MIN_FREE;
}

/* The guest's own memory is what it wrote, whatever the fuzzer does elsewhere. */
static void *live_at_home(void *arg)
{
	struct vcpu *vcpu = arg;

	for (u64 round = 1; !stopping(); round++) {
		u64 gpa = TEST_GPA + round % 16 * 128 * 1024;

		MUST(guest_fill(vcpu, gpa, 16 * 1024, round));
		sched_yield();
		MUST(guest_check(vcpu, gpa, 16 * 1024, round));
	}
	return NULL;
}

/* Accesses where the fuzzer plays may end in any exit. */
static void *live_dangerously(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + 1 };
	u64 value;

	while (!stopping()) {
		u64 gpa = PLAY_GPA + rng_below(&rng, PLAY_SIZE / 8) * 8;

		if (rng_once_in(&rng, 2))
			guest_read(vcpu, gpa, 8, &value);
		else
			guest_write(vcpu, gpa, 8, gpa);
		usleep(200);
	}
	return NULL;
}

static void (*const calls[])(struct fuzz *f) = {
	fuzz_create, fuzz_create, fuzz_region, fuzz_region, fuzz_region, fuzz_attributes,
	fuzz_attributes, fuzz_pre_fault, fuzz_check, fuzz_fallocate, fuzz_fallocate,
	fuzz_fallocate, fuzz_file_ioctl, fuzz_mmap, fuzz_mmap, fuzz_convert, fuzz_convert,
	fuzz_file, fuzz_file, fuzz_close,
};

static void test_random_calls(void)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	pthread_t home, play;
	struct vm *vm;

	tap_diag("SEED=%lu, %lu calls", seed, nr_calls);
	f->rng.state = seed;
	vm = f->vms[0] = vm_create_private(NR_VCPUS);
	vm_add_private(vm, HOME_SIZE);
	f->hva = vm_reserve(PLAY_GPA, PLAY_HVA);
	f->others[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	f->others[1] = memfd_create("other", MFD_CLOEXEC);
	f->others[2] = vm->vcpus[VCPU_PREFAULT].fd;
	f->others[3] = -1;
	start_epoch(f, true);
	home = thread_start(live_at_home, &vm->vcpus[VCPU_HOME]);
	play = thread_start(live_dangerously, &vm->vcpus[VCPU_PLAY]);
	for (unsigned long n = 0; n < nr_calls; n++) {
		calls[rng_below(&f->rng, ARRAY_SIZE(calls))](f);
		if (n % EPOCH == EPOCH - 1 || (n % 64 == 0 && memory_short()))
			start_epoch(f, false);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	thread_join(home);
	thread_join(play);
	tap_diag("%lu succeeded, %lu were refused", f->ok, f->refused);
	CHECK(f->ok > nr_calls / 8 && f->refused > nr_calls / 8, "hardly a mixture");

	/* The VM works: old memory, and a new slot. */
	start_epoch(f, false);
	vm_add_slot(vm, FIRST_SLOT, AFTER_GPA, SZ_2M, vm_gmem(vm, SZ_2M), 0);
	vm_make_private(vm, AFTER_GPA, SZ_2M);
	MUST(guest_check_zero(&vm->vcpus[VCPU_PREFAULT], AFTER_GPA, SZ_2M));
	MUST(guest_fill(&vm->vcpus[VCPU_PLAY], AFTER_GPA, SZ_2M, seed));
	MUST(guest_check(&vm->vcpus[VCPU_HOME], AFTER_GPA, SZ_2M, seed));
}

static void test_another_vm_works(void)
{
	struct vm *vm = vm_create_private(1);

	vm_add_private(vm, SZ_2M);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_2M, seed));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_2M, seed));
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_random_calls),
		TAP_TEST(test_another_vm_works),
	};

	if (argc == 3 && !strcmp(argv[1], "-n"))
		nr_calls = strtoul(argv[2], NULL, 0);
	else if (argc != 1)
		tap_bail_out("usage: %s [-n CALLS]", argv[0]);
	seed = rng_seed();
	tests[0].timeout = 120 + nr_calls / 20;
	return tap_main(tests, ARRAY_SIZE(tests));
}
