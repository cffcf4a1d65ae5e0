// SPDX-License-Identifier: GPL-2.0-only
/*
 * The C-bit of a guest that knows that it is SNP's, on a machine without SNP. The guest runs
 * from private memory: its page tables have the bit, in CR3 and in entries, and show it all of
 * the low memory twice, with the bit and, SHARED() higher, without. GMEM_C_BIT in the environment
 * is the bit's position, if not 36; 34 or more.
 *
 * Tests: mmu/c_bit.cc, mmu/faults.cc, kapi/c_bit.c.
 */
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "snp.h"
#include "stats.h"

/* The memslot TEST_SLOT: tables and code, which the launch puts there. */
#define TABLES		TEST_GPA
#define CODE		(TEST_GPA + AGENT_CODE)
#define CODE_SIZE	0x10000UL
#define CODE32		(TEST_GPA + 0x20000)
#define DATA32		(TEST_GPA + 0x21000)
#define LAUNCHED_SIZE	0x22000UL
/* A memslot of its own. */
#define DATA_SLOT	2
#define DATA		(TEST_GPA + 2 * SZ_2M)
#define DATA_SIZE	(2 * SZ_2M)
/* No memslot is there. */
#define NOWHERE		(TEST_GPA + SZ_1G)
/* More than the guest can ever have. */
#define BEYOND		(8 * SZ_1G)

#define SHARED(gpa)	((gpa) + 512 * SZ_1G)
#define C_BIT		(1UL << c_bit())

#define PTE_RW		0x63UL	/* present, writable, accessed, dirty */
#define PTE_LARGE	(1UL << 7)

#define PORT		0xf6
#define EFER_LME_LMA	0x500UL
#define CR0_PG		(1UL << 31)

extern const char guest_blob[], guest_blob_end[];

struct guest {
	struct vm *vm;
	struct vcpu *vcpu;
	int fd;		/* of DATA */
	char *hva;	/* what user space has there */
};

static unsigned int c_bit(void)
{
	const char *chosen = getenv("GMEM_C_BIT");

	return chosen ? atoi(chosen) : 36;
}

static unsigned int address_bits(void)
{
	u32 eax, ebx, ecx, edx;

	__cpuid(0x80000008, eax, ebx, ecx, edx);
	return eax & 0xff;
}

/* mov $0x12345678, %eax; mov %eax, DATA32; mov DATA32, %ebx; out %al, $AGENT_PORT; hlt */
static const unsigned char code32[] = {
	0xb8, 0x78, 0x56, 0x34, 0x12,
	0xa3, DATA32 & 0xff, DATA32 >> 8 & 0xff, DATA32 >> 16 & 0xff, DATA32 >> 24,
	0x8b, 0x1d, DATA32 & 0xff, DATA32 >> 8 & 0xff, DATA32 >> 16 & 0xff, DATA32 >> 24,
	0xe6, AGENT_PORT, 0xf4,
};

/* mov %rdi, %rsi; mov $PORT, %dx; outsb; xor %eax, %eax; ret */
static const unsigned char outs_code[] = {
	0x48, 0x89, 0xfe, 0x66, 0xba, PORT, 0, 0x6e, 0x31, 0xc0, 0xc3,
};

/* mov $PORT, %dx; insb; xor %eax, %eax; ret */
static const unsigned char ins_code[] = { 0x66, 0xba, PORT, 0, 0x6c, 0x31, 0xc0, 0xc3 };

/* mov %rdi, %rax; xor %ecx, %ecx; mov $1, %edx; pvalidate; setc %ah; ret */
static const unsigned char pvalidate_code[] = {
	0x48, 0x89, 0xf8, 0x31, 0xc9, 0xba, 1, 0, 0, 0, 0xf2, 0x0f, 0x01, 0xff,
	0x0f, 0x92, 0xc4, 0xc3,
};

/* ---- the guest -------------------------------------------------------------------------- */

