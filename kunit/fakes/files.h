/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files, inodes with their page caches, descriptors.
 */
#ifndef GMEM_FAKES_FILES_H
#define GMEM_FAKES_FILES_H

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/locks.h"

struct inode {
	explicit inode(std::uint64_t bytes) : size(bytes) {}

	/* 512 neighbouring entries of the page cache. */
	struct Chunk {
		std::array<struct page *, 512> pages{};
		unsigned count = 0;
	};

	const std::uint64_t size;
	std::atomic<long> refs{ 1 };
	void *core = nullptr;
	fake::Lock invalidate_lock{ fake::Rank::Inode };
	std::mutex cache_mutex;
	std::map<std::uint64_t, Chunk> cache; /* by index / 512 */
	std::uint64_t nrpages = 0;
	std::atomic<long> faults{ 0 };
};

struct file {
	std::atomic<long> refs{ 1 };
	struct inode *inode = nullptr; /* NULL: a file of the stock backend */
	void *core = nullptr;
};

namespace fake
{

/* The descriptor's file without a reference; NULL if there is none. */
struct file *file_at(int fd);
/* A reference, unless there is none left. */
struct file *file_get_active(struct file *file);
/* The same of a pointer that may be cleared meanwhile: get_file_active(). */
struct file *file_get_active_rcu(const std::atomic<struct file *> &file);
/* close(2); the file goes on the way back to user space. */
void close_fd(int fd);
/* fallocate(2) as kapi/files.c passes it on, in bytes. */
long fallocate(struct file *file, bool punch, std::uint64_t offset, std::uint64_t len);
/* KVM_LINK_GUEST_MEMFD of descriptor @fd on @kvm: the new descriptor. */
int link(struct kvm *kvm, int fd);
/* A descriptor of a file that the stock backend made. */
int stock_fd();
/* memory_failure() of the page in @inode's cache at @index; false: there is none. */
bool memory_failure(struct inode *inode, std::uint64_t index);

/* This page of a run cannot be read when it is copied; -1: all can. */
void set_copy_that_fails(long page);

/* Calls @fn for each file of ours that has a descriptor. */
void for_each_file(const std::function<void(struct file *)> &fn);

/* For check_clean(). */
void check_files();

} /* namespace fake */

#endif /* GMEM_FAKES_FILES_H */
