/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary (kapi.h) that is about KVM: what the core asks of it,
 * the functions taken over with their bodies, and the core's entries that their
 * calls land in. The entries of guest_memfd are in include/gmem/gmem.h.
 */
#ifndef GMEM_KAPI_KVM_H
#define GMEM_KAPI_KVM_H

#include "constants.h"
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
/* The type of the VM. */
unsigned long kapi_kvm_type(struct kvm *kvm);
bool kapi_kvm_has_private_mem(struct kvm *kvm);
/*
 * Whether a vCPU has been in the guest. True where a guest has used a mapping that
 * kapi_mmu_unmap() took away before.
 */
bool kapi_kvm_has_run(struct kvm *kvm);
/*
 * Whether kvm_gmem_get_pfn() of @gfn asks for a private page: always, where KVM does not
 * know memslots that serve shared pages from the file, too; else KVM's attribute says it.
 */
bool kapi_kvm_asks_private(struct kvm *kvm, kapi_u64 gfn);
/*
 * Whether KVM itself makes memslots on files that can be mapped, and serves their shared
 * faults from these.
 */
bool kapi_kvm_has_shared_slots(void);
/* Whether KVM's attributes say private for all of [start, end). */
bool kapi_kvm_range_private(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
struct kvm *kapi_vcpu_kvm(struct kvm_vcpu *vcpu);
/* KVM_RUN exits to user space for a shared access to the page at @gfn. */
void kapi_vcpu_exit_shared(struct kvm_vcpu *vcpu, kapi_u64 gfn);
/* Whether the gfn that @vcpu faulted on is private in a software-protected VM. */
bool kapi_kvm_sw_private(struct kvm_vcpu *vcpu, kapi_u64 gpa);
/*
 * Whether faults of @vcpu are by gfn now: with two-dimensional paging, and not while a
 * nested guest runs on page tables of KVM's.
 */
bool kapi_vcpu_is_direct(struct kvm_vcpu *vcpu);
/* Whether the vCPU runs a guest of its guest's, which need not have page tables of KVM's. */
bool kapi_vcpu_is_nested(struct kvm_vcpu *vcpu);
/*
 * Whether VMs run on KVM's TDP MMU. The older MMU maps pages ahead by their user
 * addresses, whatever the memslot. Known when the vendor's module is loaded.
 */
bool kapi_kvm_tdp_mmu(void);
/* Turns a VM that KVM made as a default one into a software-protected one. */
void kapi_kvm_make_sw_protected(struct kvm *kvm);
/* Whether the VM was made by kapi_kvm_make_sw_protected(). */
bool kapi_kvm_made_sw_protected(struct kvm *kvm);
/* The error the running kernel gives for overlapping binds of memslots. */
int kapi_kvm_overlap_error(void);
void kapi_create_args(const struct kvm_create_guest_memfd *args, kapi_u64 *size, kapi_u64 *flags);

/*
 * Invalidation as KVM's MMU defines it; each takes mmu_lock itself. Between
 * begin and end no fault in [start, end) can install a mapping. Gfns.
 */
void kapi_mmu_begin(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/*
 * Takes all mappings of [start, end) of @slot, private and shared, out of the guest's page
 * tables and TLBs. Sleeps.
 */
void kapi_mmu_unmap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end);
/*
 * Out of the page tables only. True: TLBs may have some of it until kapi_mmu_flush(),
 * and another unmapping of the same gfns in between would not know. So there is none:
 * the inode lock is held exclusively, or the caller holds slots_lock and gives no page
 * away. Sleeps.
 */
bool kapi_mmu_zap(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 start, kapi_u64 end);
/* What kapi_mmu_zap() has taken out of [start, end) is out of TLBs, too. */
void kapi_mmu_flush(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
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

/*
 * Gfns; slots_lock held but for the first. KVM's attribute is a bit, private or not, and
 * so is what these take; the state of a file's page is the core's Share (gmem/share.h).
 */

/*
 * Reads the argument of KVM_SET_MEMORY_ATTRIBUTES. -ENOTTY: @ioctl is another;
 * -EINVAL: KVM would refuse it; -EFAULT. Sleeps.
 */
int kapi_attributes_read(struct kvm *kvm, kapi_u64 *start, kapi_u64 *end, bool *to_private,
			 unsigned int ioctl, unsigned long arg);
/* The end of the gfns that KVM can map on this host. */
kapi_u64 kapi_kvm_end_gfn(void);
/* Whether the kernel's own headers have a capability of KVM's of that number. */
bool kapi_capability_taken(long number);
/*
 * What kapi_attributes_set() of [start, end) to private needs, charged to the caller's
 * cgroup. -ENOMEM; -EINTR: killed; either has set nothing aside. Sleeps.
 */
int kapi_attributes_reserve(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
/*
 * Whether those of [start, end) are private already, or none of them is; false if the task
 * is killed. Sleeps.
 */
bool kapi_attributes_are(struct kvm *kvm, kapi_u64 start, kapi_u64 end, bool to_private);
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
/*
 * From binding to unbinding, whatever becomes of the file: a slot that serves all
 * accesses, shared ones too, from its file. The mark pins the module. The caller of mark_only()
 * has a reference of the module.
 */
void kapi_slot_mark_only(struct kvm_memory_slot *slot);
/* Nothing where there is no mark. May be what lets the module go. */
void kapi_slot_unmark_only(struct kvm_memory_slot *slot);
/* NULL is not. Any context. */
bool kapi_slot_only(const struct kvm_memory_slot *slot);
/* What KVM's own functions answer in place of a pfn for -EFAULT. */
kapi_u64 kapi_pfn_error(void);
/* The address of @gfn in user space, which may be none. */
unsigned long kapi_slot_hva(const struct kvm_memory_slot *slot, kapi_u64 gfn);
void kapi_kvm_assert_slots_lock(struct kvm *kvm);

/* ---- permission (kapi/access.c) ------------------------------------------------------ */

/*
 * Whether the current task may do to the private memory of @kvm what makes it readable
 * or another VM's: it is of the process that made the VM, or has the right to trace
 * that; once the process is gone, CAP_SYS_PTRACE. Takes no lock of ours; sleeps.
 */
bool kapi_kvm_may_have_memory(struct kvm *kvm);

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

/* ---- kvm_vcpu_map() (kapi/kvm.c) ---------------------------------------------------- */

/* Makes @map one of @page, and takes over the page's reference. */
void kapi_host_map_fill(struct kvm_host_map *map, struct page *page, kapi_u64 gfn);

/* ---- shared faults that fail (kapi/faults.c) ------------------------------------------ */

/*
 * What became of the shared fault that the current task is in. KVM's own functions
 * carry an error in place of a frame no further than to -EFAULT, and a nested guest's
 * fault knows no gfn of the VM's; so the function that finds no page notes it here for
 * the one that began.
 */
struct kapi_fault {
	unsigned long opaque[3];
	kapi_u64 gfn; /* of the VM that KVM runs */
	int error; /* 0: no page was missed */
};

/* Whether any memslot is marked kapi_slot_mark_only(): only they need the below. */
bool kapi_faults_matter(void);
/* @fault is the caller's, on its stack, until the end. Faults do not nest. */
void kapi_fault_begin(struct kapi_fault *fault);
void kapi_fault_end(struct kapi_fault *fault);
/* For the fault that the current task is in; nothing if it is in none. */
void kapi_fault_note(kapi_u64 gfn, int error);

/* ---- requests for memslots, and what they keep away (kapi/requests.c) ---------------------- */

/* A task that is pre-faulting, on its stack. */
struct kapi_prefault {
	unsigned long opaque[5];
};

/*
 * False, and no end() is due: a request for a memslot of the VM of @vcpu, which is the
 * current task's, is served, or the vCPU had page tables of before one. Sleeps.
 */
bool kapi_prefault_begin(struct kapi_prefault *prefault, struct kvm_vcpu *vcpu);
/* True: it was told to stop, for a request and for nothing else. */
bool kapi_prefault_end(struct kapi_prefault *prefault);

/* A request that may make, move or delete a memslot, on the stack of the task that serves it. */
struct kapi_slot_request {
	unsigned long opaque[5];
};

/* No task that is known to pre-fault memory of @kvm does so for long, until the end. */
void kapi_slot_request_begin(struct kapi_slot_request *request, struct kvm *kvm);
/*
 * The request is to make a memslot of ours: each task that pre-faults memory of the VM is
 * known from now on. Waits for those that are not, as KVM does once it has made the memslot.
 * No lock of the VM held.
 */
void kapi_slot_request_announce(struct kapi_slot_request *request);
/*
 * Nothing is mapped at the gfns, until the end of the request for a memslot of @kvm that
 * the current task serves. Does nothing without one. -EAGAIN: it is not announced, as it was
 * another when it was read first. slots_lock held.
 */
int kapi_slot_request_keep_unmapped(struct kvm *kvm, kapi_u64 start, kapi_u64 end);
void kapi_slot_request_end(struct kapi_slot_request *request);

/* ---- KVM's arch hooks for confidential memory (kapi/kvm.c) ----------------------- */

int kapi_arch_prepare(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, unsigned int order);
void kapi_arch_reclaim(kapi_u64 pfn, kapi_u64 count);
/* Whether SNP's RMP has the frame as assigned: 0 or 1; -ENODEV without SNP, -EFAULT. */
int kapi_arch_assigned(kapi_u64 pfn);

/* ---- populate (kapi/populate.c) --------------------------------------------------- */

/*
 * Copies, measures and owns one page: KVM's kvm_gmem_populate_cb of 6.12, or what calls
 * that of a later kernel.
 */
typedef int (*kapi_populate_cb)(struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src, int order,
				void *opaque);

/* Source pages of a populate, pinned so that they cannot go away. */
struct kapi_pins {
	struct page *pages[KAPI_PINS_MAX];
	unsigned int count;
	void *src; /* the user address of the first */
};

/*
 * Pins up to @count pages from user address @src on and faults them in, @write for
 * writing. Returns how many, at least one, or -EFAULT. Takes mmap_lock: call it with
 * none of our locks held. Sleeps.
 */
int kapi_pins_take(struct kapi_pins *pins, void *src, kapi_u64 count, bool write);
void kapi_pins_drop(struct kapi_pins *pins);
/*
 * Runs KVM's callback with page faults off: where it would fault on user
 * memory it fails with -EFAULT instead. @pins: those that @src is among, or NULL.
 */
int kapi_populate_call(kapi_populate_cb cb, struct kvm *kvm, kapi_u64 gfn, kapi_u64 pfn, void *src,
		       const struct kapi_pins *pins, void *opaque);

/* ---- the bodies of the functions taken over (kapi/stock.c) ------------------------- */

/* Whether this KVM prepares and commits a memslot, and does not bind it at once. */
bool kapi_binds_in_steps(void);
int kapi_stock_prepare_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			    kapi_u64 offset);
int kapi_stock_commit_bind(struct kvm *kvm, struct kvm_memory_slot *slot);

int kapi_stock_create(struct kvm *kvm, struct kvm_create_guest_memfd *args);
int kapi_stock_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
		    long long offset);
void kapi_stock_unbind(struct kvm_memory_slot *slot);
int kapi_stock_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order);
long kapi_stock_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages, bool writeback,
			 kapi_populate_cb cb, void *opaque);