/* What the launch puts at TABLES. */
static void fill(char *to)
{
	u64 *pml4 = (void *)to, *with = (void *)(to + PAGE_SIZE);
	u64 *without = (void *)(to + 2 * PAGE_SIZE), *pd = (void *)(to + 3 * PAGE_SIZE);
	u64 *pt = (void *)(to + 4 * PAGE_SIZE), i;

	memset(to, 0, LAUNCHED_SIZE);
	pml4[0] = (TABLES + PAGE_SIZE) | C_BIT | PTE_RW;
	pml4[1] = (TABLES + 2 * PAGE_SIZE) | C_BIT | PTE_RW;
	for (i = 0; i < 64; i++) {
		with[i] = i * SZ_1G | C_BIT | PTE_RW | PTE_LARGE;
		without[i] = i * SZ_1G | PTE_RW | PTE_LARGE;
	}
	with[0] = (TABLES + 3 * PAGE_SIZE) | C_BIT | PTE_RW;
	for (i = 1; i < 512; i++)
		pd[i] = i * SZ_2M | C_BIT | PTE_RW | PTE_LARGE;
	pd[0] = (TABLES + 4 * PAGE_SIZE) | C_BIT | PTE_RW;
	/* The agent's code is ours; all else of it is shared with the test. */
	for (i = 0; i < 512; i++)
		pt[i] = i * PAGE_SIZE | PTE_RW;
	for (i = AGENT_CODE / PAGE_SIZE; i < (AGENT_CODE + CODE_SIZE) / PAGE_SIZE; i++)
		pt[i] = (TABLES + i * PAGE_SIZE) | C_BIT | PTE_RW;
	CHECK(guest_blob_end - guest_blob <= (long)CODE_SIZE, "the agent's code is larger");
	memcpy(to + AGENT_CODE, guest_blob, guest_blob_end - guest_blob);
	memcpy(to + (CODE32 - TABLES), code32, sizeof(code32));
}

/* CR3 names the tables, with the bit. */
static void use_tables(struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cr3 = TABLES | C_BIT;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
}

/* One that has all but the end of its launch, and whose DATA is private. */
static struct guest launching(unsigned int nr_vcpus)
{
	struct guest guest = { .vm = snp_knowing_vm(nr_vcpus) };
	char *source = vm_source(LAUNCHED_SIZE);

	if (c_bit() >= address_bits())
		tap_skip("addresses have %u bits", address_bits());
	guest.vcpu = &guest.vm->vcpus[0];
	MUST(snp_start(guest.vm, SNP_POLICY, NULL));
	vm_add_private(guest.vm, SZ_2M);
	fill(source);
	MUST(snp_update(guest.vm, TABLES, source, LAUNCHED_SIZE, SNP_PAGE_NORMAL, NULL));
	vm_source_free(source, LAUNCHED_SIZE);
	guest.fd = vm_gmem(guest.vm, DATA_SIZE);
	guest.hva = vm_add_slot(guest.vm, DATA_SLOT, DATA, DATA_SIZE, guest.fd, 0);
	vm_make_private(guest.vm, DATA, DATA_SIZE);
	for (unsigned int i = 0; i < nr_vcpus; i++) {
		snp_set_c_bit(&guest.vm->vcpus[i], c_bit());
		use_tables(&guest.vm->vcpus[i]);
	}
	return guest;
}

static struct guest launched(unsigned int nr_vcpus)
{
	struct guest guest = launching(nr_vcpus);

	MUST(snp_finish(guest.vm, NULL));
	return guest;
}

/* The access ended so, at the page of @gpa, whose address has no C-bit in it. */
static void must_exit(struct guest *guest, enum vm_exit exit, u64 gpa, u64 flags)
{
	CHECK_EQ(exit, EXIT_MEMORY_FAULT);
	CHECK_EQ(guest->vcpu->error, EFAULT);
	CHECK_EQ(guest->vcpu->gpa, gpa & ~(PAGE_SIZE - 1));
	CHECK_EQ(guest->vcpu->flags, flags);
}

#define PRIVATE_FLAG KVM_MEMORY_EXIT_FLAG_PRIVATE

