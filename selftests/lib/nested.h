/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An inner guest: a guest's own guest (SVM), which runs the same agent as the outer one.
 *
 * Once entered, the vCPU is the inner guest to all commands of guest.h: the addresses
 * that they take are the inner guest's, and its accesses, exits and results are told
 * in the same way. The vCPU's outer guest does nothing but enter it, and stop when
 * anything makes it leave: EXIT_OTHER with KVM_EXIT_HLT. One vCPU of a VM can have one.
 */
#ifndef SELFTESTS_NESTED_H
#define SELFTESTS_NESTED_H

#include "vm.h"

/* Where the inner guest has its memory, unless the place matters. */
#define INNER_GPA	(3 * SZ_1G)

/* In the agent's memory, behind the last mailbox. */
#define NESTED_HSAVE	0x180000UL
#define NESTED_VMCB	0x181000UL
#define NESTED_CODE	0x182000UL
#define NESTED_TABLES	0x183000UL

struct nested {
	struct vcpu *vcpu;
	u64 next_table;		/* outer gpa */
};

/* Exit code of VMMCALL, by which an inner guest leaves. */
#define NESTED_VMMCALL	0x81

/*
 * Prepare @vcpu to have an inner guest, whose nested page tables show it the agent and
 * nothing else, and a VMCB at NESTED_VMCB. Skips the test on processors without SVM.
 */
void nested_init(struct nested *nested, struct vcpu *vcpu);
/*
 * Show the inner guest [@inner, @inner + @size) from @outer on, by entries of
 * @page_size: PAGE_SIZE or SZ_2M. Before the inner guest runs.
 */
void nested_map(struct nested *nested, u64 inner, u64 outer, u64 size, u64 page_size);
/*
 * Fill in the VMCB at @vmcb. Without @paging there are no nested page tables: the inner
 * guest's physical addresses are the outer one's.
 */
void nested_fill_vmcb(const struct nested *nested, void *vmcb, bool paging);

/* Enter the inner guest by the VMCB at the outer @vmcb_gpa: EXIT_DONE when it runs. */
enum vm_exit nested_enter(struct nested *nested, u64 vmcb_gpa);
/*
 * Have the inner guest leave by VMMCALL: the vCPU's next command is the outer guest's.
 */
void nested_leave(struct nested *nested);
/* The exit code in a VMCB. */
u64 nested_exit_code(const void *vmcb);

#endif
