/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of SNP that creates its vCPUs itself: the first one writes a save area, makes it one by
 * RMPADJUST, and asks for a vCPU by its GHCB. What that vCPU runs writes down what it has found.
 */
#ifndef SELFTESTS_AP_H
#define SELFTESTS_AP_H

#include <pthread.h>

#include "ghcb.h"

/* Requests. */
#define ON_INIT		0UL
#define CREATE		1UL
#define DESTROY		2UL
#define ASK(id, request) ((u64)(id) << 32 | (request))

/* In private memory: save areas, and the code that a created vCPU runs. */
#define AREA(n)		(CODE + (4 + (n)) * PAGE_SIZE)
#define RMPADJUST	(CODE + 1024)
#define RMPADJUST_BACK	(CODE + 1024 + 64)
#define AP_CODE		(CODE + 2048)
#define STACK		(CODE + 4 * PAGE_SIZE)

/* In the agent's memory: what a created vCPU has found; code and record of one in real mode. */
#define RECORD(id)	(0x1b0000UL + PAGE_SIZE * (id))
#define REAL_CODE	0x8000UL
#define REAL_RECORD	0x9000UL

/* How a vCPU sends INIT and SIPI, and to whom. */
#define APIC_ICR	0xfee00300UL
#define APIC_ICR2	0xfee00310UL

/* Of RMPADJUST. */
#define FAIL_IN_USE	3

/* Where a save area has what. */
enum ap_at {
	ES = 0x00, CS = 0x10, SS = 0x20, DS = 0x30, FS = 0x40, GS = 0x50, GDTR = 0x60,
	LDTR = 0x70, IDTR = 0x80, TR = 0x90, VMPL = 0xca, CPL_ = 0xcb, EFER = 0xd0,
	CR4 = 0x148, CR3 = 0x150, CR0 = 0x158, DR7 = 0x160, DR6 = 0x168, RFLAGS = 0x170,
	RIP = 0x178, RSP = 0x1d8, RAX_ = 0x1f8, STAR = 0x200, LSTAR = 0x208, CSTAR = 0x210,
	SFMASK = 0x218, KERNEL_GS = 0x220, SYSENTER = 0x228, CR2 = 0x240, G_PAT = 0x268,
	RCX_ = 0x308, FEATURES = 0x3b0, XCR0_ = 0x3e8, MXCSR = 0x408, X87_TAGS = 0x40c,
	X87_CONTROL = 0x410, XMM = 0x470, AREA_SIZE = 0x670,
};

#define EFER_SVME	0x1000UL
#define LONG_MODE	0x500UL
#define CR0_LONG	0x80010033UL
#define CR4_LONG	0x620UL
#define CR4_MCE		0x40UL

/* What a vCPU in 64-bit mode has found; count and turns, how often it has begun and gone round. */
struct ap_record {
	u64 gprs[16], rflags, cr0, cr3, cr4, cr2;
	u64 msrs[10];
	u64 cs, ss, ldtr, tr;
	unsigned char gdtr[16], idtr[16];
	u32 mxcsr;
	u32 control;
	u64 xmm3[2];
	u64 dr7, dr6;
	u64 count, turns;
};

/* One of @nr_vcpus that has been launched, knows the code, and has registered its GHCB. */
struct ghcb_guest ap_creator(unsigned int nr_vcpus);
/* The same on a VM whose guest knows, and that has no memory yet. */
struct ghcb_guest ap_creator_of(struct vm *vm);
volatile struct ap_record *ap_record(const struct ghcb_guest *guest, unsigned int id);

/* Of a save area, which a test has in its own memory first. */
void ap_put(unsigned char *area, unsigned int at, u64 value);
void ap_put_segment(unsigned char *area, unsigned int at, u64 selector, u64 rights, u64 limit,
		    u64 base);
/* What Linux writes: real mode, CS from the vector of SIPI, all else as after INIT. */
void ap_fill_real(unsigned char *area);
/* 64-bit code, with its record by GS. */
void ap_fill_long(unsigned char *area, unsigned int id);

/* The guest calls private code of its own; writes an area to @gpa; and makes it one. */
u64 ap_call(struct ghcb_guest *guest, u64 code, u64 arg);
void ap_write_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area);
void ap_make_area(struct ghcb_guest *guest, u64 gpa, const unsigned char *area);

/* The request is in the GHCB; and it is asked, which must succeed. */
void ap_prepare(struct ghcb_guest *guest, u64 info_1, u64 gpa);
void ap_ask(struct ghcb_guest *guest, u64 info_1, u64 gpa);

/* It runs until it says that it has begun; or cannot be entered, however often that is tried. */
void ap_must_begin(struct ghcb_guest *guest, unsigned int id);
void ap_must_fail_entry(struct ghcb_guest *guest, unsigned int id);
unsigned int ap_mp_state(const struct ghcb_guest *guest, unsigned int id);

/* A thread that runs a vCPU. */
struct ap_runner {
	struct vcpu *vcpu;
	pthread_t thread;
	bool stop;
	bool once;		/* it ends where the guest has begun */
	bool file_goes;		/* and then KVM_RUN fails */
	unsigned long runs, begun, failed;
};

void ap_runner_start(struct ap_runner *runner, const struct ghcb_guest *guest, unsigned int id);
/* It has been in KVM_RUN, and has done what it was requested. */
void ap_runner_interrupt(struct ap_runner *runner);
void ap_runner_stop(struct ap_runner *runner);

#endif
