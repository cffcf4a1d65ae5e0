/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM: VMs, memslots, attributes, and a model of the guest's page tables with
 * KVM's own rules for faults against invalidations.
 */
#ifndef GMEM_FAKES_KVM_H
#define GMEM_FAKES_KVM_H

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <vector>

#include "kunit/fakes/fakes.h"
#include "kunit/fakes/locks.h"

struct kvm_create_guest_memfd {
	std::uint64_t size;
	std::uint64_t flags;
};

struct kvm_memory_slot {
	struct kvm *kvm = nullptr;
	std::uint64_t base_gfn = 0;
	std::uint64_t npages = 0;
	bool has_gmem = false;
	bool only = false; /* shared accesses go to the file, too */
	bool alias = false; /* of all others, with the C-bit */
	bool going = false; /* KVM is about to delete it */
	std::atomic<std::uint64_t> pgoff{ 0 };
	std::atomic<struct file *> file{ nullptr };
};

struct kvm_vcpu {
	struct kvm *kvm;
	bool direct = true; /* faults are by gfn */
	bool nested = false; /* a guest of its guest's runs */
	std::uint64_t exit_gfn = ~0ull; /* of the last exit for a shared access */
};

struct kvm_pre_fault_memory {
	std::uint64_t gpa, size;
};

/* The result of kvm_vcpu_map(): kapi_host_map_fill() fills it in. */
struct kvm_host_map {
	struct page *page = nullptr;
	std::uint64_t gfn = 0;
};

namespace fake
{

/* KVM_X86_*_VM. */
inline constexpr unsigned long kDefaultVm = 0, kSwProtectedVm = 1, kSnpVm = 4, kTdxVm = 5;

/* What maps where; all under mmu_lock. */
class GuestTables {
    public:
	~GuestTables();

	/* Installs what a fault found. @order 0, 9 or 18; @page is the block's first then. */
	void map(std::uint64_t gfn, struct page *page, unsigned order);
	/* Takes out every mapping that overlaps [start, end), but not of TLBs if not @flush. */
	void zap(std::uint64_t start, std::uint64_t end, bool flush = true);
	/* Out of TLBs, too; a page is mapped until then. */
	void flush(std::uint64_t start, std::uint64_t end);
	std::size_t tlb_size() const { return tlb_.size(); }
	bool in_tlb(std::uint64_t gfn) const { return tlb_.count(gfn); }
	/* A leaf around @gfn becomes small ones. */
	void split(std::uint64_t gfn);
	/* The page behind @gfn and the order it is mapped with; NULL: none. */
	struct page *lookup(std::uint64_t gfn, unsigned *order) const;
	bool empty() const { return blocks_.empty(); }

    private:
	struct Block {
		std::array<struct page *, 512> pages{};
		unsigned count = 0;
		bool huge = false;
	};

	static void set(Block &block, unsigned slot, struct page *page);

	std::map<std::uint64_t, Block> blocks_; /* by gfn / 512 */
	std::set<std::uint64_t> giants_; /* gfn >> 18 of those mapped as one */
	std::map<std::uint64_t, struct page *> tlb_; /* zapped, but not flushed; by gfn */
};

} /* namespace fake */

struct kvm {
	std::atomic<int> users{ 1 };
	unsigned long type = fake::kSwProtectedVm;
	bool made_sw_protected = false;
	bool snp_model = false, launched = false; /* of SNP's type */
	int vcpus = 0; /* -EBUSY: one more is on its way */
	std::multiset<std::pair<std::uint64_t, std::uint64_t>> regions; /* that are registered */
	int busy_vcpu = -1; /* that is in use */
	std::map<unsigned, unsigned> c_bits; /* what CPUIDs of vCPUs name, where they differ */
	std::atomic<bool> ran{ false }; /* a vCPU has */

	/* Faults are readers; a memslot is freed when they have left. */
	fake::Lock lock{ fake::Rank::Vm };
	fake::Lock srcu{ fake::Rank::Srcu };
	fake::Lock slots_lock{ fake::Rank::Slots };
	fake::Lock mmu_lock{ fake::Rank::Mmu };

