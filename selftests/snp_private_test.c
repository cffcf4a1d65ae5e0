// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest of SNP's type runs from private memory alone: its code, what its string
 * instructions read and write, its page tables and its clocks are in the file, and KVM's
 * own accesses for it find them there. What user space has at the same addresses is zeros
 * before and after.
 *
 * Tests: mmu/accesses.cc, mmu/walk.cc.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "gmem.h"
#include "guest.h"
#include "snp.h"

#define FILE_SIZE	(2 * SZ_2M)
/* The parts of the memslot. */
#define CODE		TEST_GPA
#define DATA		(TEST_GPA + SZ_2M)
#define TABLES		(TEST_GPA + SZ_2M + 4 * PAGE_SIZE)
/* No memslot is there. */
#define NOWHERE		(TEST_GPA + SZ_1G)
#define PORT		0xe9

#define MSR_KVMCLOCK	0x4b564d01
#define MSR_STEAL_TIME	0x4b564d03

#define PTE_RW		3UL
#define PTE_LARGE	(1UL << 7)
#define PTE_ACCESSED	(1UL << 5)
#define PTE_DIRTY	(1UL << 6)

struct guest {
	struct vm *vm;
	struct vcpu *vcpu;
	void *shared; /* user space's side of the memslot */
	int fd;
};

/* A launched guest. All of its memory is private, but the agent's. */
static struct guest launched(void)
{
	struct guest guest;

	if (strcmp(gmem_platform(), "snp-model"))
		tap_skip("needs platform=snp-model");
	guest.vm = snp_vm(1);
	guest.vcpu = &guest.vm->vcpus[0];
	MUST(snp_start(guest.vm, SNP_POLICY, NULL));
	guest.fd = vm_gmem(guest.vm, FILE_SIZE);
	guest.shared = vm_add_slot(guest.vm, TEST_SLOT, TEST_GPA, FILE_SIZE, guest.fd, 0);
	vm_make_private(guest.vm, TEST_GPA, FILE_SIZE);
	MUST(snp_finish(guest.vm, NULL));
	return guest;
}

static void put(const struct guest *guest, u64 gpa, const void *bytes, u64 len)
{
	MUST(guest_store_bytes(guest->vcpu, gpa, bytes, len, 1));
}

static void get(const struct guest *guest, u64 gpa, void *bytes, u64 len)
{
	MUST(guest_load_bytes(guest->vcpu, gpa, bytes, len, 1));
}

static void check_nothing_is_seen(const struct guest *guest)
{
	CHECK(mem_is_zero(guest->shared, FILE_SIZE), "user space sees private memory");
}

static void test_instructions_that_kvm_decodes(void)
{
	/* push rbx; xor eax, eax; cpuid; mov eax, ebx; pop rbx; ret */
	static const unsigned char cpuid[] = { 0x53, 0x31, 0xc0, 0x0f, 0xa2, 0x89, 0xd8, 0x5b,
					       0xc3 };
	/* mov ecx, SEV_STATUS; rdmsr; ret */
	static const unsigned char rdmsr[] = { 0xb9, 0x31, 0x01, 0x01, 0xc0, 0x0f, 0x32, 0xc3 };
	struct guest guest = launched();
	u64 result;

	put(&guest, CODE, cpuid, sizeof(cpuid));
	MUST(guest_call(guest.vcpu, CODE, 0, &result));
	CHECK(result == 0x68747541 || result == 0x756e6547, "CPUID gave 0x%lx", result);
	put(&guest, CODE + 64, rdmsr, sizeof(rdmsr));
	MUST(guest_call(guest.vcpu, CODE + 64, 0, &result));
	CHECK_EQ(result, 0);
	check_nothing_is_seen(&guest);
}

