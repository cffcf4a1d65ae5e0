// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is taken over for which feature, and which calls of it are sent to us (hook_table.h).
 *
 * A call that cannot concern the module is not sent, as it may sleep for ever and
 * gmem_detach() waits for calls that are inside. Each object of the module holds the module
 * for longer than any call about the object takes: a VM until it is freed, a memslot until
 * SRCU's readers have left.
 */
#include <linux/ftrace.h>
#include <linux/kvm_host.h>

#include <uapi/gmem.h>

#include "ap.h"
#include "hook_table.h"
#include "sev.h"
#include "slots.h"
#include "vc.h"

/* All other ioctls go on as on a KVM without the module. */
static bool notrace known_ioctl(struct ftrace_regs *fregs)
{
	struct file *file;

	switch ((unsigned int)ftrace_regs_get_argument(fregs, 1)) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
	case KVM_SET_MEMORY_ATTRIBUTES:
	case KVM_LINK_GUEST_MEMFD:
		return true;
	case KVM_MEMORY_ENCRYPT_OP:
	case KVM_MEMORY_ENCRYPT_REG_REGION:
	case KVM_MEMORY_ENCRYPT_UNREG_REGION:
		file = (void *)ftrace_regs_get_argument(fregs, 0);
		return kapi_kvm_is_snp_model(kapi_file_vm(file));
	}
	return false;
}

static bool notrace vcpu_may_be_ours(struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *const vcpu = (void *)ftrace_regs_get_argument(fregs, 0);

	return gmem_kvm_may_be_ours(vcpu->kvm);
}

static bool notrace prefault_matters(struct ftrace_regs *fregs)
{
	return gmem_prefault_matters((void *)ftrace_regs_get_argument(fregs, 0));
}

static bool notrace slot_is_only(struct ftrace_regs *fregs)
{
	return kapi_slot_only((void *)ftrace_regs_get_argument(fregs, 0));
}

static bool notrace second_is_only(struct ftrace_regs *fregs)
{
	return kapi_slot_only((void *)ftrace_regs_get_argument(fregs, 1));
}

static bool notrace slot_has_gmem(struct ftrace_regs *fregs)
{
	return kapi_slot_has_gmem((void *)ftrace_regs_get_argument(fregs, 0));
}

static bool notrace second_has_gmem(struct ftrace_regs *fregs)
{
	return kapi_slot_has_gmem((void *)ftrace_regs_get_argument(fregs, 1));
}

static bool notrace kvm_is_ours(struct ftrace_regs *fregs)
{
	const struct kvm *const kvm = (void *)ftrace_regs_get_argument(fregs, 0);

	return kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM;
}

static bool notrace vcpu_is_ours(struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *const vcpu = (void *)ftrace_regs_get_argument(fregs, 0);

	return vcpu->kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM;
}

static bool notrace clock_is_ours(struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *const vcpu =
		(void *)ftrace_regs_get_argument(fregs, GMEM_KVM_PVCLOCK_OF);

	return vcpu->kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM;
}

static bool notrace vcpu_is_snp(struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *const vcpu = (void *)ftrace_regs_get_argument(fregs, 0);

	return kapi_kvm_is_snp_model(vcpu->kvm);
}

/* Asked for at each event of each guest's, as no other of these. */
static bool notrace may_be_refused(struct ftrace_regs *fregs)
{
	return READ_ONCE(kapi_any_refused) && vcpu_is_snp(fregs);
}

static bool notrace msr_is_sev_status(struct ftrace_regs *fregs)
{
	const struct msr_data *const msr = (void *)ftrace_regs_get_argument(fregs, 1);

	return msr->index == MSR_AMD64_SEV && vcpu_is_snp(fregs);
}

static bool notrace msr_is_ghcb_or_vc(struct ftrace_regs *fregs)
{
	const struct kvm_vcpu *const vcpu = (void *)ftrace_regs_get_argument(fregs, 0);

	return ((u32)vcpu->arch.regs[VCPU_REGS_RCX] == MSR_AMD64_SEV_ES_GHCB ||
		kapi_guests_get_vc()) &&
	       vcpu_is_snp(fregs);
}

static bool notrace second_is_ghcb(struct ftrace_regs *fregs)
{
	return (u32)ftrace_regs_get_argument(fregs, 1) == MSR_AMD64_SEV_ES_GHCB &&
	       vcpu_is_snp(fregs);
}

#define BACKEND KAPI_FEATURE_BACKEND
#define SW_PROTECTED KAPI_FEATURE_SW_PROTECTED
#define HOLES KAPI_FEATURE_HOLES
#define SHARED KAPI_FEATURE_SHARED
#define SNP_VMS KAPI_FEATURE_SNP_VMS
#define SNP_VC KAPI_FEATURE_SNP_VC
/* Where requests for memslots are served, who pre-faults beside one must be known (requests.c). */
#define SLOT_REQUESTS (SW_PROTECTED | HOLES | SHARED)

