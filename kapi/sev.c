// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM of SNP's type on the model, as KVM has it, and what the save areas of its vCPUs
 * hold at launch (sev.h): <linux/kvm_host.h>, <asm/svm.h>. A software-protected VM of
 * KVM's own never has has_protected_state, so that is the mark.
 */
#include <linux/kvm_host.h>

#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/svm.h>

#include "kapi.h"
#include "sev.h"
#include "symbols.h"

#define SAME(ours, kernels) static_assert((u64)(ours) == (u64)(kernels))
#define SAME_FIELD(ours, kernels, field)                                                      \
	static_assert(offsetof(struct ours, field) == offsetof(struct kernels, field) &&      \
		      sizeof_field(struct ours, field) == sizeof_field(struct kernels, field))

SAME(KAPI_SEV_INIT, KVM_SEV_INIT);
SAME(KAPI_SEV_ES_INIT, KVM_SEV_ES_INIT);
SAME(KAPI_SEV_LAUNCH_START, KVM_SEV_LAUNCH_START);
SAME(KAPI_SEV_SEND_UPDATE_VMSA, KVM_SEV_SEND_UPDATE_VMSA);
SAME(KAPI_SEV_RECEIVE_UPDATE_VMSA, KVM_SEV_RECEIVE_UPDATE_VMSA);
SAME(KAPI_SEV_CERT_EXPORT, KVM_SEV_CERT_EXPORT);
SAME(KAPI_SEV_SEND_CANCEL, KVM_SEV_SEND_CANCEL);
SAME(KAPI_SEV_INIT2, KVM_SEV_INIT2);
SAME(KAPI_SNP_LAUNCH_START, KVM_SEV_SNP_LAUNCH_START);
SAME(KAPI_SNP_LAUNCH_UPDATE, KVM_SEV_SNP_LAUNCH_UPDATE);
SAME(KAPI_SNP_LAUNCH_FINISH, KVM_SEV_SNP_LAUNCH_FINISH);

SAME(sizeof(struct kapi_sev_cmd), sizeof(struct kvm_sev_cmd));
SAME_FIELD(kapi_sev_cmd, kvm_sev_cmd, data);
SAME_FIELD(kapi_sev_cmd, kvm_sev_cmd, error);
SAME_FIELD(kapi_sev_cmd, kvm_sev_cmd, sev_fd);
SAME(sizeof(struct kapi_enc_region), sizeof(struct kvm_enc_region));
SAME_FIELD(kapi_enc_region, kvm_enc_region, size);
SAME(sizeof(struct kapi_sev_init), sizeof(struct kvm_sev_init));
SAME_FIELD(kapi_sev_init, kvm_sev_init, flags);
SAME_FIELD(kapi_sev_init, kvm_sev_init, ghcb_version);
SAME(sizeof(struct kapi_snp_start), sizeof(struct kvm_sev_snp_launch_start));
SAME_FIELD(kapi_snp_start, kvm_sev_snp_launch_start, gosvw);
SAME_FIELD(kapi_snp_start, kvm_sev_snp_launch_start, flags);
SAME(sizeof(struct kapi_snp_update), sizeof(struct kvm_sev_snp_launch_update));
SAME_FIELD(kapi_snp_update, kvm_sev_snp_launch_update, len);
SAME_FIELD(kapi_snp_update, kvm_sev_snp_launch_update, type);
SAME_FIELD(kapi_snp_update, kvm_sev_snp_launch_update, flags);
SAME(sizeof(struct kapi_snp_finish), sizeof(struct kvm_sev_snp_launch_finish));
SAME_FIELD(kapi_snp_finish, kvm_sev_snp_launch_finish, id_block_en);
SAME_FIELD(kapi_snp_finish, kvm_sev_snp_launch_finish, vcek_disabled);
SAME_FIELD(kapi_snp_finish, kvm_sev_snp_launch_finish, host_data);
SAME_FIELD(kapi_snp_finish, kvm_sev_snp_launch_finish, flags);
SAME(KAPI_SNP_ID_BLOCK_SIZE, KVM_SEV_SNP_ID_BLOCK_SIZE);
SAME(KAPI_SNP_ID_AUTH_SIZE, KVM_SEV_SNP_ID_AUTH_SIZE);
SAME(KAPI_SNP_HOST_DATA_SIZE, KVM_SEV_SNP_FINISH_DATA_SIZE);

/* ---- the VM ---------------------------------------------------------------------------- */

