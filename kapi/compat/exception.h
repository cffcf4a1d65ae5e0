/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How KVM hands on an exception: a struct of arch/x86/kvm/kvm_emulate.h, which no package of
 * headers has. Whether it is KVM's is asked of BTF: by scripts/check-kvm, and when the module
 * loads (kapi/prototypes.c). Of a union we have the one field that is used.
 */
#ifndef GMEM_KAPI_COMPAT_EXCEPTION_H
#define GMEM_KAPI_COMPAT_EXCEPTION_H

#include <linux/types.h>
#include <linux/version.h>

/* The error code has grown: it was 16 bits. */
#define GMEM_EXCEPTION_WIDE (LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0))

#if GMEM_EXCEPTION_WIDE
#define EXCEPTION_ERROR_CODE(X) X(u64, error_code)
#else
#define EXCEPTION_ERROR_CODE(X) X(u16, error_code)
#endif

/* X(type, name) of each field, in their order. */
#define EXCEPTION_FIELDS(X)        \
	X(u8, vector)              \
	X(bool, error_code_valid)  \
	EXCEPTION_ERROR_CODE(X)    \
	X(bool, nested_page_fault) \
	X(u64, address)            \
	X(u8, async_page_fault)    \
	X(unsigned long, exit_qualification)

#define EXCEPTION_FIELD(type, name) type name;

struct x86_exception {
	EXCEPTION_FIELDS(EXCEPTION_FIELD)
};

#endif /* GMEM_KAPI_COMPAT_EXCEPTION_H */
