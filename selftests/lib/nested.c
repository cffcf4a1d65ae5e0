// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inner guests (nested.h): their VMCB, by the offsets of AMD's manual (volume 2,
 * appendix B), their nested page tables, and the code that enters them.
 */
#include "nested.h"

#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"

#define EFER_SVME		(1UL << 12)
#define MSR_VM_HSAVE_PA		0xc0010117

/* The control area. */
#define VMCB_INTERCEPTS_3	0x00c
#define INTERCEPT_HLT		(1U << 24)
#define INTERCEPT_SHUTDOWN	(1U << 31)
#define VMCB_INTERCEPTS_4	0x010
#define INTERCEPT_VMRUN		(1U << 0)
#define INTERCEPT_VMMCALL	(1U << 1)
#define VMCB_ASID		0x058
#define VMCB_EXIT_CODE		0x070
#define VMCB_NESTED_CTL		0x090
#define NESTED_PAGING		(1UL << 0)
#define VMCB_NESTED_CR3		0x0b0

/* The state: segments of 16 bytes in the order es, cs, ss, ds, fs, gs, ..., tr. */
#define VMCB_ES			0x400
#define VMCB_CS			0x410
#define VMCB_GS			0x450
#define VMCB_TR			0x490
#define VMCB_EFER		0x4d0
#define VMCB_CR4		0x548
#define VMCB_CR3		0x550
#define VMCB_CR0		0x558
#define VMCB_DR7		0x560
#define VMCB_DR6		0x568
#define VMCB_RFLAGS		0x570
#define VMCB_RIP		0x578
#define VMCB_RSP		0x5d8
#define VMCB_G_PAT		0x668

#define SEGMENT_CODE		0xa9b	/* present, 64-bit, execute and read */
#define SEGMENT_DATA		0xc93	/* present, read and write */
#define SEGMENT_TASK		0x08b	/* present, a busy TSS */

#define RESET_DR6		0xffff0ff0UL
#define RESET_DR7		0x400UL
#define RESET_PAT		0x0007040600070406UL
#define RFLAGS_FIXED		0x2UL

/* Present, writable, user, accessed and dirty; a leaf above the last level. */
#define NPT_ENTRY		0x67UL
#define NPT_LARGE		(1UL << 7)
#define NPT_ADDRESS		(~0UL << 12)

/* mov %rdi, %rax; vmrun; stgi; hlt */
static const unsigned char outer_code[] = {
	0x48, 0x89, 0xf8, 0x0f, 0x01, 0xd8, 0x0f, 0x01, 0xdc, 0xf4,
};

/* Where the inner guest starts: what it calls its first command is complete. */
#define INNER_CODE	(NESTED_CODE + 0x100)

/* movabs $MAILBOX, %rdi; out %al, $AGENT_PORT; movabs $AGENT_CODE, %rax; jmp *%rax */
static const unsigned char inner_code[] = {
	0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0, 0xe6, AGENT_PORT,
	0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0,
};

#define INNER_CODE_MAILBOX	2
#define INNER_CODE_AGENT	14

static void put32(void *vmcb, unsigned int offset, u32 value)
{
	memcpy(vmcb + offset, &value, sizeof(value));
}

static void put64(void *vmcb, unsigned int offset, u64 value)
{
	memcpy(vmcb + offset, &value, sizeof(value));
}

static u64 get64(const void *vmcb, unsigned int offset)
{
	u64 value;

	memcpy(&value, vmcb + offset, sizeof(value));
	return value;
}

static void put_segment(void *vmcb, unsigned int offset, u32 selector, u32 attributes, u32 limit)
{
	put32(vmcb, offset, selector | attributes << 16);
	put32(vmcb, offset + 4, limit);
	put64(vmcb, offset + 8, 0);
}

static void enable(struct vcpu *vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_VM_HSAVE_PA, .data = NESTED_HSAVE },
	};
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.efer |= EFER_SVME;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs))
		tap_skip("guests have no SVM here: %m");
	CHECK_EQ(ioctl(vcpu->fd, KVM_SET_MSRS, &msrs), 1);
}

static void load_code(struct vcpu *vcpu)
{
	unsigned char *outer = vcpu->vm->agent + NESTED_CODE;
	unsigned char *inner = vcpu->vm->agent + INNER_CODE;

	memcpy(outer, outer_code, sizeof(outer_code));
	memcpy(inner, inner_code, sizeof(inner_code));
	put64(inner, INNER_CODE_MAILBOX, AGENT_MAILBOX(vcpu->id));
	put64(inner, INNER_CODE_AGENT, AGENT_CODE);
}