static void must_read(struct guest *guest, u64 at, u64 value)
{
	u64 read = ~value;

	MUST(guest_read(guest->vcpu, at, 8, &read));
	CHECK_EQ(read, value);
}

/* ---- accesses --------------------------------------------------------------------------- */

static void test_both_kinds(void)
{
	struct guest guest = launched(1);

	MUST(guest_write(guest.vcpu, DATA + 8, 8, 0x1111));
	must_read(&guest, DATA + 8, 0x1111);
	CHECK_EQ(*(u64 *)(guest.hva + 8), 0);
	vm_make_shared(guest.vm, DATA + PAGE_SIZE, PAGE_SIZE);
	MUST(guest_write(guest.vcpu, SHARED(DATA) + PAGE_SIZE, 8, 0x2222));
	CHECK_EQ(*(u64 *)(guest.hva + PAGE_SIZE), 0x2222);
	*(u64 *)(guest.hva + PAGE_SIZE) = 0x3333;
	must_read(&guest, SHARED(DATA) + PAGE_SIZE, 0x3333);
	must_read(&guest, DATA + 8, 0x1111);
}

static void test_the_wrong_bit(void)
{
	struct guest guest = launched(1);
	u64 value;

	MUST(guest_write(guest.vcpu, DATA, 8, 0x1111));
	must_exit(&guest, guest_read(guest.vcpu, SHARED(DATA) + 8, 8, &value), DATA, 0);
	/* The VMM makes it what the guest means, and the guest goes on. */
	vm_make_shared(guest.vm, DATA, PAGE_SIZE);
	*(u64 *)(guest.hva + 8) = 0x2222;
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.vcpu->mailbox->result, 0x2222);
	must_exit(&guest, guest_write(guest.vcpu, DATA + 16, 8, 0x3333), DATA, PRIVATE_FLAG);
	must_exit(&guest, vcpu_run(guest.vcpu), DATA, PRIVATE_FLAG);
	vm_make_private(guest.vm, DATA, PAGE_SIZE);
	MUST(vcpu_run(guest.vcpu));
	must_read(&guest, DATA + 16, 0x3333);
	CHECK_EQ(*(u64 *)(guest.hva + 16), 0);
	/* Where no memory is. */
	must_exit(&guest, guest_read(guest.vcpu, NOWHERE, 8, &value), NOWHERE, PRIVATE_FLAG);
	must_exit(&guest, guest_read(guest.vcpu, BEYOND, 8, &value), BEYOND, PRIVATE_FLAG);
}

