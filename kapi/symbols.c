// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding functions that are not exported, and calling them (symbols.h); the list of them is
 * called.h. A kprobe registered by name, disabled so that nothing is patched, tells the address of
 * the one that knows all others: probing for each would cost an RCU grace period each.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/static_call.h>
#include <linux/stringify.h>

#include <asm/pgtable.h>

#include "called.h"
#include "compat/ibt.h"
#include "poison.h"
#include "prototypes.h"
#include "symbols.h"

DEFINE_STATIC_CALL_NULL(gmem_lookup, kallsyms_lookup_name);

static int find_lookup(void)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	const int ret = register_kprobe(&probe);

	if (ret) {
		pr_err("the kernel's names cannot be looked up (error %d), not loading\n", ret);
		return ret;
	}
	static_call_update(gmem_lookup, (typeof(kallsyms_lookup_name) *)probe.addr);
	unregister_kprobe(&probe);
	return 0;
}

/*
 * KVM's, or else the kernel's own: any module may have something of the same name, and
 * the last one loaded would be found first.
 */
static unsigned long look_up(const char *name)
{
	char in_kvm[KSYM_NAME_LEN + sizeof("kvm:")];
	unsigned long addr;

	snprintf(in_kvm, sizeof(in_kvm), "kvm:%s", name);
	addr = static_call(gmem_lookup)(in_kvm);
	if (addr)
		return addr;
	addr = static_call(gmem_lookup)(name);
	return addr >= MODULES_VADDR && addr < MODULES_END ? 0 : addr;
}

unsigned long gmem_symbol_address(const char *name)
{
	const unsigned long addr = look_up(name);

	if (addr && gmem_is_endbr(*(u32 *)addr))
		return addr + ENDBR_INSN_SIZE;
	return addr;
}

DEFINE_STATIC_CALL_NULL(gmem_extent, kallsyms_lookup_size_offset);

unsigned long gmem_symbol_extent(const char *name, unsigned long *size)
{
	const unsigned long addr = look_up(name);
	unsigned long offset;

	if (!addr || !static_call(gmem_extent)(addr, size, &offset) || offset)
		return 0;
	return addr;
}

void *gmem_symbol_variable(const char *name)
{
	return (void *)look_up(name);
}

