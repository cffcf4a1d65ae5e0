/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands for a vCPU's guest agent. Each runs the vCPU until the command is
 * complete (EXIT_DONE, which is 0) or something else made it exit; then the
 * test looks at the vcpu's fields and may go on with vcpu_run(), which ends
 * the same command, or give another one, which drops it. Addresses are guest physical.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include "vm.h"

/* One access of @width 1, 2, 4 or 8 bytes. */
enum vm_exit guest_read(struct vcpu *vcpu, u64 gpa, u32 width, u64 *value);
enum vm_exit guest_write(struct vcpu *vcpu, u64 gpa, u32 width, u64 value);
/* Locked fetch-and-add; *@old is what was there. */
enum vm_exit guest_fetch_add(struct vcpu *vcpu, u64 gpa, u32 width, u64 value,
			     u64 *old);

/* Fill with, and compare to, pattern_word() of each place and @seed. */
enum vm_exit guest_fill(struct vcpu *vcpu, u64 gpa, u64 len, u64 seed);
enum vm_exit guest_check(struct vcpu *vcpu, u64 gpa, u64 len, u64 seed);
/* Require nothing but zeroes; EXIT_MISMATCH (without a place) otherwise. */
enum vm_exit guest_check_zero(struct vcpu *vcpu, u64 gpa, u64 len);

/*
 * @count accesses of @width bytes, @stride apart. TSC ticks are left in
 * vcpu->mailbox->ticks, the AND and OR of all values read in ->all_and, ->all_or.
 */
enum vm_exit guest_touch_read(struct vcpu *vcpu, u64 gpa, u32 width, u64 stride,
			      u64 count);
enum vm_exit guest_touch_write(struct vcpu *vcpu, u64 gpa, u32 width,
			       u64 stride, u64 count, u64 value);

/*
 * String instructions of @width 1 to 8, vector moves of COPY_VECTOR: within
 * the guest, and between it and the host. Up to sizeof(mailbox->data) bytes of
 * the latter, a multiple of @width.
 */
enum vm_exit guest_copy(struct vcpu *vcpu, u64 to, u64 from, u64 len, u32 width);
enum vm_exit guest_store_bytes(struct vcpu *vcpu, u64 gpa, const void *bytes,
			       u64 len, u32 width);
enum vm_exit guest_load_bytes(struct vcpu *vcpu, u64 gpa, void *bytes, u64 len,
			      u32 width);

/* Call the code at @gpa with @arg (SysV); *@result is what it returned. */
enum vm_exit guest_call(struct vcpu *vcpu, u64 gpa, u64 arg, u64 *result);
/*
 * The hypercall MAP_GPA_RANGE; exits with EXIT_HYPERCALL where
 * vm_enable_map_gpa_exit() was called. *@result is what the guest got.
 */
enum vm_exit guest_map_gpa(struct vcpu *vcpu, u64 gpa, u64 npages, u64 attrs,
			   u64 *result);

/* A function that returns 3 * its argument + 7, for guest_store_bytes(). */
extern const unsigned char guest_code_3x_plus_7[16];

#endif
