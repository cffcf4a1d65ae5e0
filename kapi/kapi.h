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

#if defined(__KERNEL__) && !defined(__cplusplus)
#include <linux/types.h>
typedef u64 kapi_u64;
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint64_t kapi_u64;
#endif

#include "kapi_sizes.h"

#ifdef __cplusplus
extern "C" {
#endif

struct file;
struct gmem_launch_finish;
struct gmem_launch_measurement;
struct gmem_launch_populate;
struct inode;
struct kvm;
struct kvm_create_guest_memfd;
struct kvm_link_guest_memfd;
struct kvm_memory_attributes2;
struct kvm_memory_slot;
struct kvm_vcpu;
struct module;
struct page;

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
void kapi_mutex_unlock(struct kapi_mutex *m);

/*
 * The inode's invalidation lock (mapping->invalidate_lock). Shared: bindings
 * stay as they are. Exclusive: bindings may be changed. Sleeps.
 */
void kapi_inode_lock(struct inode *inode);
void kapi_inode_unlock(struct inode *inode);
void kapi_inode_lock_shared(struct inode *inode);
void kapi_inode_unlock_shared(struct inode *inode);
void kapi_inode_assert_locked(struct inode *inode);

/*
 * Exclusive, of one of several inodes whose locks a task takes with @kvm's
 * slots_lock held, in the order of their addresses.
 */
void kapi_inode_lock_among(struct inode *inode, struct kvm *kvm);

/* Busy-wait free helpers around the current task. */
bool kapi_signal_pending(void);
void kapi_cond_resched(void);
/* Gives up the CPU for @ms milliseconds, or a little longer. Sleeps. */
void kapi_sleep(unsigned int ms);

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
 * How many blocks of 1 GiB (order 18) are set aside for kapi_pages_alloc(), which
 * has them from nowhere else.
 */
unsigned int kapi_pages_reserved(void);
/* Whether the allocator already hands out zeroed pages (init_on_alloc). */
bool kapi_pages_come_zeroed(void);
/* Clears @count pages from @first on. Sleeps. */
void kapi_pages_clear(struct page *first, kapi_u64 count);
struct page *kapi_page_nth(struct page *first, kapi_u64 n);
kapi_u64 kapi_page_pfn(struct page *page);
bool kapi_page_poisoned(struct page *page);
void kapi_page_get(struct page *page);
/* A page of zeros that is nobody's, with a reference. */
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
/* Waits until nobody holds the page's lock. Sleeps. */
void kapi_page_wait_unlocked(struct page *page);
bool kapi_page_trylock(struct page *page);
void kapi_page_unlock(struct page *page);
/* Puts back what the kernel holds in batches of its own, on every CPU. Sleeps. */
void kapi_drain_batches(void);

/* ---- page cache (kapi/cache.c) --------------------------------------------- */

/*
 * Puts @count neighbouring pages into the inode's page cache at @index and on;
 * the caller's reference of each becomes the cache's. All or nothing: -ENOMEM,
 * -EEXIST, then the references are still the caller's, who can only free the
 * pages: they may be charged already. Accounts i_blocks and
 * the cgroup of the current task. Sleeps.
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
 * and nobody can get a reference. False, and nothing has changed, if somebody
 * has a reference of one of them now.
 */
bool kapi_cache_take_run(struct inode *inode, kapi_u64 index, struct page *first,
			 unsigned int order);
/*
 * Puts a new block of 2^order neighbours in the place of all the pages of the
 * run at @index, and frees those; the block's pages hold the same bytes. The
 * caller's references of the block become the cache's. -EBUSY: a page is missing
 * or somebody has a reference; -ENOMEM: nothing has changed. Sleeps.
 */
int kapi_cache_replace_run(struct inode *inode, kapi_u64 index, struct page *block,
			   unsigned int order);
/*
 * Takes [start, end) out of all user mappings of the inode. They come back by
 * faults, which the inode lock held exclusively keeps away. Sleeps.
 */
void kapi_cache_unmap_user(struct inode *inode, kapi_u64 start, kapi_u64 end);
/*
 * The index of the first page in [start, end) that somebody beside the cache has a
 * reference of; @end if there is none. The inode lock is held exclusively. Sleeps.
 */
kapi_u64 kapi_cache_first_used(struct inode *inode, kapi_u64 start, kapi_u64 end);
/* The same for poison; caller excludes removal. Sleeps. */
kapi_u64 kapi_cache_first_poisoned(struct inode *inode, kapi_u64 start, kapi_u64 end);
/* Index of a page that is in a cache and cannot leave it. */
kapi_u64 kapi_cache_index(struct page *page);

/* ---- files (kapi/files.c) ---------------------------------------------------- */

/*
 * Makes an inode of @size bytes on the module's pseudo file system and a file
 * for it, which user space can map if @mappable. @core_inode and @core_file come
 * back in the calls below. The file is not yet in a descriptor table. -ENOMEM, -ENFILE. Sleeps.
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

/* ---- KVM (kapi/kvm.c) ----------------------------------------------------------- */

void kapi_kvm_get(struct kvm *kvm);
void kapi_kvm_put(struct kvm *kvm);
void kapi_kvm_slots_lock(struct kvm *kvm); /* sleeps; outermost */
void kapi_kvm_slots_unlock(struct kvm *kvm);
/* KVM_X86_*_VM of the VM. */
unsigned long kapi_kvm_type(struct kvm *kvm);
bool kapi_kvm_has_private_mem(struct kvm *kvm);
/*
 * Whether a vCPU has been in the guest. True where a guest has used a mapping that
 * kapi_mmu_unmap() took away before.
 */
bool kapi_kvm_has_run(struct kvm *kvm);
/* Whether KVM's attributes say private for all of [start, end). */
bool kapi_kvm_range_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
struct kvm *kapi_vcpu_kvm(struct kvm_vcpu *vcpu);
/* KVM_RUN exits to user space for a shared access to the page at @gfn. */
void kapi_vcpu_exit_shared(struct kvm_vcpu *vcpu, kapi_u64 gfn);
/* Whether the gfn that @vcpu faulted on is private in a software-protected VM. */
bool kapi_kvm_sw_private(struct kvm_vcpu *vcpu, kapi_u64 gpa);
/* Turns a VM that KVM made as a default one into a software-protected one. */
void kapi_kvm_make_sw_protected(struct kvm *kvm);
/* The error the running kernel gives for overlapping binds of memslots. */
int kapi_kvm_overlap_error(void);
void kapi_create_args(const struct kvm_create_guest_memfd *args, kapi_u64 *size, kapi_u64 *flags);

/*
 * Invalidation as KVM's MMU defines it; each takes mmu_lock itself. Between
 * begin and end no fault in [start, end) can install a mapping. Gfns.
 */
void kapi_mmu_begin(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/* Zaps private mappings of [start, end) of @slot and flushes; sleeps. */
void kapi_mmu_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end);
void kapi_mmu_end(struct kvm *kvm);
/*
 * Splits huge mappings that lie across the ends of [start, end), so that unmapping
 * it leaves their rest. What cannot be split is left for unmapping as a whole. Sleeps.
 */
void kapi_mmu_split(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end);
/*
 * A fault of @kvm at @gfn that has asked for its page will not be mapped, but
 * tried again by the vCPU.
 */
void kapi_mmu_make_stale(struct kvm *kvm, kapi_u64 gfn);

/* ---- KVM's attributes (kapi/attributes.c) ------------------------------------------ */

/* Gfns; slots_lock held but for the first. */

/*
 * Reads the argument of KVM_SET_MEMORY_ATTRIBUTES. -ENOTTY: @ioctl is another;
 * -EINVAL: KVM would refuse it; -EFAULT. Sleeps.
 */
int kapi_attributes_read(struct kvm *kvm, kapi_u64 *start, kapi_u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg);
/* What kapi_attributes_set() of [start, end) to private needs; 0 or -ENOMEM. Sleeps. */
int kapi_attributes_reserve(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/* Makes the attributes of [start, end) private or none. Cannot fail. Sleeps. */
void kapi_attributes_set(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private);
/*
 * Tells KVM's MMU that those of [start, end), in @slot, have changed. Between begin
 * and end of an invalidation.
 */
void kapi_attributes_changed(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start,
			     kapi_u64 end, bool to_private);
/*
 * As KVM_SET_MEMORY_ATTRIBUTES of KVM itself does it, for gfns that show no file
 * of ours; reserved before, so it cannot fail. Sleeps.
 */
void kapi_attributes_convert(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private);

/* Fields of a memslot. */
kapi_u64 kapi_slot_base_gfn(struct kvm_memory_slot *slot);
kapi_u64 kapi_slot_npages(struct kvm_memory_slot *slot);
kapi_u64 kapi_slot_pgoff(struct kvm_memory_slot *slot);
/* NULL and slots that are on their way out have not. */
bool kapi_slot_has_gmem(const struct kvm_memory_slot *slot);
/* The slot's file, whatever its state; slots_lock keeps what it points to. */
struct file *kapi_slot_file(struct kvm_memory_slot *slot);
/* The slot's file with a reference, NULL if there is none or it is dying. */
struct file *kapi_slot_file_get(struct kvm_memory_slot *slot);
void kapi_slot_set_file(struct kvm_memory_slot *slot, struct file *file, kapi_u64 pgoff);
struct kvm_memory_slot *kapi_kvm_slot_of(struct kvm *kvm, kapi_u64 gfn); /* slots_lock or SRCU */
/* The first slot with a gfn in [start, end), NULL if none. slots_lock. */
struct kvm_memory_slot *kapi_kvm_next_slot(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/* Makes a slot that is not in use yet one with guest_memfd, or not. */
void kapi_slot_mark_gmem(struct kvm_memory_slot *slot, bool gmem);
/* From binding on: a slot all of whose accesses are its file's, shared ones, too. */
void kapi_slot_mark_only(struct kvm_memory_slot *slot);
bool kapi_slot_only(const struct kvm_memory_slot *slot);
/* What KVM's own functions answer in place of a pfn for -EFAULT. */
kapi_u64 kapi_pfn_error(void);
/* The address of @gfn in user space, which may be none. */
unsigned long kapi_slot_hva(const struct kvm_memory_slot *slot, kapi_u64 gfn);
void kapi_kvm_assert_slots_lock(struct kvm *kvm);

/* ---- requests for memslots (kapi/slots.c) ------------------------------------------- */

/* What KVM_SET_USER_MEMORY_REGION and KVM_SET_USER_MEMORY_REGION2 have in common. */
struct kapi_region {
	unsigned int slot;
	unsigned int flags;
	kapi_u64 gpa;
	kapi_u64 size;
	kapi_u64 user_addr;
};

/* What only the second has. */
struct kapi_region_gmem {
	kapi_u64 offset;
	unsigned int fd;
};

/* The VM behind the file that KVM_CREATE_VM made. */
struct kvm *kapi_file_vm(struct file *file);
/* Reads the argument of @ioctl. -ENOTTY: it is another one; -EFAULT. Sleeps. */
int kapi_region_read(struct kapi_region *region, unsigned int ioctl, unsigned long arg);
/* The rest of the argument of KVM_SET_USER_MEMORY_REGION2. -EFAULT. Sleeps. */
int kapi_region_read_gmem(struct kapi_region_gmem *gmem, unsigned long arg);
/*
 * KVM's own answer to the request, but for guest_memfd; of which @region has all that
 * is not zero. slots_lock held. Sleeps.
 */
int kapi_region_set(struct kvm *kvm, const struct kapi_region *region);
/*
 * The same; meanwhile @core is what kapi_region_pending() of @kvm answers.
 */
int kapi_region_set_with(struct kvm *kvm, const struct kapi_region *region, void *core);
void *kapi_region_pending(struct kvm *kvm); /* slots_lock; else NULL */
/* Whether the current task may change the VM: it has its memory, and KVM has not given it up. */
bool kapi_kvm_usable(struct kvm *kvm);
/* The live memslot of number @slot as in a request, or NULL. slots_lock held. */
struct kvm_memory_slot *kapi_kvm_slot_by_id(struct kvm *kvm, unsigned int slot);

/* ---- KVM's arch hooks for confidential memory (kapi/kvm.c) ----------------------- */

int kapi_arch_prepare(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, unsigned int order);
void kapi_arch_reclaim(kapi_u64 pfn, kapi_u64 count);
/* Whether SNP's RMP has the frame as assigned: 0 or 1; -ENODEV without SNP, -EFAULT. */
int kapi_arch_assigned(kapi_u64 pfn);

/* ---- populate (kapi/populate.c) --------------------------------------------------- */

/* KVM's callback that copies, measures and owns one page (kvm_gmem_populate_cb). */
typedef int (*kapi_populate_cb)(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src, int order,
				void *opaque);

/* Source pages of a populate, pinned so that they cannot go away. */
struct kapi_pins {
	struct page *pages[KAPI_PINS_MAX];
	unsigned int count;
};

/*
 * Pins up to @count pages from user address @src on and faults them in. Returns
 * how many, at least one, or -EFAULT. Takes mmap_lock: call it with none of our
 * locks held. Sleeps.
 */
int kapi_pins_take(struct kapi_pins *pins, void *src, kapi_u64 count);
void kapi_pins_drop(struct kapi_pins *pins);
/*
 * Runs KVM's callback with page faults off: where it would fault on user
 * memory it fails with -EFAULT instead.
 */
int kapi_populate_call(kapi_populate_cb cb, struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src,
		       void *opaque);

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

/* Of the list of modelled VMs. Inside a run's lock, outside a model's. Sleeps. */
void kapi_platforms_lock(void);
void kapi_platforms_unlock(void);

/* What software-protected VMs run on. */
enum kapi_platform {
	KAPI_PLATFORM_NONE,
	KAPI_PLATFORM_SNP_MODEL,
	KAPI_PLATFORM_TDX_MODEL,
};

enum kapi_platform kapi_setting_platform(void);

/* ---- the bodies of the functions taken over (kapi/takeover.c) ---------------------- */

int kapi_stock_create(struct kvm *kvm, struct kvm_create_guest_memfd *args);
int kapi_stock_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
		    long long offset);
void kapi_stock_unbind(struct kvm_memory_slot *slot);
int kapi_stock_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order);
long kapi_stock_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages,
			 kapi_populate_cb cb, void *opaque);
