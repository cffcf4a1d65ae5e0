/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locks of the fakes. Each has a rank; a task may take only a lock of a
 * higher rank than all it holds, and may not sleep under a spinning one. They
 * block real threads, or a cooperative task (sched.h).
 */
#ifndef GMEM_FAKES_LOCKS_H
#define GMEM_FAKES_LOCKS_H

#include <functional>
#include <shared_mutex>
#include <vector>

#include "kunit/fakes/fakes.h"

namespace fake
{

/* Outermost first: docs/locking.md. */
enum class Rank {
	Vm, /* kvm->lock */
	Srcu,
	Slots,
	Inode,
	Giant,
	Run,
	Platforms, /* of modelled VMs; nothing is taken under it but Mmu */
	VmModel,
	MachineModel,
	Consumers, /* the register of their bindings; innermost */
	Mmu, /* the only one that spins */
};

class Lock {
    public:
	explicit Lock(Rank rank) : rank_(rank) {}
	Lock(const Lock &) = delete;
	Lock &operator=(const Lock &) = delete;

	void lock();
	void unlock();
	void lock_shared();
	void unlock_shared();
	/* Waits until all tasks that hold it shared now have released it, as SRCU does. */
	void synchronize();

	/* Whether the running task has it, shared or exclusively. */
	bool held() const;
	bool held_exclusively() const;
	Rank rank() const { return rank_; }

    private:
	void acquired(bool exclusive);
	void released(bool exclusive);
	void check_order() const;

	const Rank rank_;
	std::shared_mutex mutex_;
	/* Only under the cooperative scheduler. */
	int readers_ = 0;
	bool writer_ = false;
};

struct Held {
	const Lock *lock;
	bool exclusive;
	std::uint64_t since; /* of the clock */
};

struct SlotRequest {
	struct kvm *kvm;
	unsigned unmapped; /* ranges */
	bool announced;
};

struct Task {
	std::vector<Held> held;
	/* What the kernel does on the way back to user space, as final fput(). */
	std::vector<std::function<void()>> work;
	bool page_faults_off = false;
	SlotRequest slot_request{}; /* that it serves */
	kapi_fault *fault = nullptr; /* that it is in */
	std::function<int()> fault_body; /* set_fault_body() */
	long module_refs = 0; /* of its calls */
};

Task &current();
/* A call that may sleep: an error under a spinning lock. */
void might_sleep(const char *what);
void assert_no_locks();
bool holds(Rank rank);
/*
 * Some work that takes a while, for one run or for one stretch of pages. Only this work
 * moves the clock of the fakes.
 */
void work();
/* How long work() takes from now on; by default no time. Resets the following two. */
void set_work_ms(std::uint64_t ms);
std::uint64_t ms_of_work();
/* The longest time that a task has held an inode lock; how often inode locks were taken. */
std::uint64_t longest_hold();
unsigned long inode_lockings();
/* The way back to user space: no lock is held; deferred work runs. */
void return_to_user();

} /* namespace fake */

#endif /* GMEM_FAKES_LOCKS_H */
