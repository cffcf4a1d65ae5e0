// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_MEMORY_ENCRYPT_REG_REGION for VMs of SNP's type on the model (sev.h): user memory that
 * stays where it is, as hardware needs it, until the VM says otherwise or goes. <linux/mm.h>.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "sev.h"

struct region {
	struct list_head link;
	struct kvm *kvm;
	kapi_u64 addr, size;
	unsigned long npages;
	struct page *pages[] __counted_by(npages);
};

static LIST_HEAD(regions);
/*
 * Of the list; inside of kvm->lock, which orders changes of one VM's regions. Never held
 * where user memory is waited for: all VMs take it, also those that go.
 */
static DEFINE_MUTEX(lock);

static unsigned long pages_of(kapi_u64 addr, kapi_u64 size)
{
	return (PAGE_ALIGN(addr + size) - (addr & PAGE_MASK)) >> PAGE_SHIFT;
}

/* Whether the VM may have so many pages more; what it has is locked memory of its owner's. */
static bool allowed(const struct kvm *kvm, unsigned long npages)
{
	const unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	const struct region *region;

	mutex_lock(&lock);
	list_for_each_entry(region, &regions, link) {
		/* cppcheck-suppress uninitvar */
		if (region->kvm == kvm)
			npages += region->npages;
	}
	mutex_unlock(&lock);
	return npages <= limit || capable(CAP_IPC_LOCK);
}

/* NULL: no memory, or some of it is not there. Waits for user memory. */
static struct region *pin(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	const unsigned long npages = pages_of(addr, size);
	struct region *const region =
		kvzalloc(struct_size(region, pages, npages), GFP_KERNEL_ACCOUNT);
	long pinned;

	if (!region)
		return NULL;
	region->kvm = kvm;
	region->addr = addr;
	region->size = size;
	region->npages = npages;
	pinned = pin_user_pages_fast(addr & PAGE_MASK, npages, FOLL_WRITE | FOLL_LONGTERM,
				     region->pages);
	if (pinned == npages)
		return region;
	if (pinned > 0)
		unpin_user_pages(region->pages, pinned);
	kvfree(region);
	return NULL;
}

static void drop(struct region *region)
{
	list_del(&region->link);
	unpin_user_pages(region->pages, region->npages);
	kvfree(region);
}

int kapi_sev_region_add(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	struct region *region = NULL;

	/* And no more than pin_user_pages_fast() counts to. */
	if (!size || addr + size < addr || pages_of(addr, size) > totalram_pages() ||
	    pages_of(addr, size) > INT_MAX)
		return -EINVAL;
	lockdep_assert_held(&kvm->lock);
	if (allowed(kvm, pages_of(addr, size)))
		region = pin(kvm, addr, size);
	if (!region)
		return -ENOMEM;
	mutex_lock(&lock);
	list_add(&region->link, &regions);
	mutex_unlock(&lock);
	return 0;
}

int kapi_sev_region_remove(struct kvm *kvm, kapi_u64 addr, kapi_u64 size)
{
	struct region *region;
	int ret = -EINVAL;

	mutex_lock(&lock);
	list_for_each_entry(region, &regions, link) {
		/* cppcheck-suppress uninitvar */
		if (region->kvm == kvm && region->addr == addr && region->size == size) {
			drop(region);
			ret = 0;
			break;
		}
	}
	mutex_unlock(&lock);
	return ret;
}

void kapi_sev_regions_drop(struct kvm *kvm)
{
	struct region *region, *next;

	mutex_lock(&lock);
	list_for_each_entry_safe(region, next, &regions, link) {
		/* cppcheck-suppress uninitvar */
		if (region->kvm == kvm)
			drop(region);
	}
	mutex_unlock(&lock);
}