#define DEFINE_CALL(name, ret, args) \
	typedef ret name##_fn args;  \
	DEFINE_STATIC_CALL_NULL(gmem_##name, *(name##_fn *)0);
SYMBOLS(DEFINE_CALL)
SYMBOLS_GHCB(DEFINE_CALL)

#define CALL(name) static_call(gmem_##name)

static const bool *tdp_mmu;
/* What KVM's vendor module has put there, by the time there is a VM. */
static const struct kvm_x86_ops *x86_ops;
static atomic_long_t *poisoned;
static bool have_ghcb;

int gmem_symbols_resolve(void)
{
	unsigned long addr;
	int ret;

	ret = find_lookup();
	if (ret)
		return ret;
	addr = gmem_symbol_address("kallsyms_lookup_size_offset");
	if (!addr)
		return -ENOENT;
	static_call_update(gmem_extent, (typeof(kallsyms_lookup_size_offset) *)addr);
#define RESOLVE(name, ret, args)                                               \
	addr = gmem_symbol_address(#name);                                     \
	if (!addr) {                                                           \
		pr_err("the kernel has no function %s, not loading\n", #name); \
		return -ENOENT;                                                \
	}                                                                      \
	static_call_update(gmem_##name, (name##_fn *)addr);
	SYMBOLS(RESOLVE)
	have_ghcb = true;
#define RESOLVE_IF_THERE(name, ret, args)              \
	addr = gmem_symbol_address(#name);             \
	have_ghcb = have_ghcb && addr;                 \
	static_call_update(gmem_##name, (name##_fn *)addr);
	SYMBOLS_GHCB(RESOLVE_IF_THERE)
	tdp_mmu = gmem_symbol_variable("tdp_mmu_enabled");
	if (!tdp_mmu) {
		pr_err("KVM has no variable tdp_mmu_enabled, not loading\n");
		return -ENOENT;
	}
	x86_ops = gmem_symbol_variable("kvm_x86_ops");
	if (!x86_ops) {
		pr_err("KVM has no variable kvm_x86_ops, not loading\n");
		return -ENOENT;
	}
	/* It only saves time. */
	poisoned = gmem_symbol_variable("num_poisoned_pages");
	return 0;
}

static int compare(const char *name, const char *text)
{
	if (!gmem_prototype_differs(name, text))
		return 0;
	gmem_prototype_explain(name, text);
	pr_err("%s has another prototype, not loading\n", name);
	return -ENOENT;
}

int gmem_symbols_compare(void)
{
	int ret = 0;

#define COMPARE(name, result, args) ret = ret ?: compare(#name, __stringify(result args));
	SYMBOLS(COMPARE)
#define COMPARE_IF_THERE(name, result, args) \
	have_ghcb = have_ghcb && !gmem_prototype_differs(#name, __stringify(result args));
	SYMBOLS_GHCB(COMPARE_IF_THERE)
	return ret;
}

bool gmem_symbols_ghcb(void)
{
	return have_ghcb;
}

const bool *gmem_tdp_mmu_enabled(void)
{
	return tdp_mmu;
}

const struct kvm_x86_ops *gmem_x86_ops(void)
{
	return x86_ops;
}

atomic_long_t *gmem_poisoned_pages(void)
{
	return poisoned;
}

void gmem_mmu_invalidate_begin(struct kvm *kvm)
{
#if GMEM_KVM_INVALIDATE_START
	CALL(kvm_mmu_invalidate_start)(kvm);
#else
	CALL(kvm_mmu_invalidate_begin)(kvm);
#endif
}

void gmem_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end)
{
	CALL(kvm_mmu_invalidate_range_add)(kvm, start, end);
}

void gmem_mmu_invalidate_end(struct kvm *kvm)
{
	CALL(kvm_mmu_invalidate_end)(kvm);
}

bool gmem_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	const bool flush = CALL(kvm_mmu_unmap_gfn_range)(kvm, range);

#if GMEM_KVM_INVALIDATE_RANGE
	CALL(kvm_arch_gmem_invalidate_range)(kvm, range);
#endif
	return flush;
}

void gmem_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages)
{
	CALL(kvm_flush_remote_tlbs_range)(kvm, gfn, nr_pages);
}

bool gmem_range_has_memory_attributes(struct kvm *kvm, gfn_t start, gfn_t end, unsigned long mask,
				      unsigned long attrs)
{
	return CALL(kvm_range_has_memory_attributes)(kvm, start, end, mask, attrs);
}

bool gmem_arch_pre_set_attributes(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return CALL(kvm_arch_pre_set_memory_attributes)(kvm, range);
}

bool gmem_arch_post_set_attributes(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return CALL(kvm_arch_post_set_memory_attributes)(kvm, range);
}

void gmem_tdp_mmu_try_split_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot,
				       gfn_t start, gfn_t end, int level)
{
	CALL(kvm_tdp_mmu_try_split_huge_pages)(kvm, slot, start, end, level, false);
}

#if !GMEM_KVM_RELOAD_DROPS_ROOTS
void gmem_mmu_free_obsolete_roots(struct kvm_vcpu *vcpu)
{
	CALL(kvm_mmu_free_obsolete_roots)(vcpu);
}
#endif

#if GMEM_KVM_MAKE_PRIVATE
int gmem_arch_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, int max_order)
{
	kvm_pfn_t i;
	int ret = 0;

	/* SNP's takes one at a time. */
	for (i = 0; i < 1ull << max_order && !ret; i++)
		ret = CALL(kvm_arch_gmem_make_private)(kvm, gfn + i, pfn + i, 1);
	return ret;
}

void gmem_arch_invalidate(kvm_pfn_t start, kvm_pfn_t end)
{
	CALL(kvm_arch_gmem_reclaim)(start, end - start);
}
#else
int gmem_arch_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, int max_order)
{
	return CALL(kvm_arch_gmem_prepare)(kvm, gfn, pfn, max_order);
}

void gmem_arch_invalidate(kvm_pfn_t start, kvm_pfn_t end)
{
	CALL(kvm_arch_gmem_invalidate)(start, end);
}
#endif

unsigned long gmem_vcpu_rflags(struct kvm_vcpu *vcpu)
{
	return CALL(kvm_get_rflags)(vcpu);
}

void gmem_vcpu_set_rflags(struct kvm_vcpu *vcpu, unsigned long rflags)
{
	CALL(kvm_set_rflags)(vcpu, rflags);
}

unsigned long gmem_vcpu_linear_rip(struct kvm_vcpu *vcpu)
{
	return CALL(kvm_get_linear_rip)(vcpu);
}

int gmem_vcpu_skip(struct kvm_vcpu *vcpu)
{
	return CALL(kvm_skip_emulated_instruction)(vcpu);
}

void gmem_queue_exception_code(struct kvm_vcpu *vcpu, unsigned int nr, u32 error_code)
{
	CALL(kvm_queue_exception_e)(vcpu, nr, error_code);
}

void gmem_queue_exception_payload(struct kvm_vcpu *vcpu, unsigned int nr, unsigned long payload)
{
	CALL(kvm_queue_exception_p)(vcpu, nr, payload);
}

void gmem_vcpu_cpuid(struct kvm_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	CALL(kvm_cpuid)(vcpu, eax, ebx, ecx, edx, false);
}

int gmem_vcpu_rdpmc(struct kvm_vcpu *vcpu)
{
	return CALL(kvm_emulate_rdpmc)(vcpu);
}

int gmem_vcpu_reset_hold(struct kvm_vcpu *vcpu)
{
	return CALL(kvm_emulate_ap_reset_hold)(vcpu);
}

int gmem_vcpu_set_dr(struct kvm_vcpu *vcpu, int dr, unsigned long value)
{
	return CALL(kvm_set_dr)(vcpu, dr, value);
}

int gmem_vcpu_string_io(struct kvm_vcpu *vcpu, unsigned int size, unsigned int port, void *data,
			unsigned int count, bool in)
{
	return CALL(kvm_sev_es_string_io)(vcpu, size, port, data, count, in);
}

int gmem_vcpu_mmio(struct kvm_vcpu *vcpu, bool write, gpa_t gpa, unsigned int size, void *data)
{
#if GMEM_KVM_SEV_MMIO
	return CALL(kvm_sev_es_mmio)(vcpu, write, gpa, size, data);
#else
	return write ? CALL(kvm_sev_es_mmio_write)(vcpu, gpa, size, data) :
		       CALL(kvm_sev_es_mmio_read)(vcpu, gpa, size, data);
#endif
}

int gmem_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs)
{
	return CALL(kvm_arch_vcpu_ioctl_get_regs)(vcpu, regs);
}

