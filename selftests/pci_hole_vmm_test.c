// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes as VMMs have them: what may be asked for, that their user space can
 * neither see into KVM's dealings nor take the bytes away, how long all of it
 * lives; and what KVM itself reads and writes in a hole.
 *
 * Tests: mmu/pci_hole.cc, kapi/pci_hole.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../include/uapi/gmem.h"
#include "clock.h"
#include "guest.h"
#include "hole.h"
#include "kmod/gmem_test_abi.h"

#define ONES	(~0UL)

/* The first piece of the process's memory that holes show their bytes from. */
static bool find_mapping(u64 *start, u64 *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[512];

	CHECK(maps, "/proc/self/maps: %m");
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, "gmem-pci-hole") &&
			sscanf(line, "%lx-%lx", start, end) == 2;
	fclose(maps);
	return found;
}

static bool mapped(void)
{
	u64 start, end;

	return find_mapping(&start, &end);
}

static void check_ones(struct vcpu *vcpu, u64 gpa)
{
	u64 value = 0;

	MUST(guest_read(vcpu, gpa, 8, &value));
	CHECK_EQ(value, ONES);
}

static void check_nothing(struct vcpu *vcpu, u64 gpa)
{
	u64 value;

	CHECK(guest_read(vcpu, gpa, 8, &value) == EXIT_MMIO && !vcpu->is_write,
	      "a read of nothing: %s", vcpu_exit_text(vcpu));
}

/* The capability tells the truth, where there are no holes, too. */
static void test_capability(void)
{
	const unsigned long types[] = { KVM_X86_DEFAULT_VM, KVM_X86_SW_PROTECTED_VM };
	const int possible = kvm_check(KVM_CAP_PCI_HOLE_MEM);
	struct vm *vm;

	CHECK(possible == 0 || possible == 1, "the capability is %d", possible);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		vm = vm_create(types[i], 0);
		CHECK_EQ(vm_check(vm, KVM_CAP_PCI_HOLE_MEM), possible);
		CHECK_EQ(hole_set(vm, 1, HOLE_GPA, SZ_2M), possible ? 0 : -EINVAL);
		vm_free(vm);
	}
}

static void test_bad_requests(void)
{
	const u64 gpa = HOLE_GPA, size = SZ_2M;
	const u32 hole = KVM_MEM_PCI_HOLE;
	void *hva = vm_reserve(gpa, size);
	struct vm *vm;
	unsigned int bit;

	hole_require();
	vm = vm_create(KVM_X86_SW_PROTECTED_VM, 0);
	CHECK_EQ(vm_set_region(vm, 1, hole, gpa, size, hva), -EINVAL);
	CHECK_EQ(vm_set_region(vm, 1, hole, gpa, size, (void *)1), -EINVAL);
	for (bit = 0; bit < 32; bit++)
		if (1U << bit != hole) {
			CHECK_EQ(vm_set_region(vm, 1, hole | 1U << bit, gpa, size, NULL), -EINVAL);
			CHECK_EQ(vm_set_region2(vm, 1, hole | 1U << bit, gpa, size, NULL, -1, 0),
				 -EINVAL);
		}
	CHECK_EQ(hole_set(vm, 1, gpa, 0), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, gpa + 1, size), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, gpa, size + 1), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, gpa, 1), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, -PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, 0, -PAGE_SIZE), -EINVAL);
	CHECK_EQ(hole_set(vm, 1, 0, PAGE_SIZE << 31), -EINVAL);
	/* Beyond what the guest can address. */
	CHECK_EQ(hole_set(vm, 1, 1UL << 60, size), -EINVAL);
	CHECK_EQ(hole_set(vm, vm_check(vm, KVM_CAP_NR_MEMSLOTS), gpa, size), -EINVAL);
	CHECK_EQ(hole_set(vm, 0xffff, gpa, size), -EINVAL);
	/* No such address space. */
	CHECK_EQ(hole_set(vm, 5 << 16 | 1, gpa, size), -EINVAL);
	CHECK(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, 8) && errno == EFAULT,
	      "a bad address");

	MUST(hole_set(vm, 1, gpa, size));
	CHECK_EQ(hole_set(vm, 2, gpa + size - PAGE_SIZE, size), -EEXIST);
	CHECK_EQ(vm_set_region(vm, 2, 0, gpa, size, hva), -EEXIST);
	MUST(hole_set(vm, vm_check(vm, KVM_CAP_NR_MEMSLOTS) - 1, gpa + size, size));
}

