/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks as objects: held as long as the guard lives. docs/locking.md has their
 * order and what each protects.
 */
#ifndef GMEM_LOCKS_H
#define GMEM_LOCKS_H

#include "kapi/kapi.h"

namespace gmem
{

class Mutex {
    public:
	explicit Mutex(kapi_lock_class cls) { kapi_mutex_init(&mutex_, cls); }
	Mutex(const Mutex &) = delete;
	Mutex &operator=(const Mutex &) = delete;

	void lock() { kapi_mutex_lock(&mutex_); }
	void unlock() { kapi_mutex_unlock(&mutex_); }

    private:
	kapi_mutex mutex_;
};

class MutexGuard {
    public:
	explicit MutexGuard(Mutex &mutex) : mutex_(mutex) { mutex_.lock(); }
	~MutexGuard() { mutex_.unlock(); }
	MutexGuard(const MutexGuard &) = delete;
	MutexGuard &operator=(const MutexGuard &) = delete;

    private:
	Mutex &mutex_;
};

/* The inode's invalidation lock, for those who leave the bindings alone. */
class SharedInodeLock {
    public:
	explicit SharedInodeLock(struct inode *inode) : inode_(inode)
	{
		kapi_inode_lock_shared(inode_);
	}
	~SharedInodeLock() { kapi_inode_unlock_shared(inode_); }
	SharedInodeLock(const SharedInodeLock &) = delete;
	SharedInodeLock &operator=(const SharedInodeLock &) = delete;

    private:
	struct inode *inode_;
};

/* The inode's invalidation lock, for those who change bindings. */
class ExclusiveInodeLock {
    public:
	explicit ExclusiveInodeLock(struct inode *inode) : inode_(inode)
	{
		kapi_inode_lock(inode_);
	}
	~ExclusiveInodeLock() { kapi_inode_unlock(inode_); }
	ExclusiveInodeLock(const ExclusiveInodeLock &) = delete;
	ExclusiveInodeLock &operator=(const ExclusiveInodeLock &) = delete;

    private:
	struct inode *inode_;
};

} /* namespace gmem */

#endif /* GMEM_LOCKS_H */
