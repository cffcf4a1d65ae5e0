// SPDX-License-Identifier: GPL-2.0-only
/*
 * What gmem.ko adds to KVM with which parameters, as any user of /dev/kvm sees it: with
 * sw_protected=n extensions=n, nothing. As root, gmem.ko is not loaded before and
 * afterwards.
 *
 * Tests: mmu/vms.cc, kapi/module.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "hole.h"
#include "module.h"
#include "prefault.h"
#include "snp.h"
#include "takeover.h"
#include "threads.h"
#include "vcpu.h"

/* KVM's own numbers, with those of later kernels, and ours. */
#define NR_CAPS	512

struct answers {
	int caps[NR_CAPS], vm_caps[NR_CAPS];
	int hole, vm_hole, link, vm_link;
	int create_vm; /* of the software-protected type: 0 or -errno */
};

static int create_vm(unsigned long type)
{
	int kvm = kvm_open(), fd = ioctl(kvm, KVM_CREATE_VM, type), ret = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	close(kvm);
	return ret;
}

static void ask(struct answers *answers)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);

	for (unsigned long cap = 0; cap < NR_CAPS; cap++) {
		answers->caps[cap] = kvm_check(cap);
		answers->vm_caps[cap] = vm_check(vm, cap);
	}
	answers->hole = kvm_check(KVM_CAP_PCI_HOLE_MEM);
	answers->vm_hole = vm_check(vm, KVM_CAP_PCI_HOLE_MEM);
	answers->link = kvm_check(KVM_CAP_GUEST_MEMFD_LINK);
	answers->vm_link = vm_check(vm, KVM_CAP_GUEST_MEMFD_LINK);
	answers->create_vm = create_vm(KVM_X86_SW_PROTECTED_VM);
	vm_free(vm);
}

/* The kernel's own answers, asked before the module is loaded. */
static struct answers stock;

static void begin(const char *parameters)
{
	takeover_begin();
	ask(&stock);
	MUST(module_load(GMEM_KO, parameters));
	CHECK(!klog_says("gmem: unknown parameter"), "%s: not a parameter", parameters);
}

/* ---- what there is, and what there is not ------------------------------------------ */

static void check_same_answers(const void *arg)
{
	struct answers now;

	(void)arg;
	ask(&now);
	for (int cap = 0; cap < NR_CAPS; cap++) {
		CHECK(now.caps[cap] == stock.caps[cap], "capability %d is %d, was %d", cap,
		      now.caps[cap], stock.caps[cap]);
		CHECK(now.vm_caps[cap] == stock.vm_caps[cap],
		      "capability %d of a VM is %d, was %d", cap, now.vm_caps[cap],
		      stock.vm_caps[cap]);
	}
	CHECK_EQ(now.hole, stock.hole);
	CHECK_EQ(now.vm_hole, stock.vm_hole);
	CHECK_EQ(now.link, stock.link);
	CHECK_EQ(now.vm_link, stock.vm_link);
	CHECK_EQ(now.create_vm, stock.create_vm);
}

static void check_no_extensions(const void *arg)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	struct kvm_link_guest_memfd link = {};
	const u64 kernels = stock.vm_caps[KVM_CAP_GUEST_MEMFD_FLAGS];
	int fd = vm_create_gmem(vm, SZ_2M, 0);

	(void)arg;
	CHECK(fd >= 0, "guest_memfd: %s", strerror(-fd));
	for (u64 flag = 1; flag; flag <<= 1) {
		const int file = vm_create_gmem(vm, SZ_2M, flag);

		CHECK(flag & kernels ? file >= 0 : file == -EINVAL, "flag %#lx: %d", flag, file);
		if (file >= 0)
			close(file);
	}
	CHECK_EQ(gmem_convert(fd, 0, PAGE_SIZE, 0, NULL), -ENOTTY);
	link.fd = fd;
	CHECK_ERRNO(ioctl(vm->fd, KVM_LINK_GUEST_MEMFD, &link), ENOTTY);
	CHECK_EQ(vm_set_region(vm, 1, KVM_MEM_PCI_HOLE, TEST_GPA, SZ_2M, NULL), -EINVAL);
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS), kernels);
	CHECK_EQ(vm_check(vm, KVM_CAP_PCI_HOLE_MEM), 0);
	close(fd);
	vm_free(vm);
}

