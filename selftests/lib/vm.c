// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs and their memory, see vm.h. vCPUs are in vcpu.c.
 */
#include "vm.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snp.h"
#include "vcpu.h"

/* libc's convention to the kernel's. */
static int answer(int r)
{
	return r < 0 ? -errno : r;
}

int kvm_open(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_bail_out("/dev/kvm: %m");
	return fd;
}

int kvm_check(unsigned long cap)
{
	int fd = kvm_open();
	int r = answer(ioctl(fd, KVM_CHECK_EXTENSION, cap));

	close(fd);
	return r;
}

bool kvm_has_vm_type(unsigned long type)
{
	return type == KVM_X86_DEFAULT_VM ||
	       kvm_check(KVM_CAP_VM_TYPES) & (1 << type);
}

static struct vm *create(unsigned long type, unsigned int nr_vcpus, bool irqchip, u64 features)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	unsigned int i;
	int kvm;

	if (!kvm_has_vm_type(type))
		tap_skip("this kernel has no VMs of type %lu", type);

	kvm = kvm_open();
	vm->type = type;
	vm->fd = ioctl(kvm, KVM_CREATE_VM, type);
	CHECK(vm->fd >= 0, "KVM_CREATE_VM: %m");
	if (type == KVM_X86_SNP_VM)
		MUST(snp_init_with(vm->fd, features));
	if (irqchip)
		CHECK_OK(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	if (nr_vcpus) {
		CHECK(nr_vcpus <= AGENT_MAX_VCPUS, "too many vCPUs");
		vm->nr_vcpus = nr_vcpus;
		vm->vcpus = calloc(nr_vcpus, sizeof(*vm->vcpus));
		vm->agent = vm_add_slot(vm, AGENT_SLOT, AGENT_GPA, AGENT_SIZE,
					-1, 0);
		agent_load(vm->agent);
		for (i = 0; i < nr_vcpus; i++)
			vcpu_init(&vm->vcpus[i], vm, kvm, i);
	}
	close(kvm);
	return vm;
}

struct vm *vm_create(unsigned long type, unsigned int nr_vcpus)
{
	return create(type, nr_vcpus, false, 0);
}

struct vm *vm_create_with_apic(unsigned int nr_vcpus)
{
	return create(KVM_X86_DEFAULT_VM, nr_vcpus, true, 0);
}

struct vm *vm_create_knowing(unsigned int nr_vcpus)
{
	return create(KVM_X86_SNP_VM, nr_vcpus, false, SNP_ACTIVE);
}

struct vm *vm_create_knowing_with_apic(unsigned int nr_vcpus)
{
	return create(KVM_X86_SNP_VM, nr_vcpus, true, SNP_ACTIVE);
}

struct vm *vm_create_private(unsigned int nr_vcpus)
{
	return vm_create(KVM_X86_SW_PROTECTED_VM, nr_vcpus);
}

void vm_free(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_close(&vm->vcpus[i]);
	close(vm->fd);
	if (vm->agent)
		vm_unreserve(vm->agent, AGENT_SIZE);
	free(vm->vcpus);
	free(vm);
}

int vm_check(struct vm *vm, unsigned long cap)
{
	return answer(ioctl(vm->fd, KVM_CHECK_EXTENSION, cap));
}

int vm_create_gmem(struct vm *vm, u64 size, u64 flags)
{
	struct kvm_create_guest_memfd args = { .size = size, .flags = flags };

	return answer(ioctl(vm->fd, KVM_CREATE_GUEST_MEMFD, &args));
}

int vm_set_region(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size,
		  void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
	};

	return answer(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region));
}

int vm_set_region2(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size,
		   void *hva, int gmem_fd, u64 offset)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (u64)hva,
		.guest_memfd = gmem_fd,
		.guest_memfd_offset = offset,
	};

	return answer(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region));
}

int vm_set_attributes(struct vm *vm, u64 gpa, u64 size, u64 attributes)
{
	struct kvm_memory_attributes args = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return answer(ioctl(vm->fd, KVM_SET_MEMORY_ATTRIBUTES, &args));
}

int gmem_alloc(int fd, u64 offset, u64 len)
{
	return answer(fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, len));
}

int gmem_punch(int fd, u64 offset, u64 len)
{
	return answer(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				offset, len));
}

/*
 * Reserve 1 GiB more than is needed, keep the part that begins where @gpa does
 * modulo 1 GiB, and give the rest back.
 */
void *vm_reserve(u64 gpa, u64 size)
{
	u64 base, hva, end, tail;

	base = (u64)mmap(NULL, size + SZ_1G, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK((void *)base != MAP_FAILED, "reserving %#lx bytes: %m", size);
	hva = base + ((gpa - base) & (SZ_1G - 1));
	end = base + size + SZ_1G;
	tail = hva + size;
	if (hva > base)
		munmap((void *)base, hva - base);
	if (end > tail)
		munmap((void *)tail, end - tail);
	return (void *)hva;
}

void vm_unreserve(void *hva, u64 size)
{
	munmap(hva, size);
}

int vm_gmem(struct vm *vm, u64 size)
{
	int fd = vm_create_gmem(vm, size, 0);

	CHECK(fd >= 0, "guest_memfd of %#lx bytes: %s", size, strerror(-fd));
	return fd;
}

void *vm_add_slot(struct vm *vm, u32 slot, u64 gpa, u64 size, int gmem_fd,
		  u64 offset)
{
	void *hva = vm_reserve(gpa, size);

	if (gmem_fd < 0)
		MUST(vm_set_region(vm, slot, 0, gpa, size, hva));
	else
		MUST(vm_set_region2(vm, slot, KVM_MEM_GUEST_MEMFD, gpa, size,
				    hva, gmem_fd, offset));
	return hva;
}

void vm_delete_slot(struct vm *vm, u32 slot)
{
	MUST(vm_set_region(vm, slot, 0, 0, 0, NULL));
}

void vm_make_private(struct vm *vm, u64 gpa, u64 size)
{
	MUST(vm_set_attributes(vm, gpa, size, KVM_MEMORY_ATTRIBUTE_PRIVATE));
}

void vm_make_shared(struct vm *vm, u64 gpa, u64 size)
{
	MUST(vm_set_attributes(vm, gpa, size, 0));
}

int vm_add_private(struct vm *vm, u64 size)
{
	int fd = vm_gmem(vm, size);

	vm_add_slot(vm, TEST_SLOT, TEST_GPA, size, fd, 0);
	vm_make_private(vm, TEST_GPA, size);
	return fd;
}

void vm_enable_map_gpa_exit(struct vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args = { 1 << KVM_HC_MAP_GPA_RANGE },
	};

	CHECK_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &cap));
}

pthread_t thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, fn, arg);

	CHECK(!err, "pthread_create: %s", strerror(err));
	return thread;
}

void thread_join(pthread_t thread)
{
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

void *vm_source(u64 size)
{
	char *p = mmap(NULL, size + PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(p != MAP_FAILED, "mmap: %m");
	return p + PAGE_SIZE;
}

void vm_source_free(void *source, u64 size)
{
	munmap((char *)source - PAGE_SIZE, size + PAGE_SIZE);
}
