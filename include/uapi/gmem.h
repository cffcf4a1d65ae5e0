/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The user ABI of gmem.ko beyond the running kernel's own. Names and numbers of
 * later kernels are theirs; what starts with GMEM_ is ours alone. Of the two other headers
 * of this name, include/gmem/gmem.h is for modules of the kernel, and selftests/lib/gmem.h
 * for the test programs.
 */
#ifndef _UAPI_GMEM_H
#define _UAPI_GMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* ---- capabilities of KVM_CHECK_EXTENSION --------------------------------- */

/*
 * On a VM: the flags that KVM_CREATE_GUEST_MEMFD knows for it, as in Linux 7.0
 * and later. 0 without gmem.ko.
 */
#ifndef KVM_CAP_GUEST_MEMFD_FLAGS
#define KVM_CAP_GUEST_MEMFD_FLAGS 244
#endif

/*
 * The attributes that KVM_SET_MEMORY_ATTRIBUTES2 knows for files made with
 * GUEST_MEMFD_FLAG_MMAP: KVM_MEMORY_ATTRIBUTE_PRIVATE on a VM with private memory, 0 on
 * another. /dev/kvm has no VM to ask about: there it is what some VM can have.
 *
 * The number that the kernel will have for it is not known yet. The published series has
 * had 245 to 251, and in Linux 7.3 all of them are others'. So this is one of ours, as
 * those below, which the module answers on every kernel. A program that is built with a
 * later <linux/kvm.h> has that header's number under the kernel's name, and asks for
 * both (docs/conversion.md).
 */
#define GMEM_CAP_MEMORY_ATTRIBUTES 0x676d0003
#ifndef KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES
#define KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES GMEM_CAP_MEMORY_ATTRIBUTES
#endif

/*
 * What this header had before. Programs built with it are answered as they were, with 1
 * where the one above has KVM_MEMORY_ATTRIBUTE_PRIVATE, on kernels that have no
 * capability of that number (6.12). On others the answer is that capability's.
 */
#define GMEM_CAP_MEMORY_ATTRIBUTES_OLD 249

/*
 * Whether KVM_MEM_PCI_HOLE is known, on a VM: for it. The number last published, 187,
 * has long been another's. KVM counts its own up from 0, one or two a release;
 * this one begins with "gm" in ASCII, which they will not come to.
 */
#define KVM_CAP_PCI_HOLE_MEM 0x676d0001

/*
 * Whether KVM_LINK_GUEST_MEMFD is known, on a VM: for its files. The published series
 * has no capability for it, so this is one of ours.
 */
#define KVM_CAP_GUEST_MEMFD_LINK 0x676d0002

/* ---- flags of KVM_SET_USER_MEMORY_REGION and KVM_SET_USER_MEMORY_REGION2 --- */

/*
 * Nothing is behind these guest addresses: reads give all ones, at the speed of
 * memory; writes exit as KVM_EXIT_MMIO. The only flag, and userspace_addr is 0.
 * Such a memslot can be moved and deleted, and nothing else be made of it.
 *
 *   -EINVAL  another flag, an address, a size or place that KVM's own memslots
 *            cannot have; changing a memslot from or to a hole; a VM that cannot
 *            have read-only memslots; no gmem.ko
 *   -EEXIST  another memslot is there
 *   -ENOMEM, -EINTR
 *
 * The published bit, 1 << 2, is KVM_MEM_GUEST_MEMFD now. KVM takes bits from below
 * and keeps the upper 16 for itself; this is the last one below them.
 */
#define KVM_MEM_PCI_HOLE (1U << 15)

/* ---- flags of struct kvm_create_guest_memfd ------------------------------- */

/*
 * Shared pages of the file can be mapped by user space (MAP_SHARED only), and a
 * guest's shared accesses are served from it, too: what userspace_addr points to
 * is only for KVM's own reads and writes. In a VM with private memory, pages are
 * converted in place.
 */
#ifndef GUEST_MEMFD_FLAG_MMAP
#define GUEST_MEMFD_FLAG_MMAP (1ULL << 0)
#endif
/* All pages are shared at first; private without it. */
#ifndef GUEST_MEMFD_FLAG_INIT_SHARED
#define GUEST_MEMFD_FLAG_INIT_SHARED (1ULL << 1)
#endif

/*
 * This file wants 2 MiB runs. Known only where it makes a difference, with
 * huge=advise and extensions=y; else it is -EINVAL, as any flag on a kernel that knows
 * none. The highest bit that the capability's int can carry, so as not to meet a flag
 * of a later kernel soon.
 */
