// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one call of an unprivileged user can cost: each that takes a range or a size
 * is driven to its largest by uid 65534, twice. In a small memory cgroup it fails, or
 * has little to do; what the kernel allocates meanwhile is charged to the cgroup, and
 * comes back. With more memory it is killed soon, and is dead within a second.
 *
 * Tests: gmem/turn.h, mmu/attributes.cc, kapi/attributes.c.
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

#include "cgroup.h"
#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "nobody.h"

#define SMALL		(64 * SZ_1M)
#define AMPLE		(256 * SZ_1M)

/* How much slab other tasks may take meanwhile; it is not charged to the cgroup. */
#define NOISE		(16 * SZ_1M)
/*
 * MAX_DYING is the longest time from SIGKILL to the end of the process, in seconds. On a
 * slow machine it may be MAX_BESIDE times as long as that of a process that only has memory
 * to give back. SIGKILL comes KILL_AFTER seconds after the start, or WHEN_FULL: when the
 * cgroup is full.
 */
#define MAX_DYING	1.0
#define MAX_BESIDE	8
#define KILL_AFTER	0.4
#define WHEN_FULL	-1.0
#define TRIES		10

#define SZ_1T		(1024 * SZ_1G)
#define LARGEST_FILE	(1UL << 62)
#define ALL_GPAS	(~0UL & -PAGE_SIZE)

/* What the child tells. */
struct report {
	bool done;
	int answer;	/* the call's: 0, or -errno */
};

/* How a call went. */
struct outcome {
	struct report report;
	bool killed;		/* by us */
	bool died;		/* of any signal */
	double seconds, dying;
	long slab;		/* bytes that slab grew at the most */
};

static long slab_bytes(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	CHECK(f, "/proc/meminfo: %m");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %ld kB", &kib) == 1)
			break;
	fclose(f);
	CHECK(kib >= 0, "no slab in /proc/meminfo");
	return kib * 1024;
}

/* The one past the last gpa that this processor can map, by CPUID 0x80000008. */
static u64 end_of_gpas(void)
{
	u32 a = 0x80000008, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return 1UL << (a & 0xff);
}

/* Whether it is time to kill the process that began at @start and is in @group. */
static bool is_time(double start, double seconds, const char *group, u64 limit)
{
	if (seconds == WHEN_FULL)
		return cgroup_current(group) >= limit - 2 * NOISE;
	return now() - start > seconds;
}

/*
 * Has user "nobody" make @call in a cgroup of @limit. Kills that process @seconds later, or
 * WHEN_FULL.
 */
static struct outcome drive(int (*call)(void), u64 limit, double seconds)
{
	struct report *report = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct outcome outcome = { .killed = false };
	const long slab = slab_bytes();
	char group[32];
	double start, kill_at = 0;
	pid_t pid, ended;
	int status;

	/* One of its own: another test's may have a process that cannot be killed. */
	snprintf(group, sizeof(group), "bounds-%d", getpid());
	cgroup_make(group, limit);
	pid = fork();
	CHECK(pid >= 0, "fork: %m");
	if (!pid) {
		cgroup_enter(group);
		become_nobody();
		report->answer = call();
		report->done = true;
		_exit(0);
	}
	start = now();
	while (!(ended = waitpid(pid, &status, WNOHANG))) {
		const long grown = slab_bytes() - slab;

		if (grown > outcome.slab)
			outcome.slab = grown;
		if (!outcome.killed && is_time(start, seconds, group, limit)) {
			outcome.killed = true;
			kill_at = now();
			kill(pid, SIGKILL);
		}
		let_pass(5000);
	}
	CHECK_EQ(ended, pid);
	outcome.seconds = now() - start;
	outcome.dying = outcome.killed ? now() - kill_at : 0;
	outcome.died = WIFSIGNALED(status);
	CHECK(outcome.died || WEXITSTATUS(status) == 0, "a check of the child failed");
	outcome.report = *report;
	munmap(report, PAGE_SIZE);
	cgroup_settle(group);
	cgroup_remove(group);
	tap_diag("limit %lu MiB: %s, answer %d, %.2f s, dying %.2f s, slab %ld MiB", limit >> 20,
		 outcome.killed ? "killed" : outcome.died ? "died" : "ended",
		 outcome.report.answer, outcome.seconds, outcome.dying, outcome.slab >> 20);
	return outcome;
}

