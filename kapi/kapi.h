/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel boundary: everything the C++ core asks of the kernel, and
 * everything the kernel's side calls in the core. Plain C, no kernel struct is
 * ever completed here: the core sees `struct page`, `struct inode` and their
 * like as names only, so the same core runs over fakes (kunit/fakes/).
 *
 * Each import below is one kernel call with its contract; none has logic of its
 * own. "sleeps" means: may sleep, process context only. Sizes of pages are
 * 4 KiB; `index` is a page index in a file; errors are negative errnos.
 */
#ifndef GMEM_KAPI_H
#define GMEM_KAPI_H

#include "kvm.h"
#include "trace.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- locks (kapi/locks.c) ---------------------------------------------- */

/* Lock classes, so that lockdep tells the core's locks apart. */
enum kapi_lock_class {
	KAPI_LOCK_RUN,
	KAPI_LOCK_GIANT,
	KAPI_LOCK_VM_MODEL,
	KAPI_LOCK_MACHINE_MODEL,
	KAPI_LOCK_CLASSES,
};

struct kapi_mutex {
	unsigned long opaque[KAPI_MUTEX_WORDS];
};

void kapi_mutex_init(struct kapi_mutex *m, enum kapi_lock_class cls);
void kapi_mutex_lock(struct kapi_mutex *m); /* sleeps */
/* -EINTR: the task is killed. Sleeps. */
int kapi_mutex_lock_killable(struct kapi_mutex *m);
void kapi_mutex_unlock(struct kapi_mutex *m);

/*
 * The inode's invalidation lock (mapping->invalidate_lock). Shared: bindings
 * stay as they are. Exclusive: bindings may be changed. Sleeps.
 */
void kapi_inode_lock(struct inode *inode);
void kapi_inode_unlock(struct inode *inode);
void kapi_inode_lock_shared(struct inode *inode);
void kapi_inode_unlock_shared(struct inode *inode);
/* The same; -EINTR, and not held: the task was killed meanwhile. */
int kapi_inode_lock_killable(struct inode *inode);
int kapi_inode_lock_shared_killable(struct inode *inode);
void kapi_inode_assert_locked(struct inode *inode);

/* Signals, sleep and clocks of the current task. None of these spins. */
bool kapi_signal_pending(void);
/* Whether it is one that kills the task: it stays. */
bool kapi_fatal_signal_pending(void);
void kapi_cond_resched(void);
/* Gives up the CPU for @ms milliseconds, or a little longer. Sleeps. */
void kapi_sleep(unsigned int ms);
/* Milliseconds since some time, to the precision of the timer's tick. Any context. */
kapi_u64 kapi_clock_ms(void);
/* Nanoseconds since some time, which never go back. */
kapi_u64 kapi_now_ns(void);
/* Nanoseconds that the current task has been on a CPU. */
kapi_u64 kapi_cpu_ns(void);

/* ---- background work (kapi/work.c) ------------------------------------------ */

struct kapi_work {
	unsigned long opaque[KAPI_WORK_WORDS];
};

/* @run(@arg) runs in process context, never twice at once. */
void kapi_work_init(struct kapi_work *work, void (*run)(void *arg), void *arg);
/* Runs it in @delay_ms from now; nothing if it is waiting to run already. */
void kapi_work_schedule(struct kapi_work *work, unsigned int delay_ms);
/* It is neither running nor waiting to when this returns. Sleeps. */
void kapi_work_cancel(struct kapi_work *work);

/* ---- memory for the core's own objects (kapi/memory.c) ------------------ */

/* Zeroed, charged to the caller's cgroup; NULL without memory. Sleeps. */
void *kapi_alloc(size_t size);
/* The same, for one of many: it fails where the OOM killer would run otherwise. */
void *kapi_alloc_many(size_t size);
void kapi_free(const void *p);

/* ---- xarrays (kapi/xarray.c) --------------------------------------------- */

struct kapi_xarray {
	unsigned long opaque[KAPI_XARRAY_WORDS];
};

void kapi_xa_init(struct kapi_xarray *xa);
/* Frees the nodes, not what the entries point to. */
void kapi_xa_destroy(struct kapi_xarray *xa);
void *kapi_xa_load(struct kapi_xarray *xa, kapi_u64 index);
/* First entry at or after *index up to max; NULL if none, *index unchanged. */
void *kapi_xa_find(struct kapi_xarray *xa, kapi_u64 *index, kapi_u64 max);
/*
 * Stores @entry where nothing is. 0, -EBUSY (something is, see @present), or
 * -ENOMEM. Sleeps.
 */