int kapi_stock_init_vm(struct kvm *kvm, unsigned long type);
int kapi_stock_check_extension(struct kvm *kvm, long extension);
int kapi_stock_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			  int insn_len);

int kapi_stock_memory_failure(unsigned long pfn, int flags);
long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);
int kapi_stock_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			    struct kvm_memory_slot *slot, int change);
kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			     bool interruptible, bool *async, bool write, bool *writable,
			     unsigned long *hva);
int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool is_private);

/* ---- hardware poison (kapi/poison.c) ------------------------------------------------ */

/*
 * If the page is one of ours, puts it where memory failure can handle it. Says
 * whether it was. Sleeps.
 */
bool kapi_poison_expose(unsigned long pfn);

/* ---- counters (kapi/calls.c) ---------------------------------------------------------- */

/* Every function KVM calls us by, in the order of attaching. */
enum kapi_entry {
	KAPI_ENTRY_PAGE_FAULT,
	KAPI_ENTRY_GET_PFN,
	KAPI_ENTRY_MAPPING_LEVEL,
	KAPI_ENTRY_SLOT_PFN,
	KAPI_ENTRY_PREPARE_SLOT,
	KAPI_ENTRY_UNBIND,
	KAPI_ENTRY_BIND,
	KAPI_ENTRY_POPULATE,
	KAPI_ENTRY_MEMORY_FAILURE,
	KAPI_ENTRY_CHECK_EXTENSION,
	KAPI_ENTRY_INIT_VM,
	KAPI_ENTRY_CREATE,
	KAPI_ENTRY_VM_IOCTL,
	KAPI_ENTRIES,
};

