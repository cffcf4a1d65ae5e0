// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host with VMX and EPT: that it has what kvm_intel can use, that a guest without
 * protected mode and paging runs from a file (unrestricted guest), and that the
 * hardware's log of dirtied pages (PML) and a file do not get into each other's way. KVM
 * logs no memslot of a file. The memslot that it logs here is an ordinary one, whose user
 * memory is a mapping of the file.
 *
 * Tests: mmu/memslot.cc.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "stats.h"

#define FILE_SIZE	(4 * SZ_2M)
#define FILE_PAGES	(FILE_SIZE / PAGE_SIZE)

/* The memslot with a log shows the whole file here. */
#define LOG_SLOT	(TEST_SLOT + 1)
#define LOG_GPA		(TEST_GPA + SZ_1G)

/* Entries that a processor's log has room for until it must be emptied. */
#define PML_ENTRIES	512

/* The parameter @name of @module, a line; empty where there is none. */
static void read_parameter(const char *module, const char *name, char *value, int size)
{
	char path[96];
	FILE *file;

	*value = 0;
	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(value, size, file))
		value[strcspn(value, "\n")] = 0;
	fclose(file);
}

static bool is_on(const char *module, const char *name)
{
	char value[16];

	read_parameter(module, name, value, sizeof(value));
	return !strcmp(value, "Y");
}

/* ---- features that are on ------------------------------------------------------------ */

static void test_what_is_on(void)
{
	static const char *const needed[] = {
		"ept", "unrestricted_guest", "eptad", "pml", "vpid", "flexpriority",
	};
	static const char *const told[] = {
		"enable_apicv", "preemption_timer", "nested", "vnmi", "enable_shadow_vmcs",
	};
	char value[16];

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		read_parameter("kvm_intel", told[i], value, sizeof(value));
		tap_diag("kvm_intel.%s: %s", told[i], *value ? value : "not there");
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		read_parameter("kvm_intel", needed[i], value, sizeof(value));
		tap_diag("kvm_intel.%s: %s", needed[i], *value ? value : "not there");
		CHECK(!strcmp(value, "Y"), "kvm_intel.%s is off", needed[i]);
	}
	CHECK(is_on("kvm", "tdp_mmu"), "kvm.tdp_mmu is off");
}

/* ---- unrestricted guest -------------------------------------------------------------- */

static struct kvm_segment real_mode_segment(u32 type)
{
	return (struct kvm_segment){
		.base = TEST_GPA, .limit = 0xffff, .type = type, .present = 1, .s = 1,
	};
}

/* The vCPU is in real mode, at the beginning of TEST_GPA. */
static void enter_real_mode(struct vcpu *vcpu)
{
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
	sregs.cs = real_mode_segment(0xb);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = real_mode_segment(0x3);
	sregs.cr0 = 0x10;
	sregs.cr3 = sregs.cr4 = sregs.efer = 0;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_REGS, &regs));
}

static void test_real_mode(void)
{
	static const unsigned char code[] = {
		0xa1, 0x00, 0x10,	/* mov ax, [0x1000] */
		0x05, 0x34, 0x12,	/* add ax, 0x1234 */
		0xa3, 0x00, 0x20,	/* mov [0x2000], ax */
		0xe6, AGENT_PORT,	/* out AGENT_PORT, al */
	};
	struct vm *vm = vm_create_private(1);
	struct vcpu *vcpu = &vm->vcpus[0];
	int fd = gmem_add_mappable(vm, SZ_2M, SHARED_AT_FIRST);
	unsigned char *p = gmem_map(fd, 0, SZ_2M);
	u64 emulated = kvm_stat(vcpu->fd, "insn_emulation");

	if (!gmem_keeps_content())
		tap_skip("what is made private has no content on this platform");
	memcpy(p, code, sizeof(code));
	p[0x1000] = 1;
	gmem_make_private(fd, 0, SZ_2M);
	enter_real_mode(vcpu);
	MUST(vcpu_run(vcpu));
	/* Emulation could not have read private memory. */
	CHECK_EQ(kvm_stat(vcpu->fd, "insn_emulation"), emulated);
	gmem_make_shared(fd, 0, SZ_2M);
	CHECK_EQ(p[0x2000] | p[0x2001] << 8, 0x1235);
}

