/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel modules that come and go, and what the kernel's log says meanwhile. For
 * programs that run as root while gmem.ko is not loaded.
 */
#ifndef SELFTESTS_MODULE_H
#define SELFTESTS_MODULE_H

#include <stdbool.h>
#include <stddef.h>

/* Where scripts/vm puts added files. */
#define GMEM_KO		"/add/gmem.ko"
#define GMEM_TEST_KO	"/add/gmem_test.ko"

/* The kernel's answers: 0 or -errno. Unloading does not wait for users of the module. */
int module_load(const char *path, const char *parameters);
int module_unload(const char *name);

bool module_is_loaded(const char *name);
/* Unload a module that may be kept for a moment by objects that are freed in the background. */
void module_unload_soon(const char *name);

/* From now on klog_says() looks at what is logged, of this process' tests. */
void klog_begin(void);
/* Whether one line logged since has all of the strings. */
#define klog_says(...) klog_has_line(__VA_ARGS__, (const char *)NULL)
bool klog_has_line(const char *first, ...) __attribute__((sentinel));
/* Show as diagnostics the lines logged since that have @word. */
void klog_tell(const char *word);

#endif