const struct gmem_hook gmem_hooks[KAPI_ENTRIES] = {
	[KAPI_ENTRY_PAGE_FAULT] = { .features = SW_PROTECTED | HOLES | SHARED,
				    .wanted = vcpu_may_be_ours },
	[KAPI_ENTRY_GET_PFN] = { .features = BACKEND, .faults = true },
	[KAPI_ENTRY_MAPPING_LEVEL] = { .features = SHARED,
				       .wanted = second_is_only,
				       .callers = { "kvm_mmu_hugepage_adjust",
						    "kvm_mmu_max_mapping_level" } },
	[KAPI_ENTRY_SLOT_PFN] = { .features = SHARED, .wanted = slot_is_only, .faults = true },
	[KAPI_ENTRY_VM_IOCTL] = { .features = SLOT_REQUESTS, .wanted = known_ioctl },
	[KAPI_ENTRY_PREPARE_SLOT] = { .features = HOLES | SHARED | SNP_VMS },
	[KAPI_ENTRY_UNBIND] = { .features = BACKEND },
	[KAPI_ENTRY_BIND] = { .features = BACKEND, .binding = AT_ONCE },
	[KAPI_ENTRY_PREPARE_BIND] = { .features = BACKEND, .binding = IN_STEPS },
	[KAPI_ENTRY_COMMIT_BIND] = { .features = BACKEND, .binding = IN_STEPS },
	[KAPI_ENTRY_POPULATE] = { .features = BACKEND },
	[KAPI_ENTRY_CREATE] = { .features = BACKEND },
	[KAPI_ENTRY_MEMORY_FAILURE] = { .features = BACKEND },
	[KAPI_ENTRY_CHECK_EXTENSION] = { .features = BACKEND | SW_PROTECTED | HOLES | SHARED },
	[KAPI_ENTRY_INIT_VM] = { .features = SW_PROTECTED },
	[KAPI_ENTRY_FREE_VM] = { .features = SW_PROTECTED },
	[KAPI_ENTRY_PREFETCH_PFN] = { .features = SW_PROTECTED | SHARED,
				      .wanted = slot_has_gmem },
	[KAPI_ENTRY_PREFETCH_PAGES] = { .features = SW_PROTECTED | SHARED,
					.wanted = slot_has_gmem },
	[KAPI_ENTRY_VCPU_MAP] = { .features = SW_PROTECTED | SHARED,
				  .wanted = vcpu_may_be_ours },
	[KAPI_ENTRY_PRE_FAULT] = { .features = SLOT_REQUESTS, .wanted = prefault_matters },
	[KAPI_ENTRY_READ_PAGE] = { .features = SNP_VMS,
				   .wanted = slot_has_gmem,
				   .callers = { "kvm_read_guest_page",
						"kvm_vcpu_read_guest_page" } },
	[KAPI_ENTRY_WRITE_PAGE] = { .features = SNP_VMS,
				    .wanted = second_has_gmem,
				    .callers = { "kvm_write_guest_page",
						 "kvm_vcpu_write_guest_page" } },
	[KAPI_ENTRY_WALK64] = { .features = SNP_VMS, .wanted = vcpu_is_ours, .throws = true },
	[KAPI_ENTRY_WALK32] = { .features = SNP_VMS, .wanted = vcpu_is_ours, .throws = true },
	[KAPI_ENTRY_READ_CACHED] = { .features = SNP_VMS, .wanted = kvm_is_ours },
	[KAPI_ENTRY_WRITE_CACHED] = { .features = SNP_VMS, .wanted = kvm_is_ours },
	[KAPI_ENTRY_PVCLOCK] = { .features = SNP_VMS,
				 .wanted = clock_is_ours,
				 .callers = { "kvm_guest_time_update" } },
	[KAPI_ENTRY_STEAL_TIME] = { .features = SNP_VMS, .wanted = vcpu_is_ours },
	[KAPI_ENTRY_GET_MSR] = { .features = SNP_VMS, .wanted = msr_is_sev_status },
	[KAPI_ENTRY_UNDEFINED] = { .features = SNP_VMS, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_HYPERCALL] = { .features = SNP_VMS, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_RDMSR] = { .features = SNP_VMS,
			       .wanted = msr_is_ghcb_or_vc,
			       .needs_vcpu = true },
	[KAPI_ENTRY_WRMSR] = { .features = SNP_VMS,
			       .wanted = msr_is_ghcb_or_vc,
			       .needs_vcpu = true },
	[KAPI_ENTRY_MSR_ALLOWED] = { .features = SNP_VMS, .wanted = second_is_ghcb },
	[KAPI_ENTRY_RESET] = { .features = SNP_VMS, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_SIPI] = { .features = SNP_VMS, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_EVENTS] = { .features = SNP_VMS, .wanted = may_be_refused, .needs_vcpu = true },
	[KAPI_ENTRY_CPUID] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_PIO] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_EMULATE] = { .features = SNP_VC,
				 .wanted = vcpu_is_snp,
				 .callers = { "kvm_emulate_instruction" },
				 .needs_vcpu = true },
	[KAPI_ENTRY_RDPMC] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_WBINVD] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_INVD] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_MONITOR] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
	[KAPI_ENTRY_MWAIT] = { .features = SNP_VC, .wanted = vcpu_is_snp, .needs_vcpu = true },
};