/* Of a live memslot nothing changes but its place. */
static void test_changes(void)
{
	const u64 gpa = HOLE_GPA, size = SZ_2M;
	const u32 flags[] = { 0, KVM_MEM_READONLY, KVM_MEM_LOG_DIRTY_PAGES,
		KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES };
	void *hva = vm_reserve(gpa, size);
	struct vcpu *vcpu;
	unsigned int i;
	struct vm *vm;

	vm = hole_vm(KVM_X86_DEFAULT_VM, 1, gpa, size);
	vcpu = &vm->vcpus[0];
	check_ones(vcpu, gpa);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		CHECK_EQ(vm_set_region(vm, HOLE_SLOT, flags[i], gpa, size, NULL), -EINVAL);
		CHECK_EQ(vm_set_region(vm, HOLE_SLOT, flags[i], gpa, size, hva), -EINVAL);
		/* Nor does such a memslot turn into a hole. */
		MUST(vm_set_region(vm, 5, flags[i], 2 * gpa, size, hva));
		CHECK_EQ(hole_set(vm, 5, 2 * gpa, size), -EINVAL);
		CHECK_EQ(hole_set(vm, 5, 3 * gpa, size), -EINVAL);
		vm_delete_slot(vm, 5);
	}
	CHECK_EQ(hole_set(vm, HOLE_SLOT, gpa, 2 * size), -EINVAL);
	CHECK_EQ(hole_set(vm, HOLE_SLOT, gpa, PAGE_SIZE), -EINVAL);
	MUST(hole_set(vm, HOLE_SLOT, gpa, size));
	check_ones(vcpu, gpa);
}

/* Asked for as the read-only memslot that it is to KVM, at its own user address. */
static void test_a_hole_is_no_read_only_memslot(void)
{
	const u64 gpa = HOLE_GPA, size = SZ_2M;
	const u32 flags[] = { KVM_MEM_READONLY, KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES };
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, gpa, size);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 start, end;
	void *ones;

	CHECK(find_mapping(&start, &end), "the hole has no bytes");
	/* As the guest has it in its 2 MiB. */
	ones = (void *)((start + SZ_2M - 1) & ~(SZ_2M - 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		CHECK_EQ(vm_set_region(vm, HOLE_SLOT, flags[i], gpa, size, ones), -EINVAL);
		CHECK_EQ(vm_set_region2(vm, HOLE_SLOT, flags[i], gpa, size, ones, 0, 0), -EINVAL);
		CHECK_EQ(vm_set_region(vm, HOLE_SLOT, flags[i], 2 * gpa, size, ones), -EINVAL);
		check_ones(vcpu, gpa);
		check_nothing(vcpu, 2 * gpa);
	}
	/* The memslot is a hole still: no other can be moved like this. */
	MUST(hole_set(vm, HOLE_SLOT, 2 * gpa, size));
	check_ones(vcpu, 2 * gpa);
	/* An ordinary memslot of the same bytes is no hole, and can be written no more. */
	MUST(vm_set_region(vm, 5, 0, 3 * gpa, size, ones));
	check_ones(vcpu, 3 * gpa);
	CHECK(guest_write(vcpu, 3 * gpa, 8, 0) != EXIT_DONE, "a write to the bytes of holes");
	check_ones(vcpu, 2 * gpa);
	CHECK_EQ(hole_set(vm, 5, 3 * gpa, size), -EINVAL);
	vm_delete_slot(vm, 5);
	/* Without the flag it can be deleted. */
	MUST(vm_set_region(vm, HOLE_SLOT, 0, 0, 0, NULL));
	check_nothing(vcpu, 2 * gpa);
}