int kapi_xa_insert(struct kapi_xarray *xa, kapi_u64 index, void *entry, void **present);
/*
 * Sees to it that kapi_xa_insert() at @index has memory. -ENOMEM, -EINTR: killed.
 * Sleeps.
 */
int kapi_xa_reserve(struct kapi_xarray *xa, kapi_u64 index);
/* Gives back what was reserved in [first, last] and has no entry near it. Sleeps. */
void kapi_xa_release(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last);
/*
 * Stores @entry over [first, last]; -ENOMEM leaves part of it stored: erase the
 * same range to undo. Sleeps.
 */
int kapi_xa_store_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last, void *entry);
/* Undoes kapi_xa_store_range() of the very same range; cannot fail. */
void kapi_xa_erase_range(struct kapi_xarray *xa, kapi_u64 first, kapi_u64 last);

/* ---- interval trees (kapi/intervals.c) ------------------------------------- */

/* Part of what is in the tree. */
struct kapi_interval {
	unsigned long opaque[KAPI_INTERVAL_WORDS];
};

struct kapi_intervals {
	unsigned long opaque[KAPI_INTERVALS_WORDS];
};

void kapi_intervals_init(struct kapi_intervals *tree);
/* Nothing is in it any more. */
void kapi_intervals_destroy(struct kapi_intervals *tree);
void kapi_intervals_add(struct kapi_intervals *tree, struct kapi_interval *node, kapi_u64 first,
			kapi_u64 last);
void kapi_intervals_remove(struct kapi_intervals *tree, struct kapi_interval *node);
/* The first in order of their starts that overlaps [first, last], or NULL. */
struct kapi_interval *kapi_intervals_first(struct kapi_intervals *tree, kapi_u64 first,
					   kapi_u64 last);
/* The one after @node, likewise. */
struct kapi_interval *kapi_intervals_next(struct kapi_interval *node, kapi_u64 first,
					  kapi_u64 last);

/* ---- consumers in other modules (kapi/consumers.c) -------------------------- */

/* Of their bindings as their modules know them. Innermost. Sleeps. */
void kapi_consumers_lock(void);
void kapi_consumers_unlock(void);
/*
 * A register of what is bound, which finds out about pointers that dangle. Nothing
 * in it is less than 64 bytes from another. -ENOMEM. Sleeps.
 */
int kapi_consumers_add(void *consumer);
bool kapi_consumers_has(void *consumer);
void kapi_consumers_remove(void *consumer);
/* False: it is being unloaded. NULL, which is built in, never is. */
bool kapi_module_get(struct module *module);
void kapi_module_put(struct module *module);

/* ---- pages (kapi/pages.c) -------------------------------------------------- */

/*
 * 2^order physically contiguous, naturally aligned pages, each with a reference
 * count of its own (no compound page). NULL without memory; orders above 0 give
 * up early instead of reclaiming hard. Sleeps.
 */
struct page *kapi_pages_alloc(unsigned int order);
/* The same from the NUMA nodes that the policy for @index of @inode names. */
struct page *kapi_pages_alloc_at(struct inode *inode, kapi_u64 index, unsigned int order);
/*
 * The same on @node and nowhere else, for any caller; also NULL: the policy of @inode at
 * @index, or the cpuset of the file's owner, does not allow that node.
 */
struct page *kapi_pages_alloc_on(struct inode *inode, kapi_u64 index, unsigned int order, int node);
/* The NUMA node that the page lies on. */
int kapi_page_node(struct page *page);
/*
 * The cgroup of the owner of @inode pays for @count neighbours until each is freed.
 * -ENOMEM: it cannot, and pays for none. Sleeps.
 */
int kapi_pages_charge(struct inode *inode, struct page *first, unsigned int count);
/* Whether the allocator already hands out zeroed pages (init_on_alloc). */
bool kapi_pages_come_zeroed(void);
/* Clears @count pages from @first on. Sleeps. */
void kapi_pages_clear(struct page *first, kapi_u64 count);
struct page *kapi_page_nth(struct page *first, kapi_u64 n);
kapi_u64 kapi_page_pfn(struct page *page);
bool kapi_page_poisoned(struct page *page);
/*
 * Which of @count neighbours from @first on, from the one numbered @from on, is the next
 * that the hardware has marked; @count if none is.
 */
