// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI holes, see hole.h.
 */
#include "hole.h"

#include "../../include/uapi/gmem.h"

#include "stats.h"

void hole_require(void)
{
	if (kvm_check(KVM_CAP_PCI_HOLE_MEM) != 1)
		tap_skip("no PCI holes to be had");
}

int hole_set(struct vm *vm, u32 slot, u64 gpa, u64 size)
{
	return vm_set_region(vm, slot, KVM_MEM_PCI_HOLE, gpa, size, NULL);
}

u64 hole_faults(struct vcpu *vcpu)
{
	return kvm_stat(vcpu->fd, "pf_taken");
}
