/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file is one VM's view of an inode, with the bindings made through it. It
 * keeps its VM alive, never the other way round.
 */
#ifndef GMEM_FILE_H
#define GMEM_FILE_H

#include "gmem/bindings.h"
#include "gmem/inode.h"

namespace gmem
{

class File {
    public:
	/* Takes a reference of @vm. */
	File(Inode &inode, struct kvm *vm) : inode_(inode), vm_(vm) { kapi_kvm_get(vm_); }
	~File() { kapi_kvm_put(vm_); }
	File(const File &) = delete;
	File &operator=(const File &) = delete;

	/* The core's object behind @file; NULL if it is not one of ours. */
	static File *of(struct file *file) { return static_cast<File *>(kapi_file_core(file)); }

	/* A file of @size bytes on a new inode; returns its descriptor. Sleeps. */
	static Result<int> create(struct kvm *vm, Platform &platform, std::uint64_t size,
				  FileKind kind);

	Inode &inode() { return inode_; }
	struct kvm *vm() const { return vm_; }
	Bindings &bindings() { return bindings_; }
	/* Whether its pages can be private or shared, each by itself; an extension. */
	bool converts() const
	{
		return inode_.store().kind().mappable && kapi_kvm_has_private_mem(vm_) &&
		       kapi_feature(KAPI_FEATURE_SHARED) && kapi_kvm_tdp_mmu();
	}

	/*
	 * Whether it is a view still: not since link() has made another. Changes with the
	 * VM's slots_lock and the inode lock, held exclusively.
	 */
	bool open() const { return open_; }

	/*
	 * The memory becomes @vm's: closes this view and opens another; returns its
	 * descriptor. -ESTALE: closed already; -EMFILE, -ENFILE, -ENOMEM: nothing has
	 * changed. Takes this VM's slots_lock; sleeps.
	 */
	Result<int> link(struct kvm *vm);
	/*
	 * -EINVAL: past the end; -ESTALE: closed, -EINTR, -ENOMEM: of these, a front part may
	 * have been done. Takes the inode lock, a turn at a time; sleeps.
	 */
	Status allocate(IndexRange range);
	/*
	 * The shared page at @index for user space, locked, with a reference.
	 * -EFAULT: it is private; -EINVAL: past the end; -EBUSY: it may be about to become
	 * private, try again in a moment; -EINTR: killed; -EHWPOISON, -ENOMEM. Sleeps.
	 */
	Result<PageRef> user_page(PageIndex index);
	/* The descriptor is gone: closes the view. Takes slots_lock; sleeps. */
	void release();

    private:
	friend class Inode;

	/* Unmaps and forgets every binding. slots_lock, inode lock exclusively. */
	void close();
	Status hand_over(File &to);
	Result<int> link_to(struct kvm *vm);

	Inode &inode_;
	struct kvm *vm_;
	Bindings bindings_;
	File *next_ = nullptr; /* among the inode's files */
	bool open_ = false;
};

} /* namespace gmem */

#endif /* GMEM_FILE_H */
