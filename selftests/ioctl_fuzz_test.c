// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and boundary values in every field of every call that gmem serves, valid
 * ones among them, while a guest runs; here those of VMs, the others are in
 * lib/fuzz_files.c. Where the rules are simple they are checked (create,
 * fallocate, convert), else that the error is one of user space's. Afterwards the
 * VM works, and (tap_main) memory has not grown.
 *   ioctl_fuzz_test [-n CALLS] [-w CALLS]
 * -w: calls with wide ranges by a user who is not root; a quarter of -n if not given.
 * SEED=N repeats a run's calls.
 *
 * Tests: mmu/entry.cc, mmu/vms.cc.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "clock.h"
#include "fuzz.h"
#include "gmem.h"
#include "guest.h"
#include "nobody.h"

#define DEFAULT_CALLS	20000
/* Files and VMs start afresh this often, and when memory is short. */
#define EPOCH		4000
#define NR_SLOTS	12	/* fuzzed ids are FIRST_SLOT on */
#define FIRST_SLOT	2
#define MIN_FREE	(SZ_1G)
#define TELL_EVERY	60	/* seconds */

/* What one valid call may spend. */
#define MAX_PREFAULT	(4 * SZ_1M)
#define MAX_SLOT	(64 * SZ_1G)

/* User addresses where slots' memory is, or where there is nothing at all. */
#define PLAY_HVA	(64 * SZ_1G + SZ_1G)
#define NO_HVA		(1ULL << 40)
#define END_OF_NO_HVA	(1ULL << 46)

/* The live guest's own memory. */
#define HOME_SIZE	SZ_2M
/*
 * Where no guest met MMIO before: KVM of 6.12 takes a fault on an old MMIO entry
 * for a shared one, and with a private slot there now, fails it (-EFAULT).
 */
#define AFTER_GPA	(TEST_GPA + 512 * SZ_1M)

enum { VCPU_HOME, VCPU_PLAY, VCPU_PREFAULT, NR_VCPUS };

static unsigned long nr_calls = DEFAULT_CALLS, nr_wide;
static uint64_t seed;

static bool stop;

static bool stopping(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void fuzz_create(struct fuzz *f)
{
	struct kvm_create_guest_memfd args = {
		.size = MOSTLY(f, fuzz_pages(f, 64 * SZ_1M)),
		.flags = MOSTLY(f, rng_below(&f->rng, 4)),
	};
	int vm = rng_below(&f->rng, FUZZ_VMS), i = fuzz_any_file(f), fd, known;
	void *arg = fuzz_pointer(f, &args);
	bool valid;

	if (rng_once_in(&f->rng, 16))
		args.reserved[rng_below(&f->rng, 6)] = fuzz_any(f);
	known = vm_check(f->vms[vm], KVM_CAP_GUEST_MEMFD_FLAGS);
	valid = arg == &args && args.size && args.size % PAGE_SIZE == 0 &&
		!(args.size >> 63) && !(args.flags & ~(u64)(known > 0 ? known : 0));
	fd = ioctl(f->vms[vm]->fd, KVM_CREATE_GUEST_MEMFD, arg);
	fuzz_note(f, "create", fd);
	if (fd >= 0) {
		struct stat st;

		CHECK(valid, "created with size %#llx flags %#llx", args.size, args.flags);
		CHECK_OK(fstat(fd, &st));
		CHECK_EQ(st.st_size, args.size);
		CHECK_EQ(st.st_blocks, 0);
		fuzz_forget_file(f, i);
		f->files[i] = fd;
		f->sizes[i] = args.size;
		f->flags[i] = args.flags;
		f->types[i] = f->vms[vm]->type;
	} else if (valid) {
		CHECK(errno == ENOMEM, "create of %#llx: %m", args.size);
	} else if (arg == &args) {
		CHECK(errno == EINVAL, "bad create of %#llx: %m", args.size);
	}
}

static void fuzz_region(struct fuzz *f)
{
	struct kvm_userspace_memory_region2 args = {
		.slot = FIRST_SLOT + rng_below(&f->rng, NR_SLOTS),
		.flags = MOSTLY(f, rng_below(&f->rng, 4) ? KVM_MEM_GUEST_MEMFD :
							   rng_below(&f->rng, 8)),
		.guest_phys_addr = fuzz_gpa(f),
		.memory_size = MOSTLY(f, rng_once_in(&f->rng, 3) ? 0 :
					 fuzz_length(f, 16 * SZ_1M)),
		.userspace_addr = MOSTLY(f, (u64)f->hva + fuzz_pages(f, SZ_2M)),
		.guest_memfd_offset = MOSTLY(f, fuzz_pages(f, 8 * SZ_1M)),
		.guest_memfd = fuzz_any_fd(f),
	};
	struct vm *vm = f->vms[rng_below(&f->rng, FUZZ_VMS)];

	if (rng_once_in(&f->rng, 16)) {
		args.slot = fuzz_any(f);
		if ((args.slot & 0xffff) < FIRST_SLOT)
			args.slot += FIRST_SLOT;	/* the live guest's own */
	}
	/* Not this program's own memory: the guest may write there. */
	if (args.userspace_addr < NO_HVA)
		args.userspace_addr += NO_HVA;
	else if (args.userspace_addr > END_OF_NO_HVA && args.userspace_addr < 2 * END_OF_NO_HVA &&
		 args.userspace_addr - (u64)f->hva > SZ_2M)
		args.userspace_addr -= END_OF_NO_HVA - NO_HVA;
	if (rng_once_in(&f->rng, 16))
		args.pad2[rng_below(&f->rng, 14)] = fuzz_any(f);
	if (args.memory_size % PAGE_SIZE == 0 && args.memory_size > MAX_SLOT)
		args.memory_size = MAX_SLOT;
	/* The bitmap of dirty pages is memory. */
	if (args.flags & KVM_MEM_LOG_DIRTY_PAGES && args.memory_size > SZ_1G)
		args.memory_size &= SZ_1G - 1;
	fuzz_note(f, "region", ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, fuzz_pointer(f, &args)));
}