int gmem_vcpu_get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	return CALL(kvm_arch_vcpu_ioctl_get_sregs)(vcpu, sregs);
}

void gmem_vcpu_load(struct kvm_vcpu *vcpu)
{
	CALL(vcpu_load)(vcpu);
}

void gmem_vcpu_put(struct kvm_vcpu *vcpu)
{
	CALL(vcpu_put)(vcpu);
}

int gmem_vcpu_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *value)
{
	struct msr_data msr = { .host_initiated = true, .index = index };
	const int ret = x86_ops->get_msr(vcpu, &msr);

	*value = msr.data;
	return ret;
}

int gmem_vcpu_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 value)
{
	/* PAT is user space's to set between KVM_RUNs alone: KVM of 7.3 warns of anything else. */
	struct msr_data msr = {
		.host_initiated = index != MSR_IA32_CR_PAT,
		.index = index,
		.data = value,
	};

	return x86_ops->set_msr(vcpu, &msr);
}

int gmem_vcpu_set_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs)
{
	return CALL(kvm_arch_vcpu_ioctl_set_regs)(vcpu, regs);
}

int gmem_vcpu_set_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	return CALL(kvm_arch_vcpu_ioctl_set_sregs)(vcpu, sregs);
}

void gmem_fpu_swap(struct fpu_guest *fpu, bool enter)
{
	CALL(fpu_swap_kvm_fpstate)(fpu, enter);
}

int gmem_fpu_set(struct fpu_guest *fpu, const void *xsave, u64 xcr0, u32 *pkru)
{
	return CALL(fpu_copy_uabi_to_guest_fpstate)(fpu, xsave, xcr0, pkru);
}

bool gmem_has_user_return_msr(u32 index)
{
	return CALL(kvm_find_user_return_msr)(index) >= 0;
}