int kapi_stock_init_vm(struct kvm *kvm, unsigned long type);
int kapi_stock_check_extension(struct kvm *kvm, long extension);
int kapi_stock_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			  int insn_len);

int kapi_stock_memory_failure(unsigned long pfn, int flags);
long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);
int kapi_stock_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			    struct kvm_memory_slot *slot, int change);
void kapi_stock_free_vm(struct kvm *kvm);
kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			     bool interruptible, bool *async, bool write, bool *writable,
			     unsigned long *hva);
kapi_u64 kapi_stock_prefetch_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn);
int kapi_stock_prefetch_pages(struct kvm_memory_slot *slot, kapi_u64 gfn, struct page **pages,
			      int count);
int kapi_stock_vcpu_map(struct kvm_vcpu *vcpu, kapi_u64 gfn, struct kvm_host_map *map,
			bool writable);
int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool is_private);
long kapi_stock_pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range);

/* ---- the module itself (kapi/module.c) ------------------------------------------------- */

/* A reference of the module. False: it is being unloaded, and a call came too late. */
bool kapi_self_get(void);
/* May be what lets the module go: nothing of it is touched afterwards but on the way out. */
void kapi_self_put(void);

/* ---- counters (kapi/calls.c) ---------------------------------------------------------- */

/* Every function KVM calls us by, on one kernel or another; the most called ones first. */
enum kapi_entry {
	KAPI_ENTRY_PAGE_FAULT,
	KAPI_ENTRY_GET_PFN,
	KAPI_ENTRY_MAPPING_LEVEL,
	KAPI_ENTRY_SLOT_PFN,
	KAPI_ENTRY_VM_IOCTL,
	KAPI_ENTRY_PREPARE_SLOT,
	KAPI_ENTRY_UNBIND,
	KAPI_ENTRY_BIND, /* a kernel has this, or the next two */
	KAPI_ENTRY_PREPARE_BIND,
	KAPI_ENTRY_COMMIT_BIND,
	KAPI_ENTRY_POPULATE,
	KAPI_ENTRY_CREATE,
	KAPI_ENTRY_MEMORY_FAILURE,
	KAPI_ENTRY_CHECK_EXTENSION,
	KAPI_ENTRY_INIT_VM,
	KAPI_ENTRY_FREE_VM,
	KAPI_ENTRY_PREFETCH_PFN,
	KAPI_ENTRY_PREFETCH_PAGES,
	KAPI_ENTRY_VCPU_MAP,
	KAPI_ENTRY_PRE_FAULT,
	/* kapi/accesses.h */
	KAPI_ENTRY_READ_PAGE,
	KAPI_ENTRY_WRITE_PAGE,
	KAPI_ENTRY_WALK64,
	KAPI_ENTRY_WALK32,
	KAPI_ENTRY_READ_CACHED,
	KAPI_ENTRY_WRITE_CACHED,
	KAPI_ENTRY_PVCLOCK,
	KAPI_ENTRY_STEAL_TIME,
	KAPI_ENTRY_GET_MSR,
	/* kapi/guest.h */
	KAPI_ENTRY_UNDEFINED,
	KAPI_ENTRY_HYPERCALL,
	KAPI_ENTRY_RDMSR,
	KAPI_ENTRY_WRMSR,
	KAPI_ENTRY_MSR_ALLOWED,
	/* kapi/ap.h */
	KAPI_ENTRY_RESET,
	KAPI_ENTRY_SIPI,
	KAPI_ENTRY_EVENTS,
	/* kapi/vc.h */
	KAPI_ENTRY_CPUID,
	KAPI_ENTRY_PIO,
	KAPI_ENTRY_EMULATE,
	KAPI_ENTRY_RDPMC,
	KAPI_ENTRY_WBINVD,
	KAPI_ENTRY_INVD,
	KAPI_ENTRY_MONITOR,
	KAPI_ENTRY_MWAIT,
	KAPI_ENTRIES,
};