	/* Changed under slots_lock, and slots_mutex for the sake of readers. */
	std::shared_mutex slots_mutex;
	std::vector<std::unique_ptr<kvm_memory_slot>> slots;

	/* Private gfns; attributes_mutex. */
	std::shared_mutex attributes_mutex;
	std::vector<bool> is_private;
	bool is_private_beyond = true; /* gfns from kGfns on */
	std::uint64_t private_from = ~0ull; /* and these for good */
	/* Gfns that attributes can make private without new memory; slots_lock. Start -> end. */
	std::map<std::uint64_t, std::uint64_t> reserved;

	/* mmu_lock; the counts are also read without it, as KVM does. */
	std::atomic<long> invalidate_in_progress{ 0 };
	std::atomic<std::uint64_t> invalidate_seq{ 0 };
	std::uint64_t range_start = 0, range_end = 0;
	fake::GuestTables tables;
};

namespace fake
{

/* gfns that a VM of the fakes has. */
inline constexpr std::uint64_t kGfns = 16384;
/* The first gfn that KVM cannot map. */
inline constexpr std::uint64_t kEndGfn = 1ull << 32;
/* kapi_attributes_convert() looks for a kill between aligned blocks of so many gfns. */
inline constexpr std::uint64_t kAttributesChunk = 512;

struct kvm *vm_create(unsigned long type = kSwProtectedVm, bool all_private = true);
/* KVM_SET_USER_MEMORY_REGION2 of a new slot; *slot is NULL on error. */
int slot_add(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages, int fd,
	     std::uint64_t offset_pages, struct kvm_memory_slot **slot);
/* The same with size 0. */
void slot_delete(struct kvm *kvm, struct kvm_memory_slot *slot);
/* The part of slot_delete() under slots_lock, which the caller holds. */
void slot_delete_locked(struct kvm *kvm, struct kvm_memory_slot *slot);
struct kvm_memory_slot *slot_at(struct kvm *kvm, std::uint64_t gfn);
/* A memslot as KVM makes one before binding; the caller frees it. */
std::unique_ptr<kvm_memory_slot> slot_make(struct kvm *kvm, std::uint64_t gfn,
					   std::uint64_t npages);
/* KVM_SET_MEMORY_ATTRIBUTES. */
void set_private(struct kvm *kvm, std::uint64_t start, std::uint64_t end, bool is_private);

/*
 * A private fault: 0 and the page is mapped with *order; -EAGAIN: an
 * invalidation was in the way, KVM would try again; or what get_pfn said.
 * -ENOENT: no slot, or shared.
 */
int fault(struct kvm *kvm, std::uint64_t gfn, unsigned *order = nullptr);
/* KVM_PRE_FAULT_MEMORY of one page: the same, and no vCPU need have run. */
int prefault(struct kvm *kvm, std::uint64_t gfn, unsigned *order = nullptr);
/*
 * The same of a shared fault; -ENODEV: its memory is not of a file of ours. An access
 * is whichever of both KVM's attributes say.
 */
int shared_fault(struct kvm *kvm, std::uint64_t gfn, unsigned *order = nullptr);
int guest_access(struct kvm *kvm, std::uint64_t gfn, unsigned *order = nullptr);
/* fault() until it is not -EAGAIN. */
int fault_in(struct kvm *kvm, std::uint64_t gfn, unsigned *order = nullptr);
/* The guest reads or writes through its mapping; false: none is there. */
bool guest_read(struct kvm *kvm, std::uint64_t gfn, std::uint64_t *content);
bool guest_write(struct kvm *kvm, std::uint64_t gfn, std::uint64_t content);
/* The order that @gfn is mapped with, -1: not mapped. */
int mapped_order(struct kvm *kvm, std::uint64_t gfn);
/* kvm_gmem_populate() under slots_lock, as KVM's ioctls call it. */
long populate(struct kvm *kvm, std::uint64_t gfn, void *src, long npages, kapi_populate_cb cb,
	      void *opaque);

/* Invalidations of all VMs: how many calls so far; unmaps may share a flush. */
struct MmuCalls {
	unsigned long begins, unmaps, flushes, ends;
	std::uint64_t begin_start, begin_end, unmap_start, unmap_end; /* the last ones */
};
MmuCalls mmu_calls();

/* Sets KVM's body of the running thread's next page fault; for one fault at most. */
void set_fault_body(std::function<int()> body);
/* Whether KVM's attributes say private; attributes_mutex. */
bool gfn_private(const struct kvm *kvm, std::uint64_t gfn);
/* Whether all of [start, end) is private or none of it. */
bool range_uniform(struct kvm *kvm, std::uint64_t start, std::uint64_t end);
/* The stock body's answer in place of a pfn. */
inline constexpr std::uint64_t kStockPfn = 0x57;

/* The platform: calls so far, and of how many pages. */
struct ArchCalls {
	unsigned long prepares, pages_prepared, reclaims, pages_reclaimed;
};
ArchCalls arch_calls();
/* Faults of the platform that it does not tell as errors; until check_clean(). */
struct ArchFaults {
	bool only_first = false; /* a prepare owns no more than its first page */
	bool keeps_one = false; /* a reclaim leaves its last page owned */
};
void set_arch_faults(ArchFaults faults);

/*
 * A vendor module of KVM's behind the arch hooks, and what it does as KVM maps and
 * unmaps private pages. By default pages are only noted as owned.
 */
class Vendor {
    public:
	virtual ~Vendor() = default;

