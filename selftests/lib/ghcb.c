// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that talk to their hypervisor by the GHCB, see ghcb.h.
 */
#include "ghcb.h"

#include <string.h>
#include <sys/ioctl.h>

#include "gmem.h"
#include "guest.h"
#include "launch_pages.h"
#include "snp.h"

/* Writes the MSR, and then VMGEXIT with the registers of the frame. */
extern const unsigned char ghcb_blob[], ghcb_blob_end[];
asm(".pushsection .rodata\n"
	"ghcb_blob:	push %rbx\n"
	"	push %rbp\n"
	"	mov %rdi, %rbp\n"
	"	mov (%rbp), %eax\n"
	"	mov 4(%rbp), %edx\n"
	"	mov $0xc0010130, %ecx\n"
	"	wrmsr\n"
	"	mov 8(%rbp), %rax\n"
	"	mov 16(%rbp), %rcx\n"
	"	mov 24(%rbp), %rdx\n"
	"	mov 32(%rbp), %rbx\n"
	"	mov 40(%rbp), %rsi\n"
	"	.byte 0xf3, 0x0f, 0x01, 0xd9\n"	/* VMGEXIT */
	"	mov %rax, 8(%rbp)\n"
	"	mov %rcx, 16(%rbp)\n"
	"	mov %rdx, 24(%rbp)\n"
	"	mov %rbx, 32(%rbp)\n"
	"	mov %rsi, 40(%rbp)\n"
	"	mov $0xc0010130, %ecx\n"
	"	rdmsr\n"
	"	mov %eax, (%rbp)\n"
	"	mov %edx, 4(%rbp)\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"ghcb_blob_end:\n"
	".popsection");

/* mov %rdi, %rax; xor %ecx, %ecx; mov $1, %edx; pvalidate; setc %ah; ret */
static const unsigned char pvalidate_code[] = {
	0x48, 0x89, 0xf8, 0x31, 0xc9, 0xba, 1, 0, 0, 0, 0xf2, 0x0f, 0x01, 0xff,
	0x0f, 0x92, 0xc4, 0xc3,
};

/* @secrets: where these are; 0: nowhere. */
static struct ghcb_guest launch(struct vm *vm, u64 secrets)
{
	struct ghcb_guest guest = { .vm = vm };

	guest.vcpu = &guest.vm->vcpus[0];
	guest.frame = guest.vm->agent + FRAME;
	guest.ghcb = guest.vm->agent + GHCB;
	MUST(snp_start(guest.vm, SNP_POLICY, NULL));
	guest.fd = vm_add_private(guest.vm, FILE_SIZE);
	if (secrets) {
		launch_pages_fill();
		MUST(snp_update(guest.vm, secrets, page_zero, PAGE_SIZE, SNP_PAGE_SECRETS, NULL));
	}
	MUST(snp_finish(guest.vm, NULL));
	MUST(guest_store_bytes(guest.vcpu, CODE, ghcb_blob, ghcb_blob_end - ghcb_blob, 1));
	MUST(guest_store_bytes(guest.vcpu, PVALIDATE, pvalidate_code, sizeof(pvalidate_code), 1));
	return guest;
}

struct ghcb_guest ghcb_guest(unsigned int nr_vcpus)
{
	return ghcb_guest_of(snp_knowing_vm(nr_vcpus));
}

struct ghcb_guest ghcb_guest_of(struct vm *vm)
{
	return launch(vm, 0);
}

struct ghcb_guest ghcb_on(const struct ghcb_guest *guest, unsigned int nr)
{
	struct ghcb_guest other = *guest;

	other.vcpu = &guest->vm->vcpus[nr];
	other.frame += nr;
	other.ghcb += nr * PAGE_SIZE;
	CHECK_EQ(ghcb_request(&other, GHCB_OF(nr) | 0x012), GHCB_OF(nr) | 0x013);
	return other;
}

/* VMGEXIT with @msr; how it ended. */
enum vm_exit ghcb_vmgexit(struct ghcb_guest *guest, u64 msr)
{
	const u64 frame = (char *)guest->frame - (char *)guest->vm->agent;
	u64 result;

	*guest->frame = (struct ghcb_frame){ msr, 0x1111, 0x2222, 0x3333, 0x4444, 0x5555 };
	return guest_call(guest->vcpu, CODE, frame, &result);
}

/* No register is the hypervisor's to change. */
void ghcb_check_registers(struct ghcb_guest *guest)
{
	CHECK_EQ(guest->frame->rax, 0x1111);
	CHECK_EQ(guest->frame->rcx, 0x2222);
	CHECK_EQ(guest->frame->rdx, 0x3333);
	CHECK_EQ(guest->frame->rbx, 0x4444);
	CHECK_EQ(guest->frame->rsi, 0x5555);
}

/* The answer in the MSR. */
u64 ghcb_request(struct ghcb_guest *guest, u64 msr)
{
	MUST(ghcb_vmgexit(guest, msr));
	ghcb_check_registers(guest);
	return guest->frame->msr;
}

static struct ghcb_guest registered(struct ghcb_guest guest)
{
	CHECK_EQ(ghcb_request(&guest, GHCB | 0x012), GHCB | 0x013);
	return guest;
}

