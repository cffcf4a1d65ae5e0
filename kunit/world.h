/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of both worlds need beside the boundary: VMs and memslots
 * without a KVM, pages' content, closing. On the host over the fakes
 * (hosted/world.cc); in the kernel over real files and pages, with a VM that is
 * a stub (kernel/kvm.c).
 */
#ifndef GMEM_KUNIT_WORLD_H
#define GMEM_KUNIT_WORLD_H

#include "../kapi/kapi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A VM of KVM_X86_*_VM type @type, all of whose gfns are private. */
struct kvm *world_vm(unsigned long type);
void world_vm_put(struct kvm *kvm);
int world_vm_users(struct kvm *kvm);
void world_set_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool is_private);

/* A memslot that KVM has made and not bound yet. */
struct kvm_memory_slot *world_slot(struct kvm *kvm, kapi_u64 gfn, kapi_u64 npages, bool has_gmem);
void world_slot_free(struct kvm_memory_slot *slot);
/* Makes kapi_kvm_slot_of() find it. */
void world_slot_show(struct kvm_memory_slot *slot);

/* gmem_create() of these arguments. */
int world_create(struct kvm *kvm, kapi_u64 size, kapi_u64 flags);
/* Closes it and waits until the file, if it was the last, has gone. */
void world_close(int fd);
/* Waits for files whose last reference has been put. */
void world_settle(void);
/* A descriptor of a file that is not ours. */
int world_foreign_fd(void);

/* Invalidations so far: calls, and the gfns of the last of each. */
struct world_mmu {
	unsigned long begins, unmaps, ends;
	kapi_u64 begin_start, begin_end, unmap_start, unmap_end;
};
struct world_mmu world_mmu_calls(void);

/* The module's platform= parameter, for VMs whose first file is yet to come. */
void world_set_platform(enum kapi_platform platform);
/* Of the platforms, since this was last asked: rules reported as broken, and naps. */
long world_reports(void);
long world_naps(void);

/* Calls of the stock bodies so far. */
struct world_stock {
	unsigned long create, bind, unbind, get_pfn, populate;
};
struct world_stock world_stock_calls(void);

/* A word of the page's content stands for all of it. */
kapi_u64 world_page_read(struct page *page);
void world_page_write(struct page *page, kapi_u64 value);
struct page *world_page(kapi_u64 pfn);
int world_page_refs(struct page *page);
bool world_page_trylock(struct page *page);
void world_page_unlock(struct page *page);
void world_page_set_poisoned(struct page *page, bool poisoned);
/* Calls @fn on another thread, joined by world_join(). */
void *world_thread(void (*fn)(void *), void *arg);
void world_join(void *thread);
/* Sixteen pages of user memory that pins can be taken of. */
void *world_user_memory(void);

/* The end of a case: nothing may be left. */
void world_check_clean(void);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KUNIT_WORLD_H */