void kapi_kvm_make_snp_model(struct kvm *kvm)
{
	kapi_kvm_make_sw_protected(kvm);
	kvm->arch.has_protected_state = true;
	/* As KVM's. The alias (c_bit.h) needs it, too: nobody announces the request for it. */
	kvm->arch.pre_fault_allowed = false;
}

bool kapi_kvm_is_snp_model(struct kvm *kvm)
{
	return kvm->arch.vm_type == KVM_X86_SW_PROTECTED_VM && kvm->arch.has_protected_state;
}

void kapi_kvm_launched(struct kvm *kvm)
{
	kvm->arch.pre_fault_allowed = true;
}

void kapi_kvm_lock(struct kvm *kvm)
{
	mutex_lock(&kvm->lock);
}

void kapi_kvm_unlock(struct kvm *kvm)
{
	mutex_unlock(&kvm->lock);
}

int kapi_kvm_vcpus(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->lock);
	/* The second is counted when the vCPU is there. */
	if (kvm->created_vcpus != atomic_read(&kvm->online_vcpus))
		return -EBUSY;
	return kvm->created_vcpus;
}

struct page *kapi_page_alloc_charged(void)
{
	return alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

/* ---- save areas ------------------------------------------------------------------------- */

static void save_segment(struct vmcb_seg *to, const struct kvm_segment *from)
{
	const bool present = from->present && !from->unusable;

	to->selector = from->selector;
	to->limit = from->limit;
	to->base = from->base;
	to->attrib = from->type | from->s << SVM_SELECTOR_S_SHIFT |
		     from->dpl << SVM_SELECTOR_DPL_SHIFT | present << SVM_SELECTOR_P_SHIFT |
		     from->avl << SVM_SELECTOR_AVL_SHIFT | from->l << SVM_SELECTOR_L_SHIFT |
		     from->db << SVM_SELECTOR_DB_SHIFT | from->g << SVM_SELECTOR_G_SHIFT;
}

static void save_table(struct vmcb_seg *to, const struct kvm_dtable *from)
{
	to->limit = from->limit;
	to->base = from->base;
}

static void save_segments(struct sev_es_save_area *save, const struct kvm_sregs *sregs)
{
	save_segment(&save->es, &sregs->es);
	save_segment(&save->cs, &sregs->cs);
	save_segment(&save->ss, &sregs->ss);
	save_segment(&save->ds, &sregs->ds);
	save_segment(&save->fs, &sregs->fs);
	save_segment(&save->gs, &sregs->gs);
	save_segment(&save->ldtr, &sregs->ldt);
	save_segment(&save->tr, &sregs->tr);
	save_table(&save->gdtr, &sregs->gdt);
	save_table(&save->idtr, &sregs->idt);
	save->cpl = sregs->ss.dpl;
}

/*
 * As KVM runs a guest on SVM: with SVM on, machine checks on, and caches that are, unless
 * the VMM wants none of that. CR2 comes with the first entry, which is after the launch.
 */
static void save_control(struct sev_es_save_area *save, const struct kvm *kvm,
			 const struct kvm_sregs *sregs)
{
	save->efer = sregs->efer | EFER_SVME;
	save->cr0 = sregs->cr0;
	if (!(kvm->arch.disabled_quirks & KVM_X86_QUIRK_CD_NW_CLEARED))
		save->cr0 &= ~(X86_CR0_CD | X86_CR0_NW);
	save->cr3 = sregs->cr3;
	save->cr4 = sregs->cr4 | X86_CR4_MCE;
}

static void save_general(struct sev_es_save_area *save, const struct kvm_regs *regs)
{
	save->rax = regs->rax;
	save->rbx = regs->rbx;
	save->rcx = regs->rcx;
	save->rdx = regs->rdx;
	save->rsi = regs->rsi;
	save->rdi = regs->rdi;
	save->rsp = regs->rsp;
	save->rbp = regs->rbp;
	save->r8 = regs->r8;
	save->r9 = regs->r9;
	save->r10 = regs->r10;
	save->r11 = regs->r11;
	save->r12 = regs->r12;
	save->r13 = regs->r13;
	save->r14 = regs->r14;
	save->r15 = regs->r15;
	save->rip = regs->rip;
	save->rflags = regs->rflags;
}

static void save_fpu(struct sev_es_save_area *save, const struct kvm_vcpu *vcpu)
{
	const struct xregs_state *const xsave = &vcpu->arch.guest_fpu.fpstate->regs.xsave;
	const struct fxregs_state *const fx = &xsave->i387;
	int i;

	save->x87_dp = fx->rdp;
	save->x87_rip = fx->rip;
	save->x87_fcw = fx->cwd;
	save->x87_fsw = fx->swd;
	save->x87_ftw = fx->twd;
	save->x87_fop = fx->fop;
	save->mxcsr = fx->mxcsr;
	/* The low 8 bytes of all registers, and then the upper two of all. */
	for (i = 0; i < 8; i++) {
		const u8 *const st = (const u8 *)fx->st_space + i * 16;

		memcpy(save->fpreg_x87 + i * 8, st, 8);
		memcpy(save->fpreg_x87 + 64 + i * 2, st + 8, 2);
	}
	memcpy(save->fpreg_xmm, fx->xmm_space, sizeof(save->fpreg_xmm));
	/* The first of what may follow, in either format. */
	if (xsave->header.xfeatures & XFEATURE_MASK_YMM)
		memcpy(save->fpreg_ymm, xsave->extended_state_area, sizeof(save->fpreg_ymm));
}

/* MSRs that KVM has in the save area of a guest that has no other. */
static const struct {
	u32 index;
	u16 offset, size;
} saved_msrs[] = {
#define SAVED(index, field, size) { index, offsetof(struct sev_es_save_area, field), size }
	SAVED(MSR_STAR, star, 8),
	SAVED(MSR_LSTAR, lstar, 8),
	SAVED(MSR_CSTAR, cstar, 8),
	SAVED(MSR_SYSCALL_MASK, sfmask, 8),
	SAVED(MSR_KERNEL_GS_BASE, kernel_gs_base, 8),
	SAVED(MSR_IA32_SYSENTER_CS, sysenter_cs, 8),
	/* AMD's have no more. */
	SAVED(MSR_IA32_SYSENTER_ESP, sysenter_esp, 4),
	SAVED(MSR_IA32_SYSENTER_EIP, sysenter_eip, 4),
	SAVED(MSR_IA32_DEBUGCTLMSR, dbgctl, 8),
	/* Of VMCBs alone, and in the way of nothing. */
	{ MSR_IA32_SPEC_CTRL, offsetof(struct vmcb_save_area, spec_ctrl), 8 },
#undef SAVED
};

static void save_msrs(struct sev_es_save_area *save, struct kvm_vcpu *vcpu)
{
	int i;

	gmem_vcpu_load(vcpu);
	for (i = 0; i < ARRAY_SIZE(saved_msrs); i++) {
		u64 value;

		/* One that the vCPU has not is zero. */
		if (!gmem_vcpu_get_msr(vcpu, saved_msrs[i].index, &value))
			memcpy((u8 *)save + saved_msrs[i].offset, &value, saved_msrs[i].size);
	}
	gmem_vcpu_put(vcpu);
}

static void save_rest(struct sev_es_save_area *save, const struct kvm_vcpu *vcpu)
{
	save->dr6 = vcpu->arch.dr6;
	save->dr7 = vcpu->arch.dr7;
	save->g_pat = vcpu->arch.pat;
	save->xcr0 = vcpu->arch.xcr0;
	save->xss = vcpu->arch.ia32_xss;
	save->pkru = vcpu->arch.pkru;
	save_fpu(save, vcpu);
}

static int save_vcpu(struct sev_es_save_area *save, struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int ret;

	if (vcpu->guest_debug || vcpu->arch.dr7 & ~DR7_FIXED_1)
		return -EINVAL;
	ret = gmem_vcpu_get_regs(vcpu, &regs);
	if (!ret)
		ret = gmem_vcpu_get_sregs(vcpu, &sregs);
	if (ret)
		return ret;
	save_segments(save, &sregs);
	save_control(save, vcpu->kvm, &sregs);
	save_general(save, &regs);
	save_msrs(save, vcpu);
	save_rest(save, vcpu);
	return 0;
}

int kapi_kvm_vmsa(struct kvm *kvm, unsigned int nr, kapi_u64 sev_features, void *page)
{
	struct kvm_vcpu *const vcpu = kvm_get_vcpu(kvm, nr);
	struct sev_es_save_area *const save = page;
	int ret;

	/* A vCPU in KVM_RUN might stay there for ever. */
	if (!vcpu || !mutex_trylock(&vcpu->mutex))
		return -EBUSY;
	memset(page, 0, PAGE_SIZE);
	ret = save_vcpu(save, vcpu);
	save->sev_features = sev_features;
	mutex_unlock(&vcpu->mutex);
	return ret;
}
