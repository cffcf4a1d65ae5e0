// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs that their guest creates (ap.h): <linux/kvm_host.h>. KVM's own functions set what user
 * space could set, with their own checks.
 */
#include <linux/kvm_host.h>
#include <linux/slab.h>

#include <asm/fpu/xcr.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/svm.h>

#include "ap.h"
#include "compat/kvm.h"
#include "segments.h"
#include "symbols.h"

struct kvm_vcpu *kapi_kvm_vcpu_by_id(struct kvm *kvm, unsigned int id)
{
	return kvm_get_vcpu_by_id(kvm, id);
}

void kapi_vcpu_request_reset(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_UPDATE_PROTECTED_GUEST_STATE, vcpu);
	gmem_vcpu_kick(vcpu);
}

void kapi_vcpu_forget_reset(struct kvm_vcpu *vcpu)
{
	kvm_clear_request(KVM_REQ_UPDATE_PROTECTED_GUEST_STATE, vcpu);
}

unsigned int kapi_vcpu_address_bits(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.maxphyaddr;
}

int kapi_kvm_read_lock(struct kvm *kvm)
{
	return srcu_read_lock(&kvm->srcu);
}

void kapi_kvm_read_unlock(struct kvm *kvm, int token)
{
	srcu_read_unlock(&kvm->srcu, token);
}

bool kapi_any_refused;