static void test_move_and_delete(void)
{
	const u64 a = HOLE_GPA, b = HOLE_GPA + 64 * SZ_2M, c = b + 5 * PAGE_SIZE;
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, a, 2 * SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];

	check_ones(vcpu, a);
	MUST(hole_set(vm, HOLE_SLOT, b, 2 * SZ_2M));
	check_nothing(vcpu, a);
	check_ones(vcpu, b);
	check_ones(vcpu, b + 2 * SZ_2M - 8);
	/* On top of where it was, and not aligned as it was. */
	MUST(hole_set(vm, HOLE_SLOT, c, 2 * SZ_2M));
	check_nothing(vcpu, b);
	check_ones(vcpu, c);
	check_ones(vcpu, c + 2 * SZ_2M - 8);
	check_nothing(vcpu, c + 2 * SZ_2M);

	/* A move that cannot be changes nothing. */
	MUST(hole_set(vm, 7, a, SZ_2M));
	CHECK_EQ(hole_set(vm, HOLE_SLOT, a, 2 * SZ_2M), -EEXIST);
	check_ones(vcpu, c);

	vm_delete_slot(vm, HOLE_SLOT);
	check_nothing(vcpu, c);
	MUST(hole_set(vm, 7, 0, 0));
	check_nothing(vcpu, a);
	CHECK_EQ(hole_set(vm, 7, 0, 0), -EINVAL);
	/* And once more, by the other ioctl. */
	MUST(vm_set_region2(vm, 7, KVM_MEM_PCI_HOLE, a, SZ_2M, NULL, 0, 0));
	check_ones(vcpu, a);
	MUST(vm_set_region2(vm, 7, 0, a, 0, NULL, 0, 0));
	check_nothing(vcpu, a);
}

/* As large as a memslot can be, beside a small one. */
static void test_sizes(void)
{
	const u64 large = 1UL << 38;
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA + PAGE_SIZE, PAGE_SIZE);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 start, end, again;

	check_ones(vcpu, HOLE_GPA + PAGE_SIZE);
	check_nothing(vcpu, HOLE_GPA);
	check_nothing(vcpu, HOLE_GPA + 2 * PAGE_SIZE);
	MUST(hole_set(vm, 5, large, large));
	check_ones(vcpu, large);
	check_ones(vcpu, large + large / 2 + 12345);
	/* The bytes of the largest hole serve all holes that are not larger. */
	CHECK(find_mapping(&start, &end), "no mapping");
	MUST(hole_set(vm, 6, HOLE_GPA + SZ_1G, SZ_1G));
	check_ones(vcpu, HOLE_GPA + SZ_1G);
	CHECK(find_mapping(&again, &end), "no mapping");
	CHECK_EQ(again, start);
}