#define GMEM_FLAG_HUGE (1ULL << 30)

/* ---- conversion in place: an ioctl on a guest_memfd ------------------------ */

/*
 * Makes [offset, offset + size) of the file private or shared, all of it or
 * nothing; if a signal kills the caller, a front part. KVM's attributes of every
 * memslot that shows the range follow. In a software-protected VM on no model pages
 * keep their content, both ways; on a model they are zero, both ways; elsewhere, they
 * are zero when made shared.
 *
 * KVM_SET_MEMORY_ATTRIBUTES of the VM does the same to memslots of such files.
 *
 *   -ENOTTY     the file was made without GUEST_MEMFD_FLAG_MMAP; nothing is read then
 *   -EFAULT     the argument cannot be read; or not written, where there is something
 *               to say
 *   -EINVAL     flags or reserved not 0; a VM without private memory; an attribute
 *               other than KVM_MEMORY_ATTRIBUTE_PRIVATE; empty, misaligned, past the end
 *   -EPERM      the caller may not have the VM's memory, as for KVM_LINK_GUEST_MEMFD
 *   -ESTALE     the memory has been linked to another VM
 *   -ENOMEM     nothing has changed
 *   -EHWPOISON  a page is lost to hardware poison; -EAGAIN if one before it is in use
 *   -EBUSY      a consumer in the kernel does not want it, or the consumer's own error
 *   -EAGAIN     a page is in use (pinned for DMA or I/O); try again when it is not.
 *               Only to private. A signal ends the wait for that.
 *
 * They are looked for in this order. @error_offset is written with the last four lines
 * alone: -ENOMEM has the start of the range there, and the others the first page that they
 * are about. With the other errors nothing is written to the argument. A range that is as
 * wanted already ends in 0, and in none of the last four lines. -EPERM, -ESTALE, -EHWPOISON
 * and -EBUSY are ours; the rest is as published (docs/conversion.md).
 */
#ifndef KVM_SET_MEMORY_ATTRIBUTES2
struct kvm_memory_attributes2 {
	union {
		__u64 address;
		__u64 offset;
	};
	__u64 size;
	__u64 attributes;
	__u64 flags; /* 0 */
	__u64 error_offset; /* out */
	__u64 reserved[11]; /* 0 */
};

#define KVM_SET_MEMORY_ATTRIBUTES2 _IOWR(0xAE, 0xd2, struct kvm_memory_attributes2)
#endif

/* ---- moving memory to another VM: an ioctl on a VM --------------------------- */

/*
 * The memory behind @fd, a guest_memfd of another VM of the same type, becomes this
 * VM's, as it is: content, private or shared, populated or not. Returns a new
 * descriptor of the same inode. The other VM's view is closed: its memslots and
 * consumers lose the memory as if @fd had been closed, its guest's accesses exit as
 * KVM_EXIT_MEMORY_FAULT, and @fd is good for mmap(), fstat() and close() only.
 * Mappings of user space stay, whichever descriptor they were made by. Linking the new
 * descriptor to the first VM moves the memory back.
 *
 *   -EINVAL      no such descriptor, as published; not a guest_memfd of gmem.ko; a file
 *                of this VM, or of a VM of another type; flags or reserved not 0
 *   -ESTALE      it has been linked to a VM already
 *   -EOPNOTSUPP  what the VM runs on binds its memory to it: hardware and its models
 *   -EIO         this VM is another process's, or dead
 *   -EPERM       the caller is not of the process that made the other VM and may not
 *                trace it as by PTRACE_ATTACH, or, when that process is gone, has no
 *                CAP_SYS_PTRACE in the initial user namespace
 *   -EMFILE, -ENFILE, -ENOMEM, -EFAULT; the other VM has its memory then
 *
 * From then on -ESTALE is what @fd's fallocate(), its ioctls and binding it answer.
 *
 * Number and layout are those of the series of May 2025, the last one published. In it
 * both files stay valid; here never more than one VM has the memory.
 */
#ifndef KVM_LINK_GUEST_MEMFD
struct kvm_link_guest_memfd {
	__u64 fd;
	__u64 flags; /* 0 */
	__u64 reserved[6]; /* 0 */
};

#define KVM_LINK_GUEST_MEMFD _IOWR(0xAE, 0xd6, struct kvm_link_guest_memfd)
#endif

/* ---- launch of a VM: ioctls on a guest_memfd ------------------------------- */