kapi_u64 kapi_pages_next_poisoned(struct page *first, kapi_u64 from, kapi_u64 count);
void kapi_page_get(struct page *page);
/* The same for who asked for it, counted as a fault of @inode (kapi/files.c). */
void kapi_page_hand_out(struct page *page, struct inode *inode);
/* The kernel's page of zeros, with a reference. */
struct page *kapi_page_zero(void);
void kapi_page_put(struct page *page);
/* Drops one reference of each of @count neighbours. */
void kapi_pages_put(struct page *first, kapi_u64 count);
/* Drops one reference of each of the pages in the array, in one batch. */
void kapi_pages_put_array(struct page **pages, unsigned int count);
/*
 * Frees @count neighbours that kapi_cache_take_run() left frozen, as one block
 * where they are one. Sleeps.
 */
void kapi_pages_free_frozen(struct page *first, kapi_u64 count);
/* A frozen page that must never be used again. */
void kapi_page_leak_frozen(struct page *page);
/* Waits until the page is not locked. Sleeps. */
void kapi_page_wait_unlocked(struct page *page);
bool kapi_page_trylock(struct page *page);
void kapi_page_unlock(struct page *page);
/* Puts back what the kernel holds in batches of its own, on every CPU. Sleeps. */
void kapi_drain_batches(void);

/* ---- the reserve (kapi/reserve.c) ------------------------------------------ */

/* How many blocks of 1 GiB (order 18) are set aside; there are no others. */
unsigned int kapi_pages_reserved(void);
/*
 * One of them, as kapi_pages_alloc() would have it, on a node that the current task
 * may have memory of, charged as by kapi_pages_charge(). One with a page that memory
 * failure has marked is told of in the log and never given. NULL: there is none, or
 * the cgroup cannot pay for it, and has taken none. Sleeps.
 */
struct page *kapi_reserve_take(struct inode *inode);
/* Puts one back that has no user, and uncharges it. Sleeps. */
void kapi_reserve_return(struct page *first);

/* ---- page cache (kapi/cache.c) --------------------------------------------- */

/*
 * Puts @count neighbouring pages, which are charged, into the inode's page cache at
 * @index and on; the caller's reference of each becomes the cache's. All or nothing:
 * -ENOMEM, -EEXIST, then the pages are the caller's as before. Accounts i_blocks.
 * Sleeps.
 */
int kapi_cache_insert(struct inode *inode, kapi_u64 index, struct page *first, unsigned int count);
/* The page at @index without a reference, or NULL; caller excludes removal. */
struct page *kapi_cache_peek(struct inode *inode, kapi_u64 index);
/*
 * Takes up to @max pages of [*index, end) out of the cache, in order, into
 * @pages; the cache's references become the caller's. Moves *index behind the
 * last index looked at. Stops in front of a page that someone else has locked:
 * then *busy is that page, with a reference for the caller.
 */
unsigned int kapi_cache_take(struct inode *inode, kapi_u64 *index, kapi_u64 end,
			     struct page **pages, unsigned int max, struct page **busy);
/*
 * Takes the aligned run of 2^order neighbours from @first, at @index, out of the
 * cache at one stroke. Afterwards the pages are frozen: their counts are zero
 * and no task can get a reference. False, and nothing has changed, if one of them
 * has another reference than the cache's now.
 */
bool kapi_cache_take_run(struct inode *inode, kapi_u64 index, struct page *first,
			 unsigned int order);
/*
 * Puts a block of 2^order neighbours, which is charged, in the place of all the pages
 * of the run at @index, and frees those; the block's pages hold the same bytes. The
 * caller's references of the block become the cache's. Or nothing has changed: -EBUSY,
 * a page is missing or has another reference; -EHWPOISON, one is marked, or cannot
 * be read, which memory failure will hear of; -ENOMEM. Sleeps.
 */
int kapi_cache_replace_run(struct inode *inode, kapi_u64 index, struct page *block,
			   unsigned int order);
/*
 * Takes [start, end) out of all user mappings of the inode. They come back by
 * faults, which the inode lock held exclusively keeps away. Sleeps.
 */
void kapi_cache_unmap_user(struct inode *inode, kapi_u64 start, kapi_u64 end);
/*
 * The index of the first page in [start, end) with another reference than the cache's;
 * @end if there is none. The inode lock is held exclusively. Sleeps.
 */
kapi_u64 kapi_cache_first_used(struct inode *inode, kapi_u64 start, kapi_u64 end);
/* The same for poison; caller excludes removal. Sleeps. */
kapi_u64 kapi_cache_first_poisoned(struct inode *inode, kapi_u64 start, kapi_u64 end);
/* The node that all pages of [start, end) are on, of which there are some; or -EXDEV. */
int kapi_cache_node(struct inode *inode, kapi_u64 start, kapi_u64 end);
/* Index of a page that is in a cache and cannot leave it. */
kapi_u64 kapi_cache_index(struct page *page);

