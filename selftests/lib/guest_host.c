// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of the guest agent, see guest.h: fills the mailbox, runs,
 * and reads it back.
 */
#include "guest.h"

#include <string.h>

/* lea 7(%rdi,%rdi,2), %rax; ret */
const unsigned char guest_code_3x_plus_7[16] = {
	0x48, 0x8d, 0x44, 0x7f, 0x07, 0xc3,
};

/* Fields that @cmd leaves out are 0. */
static enum vm_exit run_command(struct vcpu *vcpu, struct mailbox cmd)
{
	struct mailbox *mb = vcpu->mailbox;

	if (vcpu->exit != EXIT_DONE && vcpu->exit != EXIT_MISMATCH)
		vcpu_restart(vcpu);
	cmd.use_vmcall = mb->use_vmcall;
	memcpy(mb, &cmd, offsetof(struct mailbox, data));
	return vcpu_run(vcpu);
}

#define COMMAND(vcpu, ...) run_command(vcpu, (struct mailbox){ __VA_ARGS__ })

/* What the agent answered; only when it did. */
static enum vm_exit fetch_result(struct vcpu *vcpu, enum vm_exit exit, u64 *to)
{
	if (exit == EXIT_DONE)
		*to = vcpu->mailbox->result;
	return exit;
}

enum vm_exit guest_read(struct vcpu *vcpu, u64 gpa, u32 width, u64 *value)
{
	return fetch_result(vcpu, COMMAND(vcpu, .op = GUEST_READ, .gpa = gpa,
					  .width = width), value);
}

enum vm_exit guest_write(struct vcpu *vcpu, u64 gpa, u32 width, u64 value)
{
	return COMMAND(vcpu, .op = GUEST_WRITE, .gpa = gpa, .width = width,
		       .arg = value);
}

enum vm_exit guest_fetch_add(struct vcpu *vcpu, u64 gpa, u32 width, u64 value,
			     u64 *old)
{
	return fetch_result(vcpu, COMMAND(vcpu, .op = GUEST_ATOMIC, .gpa = gpa,
					  .width = width, .arg = value), old);
}

enum vm_exit guest_fill(struct vcpu *vcpu, u64 gpa, u64 len, u64 seed)
{
	return COMMAND(vcpu, .op = GUEST_FILL, .gpa = gpa, .len = len,
		       .arg = seed);
}

enum vm_exit guest_check(struct vcpu *vcpu, u64 gpa, u64 len, u64 seed)
{
	u64 bad = ~0UL;
	enum vm_exit exit;

	exit = fetch_result(vcpu, COMMAND(vcpu, .op = GUEST_CHECK, .gpa = gpa,
					  .len = len, .arg = seed), &bad);
	if (exit != EXIT_DONE || bad == ~0UL)
		return exit;
	vcpu->mismatch = bad;
	return vcpu->exit = EXIT_MISMATCH;
}

enum vm_exit guest_check_zero(struct vcpu *vcpu, u64 gpa, u64 len)
{
	enum vm_exit exit = guest_touch_read(vcpu, gpa, 8, 8, len / 8);

	if (exit != EXIT_DONE || !vcpu->mailbox->all_or)
		return exit;
	vcpu->mismatch = gpa;
	return vcpu->exit = EXIT_MISMATCH;
}

enum vm_exit guest_touch_read(struct vcpu *vcpu, u64 gpa, u32 width, u64 stride,
			      u64 count)
{
	return COMMAND(vcpu, .op = GUEST_TOUCH, .gpa = gpa, .width = width,
		       .stride = stride, .len = count);
}

enum vm_exit guest_touch_write(struct vcpu *vcpu, u64 gpa, u32 width,
			       u64 stride, u64 count, u64 value)
{
	return COMMAND(vcpu, .op = GUEST_TOUCH, .flags = TOUCH_WRITE,
		       .gpa = gpa, .width = width, .stride = stride,
		       .len = count, .arg = value);
}

enum vm_exit guest_copy(struct vcpu *vcpu, u64 to, u64 from, u64 len, u32 width)
{
	return COMMAND(vcpu, .op = GUEST_COPY, .gpa = to, .arg = from,
		       .len = len, .width = width);
}

static u64 data_gpa(const struct vcpu *vcpu)
{
	return AGENT_MAILBOX(vcpu->id) + offsetof(struct mailbox, data);
}

enum vm_exit guest_store_bytes(struct vcpu *vcpu, u64 gpa, const void *bytes,
			       u64 len, u32 width)
{
	CHECK(len <= sizeof(vcpu->mailbox->data), "the mailbox is smaller");
	memcpy(vcpu->mailbox->data, bytes, len);
	return guest_copy(vcpu, gpa, data_gpa(vcpu), len, width);
}

enum vm_exit guest_load_bytes(struct vcpu *vcpu, u64 gpa, void *bytes, u64 len,
			      u32 width)
{
	enum vm_exit exit;

	CHECK(len <= sizeof(vcpu->mailbox->data), "the mailbox is smaller");
	exit = guest_copy(vcpu, data_gpa(vcpu), gpa, len, width);
	if (exit == EXIT_DONE)
		memcpy(bytes, vcpu->mailbox->data, len);
	return exit;
}

enum vm_exit guest_call(struct vcpu *vcpu, u64 gpa, u64 arg, u64 *result)
{
	return fetch_result(vcpu, COMMAND(vcpu, .op = GUEST_CALL, .gpa = gpa,
					  .arg = arg), result);
}

enum vm_exit guest_map_gpa(struct vcpu *vcpu, u64 gpa, u64 npages, u64 attrs,
			   u64 *result)
{
	return fetch_result(vcpu, COMMAND(vcpu, .op = GUEST_HYPERCALL,
					  .gpa = KVM_HC_MAP_GPA_RANGE,
					  .arg = gpa, .len = npages,
					  .stride = attrs), result);
}
