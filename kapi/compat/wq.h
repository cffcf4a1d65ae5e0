/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's work queue of no CPU in particular: "workqueue: Add new WQ_PERCPU flag" and the
 * rest of that series (6.18) gave it another name, and has the old one log a warning since.
 */
#ifndef GMEM_KAPI_COMPAT_WQ_H
#define GMEM_KAPI_COMPAT_WQ_H

#include <linux/version.h>
#include <linux/workqueue.h>

#define GMEM_WQ_DFL (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0))

#if GMEM_WQ_DFL
#define gmem_unbound_wq system_dfl_wq
#else
#define gmem_unbound_wq system_unbound_wq
#endif

#endif /* GMEM_KAPI_COMPAT_WQ_H */
