/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers of the kernel's headers that the C++ rooms need. kapi/constants.c asserts
 * that each is the kernel's own; scripts/lint, that no room has others.
 */
#ifndef GMEM_KAPI_CONSTANTS_H
#define GMEM_KAPI_CONSTANTS_H

/* PFERR_*_MASK and PFERR_PRIVATE_ACCESS of <asm/kvm_host.h>: bits of a fault's error code. */
enum kapi_fault_bits {
	KAPI_PFERR_PRESENT = 1ull << 0,
	KAPI_PFERR_WRITE = 1ull << 1,
	KAPI_PFERR_USER = 1ull << 2,
	KAPI_PFERR_RSVD = 1ull << 3,
	KAPI_PFERR_FETCH = 1ull << 4,
	/* Not of a table walk. */
	KAPI_PFERR_GUEST_FINAL = 1ull << 32,
	KAPI_PFERR_GUEST_PAGE = 1ull << 33,
	/* Only from KVM itself, never from the hardware. */
	KAPI_PFERR_IMPLICIT = 1ull << 48,
	KAPI_PFERR_PRIVATE_ACCESS = 1ull << 49,
};

/* PG_LEVEL_* of <asm/pgtable_types.h>: sizes of mappings. */
enum kapi_level {
	KAPI_LEVEL_4K = 1,
	KAPI_LEVEL_2M = 2,
	KAPI_LEVEL_1G = 3,
};

/* KVM_X86_*_VM of <asm/kvm.h>; those above software-protected ones are of hardware. */
enum kapi_vm_type {
	KAPI_VM_DEFAULT = 0,
	KAPI_VM_SW_PROTECTED = 1,
	KAPI_VM_SNP = 4,
};

/* Ioctls of VMs, <linux/kvm.h>. */
enum kapi_vm_ioctl {
	KAPI_IOCTL_SET_REGION = 0x4020ae46,
	KAPI_IOCTL_SET_REGION2 = 0x40a0ae49,
	KAPI_IOCTL_SET_ATTRIBUTES = 0x4020aed2,
	KAPI_IOCTL_ENCRYPT_OP = 0xc008aeba,
	KAPI_IOCTL_ENCRYPT_REGION = 0x8010aebb,
	KAPI_IOCTL_ENCRYPT_NO_REGION = 0x8010aebc,
};

/* KVM_CAP_* of <linux/kvm.h>: arguments of KVM_CHECK_EXTENSION. */
enum kapi_cap {
	KAPI_CAP_X86_SMM = 117,
	KAPI_CAP_GUEST_MEMFD = 234,
	KAPI_CAP_VM_TYPES = 235,
};

/* KVM_MEM_* of <linux/kvm.h>: flags of a request for a memslot. */
enum kapi_region_flags {
	KAPI_MEM_READONLY = 1u << 1,
	KAPI_MEM_GUEST_MEMFD = 1u << 2,
};

/* KVM_MEMORY_ATTRIBUTE_* of <linux/kvm.h>. */
enum kapi_attributes {
	KAPI_ATTRIBUTE_PRIVATE = 1u << 3,
};

/* KVM_MEM_MAX_NR_PAGES of <linux/kvm_host.h>: pages of the largest memslot. */
enum kapi_limits {
	KAPI_SLOT_PAGES_MAX = (1u << 31) - 1,
};

/* KVM_MR_* of <linux/kvm_host.h>: what becomes of a memslot. */
enum kapi_slot_change {
	KAPI_MR_CREATE = 0,
	KAPI_MR_DELETE = 1,
	KAPI_MR_MOVE = 2,
	KAPI_MR_FLAGS_ONLY = 3,
};

/* SVM_EXIT_* of <asm/svm.h>: why a vCPU has exited. */
enum kapi_exit_code {
	KAPI_EXIT_RDPMC = 0x6f,
	KAPI_EXIT_CPUID = 0x72,
	KAPI_EXIT_INVD = 0x76,
	KAPI_EXIT_IOIO = 0x7b,
	KAPI_EXIT_MSR = 0x7c,
	KAPI_EXIT_VMMCALL = 0x81,
	KAPI_EXIT_WBINVD = 0x89,
	KAPI_EXIT_MONITOR = 0x8a,
	KAPI_EXIT_MWAIT = 0x8b,
	KAPI_EXIT_NPF = 0x400,
};

/* EMULTYPE_*, of <asm/kvm_host.h> until 7.2: how KVM emulates an instruction. */
enum kapi_emulation {
	KAPI_EMULATE_NO_DECODE = 1 << 0,
	KAPI_EMULATE_SKIP = 1 << 2,
};

/* SEV_RET_* of <linux/psp-sev.h>: what a command of SEV's firmware says. */
enum kapi_sev_status {
	KAPI_SEV_SUCCESS = 0x00,
	KAPI_SEV_INVALID_PLATFORM_STATE = 0x01,
	KAPI_SEV_INVALID_GUEST_STATE = 0x02,
	KAPI_SEV_POLICY_FAILURE = 0x07,
	KAPI_SEV_INACTIVE = 0x08,
	KAPI_SEV_INVALID_ADDRESS = 0x09,
	KAPI_SEV_BAD_SIGNATURE = 0x0a,
	KAPI_SEV_BAD_MEASUREMENT = 0x0b,
	KAPI_SEV_ASID_OWNED = 0x0c,
	KAPI_SEV_INVALID_ASID = 0x0d,
	KAPI_SEV_INVALID_GUEST = 0x10,
	KAPI_SEV_HARDWARE_PLATFORM = 0x13,
	KAPI_SEV_UNSUPPORTED = 0x15,
	KAPI_SEV_INVALID_PARAM = 0x16,
	KAPI_SEV_INVALID_PAGE_SIZE = 0x19,
	KAPI_SEV_INVALID_PAGE_STATE = 0x1a,
	KAPI_SEV_INVALID_PAGE_OWNER = 0x1c,
	KAPI_SEV_AEAD_OFLOW = 0x1d,
	KAPI_SEV_INVALID_KEY = 0x27,
};

#endif /* GMEM_KAPI_CONSTANTS_H */