/* ---- PML ----------------------------------------------------------------------------- */

/* The guest writes a word of each page that is marked. */
static void write_marked(struct vcpu *vcpu, const bool *marked, u64 value)
{
	for (u64 i = 0; i < FILE_PAGES; i++)
		if (marked[i])
			MUST(guest_write(vcpu, LOG_GPA + i * PAGE_SIZE, 8, value + i));
}

/* The log, which is emptied by this, has exactly the marked pages. */
static void check_log(struct vm *vm, const bool *marked)
{
	unsigned long bitmap[FILE_PAGES / 64] = { 0 };
	struct kvm_dirty_log log = { .slot = LOG_SLOT, .dirty_bitmap = bitmap };

	CHECK_OK(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (u64 i = 0; i < FILE_PAGES; i++)
		CHECK((bitmap[i / 64] >> i % 64 & 1) == marked[i], "page %lu is %s", i,
		      marked[i] ? "not logged" : "logged");
}

/* The log has exactly what the guest writes now. */
static void check_logged(struct vcpu *vcpu, const bool *marked, u64 value)
{
	write_marked(vcpu, marked, value);
	check_log(vcpu->vm, marked);
}

static const bool nothing[FILE_PAGES];

/* Pages with neighbours and without, of three of the four runs. */
static void mark_some(bool *marked, u64 shift)
{
	static const u64 pages[] = { 0, 1, 63, 64, 77, 511, 512, 1000, 2030 };

	memset(marked, 0, FILE_PAGES);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		marked[pages[i] + shift] = true;
}

/* The slot with the log, on @p, which is a mapping of the file. */
static void set_log_slot(struct vm *vm, void *p, bool logged)
{
	MUST(vm_set_region(vm, LOG_SLOT, logged ? KVM_MEM_LOG_DIRTY_PAGES : 0, LOG_GPA, FILE_SIZE,
			   p));
}

static void require_pml(void)
{
	if (!is_on("kvm_intel", "pml"))
		tap_skip("this host has no PML");
}

static void test_exactly_what_was_written(void)
{
	unsigned long bitmap[FILE_PAGES / 64];
	struct kvm_dirty_log log = { .slot = LOG_SLOT, .dirty_bitmap = bitmap };
	struct vm *vm;
	struct vcpu *vcpu;
	bool marked[FILE_PAGES];
	u64 faults;
	char *p;

	require_pml();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	vcpu = &vm->vcpus[0];
	p = gmem_map(gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), 0, FILE_SIZE);
	set_log_slot(vm, p, true);
	mark_some(marked, 0);
	check_logged(vcpu, marked, 100);
	for (u64 i = 0; i < FILE_PAGES; i++)
		CHECK_EQ(*(u64 *)(p + i * PAGE_SIZE), marked[i] ? 100 + i : 0);
	check_log(vm, nothing);

	/* Pages that are mapped writable are logged by the processor, without a fault. */
	faults = kvm_stat(vcpu->fd, "pf_taken");
	check_logged(vcpu, marked, 200);
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_taken"), faults);
	/* KVM logs what it maps writable, though the guest may have read only ... */
	MUST(guest_touch_read(vcpu, LOG_GPA, 8, PAGE_SIZE, FILE_PAGES));
	CHECK_OK(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log));
	/* ... and from then on no reads, nor user space's writes. */
	mem_fill(p, LOG_GPA, FILE_SIZE, 1);
	MUST(guest_check(vcpu, LOG_GPA, FILE_SIZE, 1));
	check_log(vm, nothing);
	mark_some(marked, 1);
	check_logged(vcpu, marked, 300);
}

/* More at once than a processor's log holds. */
static void test_full_log(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	bool marked[FILE_PAGES];

	require_pml();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	vcpu = &vm->vcpus[0];
	set_log_slot(vm, gmem_map(gmem_mappable(vm, FILE_SIZE, SHARED_AT_FIRST), 0, FILE_SIZE),
		     true);
	for (u64 i = 0; i < FILE_PAGES; i++)
		marked[i] = i % 2;
	CHECK(FILE_PAGES / 2 > PML_ENTRIES, "the log does not get full");
	/* Twice: the second time no page faults, which empties the log as well. */
	for (int i = 0; i < 2; i++) {
		MUST(guest_touch_write(vcpu, LOG_GPA + PAGE_SIZE, 8, 2 * PAGE_SIZE,
				       FILE_PAGES / 2, 1));
		check_log(vm, marked);
		check_log(vm, nothing);
	}
}