void nested_init(struct nested *nested, struct vcpu *vcpu)
{
	*nested = (struct nested){
		.vcpu = vcpu,
		/* The first is the root. */
		.next_table = NESTED_TABLES + PAGE_SIZE,
	};
	enable(vcpu);
	load_code(vcpu);
	nested_map(nested, AGENT_GPA, AGENT_GPA, AGENT_SIZE, SZ_2M);
	nested_fill_vmcb(nested, vcpu->vm->agent + NESTED_VMCB, true);
}

/* The table below *@entry, which is made if there is none. */
static u64 *table_below(struct nested *nested, u64 *entry)
{
	if (!*entry) {
		CHECK(nested->next_table < AGENT_SIZE, "no room for more nested page tables");
		*entry = nested->next_table | NPT_ENTRY;
		nested->next_table += PAGE_SIZE;
	}
	CHECK(!(*entry & NPT_LARGE), "an entry of 2 MiB is there already");
	return nested->vcpu->vm->agent + (*entry & NPT_ADDRESS);
}

static void map_one(struct nested *nested, u64 inner, u64 outer, u64 page_size)
{
	u64 *table = nested->vcpu->vm->agent + NESTED_TABLES;

	table = table_below(nested, &table[inner >> 39 & 511]);
	table = table_below(nested, &table[inner >> 30 & 511]);
	if (page_size == SZ_2M) {
		table[inner >> 21 & 511] = outer | NPT_ENTRY | NPT_LARGE;
		return;
	}
	table = table_below(nested, &table[inner >> 21 & 511]);
	table[inner >> 12 & 511] = outer | NPT_ENTRY;
}

void nested_map(struct nested *nested, u64 inner, u64 outer, u64 size, u64 page_size)
{
	for (u64 at = 0; at < size; at += page_size)
		map_one(nested, inner + at, outer + at, page_size);
}

void nested_fill_vmcb(const struct nested *nested, void *vmcb, bool paging)
{
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(nested->vcpu->fd, KVM_GET_SREGS, &sregs));
	memset(vmcb, 0, PAGE_SIZE);
	put32(vmcb, VMCB_INTERCEPTS_3, INTERCEPT_HLT | INTERCEPT_SHUTDOWN);
	put32(vmcb, VMCB_INTERCEPTS_4, INTERCEPT_VMRUN | INTERCEPT_VMMCALL);
	put32(vmcb, VMCB_ASID, 1);
	if (paging) {
		put64(vmcb, VMCB_NESTED_CTL, NESTED_PAGING);
		put64(vmcb, VMCB_NESTED_CR3, NESTED_TABLES);
	}
	for (unsigned int at = VMCB_ES; at <= VMCB_GS; at += 16)
		put_segment(vmcb, at, 0x10, SEGMENT_DATA, ~0U);
	put_segment(vmcb, VMCB_CS, 0x8, SEGMENT_CODE, ~0U);
	put_segment(vmcb, VMCB_TR, 0x18, SEGMENT_TASK, 0x67);
	put64(vmcb, VMCB_EFER, sregs.efer);
	put64(vmcb, VMCB_CR0, sregs.cr0);
	put64(vmcb, VMCB_CR3, sregs.cr3);
	put64(vmcb, VMCB_CR4, sregs.cr4);
	put64(vmcb, VMCB_DR6, RESET_DR6);
	put64(vmcb, VMCB_DR7, RESET_DR7);
	put64(vmcb, VMCB_G_PAT, RESET_PAT);
	put64(vmcb, VMCB_RFLAGS, RFLAGS_FIXED);
	put64(vmcb, VMCB_RIP, INNER_CODE);
	/* As after a call. The outer guest does not go back to its frames. */
	put64(vmcb, VMCB_RSP, AGENT_STACK_TOP(nested->vcpu->id) - 8);
}

enum vm_exit nested_enter(struct nested *nested, u64 vmcb_gpa)
{
	u64 result;

	return guest_call(nested->vcpu, NESTED_CODE, vmcb_gpa, &result);
}

void nested_leave(struct nested *nested)
{
	struct vcpu *vcpu = nested->vcpu;
	u64 result;

	CHECK(guest_map_gpa(vcpu, 0, 0, 0, &result) == EXIT_OTHER &&
	      vcpu->run->exit_reason == KVM_EXIT_HLT,
	      "VMMCALL of the inner guest: %s", vcpu_exit_text(vcpu));
}

u64 nested_exit_code(const void *vmcb)
{
	return get64(vmcb, VMCB_EXIT_CODE);
}
