// SPDX-License-Identifier: GPL-2.0-only
/*
 * The suites' world (kunit/world.h) in the kernel: real pages, files, threads.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <uapi/linux/kvm.h>

#include <gmem/gmem.h>

#include "../../kapi/stats.h"
#include "../../kapi/poison.h"
#include "kvm.h"

int world_create(struct kvm *kvm, u64 size, u64 flags)
{
	struct kvm_create_guest_memfd args = { .size = size, .flags = flags };

	return gmem_create(kvm, &args);
}

void world_close(int fd)
{
	struct file *const file = fget(fd);

	close_fd(fd);
	/* The last reference, put here rather than by a worker later on. */
	if (file)
		__fput_sync(file);
}

void world_settle(void)
{
	flush_delayed_fput();
}

static const struct file_operations foreign_fops = {
	.owner = THIS_MODULE,
};

int world_foreign_fd(void)
{
	return anon_inode_getfd("[gmem-foreign]", &foreign_fops, NULL, O_RDWR);
}

u64 world_page_read(struct page *page)
{
	const u64 *const at = kmap_local_page(page);
	const u64 value = READ_ONCE(*at);

	kunmap_local(at);
	return value;
}

void world_page_write(struct page *page, u64 value)
{
	u64 *const at = kmap_local_page(page);

	WRITE_ONCE(*at, value);
	kunmap_local(at);
}

struct page *world_page(u64 pfn)
{
	return pfn_to_page(pfn);
}

int world_page_refs(struct page *page)
{
	return page_count(page);
}

bool world_page_trylock(struct page *page)
{
	return folio_trylock(page_folio(page));
}

void world_page_unlock(struct page *page)
{
	folio_unlock(page_folio(page));
}

void world_page_set_poisoned(struct page *page, bool poisoned)
{
	/* Memory failure counts them. */
	atomic_long_t *const count = gmem_poisoned_pages();

	if (poisoned && !TestSetPageHWPoison(page) && count)
		atomic_long_inc(count);
	if (!poisoned && TestClearPageHWPoison(page) && count)
		atomic_long_dec(count);
}

void world_set_platform(enum kapi_platform platform)
{
	world_platform = platform;
}

/* What was added to @stat since this was last asked. */
static long news(enum kapi_stat stat)
{
	static long told[KAPI_STATS];
	const long total = gmem_stat_total(stat), before = told[stat];

	told[stat] = total;
	return total - before;
}

long world_reports(void)
{
	return news(KAPI_STAT_REPORTS);
}

long world_naps(void)
{
	return news(KAPI_STAT_BUSY);
}

struct world_thread {
	void (*fn)(void *arg);
	void *arg;
	struct completion done;
};

static int thread_main(void *arg)
{
	struct world_thread *const thread = arg;

	thread->fn(thread->arg);
	complete(&thread->done);
	return 0;
}

void *world_thread(void (*fn)(void *), void *arg)
{
	struct world_thread *const thread = kzalloc(sizeof(*thread), GFP_KERNEL | __GFP_NOFAIL);

	thread->fn = fn;
	thread->arg = arg;
	init_completion(&thread->done);
	if (IS_ERR(kthread_run(thread_main, thread, "gmem-kunit"))) {
		kfree(thread);
		return NULL;
	}
	return thread;
}

void world_join(void *thread)
{
	struct world_thread *const t = thread;

	wait_for_completion(&t->done);
	kfree(t);
}

void *world_user_memory(void)
{
	const unsigned long at = kunit_vm_mmap(current->kunit_test, NULL, 0, 16 * PAGE_SIZE,
					       PROT_READ | PROT_WRITE,
					       MAP_ANONYMOUS | MAP_PRIVATE, 0);

	return IS_ERR_VALUE(at) ? NULL : (void *)at;
}

void world_check_clean(void)
{
	struct kunit *const test = current->kunit_test;

	world_settle();
	KUNIT_EXPECT_EQ_MSG(test, world_vms(), 0, "VMs are left");
}