/* Whether KVM's calls of it land in us: some are optional. */
bool kapi_entry_attached(enum kapi_entry entry);
/* Brackets every entry: unloading waits until no one is between the two. */
void kapi_entry_enter(enum kapi_entry entry);
/* @served: the module answered itself; else the stock body did. */
void kapi_entry_leave(enum kapi_entry entry, bool served);

/* ---- statistics (kapi/stats.c) ----------------------------------------------------------- */

/* Kept per inode and in total; the names in kapi/stats.c have the same order. */
enum kapi_stat {
	KAPI_STAT_PAGES, /* present now */
	KAPI_STAT_RUNS, /* runs in one block now */
	KAPI_STAT_GIANTS, /* 1 GiB in one block now */
	KAPI_STAT_FALLBACK_MEMORY, /* small page: no free block */
	KAPI_STAT_FALLBACK_PLACE, /* small page: slot's edge, or gfn and offset not congruent */
	KAPI_STAT_FALLBACK_SHARED, /* small page: part of the run is shared */
	KAPI_STAT_FALLBACK_PARTIAL, /* small page: the run had others already */
	KAPI_STAT_PROMOTIONS, /* runs that became one block again */
	KAPI_STAT_LEAKED, /* pages that the platform did not give back */
	KAPI_STATS_OF_FILES,
	/* Of the platforms, in total only. */
	KAPI_STAT_REPORTS = KAPI_STATS_OF_FILES, /* rules broken, each a report in the log */
	KAPI_STAT_BUSY, /* waits for a busy platform */
	KAPI_STATS,
};

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

