// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has KVM take every write of CR8 by a guest as an exit, on AMD. QEMU, emulating SVM, otherwise
 * aborts when a guest writes CR8 while a virtual interrupt is pending, which UEFI firmware does
 * at the end of each interrupt (docs/testing.md, "The emulators"). Knows nothing of gmem.ko.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

/*
 * Arguments of svm_update_cr8_intercept(vcpu, tpr, irr). They say that the pending
 * interrupt is no more urgent than the guest's threshold. So KVM must see when the
 * threshold changes.
 */
static int always(struct kprobe *probe, struct pt_regs *regs)
{
	regs->si = 15;
	regs->dx = 0;
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "svm_update_cr8_intercept",
	.pre_handler = always,
};

static int __init cr8_exits_init(void)
{
	return register_kprobe(&probe);
}
module_init(cr8_exits_init);

static void __exit cr8_exits_exit(void)
{
	unregister_kprobe(&probe);
}
module_exit(cr8_exits_exit);

MODULE_DESCRIPTION("Exits for all writes of CR8");
MODULE_LICENSE("GPL");
