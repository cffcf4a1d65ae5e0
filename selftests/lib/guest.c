// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest agent: carries out one command of its mailbox after the other and
 * reports each by an `out`. It decides nothing; tests do, on the host.
 *
 * Built without libc, SSE or relocations into a flat blob (guest.lds). Every
 * access to memory under test is one asm statement of the width asked for, so
 * that the compiler can neither split, merge nor drop it.
 */
#include "guest_abi.h"

typedef __u64 u64;

static inline u64 rdtsc(void)
{
	__u32 lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) :: "memory");
	return lo | (u64)hi << 32;
}

static u64 load(u64 gpa, __u32 width)
{
	u64 value = 0;

	switch (width) {
	case 1:
		asm volatile("movzbl (%1), %k0" : "=r"(value) : "r"(gpa) : "memory");
		break;
	case 2:
		asm volatile("movzwl (%1), %k0" : "=r"(value) : "r"(gpa) : "memory");
		break;
	case 4:
		asm volatile("movl (%1), %k0" : "=r"(value) : "r"(gpa) : "memory");
		break;
	default:
		asm volatile("movq (%1), %0" : "=r"(value) : "r"(gpa) : "memory");
	}
	return value;
}

static void store(u64 gpa, __u32 width, u64 value)
{
	switch (width) {
	case 1:
		asm volatile("movb %b1, (%0)" :: "r"(gpa), "q"(value) : "memory");
		break;
	case 2:
		asm volatile("movw %w1, (%0)" :: "r"(gpa), "r"(value) : "memory");
		break;
	case 4:
		asm volatile("movl %k1, (%0)" :: "r"(gpa), "r"(value) : "memory");
		break;
	default:
		asm volatile("movq %1, (%0)" :: "r"(gpa), "r"(value) : "memory");
	}
}

static u64 fetch_add(u64 gpa, __u32 width, u64 value)
{
	switch (width) {
	case 1:
		asm volatile("lock xaddb %b0, (%1)" : "+q"(value) : "r"(gpa) : "memory");
		return value & 0xff;
	case 2:
		asm volatile("lock xaddw %w0, (%1)" : "+r"(value) : "r"(gpa) : "memory");
		return value & 0xffff;
	case 4:
		asm volatile("lock xaddl %k0, (%1)" : "+r"(value) : "r"(gpa) : "memory");
		return value & 0xffffffff;
	default:
		asm volatile("lock xaddq %0, (%1)" : "+r"(value) : "r"(gpa) : "memory");
		return value;
	}
}

static void fill(u64 gpa, u64 len, u64 seed)
{
	u64 end = gpa + len;

	for (; gpa < end; gpa += 8)
		store(gpa, 8, pattern_word(gpa, seed));
}

static u64 check(u64 gpa, u64 len, u64 seed)
{
	u64 end = gpa + len;

	for (; gpa < end; gpa += 8)
		if (load(gpa, 8) != pattern_word(gpa, seed))
			return gpa;
	return ~0ULL;
}

static void touch(struct mailbox *mb)
{
	u64 all_and = ~0ULL, all_or = 0, value, gpa = mb->gpa;
	u64 count = mb->len;

	for (; count; count--, gpa += mb->stride) {
		if (mb->flags & TOUCH_WRITE) {
			store(gpa, mb->width, mb->arg);
			continue;
		}
		value = load(gpa, mb->width);
		all_and &= value;
		all_or |= value;
	}
	mb->all_and = all_and;
	mb->all_or = all_or;
}

static void copy(u64 to, u64 from, u64 len, __u32 width)
{
	u64 count = len / width;

	switch (width) {
	case 1:
		asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) :: "memory");
		break;
	case 2:
		asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) :: "memory");
		break;
	case 4:
		asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) :: "memory");
		break;
	case 8:
		asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) :: "memory");
		break;
	case COPY_VECTOR:
		for (; count; count--, to += 16, from += 16)
			asm volatile("movdqu (%1), %%xmm0; movdqu %%xmm0, (%0)"
				     :: "r"(to), "r"(from) : "memory");
		break;
	}
}

static u64 hypercall(__u32 use_vmcall, u64 nr, u64 a0, u64 a1, u64 a2)
{
	if (use_vmcall)
		asm volatile("vmcall" : "+a"(nr) : "b"(a0), "c"(a1), "d"(a2) : "memory");
	else
		asm volatile("vmmcall" : "+a"(nr) : "b"(a0), "c"(a1), "d"(a2) : "memory");
	return nr;
}

static void run_command(struct mailbox *mb)
{
	switch (mb->op) {
	case GUEST_READ:
		mb->result = load(mb->gpa, mb->width);
		break;
	case GUEST_WRITE:
		store(mb->gpa, mb->width, mb->arg);
		break;
	case GUEST_FILL:
		fill(mb->gpa, mb->len, mb->arg);
		break;
	case GUEST_CHECK:
		mb->result = check(mb->gpa, mb->len, mb->arg);
		break;
	case GUEST_TOUCH:
		touch(mb);
		break;
	case GUEST_COPY:
		copy(mb->gpa, mb->arg, mb->len, mb->width);
		break;
	case GUEST_CALL:
		mb->result = ((u64 (*)(u64))mb->gpa)(mb->arg);
		break;
	case GUEST_HYPERCALL:
		mb->result = hypercall(mb->use_vmcall, mb->gpa, mb->arg,
				       mb->len, mb->stride);
		break;
	case GUEST_ATOMIC:
		mb->result = fetch_add(mb->gpa, mb->width, mb->arg);
		break;
	}
}

/* Where a vCPU starts, with its mailbox as the argument; the blob's first byte. */
__attribute__((section(".text.entry"), noreturn))
void guest_entry(volatile struct mailbox *mb)
{
	u64 start;

	for (;;) {
		start = rdtsc();
		run_command((struct mailbox *)mb);
		mb->ticks = rdtsc() - start;
		asm volatile("outb %%al, %0" :: "N"(AGENT_PORT), "a"(0) : "memory");
	}
}