/* User space cannot pull the bytes from under a guest, nor write them. */
static void test_user_space_cannot_take_it_away(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 4 * SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	const int protection = PROT_READ | PROT_WRITE;
	char *p, *byte;
	u64 start, end;
	int memory;

	check_ones(vcpu, HOLE_GPA);
	CHECK(find_mapping(&start, &end), "no mapping");
	p = (char *)start;
	byte = p + SZ_2M + 5;

	CHECK_ERRNO(munmap(p, end - start), EPERM);
	CHECK_ERRNO(munmap(p + SZ_2M, PAGE_SIZE), EPERM);
	CHECK_ERRNO(mmap(p + SZ_2M, SZ_2M, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
	CHECK_ERRNO(mprotect(p, end - start, protection), EACCES);
	CHECK_ERRNO(mprotect(p + SZ_2M, SZ_2M, PROT_NONE), EPERM);
	CHECK(mremap(p, end - start, SZ_2M, MREMAP_MAYMOVE) == MAP_FAILED, "mremap");
	CHECK(madvise(p, end - start, MADV_DONTNEED) < 0, "MADV_DONTNEED");
	CHECK(madvise(p, end - start, MADV_DOFORK) < 0, "MADV_DOFORK");
	madvise(p, end - start, MADV_PAGEOUT);
	madvise(p, end - start, MADV_COLD);
	madvise(p, end - start, MADV_NOHUGEPAGE);
	mlock(p, end - start);

	memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	CHECK_OK(memory);
	CHECK(pwrite(memory, "", 1, (off_t)byte) < 0, "a write by /proc/self/mem");
	close(memory);
	CHECK_EQ(*byte, -1);

	check_ones(vcpu, HOLE_GPA + SZ_2M);
	check_ones(vcpu, HOLE_GPA + 3 * SZ_2M);
}

/* A child has neither the VM nor the bytes. */
static void test_fork(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	int status;
	pid_t child;

	check_ones(&vm->vcpus[0], HOLE_GPA);
	child = fork();
	if (!child) {
		if (mapped())
			_exit(1);
		_exit(hole_set(vm, 5, HOLE_GPA * 2, SZ_2M) == -EIO ? 0 : 2);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	check_ones(&vm->vcpus[0], HOLE_GPA + 8);
}

static int unload(void)
{
	return syscall(SYS_delete_module, "gmem", O_NONBLOCK) ? errno : 0;
}

/* The last reference of a descriptor goes a little later than its close. */
static void wait_unmapped(void)
{
	AWAIT(!mapped(), "the bytes stay when the VM goes");
}

/* The mapping and the module's use end with the VM; not before. */
static void test_life(void)
{
	struct vm *vm;

	hole_require();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	CHECK(!mapped(), "bytes without a hole");
	check_nothing(&vm->vcpus[0], HOLE_GPA);
	MUST(hole_set(vm, HOLE_SLOT, HOLE_GPA, SZ_2M));
	CHECK(mapped(), "a hole without bytes");
	check_ones(&vm->vcpus[0], HOLE_GPA);
	CHECK_EQ(unload(), EWOULDBLOCK);
	check_ones(&vm->vcpus[0], HOLE_GPA + 8);
	vm_free(vm);
	wait_unmapped();
}

/* A VM whose last descriptor another process closes. */
static void test_the_vm_ends_in_another_process(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 0, HOLE_GPA, SZ_2M);
	int release[2], status;
	pid_t child;
	char byte;

	CHECK_OK(pipe(release));
	child = fork();
	if (!child) {
		close(release[1]);
		_exit(read(release[0], &byte, 1));
	}
	vm_free(vm);
	CHECK(mapped(), "the VM lives on in the child");
	close(release[1]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	wait_unmapped();
}

/* Many VMs, one after another and at once; the bytes are the same for all. */
static void test_many_vms(void)
{
	struct vm *vms[8];
	unsigned int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(vms); i++)
			vms[i] = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA + i * SZ_2M, SZ_1G);
		for (i = 0; i < ARRAY_SIZE(vms); i++)
			check_ones(&vms[i]->vcpus[0], HOLE_GPA + i * SZ_2M + 77 * PAGE_SIZE);
		for (i = 0; i < ARRAY_SIZE(vms); i++)
			vm_free(vms[i]);
		wait_unmapped();
	}
}

static u32 count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	u32 n = 0;

	CHECK(maps, "/proc/self/maps: %m");
	while (fgets(line, sizeof(line), maps))
		n++;
	fclose(maps);
	return n;
}

/* A VMM that does not use the flag has nothing of it. */
static void test_without_the_flag(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	void *hva = vm_reserve(TEST_GPA, SZ_2M);
	u32 before;
	u64 value;

	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	vcpu = &vm->vcpus[0];
	before = count_mappings();
	MUST(vm_set_region(vm, TEST_SLOT, 0, TEST_GPA, SZ_2M, hva));
	MUST(guest_read(vcpu, TEST_GPA, 8, &value));
	CHECK_EQ(value, 0);
	MUST(vm_set_region(vm, TEST_SLOT, KVM_MEM_LOG_DIRTY_PAGES, TEST_GPA, SZ_2M, hva));
	MUST(vm_set_region(vm, TEST_SLOT, 0, TEST_GPA + SZ_2M, SZ_2M, hva));
	CHECK_EQ(vm_set_region(vm, TEST_SLOT, 1 << 14, TEST_GPA, SZ_2M, hva), -EINVAL);
	check_nothing(vcpu, TEST_GPA);
	CHECK_EQ(count_mappings(), before);
	vm_delete_slot(vm, TEST_SLOT);
}