/*
 * What the module does on this host, as bits: chosen by its parameters, and all the
 * functions that one needs are taken over. Does not change while the module is loaded.
 */
enum kapi_feature {
	KAPI_FEATURE_BACKEND = 1 << 0, /* serves guest_memfd */
	KAPI_FEATURE_SW_PROTECTED = 1 << 1, /* makes software-protected VMs */
	KAPI_FEATURE_HOLES = 1 << 2, /* PCI holes; what needs no more than extensions=y */
	KAPI_FEATURE_SHARED = 1 << 3, /* mappable files, conversion in place, link */
	KAPI_FEATURE_SNP_VMS = 1 << 4, /* makes VMs of SNP's type, on the model */
	KAPI_FEATURE_SNP_VC = 1 << 5, /* whose guests get #VC */
};

bool kapi_feature(enum kapi_feature feature);
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
/* Those of its ioctls that kapi/hook_table.c names. */
long gmem_kvm_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg);
int gmem_kvm_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			  struct kvm_memory_slot *slot, int change);
/* The VM is gone but for its memory, whether it was ever whole or not. */
void gmem_kvm_free_vm(struct kvm *kvm);
/*
 * gmem_bind() in two steps. The first checks, and has @slot name its file, with a
 * reference that KVM gives up when the request is done; the second binds. Errors between
 * the two as of gmem_bind(). slots_lock held, and slots_arch_lock in the second. Sleep.
 */