/* Extensions for VMs that any kernel has. */
static void check_extensions(const void *arg)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	int fd;

	(void)arg;
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS) & SHARED_AT_FIRST, SHARED_AT_FIRST);
	fd = vm_create_gmem(vm, SZ_2M, SHARED_AT_FIRST);
	CHECK(fd >= 0, "a file that can be mapped: %s", strerror(-fd));
	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, SZ_2M, fd, 0);
	CHECK_EQ(vm_check(vm, KVM_CAP_PCI_HOLE_MEM), 1);
	MUST(vm_set_region(vm, 2, KVM_MEM_PCI_HOLE, 4 * SZ_1G, SZ_2M, NULL));
	close(fd);
	vm_free(vm);
}

/* Software-protected VMs are there if this kernel has them, or gmem.ko was to add them. */
static void check_vm_type(bool added)
{
	const bool offered = kvm_check(KVM_CAP_VM_TYPES) & 1 << KVM_X86_SW_PROTECTED_VM;

	CHECK_EQ(create_vm(KVM_X86_SW_PROTECTED_VM), added ? 0 : stock.create_vm);
	CHECK_EQ(offered, added || !stock.create_vm);
}

static void check_type_is_offered(const void *arg)
{
	(void)arg;
	check_vm_type(true);
}

static void check_type_is_as_before(const void *arg)
{
	(void)arg;
	check_vm_type(false);
}

/* Files are made by the backend @arg. */
static void check_backend(const void *arg)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	int fd = vm_gmem(vm, SZ_2M);

	CHECK_EQ(file_is_ours(fd), !strcmp(arg, "gmem"));
	MUST(gmem_alloc(fd, 0, SZ_2M));
	close(fd);
	vm_free(vm);
}

/* ---- tests ---------------------------------------------------------------------------- */

static void end(const char *backend)
{
	as_nobody(check_backend, backend);
	module_unload_soon("gmem");
}

static void test_nothing_is_added(void)
{
	begin("sw_protected=n extensions=n");
	as_nobody(check_same_answers, NULL);
	as_nobody(check_no_extensions, NULL);
	end("gmem");
}

static void test_nothing_is_added_to_the_stock_backend(void)
{
	begin("backend=stock sw_protected=n extensions=n");
	as_nobody(check_same_answers, NULL);
	as_nobody(check_no_extensions, NULL);
	end("stock");
}

static void test_sw_protected_vms_alone(void)
{
	begin("extensions=n");
	as_nobody(check_type_is_offered, NULL);
	as_nobody(check_no_extensions, NULL);
	end("gmem");
}

static void test_extensions_alone(void)
{
	begin("sw_protected=n");
	as_nobody(check_type_is_as_before, NULL);
	as_nobody(check_extensions, NULL);
	end("gmem");
}

static void test_everything(void)
{
	begin("sw_protected=y extensions=y");
	as_nobody(check_type_is_offered, NULL);
	as_nobody(check_extensions, NULL);
	end("gmem");
}

static void test_sw_protected_vms_of_the_stock_backend(void)
{
	begin("backend=stock extensions=n");
	as_nobody(check_type_is_offered, NULL);
	as_nobody(check_no_extensions, NULL);
	end("stock");
}

static void check_holes_alone(const void *arg)
{
	struct vm *vm = vm_create(KVM_X86_DEFAULT_VM, 0);
	const u64 kernels = stock.vm_caps[KVM_CAP_GUEST_MEMFD_FLAGS];
	const int file = vm_create_gmem(vm, SZ_2M, GUEST_MEMFD_FLAG_MMAP);

	(void)arg;
	CHECK_EQ(vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS), kernels);
	CHECK(kernels & GUEST_MEMFD_FLAG_MMAP ? file >= 0 : file == -EINVAL, "mmap: %d", file);
	if (file >= 0)
		close(file);
	CHECK_EQ(vm_check(vm, KVM_CAP_PCI_HOLE_MEM), 1);
	MUST(vm_set_region(vm, 2, KVM_MEM_PCI_HOLE, 4 * SZ_1G, SZ_2M, NULL));
	vm_free(vm);
}

