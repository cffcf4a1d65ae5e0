/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks as objects: held as long as the guard lives. docs/locking.md has their
 * order and what each protects.
 */
#ifndef GMEM_LOCKS_H
#define GMEM_LOCKS_H

#include <utility>

#include "gmem/result.h"
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

/* The inode's invalidation lock, for calls that leave the bindings alone. */
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

/* The inode's invalidation lock, for calls that change bindings. */
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

/*
 * A lock that is waited for until it comes or the task is killed. Moved, never shared;
 * an empty one holds nothing.
 */
template <class Of, int (*kLock)(Of *), void (*kUnlock)(Of *)> class KillableLock {
    public:
	KillableLock() = default;
	KillableLock(KillableLock &&other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
	~KillableLock()
	{
		if (of_)
			kUnlock(of_);
	}
	KillableLock(const KillableLock &) = delete;
	KillableLock &operator=(const KillableLock &) = delete;

	/* -EINTR: killed. */
	static Result<KillableLock> take(Of *of)
	{
		GMEM_CHECK(Status{ kLock(of) });
		return KillableLock{ of };
	}

    private:
	explicit KillableLock(Of *of) : of_(of) {}

	Of *of_ = nullptr;
};

/* For calls of user space that can fail: a killed one does not wait for another's long call. */
using KillableSharedInodeLock =
	KillableLock<struct inode, kapi_inode_lock_shared_killable, kapi_inode_unlock_shared>;
using KillableExclusiveInodeLock =
	KillableLock<struct inode, kapi_inode_lock_killable, kapi_inode_unlock>;
using KillableSlotsLock =
	KillableLock<struct kvm, kapi_kvm_slots_lock_killable, kapi_kvm_slots_unlock>;

} /* namespace gmem */

#endif /* GMEM_LOCKS_H */