int gmem_kvm_prepare_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
			  kapi_u64 offset);
int gmem_kvm_commit_bind(struct kvm *kvm, struct kvm_memory_slot *slot);
/* gmem_populate(), where the callback may write to the source if @writeback. */
long gmem_kvm_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages, bool writeback,
		       kapi_populate_cb cb, void *opaque);
/*
 * gmem_get_pfn() where KVM may ask for a shared page, too (kapi_kvm_asks_private()).
 */
int gmem_kvm_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		     int *max_order);
/*
 * The same by the function of KVM's that maps the page for a guest's fault, and
 * looks whether an invalidation came in between. Instead of -EAGAIN there is a page of
 * zeros then, and the fault is stale. Sleeps.
 */
int gmem_kvm_fault_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order);
/*
 * The host frame of a shared @gfn, with a reference, or an error in its place; @async,
 * @writable and @hva may be NULL. Sleeps unless @atomic. By that function for a fault,
 * and by any other caller.
 */
kapi_u64 gmem_kvm_fault_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
				 bool interruptible, bool *async, bool write, bool *writable,
				 unsigned long *hva);
kapi_u64 gmem_kvm_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			   bool interruptible, bool *async, bool write, bool *writable,
			   unsigned long *hva);
/* The same of pages that KVM maps into a shadow page table ahead of their use. Atomic. */
kapi_u64 gmem_kvm_prefetch_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn);
int gmem_kvm_prefetch_pages(struct kvm_memory_slot *slot, kapi_u64 gfn, struct page **pages,
			    int count);
/* The page at @gfn for KVM's own use, until kvm_vcpu_unmap(). -EINVAL. Sleeps. */
int gmem_kvm_vcpu_map(struct kvm_vcpu *vcpu, kapi_u64 gfn, struct kvm_host_map *map,
		      bool writable);
/* How large a mapping at @gfn may be: 1 is 4 KiB, 2 is 2 MiB. mmu_lock held. */
int gmem_kvm_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			   int max_level, bool is_private);
/* -EAGAIN: a memslot of the VM is being deleted or moved, or was just now. Sleeps. */
long gmem_kvm_pre_fault(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_KVM_H */
