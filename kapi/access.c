// SPDX-License-Identifier: GPL-2.0-only
/*
 * The right to a VM's memory. A descriptor is not enough: VMMs hand descriptors to device
 * backends, which may see only what the guest shares.
 */
#include <linux/capability.h>
#include <linux/kvm_host.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

#include "kapi.h"
#include "symbols.h"

/* A task of the process that @mm is the memory of, with a reference; NULL if it is gone. */
static struct task_struct *owner_get(struct mm_struct *mm)
{
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(mm->owner);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

bool kapi_kvm_may_have_memory(struct kvm *kvm)
{
	struct task_struct *task;
	struct mm_struct *mm;
	bool gone;

	if (kvm->mm == current->mm)
		return true;
	/* A tracer could make the VMM do the same, and read what the VMM reads. */
	task = owner_get(kvm->mm);
	if (task) {
		mm = gmem_mm_access(task, PTRACE_MODE_ATTACH_REALCREDS);
		put_task_struct(task);
		if (IS_ERR(mm))
			return false;
		/* The task may have left the VMM's memory since, by an exec or its end. */
		gone = mm != kvm->mm;
		if (mm)
			mmput(mm);
		if (!gone)
			return true;
	}
	/* The process that had the right is gone. */
	return capable(CAP_SYS_PTRACE);
}
