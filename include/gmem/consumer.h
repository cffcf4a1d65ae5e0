/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How other kernel code holds guest memory: a consumer binds a range of pages of
 * a guest_memfd, and is told before anything there goes away or changes state. For
 * GPL modules; docs/consumers.md has an example. Nothing here is user ABI.
 *
 * Ranges are of page indices of the file, 4 KiB each, [start, end).
 *
 * A binding keeps neither the file nor its memory: when the last user of the file
 * is gone, or the memory is another VM's (KVM_LINK_GUEST_MEMFD), release() says so.
 * From then on calls for it give -ESTALE, its owner may be unloaded, and all that is
 * left to do is gmem_consumer_unbind(). Every successful bind is undone by exactly one
 * unbind, before or after release().
 */
#ifndef GMEM_CONSUMER_H
#define GMEM_CONSUMER_H

#include <gmem/gmem.h>

#ifdef __cplusplus
extern "C" {
#else
#include <linux/types.h>
#endif

struct file;
struct gmem_consumer; /* a binding */
struct module;
struct page;

/*
 * What a consumer is called for, always with the inode's invalidate_lock held, for
 * parts of what it has bound. All may sleep, allocate with GFP_NOFS and take locks
 * that are never held around calls of this header. Of this header they may call
 * gmem_consumer_unmap_failed() alone, from unmap(). Calls for disjoint ranges come
 * at the same time, also of one binding.
 */
struct gmem_consumer_ops {
	/* Cannot be unloaded while something is bound; THIS_MODULE. */
	struct module *owner;
	/*
	 * The range is about to become private, or shared. A negative errno stops it
	 * with nothing changed; user space gets the error. May be NULL.
	 */
	int (*prepare)(void *data, gmem_u64 start, gmem_u64 end, bool to_private);
	/*
	 * It does not happen after all, because of something else: what prepare() set
	 * aside for parts of the range is not needed. Also for ranges that prepare()
	 * was not asked for. May be NULL.
	 */
	void (*failed)(void *data, gmem_u64 start, gmem_u64 end, bool to_private);
	/*
	 * An invalidation: one begin() and one end() of the same range, and in between
	 * unmap() of parts of it, any number. From begin() to end() pages of the range
	 * are not mapped anew, and a page got before begin() is not mapped any more;
	 * when unmap() returns nothing can reach the pages of its range. A consumer
	 * that is bound meanwhile waits for the end; so does unbinding.
	 */
	void (*begin)(void *data, gmem_u64 start, gmem_u64 end);
	void (*unmap)(void *data, gmem_u64 start, gmem_u64 end);
	void (*end)(void *data, gmem_u64 start, gmem_u64 end);
	/* The range has become private, or shared; between unmap() and end(). May be NULL. */
	void (*converted)(void *data, gmem_u64 start, gmem_u64 end, bool to_private);
	/*
	 * The file is gone, all of the range has been unmapped. The last call for
	 * the binding; the slots_lock of the file's VM is held as well.
	 */
	void (*release)(void *data);
};

/* For gmem_consumer_bind(). Without it no other binding may have any of the range. */
#define GMEM_CONSUMER_SHARED 0x1u

/**
 * gmem_file_get - the guest_memfd behind a descriptor of the current task
 *
 * On success *@file has a reference for the caller. -EBADF: no such descriptor;
 * -EINVAL: not a guest_memfd, or one of the stock backend. Does not sleep.
 */
int gmem_file_get(unsigned int fd, struct file **file);

/* gmem_file_put - drops that reference; any context that fput() allows */
void gmem_file_put(struct file *file);

/**
 * gmem_consumer_bind - bind [@start, @end) of a file
 *
 * The caller has a reference of @file, for the length of the call only. *@consumer
 * is set before the first call of @ops. KVM's memslots count as shared; a file's
 * memslots do not overlap each other.
 *
 * -EBADF: not a file of gmem_file_get(); -ESTALE: its memory has been linked to
 * another VM, and so has another file; -EINVAL: empty range or past the end, flags
 * not known, or one of begin, unmap, end and release is missing; -EEXIST: another
 * binding has some of it, and one of the two is not shared; -ENODEV: the owner is
 * being unloaded; -ENOMEM. Takes the invalidate_lock exclusively; sleeps.
 */
int gmem_consumer_bind(struct file *file, gmem_u64 start, gmem_u64 end,
		       const struct gmem_consumer_ops *ops, void *data, unsigned int flags,
		       struct gmem_consumer **consumer);

/**
 * gmem_consumer_unbind - undo gmem_consumer_bind()
 *
 * When it returns no call of the ops is running or will come; nothing is unmapped
 * on the way. Not at the same time as other calls for this binding. What is not
 * bound (any more) is left alone, with a warning on debug kernels. Takes the
 * invalidate_lock exclusively; sleeps; may free the file's memory.
 */
void gmem_consumer_unbind(struct gmem_consumer *consumer);

/**
 * gmem_consumer_get_page - the page at @index, which is shared or private as asked
 *
 * Allocates it if need be, with as much around it as a guest's fault would. On
 * success *@page has a reference for the caller, and the naturally aligned block of
 * 2^*@order pages around it is contiguous, in the same state, and inside of what is
 * bound. The page is the file's until the next begin() of a range with @index:
 * a consumer that maps the page looks, under a lock that its begin() takes as well,
 * whether there was one. The reference is dropped soon: a page with a reference cannot
 * be made private.
 *
 * -EBADF: not bound; -ESTALE: the file is gone; -EINVAL: outside of what is bound;
 * -EAGAIN: not in that state; -EOPNOTSUPP: private, and the platform gives such
 * pages to guests only; -EHWPOISON, -ENOMEM. Takes the invalidate_lock shared; sleeps.
 */
int gmem_consumer_get_page(struct gmem_consumer *consumer, gmem_u64 index, bool is_private,
			   struct page **page, unsigned int *order);

/* gmem_consumer_put_page - drops that reference; any context that put_page() allows */
void gmem_consumer_put_page(struct page *page);

/**
 * gmem_consumer_is_shared - the state of the page at @index, present or not
 *
 * 1: shared; 0: private; it may change as soon as this returns. -EBADF, -ESTALE,
 * -EINVAL as above. Takes the invalidate_lock shared; sleeps.
 */
int gmem_consumer_is_shared(struct gmem_consumer *consumer, gmem_u64 index);

/**
 * gmem_consumer_unmap_failed - a range could not be unmapped
 *
 * Only from unmap(), for parts of its range: the pages are lost to the file and
 * never used again. Sleeps.
 */
void gmem_consumer_unmap_failed(struct gmem_consumer *consumer, gmem_u64 start, gmem_u64 end);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_CONSUMER_H */