static void fuzz_attributes(struct fuzz *f)
{
	struct kvm_memory_attributes args = {
		.address = fuzz_gpa(f),
		.size = MOSTLY(f, fuzz_length(f, 8 * SZ_1M)),
		.attributes = MOSTLY(f, rng_below(&f->rng, 2) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0),
		.flags = rng_once_in(&f->rng, 16) ? fuzz_any(f) : 0,
	};
	const u64 most = f->wide ? FUZZ_MAX_WIDE : FUZZ_MAX_ATTRIBUTES;
	int vm = rng_below(&f->rng, FUZZ_VMS);

	/* Memory is spent on each private page. */
	if (args.size % PAGE_SIZE == 0 && args.size > most &&
	    args.address + args.size > args.address && (args.attributes || !f->wide))
		args.size = most;
	if (!vm && args.address < FUZZ_GPA)
		args.address += FUZZ_GPA;
	if (!vm && args.address + args.size < args.address)
		args.size = 0;
	fuzz_note(f, "attributes", ioctl(f->vms[vm]->fd, KVM_SET_MEMORY_ATTRIBUTES,
					 fuzz_pointer(f, &args)));
}

static void fuzz_pre_fault(struct fuzz *f)
{
	struct kvm_pre_fault_memory args = {
		.gpa = fuzz_gpa(f),
		.size = MOSTLY(f, fuzz_pages(f, SZ_2M)),
		.flags = rng_once_in(&f->rng, 16) ? fuzz_any(f) : 0,
	};

	if (args.size % PAGE_SIZE == 0 && args.size > MAX_PREFAULT)
		args.size = MAX_PREFAULT;
	if (rng_once_in(&f->rng, 16))
		args.padding[rng_below(&f->rng, 5)] = fuzz_any(f);
	fuzz_note(f, "pre-fault", ioctl(f->vms[0]->vcpus[VCPU_PREFAULT].fd, KVM_PRE_FAULT_MEMORY,
					fuzz_pointer(f, &args)));
}

static void fuzz_check(struct fuzz *f)
{
	fuzz_note(f, "check", vm_check(f->vms[rng_below(&f->rng, FUZZ_VMS)],
				       MOSTLY(f, rng_below(&f->rng, 256))));
}

static void fuzz_close(struct fuzz *f)
{
	fuzz_forget_file(f, fuzz_any_file(f));
	f->ok++;
}

/* All slots of the live VM but its own; other VMs and all files anew. */
static void start_epoch(struct fuzz *f, bool first)
{
	for (u32 i = 0; i < NR_SLOTS && !first; i++)
		vm_set_region(f->vms[0], FIRST_SLOT + i, 0, 0, 0, NULL);
	if (f->wide)
		vm_make_shared(f->vms[0], FUZZ_GPA, -FUZZ_GPA - PAGE_SIZE);
	for (int i = 0; i < FUZZ_FILES; i++)
		if (!first)
			fuzz_forget_file(f, i);
		else
			f->files[i] = -1;
	for (int i = 1; i < FUZZ_VMS; i++) {
		if (!first)
			vm_free(f->vms[i]);
		f->vms[i] = vm_create(i == FUZZ_VMS - 1 ? KVM_X86_DEFAULT_VM :
				      KVM_X86_SW_PROTECTED_VM, 0);
	}
	if (!first)
		madvise(f->hva, PLAY_HVA, MADV_DONTNEED);
}

static bool memory_short(void)
{
	struct sysinfo info;

	return !sysinfo(&info) && (u64)info.freeram * info.mem_unit < MIN_FREE;
}

/* The guest's own memory is what it wrote, whatever the fuzzer does elsewhere. */
static void *live_at_home(void *arg)
{
	struct vcpu *vcpu = arg;

	for (u64 round = 1; !stopping(); round++) {
		u64 gpa = TEST_GPA + round % 16 * 128 * 1024;

		MUST(guest_fill(vcpu, gpa, 16 * 1024, round));
		sched_yield();
		MUST(guest_check(vcpu, gpa, 16 * 1024, round));
	}
	return NULL;
}