/* ---- files (kapi/files.c) ---------------------------------------------------- */

/*
 * Makes an inode of @size bytes on the module's pseudo file system and a file
 * for it, which user space can map if @mappable. @core_inode and @core_file come
 * back in the calls below. The file is not yet in a descriptor table. -ENOMEM, -ENFILE;
 * -EACCES or another error of a security module's. Sleeps.
 */
int kapi_file_create(kapi_u64 size, bool mappable, void *core_inode, void *core_file,
		     struct file **file, struct inode **inode);
/* Another file of an inode that has one. -ENOMEM, -ENFILE. Sleeps. */
int kapi_file_link(struct inode *inode, void *core_file, struct file **file);
/* Reads the argument of KVM_LINK_GUEST_MEMFD. -EFAULT. Sleeps. */
int kapi_link_read(struct kvm_link_guest_memfd *args, unsigned long arg);
/* A free descriptor (-EMFILE), to be installed or cancelled. */
int kapi_fd_reserve(void);
void kapi_fd_install(int fd, struct file *file);
void kapi_fd_cancel(int fd);
struct file *kapi_file_from_fd(unsigned int fd); /* with a reference, or NULL */
void kapi_file_put(struct file *file);
/* What was given as @core_file, or NULL if the file is not one of ours. */
void *kapi_file_core(struct file *file);
kapi_u64 kapi_inode_size(struct inode *inode);
/* A reference of an inode that has one. The last put evicts it; sleeps. */
void kapi_inode_hold(struct inode *inode);
void kapi_inode_put(struct inode *inode);

/* ---- what platforms need (kapi/platform.c) ------------------------------------------ */

/* The 4096 bytes of a frame, as the kernel sees them; caller keeps the page alive. */
void *kapi_frame(kapi_u64 pfn);
/* Gives up the CPU for some tens of microseconds. Sleeps. */
void kapi_nap(void);
/*
 * To and from user memory of the current task: 0 or -EFAULT. Inside a callback
 * of kapi_populate_call() they do not fault pages in. Sleep.
 */
int kapi_user_read(void *to, const void *from, size_t size);
int kapi_user_write(void *to, const void *from, size_t size);

/* Of the list of modelled VMs. Outside a model's lock, and with no run's held. Sleeps. */
void kapi_platforms_lock(void);
void kapi_platforms_unlock(void);

/* What software-protected VMs run on. */
enum kapi_platform {
	KAPI_PLATFORM_NONE,
	KAPI_PLATFORM_SNP_MODEL,
	KAPI_PLATFORM_TDX_MODEL,
};

enum kapi_platform kapi_setting_platform(void);

/* ---- launches in debugfs (kapi/launches.c) --------------------------------------------- */

/* To the file that one of gmem_launches_show() and gmem_snp_vcek_show() has been given. */
__attribute__((format(printf, 2, 3))) void kapi_seq_print(void *seq, const char *format, ...);

/* ---- hardware poison (kapi/poison.c) ------------------------------------------------ */

/*
 * If the page is one of ours, puts it where memory failure can handle it. Says
 * whether it was. Sleeps.
 */
bool kapi_poison_expose(unsigned long pfn);

/* ---- statistics (kapi/stats.c) ----------------------------------------------------------- */

/* Kept per inode and in total; docs/architecture.md has the names and explains each. */
enum kapi_stat {
	KAPI_STAT_PAGES, /* present now */
	KAPI_STAT_SHARED, /* of those the shared ones */
	KAPI_STAT_RUNS, /* runs in one block now */
	KAPI_STAT_GIANTS, /* 1 GiB in one block now */
	/* Small pages by their reasons, from KAPI_SMALL_MEMORY on. */
	KAPI_STAT_FALLBACK_MEMORY,
	KAPI_STAT_FALLBACK_PLACE,
	KAPI_STAT_FALLBACK_SHARED,
	KAPI_STAT_FALLBACK_PARTIAL,
	KAPI_STAT_FALLBACK_POISONED,
	KAPI_STAT_FALLBACK_PLATFORM,
	KAPI_STAT_FALLBACK_POLICY,
	KAPI_STAT_PROMOTIONS, /* runs that became one block again */
	KAPI_STAT_PROMOTION_NS, /* nanoseconds of a CPU that trying took */
	KAPI_STAT_LEAKED, /* pages never freed: the platform or a holder still has them */
	KAPI_STAT_CONVERSIONS, /* done */
	KAPI_STAT_PUNCHES, /* holes */
	KAPI_STAT_SPLITS, /* runs that no mapping can show as one any more */
	/* Faults and conversions that were refused: */
	KAPI_STAT_REFUSED_STATE, /* it is shared and was asked for as private, or vice versa */
	KAPI_STAT_REFUSED_BUSY, /* somebody uses it */
	KAPI_STAT_REFUSED_LOST, /* it is lost */
	KAPI_STAT_REFUSED_MEMORY, /* there is none, or it cannot be paid for */
	KAPI_STAT_REFUSED_OTHER, /* by the platform, a consumer or the file's state */
	KAPI_STATS_OF_FILES,
	/* Of the platforms, in total only. */
	KAPI_STAT_REPORTS = KAPI_STATS_OF_FILES, /* rules broken, each a report in the log */
	KAPI_STAT_BUSY, /* waits for a busy platform */
	KAPI_STATS,
};
/* Faults are counted where their pages are handed out: kapi_page_hand_out(). */

