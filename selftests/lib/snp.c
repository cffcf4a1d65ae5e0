// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch of VMs of SNP's type, see snp.h.
 */
#include "snp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gmem.h"
#include "vcpu.h"

void snp_require_model(void)
{
	if (strcmp(gmem_platform(), "snp-model"))
		tap_skip("needs platform=snp-model");
}

int snp_node(void)
{
	static int fd = -1;
	const char *name = getenv("GMEM_SEV_NODE");
	char path[64];

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/dev/%s", name ? name : "sev");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		tap_skip("%s: %m", path);
	return fd;
}

int snp_command(int vm, uint32_t id, void *data, uint32_t *error)
{
	struct sev_cmd cmd = {
		.id = id,
		.data = (uintptr_t)data,
		.sev_fd = snp_node(),
	};
	int r = ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd);

	if (error)
		*error = cmd.error;
	return r < 0 ? -errno : r;
}

int snp_init_with(int vm, uint64_t features)
{
	struct sev_init args = { .vmsa_features = features };

	return snp_command(vm, SEV_INIT2, &args, NULL);
}

int snp_init(int vm)
{
	return snp_init_with(vm, 0);
}

int snp_start(struct vm *vm, uint64_t policy, uint32_t *error)
{
	struct snp_start args = { .policy = policy };

	return snp_command(vm->fd, SNP_LAUNCH_START, &args, error);
}

int snp_update(struct vm *vm, uint64_t gpa, const void *source, uint64_t len, uint8_t type,
	       uint32_t *error)
{
	struct snp_update args = {
		.gfn_start = gpa / PAGE_SIZE,
		.uaddr = (uintptr_t)source,
		.len = len,
		.type = type,
	};
	int r;

	do
		r = snp_command(vm->fd, SNP_LAUNCH_UPDATE, &args, error);
	while (r == -EAGAIN || (!r && args.len));
	return r;
}

int snp_finish(struct vm *vm, uint32_t *error)
{
	struct snp_finish args = {};

	return snp_command(vm->fd, SNP_LAUNCH_FINISH, &args, error);
}

struct vm *snp_vm(unsigned int nr_vcpus)
{
	return vm_create(KVM_X86_SNP_VM, nr_vcpus);
}

struct vm *snp_launching(unsigned int nr_vcpus, uint64_t gpa, uint64_t size, int *fd)
{
	struct vm *vm;

	snp_require_model();
	vm = snp_vm(nr_vcpus);
	MUST(snp_start(vm, SNP_POLICY, NULL));
	*fd = vm_gmem(vm, size);
	vm_add_slot(vm, TEST_SLOT, gpa, size, *fd, 0);
	vm_make_private(vm, gpa, size);
	return vm;
}

static void require_knowing(void)
{
	snp_require_model();
	if (cpu_is_intel())
		tap_skip("needs a processor with SVM");
}

struct vm *snp_knowing_vm(unsigned int nr_vcpus)
{
	require_knowing();
	return vm_create_knowing(nr_vcpus);
}

struct vm *snp_knowing_vm_with_apic(unsigned int nr_vcpus)
{
	require_knowing();
	return vm_create_knowing_with_apic(nr_vcpus);
}

void snp_set_c_bit(struct vcpu *vcpu, unsigned int bit)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 255 };
	u32 i, nent;

	CHECK_OK(ioctl(vcpu->fd, KVM_GET_CPUID2, &cpuid));
	nent = cpuid.head.nent;
	for (i = 0; i < nent && cpuid.entries[i].function != 0x8000001f; i++)
		;
	cpuid.entries[i] = (struct kvm_cpuid_entry2){
		.function = 0x8000001f,
		.eax = 0x1a,
		.ebx = bit | 1 << 6,
	};
	cpuid.head.nent = i == nent ? nent + 1 : nent;
	CHECK_OK(ioctl(vcpu->fd, KVM_SET_CPUID2, &cpuid));
}