void gmem_vcpu_leave_smm(struct kvm_vcpu *vcpu)
{
#ifdef CONFIG_KVM_SMM
	CALL(kvm_smm_changed)(vcpu, false);
#endif
}

void gmem_vcpu_init_apic(struct kvm_vcpu *vcpu)
{
	CALL(kvm_lapic_reset)(vcpu, true);
}

void gmem_vcpu_kick(struct kvm_vcpu *vcpu)
{
#if GMEM_KVM_KICK_MAY_WAIT
	CALL(__kvm_vcpu_kick)(vcpu, false);
#else
	CALL(kvm_vcpu_kick)(vcpu);
#endif
}

int gmem_set_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region2 *region)
{
#if GMEM_KVM_EXPORTS_LESS
	return CALL(kvm_set_memory_region)(kvm, region);
#else
	return __kvm_set_memory_region(kvm, region);
#endif
}

struct kvm_memory_slot *gmem_gfn_to_memslot(struct kvm *kvm, gfn_t gfn)
{
#if GMEM_KVM_EXPORTS_LESS
	return CALL(gfn_to_memslot)(kvm, gfn);
#else
	return gfn_to_memslot(kvm, gfn);
#endif
}

#if GMEM_MEMCG_CHARGES_FOLIOS
int gmem_mem_cgroup_charge(struct folio *folio, gfp_t gfp)
{
	return CALL(__mem_cgroup_charge)(folio, NULL, gfp);
}
#else
int gmem_mem_cgroup_try_charge(struct mem_cgroup *memcg, gfp_t gfp, unsigned int nr_pages)
{
	/* The root, whose pages are not counted. */
	if (!parent_mem_cgroup(memcg))
		return 0;
	return CALL(try_charge_memcg)(memcg, gfp, nr_pages);
}

void gmem_mem_cgroup_commit_charge(struct folio *folio, struct mem_cgroup *memcg)
{
	CALL(mem_cgroup_commit_charge)(folio, memcg);
}
#endif

void gmem_mem_cgroup_uncharge_folios(struct folio_batch *folios)
{
	if (!mem_cgroup_disabled())
		CALL(__mem_cgroup_uncharge_folios)(folios);
}

u64 gmem_task_sched_runtime(struct task_struct *task)
{
	return CALL(task_sched_runtime)(task);
}

void gmem_lru_add_drain_all(void)
{
	CALL(lru_add_drain_all)();
}

struct inode *gmem_anon_inode_make_secure_inode(struct super_block *sb, const char *name)
{
	return CALL(anon_inode_make_secure_inode)(sb, name, NULL);
}

struct mm_struct *gmem_mm_access(struct task_struct *task, unsigned int mode)
{
	return CALL(mm_access)(task, mode);
}

void gmem_mpol_shared_policy_init(struct shared_policy *policy)
{
	CALL(mpol_shared_policy_init)(policy, NULL);
}

struct mempolicy *gmem_mpol_shared_policy_lookup(struct shared_policy *policy, pgoff_t index)
{
	return CALL(mpol_shared_policy_lookup)(policy, index);
}

int gmem_mpol_set_shared_policy(struct shared_policy *policy, struct vm_area_struct *vma,
				struct mempolicy *mpol)
{
	return CALL(mpol_set_shared_policy)(policy, vma, mpol);
}

void gmem_mpol_free_shared_policy(struct shared_policy *policy)
{
	CALL(mpol_free_shared_policy)(policy);
}

void gmem_mpol_put(struct mempolicy *mpol)
{
	if (mpol)
		CALL(__mpol_put)(mpol);
}

struct page *gmem_alloc_pages_mpol(gfp_t gfp, unsigned int order, struct mempolicy *mpol,
				   pgoff_t ilx)
{
#if GMEM_MPOL_GIVES_FROZEN
	struct page *const page = CALL(alloc_pages_mpol)(gfp, order, mpol, ilx, numa_node_id());

	if (page)
		set_page_count(page, 1);
	return page;
#else
	return CALL(alloc_pages_mpol_noprof)(gfp, order, mpol, ilx, numa_node_id());
#endif
}

struct page *gmem_alloc_contig_pages(unsigned long nr_pages, gfp_t gfp)
{
	return CALL(alloc_contig_pages_noprof)(nr_pages, gfp, numa_node_id(),
					       &node_states[N_MEMORY]);
}