static void test_blocks(void)
{
	struct guest guest = launched(1);
	u64 pages;

	if (!gmem_huge())
		tap_skip("needs huge=always");
	MUST(guest_write(guest.vcpu, DATA + SZ_2M, 8, 1));
	pages = kvm_stat(guest.vm->fd, "pages_2m");
	MUST(guest_fill(guest.vcpu, DATA, SZ_2M, 3));
	CHECK_EQ(kvm_stat(guest.vm->fd, "pages_2m"), pages + 1);
	/* A page of it: the others stay. */
	vm_make_shared(guest.vm, DATA + 5 * PAGE_SIZE, PAGE_SIZE);
	MUST(guest_check(guest.vcpu, DATA, 5 * PAGE_SIZE, 3));
	MUST(guest_check(guest.vcpu, DATA + 6 * PAGE_SIZE, SZ_2M - 6 * PAGE_SIZE, 3));
	MUST(gmem_punch(guest.fd, 7 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check_zero(guest.vcpu, DATA + 7 * PAGE_SIZE, PAGE_SIZE));
	MUST(guest_check(guest.vcpu, DATA + 8 * PAGE_SIZE, SZ_2M - 8 * PAGE_SIZE, 3));
	MUST(gmem_punch(guest.fd, 0, SZ_2M));
	vm_make_private(guest.vm, DATA + 5 * PAGE_SIZE, PAGE_SIZE);
	MUST(guest_check_zero(guest.vcpu, DATA, SZ_2M));
}

static void test_memslot_goes_and_comes(void)
{
	struct guest guest = launched(1);
	long pages = gmem_total("pages");
	u64 value;

	MUST(guest_fill(guest.vcpu, DATA, DATA_SIZE, 4));
	vm_delete_slot(guest.vm, DATA_SLOT);
	must_exit(&guest, guest_read(guest.vcpu, DATA, 8, &value), DATA, PRIVATE_FLAG);
	MUST(vm_set_region2(guest.vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD, DATA, DATA_SIZE, guest.hva,
			    guest.fd, 0));
	MUST(vcpu_run(guest.vcpu));
	MUST(guest_check(guest.vcpu, DATA, DATA_SIZE, 4));
	/* The file, before its memslot. */
	close(guest.fd);
	must_exit(&guest, guest_read(guest.vcpu, DATA, 8, &value), DATA, PRIVATE_FLAG);
	CHECK_EQ(gmem_total("pages"), pages);
}

static void test_mappable_file(void)
{
	struct guest guest = launched(1);
	u64 gpa = DATA + DATA_SIZE, at;
	char *map, *hva = vm_reserve(gpa, SZ_2M);
	int fd = gmem_mappable(guest.vm, SZ_2M, SHARED_AT_FIRST);

	map = gmem_map(fd, 0, SZ_2M);
	MUST(vm_set_region2(guest.vm, 3, KVM_MEM_GUEST_MEMFD, gpa, SZ_2M, hva, fd, 0));
	must_exit(&guest, guest_write(guest.vcpu, gpa, 8, 0x1111), gpa, PRIVATE_FLAG);
	MUST(gmem_convert(fd, 0, PAGE_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE, &at));
	MUST(vcpu_run(guest.vcpu));
	must_read(&guest, gpa, 0x1111);
	CHECK(mem_is_hidden(map), "user space sees a private page");
	MUST(gmem_convert(fd, 0, PAGE_SIZE, 0, &at));
	must_exit(&guest, guest_write(guest.vcpu, gpa, 8, 0x2222), gpa, PRIVATE_FLAG);
	vm_make_private(guest.vm, gpa, SZ_2M);
	MUST(vcpu_run(guest.vcpu));
	MUST(guest_fill(guest.vcpu, gpa, SZ_2M, 5));
	vm_make_shared(guest.vm, gpa, SZ_2M);
	must_exit(&guest, guest_check(guest.vcpu, gpa, SZ_2M, 5), gpa, PRIVATE_FLAG);
}

/* ---- what KVM does for the guest -------------------------------------------------------- */

static void test_mmio(void)
{
	struct guest guest = launched(1);
	u64 value;

	/* KVM reads the code and walks the tables, all of which are private. */
	CHECK_EQ(guest_read(guest.vcpu, SHARED(NOWHERE) + 8, 4, &value), EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE + 8);
	CHECK(!guest.vcpu->is_write, "a read is a write");
	vcpu_mmio_answer(guest.vcpu, 0x12345678);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.vcpu->mailbox->result, 0x12345678);
	CHECK_EQ(guest_write(guest.vcpu, SHARED(NOWHERE), 8, 0x1111), EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE);
	CHECK_EQ(guest.vcpu->data, 0x1111);
	MUST(vcpu_run(guest.vcpu));
}

