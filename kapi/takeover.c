// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking over functions of an unmodified kvm.ko, and calling their bodies.
 *
 * ftrace calls us at the fentry site of each; changing the instruction pointer
 * makes the call land in the replacement. The body that follows the fentry call
 * stays callable by a direct (static) call behind it, which neither IBT nor
 * another ftrace user minds.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>

#include <gmem/gmem.h>
#include <uapi/gmem.h>

#include "hooks.h"
#include "symbols.h"

struct hook {
	const char *name;
	void *replacement;
	/* Points the static call of the body to @body. */
	void (*set_body)(unsigned long body);
	/* Attached even when the stock backend stays in charge. */
	bool vm_type;
	/* Without it we have a feature less, and load all the same. */
	bool optional;
	/* Leaves calls to KVM by their arguments; NULL takes all. */
	bool (*wanted)(struct ftrace_regs *fregs);
	bool attached;
	unsigned long ip;
};

#define DEFINE_BODY(fn, proto)                                                \
	DEFINE_STATIC_CALL_NULL(body_##fn, *(typeof(proto) *)0);               \
	static void set_body_##fn(unsigned long body)                         \
	{                                                                     \
		static_call_update(body_##fn, (typeof(proto) *)body);          \
	}

/* 6.12's own prototypes are private to virt/kvm; ours must match (kapi/kvm.c). */
DEFINE_BODY(kvm_gmem_create, gmem_create)
DEFINE_BODY(kvm_gmem_bind, gmem_bind)
DEFINE_BODY(kvm_gmem_unbind, gmem_unbind)
DEFINE_BODY(kvm_gmem_get_pfn, gmem_get_pfn)
DEFINE_BODY(kvm_gmem_populate, gmem_populate)
DEFINE_BODY(kvm_arch_init_vm, gmem_kvm_init_vm)
DEFINE_BODY(kvm_vm_ioctl_check_extension, gmem_kvm_check_extension)
DEFINE_BODY(kvm_mmu_page_fault, gmem_kvm_page_fault)
DEFINE_BODY(memory_failure, gmem_memory_failure)
DEFINE_BODY(kvm_vm_ioctl, gmem_kvm_vm_ioctl)
DEFINE_BODY(__gfn_to_pfn_memslot, gmem_kvm_slot_pfn)
DEFINE_BODY(__kvm_mmu_max_mapping_level, gmem_kvm_mapping_level)
DEFINE_BODY(kvm_arch_prepare_memory_region, gmem_kvm_prepare_slot)

/* All other ioctls go on as if nobody had looked. */
static bool notrace known_ioctl(struct ftrace_regs *fregs)
{
	switch ((unsigned int)ftrace_regs_get_argument(fregs, 1)) {
	case KVM_CHECK_EXTENSION:
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
	case KVM_SET_MEMORY_ATTRIBUTES:
	case KVM_LINK_GUEST_MEMFD:
		return true;
	}
	return false;
}

#define HOOK(fn, repl) .name = #fn, .replacement = repl, .set_body = set_body_##fn

/*
 * Every function taken over. Those of guest_memfd are replaced, their bodies serve
 * only what the stock backend made; the others are wrapped, their bodies always
 * run. Attached in this order: what faults call is found first, and what makes
 * something of ours comes last, when nothing can be missing any more.
 */
static struct hook hooks[KAPI_ENTRIES] = {
	[KAPI_ENTRY_PAGE_FAULT]	= { HOOK(kvm_mmu_page_fault, gmem_kvm_page_fault),
				    .vm_type = true },
	[KAPI_ENTRY_GET_PFN]	= { HOOK(kvm_gmem_get_pfn, gmem_get_pfn) },
	/* Without any of those that are optional files cannot be mapped (mmu/entry.cc). */
	[KAPI_ENTRY_MAPPING_LEVEL] = {
		HOOK(__kvm_mmu_max_mapping_level, gmem_kvm_mapping_level), .optional = true },
	[KAPI_ENTRY_SLOT_PFN]	= { HOOK(__gfn_to_pfn_memslot, gmem_kvm_slot_pfn),
				    .optional = true },
	[KAPI_ENTRY_PREPARE_SLOT] = {
		HOOK(kvm_arch_prepare_memory_region, gmem_kvm_prepare_slot), .optional = true },
	[KAPI_ENTRY_UNBIND]	= { HOOK(kvm_gmem_unbind, gmem_unbind) },
	[KAPI_ENTRY_BIND]	= { HOOK(kvm_gmem_bind, gmem_bind) },
	[KAPI_ENTRY_POPULATE]	= { HOOK(kvm_gmem_populate, gmem_populate) },
	[KAPI_ENTRY_MEMORY_FAILURE] = { HOOK(memory_failure, gmem_memory_failure) },
	[KAPI_ENTRY_CHECK_EXTENSION] = {
		HOOK(kvm_vm_ioctl_check_extension, gmem_kvm_check_extension), .vm_type = true },
	[KAPI_ENTRY_INIT_VM]	= { HOOK(kvm_arch_init_vm, gmem_kvm_init_vm), .vm_type = true },
	[KAPI_ENTRY_CREATE]	= { HOOK(kvm_gmem_create, gmem_create) },
	[KAPI_ENTRY_VM_IOCTL]	= { HOOK(kvm_vm_ioctl, gmem_kvm_vm_ioctl), .vm_type = true,
				    .optional = true, .wanted = known_ioctl },
};

static void notrace redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	const struct hook *hook;

	for (hook = hooks; hook < hooks + KAPI_ENTRIES; hook++) {
		if (hook->ip != ip)
			continue;
		if (!hook->wanted || hook->wanted(fregs))
			ftrace_regs_set_instruction_pointer(fregs,
							    (unsigned long)hook->replacement);
		return;
	}
}

/* One for all hooks: each one that is unregistered waits twice for RCU tasks. */
static struct ftrace_ops redirection = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};
static bool registered;

