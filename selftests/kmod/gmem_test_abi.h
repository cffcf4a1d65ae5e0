/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctls of gmem_test.ko on /sys/kernel/debug/gmem_test: what user space cannot
 * do by itself and tests must. Works on files of either backend.
 */
#ifndef GMEM_TEST_ABI_H
#define GMEM_TEST_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GMEM_TEST_PATH "/sys/kernel/debug/gmem_test"

/* What the kernel's KVM is like, in this module's own terms: a set of the bits below. */
#define GMEM_TEST_KERNEL _IOR('g', 9, __u64)
/* Memslots on files that can be mapped are KVM's own; default VMs have memslots on any. */
#define GMEM_TEST_KERNEL_SHARED_SLOTS (1 << 0)
/* A populate takes its source as pages, which it finds itself: it is aligned. */
#define GMEM_TEST_KERNEL_POPULATES_PAGES (1 << 1)

/* memory_failure() of the page at @index of the file @fd; what it returned. */
struct gmem_test_poison {
	__u64 index;
	__u32 fd;
	__u32 held; /* 1: with a reference, so that it is nobody else's meanwhile */
};
#define GMEM_TEST_POISON _IOW('g', 1, struct gmem_test_poison)

/*
 * memory_failure() of a page that is of no file and on no list, while its owner has it
 * locked; what it returned, or -ETIMEDOUT if it waited for the lock.
 */
#define GMEM_TEST_POISON_LOCKED _IO('g', 7)

/*
 * kvm_gmem_populate() with a callback that copies each page, as the vendors' do;
 * returns its answer, at most INT_MAX pages. The callback fails with -EIO at gfn
 * @fail_gfn.
 */
struct gmem_test_populate {
	__u64 gfn;
	__u64 source;
	__u64 npages;
	__u64 fail_gfn;
	__u32 vm_fd;
	__u32 pad;
};
#define GMEM_TEST_POPULATE _IOW('g', 2, struct gmem_test_populate)

/*
 * KVM_TDX_INIT_MEM_REGION as KVM has it, of a VM that is no TDX guest: kvm_gmem_populate() page
 * by page, with a callback that copies the page and maps it for vCPU 0 as it does; or, at
 * gfn @busy_gfn, fails with -EBUSY. In @added how many were, in @invalidations how many
 * invalidations KVM's MMU saw meanwhile. -EOPNOTSUPP: KVM has no TDX guests.
 */
struct gmem_test_add {
	__u64 gfn;
	__u64 source;
	__u64 npages;
	__u64 busy_gfn;
	__u64 added;
	__u64 invalidations;
	__u32 vm_fd;
	__u32 pad;
};
#define GMEM_TEST_ADD _IOWR('g', 10, struct gmem_test_add)

/* KVM takes the VM for one of type @type from now on; in @type what it was. */
struct gmem_test_vm_type {
	__u32 vm_fd;
	__u32 type;
};
#define GMEM_TEST_VM_TYPE _IOWR('g', 11, struct gmem_test_vm_type)

/* Frame number of the page at @index; -ENOENT if there is none. */
struct gmem_test_pfn {
	__u64 index;
	__u64 pfn;
	__u32 fd;
	__u32 pad;
};
#define GMEM_TEST_PFN _IOWR('g', 3, struct gmem_test_pfn)

/*
 * Frame number of the page at @gfn of a VM, as a module that is not in a fault asks KVM
 * for it and keeps it for @hold_ms; what KVM returned. A private page by
 * kvm_gmem_get_pfn(), or a @shared one as KVM's page fault asks for it, whose errors are
 * all -EFAULT. -ENOENT: no memslot there. Before that it is had and put back so often as
 * @before says, which takes @ns in all.
 */
struct gmem_test_get {
	__u64 gfn;
	__u64 pfn;
	__u32 vm_fd;
	__u32 shared;
	__u32 hold_ms;
	__u32 before;
	__u64 ns;
};
#define GMEM_TEST_GET _IOWR('g', 8, struct gmem_test_get)

/* The 4096 bytes of frame @pfn, as the host finds them, to user address @to. */
struct gmem_test_frame {
	__u64 pfn;
	__u64 to;
};
#define GMEM_TEST_FRAME _IOW('g', 4, struct gmem_test_frame)

/*
 * The kernel's SHA-384 alone, of what an SNP launch hashes: each of @npages pages
 * at user address @source, and 112 bytes a page. @ns: how long it took, without
 * finding the pages.
 */
struct gmem_test_sha384 {
	__u64 source;
	__u64 npages;
	__u64 ns;
};
#define GMEM_TEST_SHA384 _IOWR('g', 5, struct gmem_test_sha384)

/*
 * Pin user memory for long and for writing, as VFIO does, until the descriptor is
 * closed; -EBUSY if it has pinned some.
 */
struct gmem_test_pin {
	__u64 addr;
	__u64 npages;
};
#define GMEM_TEST_PIN _IOW('g', 6, struct gmem_test_pin)

/*
 * kvm_read_guest(), or with @write kvm_write_guest(), of @size bytes, a page at
 * most, from or to @data; what it returned.
 */
struct gmem_test_guest {
	__u64 gpa;
	__u64 data;
	__u32 size;
	__u32 write;
	__u32 vm_fd;
	__u32 pad;
};
#define GMEM_TEST_GUEST _IOW('g', 16, struct gmem_test_guest)

/*
 * What it takes, in nanoseconds each, to allocate @blocks blocks of 2 MiB, clear
 * them, copy the 2 MiB at @source to each, and free them. -ENOMEM.
 */
struct gmem_test_yardsticks {
	__u64 blocks;
	__u64 source;
	__u64 alloc_ns;
	__u64 clear_ns;
	__u64 copy_ns;
	__u64 free_ns;
};
#define GMEM_TEST_YARDSTICKS _IOWR('g', 32, struct gmem_test_yardsticks)

/*
 * The next @calls calls of the kernel's or a module's function @symbol do nothing and
 * return @rax, and @rdx, instead. One function at a time, until this descriptor is
 * closed; 0 calls: none any more. In @left what was left of the calls before.
 */
struct gmem_test_fail {
	char symbol[112];
	__u64 rax;
	__u64 rdx;
	__u32 calls;
	__u32 left;
};
#define GMEM_TEST_FAIL _IOWR('g', 48, struct gmem_test_fail)
/* The same, of calls that begin @rax milliseconds later, and then do what they do. */
#define GMEM_TEST_DELAY _IOWR('g', 49, struct gmem_test_fail)

#endif /* GMEM_TEST_ABI_H */
