// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and descriptors: kapi/files.c over counts and a table.
 */
#include "kunit/fakes/files.h"

#include <uapi/gmem.h>

#include "kunit/fakes/module.h"
#include "kunit/fakes/pages.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

std::mutex table_mutex;
std::map<int, struct file *> table; /* NULL: reserved */
std::atomic<long> files, inodes;
/* Readers of pointers to files; a file's memory goes when they have left. */
std::shared_mutex rcu;

/* iput(). */
void inode_put(struct inode *inode)
{
	const long before = inode->refs--;

	assert_no_locks();
	if (before <= 0)
		bug("one reference of an inode too many is put");
	if (before > 1)
		return;
	gmem_inode_evict(inode->core);
	if (inode->nrpages)
		bug("%lu pages are left in an inode that goes", inode->nrpages);
	delete inode;
	inodes--;
}

/* __fput() and what it does after it; no lock is held. */
void final_put(struct file *file)
{
	struct inode *const inode = file->inode;

	sched::step("fput");
	if (inode) {
		gmem_file_release(file->core);
		inode_put(inode);
	}
	rcu.lock();
	rcu.unlock();
	delete file;
	files--;
}

} /* namespace */

struct file *file_at(int fd)
{
	const std::lock_guard guard{ table_mutex };
	const auto it = table.find(fd);

	return it == table.end() ? nullptr : it->second;
}

struct file *file_get_active(struct file *file)
{
	long refs = file ? file->refs.load() : 0;

	while (refs) {
		if (file->refs.compare_exchange_weak(refs, refs + 1))
			return file;
	}
	return nullptr;
}

struct file *file_get_active_rcu(const std::atomic<struct file *> &file)
{
	const std::shared_lock guard{ rcu };

	return file_get_active(file);
}

void close_fd(int fd)
{
	struct file *file;

	{
		const std::lock_guard guard{ table_mutex };
		const auto it = table.find(fd);

		if (it == table.end() || !it->second)
			bug("descriptor %d is closed and was not open", fd);
		file = it->second;
		table.erase(it);
	}
	kapi_file_put(file);
	return_to_user();
}

long fallocate(struct file *file, bool punch, std::uint64_t offset, std::uint64_t len)
{
	/* The descriptor lookup's reference. */
	if (!file_get_active(file))
		bug("fallocate of a file that is gone");

	const long ret = gmem_file_fallocate(file->core, punch, offset, len);

	kapi_file_put(file);
	return_to_user();
	return ret;
}

int link(struct kvm *kvm, int fd)
{
	const struct kvm_link_guest_memfd args = { .fd = static_cast<std::uint64_t>(fd),
						   .flags = 0,
						   .reserved = {} };
	const long ret = gmem_kvm_vm_ioctl(reinterpret_cast<struct file *>(kvm),
					   KVM_LINK_GUEST_MEMFD,
					   reinterpret_cast<unsigned long>(&args));

	return_to_user();
	return static_cast<int>(ret);
}

int stock_fd()
{
	const int fd = kapi_fd_reserve();

	files++;
	kapi_fd_install(fd, new struct file);
	return fd;
}

void for_each_file(const std::function<void(struct file *)> &fn)
{
	std::vector<struct file *> ours;

	{
		const std::lock_guard guard{ table_mutex };

		for (const auto &[fd, file] : table) {
			if (file && file->inode)
				ours.push_back(file);
		}
	}
	for (struct file *const file : ours)
		fn(file);
}

void check_files()
{
	if (!table.empty())
		bug("%zu descriptors are left, the first is %d", table.size(),
		    table.begin()->first);
	if (files || inodes)
		bug("%ld files and %ld inodes are left", files.load(), inodes.load());
}

} /* namespace fake */

using namespace fake;

int kapi_file_create(kapi_u64 size, bool, void *core_inode, void *core_file, struct file **file,
		     struct inode **inode)
{
	might_sleep("kapi_file_create");
	needs_module("kapi_file_create");
	if (fail_now())
		return -ENFILE;
	*inode = new struct inode(size);
	(*inode)->core = core_inode;
	*file = new struct file;
	(*file)->inode = *inode;
	(*file)->core = core_file;
	files++;
	inodes++;
	return 0;
}

int kapi_file_link(struct inode *inode, void *core_file, struct file **file)
{
	might_sleep("kapi_file_link");
	needs_module("kapi_file_link");
	if (fail_now())
		return -ENFILE;
	kapi_inode_hold(inode);
	*file = new struct file;
	(*file)->inode = inode;
	(*file)->core = core_file;
	files++;
	return 0;
}

int kapi_link_read(struct kvm_link_guest_memfd *args, unsigned long arg)
{
	might_sleep("kapi_link_read");
	if (!arg)
		return -EFAULT;
	*args = *reinterpret_cast<const struct kvm_link_guest_memfd *>(arg);
	return 0;
}

int kapi_fd_reserve(void)
{
	if (fail_now())
		return -EMFILE;

	const std::lock_guard guard{ table_mutex };
	int fd = 3;

	while (table.count(fd))
		fd++;
	table[fd] = nullptr;
	return fd;
}

void kapi_fd_install(int fd, struct file *file)
{
	const std::lock_guard guard{ table_mutex };
	const auto it = table.find(fd);

	if (it == table.end() || it->second)
		bug("descriptor %d was not reserved", fd);
	it->second = file;
}

void kapi_fd_cancel(int fd)
{
	const std::lock_guard guard{ table_mutex };
	const auto it = table.find(fd);

	if (it == table.end() || it->second)
		bug("descriptor %d was not reserved", fd);
	table.erase(it);
}

struct file *kapi_file_from_fd(unsigned int fd)
{
	const std::lock_guard guard{ table_mutex };
	const auto it = table.find(fd);

	return it == table.end() ? nullptr : file_get_active(it->second);
}

void kapi_file_put(struct file *file)
{
	sched::step("file_put");
	const long before = file->refs--;

	if (before <= 0)
		bug("one reference of a file too many is put");
	/* As the kernel: on the way back to user space, outside of all locks. */
	if (before == 1)
		current().work.push_back([file] { final_put(file); });
}

void kapi_inode_hold(struct inode *inode)
{
	if (inode->refs++ <= 0)
		bug("an inode that is going is held");
}

void kapi_inode_put(struct inode *inode)
{
	sched::step("inode_put");
	inode_put(inode);
}

void *kapi_file_core(struct file *file)
{
	return file->core;
}

kapi_u64 kapi_inode_size(struct inode *inode)
{
	return inode->size;
}

void kapi_page_hand_out(struct page *page, struct inode *inode)
{
	kapi_page_get(page);
	inode->faults++;
}