	/* kvm_arch_gmem_prepare(), kvm_arch_gmem_invalidate(), snp_lookup_rmpentry(). */
	virtual int prepare(std::uint64_t, std::uint64_t, unsigned) { return 0; }
	virtual void invalidate(std::uint64_t, std::uint64_t) {}
	virtual int assigned(std::uint64_t) { return -ENODEV; }
	/* The largest order that the page at @pfn can be mapped with. */
	virtual unsigned max_order(std::uint64_t) { return 18; }
	/* Under mmu_lock. 0, or the fault is tried again. */
	virtual int map(std::uint64_t, std::uint64_t, unsigned) { return 0; }
	virtual void unmap(std::uint64_t, std::uint64_t) {}
};
void set_vendor(Vendor *vendor);
Vendor *vendor();
/* Whether an invalidation of all of these gfns is in progress. */
bool covered(struct kvm *kvm, std::uint64_t gfn, std::uint64_t npages);
/* Maps a page as a vendor's own fault does: false if an invalidation is in the way. */
bool map_from_vendor(struct kvm *kvm, std::uint64_t gfn, std::uint64_t pfn);

/*
 * Which interface KVM has: that of 6.12.95, or of what GMEM_KVM in the environment says,
 * 6.12.118 or 7.3.
 */
struct Generation {
	bool binds_in_steps; /* prepares and commits a memslot */
	bool shared_slots; /* knows memslots that serve shared accesses from the file, too */
};
Generation &generation();

/* What the stock bodies were called for, and what they answer. */
struct Stock {
	unsigned long create, bind, prepare_bind, commit_bind, unbind, get_pfn, populate, init_vm,
		check_extension, memory_failure, free_vm, prefetches, vcpu_map, pre_fault;
	std::atomic<unsigned long> slot_pfn, page_fault;
	std::atomic<std::uint64_t> last_error; /* of page_fault */
	unsigned long last_type; /* of init_vm */
	int answer;
	bool knows_sw_protected;
	bool knows_no_snp; /* of KVM_CREATE_VM's types */
	bool exposed; /* kapi_poison_expose()'s answer */
	bool prefault_stopped; /* kapi_prefault_end()'s */
	std::uint64_t prefault_gpa; /* of pre_fault */
};
Stock &stock();
/* How many calls of @entry have returned: served by gmem, or by the stock body. */
unsigned long entries(kapi_entry entry, bool served);
/* How many source pages one call pins at most. */
void set_pins_per_call(unsigned count);
/* Pages that populate has come to so far, in vain or not. */
unsigned long populate_calls();
bool page_faults_off();

/* For check_clean(). */
void check_vms();

} /* namespace fake */

#endif /* GMEM_FAKES_KVM_H */