/* Adds to the total; the core keeps those of its inodes. */
void kapi_stat_add(enum kapi_stat stat, long n);

/* ---- settings (kapi/module.c) ------------------------------------------------------------ */

enum kapi_huge {
	KAPI_HUGE_NEVER,
	KAPI_HUGE_ADVISE,
	KAPI_HUGE_ALWAYS,
};

enum kapi_huge kapi_setting_huge(void);
/* Whether guest_memfd is left to the stock backend. */
bool kapi_setting_backend_stock(void);
/* How much may be copied to make runs huge again, of all files: MiB a second, 0 for none. */
unsigned int kapi_setting_promotion_mib(void);

/* ---- reports ------------------------------------------------------------------------------ */

/* A line in the log at the level of errors, in vprintk()'s format. */
__attribute__((format(printf, 1, 2))) void kapi_report(const char *format, ...);
/* WARN_ONCE: an invariant of ours is broken; the caller goes on with an error. */
void kapi_warn_once(const char *what);
/* The same, of a fault that is not gmem's, on debug kernels. */
void kapi_debug_warn_once(const char *what);
__attribute__((noreturn)) void kapi_panic(const char *what);

/* ==== the core's entries, called by kapi/files.c ============================================ */

/* Page @index for a user mapping; see File::user_page(), whose errors it has. */
int gmem_file_fault(void *core_file, kapi_u64 index, struct page **page);
/* KVM_SET_MEMORY_ATTRIBUTES2 of include/uapi/gmem.h; @user: its argument, user space's. Sleeps. */
long gmem_file_convert(void *core_file, void *user);
long gmem_file_fallocate(void *core_file, bool punch, kapi_u64 offset, kapi_u64 len);
void gmem_file_release(void *core_file);
/* One statistic of the file's inode. */
long gmem_file_stat(void *core_file, enum kapi_stat stat);
/*
 * The ioctls of include/uapi/gmem.h, which has their results; the arguments are
 * the kernel's copies. @handle is the one behind @core_file. Each sleeps.
 */
long gmem_file_populate(struct file *handle, void *core_file, struct gmem_launch_populate *args);
long gmem_file_finish(void *core_file, struct gmem_launch_finish *args);
long gmem_file_measurement(void *core_file, struct gmem_launch_measurement *args);
/*
 * A line for each VM that is launched by KVM's commands: its state, digest and policy; or if
 * @steps what it has measured, as gmem-measure reads it. Sleeps.
 */
void gmem_launches_show(void *seq, bool steps);
/* The key that signs reports, the processor that it is of, and its TCB, as gmem-report reads it. */
void gmem_snp_vcek_show(void *seq);
/* What guests get with reports from now on. -EINVAL: no table of certificates, and none is lost. */
int gmem_snp_certificates_store(const void *table, size_t size);
/* Likewise; the map itself is written to user space meanwhile. */
long gmem_file_map(void *core_file, struct gmem_get_map *args);
/* What a file is, for its fdinfo. */
struct kapi_description {
	struct kvm *vm;
	const char *platform; /* Platform::name() */
	bool huge, mappable;
	bool open; /* not linked to another VM */
	bool bound; /* there is a memslot on it */
};
/* -EINTR: killed. Takes the inode lock; sleeps. */
int gmem_file_describe(void *core_file, struct kapi_description *description);
/* The inode's last user is gone: free its pages and the core's part of it. */
void gmem_inode_evict(void *core_inode);
/* Hardware poison hit @page of the inode's cache; the page is locked. */
void gmem_inode_poisoned(void *core_inode, struct page *page);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_H */
