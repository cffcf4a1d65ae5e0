/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs, memslots, guest_memfds and vCPUs over the raw KVM ioctls.
 *
 * Two kinds of function: those named after an ioctl return what the kernel
 * answered (0 or a descriptor, or -errno), for tests of that answer; the
 * others fail the test themselves. What a vCPU can be told is in guest.h.
 */
#ifndef SELFTESTS_VM_H
#define SELFTESTS_VM_H

#include <pthread.h>
#include <stdint.h>

#include "guest_abi.h"
#include "kvm_abi.h"
#include "tap.h"

typedef uint32_t u32;
typedef uint64_t u64;

#define PAGE_SIZE	4096UL
#define SZ_1M		(1UL << 20)
#define SZ_2M		(2UL << 20)
#define SZ_1G		(1UL << 30)

/* Where tests put their memory unless the place matters: 1 GiB aligned. */
#define TEST_GPA	SZ_1G
#define TEST_SLOT	1

/* How a run of a vCPU ended. */
enum vm_exit {
	EXIT_DONE,		/* the agent's command is complete */
	EXIT_MISMATCH,		/* complete, but guest_check() found another content */
	EXIT_MEMORY_FAULT,	/* error, gpa, size, flags */
	EXIT_MMIO,		/* gpa, size, is_write, data */
	EXIT_HYPERCALL,		/* hypercall's number and args in run->hypercall */
	EXIT_OTHER,		/* run->exit_reason */
};

struct vcpu {
	struct vm *vm;
	int fd;
	unsigned int id;
	struct kvm_run *run;
	struct mailbox *mailbox;
	/* The last exit; fields as its kind says. */
	enum vm_exit exit;
	int error;		/* errno of KVM_RUN */
	u64 gpa;
	u64 size;
	u64 flags;
	bool is_write;
	u64 data;		/* of an MMIO write; answer a read with vcpu_mmio_answer() */
	u64 mismatch;		/* first gpa with a wrong content */
};

struct vm {
	int fd;
	unsigned long type;
	unsigned int nr_vcpus;
	struct vcpu *vcpus;
	void *agent;		/* host's address of the agent's memory */
};

/* /dev/kvm; a machine without it ends the program. */
int kvm_open(void);
/* KVM_CHECK_EXTENSION on /dev/kvm. */
int kvm_check(unsigned long cap);
bool kvm_has_vm_type(unsigned long type);

/*
 * A VM with @nr_vcpus vCPUs ready for guest_*() and the agent in AGENT_SLOT.
 * With 0 vCPUs it has no memslot at all. Skips the test when the kernel does
 * not know @type.
 */
struct vm *vm_create(unsigned long type, unsigned int nr_vcpus);
/* The same of a default VM, with the APICs that KVM has, at their usual address. */
struct vm *vm_create_with_apic(unsigned int nr_vcpus);
/* vm_create() of SNP's type, of a guest that knows it (snp.h). */
struct vm *vm_create_knowing(unsigned int nr_vcpus);
/* The same with the APICs that KVM has: all vCPUs but the first wait for INIT and SIPI. */
struct vm *vm_create_knowing_with_apic(unsigned int nr_vcpus);
/* vm_create() of the type that has private memory. */
struct vm *vm_create_private(unsigned int nr_vcpus);
/*
 * Close all of the VM's descriptors and its memory; guest_memfds and what
 * vm_reserve() gave are the caller's.
 */
void vm_free(struct vm *vm);

/* The kernel's answers. */
int vm_check(struct vm *vm, unsigned long cap);
int vm_create_gmem(struct vm *vm, u64 size, u64 flags);
int vm_set_region(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size,
		  void *hva);
int vm_set_region2(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size,
		   void *hva, int gmem_fd, u64 offset);
int vm_set_attributes(struct vm *vm, u64 gpa, u64 size, u64 attributes);
/* On success and failure *@gpa and *@size are what is left to do. */
int vcpu_pre_fault(struct vcpu *vcpu, u64 *gpa, u64 *size);
int gmem_alloc(int fd, u64 offset, u64 len);
int gmem_punch(int fd, u64 offset, u64 len);

/*
 * @size bytes of zero-filled host memory for use as a memslot at @gpa: aligned
 * alike with it to 1 GiB, as KVM needs to map anything huge in a slot. Nothing
 * is spent until it is touched. Freed by vm_unreserve().
 */
void *vm_reserve(u64 gpa, u64 size);
void vm_unreserve(void *hva, u64 size);

/*
 * @size bytes to populate from, one page off the boundaries of blocks: QEMU's TLB
 * is direct-mapped, and pages at the same place of two blocks throw each other out
 * at every word of a copy.
 */
void *vm_source(u64 size);
void vm_source_free(void *source, u64 size);

/* A guest_memfd of @size. */
int vm_gmem(struct vm *vm, u64 size);
/*
 * Slot @slot at @gpa with a reservation for its shared side, and @gmem_fd at
 * @offset for its private side when that is not -1. Returns the shared side.
 */
void *vm_add_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, int gmem_fd,
		  u64 offset);
void vm_delete_slot(struct vm *vm, u32 slot);
/* Make [@gpa, @gpa + @size) private, or shared. */
void vm_make_private(struct vm *vm, u64 gpa, u64 size);
void vm_make_shared(struct vm *vm, u64 gpa, u64 size);
/* The usual beginning: slot TEST_SLOT at TEST_GPA, private, on a file of @size. */
int vm_add_private(struct vm *vm, u64 size);
/* Have the hypercall MAP_GPA_RANGE exit to the test. */
void vm_enable_map_gpa_exit(struct vm *vm);

/*
 * Run @vcpu until it exits for a reason that concerns the test. Called again,
 * it goes on where the guest stopped, so that a faulting access is repeated.
 */
enum vm_exit vcpu_run(struct vcpu *vcpu);
/* Give up the agent's command that did not complete. */
void vcpu_restart(struct vcpu *vcpu);
/* Give the MMIO read that the vCPU stopped at its value. */
void vcpu_mmio_answer(struct vcpu *vcpu, u64 value);
/* The last exit in words, in a buffer of the calling thread. */
const char *vcpu_exit_text(const struct vcpu *vcpu);

/*
 * Require that @call, which returns 0 when all is well, -errno, or an
 * enum vm_exit, returns 0.
 */
#define MUST(call)							\
	do {								\
		int r_ = (call);					\
		if (r_)							\
			FAIL("%s: %s", #call, vm_answer_text(r_));	\
	} while (0)
/* @answer in words; an exit is the one that this thread saw last. */
const char *vm_answer_text(int answer);

/* Run @fn(@arg) in a thread; a failed check in it fails the test. */
pthread_t thread_start(void *(*fn)(void *), void *arg);
void thread_join(pthread_t thread);

#endif