struct ghcb_guest ghcb_registered_guest(unsigned int nr_vcpus)
{
	return registered(ghcb_guest(nr_vcpus));
}

struct ghcb_guest ghcb_guest_with_secrets(u64 gpa)
{
	return registered(launch(snp_knowing_vm(1), gpa));
}

u64 ghcb_field(struct ghcb_guest *guest, unsigned int at)
{
	u64 value;

	memcpy(&value, guest->ghcb + at, sizeof(value));
	return value;
}

static void mark(struct ghcb_guest *guest, unsigned int at)
{
	guest->ghcb[BITMAP + at / 64] |= 1 << (at / 8 % 8);
}

void ghcb_set(struct ghcb_guest *guest, unsigned int at, u64 value)
{
	memcpy(guest->ghcb + at, &value, at == CPL ? 1 : sizeof(value));
	mark(guest, at);
}

void ghcb_prepare(struct ghcb_guest *guest, u64 event, u64 info_1, u64 info_2)
{
	memset(guest->ghcb, 0, PAGE_SIZE);
	guest->ghcb[VERSION] = 2;
	ghcb_set(guest, EVENT, event);
	ghcb_set(guest, INFO_1, info_1);
	ghcb_set(guest, INFO_2, info_2);
}

void ghcb_check_answer(struct ghcb_guest *guest, u64 info_1, u64 info_2)
{
	static const unsigned int answered[] = { INFO_1, INFO_2, RAX, RBX, RCX, RDX };
	unsigned char bitmap[16] = {};

	for (unsigned int i = 0; i < ARRAY_SIZE(answered); i++)
		bitmap[answered[i] / 64] |= 1 << (answered[i] / 8 % 8);
	CHECK_EQ(ghcb_field(guest, INFO_1), info_1);
	CHECK_EQ(ghcb_field(guest, INFO_2), info_2);
	CHECK(!memcmp(guest->ghcb + BITMAP, bitmap, sizeof(bitmap)), "other fields are valid");
	ghcb_check_registers(guest);
}

/* The event comes to its end, with these infos. */
void ghcb_must(struct ghcb_guest *guest, u64 info_1, u64 info_2)
{
	const u64 ghcb = (char *)guest->ghcb - (char *)guest->vm->agent;

	MUST(ghcb_vmgexit(guest, ghcb));
	CHECK_EQ(guest->frame->msr, ghcb);
	ghcb_check_answer(guest, info_1, info_2);
}

/* It ends for an exit to user space, and goes on with user space's answer. */
void ghcb_must_exit(struct ghcb_guest *guest, unsigned int reason)
{
	ghcb_vmgexit(guest, GHCB);
	CHECK_EQ(guest->vcpu->error, 0);
	CHECK_EQ(guest->vcpu->run->exit_reason, reason);
}

void ghcb_must_go_on(struct ghcb_guest *guest, u64 info_1, u64 info_2)
{
	MUST(vcpu_run(guest->vcpu));
	ghcb_check_answer(guest, info_1, info_2);
}

void ghcb_must_ask(struct ghcb_guest *guest, enum vm_exit exit, u64 gpa, u64 pages, u64 flags)
{
	CHECK_EQ(exit, EXIT_HYPERCALL);
	CHECK_EQ(guest->vcpu->run->hypercall.nr, KVM_HC_MAP_GPA_RANGE);
	CHECK_EQ(guest->vcpu->run->hypercall.args[0], gpa);
	CHECK_EQ(guest->vcpu->run->hypercall.args[1], pages);
	CHECK_EQ(guest->vcpu->run->hypercall.args[2], flags);
	CHECK_EQ(guest->vcpu->run->hypercall.ret, 0);
}

/* What QEMU does for that. */
void ghcb_convert(struct ghcb_guest *guest)
{
	u64 gpa = guest->vcpu->run->hypercall.args[0];
	u64 size = guest->vcpu->run->hypercall.args[1] * PAGE_SIZE;

	if (guest->vcpu->run->hypercall.args[2] & MAP_PRIVATE_4K) {
		vm_make_private(guest->vm, gpa, size);
	} else {
		vm_make_shared(guest->vm, gpa, size);
		MUST(gmem_punch(guest->fd, gpa - TEST_GPA, size));
	}
	guest->vcpu->run->hypercall.ret = 0;
}

/* Whether PVALIDATE finds @gpa private and not yet validated. */
void ghcb_must_validate(struct ghcb_guest *guest, u64 gpa)
{
	u64 result;

	MUST(guest_call(guest->vcpu, PVALIDATE, gpa, &result));
	CHECK_EQ(result, 0);
}

void *ghcb_io_data(struct ghcb_guest *guest, unsigned int size, unsigned int count, bool in)
{
	struct kvm_run *run = guest->vcpu->run;

	CHECK_EQ(run->io.port, PORT);
	CHECK_EQ(run->io.size, size);
	CHECK_EQ(run->io.count, count);
	CHECK_EQ(run->io.direction, in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT);
	return (char *)run + run->io.data_offset;
}
