// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is kept away while a request for a memslot is served (kvm.h).
 *
 * KVM_PRE_FAULT_MEMORY, of any memory of the VM. KVM of before 6.17
 * tries a page of such a memslot again and again, in the SRCU section that the deletion
 * waits for; a later one does that while page tables are obsolete. KVM looks for signals
 * meanwhile, which is how we have it stop: by the flag that says that there may be
 * something to do before the task goes back to user space, and without anything to do.
 *
 * A deletion from a default VM also makes all page tables obsolete. A vCPU drops its own
 * before it next runs, but, on 6.12, not before it pre-faults: that would be tried again for ever,
 * with no deletion under way that could have it stop. We drop them in its place. Such a
 * call comes here whosever the VM is, so it ends at once: it must not keep the module.
 *
 * Mappings of the memslot that is made. A vCPU that found no memslot there may still be on
 * its way to say so in the page tables, and must not come upon a mapping of what is there
 * now: KVM of 7.x warns of that, and splits a huge one. KVM has waited for such vCPUs when
 * the request is done.
 *
 * Announced requests. That wait would be one for ever if one of those vCPUs pre-faults: KVM shows
 * it the new memslot, of which nothing is mapped until the wait is over, and it tries again and
 * again. So it must be known here. As long as nothing of ours is there, calls of default VMs are
 * not sent to us (hook_table.c). A request that is to make the first such thing therefore has them
 * sent from now on, and then waits for those that were not.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

#include "compat/kvm.h"
#include "kapi.h"
#include "slots.h"
#include "symbols.h"

struct prefault {
	struct list_head link;
	struct kvm *kvm;
	struct task_struct *task;
	bool stopped;
};

struct request {
	struct list_head link;
	struct kvm *kvm;
	struct task_struct *task;
	u32 unmapped; /* invalidations that it has begun */
	bool announced;
};

static_assert(sizeof(struct prefault) == sizeof(struct kapi_prefault));
static_assert(sizeof(struct request) == sizeof(struct kapi_slot_request));

static LIST_HEAD(prefaults);
static LIST_HEAD(requests);
static DEFINE_SPINLOCK(lock); /* of both */

/* How many requests are announced, of any VM. */
static atomic_t announced;

/*
 * Exactly @kvm's: a call of another VM that came to us for nothing would end in -EAGAIN for as
 * long as the announcing VM likes.
 */
static notrace bool is_announced(const struct kvm *kvm)
{
	struct request *request;
	bool found = false;

	if (!atomic_read(&announced))
		return false;
	spin_lock(&lock);
	list_for_each_entry(request, &requests, link)
		/* cppcheck-suppress uninitvar */
		found = found || (request->kvm == kvm && request->announced);
	spin_unlock(&lock);
	return found;
}

bool notrace gmem_prefault_matters(const struct kvm_vcpu *vcpu)
{
	if (gmem_kvm_may_be_ours(vcpu->kvm) || is_announced(vcpu->kvm))
		return true;
	/* Page tables of before a deletion: see above. */
	return !GMEM_KVM_RELOAD_DROPS_ROOTS &&
	       kvm_test_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, (struct kvm_vcpu *)vcpu);
}

/* One for a memslot of @kvm; of @task, if it is not NULL. */
static struct request *request_for(const struct kvm *kvm, const struct task_struct *task)
{
	struct request *request;

	lockdep_assert_held(&lock);
	list_for_each_entry(request, &requests, link) {
		/* cppcheck-suppress uninitvar */
		if (request->kvm == kvm && (!task || request->task == task))
			return request;
	}
	return NULL;
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
	/* What is not about us is not kept here: it was sent for a reason that is gone. */
	begun = gmem_kvm_may_be_ours(kvm) && !request_for(kvm, NULL);
	if (begun)
		list_add(&prefault->link, &prefaults);
	spin_unlock(&lock);
#if !GMEM_KVM_RELOAD_DROPS_ROOTS
	if (kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu)) {
		gmem_mmu_free_obsolete_roots(vcpu);
		if (begun)
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

void kapi_slot_request_begin(struct kapi_slot_request *r, struct kvm *kvm)
{
	struct request *const request = (struct request *)r;
	struct prefault *prefault;

	request->kvm = kvm;
	request->task = current;
	request->unmapped = 0;
	request->announced = false;
	spin_lock(&lock);
	list_add(&request->link, &requests);
	list_for_each_entry(prefault, &prefaults, link) {
		/* cppcheck-suppress uninitvar */
		if (prefault->kvm == kvm) {
			prefault->stopped = true;
			set_tsk_thread_flag(prefault->task, TIF_NOTIFY_SIGNAL);
		}
	}
	spin_unlock(&lock);
}

void kapi_slot_request_announce(struct kapi_slot_request *r)
{
	struct request *const request = (struct request *)r;
	struct kvm *const kvm = request->kvm;

	spin_lock(&lock);
	request->announced = true;
	spin_unlock(&lock);
	atomic_inc(&announced);
	/*
	 * Of other VMs all calls are sent. One that began before gmem.ko was loaded and has not
	 * ended yet is not waited for: its VM's own task would wait for it, until a signal.
	 */
	if (kvm->arch.vm_type == KVM_X86_DEFAULT_VM)
		synchronize_srcu_expedited(&kvm->srcu);
}

int kapi_slot_request_keep_unmapped(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	struct request *request;

	spin_lock(&lock);
	request = request_for(kvm, current);
	spin_unlock(&lock);
	/* None: the asking function is not hooked. A request is on its task's stack: it stays. */
	if (!request)
		return 0;
	if (!request->announced)
		return -EAGAIN;
	kapi_mmu_begin(kvm, start, end);
	request->unmapped++;
	return 0;
}

void kapi_slot_request_end(struct kapi_slot_request *r)
{
	struct request *const request = (struct request *)r;

	while (request->unmapped) {
		kapi_mmu_end(request->kvm);
		request->unmapped--;
	}
	if (request->announced)
		atomic_dec(&announced);
	spin_lock(&lock);
	list_del(&request->link);
	spin_unlock(&lock);
}
