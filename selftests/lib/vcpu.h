/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How vm.c makes vCPUs and the memory that they start in. Tests use vm.h.
 */
#ifndef SELFTESTS_VCPU_H
#define SELFTESTS_VCPU_H

#include "vm.h"

/* Put the agent and the identity page tables into @agent. */
void agent_load(void *agent);
/* vCPU @id, in 64-bit mode at the agent's entry. */
void vcpu_init(struct vcpu *vcpu, struct vm *vm, int kvm, unsigned int id);
void vcpu_close(struct vcpu *vcpu);
bool cpu_is_intel(void);

#endif
