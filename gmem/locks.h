/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core's locks, and the objects that hold them. docs/locking.md has their order and
 * what each protects.
 */
#ifndef GMEM_LOCKS_H
#define GMEM_LOCKS_H

#include "gmem/guard.h"
#include "gmem/result.h"
#include "kapi/kapi.h"

namespace gmem
{

/*
 * A lock that is waited for until it comes or the task is killed. Moved, never shared;
 * an empty one holds nothing.
 */
template <class Of, int (*kLock)(Of *), void (*kUnlock)(Of *)> class KillableLock {
    public:
	KillableLock() = default;

	/* -EINTR: killed. */
	static Result<KillableLock> take(Of *of)
	{
		GMEM_CHECK(Status{ kLock(of) });
		return KillableLock{ of };
	}

    private:
	explicit KillableLock(Of *of) : held_(of) {}

	Ref<Of, kUnlock> held_;
};

using KillableMutexLock =
	KillableLock<struct kapi_mutex, kapi_mutex_lock_killable, kapi_mutex_unlock>;

class GMEM_CAPABILITY("mutex") Mutex {
    public:
	explicit Mutex(kapi_lock_class cls) { kapi_mutex_init(&mutex_, cls); }
	Mutex(const Mutex &) = delete;
	Mutex &operator=(const Mutex &) = delete;

	void lock() GMEM_ACQUIRES() { kapi_mutex_lock(&mutex_); }
	void unlock() GMEM_RELEASES() { kapi_mutex_unlock(&mutex_); }
	/* For long queues. -EINTR: killed. */
	Result<KillableMutexLock> lock_killable() { return KillableMutexLock::take(&mutex_); }

    private:
	kapi_mutex mutex_;
};

class GMEM_GUARD_OBJECT MutexGuard {
    public:
	explicit MutexGuard(Mutex &mutex) GMEM_ACQUIRES(mutex) : mutex_(mutex) { mutex_.lock(); }
	~MutexGuard() GMEM_RELEASES() { mutex_.unlock(); }
	MutexGuard(const MutexGuard &) = delete;
	MutexGuard &operator=(const MutexGuard &) = delete;

    private:
	Mutex &mutex_;
};

/* The inode's invalidation lock, for calls that leave the bindings alone. */
using SharedInodeLock = Guard<struct inode, kapi_inode_lock_shared, kapi_inode_unlock_shared>;

/* The inode's invalidation lock, for calls that change bindings. */
using ExclusiveInodeLock = Guard<struct inode, kapi_inode_lock, kapi_inode_unlock>;

/* For calls of user space that can fail: a killed one does not wait for another's long call. */
using KillableSharedInodeLock =
	KillableLock<struct inode, kapi_inode_lock_shared_killable, kapi_inode_unlock_shared>;
using KillableExclusiveInodeLock =
	KillableLock<struct inode, kapi_inode_lock_killable, kapi_inode_unlock>;
using KillableSlotsLock =
	KillableLock<struct kvm, kapi_kvm_slots_lock_killable, kapi_kvm_slots_unlock>;

} /* namespace gmem */

#endif /* GMEM_LOCKS_H */
