/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that knows that it is SNP's, and talks to its hypervisor by VMGEXIT: from private
 * memory, with a GHCB in the agent's memory, which the test writes and reads.
 */
#ifndef SELFTESTS_GHCB_H
#define SELFTESTS_GHCB_H

#include "vm.h"

#define FILE_SIZE	(3 * SZ_2M)
#define CODE		TEST_GPA
/* A block that tests convert. */
#define BLOCK		(TEST_GPA + SZ_2M)
/* No memslot is there. */
#define NOWHERE		(TEST_GPA + SZ_1G)

/* In the agent's memory, which is shared. */
#define FRAME		0x190000UL
#define GHCB		0x1a0000UL
#define BUFFER		(GHCB + 0x800)
#define GHCB_OF(nr)	(GHCB + (nr) * PAGE_SIZE)

/* Where a GHCB has what. */
#define CPL		0x0cb
#define RAX		0x1f8
#define RCX		0x308
#define RDX		0x310
#define RBX		0x318
#define RSI		0x330
#define EVENT		0x390
#define INFO_1		0x398
#define INFO_2		0x3a0
#define SCRATCH		0x3a8
#define XCR0		0x3e8
#define BITMAP		0x3f0
#define VERSION		0xffa
#define USAGE		0xffc

#define DR7_READ	0x27
#define DR7_WRITE	0x37
#define RDTSC		0x6e
#define RDPMC		0x6f
#define CPUID		0x72
#define INVD		0x76
#define IOIO		0x7b
#define MSR		0x7c
#define VMMCALL		0x81
#define RDTSCP		0x87
#define WBINVD		0x89
#define MONITOR		0x8a
#define MWAIT		0x8b
#define MMIO_READ	0x80000001UL
#define MMIO_WRITE	0x80000002UL
#define NMI_COMPLETE	0x80000003UL
#define RESET_HOLD	0x80000004UL
#define JUMP_TABLE	0x80000005UL
#define PSC		0x80000010UL
#define GUEST_REQUEST	0x80000011UL
#define EXT_REQUEST	0x80000012UL
#define AP_CREATION	0x80000013UL
#define HV_FEATURES	0x8000fffdUL
#define TERMINATE	0x8000fffeUL
#define UNSUPPORTED	0x8000ffffUL

/* Info 2 of an info 1 of 2. */
#define ERR_USAGE	2
#define ERR_SCRATCH	3
#define ERR_MISSING	4
#define ERR_INPUT	5
#define ERR_EVENT	6

#define PSC_GENERIC	(0x100UL << 32)
#define PSC_HEADER	(1UL << 32 | 1)
#define PSC_ENTRY	(1UL << 32 | 2)
#define PRIVATE		1UL
#define SHARED		2UL
#define LARGE		(1UL << 56)
#define ENTRY(gpa, op)	((gpa) | (op) << 52)	/* a gfn's place is its address's */

#define MAP_PRIVATE_4K	16UL
#define MAP_SHARED_4K	0UL
#define MAP_PRIVATE_2M	17UL
#define MAP_SHARED_2M	1UL

#define INJECT_GP	0x8000030dUL

#define IO_IN		(1UL << 0)
#define IO_STRING	(1UL << 2)
#define IO_SIZE(n)	((u64)(n) << 4)
#define IO_PORT(n)	((u64)(n) << 16)
#define PORT		0xf6UL

#define PVALIDATE	(CODE + 512)

/* What the guest's code has its MSR and registers from, and puts them to. */
struct ghcb_frame {
	u64 msr;
	u64 rax, rcx, rdx, rbx, rsi;
};

struct ghcb_guest {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;
	struct ghcb_frame *frame;
	unsigned char *ghcb;
};

/* One that has been launched, whose memslot TEST_SLOT is private; skips the test without model. */
struct ghcb_guest ghcb_guest(unsigned int nr_vcpus);
/* The same on a VM whose guest knows, and that has no memory yet. */
struct ghcb_guest ghcb_guest_of(struct vm *vm);
/* The same guest by its vCPU @nr, with a frame and a GHCB of its own, which it registers. */
struct ghcb_guest ghcb_on(const struct ghcb_guest *guest, unsigned int nr);
/* The same, and its first vCPU has registered the GHCB. */
struct ghcb_guest ghcb_registered_guest(unsigned int nr_vcpus);
/* The same with one vCPU, and the firmware's secrets in the page at @gpa, which is private. */
struct ghcb_guest ghcb_guest_with_secrets(u64 gpa);
/* VMGEXIT with @msr; how it ended. */
enum vm_exit ghcb_vmgexit(struct ghcb_guest *guest, u64 msr);
/* No register is the hypervisor's to change. */
void ghcb_check_registers(struct ghcb_guest *guest);
/* The answer in the MSR, for a request that ends at once. */
u64 ghcb_request(struct ghcb_guest *guest, u64 msr);

/* Of the page: 8 bytes of it; a field, which is valid then; nothing but an event. */
u64 ghcb_field(struct ghcb_guest *guest, unsigned int at);
void ghcb_set(struct ghcb_guest *guest, unsigned int at, u64 value);
void ghcb_prepare(struct ghcb_guest *guest, u64 event, u64 info_1, u64 info_2);
void ghcb_check_answer(struct ghcb_guest *guest, u64 info_1, u64 info_2);
/* The event comes to its end, with these infos. */
void ghcb_must(struct ghcb_guest *guest, u64 info_1, u64 info_2);
/* It ends for an exit to user space, and then goes on with user space's answer. */
void ghcb_must_exit(struct ghcb_guest *guest, unsigned int reason);
void ghcb_must_go_on(struct ghcb_guest *guest, u64 info_1, u64 info_2);
/* Of KVM_EXIT_IO. */
void *ghcb_io_data(struct ghcb_guest *guest, unsigned int size, unsigned int count, bool in);
/* It is an exit for a conversion; and what QEMU does for that. */
void ghcb_must_ask(struct ghcb_guest *guest, enum vm_exit exit, u64 gpa, u64 pages, u64 flags);
void ghcb_convert(struct ghcb_guest *guest);
/* PVALIDATE finds @gpa private and not yet validated. */
void ghcb_must_validate(struct ghcb_guest *guest, u64 gpa);

#endif