void kapi_vcpu_refuse(struct kvm_vcpu *vcpu)
{
	WRITE_ONCE(kapi_any_refused, true);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

bool kapi_vcpu_is_entering(struct kvm_vcpu *vcpu)
{
	return vcpu->wants_to_run && vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE &&
	       !kvm_test_request(KVM_REQ_UPDATE_PROTECTED_GUEST_STATE, vcpu);
}

void kapi_vcpu_exit_refused(struct kvm_vcpu *vcpu)
{
	struct kvm_run *const run = vcpu->run;

	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = SVM_EXIT_ERR;
	run->fail_entry.cpu = vcpu->cpu;
	/* For the next KVM_RUN. */
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

void kapi_vcpu_init(struct kvm_vcpu *vcpu)
{
	gmem_vcpu_init_apic(vcpu);
	atomic_set(&vcpu->arch.nmi_queued, 0);
	vcpu->arch.nmi_pending = 0;
	vcpu->arch.nmi_injected = false;
	vcpu->arch.interrupt.injected = false;
	vcpu->arch.exception.pending = false;
	vcpu->arch.exception.injected = false;
	kvm_make_request(KVM_REQ_EVENT, vcpu);
	kvm_make_request(KVM_REQ_TLB_FLUSH_GUEST, vcpu);
}

bool kapi_vcpu_lacks_state(struct kvm_vcpu *vcpu)
{
	/* Each state that a processor or KVM makes has that bit. */
	return vcpu->arch.hflags & HF_GUEST_MASK ||
	       !(gmem_vcpu_rflags(vcpu) & X86_EFLAGS_FIXED);
}

void kapi_vcpu_leave_smm(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.hflags & HF_SMM_MASK)
		gmem_vcpu_leave_smm(vcpu);
}

void kapi_vcpu_set_halted(struct kvm_vcpu *vcpu, bool halted)
{
	vcpu->arch.pv.pv_unhalted = false;
	vcpu->arch.mp_state = halted ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE;
}

/* ---- a state --------------------------------------------------------------------------- */

static bool set_sregs(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	struct kvm_sregs sregs;

	/* The APIC stays as it is. */
	if (gmem_vcpu_get_sregs(vcpu, &sregs))
		return false;
	sregs.es = gmem_segment_for_kvm(&state->es);
	sregs.cs = gmem_segment_for_kvm(&state->cs);
	sregs.ss = gmem_segment_for_kvm(&state->ss);
	sregs.ds = gmem_segment_for_kvm(&state->ds);
	sregs.fs = gmem_segment_for_kvm(&state->fs);
	sregs.gs = gmem_segment_for_kvm(&state->gs);
	sregs.ldt = gmem_segment_for_kvm(&state->ldt);
	sregs.tr = gmem_segment_for_kvm(&state->tr);
	sregs.gdt.base = state->gdt;
	sregs.gdt.limit = state->gdt_limit;
	sregs.idt.base = state->idt;
	sregs.idt.limit = state->idt_limit;
	sregs.efer = state->efer;
	sregs.cr0 = state->cr0;
	sregs.cr2 = state->cr2;
	sregs.cr3 = state->cr3;
	sregs.cr4 = state->cr4;
	return !gmem_vcpu_set_sregs(vcpu, &sregs);
}

static bool set_regs(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	const u64 *const gprs = state->gprs;
	struct kvm_regs regs = {
		.rax = gprs[0], .rcx = gprs[1], .rdx = gprs[2], .rbx = gprs[3],
		.rsp = gprs[4], .rbp = gprs[5], .rsi = gprs[6], .rdi = gprs[7],
		.r8 = gprs[8], .r9 = gprs[9], .r10 = gprs[10], .r11 = gprs[11],
		.r12 = gprs[12], .r13 = gprs[13], .r14 = gprs[14], .r15 = gprs[15],
		.rip = state->rip,
		.rflags = state->rflags,
	};

	return !gmem_vcpu_set_regs(vcpu, &regs);
}

/* 0 is the value of one that the guest has not. */
static bool set_msrs(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	const struct {
		u32 index;
		u64 value;
	} msrs[] = {
		{ MSR_STAR, state->star },
		{ MSR_LSTAR, state->lstar },
		{ MSR_CSTAR, state->cstar },
		{ MSR_SYSCALL_MASK, state->sfmask },
		{ MSR_KERNEL_GS_BASE, state->kernel_gs_base },
		{ MSR_IA32_SYSENTER_CS, state->sysenter_cs },
		{ MSR_IA32_SYSENTER_ESP, state->sysenter_esp },
		{ MSR_IA32_SYSENTER_EIP, state->sysenter_eip },
		{ MSR_IA32_CR_PAT, state->pat },
		{ MSR_TSC_AUX, state->tsc_aux },
		{ MSR_IA32_XSS, state->xss },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		/* The vendor's function looks for its place, and not whether there is one. */
		if (msrs[i].index == MSR_TSC_AUX && !gmem_has_user_return_msr(MSR_TSC_AUX)) {
			if (msrs[i].value)
				return false;
			continue;
		}
		if (gmem_vcpu_set_msr(vcpu, msrs[i].index, msrs[i].value) && msrs[i].value)
			return false;
	}
	return true;
}

static void fill_xsave(struct xregs_state *xsave, const struct kapi_fpu_state *fpu, u64 xcr0)
{
	struct fxregs_state *const legacy = &xsave->i387;
	int i;

	legacy->cwd = fpu->control;
	legacy->swd = fpu->status;
	legacy->twd = fpu->tags;
	legacy->fop = fpu->opcode;
	legacy->rip = fpu->rip;
	legacy->rdp = fpu->rdp;
	legacy->mxcsr = fpu->mxcsr;
	for (i = 0; i < ARRAY_SIZE(fpu->x87); i++)
		memcpy(&legacy->st_space[4 * i], fpu->x87[i], sizeof(fpu->x87[i]));
	memcpy(legacy->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	xsave->header.xfeatures = XFEATURE_MASK_FPSSE;
	/* The first behind the header, in the format that is not compacted. */
	if (xcr0 & XFEATURE_MASK_YMM) {
		xsave->header.xfeatures |= XFEATURE_MASK_YMM;
		memcpy(xsave->extended_state_area, fpu->ymm, sizeof(fpu->ymm));
	}
}

/* The task's FPU is the guest's while KVM_RUN goes on. */
static bool set_fpu(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	const u64 known = vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FPSSE;
	struct fpu_guest *const guest = &vcpu->arch.guest_fpu;
	const bool in_use = guest->fpstate->in_use;
	union fpregs_state *const area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	bool set;

	if (!area)
		return false;
	fill_xsave(&area->xsave, &state->fpu, state->xcr0);
	if (in_use)
		gmem_fpu_swap(guest, false);
	set = !gmem_fpu_set(guest, area, known, &vcpu->arch.pkru);
	if (in_use)
		gmem_fpu_swap(guest, true);
	kfree(area);
	vcpu->arch.pkru = state->pkru;
	return set;
}

bool kapi_vcpu_set_state(struct kvm_vcpu *vcpu, const struct kapi_vcpu_state *state)
{
	bool set;

	if (state->xcr0 & ~(vcpu->arch.guest_supported_xcr0 | XFEATURE_MASK_FP))
		return false;
	/* Before CR4, which has KVM look at it for CPUID. */
	vcpu->arch.xcr0 = state->xcr0;
	/* What KVM does for user space loads the vCPU itself. */
	gmem_vcpu_put(vcpu);
	set = set_sregs(vcpu, state) && set_regs(vcpu, state);
	gmem_vcpu_load(vcpu);
	if (!set || !set_msrs(vcpu, state) || !set_fpu(vcpu, state))
		return false;
	if (state->c_bit) {
		vcpu->arch.cr3 |= state->c_bit;
		kvm_make_request(KVM_REQ_LOAD_MMU_PGD, vcpu);
	}
	return !gmem_vcpu_set_dr(vcpu, 6, state->dr6) && !gmem_vcpu_set_dr(vcpu, 7, state->dr7);
}
