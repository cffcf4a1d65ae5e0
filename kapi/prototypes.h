/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether KVM's functions have the prototypes that this module was compiled for, and a struct
 * of KVM's the layout, as the kernel's own description of its types (BTF) has them. Of
 * functions of the kernel itself the headers know.
 */
#ifndef GMEM_KAPI_PROTOTYPES_H
#define GMEM_KAPI_PROTOTYPES_H

#include <linux/types.h>

/*
 * Between these two prototypes can be compared; where a kernel has no BTF of KVM the log says
 * that none is. After gmem_symbols_resolve(). Sleep.
 */
void gmem_prototypes_open(void);
void gmem_prototypes_close(void);

/*
 * Whether KVM's @name is known to be of another type than @text, which is C without names of
 * parameters: "int (struct kvm *, long)". Spaces mean nothing.
 */
bool gmem_prototype_differs(const char *name, const char *text);
/* Tells the log what it is instead. */
void gmem_prototype_explain(const char *name, const char *text);
/* Whether struct x86_exception is known not to be that of compat/exception.h. */
bool gmem_exception_differs(void);

#endif /* GMEM_KAPI_PROTOTYPES_H */
