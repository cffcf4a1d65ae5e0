// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY beside the deletion of a memslot (kvm.h). KVM of before 6.17
 * tries a page of such a memslot again and again, in the SRCU section that the deletion
 * waits for; a later one does that while page tables are obsolete. KVM looks for signals
 * meanwhile, which is how we have it stop: by the flag that says that there may be
 * something to do before the task goes back to user space, and without anything to do.
 *
 * A deletion from a default VM also makes all page tables obsolete. A vCPU drops its own
 * before it next runs, but, on 6.12, not before it pre-faults: that would be tried again for ever,
 * with no deletion under way that could have it stop. We drop them in its place. Such a
 * call comes here whosever the VM is, so it ends at once: it must not keep the module.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include "compat/kvm.h"
#include "kapi.h"
#include "symbols.h"

struct prefault {
	struct list_head link;
	struct kvm *kvm;
	struct task_struct *task;
	bool stopped;
};

struct deletion {
	struct list_head link;
	struct kvm *kvm;
};

static_assert(sizeof(struct prefault) == sizeof(struct kapi_prefault));
static_assert(sizeof(struct deletion) == sizeof(struct kapi_deletion));

static LIST_HEAD(prefaults);
static LIST_HEAD(deletions);
static DEFINE_SPINLOCK(lock); /* of both */

static bool being_deleted_from(const struct kvm *kvm)
{
	const struct deletion *deletion;

	lockdep_assert_held(&lock);
	list_for_each_entry(deletion, &deletions, link) {
		/* cppcheck-suppress uninitvar */
		if (deletion->kvm == kvm)
			return true;
	}
	return false;
}

bool kapi_prefault_begin(struct kapi_prefault *p, struct kvm_vcpu *vcpu)
{
	struct prefault *const prefault = (struct prefault *)p;
	struct kvm *const kvm = vcpu->kvm;
	bool begun;

	prefault->kvm = kvm;
	prefault->task = current;
	prefault->stopped = false;
	spin_lock(&lock);
	begun = !being_deleted_from(kvm);
	if (begun)
		list_add(&prefault->link, &prefaults);
	spin_unlock(&lock);
#if !GMEM_KVM_RELOAD_DROPS_ROOTS
	if (begun && kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu)) {
		gmem_mmu_free_obsolete_roots(vcpu);
		kapi_prefault_end(p);
		begun = false;
	}
#endif
	return begun;
}

bool kapi_prefault_end(struct kapi_prefault *p)
{
	struct prefault *const prefault = (struct prefault *)p;

	spin_lock(&lock);
	list_del(&prefault->link);
	spin_unlock(&lock);
	return prefault->stopped && !task_sigpending(current);
}

void kapi_deletion_begin(struct kapi_deletion *d, struct kvm *kvm)
{
	struct deletion *const deletion = (struct deletion *)d;
	struct prefault *prefault;

	deletion->kvm = kvm;
	spin_lock(&lock);
	list_add(&deletion->link, &deletions);
	list_for_each_entry(prefault, &prefaults, link) {
		/* cppcheck-suppress uninitvar */
		if (prefault->kvm == kvm) {
			prefault->stopped = true;
			set_tsk_thread_flag(prefault->task, TIF_NOTIFY_SIGNAL);
		}
	}
	spin_unlock(&lock);
}

void kapi_deletion_end(struct kapi_deletion *d)
{
	spin_lock(&lock);
	list_del(&((struct deletion *)d)->link);
	spin_unlock(&lock);
}
