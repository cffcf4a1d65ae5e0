// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of the shared fault that a task is in (kvm.h): a hash of the tasks that
 * are in one, while memslots are there that could make one fail in a way of ours.
 */
#include <linux/hashtable.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "kapi.h"
#include "slots.h"

#define BUCKET_BITS 6

struct record {
	struct hlist_node link;
	const struct task_struct *task;
};

static_assert(sizeof(struct record) == sizeof_field(struct kapi_fault, opaque));

static struct bucket {
	spinlock_t lock; /* of records */
	struct hlist_head records;
} buckets[1 << BUCKET_BITS] = {
	[0 ...(1 << BUCKET_BITS) - 1] = { .lock = __SPIN_LOCK_UNLOCKED(buckets.lock) },
};

static struct record *record_of(struct kapi_fault *fault)
{
	return (struct record *)fault->opaque;
}

static struct bucket *bucket_of_current(void)
{
	return &buckets[hash_ptr(current, BUCKET_BITS)];
}

bool kapi_faults_matter(void)
{
	return gmem_slots_only() != 0;
}

void kapi_fault_begin(struct kapi_fault *fault)
{
	struct record *const record = record_of(fault);
	struct bucket *const bucket = bucket_of_current();

	fault->error = 0;
	record->task = current;
	spin_lock(&bucket->lock);
	hlist_add_head(&record->link, &bucket->records);
	spin_unlock(&bucket->lock);
}

void kapi_fault_end(struct kapi_fault *fault)
{
	struct bucket *const bucket = bucket_of_current();

	spin_lock(&bucket->lock);
	hlist_del(&record_of(fault)->link);
	spin_unlock(&bucket->lock);
}

void kapi_fault_note(kapi_u64 gfn, int error)
{
	struct bucket *const bucket = bucket_of_current();
	struct record *record;

	spin_lock(&bucket->lock);
	hlist_for_each_entry(record, &bucket->records, link) {
		/* cppcheck-suppress uninitvar */
		if (record->task == current) {
			struct kapi_fault *const fault = container_of((unsigned long(*)[3])record,
								      struct kapi_fault, opaque);

			fault->gfn = gfn;
			fault->error = error;
			break;
		}
	}
	spin_unlock(&bucket->lock);
}
