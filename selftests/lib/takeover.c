// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether gmem.ko has the functions that it takes over, see takeover.h.
 */
#include "takeover.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gmem.h"
#include "guest.h"
#include "hole.h"
#include "kmod/gmem_test_abi.h"
#include "module.h"
#include "poison.h"

#define FILE_SIZE		SZ_2M

#define CALLS		"/sys/kernel/debug/gmem/calls"

const char *hooked_names[64];
size_t nr_hooked;

bool takeover_reaches(const char *name)
{
	return strcmp(name, "gfn_to_pfn_memslot_atomic") &&
	       strcmp(name, "gfn_to_page_many_atomic") && strcmp(name, "kvm_prefetch_pages");
}

static void become_nobody(void)
{
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setresgid(NOBODY, NOBODY, NOBODY));
	CHECK_OK(setresuid(NOBODY, NOBODY, NOBODY));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
}

void as_nobody(void (*fn)(const void *arg), const void *arg)
{
	const pid_t pid = fork();
	int status;

	CHECK_OK(pid);
	if (!pid) {
		become_nobody();
		fn(arg);
		_exit(0);
	}
	CHECK_OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "as nobody: status %#x", status);
}

bool file_is_ours(int fd)
{
	char path[64], line[128];
	bool ours = false;
	FILE *info;

	/* The file system's number is the stock backend's, too, on later kernels. */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	CHECK(info, "%s: %m", path);
	while (fgets(line, sizeof(line), info))
		ours = ours || !strncmp(line, "gmem_version:", 13);
	fclose(info);
	return ours;
}

/* ---- state ------------------------------------------------------------------------ */

static void enable_ftrace(void)
{
	int fd = open("/proc/sys/kernel/ftrace_enabled", O_WRONLY | O_CLOEXEC);

	CHECK_OK(fd);
	CHECK_OK(write(fd, "1", 1));
	close(fd);
}

static void learn_names(void)
{
	char word[64];
	FILE *calls;

	MUST(module_load(GMEM_KO, ""));
	calls = fopen(CALLS, "re");
	CHECK(calls, "%s: %m", CALLS);
	while (fscanf(calls, "%63s%*[^\n]", word) == 1) {
		CHECK(nr_hooked < ARRAY_SIZE(hooked_names), "there are too many functions");
		hooked_names[nr_hooked++] = strdup(word);
	}
	fclose(calls);
	CHECK(nr_hooked > 10, "gmem.ko takes over %zu functions", nr_hooked);
	module_unload_soon("gmem");
}

void takeover_begin(void)
{
	enable_ftrace();
	if (module_is_loaded("gmem"))
		module_unload_soon("gmem");
	if (module_is_loaded("gmem_test"))
		module_unload_soon("gmem_test");
	if (!nr_hooked)
		learn_names();
	MUST(module_load(GMEM_TEST_KO, ""));
	CHECK_OK(chmod("/dev/kvm", 0666));
	klog_begin();
}

void takeover_load(void)
{
	const int ret = module_load(GMEM_KO, "");

	if (ret)
		klog_tell("gmem: ");
	MUST(ret);
	CHECK(!klog_says("gmem: ", "going without"), "something optional is missing");
}

/* ---- what a VMM does -------------------------------------------------------------- */

static void check_is_ours(int fd)
{
	CHECK(file_is_ours(fd), "a guest_memfd is the stock backend's");
}

static void use_private_memory(void)
{
	struct vm *vm = vm_create_private(1);
	u64 gpa = TEST_GPA + SZ_1M, size = PAGE_SIZE;
	int fd = vm_add_private(vm, FILE_SIZE);

	check_is_ours(fd);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	MUST(vcpu_pre_fault(&vm->vcpus[0], &gpa, &size));
	MUST(gmem_punch(fd, 0, PAGE_SIZE));
	MUST(guest_check_zero(&vm->vcpus[0], TEST_GPA, PAGE_SIZE));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA + PAGE_SIZE, SZ_1M - PAGE_SIZE, 1));
	vm_delete_slot(vm, TEST_SLOT);
	close(fd);
	vm_free(vm);
}

static bool can_map(struct vm *vm)
{
	return vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & GUEST_MEMFD_FLAG_MMAP;
}

static void use_mapped_memory(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	int fd;
	char *p;

	CHECK(can_map(vm), "files cannot be mapped");
	fd = gmem_add_mappable(vm, FILE_SIZE, SHARED_AT_FIRST);
	check_is_ours(fd);
	p = gmem_map(fd, 0, FILE_SIZE);
	mem_fill(p, TEST_GPA, SZ_1M, 1);
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_1M, 1));
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA + SZ_1M, SZ_1M, 2));
	CHECK(mem_holds(p + SZ_1M, TEST_GPA + SZ_1M, SZ_1M, 2), "what the guest wrote");
	vm_delete_slot(vm, TEST_SLOT);
	munmap(p, FILE_SIZE);
	close(fd);
	vm_free(vm);
}

static void use_hole(void)
{
	struct vm *vm = hole_vm(KVM_X86_DEFAULT_VM, 1, HOLE_GPA, SZ_2M);
	u64 value;

	MUST(guest_read(&vm->vcpus[0], HOLE_GPA, 8, &value));
	CHECK_EQ(value, ~0UL);
	MUST(hole_set(vm, HOLE_SLOT, 0, 0));
	vm_free(vm);
}

