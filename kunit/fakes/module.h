/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module itself: its features, whether it is being unloaded, its references.
 */
#ifndef GMEM_FAKES_MODULE_H
#define GMEM_FAKES_MODULE_H

#include "kapi/kapi.h"

namespace fake
{

/* Bits of enum kapi_feature; all by default, and again in check_clean(). */
void set_features(unsigned features);
/* Whether KVM's TDP MMU is in use; true by default, likewise. */
void set_tdp_mmu(bool used);
/* It is being unloaded: no call gets a reference any more. False by default, likewise. */
void set_module_going(bool going);
/* The kernel has a capability of that number; 0: none but what it has in 6.12, the default. */
void set_capability_taken(long number);
/* References that memslots, VMs and calls have. */
long module_refs();
/* A rule: @what needs the module later, so its maker must have a reference of the module. */
void needs_module(const char *what);
/* For check_clean(). */
void check_module();

} /* namespace fake */

#endif /* GMEM_FAKES_MODULE_H */
