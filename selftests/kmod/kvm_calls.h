/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What gmem_test.ko asks KVM for, the same on every kernel: by KVM's exports, or by name
 * where KVM exports them to its own modules only.
 */
#ifndef GMEM_TEST_KVM_CALLS_H
#define GMEM_TEST_KVM_CALLS_H

#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>

#include <compat/kvm.h>

#if GMEM_KVM_EXPORTS_LESS

/* Of KVM's own header. */
int kvm_tdp_mmu_map_private_pfn(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn);

#define KVM_CALLS(X)                 \
	X(file_is_kvm)                 \
	X(gfn_to_memslot)              \
	X(kvm_gmem_get_pfn)            \
	X(kvm_gmem_populate)           \
	X(__kvm_faultin_pfn)           \
	X(kvm_read_guest)              \
	X(kvm_write_guest)             \
	X(kvm_lock_all_vcpus)          \
	X(kvm_unlock_all_vcpus)        \
	X(kvm_tdp_mmu_map_private_pfn) \
	X(vcpu_load)                   \
	X(vcpu_put)

#define DEFINE_CALL(name) DEFINE_STATIC_CALL_NULL(test_##name, name);
KVM_CALLS(DEFINE_CALL)
#define KVM_CALL(name) static_call(test_##name)

/* The function's address, where its first instruction may have been moved from. */
static void *kvm_function(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };

	if (register_kprobe(&probe))
		return NULL;
	unregister_kprobe(&probe);
	return probe.addr;
}

/* -ENOENT: KVM has not all of them. Sleeps. */
static int kvm_calls_find(void)
{
	void *found;

#define FIND_CALL(name)                             \
	found = kvm_function("kvm:" #name);         \
	if (!found)                                 \
		return -ENOENT;                     \
	static_call_update(test_##name, (typeof(name) *)found);
	KVM_CALLS(FIND_CALL)
	return 0;
}

#else

#define KVM_CALL(name) name

static int kvm_calls_find(void)
{
	return 0;
}

#endif /* GMEM_KVM_EXPORTS_LESS */

/* The VM of the descriptor, with a reference; or an error. */
static struct kvm *vm_get(unsigned int fd)
{
	struct file *const file = fget(fd);
	struct kvm *kvm = ERR_PTR(-EINVAL);

	if (!file)
		return ERR_PTR(-EBADF);
	if (KVM_CALL(file_is_kvm)(file)) {
		kvm = file->private_data;
		kvm_get_kvm(kvm);
	}
	fput(file);
	return kvm;
}

/* The same of the request at @arg, which is read into @req; in that the descriptor is @vm_fd. */
static struct kvm *vm_asked_for(void *req, size_t size, const __u32 *vm_fd, const void __user *arg)
{
	return copy_from_user(req, arg, size) ? ERR_PTR(-EFAULT) : vm_get(*vm_fd);
}

/* A frame, with a reference to its page if it has one that KVM counts. */
struct kvm_frame {
	kvm_pfn_t pfn;
	struct page *page; /* with GMEM_KVM_FINDS_PAGES */
};

/*
 * The frame at @gfn as KVM's page fault looks for it: a private one, or with @shared a
 * shared one. All errors for a shared one are -EFAULT. In SRCU. Sleeps.
 */
static int kvm_frame_get(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn, bool shared,
			 struct kvm_frame *frame)
{
#if GMEM_KVM_FINDS_PAGES
	bool writable;
	int ret;

	/* kvm_gmem_get_pfn() gives a page of either kind; KVM has asked for the kind before. */
	if (shared && kvm_mem_is_private(kvm, gfn))
		return -EFAULT;
	if (!shared || kvm_memslot_is_gmem_only(slot)) {
		ret = KVM_CALL(kvm_gmem_get_pfn)(kvm, slot, gfn, &frame->pfn, &frame->page, NULL);
		return ret && shared ? -EFAULT : ret;
	}
	frame->pfn = KVM_CALL(__kvm_faultin_pfn)(slot, gfn, FOLL_WRITE, &writable, &frame->page);
#else
	if (!shared)
		return kvm_gmem_get_pfn(kvm, slot, gfn, &frame->pfn, NULL);
	frame->pfn = __gfn_to_pfn_memslot(slot, gfn, false, false, NULL, true, NULL, NULL);
#endif
	return is_error_pfn(frame->pfn) ? -EFAULT : 0;
}

static void kvm_frame_put(struct kvm_frame *frame)
{
#if GMEM_KVM_FINDS_PAGES
	if (frame->page)
		put_page(frame->page);
#else
	kvm_release_pfn_clean(frame->pfn);
#endif
}

/* What a populate's callback is told. */
struct copied_page {
	gfn_t fail_gfn; /* where it fails with -EIO */
};

#if GMEM_KVM_POPULATE_PAGES

static int copy_page_in(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, struct page *src, void *opaque)
{
	const struct copied_page *const copied = opaque;

	if (gfn == copied->fail_gfn)
		return -EIO;
	if (src)
		copy_highpage(pfn_to_page(pfn), src);
	return 0;
}

#else

static int copy_page_in(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, void __user *src, int order,
			void *opaque)
{
	const struct copied_page *const copied = opaque;
	void *to;
	int ret;

	if (gfn == copied->fail_gfn)
		return -EIO;
	if (!src)
		return 0;
	to = kmap_local_pfn(pfn);
	ret = copy_from_user(to, src, PAGE_SIZE << order) ? -EFAULT : 0;
	kunmap_local(to);
	return ret;
}

#endif

/* kvm_gmem_populate() with a callback that copies each page. slots_lock held. Sleeps. */
static long kvm_populate(struct kvm *kvm, gfn_t gfn, void __user *src, long npages,
			 gfn_t fail_gfn)
{
	struct copied_page copied = { .fail_gfn = fail_gfn };

#if GMEM_KVM_POPULATE_PAGES
	return KVM_CALL(kvm_gmem_populate)(kvm, gfn, src, npages, false, copy_page_in, &copied);
#else
	return kvm_gmem_populate(kvm, gfn, src, npages, copy_page_in, &copied);
#endif
}

#endif /* GMEM_TEST_KVM_CALLS_H */
