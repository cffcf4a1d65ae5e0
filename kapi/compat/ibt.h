/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Telling an ENDBR by its four bytes: "x86/ibt: Make is_endbr() an address based helper"
 * (6.15) made the function one of addresses, which is not exported.
 */
#ifndef GMEM_KAPI_COMPAT_IBT_H
#define GMEM_KAPI_COMPAT_IBT_H

#include <linux/version.h>

#include <asm/ibt.h>

#define GMEM_IBT_BY_ADDRESS (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))

static inline bool gmem_is_endbr(u32 bytes)
{
#if GMEM_IBT_BY_ADDRESS
	return __is_endbr(bytes);
#else
	return is_endbr(bytes);
#endif
}

#endif /* GMEM_KAPI_COMPAT_IBT_H */
