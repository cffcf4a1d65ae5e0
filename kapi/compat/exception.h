/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How KVM hands on an exception: a struct of arch/x86/kvm/kvm_emulate.h, which no package of
 * headers has. scripts/check-kvm has the kernels' own types; docs/kernels.md names this copy.
 */
#ifndef GMEM_KAPI_COMPAT_EXCEPTION_H
#define GMEM_KAPI_COMPAT_EXCEPTION_H

#include <linux/types.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
struct x86_exception {
	u8 vector;
	bool error_code_valid;
	u64 error_code;
	bool nested_page_fault;
	u64 address;
	u8 async_page_fault;
	unsigned long exit_qualification;
};
static_assert(sizeof(struct x86_exception) == 48);
#else
struct x86_exception {
	u8 vector;
	bool error_code_valid;
	u16 error_code;
	bool nested_page_fault;
	u64 address;
	u8 async_page_fault;
	unsigned long exit_qualification;
};
static_assert(sizeof(struct x86_exception) == 32);
#endif

#endif /* GMEM_KAPI_COMPAT_EXCEPTION_H */