/* ---- reports ------------------------------------------------------------------------------ */

/* A line in the log at the level of errors, in vprintk()'s format. */
__attribute__((format(printf, 1, 2))) void kapi_report(const char *format, ...);
/* WARN_ONCE: an invariant of ours is broken; the caller goes on with an error. */
void kapi_warn_once(const char *what);
/* The same, of somebody else's doing, on debug kernels. */
void kapi_debug_warn_once(const char *what);
__attribute__((noreturn)) void kapi_panic(const char *what);

/* ==== the core's entries, called by kapi/files.c ============================================ */

/* Page @index for a user mapping; see File::user_page(), whose errors it has. */
int gmem_file_fault(void *core_file, kapi_u64 index, struct page **page);
/* KVM_SET_MEMORY_ATTRIBUTES2 of include/uapi/gmem.h. */
long gmem_file_convert(void *core_file, struct kvm_memory_attributes2 *args);
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
/* The inode's last user is gone: free its pages and the core's part of it. */
void gmem_inode_evict(void *core_inode);
/* Hardware poison hit @page of the inode's cache; the page is locked. */
void gmem_inode_poisoned(void *core_inode, struct page *page);

/* ==== the core's entries that wrap KVM's own functions (mmu/entry.cc) ====================== */

int gmem_kvm_init_vm(struct kvm *kvm, unsigned long type);
int gmem_kvm_check_extension(struct kvm *kvm, long extension);
int gmem_kvm_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			int insn_len);
int gmem_memory_failure(unsigned long pfn, int flags);
/* Those of its ioctls that kapi/takeover.c names. */
long gmem_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);
int gmem_kvm_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			  struct kvm_memory_slot *slot, int change);
/* The host frame of a shared @gfn; @async, @writable and @hva may be NULL. */
kapi_u64 gmem_kvm_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			   bool interruptible, bool *async, bool write, bool *writable,
			   unsigned long *hva);
/* How large a mapping at @gfn may be: 1 is 4 KiB, 2 is 2 MiB. mmu_lock held. */
int gmem_kvm_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			   int max_level, bool is_private);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_H */
