/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where cpuid_eax() is: "x86/cpuid: Rename have_cpuid_p() ..." and the rest of that series
 * (6.16) gave CPUID a directory of headers.
 */
#ifndef GMEM_KAPI_COMPAT_CPUID_H
#define GMEM_KAPI_COMPAT_CPUID_H

#include <linux/version.h>

#define GMEM_CPUID_DIRECTORY (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0))

#if GMEM_CPUID_DIRECTORY
#include <asm/cpuid/api.h>
#else
#include <asm/cpuid.h>
#endif

#endif /* GMEM_KAPI_COMPAT_CPUID_H */