static unsigned char *string_io(struct guest *guest)
{
	struct kvm_run *run = guest->vcpu->run;

	CHECK_EQ(guest->vcpu->exit, EXIT_OTHER);
	CHECK_EQ(run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(run->io.port, PORT);
	return (unsigned char *)run + run->io.data_offset;
}

static void test_string_io(void)
{
	struct guest guest = launched(1);
	u64 code = DATA + SZ_2M, data = DATA + PAGE_SIZE, result;

	MUST(guest_store_bytes(guest.vcpu, code, outs_code, sizeof(outs_code), 1));
	MUST(guest_store_bytes(guest.vcpu, code + 64, ins_code, sizeof(ins_code), 1));
	MUST(guest_write(guest.vcpu, data, 1, 0xa5));
	guest_call(guest.vcpu, code, data, &result);
	CHECK_EQ(*string_io(&guest), 0xa5);
	MUST(vcpu_run(guest.vcpu));
	guest_call(guest.vcpu, code + 64, data + 1, &result);
	*string_io(&guest) = 0x5a;
	MUST(vcpu_run(guest.vcpu));
	must_read(&guest, data, 0x5aa5);
	CHECK_EQ(*(u64 *)(guest.hva + PAGE_SIZE), 0);
	/* Of shared memory. */
	vm_make_shared(guest.vm, data, PAGE_SIZE);
	*(guest.hva + PAGE_SIZE) = 0x77;
	guest_call(guest.vcpu, code, SHARED(data), &result);
	CHECK_EQ(*string_io(&guest), 0x77);
	MUST(vcpu_run(guest.vcpu));
	/* With the wrong bit nothing is there. */
	CHECK_EQ(guest_call(guest.vcpu, code, data, &result), EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, data | C_BIT);
}

static void test_pvalidate(void)
{
	struct guest guest = launched(1);
	u64 code = DATA + SZ_2M, page = DATA + 3 * PAGE_SIZE, result;

	MUST(guest_store_bytes(guest.vcpu, code, pvalidate_code, sizeof(pvalidate_code), 1));
	MUST(guest_call(guest.vcpu, code, page, &result));
	CHECK_EQ(result, 0);
	/* Whichever bit the guest names it with. */
	MUST(guest_call(guest.vcpu, code, SHARED(page), &result));
	CHECK_EQ(result, 0x100);
	vm_make_shared(guest.vm, page, PAGE_SIZE);
	must_exit(&guest, guest_call(guest.vcpu, code, page, &result), page, PRIVATE_FLAG);
}

static void test_code_is_private(void)
{
	struct guest guest = launched(1);
	u64 result;

	vm_make_shared(guest.vm, DATA, PAGE_SIZE);
	memcpy(guest.hva, guest_code_3x_plus_7, sizeof(guest_code_3x_plus_7));
	must_exit(&guest, guest_call(guest.vcpu, SHARED(DATA), 5, &result), DATA, PRIVATE_FLAG);
	/* Also without the bit. */
	MUST(guest_store_bytes(guest.vcpu, DATA + PAGE_SIZE, guest_code_3x_plus_7,
			       sizeof(guest_code_3x_plus_7), 1));
	MUST(guest_call(guest.vcpu, SHARED(DATA) + PAGE_SIZE, 5, &result));
	CHECK_EQ(result, 22);
	/* And nothing beside that page is reached so. */
	must_exit(&guest, guest_read(guest.vcpu, SHARED(DATA) + 2 * PAGE_SIZE, 8, &result),
		  DATA + 2 * PAGE_SIZE, 0);
}

static void test_code_without_paging(void)
{
	const struct kvm_segment flat = {
		.selector = 0x8, .limit = ~0U, .type = 0xb, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct guest guest = launched(1);
	struct kvm_sregs wide, sregs;
	struct kvm_regs regs = { .rip = CODE32, .rflags = 2 };

	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_SREGS, &wide));
	sregs = wide;
	sregs.cr0 &= ~CR0_PG;
	sregs.efer &= ~EFER_LME_LMA;
	sregs.cs = flat;
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_REGS, &regs));
	MUST(vcpu_run(guest.vcpu));
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rbx, 0x12345678);
	/* With pages it has that by the bit. */
	vcpu_restart(guest.vcpu);
	CHECK_OK(ioctl(guest.vcpu->fd, KVM_SET_SREGS, &wide));
	must_read(&guest, DATA32, 0x12345678);
}