/* Has as much memory as it may, and then nothing to do. */
static int only_have_memory(void)
{
	const u64 size = AMPLE - NOISE;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "mmap: %m");
	memset(p, 1, size);
	for (;;)
		pause();
}

/* In one of some tries: anything takes long now and then. */
static void check_dying(int (*call)(void))
{
	double limit = MAX_DYING, dying;

	for (int i = 0; i < TRIES; i++) {
		const struct outcome ample = drive(call, AMPLE, KILL_AFTER);

		CHECK(ample.slab < (long)(AMPLE + NOISE), "slab grew by %ld MiB",
		      ample.slab >> 20);
		dying = ample.dying;
		if (dying < limit)
			return;
		limit = MAX_BESIDE * drive(only_have_memory, AMPLE, WHEN_FULL).dying;
		limit = limit > MAX_DYING ? limit : MAX_DYING;
		if (dying < limit)
			return;
	}
	FAIL("it died %.2f s after SIGKILL, in the last of %d tries", dying, TRIES);
}

/* @call answers @first or @second in the small cgroup. */
static void check_bounds(int (*call)(void), int first, int second)
{
	const struct outcome small = drive(call, SMALL, PATIENCE);

	check_dying(call);
	CHECK(small.slab < (long)(SMALL + NOISE), "slab grew by %ld MiB, the limit is %ld MiB",
	      small.slab >> 20, SMALL >> 20);
	CHECK(!small.killed, "no end after %.0f s", small.seconds);
	/* The OOM killer may come where guest memory, not the kernel's, fills the cgroup. */
	if (!small.died)
		CHECK(small.report.answer == first || small.report.answer == second,
		      "the answer is %d", small.report.answer);
	else
		CHECK(first == -ENOMEM && second == -EINTR, "it was killed for memory");
}