/* Accesses where the fuzzer plays may end in any exit. */
static void *live_dangerously(void *arg)
{
	struct vcpu *vcpu = arg;
	struct rng rng = { seed + 1 };
	u64 value;

	while (!stopping()) {
		u64 gpa = FUZZ_GPA + rng_below(&rng, FUZZ_SIZE / 8) * 8;

		if (rng_once_in(&rng, 2))
			guest_read(vcpu, gpa, 8, &value);
		else
			guest_write(vcpu, gpa, 8, gpa);
		let_pass(200);
	}
	return NULL;
}

static void (*const calls[])(struct fuzz *f) = {
	fuzz_create, fuzz_create, fuzz_region, fuzz_region, fuzz_region, fuzz_attributes,
	fuzz_attributes, fuzz_pre_fault, fuzz_check, fuzz_fallocate, fuzz_fallocate,
	fuzz_fallocate, fuzz_file_ioctl, fuzz_mmap, fuzz_mmap, fuzz_convert, fuzz_convert,
	fuzz_file, fuzz_file, fuzz_close,
};

static void random_calls(unsigned long nr, bool wide)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	double told = now();
	pthread_t home, play;
	struct vm *vm;

	tap_diag("SEED=%lu, %lu calls", seed, nr);
	f->rng.state = seed;
	f->wide = wide;
	vm = f->vms[0] = vm_create_private(NR_VCPUS);
	vm_add_private(vm, HOME_SIZE);
	f->hva = vm_reserve(FUZZ_GPA, PLAY_HVA);
	f->others[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	f->others[1] = memfd_create("other", MFD_CLOEXEC);
	f->others[2] = vm->vcpus[VCPU_PREFAULT].fd;
	f->others[3] = -1;
	start_epoch(f, true);
	home = thread_start(live_at_home, &vm->vcpus[VCPU_HOME]);
	play = thread_start(live_dangerously, &vm->vcpus[VCPU_PLAY]);
	for (unsigned long n = 0; n < nr; n++) {
		calls[rng_below(&f->rng, ARRAY_SIZE(calls))](f);
		if (n % EPOCH == EPOCH - 1 || (n % 64 == 0 && memory_short()))
			start_epoch(f, false);
		if (now() > told + TELL_EVERY) {
			tap_diag("%lu calls are made", n + 1);
			told = now();
		}
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	thread_join(home);
	thread_join(play);
	tap_diag("%lu succeeded, %lu were refused", f->ok, f->refused);
	CHECK(f->ok > nr / 8 && f->refused > nr / 8, "hardly a mixture");

	/* The VM works: old memory, and a new slot. */
	start_epoch(f, false);
	vm_add_slot(vm, FIRST_SLOT, AFTER_GPA, SZ_2M, vm_gmem(vm, SZ_2M), 0);
	vm_make_private(vm, AFTER_GPA, SZ_2M);
	MUST(guest_check_zero(&vm->vcpus[VCPU_PREFAULT], AFTER_GPA, SZ_2M));
	MUST(guest_fill(&vm->vcpus[VCPU_PLAY], AFTER_GPA, SZ_2M, seed));
	MUST(guest_check(&vm->vcpus[VCPU_HOME], AFTER_GPA, SZ_2M, seed));
}

static void test_random_calls(void)
{
	random_calls(nr_calls, false);
}

/* Ranges of any size, by a user who is not root. */
static void test_wide_ranges_by_nobody(void)
{
	become_nobody();
	random_calls(nr_wide, true);
}

static void test_another_vm_works(void)
{
	struct vm *vm = vm_create_private(1);

	vm_add_private(vm, SZ_2M);
	MUST(guest_fill(&vm->vcpus[0], TEST_GPA, SZ_2M, seed));
	MUST(guest_check(&vm->vcpus[0], TEST_GPA, SZ_2M, seed));
}

int main(int argc, char **argv)
{
	struct tap_test tests[] = {
		TAP_TEST(test_random_calls),
		TAP_TEST(test_wide_ranges_by_nobody),
		TAP_TEST(test_another_vm_works),
	};
	int option;

	while ((option = getopt(argc, argv, "n:w:")) != -1) {
		if (option == 'n')
			nr_calls = strtoul(optarg, NULL, 0);
		else if (option == 'w')
			nr_wide = strtoul(optarg, NULL, 0);
		else
			tap_bail_out("usage: %s [-n CALLS] [-w CALLS]", argv[0]);
	}
	if (!nr_wide)
		nr_wide = nr_calls / 4;
	seed = rng_seed();
	tests[0].timeout = 120 + nr_calls / 20;
	tests[1].timeout = 120 + nr_wide / 20;
	return tap_main(tests, ARRAY_SIZE(tests));
}
