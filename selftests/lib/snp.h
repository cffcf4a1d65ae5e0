/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's commands that launch a VM of SNP's type, for a kernel with SNP or the model of it.
 * Layouts and numbers are those of <asm/kvm.h> and <linux/psp-sev.h>, which old headers lack.
 * Functions named after a command return 0 or -errno, and leave the firmware's status.
 */
#ifndef SELFTESTS_SNP_H
#define SELFTESTS_SNP_H

#include "vm.h"

#define SEV_INIT2		22
#define SNP_LAUNCH_START	100
#define SNP_LAUNCH_UPDATE	101
#define SNP_LAUNCH_FINISH	102

#define SNP_PAGE_NORMAL		1
#define SNP_PAGE_VMSA		2
#define SNP_PAGE_ZERO		3
#define SNP_PAGE_UNMEASURED	4
#define SNP_PAGE_SECRETS	5
#define SNP_PAGE_CPUID		6

/* A feature of save areas. */
#define SNP_ACTIVE		1

/* Statuses of the firmware. */
#define FW_INVALID_GUEST_STATE	0x02
#define FW_POLICY_FAILURE	0x07
#define FW_BAD_SIGNATURE	0x0a
#define FW_BAD_MEASUREMENT	0x0b
#define FW_UNSUPPORTED		0x15
#define FW_INVALID_PARAM	0x16

/* What QEMU gives: SMT allowed, and the bit that must be one. */
#define SNP_POLICY		0x30000

#define SNP_VMSA_SIZE		4096
#define SNP_VMSA_GPA		0xfffffffff000

struct sev_cmd {
	uint32_t id, pad0;
	uint64_t data;
	uint32_t error, sev_fd;
};

struct sev_init {
	uint64_t vmsa_features;
	uint32_t flags;
	uint16_t ghcb_version, pad1;
	uint32_t pad2[8];
};

struct snp_start {
	uint64_t policy;
	uint8_t gosvw[16];
	uint16_t flags;
	uint8_t pad0[6];
	uint64_t pad1[4];
};

struct snp_update {
	uint64_t gfn_start, uaddr, len;
	uint8_t type, pad0;
	uint16_t flags;
	uint32_t pad1;
	uint64_t pad2[4];
};

struct snp_finish {
	uint64_t id_block_uaddr, id_auth_uaddr;
	uint8_t id_block_en, auth_key_en, vcek_disabled, host_data[32], pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};

/* Skips the test where the module is loaded without platform=snp-model. */
void snp_require_model(void);

/*
 * /dev/sev, or the node that the environment's GMEM_SEV_NODE names; the same descriptor each
 * time. Skips the test without one.
 */
int snp_node(void);

/* Any command with the argument at @data; @error, which may be NULL, is the status. */
int snp_command(int vm, uint32_t id, void *data, uint32_t *error);
int snp_init(int vm);
/* With features of the save areas; SNP_ACTIVE: the guest is to know that it is SNP's. */
int snp_init_with(int vm, uint64_t features);
int snp_start(struct vm *vm, uint64_t policy, uint32_t *error);
/* All of [@gpa, @gpa + @len), in as many commands as it takes. */
int snp_update(struct vm *vm, uint64_t gpa, const void *source, uint64_t len, uint8_t type,
	       uint32_t *error);
/* Without ID block. */
int snp_finish(struct vm *vm, uint32_t *error);

/*
 * A VM of SNP's type that has been initialized and has @nr_vcpus; skips the test where
 * there are none.
 */
struct vm *snp_vm(unsigned int nr_vcpus);
/*
 * One whose launch has begun, with a memslot TEST_SLOT of @size private bytes at @gpa on the
 * file *@fd. Skips the test where the module is loaded without the model.
 */
struct vm *snp_launching(unsigned int nr_vcpus, uint64_t gpa, uint64_t size, int *fd);
/* The same of one whose guest knows; skips the test without the model, and on Intel's. */
struct vm *snp_knowing_vm(unsigned int nr_vcpus);
struct vm *snp_knowing_vm_with_apic(unsigned int nr_vcpus);
/* Has the vCPU's CPUID say where the C-bit is; before it first runs. */
void snp_set_c_bit(struct vcpu *vcpu, unsigned int bit);

#endif