static void test_pre_fault(void)
{
	struct guest guest = launched(1);
	u64 gpa = DATA, size = SZ_2M, faults;

	MUST(vcpu_pre_fault(guest.vcpu, &gpa, &size));
	CHECK_EQ(size, 0);
	MUST(guest_write(guest.vcpu, DATA + SZ_2M, 8, 1));
	faults = kvm_stat(guest.vcpu->fd, "pf_taken");
	MUST(guest_fill(guest.vcpu, DATA, SZ_2M, 6));
	CHECK_EQ(kvm_stat(guest.vcpu->fd, "pf_taken"), faults);
	gpa = DATA | C_BIT;
	size = PAGE_SIZE;
	CHECK_EQ(vcpu_pre_fault(guest.vcpu, &gpa, &size), -EINVAL);
}

/* ---- refusals --------------------------------------------------------------------------- */

static void test_bits_that_cannot_be_had(void)
{
	static const unsigned int bits[] = { 1, 12, 31, 63 };
	struct guest guest = launching(2);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		snp_set_c_bit(&guest.vm->vcpus[0], bits[i]);
		snp_set_c_bit(&guest.vm->vcpus[1], bits[i]);
		CHECK_EQ(snp_finish(guest.vm, NULL), -EINVAL);
	}
	snp_set_c_bit(&guest.vm->vcpus[0], address_bits());
	snp_set_c_bit(&guest.vm->vcpus[1], address_bits());
	CHECK_EQ(snp_finish(guest.vm, NULL), -EINVAL);
	snp_set_c_bit(&guest.vm->vcpus[0], c_bit());
	CHECK_EQ(snp_finish(guest.vm, NULL), -EINVAL);
	snp_set_c_bit(&guest.vm->vcpus[1], c_bit());
	MUST(snp_finish(guest.vm, NULL));
	MUST(guest_write(guest.vcpu, DATA, 8, 1));
	guest.vcpu = &guest.vm->vcpus[1];
	must_read(&guest, DATA, 1);
}

static void test_memory_at_the_bit(void)
{
	struct guest guest = launching(1);
	struct kvm_dirty_log log = { .slot = 32766 };
	void *hva = vm_reserve(0, SZ_2M);
	int fd = vm_gmem(guest.vm, SZ_2M);

	MUST(vm_set_region(guest.vm, 5, 0, C_BIT, SZ_2M, hva));
	CHECK_EQ(snp_finish(guest.vm, NULL), -EINVAL);
	vm_delete_slot(guest.vm, 5);
	/* Attributes of what was no memory are no more. */
	vm_make_private(guest.vm, C_BIT + DATA, PAGE_SIZE);
	MUST(snp_finish(guest.vm, NULL));
	CHECK_EQ(vm_set_region(guest.vm, 5, 0, C_BIT, SZ_2M, hva), -EEXIST);
	CHECK_EQ(vm_set_region(guest.vm, 5, 0, C_BIT + BEYOND, SZ_2M, hva), -EINVAL);
	CHECK_EQ(vm_set_region2(guest.vm, 5, KVM_MEM_GUEST_MEMFD, BEYOND, SZ_2M, hva, fd, 0),
		 -EINVAL);
	MUST(vm_set_region(guest.vm, 5, 0, BEYOND, SZ_2M, hva));
	CHECK_EQ(vm_set_region(guest.vm, 5, 0, C_BIT + BEYOND, SZ_2M, hva), -EINVAL);
	CHECK_EQ(vm_set_attributes(guest.vm, C_BIT, PAGE_SIZE, 0), -EINVAL);
	CHECK_EQ(vm_set_attributes(guest.vm, C_BIT + BEYOND, PAGE_SIZE, PRIVATE_FLAG), -EINVAL);
	/* Nobody can name the memslot that the module has there. */
	CHECK_EQ(vm_set_region(guest.vm, 32766, 0, 0, 0, NULL), -EINVAL);
	CHECK_EQ(ioctl(guest.vm->fd, KVM_GET_DIRTY_LOG, &log), -1);
	CHECK_EQ(errno, EINVAL);
	MUST(guest_write(guest.vcpu, DATA, 8, 1));
}