/* Of the extensions those that are not of guest_memfd. */
static void test_extensions_of_the_stock_backend(void)
{
	begin("backend=stock sw_protected=n");
	as_nobody(check_type_is_as_before, NULL);
	as_nobody(check_holes_alone, NULL);
	end("stock");
}

/* A C-bit that is too low is none for a guest that knows, and nothing to any other. */
static void check_snp_guest(struct vm *vm, bool knows)
{
	snp_set_c_bit(&vm->vcpus[0], 12);
	MUST(snp_start(vm, SNP_POLICY, NULL));
	CHECK_EQ(snp_finish(vm, NULL), knows ? -EINVAL : 0);
	vm_free(vm);
}

static void check_snp_guests(const void *all_know)
{
	check_snp_guest(vm_create(KVM_X86_SNP_VM, 1), *(const bool *)all_know);
	check_snp_guest(vm_create_knowing(1), true);
}

/* In a child, which does not keep the module's node open. */
static void test_which_snp_guests_know(void)
{
	static const char *const parameters[] = {
		"platform=snp-model", "platform=snp-model snp_guests=asked",
		"platform=snp-model snp_guests=aware", "platform=snp-model snp_guests=aware-vc",
	};

	if (cpu_is_intel())
		tap_skip("needs a processor with SVM");
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		const bool all_know = i >= 2;

		begin(parameters[i]);
		CHECK_OK(chmod("/dev/sev", 0666));
		as_nobody(check_snp_guests, &all_know);
		end("gmem");
	}
}

static void make_first_hole(void *vm)
{
	MUST(hole_set(vm, HOLE_SLOT, TEST_GPA, SZ_2M));
}

static bool made;

static void *prefault_until_made(void *vm)
{
	while (!__atomic_load_n(&made, __ATOMIC_RELAXED))
		prefault_range(vm, SZ_2M);
	return NULL;
}

/* A vCPU that pre-faults beside it needs no signal to go on: one on its way, and one by chance. */
static void test_first_hole_of_the_stock_backend(void)
{
	struct vm *vm;
	pthread_t thread;

	begin("backend=stock sw_protected=n");
	vm = vm_create(KVM_X86_DEFAULT_VM, 1);
	prefault_beside(vm, SZ_2M, make_first_hole, vm);
	vm_free(vm);
	for (int i = 0; i < 200; i++) {
		vm = vm_create(KVM_X86_DEFAULT_VM, 1);
		__atomic_store_n(&made, false, __ATOMIC_RELAXED);
		thread = thread_start(prefault_until_made, vm);
		let_pass(i * 100);
		make_first_hole(vm);
		__atomic_store_n(&made, true, __ATOMIC_RELAXED);
		thread_join(thread);
		vm_free(vm);
	}
	end("stock");
}

/* With a name of each parameter that is no value of it, KVM stays as it was. */
static void test_bad_values_are_refused(void)
{
	static const char *const bad[] = {
		"backend=none", "backend=", "huge=sometimes", "platform=snp", "sw_protected=maybe",
		"extensions=maybe", "snp_guests=all", "reserve_1g=-1", "reserve_1g=many",
		"sw_protected=n backend=none",
	};

	takeover_begin();
	ask(&stock);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const int ret = module_load(GMEM_KO, bad[i]);

		CHECK(ret == -EINVAL || ret == -ERANGE, "%s: %s", bad[i],
		      ret ? strerror(-ret) : "loaded");
		CHECK(!module_is_loaded("gmem"), "%s: refused and loaded", bad[i]);
		as_nobody(check_same_answers, NULL);
	}
	takeover_load();
	module_unload_soon("gmem");
}

static const struct tap_test tests[] = {
	TAP_TEST(test_nothing_is_added),
	TAP_TEST(test_nothing_is_added_to_the_stock_backend),
	TAP_TEST(test_sw_protected_vms_alone),
	TAP_TEST(test_extensions_alone),
	TAP_TEST(test_everything),
	TAP_TEST(test_sw_protected_vms_of_the_stock_backend),
	TAP_TEST(test_extensions_of_the_stock_backend),
	TAP_TEST(test_which_snp_guests_know),
	TAP_TEST(test_first_hole_of_the_stock_backend),
	TAP_TEST(test_bad_values_are_refused),
};

int main(void)
{
	return tap_main(tests, ARRAY_SIZE(tests));
}