/*
 * For software-protected VMs on a modelled platform (platform=snp-model or
 * tdx-model); -EOPNOTSUPP on all others, whose launch is KVM's own ABI. One
 * VM's launch is one, whichever of its files it comes through.
 */

/* Types of a populated page: SNP's own. TDX knows NORMAL only. */
enum gmem_page_type {
	GMEM_PAGE_NORMAL = 1,
	GMEM_PAGE_VMSA = 2,
	GMEM_PAGE_ZERO = 3,
	GMEM_PAGE_UNMEASURED = 4,
	GMEM_PAGE_SECRETS = 5,
	GMEM_PAGE_CPUID = 6,
};

/* TDX: MR.EXTEND each page. With SNP the type says it. */
#define GMEM_POPULATE_MEASURE (1U << 0)

/*
 * Fills private pages with content, each once, and measures them in order.
 * Returns how many pages were done, and the same in @done; if none was:
 *
 *   -EINVAL  misaligned, no pages, an unknown flag, no memslot of this file
 *            there, or memory that is not private
 *   -EEXIST  the first page has been populated, or a guest has used it
 *   -EFAULT  bad source address
 *   -EIO     the firmware refused: its status is in @firmware_error. A CPUID
 *            table it would take instead is written to @source.
 *   -EBUSY   the platform was busy for too long
 *   -EINTR, -ENOMEM, -EHWPOISON
 *
 * In place is what user space wrote to the page while it was shared, and zeros otherwise.
 *
 * After a refusal the digest is as the firmware has it. One that does not depend on
 * the pages (-EOPNOTSUPP, the launch is over, a type that there is not) leaves them as
 * they are, and so does a source that cannot be read.
 */
struct gmem_launch_populate {
	__u64 gpa; /* bytes */
	__u64 source; /* user address; 0: in place */
	__u64 npages;
	__u32 type; /* enum gmem_page_type */
	__u32 flags;
	__u64 done; /* out */
	__u64 firmware_error; /* out; 0 or the status of SNP or of TDX */
};

/* Ends the launch. -EIO and the status if the firmware refuses; -EBUSY, -EINTR. */
struct gmem_launch_finish {
	__u64 firmware_error; /* out */
};

/* SHA-384. -EPERM before GMEM_FINISH. */
struct gmem_launch_measurement {
	__u8 digest[48]; /* out */
};

#define GMEM_POPULATE _IOWR('G', 0x40, struct gmem_launch_populate)
#define GMEM_FINISH _IOR('G', 0x41, struct gmem_launch_finish)
#define GMEM_GET_MEASUREMENT _IOR('G', 0x42, struct gmem_launch_measurement)

/* ---- what there is of a file: an ioctl on a guest_memfd ---------------------- */

/* Why a page is not mapped with the 2 MiB around it (docs/tracing.md). More may come. */
enum gmem_small {
	GMEM_SMALL_NOT = 0,
	GMEM_SMALL_MEMORY = 1,
	GMEM_SMALL_PLACE = 2,
	GMEM_SMALL_MIXED = 3,
	GMEM_SMALL_PARTIAL = 4,
	GMEM_SMALL_POISONED = 5,
	GMEM_SMALL_PLATFORM = 6,
	GMEM_SMALL_POLICY = 7,
};

/* A run: an aligned 2 MiB of the file, as it was when it was looked at. */
struct gmem_map_run {
	__u16 present; /* pages that are there, 512 at the most */
	__u16 shared; /* of those the shared ones */
	__u16 lost; /* of those what memory failure or the platform took */
	__s16 node; /* NUMA node of the first one; -1: there is none */
	__u8 order; /* a guest may map it in blocks of this order: 9, else 0 */
	__u8 small; /* enum gmem_small: why not 9 */
	__u16 reserved[3]; /* 0 */
};

/*
 * What there is of the file's runs from @offset on. Returns 0; runs past the end of the
 * file are not filled. It is no picture of one moment: others go on meanwhile.
 *
 *   -EINVAL  @offset is no multiple of 2 MiB, or at the end of the file or past it; no
 *            runs; flags not 0
 *   -EFAULT  of the argument, or where runs points to
 *   -ESTALE  the memory has been linked to another VM
 *   -EINTR   killed
 */
struct gmem_get_map {
	__u64 offset; /* bytes */
	__u64 runs; /* user address of an array of struct gmem_map_run */
	__u32 count; /* in: its length; out: how many were filled */
	__u32 flags; /* 0 */
};

#define GMEM_GET_MAP _IOWR('G', 0x43, struct gmem_get_map)

#endif /* _UAPI_GMEM_H */