/* mov eax, [rdi]; ret and mov [rdi], edi; ret */
static void test_mmio(void)
{
	static const unsigned char load[] = { 0x8b, 0x07, 0xc3 };
	static const unsigned char store[] = { 0x89, 0x3f, 0xc3 };
	struct guest guest = launched();
	u64 result;

	put(&guest, CODE, load, sizeof(load));
	put(&guest, CODE + 64, store, sizeof(store));
	CHECK_EQ(guest_call(guest.vcpu, CODE, NOWHERE, &result), EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, NOWHERE);
	vcpu_mmio_answer(guest.vcpu, 0x12345678);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.vcpu->mailbox->result, 0x12345678);
	CHECK_EQ(guest_call(guest.vcpu, CODE + 64, NOWHERE, &result), EXIT_MMIO);
	CHECK(guest.vcpu->is_write, "the store is no write");
	CHECK_EQ(guest.vcpu->data, (u32)NOWHERE);
	check_nothing_is_seen(&guest);
}

/* The bytes of the string I/O that @vcpu is at; false: it has come to its end. */
static bool string_io(struct vcpu *vcpu, enum vm_exit exit, unsigned char **bytes, u64 *len)
{
	if (exit == EXIT_DONE)
		return false;
	CHECK_EQ(exit, EXIT_OTHER);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, PORT);
	*bytes = (unsigned char *)vcpu->run + vcpu->run->io.data_offset;
	*len = (u64)vcpu->run->io.count * vcpu->run->io.size;
	return true;
}

static void test_string_io(void)
{
	/* mov rsi, rdi; mov edx, PORT; mov ecx, 16; cld; rep outsb; ret */
	static const unsigned char outs[] = { 0x48, 0x89, 0xfe, 0xba, PORT, 0, 0, 0, 0xb9, 16,
					      0, 0, 0, 0xfc, 0xf3, 0x6e, 0xc3 };
	/* mov edx, PORT; mov ecx, 16; cld; rep insb; ret */
	static const unsigned char ins[] = { 0xba, PORT, 0, 0, 0, 0xb9, 16, 0, 0, 0, 0xfc, 0xf3,
					     0x6c, 0xc3 };
	unsigned char seen[64], *bytes;
	struct guest guest = launched();
	u64 len, result, at = 0;
	enum vm_exit exit;

	put(&guest, CODE, outs, sizeof(outs));
	put(&guest, CODE + 64, ins, sizeof(ins));
	put(&guest, DATA + PAGE_SIZE - 8, "private bytes...", 16);
	exit = guest_call(guest.vcpu, CODE, DATA + PAGE_SIZE - 8, &result);
	for (; string_io(guest.vcpu, exit, &bytes, &len); exit = vcpu_run(guest.vcpu)) {
		CHECK(at + len <= sizeof(seen), "%lu bytes came out", at + len);
		memcpy(seen + at, bytes, len);
		at += len;
	}
	CHECK_EQ(at, 16);
	/* cppcheck-suppress uninitvar */
	CHECK(!memcmp(seen, "private bytes...", 16), "out came \"%.16s\"", seen);

	exit = guest_call(guest.vcpu, CODE + 64, DATA + 3 * PAGE_SIZE - 8, &result);
	for (at = 0; string_io(guest.vcpu, exit, &bytes, &len); exit = vcpu_run(guest.vcpu)) {
		CHECK(at + len <= 16, "%lu bytes went in", at + len);
		memcpy(bytes, "into the page..." + at, len);
		at += len;
	}
	get(&guest, DATA + 3 * PAGE_SIZE - 8, seen, 16);
	CHECK(!memcmp(seen, "into the page...", 16), "in came \"%.16s\"", seen);
	check_nothing_is_seen(&guest);
}

static void put_table(const struct guest *guest, u64 gpa, u64 index, u64 entry)
{
	MUST(guest_write(guest->vcpu, gpa + 8 * index, 8, entry));
}

/*
 * mov rdx, cr3; mov cr3, rdi; mov rcx, NOWHERE; mov eax, [rcx]; mov cr3, rdx; ret: the load is
 * emulated while all tables are private.
 */
