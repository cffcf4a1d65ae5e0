// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs of guests that know SNP (kapi/guest.h): one, whose registers tests set and look at.
 */
#include "kunit/fakes/guest.h"

#include "kunit/fakes/ap.h"
#include "kunit/fakes/ghcb.h"

using fake::guest_vcpu;

fake::GuestVcpu &fake::guest_vcpu()
{
	static GuestVcpu one;

	return one;
}

bool kapi_guests_can_know(void)
{
	return guest_vcpu().can_know;
}

bool kapi_guest_may_report(void)
{
	return guest_vcpu().may_report;
}

void kapi_vcpu_registers(struct kvm_vcpu *, struct kapi_registers *registers)
{
	*registers = guest_vcpu().registers;
}

void kapi_vcpu_retire(struct kvm_vcpu *, const struct kapi_registers *registers)
{
	guest_vcpu().registers = *registers;
	guest_vcpu().retired++;
}

int kapi_vcpu_read_msr(struct kvm_vcpu *, kapi_u64 value)
{
	guest_vcpu().msr = value;
	guest_vcpu().skipped++;
	return 1;
}

int kapi_vcpu_wrote_msr(struct kvm_vcpu *)
{
	guest_vcpu().skipped++;
	return 1;
}

void kapi_vcpu_protection_fault(struct kvm_vcpu *)
{
	guest_vcpu().protection_faults++;
}

void kapi_vcpu_page_fault(struct kvm_vcpu *, kapi_u64 addr, unsigned error_code)
{
	guest_vcpu().fault_addr = addr;
	guest_vcpu().fault_code = error_code;
}

void kapi_vcpu_exit_private(struct kvm_vcpu *, kapi_u64 gpa)
{
	guest_vcpu().exit_gpa = gpa;
}

void kapi_vcpu_exit_terminated(struct kvm_vcpu *, kapi_u64 ghcb_msr)
{
	guest_vcpu().ended = ghcb_msr;
}

unsigned kapi_vcpu_nr(struct kvm_vcpu *vcpu)
{
	return vcpu && vcpu == fake::ap().vcpu ? fake::ap().id : guest_vcpu().nr;
}

unsigned kapi_vcpu_c_bit(struct kvm_vcpu *)
{
	return guest_vcpu().c_bit;
}

int kapi_stock_undefined(struct kvm_vcpu *)
{
	guest_vcpu().stock++;
	return fake::kStockExit;
}

int kapi_stock_hypercall(struct kvm_vcpu *)
{
	guest_vcpu().stock++;
	return fake::ghcb().emulates ? fake::emulate(fake::Emulated::Hypercall) : fake::kStockExit;
}

int kapi_stock_rdmsr(struct kvm_vcpu *)
{
	guest_vcpu().stock++;
	return fake::ghcb().emulates ? fake::emulate(fake::Emulated::Rdmsr) : fake::kStockExit;
}

int kapi_stock_wrmsr(struct kvm_vcpu *)
{
	guest_vcpu().stock++;
	return fake::ghcb().emulates ? fake::emulate(fake::Emulated::Wrmsr) : fake::kStockExit;
}

bool kapi_stock_msr_allowed(struct kvm_vcpu *, unsigned, unsigned)
{
	guest_vcpu().stock++;
	return true;
}
