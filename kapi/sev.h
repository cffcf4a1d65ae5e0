/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the boundary that launch by KVM's own commands needs (KVM_MEMORY_ENCRYPT_OP
 * of a VM of SNP's type): layouts and numbers of <asm/kvm.h>, which kapi/sev.c asserts are
 * the kernel's own; the VM's mark; the save areas of its vCPUs; the device node.
 */
#ifndef GMEM_KAPI_SEV_H
#define GMEM_KAPI_SEV_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* KVM_SEV_*: ids of commands. Those not named here no VM of ours is served. */
enum kapi_sev_id {
	KAPI_SEV_INIT = 0,
	KAPI_SEV_ES_INIT = 1,
	KAPI_SEV_LAUNCH_START = 2,
	KAPI_SEV_SEND_UPDATE_VMSA = 10,
	KAPI_SEV_RECEIVE_UPDATE_VMSA = 14,
	KAPI_SEV_CERT_EXPORT = 19,
	KAPI_SEV_SEND_CANCEL = 21,
	KAPI_SEV_INIT2 = 22,
	KAPI_SNP_LAUNCH_START = 100,
	KAPI_SNP_LAUNCH_UPDATE = 101,
	KAPI_SNP_LAUNCH_FINISH = 102,
};

/* struct kvm_sev_cmd, whose @data is the address of one of the others. */
struct kapi_sev_cmd {
	unsigned int id, pad0;
	kapi_u64 data;
	unsigned int error; /* out: the firmware's status */
	int sev_fd; /* the device node */
};

/* struct kvm_sev_init. */
struct kapi_sev_init {
	kapi_u64 vmsa_features;
	unsigned int flags;
	unsigned short ghcb_version, pad1;
	unsigned int pad2[8];
};

/* struct kvm_sev_snp_launch_start. */
struct kapi_snp_start {
	kapi_u64 policy;
	unsigned char gosvw[16];
	unsigned short flags;
	unsigned char pad0[6];
	kapi_u64 pad1[4];
};

/* struct kvm_sev_snp_launch_update. */
struct kapi_snp_update {
	kapi_u64 gfn_start, uaddr, len; /* what is left to do, afterwards */
	unsigned char type, pad0;
	unsigned short flags;
	unsigned int pad1;
	kapi_u64 pad2[4];
};

enum kapi_snp_sizes {
	KAPI_SNP_ID_BLOCK_SIZE = 96,
	KAPI_SNP_ID_AUTH_SIZE = 4096,
	KAPI_SNP_HOST_DATA_SIZE = 32,
};

/* struct kvm_sev_snp_launch_finish. */
struct kapi_snp_finish {
	kapi_u64 id_block_uaddr, id_auth_uaddr;
	unsigned char id_block_en, auth_key_en, vcek_disabled;
	unsigned char host_data[KAPI_SNP_HOST_DATA_SIZE];
	unsigned char pad0[3];
	unsigned short flags;
	kapi_u64 pad1[4];
};

/* ---- the VM ---------------------------------------------------------------------------- */

/*
 * Makes a default VM that KVM has just made, and has not published yet, a
 * software-protected one of SNP's type, which is not to be pre-faulted yet.
 */
void kapi_kvm_make_snp_model(struct kvm *kvm);
/* Whether the VM is one. Any context. */
bool kapi_kvm_is_snp_model(struct kvm *kvm);
/* The launch is over: pages may be pre-faulted. */
void kapi_kvm_launched(struct kvm *kvm);
/* kvm->lock, outside of slots_lock: one command at a time, and no vCPU is created. Sleeps. */
void kapi_kvm_lock(struct kvm *kvm);
void kapi_kvm_unlock(struct kvm *kvm);
/* How many vCPUs there are; -EBUSY: one more is on its way. kvm->lock. */
int kapi_kvm_vcpus(struct kvm *kvm);
/*
 * Makes the 4096 bytes at @page the save area that KVM's own launch would make of the
 * registers of the VM's vCPU @nr, in the order of their creation. -EBUSY: the vCPU is
 * in use; -EINVAL: it is being debugged, by a guest's or the host's registers.
 * kvm->lock; sleeps.
 */
int kapi_kvm_vmsa(struct kvm *kvm, unsigned int nr, kapi_u64 sev_features, void *page);

/*
 * A page for the firmware, which the current task's cgroup pays for until it is put. NULL.
 * Sleeps.
 */
struct page *kapi_page_alloc_charged(void);

/* ---- registered user memory (kapi/sev_regions.c) ------------------------------------------ */

/* struct kvm_enc_region. */
struct kapi_enc_region {
	kapi_u64 addr, size;
};

/*
 * Keeps user memory where it is. -EINVAL: no range; -ENOMEM: more than the task may lock, or
 * than is there. kvm->lock. Sleeps, for as long as the user memory is on its way.
 */
int kapi_sev_region_add(struct kvm *kvm, kapi_u64 addr, kapi_u64 size);
/* -EINVAL: none of the VM's is the very same. kvm->lock. Sleeps. */
int kapi_sev_region_remove(struct kvm *kvm, kapi_u64 addr, kapi_u64 size);
/* All of the VM's. Sleeps. */
void kapi_sev_regions_drop(struct kvm *kvm);

/* ---- the device node (kapi/sev_node.c) ---------------------------------------------------- */

/* Whether the descriptor @fd of the current task is of the node that the module has made. */
bool kapi_sev_node_is(int fd);

#ifdef __cplusplus
}
#endif
#endif /* GMEM_KAPI_SEV_H */