/* Files that KVM of the kernel can map stay, as what they are there. */
static void check_no_extensions(void)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	const bool kernels = vm_check(vm, KVM_CAP_GUEST_MEMFD);

	CHECK_EQ(kvm_check(KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES), 0);
	CHECK(can_map(vm) == kernels, "files can be mapped: %d", !kernels);
	if (!kernels)
		CHECK_EQ(vm_create_gmem(vm, FILE_SIZE, GUEST_MEMFD_FLAG_MMAP), -EINVAL);
	vm_free(vm);
	if (kernels)
		use_mapped_memory();
}

static void use_link(void)
{
	struct vm *a = vm_create_private(1), *b = vm_create_private(1);
	int fd = vm_add_private(a, FILE_SIZE), to;
	struct kvm_link_guest_memfd args = { .fd = fd };

	MUST(guest_fill(&a->vcpus[0], TEST_GPA, PAGE_SIZE, 1));
	to = ioctl(b->fd, KVM_LINK_GUEST_MEMFD, &args);
	CHECK_OK(to);
	check_is_ours(to);
	vm_add_slot(b, TEST_SLOT, TEST_GPA, FILE_SIZE, to, 0);
	vm_make_private(b, TEST_GPA, FILE_SIZE);
	MUST(guest_check(&b->vcpus[0], TEST_GPA, PAGE_SIZE, 1));
	close(to);
	close(fd);
	vm_free(a);
	vm_free(b);
}

/* A guest that runs a guest: KVM maps the block of state that VMSAVE goes to. */
static void use_guest_state_block(void)
{
	static const unsigned char code[] = {
		0xb9, 0x80, 0x00, 0x00, 0xc0,	/* mov $EFER, %ecx */
		0x0f, 0x32,			/* rdmsr */
		0x0d, 0x00, 0x10, 0x00, 0x00,	/* or $SVME, %eax */
		0x0f, 0x30,			/* wrmsr */
		0x48, 0x89, 0xf8,		/* mov %rdi, %rax */
		0x0f, 0x01, 0xdb,		/* vmsave */
		0x31, 0xc0,			/* xor %eax, %eax */
		0xc3,				/* ret */
	};
	struct vm *vm = vm_create_private(1);
	void *hva = vm_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, -1, 0);
	u64 result;

	MUST(guest_store_bytes(&vm->vcpus[0], TEST_GPA, code, sizeof(code), 1));
	MUST(guest_call(&vm->vcpus[0], TEST_GPA, TEST_GPA + PAGE_SIZE, &result));
	CHECK_EQ(result, 0);
	vm_free(vm);
	vm_unreserve(hva, SZ_2M);
}

static void use_all(const void *without)
{
	use_private_memory();
	if (!without) {
		use_mapped_memory();
		use_hole();
		use_link();
	} else {
		check_no_extensions();
	}
	use_guest_state_block();
}

/* What the kernel does by itself, or for a vendor's module. */
static void as_kernel(void)
{
	struct vm *vm = vm_create_private(0);
	int fd = vm_add_private(vm, FILE_SIZE);
	int test = open(GMEM_TEST_PATH, O_RDWR | O_CLOEXEC);
	struct gmem_test_populate populate = {
		.gfn = TEST_GPA / PAGE_SIZE,
		.npages = 1,
		.fail_gfn = ~0UL,
		.vm_fd = vm->fd,
	};

	CHECK_OK(test);
	check_is_ours(fd);
	CHECK_EQ(ioctl(test, GMEM_TEST_POPULATE, &populate), 1);
	poison_page(fd, 0);
	close(test);
	close(fd);
	vm_free(vm);
}

/* ---- counters --------------------------------------------------------------------- */

/* Calls of ours of @name; -1 when gmem.ko does not know it. */
static long calls_of(const char *name)
{
	FILE *calls = fopen(CALLS, "re");
	long served, stock, found = -1;
	char word[64];

	CHECK(calls, "gmem.ko is not loaded");
	while (fscanf(calls, "%63s served %ld stock %ld", word, &served, &stock) == 3) {
		if (!strcmp(word, name))
			found = served + stock;
	}
	fclose(calls);
	return found;
}

static bool must_have_come(const char *name, const char *without)
{
	/* Taken over for mappable files alone: all of them, or none. */
	static const char *const optional[] = {
		"__kvm_mmu_max_mapping_level", "__gfn_to_pfn_memslot",
		"kvm_arch_prepare_memory_region",
	};

	if (!takeover_reaches(name))
		return false;
	if (!without)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		if (!strcmp(name, optional[i]))
			return false;
	}
	return strcmp(name, without);
}

void takeover_check(const char *without)
{
	long *before = calloc(nr_hooked, sizeof(*before));

	CHECK(kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM), "there are no software-protected VMs");
	for (size_t i = 0; i < nr_hooked; i++)
		before[i] = calls_of(hooked_names[i]);
	as_nobody(use_all, without);
	as_kernel();
	for (size_t i = 0; i < nr_hooked; i++) {
		if (must_have_come(hooked_names[i], without))
			CHECK(calls_of(hooked_names[i]) > before[i],
			      "no call of %s came to gmem.ko", hooked_names[i]);
	}
	free(before);
}