const char *gmem_entry_name(enum kapi_entry entry)
{
	return hooks[entry].name;
}

bool kapi_entry_attached(enum kapi_entry entry)
{
	return hooks[entry].attached;
}

static const char *consequence(const struct hook *hook)
{
	return hook->optional ? "going without" : "not loading";
}

static int find(struct hook *hook)
{
	hook->ip = gmem_symbol_address(hook->name);
	if (!hook->ip) {
		pr_err("KVM has no function %s, %s\n", hook->name, consequence(hook));
		return -ENOENT;
	}
	hook->set_body(hook->ip + MCOUNT_INSN_SIZE);
	return 0;
}

/* Adds @hook to the functions redirected; the first one registers the redirection. */
static int attach_one(struct hook *hook)
{
	int ret = ftrace_set_filter_ip(&redirection, hook->ip, 0, 0);

	if (ret == -EINVAL) {
		pr_err("%s is not traceable, %s\n", hook->name, consequence(hook));
		return ret;
	}
	/* Not before: an empty filter lets every function of the kernel through. */
	if (!ret && !registered) {
		ret = register_ftrace_function(&redirection);
		registered = !ret;
		if (ret)
			ftrace_free_filter(&redirection);
	}
	if (ret)
		pr_err("cannot take over %s (error %d), %s\n", hook->name, ret, consequence(hook));
	hook->attached = !ret;
	return ret;
}

void gmem_detach(void)
{
	struct hook *hook;

	for (hook = hooks; hook < hooks + KAPI_ENTRIES; hook++)
		hook->attached = false;
	if (registered)
		WARN_ON(unregister_ftrace_function(&redirection));
	registered = false;
	ftrace_free_filter(&redirection);
	/*
	 * A task may have been redirected and not yet be counted, or be counted
	 * out and not yet have returned: both end before it next gives up its CPU
	 * by itself, which is what RCU tasks waits for.
	 */
	synchronize_rcu_tasks();
	while (gmem_calls_inside())
		msleep(20);
	synchronize_rcu_tasks();
}

int gmem_attach(bool stock_backend, bool extensions)
{
	struct hook *hook;
	int ret;

	ret = gmem_symbols_resolve();
	if (ret)
		return ret;
	for (hook = hooks; hook < hooks + KAPI_ENTRIES; hook++) {
		ret = find(hook);
		if (ret && !hook->optional)
			return ret;
	}
	for (hook = hooks; hook < hooks + KAPI_ENTRIES; hook++) {
		if (!hook->ip || (!hook->vm_type && stock_backend) ||
		    (hook->optional && !extensions))
			continue;
		ret = attach_one(hook);
		if (ret && !hook->optional) {
			gmem_detach();
			return ret;
		}
	}
	return 0;
}

int kapi_stock_create(struct kvm *kvm, struct kvm_create_guest_memfd *args)
{
	return static_call(body_kvm_gmem_create)(kvm, args);
}

int kapi_stock_bind(struct kvm *kvm, struct kvm_memory_slot *slot, unsigned int fd,
		    long long offset)
{
	return static_call(body_kvm_gmem_bind)(kvm, slot, fd, offset);
}

void kapi_stock_unbind(struct kvm_memory_slot *slot)
{
	static_call(body_kvm_gmem_unbind)(slot);
}

int kapi_stock_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, kapi_u64 gfn, kapi_u64 *pfn,
		       int *max_order)
{
	return static_call(body_kvm_gmem_get_pfn)(kvm, slot, gfn, pfn, max_order);
}

long kapi_stock_populate(struct kvm *kvm, kapi_u64 gfn, void *src, long npages,
			 kapi_populate_cb cb, void *opaque)
{
	return static_call(body_kvm_gmem_populate)(kvm, gfn, src, npages, cb, opaque);
}

int kapi_stock_init_vm(struct kvm *kvm, unsigned long type)
{
	return static_call(body_kvm_arch_init_vm)(kvm, type);
}

int kapi_stock_check_extension(struct kvm *kvm, long extension)
{
	return static_call(body_kvm_vm_ioctl_check_extension)(kvm, extension);
}

int kapi_stock_page_fault(struct kvm_vcpu *vcpu, kapi_u64 gpa, kapi_u64 error, void *insn,
			  int insn_len)
{
	return static_call(body_kvm_mmu_page_fault)(vcpu, gpa, error, insn, insn_len);
}

int kapi_stock_memory_failure(unsigned long pfn, int flags)
{
	return static_call(body_memory_failure)(pfn, flags);
}

long kapi_stock_vm_ioctl(struct file *file, unsigned int ioctl, unsigned long arg)
{
	return static_call(body_kvm_vm_ioctl)(file, ioctl, arg);
}

int kapi_stock_prepare_slot(struct kvm *kvm, const struct kvm_memory_slot *old,
			    struct kvm_memory_slot *slot, int change)
{
	return static_call(body_kvm_arch_prepare_memory_region)(kvm, old, slot, change);
}

kapi_u64 kapi_stock_slot_pfn(const struct kvm_memory_slot *slot, kapi_u64 gfn, bool atomic,
			     bool interruptible, bool *async, bool write, bool *writable,
			     unsigned long *hva)
{
	return static_call(body___gfn_to_pfn_memslot)(slot, gfn, atomic, interruptible, async,
						      write, writable, hva);
}

int kapi_stock_mapping_level(struct kvm *kvm, const struct kvm_memory_slot *slot, kapi_u64 gfn,
			     int max_level, bool is_private)
{
	return static_call(body___kvm_mmu_max_mapping_level)(kvm, slot, gfn, max_level, is_private);
}
