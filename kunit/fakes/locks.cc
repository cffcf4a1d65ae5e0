// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks with a checker of order and sleeping; kapi/locks.c over them.
 */
#include "kunit/fakes/locks.h"

#include <atomic>
#include <new>

#include "kunit/fakes/files.h"
#include "kunit/fakes/kvm.h"
#include "kunit/fakes/sched.h"

namespace fake
{

namespace
{

thread_local Task thread_task;
std::atomic<unsigned long> signal_after, killed_after;
std::atomic<std::uint64_t> clock_ms, work_ms, longest;
std::atomic<unsigned long> inode_locks;

/* Whether the countdown is over, which this call goes on with. */
bool counted_down(std::atomic<unsigned long> &count)
{
	const unsigned long left = count;

	if (left > 1)
		count = left - 1;
	return left == 1;
}

const char *name(Rank rank)
{
	static const char *const names[] = {
		"kvm->lock",	      "srcu",		"slots_lock",	  "inode lock",
		"giant lock",	      "run lock",	"platforms lock", "VM model lock",
		"machine model lock", "consumers lock", "mmu_lock",
	};

	static_assert(std::size(names) == static_cast<int>(Rank::Mmu) + 1);
	return names[static_cast<int>(rank)];
}

} /* namespace */

Task &current()
{
	Task *const task = sched::task();

	return task ? *task : thread_task;
}

void might_sleep(const char *what)
{
	for (const Held &held : current().held) {
		if (held.lock->rank() == Rank::Mmu)
			bug("%s may sleep, and mmu_lock is held", what);
	}
}

void assert_no_locks()
{
	if (!current().held.empty())
		bug("%s is still held", name(current().held.back().lock->rank()));
}

bool holds(Rank rank)
{
	for (const Held &held : current().held) {
		if (held.lock->rank() == rank)
			return true;
	}
	return false;
}

void return_to_user()
{
	Task &task = current();

	assert_no_locks();
	while (!task.work.empty()) {
		const std::function<void()> work = std::move(task.work.back());

		task.work.pop_back();
		work();
		assert_no_locks();
	}
}

void Lock::check_order() const
{
	for (const Held &held : current().held) {
		if (held.lock->rank() >= rank_)
			bug("%s taken under %s", name(rank_), name(held.lock->rank()));
	}
	if (rank_ != Rank::Mmu)
		might_sleep(name(rank_));
}

void Lock::acquired(bool exclusive)
{
	current().held.push_back({ this, exclusive, clock_ms });
	inode_locks += rank_ == Rank::Inode;
}

void Lock::released(bool exclusive)
{
	std::vector<Held> &held = current().held;

	for (auto it = held.rbegin(); it != held.rend(); ++it) {
		if (it->lock == this && it->exclusive == exclusive) {
			if (rank_ == Rank::Inode)
				longest = std::max<std::uint64_t>(longest, clock_ms - it->since);
			held.erase(std::next(it).base());
			return;
		}
	}
	bug("%s released by a task that has not taken it so", name(rank_));
}

void Lock::lock()
{
	check_order();
	if (sched::active()) {
		sched::wait(name(rank_), [this] { return !writer_ && !readers_; });
		writer_ = true;
	} else {
		mutex_.lock();
	}
	acquired(true);
}

void Lock::unlock()
{
	released(true);
	if (sched::active())
		writer_ = false;
	else
		mutex_.unlock();
}

void Lock::lock_shared()
{
	check_order();
	if (sched::active()) {
		sched::wait(name(rank_), [this] { return !writer_; });
		readers_++;
	} else {
		mutex_.lock_shared();
	}
	acquired(false);
}

void Lock::unlock_shared()
{
	released(false);
	if (sched::active())
		readers_--;
	else
		mutex_.unlock_shared();
}

void Lock::synchronize()
{
	might_sleep("synchronize");
	if (held())
		bug("%s is waited for by a task that has it", name(rank_));
	if (sched::active()) {
		sched::wait(name(rank_), [this] { return !readers_; });
	} else {
		mutex_.lock();
		mutex_.unlock();
	}
}

bool Lock::held() const
{
	for (const Held &held : current().held) {
		if (held.lock == this)
			return true;
	}
	return false;
}

bool Lock::held_exclusively() const
{
	for (const Held &held : current().held) {
		if (held.lock == this && held.exclusive)
			return true;
	}
	return false;
}

void set_signal_after(unsigned long calls)
{
	signal_after = calls;
}

void set_killed_after(unsigned long calls)
{
	killed_after = calls;
}

void work()
{
	clock_ms += work_ms;
}

void set_work_ms(std::uint64_t ms)
{
	work_ms = ms;
	longest = 0;
	inode_locks = 0;
}

std::uint64_t ms_of_work()
{
	return work_ms;
}

std::uint64_t longest_hold()
{
	return longest;
}

unsigned long inode_lockings()
{
	return inode_locks;
}

} /* namespace fake */

