// SPDX-License-Identifier: GPL-2.0-only
/*
 * gmem.ko is unloaded on one CPU while a thread of the user "nobody" makes something that
 * needs gmem.ko on another:
 *
 *   ROUNDS=N unload_race_test [CASE]
 *
 * The first one wins. Either the module stays; or a call that comes too late makes KVM's
 * own, or is refused. What was made is used afterwards. N rounds are divided among all
 * cases, of which CASE is one. As root, gmem.ko is not loaded before and afterwards.
 *
 * Tests: kapi/takeover.c, kapi/module.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "gmem.h"
#include "guest.h"
#include "hole.h"
#include "module.h"
#include "takeover.h"

#define FILE_SIZE	SZ_2M
#define ROUNDS		42

static int rounds = ROUNDS;

/* What a round begins with, and what is made in the round: -errno, or 0 or a descriptor. */
struct scene {
	int kvm;
	struct vm *vm, *other; /* default VMs, which do not need gmem.ko */
	bool own_type; /* the kernel has software-protected VMs without gmem.ko */

	int vm_fd, fd, slot;
	void *map;
};

/* ---- what is made, and how it is used -------------------------------------------- */

struct maker {
	void (*make)(struct scene *s);
	void (*use)(struct scene *s);
	/* Whether what was made may not be there without the module. */
	bool (*pins)(const struct scene *s);
};

static int create_on(int vm_fd, u64 flags)
{
	struct kvm_create_guest_memfd args = { .size = FILE_SIZE, .flags = flags };
	const int fd = ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &args);

	return fd < 0 ? -errno : fd;
}

static int bind_on(int vm_fd, int fd)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = TEST_SLOT,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = TEST_GPA,
		.memory_size = FILE_SIZE,
		.guest_memfd = fd,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION2, &region) ? -errno : 0;
}

static int delete_on(int vm_fd)
{
	struct kvm_userspace_memory_region region = { .slot = TEST_SLOT };

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

/* Refusals of a kernel, or a VM, without gmem.ko. */
static void check_late(int ret)
{
	CHECK(ret == -EINVAL || ret == -ENODEV || ret == -ENOTTY,
	      "too late, and refused with %s", strerror(-ret));
}

static void use_file(int fd)
{
	char path[64], text[4096];
	struct stat st;
	ssize_t len;
	int info;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
	file_is_ours(fd);
	MUST(gmem_alloc(fd, 0, PAGE_SIZE));
	MUST(gmem_punch(fd, 0, FILE_SIZE));
	gmem_convert(fd, 0, PAGE_SIZE, 0, NULL);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_OK(info);
	len = read(info, text, sizeof(text));
	CHECK(len > 0, "fdinfo: %m");
	close(info);
	CHECK_OK(close(fd));
}

static bool nothing_pins(const struct scene *s)
{
	(void)s;
	return false;
}

static void make_file(struct scene *s)
{
	s->fd = create_on(s->vm->fd, 0);
}

static void use_made_file(struct scene *s)
{
	if (s->fd < 0)
		check_late(s->fd);
	else
		use_file(s->fd);
}

static void make_hole(struct scene *s)
{
	s->slot = hole_set(s->vm, HOLE_SLOT, HOLE_GPA, SZ_2M);
}

static void use_made_hole(struct scene *s)
{
	u64 value;

	if (s->slot) {
		check_late(s->slot);
		return;
	}
	MUST(guest_read(&s->vm->vcpus[0], HOLE_GPA, 8, &value));
	CHECK_EQ(value, ~0UL);
	MUST(hole_set(s->vm, HOLE_SLOT, 0, 0));
}

static bool slot_pins(const struct scene *s)
{
	return !s->slot;
}

/* The file is closed again. The memslot remains, and only gmem may serve its memory. */
static void make_shared_slot(struct scene *s)
{
	const int fd = create_on(s->vm->fd, SHARED_AT_FIRST);

	s->slot = fd;
	if (fd < 0)
		return;
	s->slot = bind_on(s->vm->fd, fd);
	close(fd);
}

static void use_made_shared_slot(struct scene *s)
{
	u64 value;

	if (s->slot) {
		check_late(s->slot);
		return;
	}
	CHECK_EQ(guest_read(&s->vm->vcpus[0], TEST_GPA, 8, &value), EXIT_MEMORY_FAULT);
	MUST(delete_on(s->vm->fd));
}

/* The file's memory is mapped. In the end the mapping is all that is left of the file. */
static void make_mapping(struct scene *s)
{
	const int fd = create_on(s->vm->fd, SHARED_AT_FIRST);

	s->fd = fd;
	if (fd < 0)
		return;
	s->map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
}

static void use_made_mapping(struct scene *s)
{
	if (s->fd < 0) {
		check_late(s->fd);
		return;
	}
	CHECK(s->map != MAP_FAILED, "a mappable file cannot be mapped");
	mem_fill(s->map, 0, PAGE_SIZE, 1);
	CHECK(mem_holds(s->map, 0, PAGE_SIZE, 1), "what was written");
	CHECK_OK(munmap(s->map, FILE_SIZE));
}

static bool mapping_pins(const struct scene *s)
{
	return s->fd >= 0;
}

static void make_link(struct scene *s)
{
	const int fd = create_on(s->vm->fd, SHARED_AT_FIRST);
	struct kvm_link_guest_memfd args = { .fd = fd };

	s->fd = fd;
	if (fd < 0)
		return;
	s->fd = ioctl(s->other->fd, KVM_LINK_GUEST_MEMFD, &args);
	if (s->fd < 0)
		s->fd = -errno;
	close(fd);
}

static void make_vm(struct scene *s)
{
	s->vm_fd = ioctl(s->kvm, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	if (s->vm_fd < 0)
		s->vm_fd = -errno;
}

static void use_made_vm(struct scene *s)
{
	int fd, vcpu;

	if (s->vm_fd < 0) {
		check_late(s->vm_fd);
		return;
	}
	fd = create_on(s->vm_fd, 0);
	CHECK(fd >= 0, "a file of the VM: %s", strerror(-fd));
	MUST(bind_on(s->vm_fd, fd));
	vcpu = ioctl(s->vm_fd, KVM_CREATE_VCPU, 0);
	CHECK_OK(vcpu);
	close(vcpu);
	use_file(fd);
	MUST(delete_on(s->vm_fd));
	CHECK_OK(close(s->vm_fd));
}

static bool vm_pins(const struct scene *s)
{
	return s->vm_fd >= 0 && !s->own_type;
}

static void make_private_slot(struct scene *s)
{
	int fd;

	make_vm(s);
	s->slot = s->vm_fd;
	if (s->vm_fd < 0)
		return;
	fd = create_on(s->vm_fd, 0);
	s->slot = fd;
	if (fd < 0)
		return;
	s->slot = bind_on(s->vm_fd, fd);
	close(fd);
}

static void use_made_private_slot(struct scene *s)
{
	if (s->slot)
		check_late(s->slot);
	else
		MUST(delete_on(s->vm_fd));
	if (s->vm_fd >= 0)
		use_made_vm(s);
}

/* ---- rounds ------------------------------------------------------------------------- */

/* Until the clock shows @time, or @done is set: a longer wait would be for nothing then. */
static void spin_until(u64 time, atomic_bool *done)
{
	while (now_ns() < time && !atomic_load(done))
		;
}

/* The CPUs that this program may use. */
static cpu_set_t cpus;

/* This thread stays on the @nr-th of them. */
static void stay_on_cpu(int nr)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &cpus) && !nr--)
			CPU_SET(cpu, &one);
	}
	CHECK(CPU_COUNT(&one) == 1, "this takes two CPUs");
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
}

