/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names and numbers that the boundary's headers share. No kernel struct is ever
 * completed here.
 */
#ifndef GMEM_KAPI_TYPES_H
#define GMEM_KAPI_TYPES_H

#if defined(__KERNEL__) && !defined(__cplusplus)
#include <linux/types.h>
typedef u64 kapi_u64;
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
typedef uint64_t kapi_u64;
#endif

#include "kapi_sizes.h"

struct file;
struct gmem_get_map;
struct gmem_launch_finish;
struct gmem_launch_measurement;
struct gmem_launch_populate;
struct inode;
struct kvm;
struct kvm_create_guest_memfd;
struct kvm_host_map;
struct kvm_link_guest_memfd;
struct kvm_memory_attributes2;
struct kvm_memory_slot;
struct kvm_pre_fault_memory;
struct kvm_vcpu;
struct module;
struct page;

#endif /* GMEM_KAPI_TYPES_H */