using fake::Lock;

static Lock *to_lock(struct kapi_mutex *m)
{
	static_assert(sizeof(Lock) <= sizeof(kapi_mutex) && alignof(Lock) <= alignof(kapi_mutex));
	return std::launder(reinterpret_cast<Lock *>(m->opaque));
}

/* There is no call to end a mutex: Lock has nothing that would need it. */
void kapi_mutex_init(struct kapi_mutex *m, enum kapi_lock_class cls)
{
	static constexpr fake::Rank kRanks[] = {
		fake::Rank::Run,
		fake::Rank::Giant,
		fake::Rank::VmModel,
		fake::Rank::MachineModel,
	};

	static_assert(std::size(kRanks) == KAPI_LOCK_CLASSES);
	if (cls >= KAPI_LOCK_CLASSES)
		fake::bug("no such lock class: %d", cls);
	new (m->opaque) Lock(kRanks[cls]);
}

void kapi_mutex_lock(struct kapi_mutex *m)
{
	to_lock(m)->lock();
}

int kapi_mutex_lock_killable(struct kapi_mutex *m)
{
	if (kapi_fatal_signal_pending())
		return -EINTR;
	kapi_mutex_lock(m);
	return 0;
}

void kapi_mutex_unlock(struct kapi_mutex *m)
{
	to_lock(m)->unlock();
}

void kapi_inode_lock(struct inode *inode)
{
	inode->invalidate_lock.lock();
}

/* A killed task gets none of these. */
int kapi_inode_lock_killable(struct inode *inode)
{
	if (kapi_fatal_signal_pending())
		return -EINTR;
	kapi_inode_lock(inode);
	return 0;
}

int kapi_inode_lock_shared_killable(struct inode *inode)
{
	if (kapi_fatal_signal_pending())
		return -EINTR;
	kapi_inode_lock_shared(inode);
	return 0;
}

int kapi_kvm_slots_lock_killable(struct kvm *kvm)
{
	if (kapi_fatal_signal_pending())
		return -EINTR;
	kapi_kvm_slots_lock(kvm);
	return 0;
}

void kapi_inode_unlock(struct inode *inode)
{
	inode->invalidate_lock.unlock();
}

void kapi_inode_lock_shared(struct inode *inode)
{
	inode->invalidate_lock.lock_shared();
}

void kapi_inode_unlock_shared(struct inode *inode)
{
	inode->invalidate_lock.unlock_shared();
}

void kapi_inode_assert_locked(struct inode *inode)
{
	if (!inode->invalidate_lock.held())
		fake::bug("the inode lock is not held");
}

bool kapi_signal_pending(void)
{
	return kapi_fatal_signal_pending() || fake::counted_down(fake::signal_after);
}

bool kapi_fatal_signal_pending(void)
{
	return fake::counted_down(fake::killed_after);
}

void kapi_cond_resched(void)
{
	fake::might_sleep("cond_resched");
	fake::work();
}

kapi_u64 kapi_clock_ms(void)
{
	return fake::clock_ms;
}
