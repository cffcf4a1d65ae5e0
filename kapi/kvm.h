/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary (kapi.h) that is about KVM: what the core asks of it,
 * the functions taken over with their bodies, and the core's entries that their
 * calls land in. The entries of guest_memfd are in include/gmem/gmem.h.
 */
#ifndef GMEM_KAPI_KVM_H
#define GMEM_KAPI_KVM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- KVM (kapi/kvm.c) ----------------------------------------------------------- */

void kapi_kvm_get(struct kvm *kvm);
void kapi_kvm_put(struct kvm *kvm);
void kapi_kvm_slots_lock(struct kvm *kvm); /* sleeps; outermost */
/* The same; -EINTR, and not held: the task was killed meanwhile. */
int kapi_kvm_slots_lock_killable(struct kvm *kvm);
void kapi_kvm_slots_unlock(struct kvm *kvm);
/* KVM_X86_*_VM of <asm/kvm.h>; those above are of real hardware. */
enum kapi_vm_type {
	KAPI_VM_DEFAULT,
	KAPI_VM_SW_PROTECTED,
};

/* The type of the VM. */
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
/* The end of the gfns that KVM can map on this host. */
kapi_u64 kapi_kvm_end_gfn(void);
/*
 * What kapi_attributes_set() of [start, end) to private needs, charged to the caller's
 * cgroup. -ENOMEM; -EINTR: killed; either has set nothing aside. Sleeps.
 */
int kapi_attributes_reserve(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/* Gives back what of it has not been used. [start, end) may be any range. Sleeps. */
void kapi_attributes_release(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
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
 * of ours; reserved before. An aligned gigabyte at a time, without those that are as
 * wanted. -EINTR: killed; a front part of whole ones is converted, and what was
 * reserved for the rest is given back. Sleeps.
 */
int kapi_attributes_convert(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private);

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
#endif /* GMEM_KAPI_KVM_H */