static void test_guests_without_a_bit(void)
{
	struct vm *vm = snp_knowing_vm(1);
	struct vcpu *vcpu = &vm->vcpus[0];

	/* CPUID names none: what memory is, it is at its own address. */
	MUST(snp_start(vm, SNP_POLICY, NULL));
	vm_add_private(vm, SZ_2M);
	MUST(snp_finish(vm, NULL));
	MUST(guest_fill(vcpu, TEST_GPA, SZ_2M, 1));
	MUST(guest_check(vcpu, TEST_GPA, SZ_2M, 1));
}

/* ---- at once ---------------------------------------------------------------------------- */

struct writer {
	struct guest guest;
	bool stop;
	unsigned long rounds, faults;
};

static void *write_both(void *arg)
{
	struct writer *writer = arg;
	struct vcpu *vcpu = writer->guest.vcpu;

	while (!__atomic_load_n(&writer->stop, __ATOMIC_SEQ_CST)) {
		u64 at = writer->rounds++ % 2 ? SHARED(DATA) : DATA;
		enum vm_exit exit = guest_touch_write(vcpu, at, 8, PAGE_SIZE, DATA_SIZE / PAGE_SIZE,
						      writer->rounds);

		CHECK(exit == EXIT_DONE || exit == EXIT_MEMORY_FAULT || exit == EXIT_MMIO, "%s",
		      vcpu_exit_text(vcpu));
		__atomic_add_fetch(&writer->faults, exit != EXIT_DONE, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static bool met(struct writer *writer)
{
	return __atomic_load_n(&writer->faults, __ATOMIC_SEQ_CST);
}

static void test_a_guest_beside_changes(void)
{
	long leaked = gmem_total("leaked"), pages = gmem_total("pages");
	struct writer writer = { .guest = launched(1) };
	struct guest *guest = &writer.guest;
	pthread_t thread = thread_start(write_both, &writer);
	const double end = now() + PATIENCE;

	/* On a busy machine it takes longer until they meet. */
	for (u64 i = 0; i < 150 || (now() < end && !met(&writer)); i++) {
		u64 page = i * 7 % (DATA_SIZE / PAGE_SIZE) * PAGE_SIZE;

		vm_make_shared(guest->vm, DATA + page, DATA_SIZE - page);
		MUST(gmem_punch(guest->fd, page, DATA_SIZE - page));
		vm_make_private(guest->vm, DATA + page, DATA_SIZE - page);
		if (i % 10 == 0) {
			vm_delete_slot(guest->vm, DATA_SLOT);
			MUST(vm_set_region2(guest->vm, DATA_SLOT, KVM_MEM_GUEST_MEMFD, DATA,
					    DATA_SIZE, guest->hva, guest->fd, 0));
		}
	}
	__atomic_store_n(&writer.stop, true, __ATOMIC_SEQ_CST);
	thread_join(thread);
	CHECK(met(&writer), "nothing met");
	/* The guest ends in the middle of what it has by the bit. */
	vm_make_private(guest->vm, DATA, DATA_SIZE);
	MUST(guest_fill(guest->vcpu, DATA, DATA_SIZE, 8));
	vm_free(guest->vm);
	close(guest->fd);
	CHECK_EQ(gmem_total("leaked"), leaked);
	CHECK(gmem_total("pages") <= pages + (long)(SZ_2M / PAGE_SIZE), "pages are left");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_both_kinds),
		TAP_TEST(test_the_wrong_bit),
		TAP_TEST(test_blocks),
		TAP_TEST(test_memslot_goes_and_comes),
		TAP_TEST(test_mappable_file),
		TAP_TEST(test_mmio),
		TAP_TEST(test_string_io),
		TAP_TEST(test_pvalidate),
		TAP_TEST(test_code_is_private),
		TAP_TEST(test_code_without_paging),
		TAP_TEST(test_pre_fault),
		TAP_TEST(test_bits_that_cannot_be_had),
		TAP_TEST(test_memory_at_the_bit),
		TAP_TEST(test_guests_without_a_bit),
		TAP_TEST(test_a_guest_beside_changes),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