static int private_everywhere(void)
{
	return vm_set_attributes(vm_create_private(0), 0, end_of_gpas(),
				 KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static int shared_everywhere(void)
{
	struct vm *vm = vm_create_private(0);

	/* Something here and there, also far from each other. */
	for (u64 gpa = SZ_1G; gpa < end_of_gpas(); gpa *= 2)
		vm_make_private(vm, gpa, SZ_2M);
	MUST(vm_set_attributes(vm, 0, ALL_GPAS, 0));
	MUST(vm_set_attributes(vm, ALL_GPAS - SZ_1G, SZ_1G, 0));
	return vm_set_attributes(vm, 0, ALL_GPAS, 0);
}

static int private_beyond(void)
{
	struct vm *vm = vm_create_private(0);

	CHECK_EQ(vm_set_attributes(vm, end_of_gpas() - SZ_2M, SZ_2M + PAGE_SIZE,
				   KVM_MEMORY_ATTRIBUTE_PRIVATE), -EINVAL);
	CHECK_EQ(vm_set_attributes(vm, ALL_GPAS - SZ_1G, SZ_1G,
				   KVM_MEMORY_ATTRIBUTE_PRIVATE), -EINVAL);
	return vm_set_attributes(vm, end_of_gpas() - SZ_2M, SZ_2M, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

/* Over memslots, in which KVM keeps something of each 2 MiB. */
static int back_and_forth_in_slots(void)
{
	struct vm *vm = vm_create_private(0);
	const u64 size = 32 * SZ_1G;
	int ret = 0;

	MUST(vm_set_region(vm, 0, 0, 0, size, vm_reserve(0, size)));
	MUST(vm_set_region(vm, 1, 0, size, size, vm_reserve(size, size)));
	for (int i = 0; i < 1000 && !ret; i++)
		ret = vm_set_attributes(vm, 0, 2 * size, i % 2 ? 0 : KVM_MEMORY_ATTRIBUTE_PRIVATE);
	return ret;
}

static int file_of(struct vm *vm, u64 flags)
{
	int fd = vm_create_gmem(vm, LARGEST_FILE, flags);

	CHECK(fd >= 0, "a file of %#lx bytes: %s", LARGEST_FILE, strerror(-fd));
	return fd;
}

static int create(void)
{
	struct vm *vm = vm_create_private(0);

	file_of(vm, 0);
	return close(file_of(vm, SHARED_AT_FIRST));
}

static int bind_largest(u64 flags)
{
	struct vm *vm = vm_create_private(0);

	return vm_set_region2(vm, 0, KVM_MEM_GUEST_MEMFD, 0, SZ_1T, NULL, file_of(vm, flags), 0);
}

static int bind_private(void)
{
	return bind_largest(PRIVATE_AT_FIRST);
}

static int bind_shared(void)
{
	return bind_largest(SHARED_AT_FIRST);
}

static int convert_to_private(void)
{
	return gmem_convert(file_of(vm_create_private(0), SHARED_AT_FIRST), 0, LARGEST_FILE,
			    KVM_MEMORY_ATTRIBUTE_PRIVATE, NULL);
}

static int convert_to_shared(void)
{
	return gmem_convert(file_of(vm_create_private(0), PRIVATE_AT_FIRST), 0, LARGEST_FILE, 0,
			    NULL);
}

/* Where all is as wanted: nothing is there to be looked at. */
static int convert_nothing(void)
{
	return gmem_convert(file_of(vm_create_private(0), SHARED_AT_FIRST), 0, LARGEST_FILE, 0,
			    NULL);
}

static int allocate(void)
{
	return gmem_alloc(file_of(vm_create_private(0), 0), 0, LARGEST_FILE);
}

/* Some pages here and there. */
static int punch(void)
{
	int fd = file_of(vm_create_private(0), 0), ret = 0;

	for (u64 at = SZ_2M; at < LARGEST_FILE; at *= 2)
		MUST(gmem_alloc(fd, at, PAGE_SIZE));
	for (int i = 0; i < 100 && !ret; i++)
		ret = gmem_punch(fd, 0, LARGEST_FILE);
	return ret;
}

static int populate(void)
{
	struct vm *vm = vm_create_private(0);
	const u64 size = 16 * SZ_1G;
	int fd = file_of(vm, 0);
	struct gmem_launch_populate args = {
		.npages = 1UL << 40,
		.type = GMEM_PAGE_ZERO,
	};

	MUST(vm_set_region2(vm, 0, KVM_MEM_GUEST_MEMFD, 0, size, vm_reserve(0, size), fd, 0));
	vm_make_private(vm, 0, size);
	return ioctl(fd, GMEM_POPULATE, &args) ? -errno : 0;
}

static int pci_hole(void)
{
	return vm_set_region(vm_create_private(0), 0, KVM_MEM_PCI_HOLE, 0, SZ_1T, NULL);
}

static int link_file(void)
{
	struct vm *from = vm_create_private(0), *to = vm_create_private(0);
	struct kvm_link_guest_memfd args = { .fd = file_of(from, 0) };
	int fd;

	MUST(vm_set_region2(from, 0, KVM_MEM_GUEST_MEMFD, 0, SZ_1T, vm_reserve(0, SZ_1T),
			    args.fd, 0));
	fd = ioctl(to->fd, KVM_LINK_GUEST_MEMFD, &args);
	return fd < 0 ? -errno : 0;
}

static int pre_fault(void)
{
	struct vm *vm = vm_create_private(1);
	u64 gpa = TEST_GPA, size = 16 * SZ_1G;

	gmem_add_slot(vm, TEST_SLOT, gpa, size, file_of(vm, SHARED_AT_FIRST), 0);
	return vcpu_pre_fault(&vm->vcpus[0], &gpa, &size);
}

/* Faults of user space over as much as there are addresses for, with a policy. */
static int touch_mapping(void)
{
	const u64 size = 64 * SZ_1T;
	void *p = gmem_map(file_of(vm_create_private(0), SHARED_AT_FIRST), 0, size);
	unsigned long node = 1;

	if (syscall(SYS_mbind, p, size, 1 /* MPOL_PREFERRED */, &node, 8 * sizeof(node), 0))
		CHECK_EQ(errno, ENOSYS);
	return madvise(p, size, MADV_POPULATE_WRITE) ? -errno : 0;
}

/* A map of nothing: the records, which the caller pays, are all that there is. */
static int look_at_map(void)
{
	int fd = file_of(vm_create_private(0), 0);
	const u64 count = 64 * SZ_1T / SZ_2M;
	const size_t size = count * sizeof(struct gmem_map_run);
	void *runs = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct gmem_get_map args = { .runs = (u64)runs, .count = count };

	CHECK(runs != MAP_FAILED, "mmap: %m");
	return ioctl(fd, GMEM_GET_MAP, &args) ? -errno : 0;
}

#define TEST(call, first, second)				\
	static void test_##call(void)				\
	{							\
		check_bounds(call, first, second);		\
	}

TEST(private_everywhere, -ENOMEM, -ENOMEM)
TEST(private_beyond, 0, 0)
TEST(shared_everywhere, 0, 0)
TEST(back_and_forth_in_slots, -ENOMEM, -ENOMEM)
TEST(create, 0, 0)
TEST(bind_private, -ENOMEM, -ENOMEM)
TEST(bind_shared, 0, 0)
TEST(convert_to_private, -ENOMEM, -ENOMEM)
TEST(convert_to_shared, -ENOMEM, -ENOMEM)
TEST(convert_nothing, 0, 0)
TEST(allocate, -ENOMEM, -EINTR)
TEST(punch, 0, 0)

/* Models have populate; without one it is refused before anything is done. */
static void test_populate(void)
{
	const bool none = !strcmp(gmem_platform(), "none");

	check_bounds(populate, none ? -EOPNOTSUPP : -ENOMEM, none ? -EOPNOTSUPP : -EINTR);
}

TEST(pci_hole, 0, 0)

/* Memory of VMs on a model stays theirs: no link. */
static void test_link_file(void)
{
	const int answer = strcmp(gmem_platform(), "none") ? -EOPNOTSUPP : 0;

	check_bounds(link_file, answer, answer);
}

TEST(pre_fault, -ENOMEM, -EINTR)
TEST(touch_mapping, -ENOMEM, -EINTR)
TEST(look_at_map, -ENOMEM, -EINTR)

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(test_private_everywhere),
		TAP_TEST(test_private_beyond),
		TAP_TEST(test_shared_everywhere),
		TAP_TEST(test_back_and_forth_in_slots),
		TAP_TEST(test_create),
		TAP_TEST(test_bind_private),
		TAP_TEST(test_bind_shared),
		TAP_TEST(test_convert_to_private),
		TAP_TEST(test_convert_to_shared),
		TAP_TEST(test_convert_nothing),
		TAP_TEST(test_allocate),
		TAP_TEST(test_punch),
		TAP_TEST(test_populate),
		TAP_TEST(test_pci_hole),
		TAP_TEST(test_link_file),
		TAP_TEST(test_pre_fault),
		TAP_TEST(test_touch_mapping),
		TAP_TEST(test_look_at_map),
	};

	return tap_main(tests, ARRAY_SIZE(tests));
}