static void test_page_tables(void)
{
	unsigned char code[] = { 0x0f, 0x20, 0xda, 0x0f, 0x22, 0xdf, 0x48, 0xb9, 0, 0, 0, 0, 0, 0,
				 0, 0, 0x8b, 0x01, 0x0f, 0x22, 0xda, 0xc3 };
	const u64 address = NOWHERE + 8, pml4 = TABLES, pdpt = TABLES + PAGE_SIZE;
	struct guest guest = launched();
	u64 i, result;

	memcpy(code + 8, &address, sizeof(address));
	put(&guest, CODE, code, sizeof(code));
	put_table(&guest, pml4, 0, pdpt | PTE_RW);
	for (i = 0; i < 4; i++)
		put_table(&guest, pdpt, i, i * SZ_1G | PTE_RW | PTE_LARGE);
	CHECK_EQ(guest_call(guest.vcpu, CODE, pml4, &result), EXIT_MMIO);
	CHECK_EQ(guest.vcpu->gpa, address);
	vcpu_mmio_answer(guest.vcpu, 7);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.vcpu->mailbox->result, 7);
	check_nothing_is_seen(&guest);
}

/* mov rax, rdi; mov rdx, rdi; shr rdx, 32; mov ecx, @msr; wrmsr; xor eax, eax; ret */
static void write_msr(const struct guest *guest, u32 msr, u64 value)
{
	unsigned char code[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xfa, 0x48, 0xc1, 0xea, 0x20, 0xb9,
				 0, 0, 0, 0, 0x0f, 0x30, 0x31, 0xc0, 0xc3 };
	u64 result;

	memcpy(code + 11, &msr, sizeof(msr));
	put(guest, CODE, code, sizeof(code));
	MUST(guest_call(guest->vcpu, CODE, value, &result));
}

static void test_clock(void)
{
	struct guest guest = launched();
	u32 clock[8];

	write_msr(&guest, MSR_KVMCLOCK, (DATA + 64) | 1);
	get(&guest, DATA + 64, clock, sizeof(clock));
	CHECK(clock[0] && clock[0] % 2 == 0, "the clock's version is %u", clock[0]);
	CHECK(clock[6], "the clock has no multiplier");
	check_nothing_is_seen(&guest);
}

static void test_steal_time(void)
{
	struct guest guest = launched();
	u32 steal[16];

	write_msr(&guest, MSR_STEAL_TIME, (DATA + 128) | 1);
	get(&guest, DATA + 128, steal, sizeof(steal));
	CHECK(steal[2] && steal[2] % 2 == 0, "the version of the stolen time is %u", steal[2]);
	check_nothing_is_seen(&guest);
}

/* KVM finds memory that the guest shares where user space has it. */
static void test_what_is_shared_is_user_spaces(void)
{
	static const unsigned char load[] = { 0x8b, 0x07, 0xc3 };
	struct guest guest = launched();
	u64 result;

	vm_enable_map_gpa_exit(guest.vm);
	CHECK_EQ(guest_map_gpa(guest.vcpu, CODE, 1, 0, &result), EXIT_HYPERCALL);
	vm_make_shared(guest.vm, CODE, PAGE_SIZE);
	MUST(gmem_punch(guest.fd, 0, PAGE_SIZE));
	guest.vcpu->run->hypercall.ret = 0;
	MUST(vcpu_run(guest.vcpu));
	memcpy(guest.shared, load, sizeof(load));
	CHECK_EQ(guest_call(guest.vcpu, CODE, NOWHERE, &result), EXIT_MMIO);
	vcpu_mmio_answer(guest.vcpu, 3);
	MUST(vcpu_run(guest.vcpu));
	CHECK_EQ(guest.vcpu->mailbox->result, 3);

	/* And back: what comes is the file's. */
	CHECK_EQ(guest_map_gpa(guest.vcpu, CODE, 1, 1 << 4, &result), EXIT_HYPERCALL);
	vm_make_private(guest.vm, CODE, PAGE_SIZE);
	guest.vcpu->run->hypercall.ret = 0;
	MUST(vcpu_run(guest.vcpu));
	MUST(guest_check_zero(guest.vcpu, CODE, PAGE_SIZE));
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_instructions_that_kvm_decodes),
		TAP_TEST(test_mmio),
		TAP_TEST(test_string_io),
		TAP_TEST(test_page_tables),
		TAP_TEST(test_clock),
		TAP_TEST(test_steal_time),
		TAP_TEST(test_what_is_shared_is_user_spaces),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
