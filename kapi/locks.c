// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks and scheduling: <linux/mutex.h>, the inode's invalidation lock of
 * <linux/pagemap.h>, signals.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "kapi.h"

static struct lock_class_key class_keys[KAPI_LOCK_CLASSES];
static const char *const class_names[KAPI_LOCK_CLASSES] = {
	[KAPI_LOCK_RUN] = "gmem_run",
	[KAPI_LOCK_GIANT] = "gmem_giant",
	[KAPI_LOCK_VM_MODEL] = "gmem_vm_model",
	[KAPI_LOCK_MACHINE_MODEL] = "gmem_machine_model",
};

static struct mutex *to_mutex(struct kapi_mutex *m)
{
	BUILD_BUG_ON(sizeof(struct mutex) > sizeof(struct kapi_mutex));
	return (struct mutex *)m;
}

void kapi_mutex_init(struct kapi_mutex *m, enum kapi_lock_class cls)
{
	__mutex_init(to_mutex(m), class_names[cls], &class_keys[cls]);
}

void kapi_mutex_lock(struct kapi_mutex *m)
{
	mutex_lock(to_mutex(m));
}

int kapi_mutex_lock_killable(struct kapi_mutex *m)
{
	return mutex_lock_killable(to_mutex(m));
}

void kapi_mutex_unlock(struct kapi_mutex *m)
{
	mutex_unlock(to_mutex(m));
}

void kapi_inode_lock(struct inode *inode)
{
	filemap_invalidate_lock(inode->i_mapping);
}

int kapi_inode_lock_killable(struct inode *inode)
{
	return down_write_killable(&inode->i_mapping->invalidate_lock);
}

void kapi_inode_unlock(struct inode *inode)
{
	filemap_invalidate_unlock(inode->i_mapping);
}

void kapi_inode_lock_shared(struct inode *inode)
{
	filemap_invalidate_lock_shared(inode->i_mapping);
}

int kapi_inode_lock_shared_killable(struct inode *inode)
{
	return down_read_killable(&inode->i_mapping->invalidate_lock);
}

void kapi_inode_unlock_shared(struct inode *inode)
{
	filemap_invalidate_unlock_shared(inode->i_mapping);
}

void kapi_inode_assert_locked(struct inode *inode)
{
	lockdep_assert_held(&inode->i_mapping->invalidate_lock);
}

bool kapi_signal_pending(void)
{
	/* signal_pending() is true of io_uring's notifications, too, which can wait. */
	return task_sigpending(current);
}

bool kapi_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

void kapi_cond_resched(void)
{
	cond_resched();
}

void kapi_sleep(unsigned int ms)
{
	msleep(ms);
}

kapi_u64 kapi_clock_ms(void)
{
	return jiffies64_to_msecs(get_jiffies_64());
}
