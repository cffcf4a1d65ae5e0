// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stubs of kapi/guest.h, kapi/ghcb.h and kapi/c_bit.h: no vCPU exits in the suites that run in
 * the kernel, and no guest has a C-bit.
 */
#include <linux/errno.h>

#include "../../kapi/c_bit.h"
#include "../../kapi/ghcb.h"
#include "../../kapi/guest.h"

bool kapi_guests_can_know(void)
{
	return false;
}

enum kapi_snp_guests kapi_setting_snp_guests(void)
{
	return KAPI_SNP_GUESTS_ASKED;
}

bool kapi_guest_may_report(void)
{
	return true;
}

void kapi_vcpu_registers(struct kvm_vcpu *vcpu, struct kapi_registers *registers)
{
	*registers = (struct kapi_registers){};
}

void kapi_vcpu_retire(struct kvm_vcpu *vcpu, const struct kapi_registers *registers)
{
}

int kapi_vcpu_read_msr(struct kvm_vcpu *vcpu, kapi_u64 value)
{
	return -EINVAL;
}

int kapi_vcpu_wrote_msr(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

void kapi_vcpu_protection_fault(struct kvm_vcpu *vcpu)
{
}

void kapi_vcpu_page_fault(struct kvm_vcpu *vcpu, kapi_u64 addr, unsigned int error_code)
{
}

void kapi_vcpu_exit_private(struct kvm_vcpu *vcpu, kapi_u64 gpa)
{
}

void kapi_vcpu_exit_terminated(struct kvm_vcpu *vcpu, kapi_u64 ghcb_msr)
{
}

unsigned int kapi_vcpu_nr(struct kvm_vcpu *vcpu)
{
	return 0;
}

unsigned int kapi_vcpu_c_bit(struct kvm_vcpu *vcpu)
{
	return 0;
}

int kapi_stock_undefined(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_hypercall(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_rdmsr(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_stock_wrmsr(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

bool kapi_stock_msr_allowed(struct kvm_vcpu *vcpu, unsigned int index, unsigned int type)
{
	return true;
}

void kapi_vcpu_swap(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers)
{
}

int kapi_vcpu_rdpmc(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_vcpu_reset_hold(struct kvm_vcpu *vcpu)
{
	return -EINVAL;
}

int kapi_vcpu_take_fault(struct kvm_vcpu *vcpu)
{
	return -1;
}

void kapi_vcpu_cpuid(struct kvm_vcpu *vcpu, struct kapi_ghcb_registers *registers)
{
}

bool kapi_vcpu_msr(struct kvm_vcpu *vcpu, unsigned int index, kapi_u64 *value)
{
	return false;
}

kapi_u64 kapi_vcpu_dr7(struct kvm_vcpu *vcpu)
{
	return 0;
}

bool kapi_vcpu_set_dr7(struct kvm_vcpu *vcpu, kapi_u64 value)
{
	return false;
}

int kapi_vcpu_port_io(struct kvm_vcpu *vcpu, unsigned int size, unsigned int port, void *data,
		      unsigned int count, bool in)
{
	return -EINVAL;
}

int kapi_vcpu_mmio(struct kvm_vcpu *vcpu, bool write, kapi_u64 gpa, unsigned int size, void *data)
{
	return -EINVAL;
}

kapi_completion kapi_vcpu_await(struct kvm_vcpu *vcpu)
{
	return NULL;
}

int kapi_vcpu_complete(struct kvm_vcpu *vcpu, kapi_completion completion)
{
	return -EINVAL;
}

bool kapi_kvm_tells_conversions(struct kvm *kvm)
{
	return false;
}

void kapi_vcpu_exit_convert(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 pages, bool is_private,
			    bool huge)
{
}

kapi_u64 kapi_vcpu_converted(struct kvm_vcpu *vcpu)
{
	return 1;
}

int kapi_kvm_c_bit(struct kvm *kvm, unsigned int nr)
{
	return 0;
}

unsigned int kapi_nested_bits(void)
{
	return 48;
}

bool kapi_any_alias;

struct kvm_memory_slot *kapi_kvm_alias(struct kvm *kvm)
{
	return NULL;
}

bool kapi_slot_is_alias(const struct kvm_memory_slot *slot)
{
	return false;
}

struct kvm *kapi_alias_kvm(const struct kvm_memory_slot *alias)
{
	return NULL;
}

bool kapi_slot_is_going(const struct kvm_memory_slot *slot)
{
	return false;
}

int kapi_alias_make(struct kvm *kvm, kapi_u64 start, kapi_u64 end)
{
	return -EINVAL;
}

bool kapi_alias_pending(struct kvm *kvm)
{
	return false;
}

void kapi_slot_make_alias(struct kvm_memory_slot *slot, struct kvm *kvm)
{
}

int kapi_alias_make_private(struct kvm *kvm, kapi_u64 start, unsigned int order)
{
	return -EINVAL;
}

void kapi_vcpu_exit_without(struct kvm_vcpu *vcpu, kapi_u64 bits)
{
}

kapi_u64 kapi_prefault_gpa(const struct kvm_pre_fault_memory *range)
{
	return 0;
}

long kapi_stock_pre_fault_at(struct kvm_vcpu *vcpu, const struct kvm_pre_fault_memory *range,
			     kapi_u64 gpa)
{
	return -EINVAL;
}
