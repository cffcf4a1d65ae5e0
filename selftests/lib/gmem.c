// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappable guest_memfds, see gmem.h.
 */
#include "gmem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "guest.h"

/* A parameter of gmem.ko in words; false without the module. */
static bool read_parameter(const char *name, char *value, size_t len)
{
	char path[64];
	FILE *file;
	bool found;

	snprintf(path, sizeof(path), "/sys/module/gmem/parameters/%s", name);
	file = fopen(path, "re");
	found = file && fgets(value, len, file);
	if (file)
		fclose(file);
	if (found)
		value[strcspn(value, "\n")] = '\0';
	return found;
}

int gmem_mappable(struct vm *vm, u64 size, u64 flags)
{
	int known = vm_check(vm, KVM_CAP_GUEST_MEMFD_FLAGS), fd;

	if (known < 0 || flags & ~(u64)known)
		tap_skip("VMs of type %lu have no files with flags %#lx", vm->type, flags);
	fd = vm_create_gmem(vm, size, flags);
	CHECK(fd >= 0, "guest_memfd of %#lx bytes, flags %#lx: %s", size, flags, strerror(-fd));
	return fd;
}

void *gmem_map(int fd, u64 offset, u64 size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	CHECK(p != MAP_FAILED, "mapping %#lx bytes: %m", size);
	return p;
}

void gmem_add_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, int fd, u64 offset)
{
	MUST(vm_set_region2(vm, slot, KVM_MEM_GUEST_MEMFD, gpa, size, NULL, fd, offset));
}

int gmem_add_mappable(struct vm *vm, u64 size, u64 flags)
{
	int fd = gmem_mappable(vm, size, flags);

	gmem_add_slot(vm, TEST_SLOT, TEST_GPA, size, fd, 0);
	return fd;
}

int gmem_convert(int fd, u64 offset, u64 size, u64 attributes, u64 *error_offset)
{
	struct kvm_memory_attributes2 args = {
		.offset = offset,
		.size = size,
		.attributes = attributes,
	};
	int ret = ioctl(fd, KVM_SET_MEMORY_ATTRIBUTES2, &args);

	ret = ret < 0 ? -errno : ret;
	if (error_offset)
		*error_offset = ret ? args.error_offset : ~0UL;
	return ret;
}

/* Fails the test with the place, too. */
static void must_convert(int fd, u64 offset, u64 size, u64 attributes)
{
	u64 at;
	int ret = gmem_convert(fd, offset, size, attributes, &at);

	CHECK(!ret, "[%#lx, %#lx) to attributes %#lx: %s at %#lx", offset, offset + size,
	      attributes, strerror(-ret), at);
}

void gmem_make_private(int fd, u64 offset, u64 size)
{
	must_convert(fd, offset, size, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

void gmem_make_shared(int fd, u64 offset, u64 size)
{
	must_convert(fd, offset, size, 0);
}

const char *gmem_platform(void)
{
	static char name[32];

	if (!read_parameter("platform", name, sizeof(name)))
		tap_bail_out("gmem.ko is not loaded");
	return name;
}

bool gmem_keeps_content(void)
{
	char name[16];

	return !read_parameter("platform", name, sizeof(name)) || !strstr(name, "model");
}

/* A private access has no memory in a slot without a file. */
void gmem_check_attributes(struct vcpu *vcpu, u32 slot, u64 gpa, const bool *private,
			   u64 npages, u64 step)
{
	struct vm *vm = vcpu->vm;
	void *hva;
	u64 value;

	vm_delete_slot(vm, slot);
	hva = vm_add_slot(vm, slot, gpa, npages * PAGE_SIZE, -1, 0);
	for (u64 i = 0; i < npages; i += step)
		CHECK(guest_read(vcpu, gpa + i * PAGE_SIZE, 8, &value) ==
		      (private[i] ? EXIT_MEMORY_FAULT : EXIT_DONE),
		      "gfn %#lx should be %s: %s", gpa / PAGE_SIZE + i,
		      private[i] ? "private" : "shared", vcpu_exit_text(vcpu));
	vm_delete_slot(vm, slot);
	vm_unreserve(hva, npages * PAGE_SIZE);
}

static __thread sigjmp_buf on_signal;
static __thread volatile sig_atomic_t accessing;
static __thread int signal_code;

static void catch_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!accessing) {
		/* Not ours: as if there were no handler. */
		signal(sig, SIG_DFL);
		return;
	}
	signal_code = info->si_code;
	siglongjmp(on_signal, sig);
}

/*
 * Before there are threads: fork() copies handlers first and memory last, and a child
 * of one thread would believe what another has noted of its handlers in between.
 */
static void __attribute__((constructor)) catch_signals(void)
{
	const struct sigaction action = {
		.sa_sigaction = catch_signal,
		.sa_flags = SA_SIGINFO,
	};

	if (sigaction(SIGBUS, &action, NULL) || sigaction(SIGSEGV, &action, NULL))
		abort();
}

/* One copy of 8 bytes, of which one side may raise a signal. */
static int mem_access(volatile u64 *to, const volatile u64 *from)
{
	int sig = sigsetjmp(on_signal, 1);

	if (!sig) {
		accessing = 1;
		*to = *from;
	}
	accessing = 0;
	return sig;
}

int mem_read(const void *p, u64 *value)
{
	return mem_access(value, p);
}

int mem_write(void *p, u64 value)
{
	return mem_access(p, &value);
}

int gmem_signal_code(void)
{
	return signal_code;
}

bool mem_is_hidden(const void *p)
{
	u64 value;

	return mem_read(p, &value) == SIGBUS && signal_code == BUS_ADRERR;
}

void mem_fill(void *p, u64 gpa, u64 len, u64 seed)
{
	volatile u64 *words = p;

	for (u64 i = 0; i < len / 8; i++)
		words[i] = pattern_word(gpa + i * 8, seed);
}

bool mem_holds(const void *p, u64 gpa, u64 len, u64 seed)
{
	const volatile u64 *words = p;

	for (u64 i = 0; i < len / 8; i++)
		if (words[i] != pattern_word(gpa + i * 8, seed))
			return false;
	return true;
}

bool mem_is_zero(const void *p, u64 len)
{
	const volatile u64 *words = p;

	for (u64 i = 0; i < len / 8; i++)
		if (words[i])
			return false;
	return true;
}

long gmem_total(const char *name)
{
	FILE *stats = fopen("/sys/kernel/debug/gmem/stats", "re");
	long value, found = -1;
	char word[64];

	while (stats && fscanf(stats, "%63s %ld", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	if (stats)
		fclose(stats);
	return found;
}

long gmem_counter(int fd, const char *name)
{
	char path[64], line[128];
	long value, found = -1;
	size_t len = strlen(name);
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	CHECK(info, "%s: %m", path);
	while (fgets(line, sizeof(line), info))
		if (!strncmp(line, name, len) && sscanf(line + len, ": %ld", &value) == 1)
			found = value;
	fclose(info);
	return found;
}

bool gmem_huge(void)
{
	char policy[16];

	if (!read_parameter("huge", policy, sizeof(policy)))
		tap_skip("no gmem.ko");
	if (!strcmp(policy, "always"))
		return true;
	if (strcmp(policy, "never"))
		tap_skip("huge=%s", policy);
	return false;
}