struct race {
	const struct maker *maker;
	struct scene *scene;
	atomic_bool ready, done;
	atomic_ulong start; /* nanoseconds; 0: not yet */
	u64 delay, took;
};

/* One thread's: libc would change all of them. */
static void become_nobody_alone(void)
{
	CHECK_OK(syscall(SYS_setgroups, 0, NULL));
	CHECK_OK(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
	CHECK_OK(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
}

static void *make_it(void *arg)
{
	struct race *race = arg;
	u64 start;

	stay_on_cpu(1);
	become_nobody_alone();
	atomic_store(&race->ready, true);
	while (!(start = atomic_load(&race->start)))
		;
	spin_until(start + race->delay, &race->done);
	start = now_ns();
	race->maker->make(race->scene);
	race->took = now_ns() - start;
	atomic_store(&race->done, true);
	return NULL;
}

/* Whether gmem.ko went while something was made, @lead after its maker got the word. */
static bool play(struct race *race, u64 lead)
{
	const pthread_t thread = thread_start(make_it, race);
	bool last;
	int ret;

	while (!atomic_load(&race->ready))
		sched_yield();
	atomic_store(&race->start, now_ns());
	spin_until(atomic_load(&race->start) + lead, &race->done);
	do {
		last = atomic_load(&race->done);
		ret = module_unload("gmem");
		CHECK(!ret || ret == -EAGAIN, "unloading: %s", strerror(-ret));
	} while (ret && !last);
	thread_join(thread);
	return !ret;
}

static struct scene new_scene(void)
{
	struct scene s = {
		.kvm = kvm_open(),
		.vm = vm_create(KVM_X86_DEFAULT_VM, 1),
		.other = vm_create(KVM_X86_DEFAULT_VM, 0),
		.vm_fd = -1,
		.fd = -1,
		.slot = -1,
		.map = MAP_FAILED,
	};

	return s;
}

static void free_scene(struct scene *s)
{
	vm_free(s->vm);
	vm_free(s->other);
	close(s->kvm);
}

/*
 * How long making takes, and unloading, each by itself. Returns whether the thing made
 * keeps the module loaded; all do but those that are the kernel's own.
 */
static bool take_times(const struct maker *maker, bool own_type, u64 *making, u64 *unloading)
{
	struct scene s = new_scene();
	u64 start = now_ns();
	bool pins;

	s.own_type = own_type;
	maker->make(&s);
	*making = now_ns() - start;
	pins = s.fd >= 0 || maker->pins(&s);
	if (pins)
		CHECK_EQ(module_unload("gmem"), -EAGAIN);
	maker->use(&s);
	free_scene(&s);
	/* What goes in the background is gone then. */
	let_pass(200000);
	start = now_ns();
	module_unload_soon("gmem");
	*unloading = now_ns() - start;
	return pins;
}

/* Evenly spread over [0, 1), in whatever number of rounds. */
static double spread(int round)
{
	return fmod(round * 0.6180339887, 1);
}

/*
 * How long after the unloader the maker begins: from 1 us to @unloading, as often in each
 * octave. Only early moments are worth trying, and how early is not known.
 */
static u64 maker_delay(int round, u64 unloading)
{
	return 1000 * exp(spread(round) * log(unloading / 1000.0));
}

/* How long after the maker the unloader begins. In round 1 it waits for the maker's end. */
static u64 unloader_delay(int round, u64 making)
{
	return round == 1 ? ~0UL >> 1 : 3 * making * spread(round);
}

struct tally {
	int unloaded, made_meanwhile, stayed;
};

static void play_round(const struct maker *maker, u64 lead, u64 delay, bool own_type,
		       struct tally *tally)
{
	struct scene scene = new_scene();
	struct race race = { .maker = maker, .scene = &scene, .delay = delay };
	bool gone;

	scene.own_type = own_type;
	gone = play(&race, lead);
	tally->unloaded += gone;
	tally->stayed += !gone;
	CHECK(!gone || !maker->pins(&scene), "the module went, and what was made needs it");
	if (gone && (scene.fd >= 0 || scene.vm_fd >= 0 || !scene.slot)) {
		tally->made_meanwhile++;
		/* Should the kernel not survive what follows, here is what it was. */
		tap_diag("made %lu us after the start, used without the module",
			 (race.delay + race.took) / 1000);
	}
	maker->use(&scene);
	free_scene(&scene);
	if (gone)
		MUST(module_load(GMEM_KO, ""));
}

static void race(const struct maker *maker, int nr)
{
	struct tally tally = {};
	u64 unloading, making;
	const double begun = now();
	bool own_type, pins;
	int round;

	takeover_begin();
	own_type = kvm_has_vm_type(KVM_X86_SW_PROTECTED_VM);
	stay_on_cpu(0);
	MUST(module_load(GMEM_KO, ""));
	pins = take_times(maker, own_type, &making, &unloading);
	MUST(module_load(GMEM_KO, ""));
	/* In odd rounds the unloader begins later, in even rounds the maker. */
	for (round = 0;
	     round < nr || !over_at(begun, tally.unloaded && (tally.stayed || !pins)); round++) {
		if (round % 2)
			play_round(maker, unloader_delay(round, making), 0, own_type, &tally);
		else
			play_round(maker, 0, maker_delay(round, unloading), own_type, &tally);
	}
	tap_diag("%d rounds: unloaded %d times, %d of them with something made meanwhile",
		 round, tally.unloaded, tally.made_meanwhile);
	CHECK(tally.unloaded && (tally.stayed || !pins), "always the same came first");
	module_unload_soon("gmem");
}

#define NR_MAKERS	7

#define RACE(name, make, use, pins)					\
static void test_##name(void)						\
{									\
	race(&(const struct maker){ make, use, pins }, rounds / NR_MAKERS); \
}

RACE(create, make_file, use_made_file, nothing_pins)
RACE(hole, make_hole, use_made_hole, slot_pins)
RACE(shared_slot, make_shared_slot, use_made_shared_slot, slot_pins)
RACE(mapping, make_mapping, use_made_mapping, mapping_pins)
RACE(link, make_link, use_made_file, mapping_pins)
RACE(vm, make_vm, use_made_vm, vm_pins)
RACE(private_slot, make_private_slot, use_made_private_slot, vm_pins)

int main(int argc, char **argv)
{
	static const struct tap_test all[NR_MAKERS] = {
		{ .name = "create", .fn = test_create },
		{ .name = "hole", .fn = test_hole },
		{ .name = "shared_slot", .fn = test_shared_slot },
		{ .name = "mapping", .fn = test_mapping },
		{ .name = "link", .fn = test_link },
		{ .name = "vm", .fn = test_vm },
		{ .name = "private_slot", .fn = test_private_slot },
	};
	struct tap_test chosen[NR_MAKERS];
	size_t nr = 0;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		tap_bail_out("sched_getaffinity: %m");
	if (getenv("ROUNDS"))
		rounds = atoi(getenv("ROUNDS"));
	for (size_t i = 0; i < NR_MAKERS; i++) {
		if (argc > 1 && strcmp(argv[1], all[i].name))
			continue;
		chosen[nr] = all[i];
		/* A round takes a second on a busy machine. */
		chosen[nr++].timeout = 120 + rounds / NR_MAKERS * 4;
	}
	return tap_main(chosen, nr);
}