/* kvm_read_guest() and kvm_write_guest() of @size bytes at @gpa: -errno. */
static int kvm_access(struct vm *vm, bool write, u64 gpa, void *data, u32 size)
{
	struct gmem_test_guest req = {
		.vm_fd = vm->fd, .gpa = gpa, .data = (u64)data, .size = size, .write = write,
	};
	int fd = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		tap_skip("gmem_test.ko is not loaded");
	r = ioctl(fd, GMEM_TEST_GUEST, &req) ? -errno : 0;
	close(fd);
	return r;
}

static void test_kvm_reads_and_writes(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 2 * SZ_2M);
	unsigned char in[PAGE_SIZE], ones[PAGE_SIZE];

	memset(ones, 0xff, sizeof(ones));
	memset(in, 0, sizeof(in));
	MUST(kvm_access(vm, false, HOLE_GPA + SZ_2M - 123, in, sizeof(in)));
	CHECK(!memcmp(in, ones, sizeof(in)), "what kvm_read_guest() finds");
	memset(in, 0, sizeof(in));
	CHECK_EQ(kvm_access(vm, true, HOLE_GPA + SZ_2M, in, sizeof(in)), -EFAULT);
	CHECK_EQ(kvm_access(vm, true, HOLE_GPA + 5, in, 1), -EFAULT);
	check_ones(&vm->vcpus[0], HOLE_GPA + SZ_2M);
	check_ones(&vm->vcpus[0], HOLE_GPA);
}

/* rep movsb to an unbacked address is emulated: KVM reads the source itself. */
static void test_the_emulator_reads(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	const u64 nothing = HOLE_GPA + SZ_1G;
	u32 width;

	for (width = 1; width <= 8; width <<= 1) {
		CHECK(guest_copy(vcpu, nothing, HOLE_GPA + 3, width, width) == EXIT_MMIO &&
		      vcpu->is_write, "instead of an MMIO write: %s", vcpu_exit_text(vcpu));
		CHECK_EQ(vcpu->gpa, nothing);
		CHECK_EQ(vcpu->data, ONES >> (64 - 8 * width));
		MUST(vcpu_run(vcpu));
	}
}

/* KVM writes its clock there, or not; the bytes stay. */
static void test_kvm_keeps_its_clock_in_a_hole(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entry[2];
	} msrs = {
		.header.nmsrs = 2,
		.entry = { { .index = 0x4b564d01, .data = HOLE_GPA + 1 },
			   { .index = 0x4b564d00, .data = HOLE_GPA + 64 } },
	};
	unsigned int i;

	ioctl(vm->vcpus[0].fd, KVM_SET_MSRS, &msrs);
	for (i = 0; i < 128; i += 8)
		check_ones(&vm->vcpus[0], HOLE_GPA + i);
}

static void test_pre_faulting(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, 8 * SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 gpa = HOLE_GPA, size = 8 * SZ_2M, before;

	MUST(guest_touch_read(vcpu, AGENT_MAILBOX(0), 4, 4, 1));
	MUST(vcpu_pre_fault(vcpu, &gpa, &size));
	CHECK_EQ(size, 0);
	before = hole_faults();
	MUST(guest_touch_read(vcpu, HOLE_GPA, 8, PAGE_SIZE, 8 * 512));
	CHECK_EQ(vcpu->mailbox->all_and, ONES);
	CHECK_EQ(hole_faults(), before);
}

/* ---- tables of the CPU's in a hole ---- */

#define CODE_GPA	TEST_GPA
#define GDT_GPA		(TEST_GPA + 0x1000)
#define IDT_GPA		(TEST_GPA + 0x2000)
/* Where a page fault's handler writes the error code's lowest byte. */
#define FAULT_PORT	0xf5
/* The guest's addresses from here on are behind its fifth PML4 entry. */
#define FIFTH_VA	(4UL << 39)

