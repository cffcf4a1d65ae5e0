// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs: their first state, running them, and what their exits say.
 *
 * A vCPU starts in 64-bit mode on identity page tables, without interrupts and
 * without an IDT: an exception in the guest is a shutdown and fails the test.
 */
#include "vcpu.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PTE_PRESENT	(1UL << 0)
#define PTE_WRITE	(1UL << 1)
#define PTE_ACCESSED	(1UL << 5)
#define PTE_DIRTY	(1UL << 6)
#define PTE_LARGE	(1UL << 7)

#define CR0_PE		(1UL << 0)
#define CR0_MP		(1UL << 1)
#define CR0_ET		(1UL << 4)
#define CR0_NE		(1UL << 5)
#define CR0_WP		(1UL << 16)
#define CR0_PG		(1UL << 31)
#define CR4_PAE		(1UL << 5)
#define CR4_OSFXSR	(1UL << 9)
#define CR4_OSXMMEXCPT	(1UL << 10)
#define EFER_LME	(1UL << 8)
#define EFER_LMA	(1UL << 10)

#define MAX_CPUID_ENTRIES	256

extern const char guest_blob[], guest_blob_end[];

/* The vCPU that this thread ran last, for messages. */
static __thread const struct vcpu *last_run;

void agent_load(void *agent)
{
	u64 *pml4 = agent + AGENT_PML4;
	u64 *pdpt = agent + AGENT_PDPT;
	u64 i;

	memcpy(agent + AGENT_CODE, guest_blob, guest_blob_end - guest_blob);
	for (i = 0; i < IDENTITY_GIB; i++)
		pdpt[i] = i * SZ_1G | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED |
			  PTE_DIRTY | PTE_LARGE;
	for (i = 0; i < IDENTITY_GIB / 512; i++)
		pml4[i] = (AGENT_PDPT + i * PAGE_SIZE) | PTE_PRESENT |
			  PTE_WRITE | PTE_ACCESSED;
}

/* Give the guest every feature that KVM can; the page tables need 1 GiB pages. */
static void set_cpuid(struct vcpu *vcpu, int kvm)
{
	struct kvm_cpuid2 *cpuid;
	bool gb_pages = false;
	u32 i;

	cpuid = calloc(1, sizeof(*cpuid) +
		       MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	cpuid->nent = MAX_CPUID_ENTRIES;
	CHECK_OK(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid));
	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0x80000001)
			gb_pages = cpuid->entries[i].edx & (1 << 26);
	if (!gb_pages)
		tap_skip("the guest's page tables need pages of 1 GiB");
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid));
	free(cpuid);
}

static void set_entry(struct vcpu *vcpu)
{
	struct kvm_regs regs = {
		.rip = AGENT_CODE,
		/* As after a call: 8 short of 16-byte alignment. */
		.rsp = AGENT_STACK_TOP(vcpu->id) - 8,
		.rdi = AGENT_MAILBOX(vcpu->id),
		.rflags = 0x2,
	};

	CHECK_OK(ioctl(vcpu->fd, KVM_SET_REGS, &regs));
}

static void set_segments_and_paging(struct vcpu *vcpu)
{
	const struct kvm_segment code = {
		.selector = 0x8, .limit = ~0U, .type = 0xb, .present = 1,
		.s = 1, .l = 1, .g = 1,
	};
	const struct kvm_segment data = {
		.selector = 0x10, .limit = ~0U, .type = 0x3, .present = 1,
		.s = 1, .db = 1, .g = 1,
	};
	const struct kvm_segment task = {
		.selector = 0x18, .limit = 0x67, .type = 0xb, .present = 1,
	};
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.tr = task;
	sregs.ldt.unusable = 1;
	sregs.idt.limit = 0;
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = AGENT_PML4;
	sregs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	sregs.efer = EFER_LME | EFER_LMA;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
}

bool cpu_is_intel(void)
{
	u32 eax, ebx, ecx, edx;

	__cpuid(0, eax, ebx, ecx, edx);
	return ebx == signature_INTEL_ebx;
}

void vcpu_init(struct vcpu *vcpu, struct vm *vm, int kvm, unsigned int id)
{
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	CHECK(vcpu->fd >= 0, "KVM_CREATE_VCPU: %m");
	vcpu->run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0),
			 PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	CHECK(vcpu->run != MAP_FAILED, "kvm_run: %m");
	vcpu->mailbox = vm->agent + AGENT_MAILBOX(id);
	vcpu->mailbox->use_vmcall = cpu_is_intel();
	set_cpuid(vcpu, kvm);
	set_segments_and_paging(vcpu);
	set_entry(vcpu);
}