/*
 * A file in its own memslot, which has no log and is mapped 2 MiB at a time, and in one
 * with a log beside it.
 */
static void test_beside_a_huge_mapping(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	bool marked[FILE_PAGES];
	u64 huge, faults;
	char *p;
	int fd;

	require_pml();
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	vcpu = &vm->vcpus[0];
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	huge = kvm_stat(vm->fd, "pages_2m");
	if (gmem_huge())
		CHECK_EQ(huge, FILE_SIZE / SZ_2M);

	set_log_slot(vm, p, true);
	mark_some(marked, 0);
	check_logged(vcpu, marked, 100);
	faults = kvm_stat(vcpu->fd, "pf_taken");
	/* The same pages, where they are not logged. */
	for (u64 i = 0; i < FILE_PAGES; i++)
		if (marked[i])
			MUST(guest_write(vcpu, TEST_GPA + i * PAGE_SIZE, 8,
					 pattern_word(TEST_GPA + i * PAGE_SIZE, 1)));
	CHECK(mem_holds(p, TEST_GPA, FILE_SIZE, 1), "both slots show the file");
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 2));
	check_log(vm, nothing);
	CHECK_EQ(kvm_stat(vcpu->fd, "pf_taken"), faults);
	CHECK_EQ(kvm_stat(vm->fd, "pages_2m"), huge);

	/* Logging that ends and comes again. */
	set_log_slot(vm, p, false);
	write_marked(vcpu, marked, 200);
	set_log_slot(vm, p, true);
	check_log(vm, nothing);
	mark_some(marked, 1);
	check_logged(vcpu, marked, 300);
	CHECK_EQ(kvm_stat(vm->fd, "pages_2m"), huge);
}

/* Written pages are logged, though they have become private since. */
static void test_conversion(void)
{
	const u64 first = 60, count = 500;
	bool before[FILE_PAGES], after[FILE_PAGES];
	struct vm *vm;
	struct vcpu *vcpu;
	char *p;
	int fd;

	require_pml();
	vm = vm_create_private(1);
	vcpu = &vm->vcpus[0];
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	p = gmem_map(fd, 0, FILE_SIZE);
	set_log_slot(vm, p, true);
	mark_some(before, 0);
	write_marked(vcpu, before, 100);
	gmem_make_private(fd, first * PAGE_SIZE, count * PAGE_SIZE);
	CHECK(mem_is_hidden(p + first * PAGE_SIZE), "private");
	check_log(vm, before);

	/* A write that reaches nothing is none, and the file's own slot has no log. */
	CHECK(guest_write(vcpu, LOG_GPA + first * PAGE_SIZE, 8, 1) != EXIT_DONE || vcpu->error,
	      "the guest reached a private page through user space's mapping");
	CHECK_EQ(vcpu->error, EFAULT);
	vcpu_restart(vcpu);
	MUST(guest_fill(vcpu, TEST_GPA, FILE_SIZE, 1));
	check_log(vm, nothing);

	gmem_make_shared(fd, first * PAGE_SIZE, count * PAGE_SIZE);
	mark_some(after, 2);
	after[first] = after[first + count - 1] = true;
	check_logged(vcpu, after, 200);
	for (u64 i = 0; i < FILE_PAGES; i++)
		CHECK_EQ(*(u64 *)(p + i * PAGE_SIZE),
			 after[i] ? 200 + i : pattern_word(TEST_GPA + i * PAGE_SIZE, 1));
	/* Once more, now that all of it is mapped. */
	check_logged(vcpu, after, 300);
}

static const struct tap_test tests[] = {
	TAP_TEST(test_what_is_on),
	TAP_TEST(test_real_mode),
	TAP_TEST(test_exactly_what_was_written),
	TAP_TEST(test_full_log),
	TAP_TEST(test_beside_a_huge_mapping),
	TAP_TEST(test_conversion),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