/* GDT and IDT of one's own in RAM, whose page fault handler exits. */
static void add_tables(struct vm *vm, struct vcpu *vcpu)
{
	/* pop %rax; out %al, $FAULT_PORT */
	static const unsigned char handler[] = { 0x58, 0xe6, FAULT_PORT, 0xf4 };
	unsigned char *ram = vm_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, -1, 0);
	u64 *gdt = (u64 *)(ram + 0x1000), *idt = (u64 *)(ram + 0x2000);
	struct kvm_sregs sregs;

	memcpy(ram + 0x800, handler, sizeof(handler));
	gdt[1] = 0x00af9b000000ffff; /* 64-bit code */
	gdt[2] = 0x00cf93000000ffff; /* data */
	idt[14 * 2] = ((CODE_GPA + 0x800) & 0xffff) | 0x8 << 16 | 0x8e00UL << 32 |
		      ((CODE_GPA + 0x800) >> 16 & 0xffff) << 48;
	idt[14 * 2 + 1] = (CODE_GPA + 0x800) >> 32;
	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.gdt.base = GDT_GPA;
	sregs.gdt.limit = 0x17;
	sregs.idt.base = IDT_GPA;
	sregs.idt.limit = 0xfff;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
}

/*
 * All ones are a page table entry that is present and has reserved bits. (A root
 * in a hole is one in any read-only memslot: the vCPU faults for ever.)
 */
static void test_page_tables_in_a_hole(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	u64 *pml4 = vm->agent + AGENT_PML4;
	struct kvm_translation tr = { .linear_address = FIFTH_VA + 0x1234 };
	const struct kvm_run *run = vcpu->run;
	u64 value;

	add_tables(vm, vcpu);
	pml4[4] = HOLE_GPA | 3;
	CHECK_EQ(guest_read(vcpu, FIFTH_VA + 0x1234, 8, &value), EXIT_OTHER);
	CHECK(run->exit_reason == KVM_EXIT_IO && run->io.port == FAULT_PORT,
	      "instead of a page fault: %s", vcpu_exit_text(vcpu));
	CHECK_EQ(*((const unsigned char *)run + run->io.data_offset), 0x9);
	/* As KVM walks them. */
	CHECK_OK(ioctl(vcpu->fd, KVM_TRANSLATE, &tr));
	CHECK_EQ(tr.valid, 0);
	tr.linear_address = TEST_GPA;
	CHECK_OK(ioctl(vcpu->fd, KVM_TRANSLATE, &tr));
	CHECK_EQ(tr.valid, 1);
	CHECK_EQ(tr.physical_address, TEST_GPA);
}

/* All ones are a data segment that can be loaded, and no gate to go through. */
static void test_descriptor_tables_in_a_hole(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	struct vcpu *vcpu = &vm->vcpus[0];
	/* mov $0x10, %ax; mov %ax, %ds; xor %eax, %eax; mov %ds, %eax; ret; ud2 */
	static const unsigned char code[] = { 0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x31,
		0xc0, 0x8c, 0xd8, 0xc3, 0x0f, 0x0b };
	struct kvm_sregs sregs;
	u64 result = 0;

	add_tables(vm, vcpu);
	MUST(guest_store_bytes(vcpu, CODE_GPA, code, sizeof(code), 1));
	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.gdt.base = sregs.idt.base = HOLE_GPA;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	MUST(guest_call(vcpu, CODE_GPA, 0, &result));
	CHECK_EQ(result, 0x10);
	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	CHECK_EQ(sregs.ds.selector, 0x10);
	CHECK_EQ(sregs.ds.limit, 0xffffffff);
	CHECK_EQ(sregs.ds.type, 0xf);
	CHECK_EQ(sregs.ds.dpl, 3);

	CHECK_EQ(guest_call(vcpu, CODE_GPA + 11, 0, &result), EXIT_OTHER);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_SHUTDOWN);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_capability),
	TAP_TEST(test_bad_requests),
	TAP_TEST(test_changes),
	TAP_TEST(test_a_hole_is_no_read_only_memslot),
	TAP_TEST(test_move_and_delete),
	TAP_TEST(test_sizes),
	TAP_TEST(test_user_space_cannot_take_it_away),
	TAP_TEST(test_fork),
	TAP_TEST(test_life),
	TAP_TEST(test_the_vm_ends_in_another_process),
	TAP_TEST(test_many_vms),
	TAP_TEST(test_without_the_flag),
	TAP_TEST(test_kvm_reads_and_writes),
	TAP_TEST(test_the_emulator_reads),
	TAP_TEST(test_kvm_keeps_its_clock_in_a_hole),
	TAP_TEST(test_pre_faulting),
	TAP_TEST(test_page_tables_in_a_hole),
	TAP_TEST(test_descriptor_tables_in_a_hole),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