void vcpu_close(struct vcpu *vcpu)
{
	int kvm = kvm_open();

	munmap(vcpu->run, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	close(kvm);
	close(vcpu->fd);
}

static enum vm_exit decode_memory_fault(struct vcpu *vcpu)
{
	const struct kvm_memory_fault_exit *fault =
		(const void *)vcpu->run->padding;

	vcpu->gpa = fault->gpa;
	vcpu->size = fault->size;
	vcpu->flags = fault->flags;
	return EXIT_MEMORY_FAULT;
}

static enum vm_exit decode_mmio(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	vcpu->gpa = run->mmio.phys_addr;
	vcpu->size = run->mmio.len;
	vcpu->is_write = run->mmio.is_write;
	vcpu->data = 0;
	memcpy(&vcpu->data, run->mmio.data, run->mmio.len);
	return EXIT_MMIO;
}

static enum vm_exit decode_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MEMORY_FAULT:
		return decode_memory_fault(vcpu);
	case KVM_EXIT_MMIO:
		return decode_mmio(vcpu);
	case KVM_EXIT_HYPERCALL:
		return EXIT_HYPERCALL;
	case KVM_EXIT_IO:
		if (run->io.port == AGENT_PORT &&
		    run->io.direction == KVM_EXIT_IO_OUT)
			return EXIT_DONE;
		/* fallthrough */
	default:
		return EXIT_OTHER;
	}
}

enum vm_exit vcpu_run(struct vcpu *vcpu)
{
	int r;

	do
		r = ioctl(vcpu->fd, KVM_RUN, 0);
	while (r < 0 && errno == EINTR);
	vcpu->error = r < 0 ? errno : 0;
	last_run = vcpu;
	vcpu->exit = decode_exit(vcpu);
	return vcpu->exit;
}

/*
 * What KVM still has to complete of an MMIO or hypercall exit is completed
 * first, without running the guest, lest it change the new registers.
 */
void vcpu_restart(struct vcpu *vcpu)
{
	int r;

	vcpu->run->immediate_exit = 1;
	do
		r = ioctl(vcpu->fd, KVM_RUN, 0);
	while (!r);
	vcpu->run->immediate_exit = 0;
	CHECK(errno == EINTR, "completing an exit: %m");
	set_entry(vcpu);
}

void vcpu_mmio_answer(struct vcpu *vcpu, u64 value)
{
	memcpy(vcpu->run->mmio.data, &value, vcpu->run->mmio.len);
}

int vcpu_pre_fault(struct vcpu *vcpu, u64 *gpa, u64 *size)
{
	struct kvm_pre_fault_memory range = { .gpa = *gpa, .size = *size };
	int r = ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, &range);

	*gpa = range.gpa;
	*size = range.size;
	return r < 0 ? -errno : r;
}

const char *vcpu_exit_text(const struct vcpu *vcpu)
{
	static __thread char text[160];
	struct kvm_regs regs = { 0 };

	switch (vcpu->exit) {
	case EXIT_DONE:
		return "done";
	case EXIT_MISMATCH:
		snprintf(text, sizeof(text), "wrong content at gpa %#lx",
			 vcpu->mismatch);
		break;
	case EXIT_MEMORY_FAULT:
		snprintf(text, sizeof(text),
			 "memory fault: gpa %#lx size %#lx flags %#lx, errno %d",
			 vcpu->gpa, vcpu->size, vcpu->flags, vcpu->error);
		break;
	case EXIT_MMIO:
		snprintf(text, sizeof(text), "MMIO %s of %lu bytes at gpa %#lx",
			 vcpu->is_write ? "write" : "read", vcpu->size,
			 vcpu->gpa);
		break;
	case EXIT_HYPERCALL:
		snprintf(text, sizeof(text), "hypercall %llu",
			 vcpu->run->hypercall.nr);
		break;
	case EXIT_OTHER:
		ioctl(vcpu->fd, KVM_GET_REGS, &regs);
		snprintf(text, sizeof(text),
			 "exit reason %u, errno %d, rip %#llx",
			 vcpu->run->exit_reason, vcpu->error, regs.rip);
	}
	return text;
}

const char *vm_answer_text(int answer)
{
	return answer < 0 || !last_run ? strerror(-answer) :
	       vcpu_exit_text(last_run);
}
