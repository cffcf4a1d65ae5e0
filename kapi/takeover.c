// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking over functions of an unmodified kvm.ko: finding them, and how a call is sent to
 * us. Which ones, and which calls, is in hook_table.c; what a call lands in is in entries.c,
 * the bodies are in stock.c.
 *
 * ftrace calls us at the fentry site of each; changing the instruction pointer makes
 * the call land in ours. All sites are set before the one registration: only there does
 * the kernel arrange with BPF trampolines that share them. The registration is
 * permanent, which keeps sysctl kernel.ftrace_enabled from silencing it.
 *
 * Two of the functions find a page for a guest's fault, and for callers that keep the
 * page: vendor modules, any module. They need different answers (gmem/holder.h), so
 * a fault's calls land elsewhere. The return address tells a fault's call: all of them are
 * made by the main part of one function of KVM, which makes no others and is looked up at
 * load. The address is the one that ftrace saw before any tracer could put its own there;
 * a landing's own return address may be a tracer's. Taken for
 * a caller that keeps it, a fault would still be served right, but end with -EAGAIN beside a
 * conversion. A mark that is set around faults would have to be found by the task,
 * under a lock and by each fault.
 */
#define pr_fmt(fmt) "gmem: " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/stringify.h>

#include "hook_table.h"
#include "hooks.h"
#include "prototypes.h"
#include "symbols.h"

/* The function that faults pages in, after its parts, which may be functions of their own. */
static const char *const faulters[] = {
	"kvm_faultin_pfn_private", /* 6.12 */
	"__kvm_faultin_pfn",
	"kvm_faultin_pfn",
	"kvm_mmu_faultin_pfn_gmem", /* 7.2 */
	"__kvm_mmu_faultin_pfn",
	"kvm_mmu_faultin_pfn",
};

/* The load goes on without these, both together. */
#define OPTIONAL (KAPI_FEATURE_HOLES | KAPI_FEATURE_SHARED)
#define SNP_VMS KAPI_FEATURE_SNP_VMS

#define NAME(entry, fn, ret, args) [entry] = #fn,

/* NULL: this kernel has no such function. */
static const char *const names[KAPI_ENTRIES] = { HOOKED(NAME) };

#define PROTOTYPE(entry, fn, ret, args) [entry] = __stringify(ret args),

static const char *const prototypes[KAPI_ENTRIES] = { HOOKED(PROTOTYPE) };
static const char *const as_good[KAPI_ENTRIES] = { HOOKED_ALSO(PROTOTYPE) };

/* Of the fentry sites, 0: not taken over. Looked at in this order by each call. */
static unsigned long sites[KAPI_ENTRIES];
static unsigned long landings[KAPI_ENTRIES];
/* For calls that return to where the function is that faults pages in; or of size 0. */
static struct {
	unsigned long landing, start, size;
} fault_calls[KAPI_ENTRIES];
static unsigned int active; /* features */
static enum gmem_binding binding;
/* Calls are sent to us. Before and after, KVM's own bodies serve them. */
static bool live;

/* ---- where a call goes ----------------------------------------------------------- */

/* The task that is trying the hooks out, and the entry that its last call came to. */
static struct task_struct *prover;
static int proven;

static long notrace proof_landing(void)
{
	return 0;
}

static void notrace redirect(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	int entry;

	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		if (sites[entry] == ip)
			break;
	}
	if (entry == KAPI_ENTRIES)
		return;
	if (unlikely(READ_ONCE(prover) == current)) {
		proven = entry;
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)proof_landing);
		return;
	}
	if (unlikely(!READ_ONCE(live)) ||
	    (gmem_hooks[entry].wanted && !gmem_hooks[entry].wanted(fregs)))
		return;
	if (parent_ip - fault_calls[entry].start < fault_calls[entry].size)
		ftrace_regs_set_instruction_pointer(fregs, fault_calls[entry].landing);
	else
		ftrace_regs_set_instruction_pointer(fregs, landings[entry]);
}

/* One for all hooks: each one that is unregistered waits twice for RCU tasks. */
static struct ftrace_ops redirection = {
	.func = redirect,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_RECURSION,
};
static bool registered;
/* The kernel would not take back a registration: this text stays in use. */
static bool stuck;

bool kapi_feature(enum kapi_feature feature)
{
	return active & feature;
}

/* ---- what can be had ------------------------------------------------------------- */

/* Without @entry: the features that are lost with it go, or the load fails. */
static int lose(enum kapi_entry entry, const char *why)
{
	const unsigned int lost = gmem_hooks[entry].features & active;

	if (lost & ~(OPTIONAL | SNP_VMS)) {
		pr_err("%s %s, not loading\n", names[entry], why);
		return -ENOENT;
	}
	if (lost == SNP_VMS) {
		pr_err("%s %s, going without VMs of SNP's type\n", names[entry], why);
		active &= ~SNP_VMS;
		return 0;
	}
	pr_err("%s %s, going without extensions\n", names[entry], why);
	active &= ~(OPTIONAL | lost);
	return 0;
}

static bool needed(enum kapi_entry entry)
{
	const struct gmem_hook *const hook = &gmem_hooks[entry];

	return names[entry] && hook->features & active &&
	       (!hook->binding || hook->binding == binding);
}

const char *gmem_entry_name(enum kapi_entry entry)
{
	return needed(entry) ? names[entry] : NULL;
}

bool kapi_binds_in_steps(void)
{
	return binding == IN_STEPS;
}

/*
 * A stable update may bring the one in place of the other ("KVM: guest_memfd: Split bind()
 * into prepare()+commit()"), so it is not the kernel's version that tells.
 */
static int find_binding(void)
{
	bool at_once = true, in_steps = true;
	int entry;

	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		const enum gmem_binding of = gmem_hooks[entry].binding;
		const bool there = of && gmem_symbol_address(names[entry]);

		at_once &= !of || there == (of == AT_ONCE);
		in_steps &= !of || there == (of == IN_STEPS);
	}
	binding = at_once ? AT_ONCE : IN_STEPS;
	if (at_once || in_steps)
		return 0;
	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		if (gmem_hooks[entry].binding)
			pr_err("KVM has %s function %s\n",
			       gmem_symbol_address(names[entry]) ? "a" : "no", names[entry]);
	}
	pr_err("how this KVM binds memslots is not known, not loading\n");
	return -ENOENT;
}

#define CALL 0xe8
#define JUMP 0xe9

/* Whether the code of @size at @start has one of those to the function at @site. */
static bool goes_to(unsigned long start, unsigned long size, u8 opcode, unsigned long site)
{
	/* Behind an ENDBR, and behind the padding in which some kernels count calls. */
	const unsigned long slack = 64;
	unsigned long at;

	for (at = start; start && at + 5 <= start + size; at++) {
		s32 distance;

		if (*(const u8 *)at != opcode)
			continue;
		memcpy(&distance, (const void *)(at + 1), sizeof(distance));
		if (at + 5 + distance <= site && at + 5 + distance > site - slack)
			return true;
	}
	return false;
}

/* Whether the function @caller calls the one at @site, be it as the last thing it does. */
static bool calls(const char *caller, unsigned long site)
{
	unsigned long size = 0;
	const unsigned long start = gmem_symbol_extent(caller, &size);

	return goes_to(start, size, CALL, site) || goes_to(start, size, JUMP, site);
}

/* A fault's calls are those of one function, which they return to. */
static int find_fault_calls(enum kapi_entry entry)
{
	int i;

	fault_calls[entry].size = 0;
	for (i = 0; i < ARRAY_SIZE(faulters); i++) {
		unsigned long size = 0;
		const unsigned long start = gmem_symbol_extent(faulters[i], &size);

		/* What jumps there is not returned to. */
		if (goes_to(start, size, JUMP, sites[entry]))
			return lose(entry, "is jumped to by a fault");
		if (!goes_to(start, size, CALL, sites[entry]))
			continue;
		if (fault_calls[entry].size)
			return lose(entry, "is called by faults from two functions");
		fault_calls[entry].landing = gmem_fault_landing(entry);
		fault_calls[entry].start = start;
		fault_calls[entry].size = size;
	}
	return fault_calls[entry].size ? 0 : lose(entry, "is not called by kvm_faultin_pfn()");
}

/* The landing is called as the function is. */
static bool has_other_prototype(enum kapi_entry entry)
{
	const char *const name = names[entry];

	if (!gmem_prototype_differs(name, prototypes[entry]))
		return false;
	if (as_good[entry] && !gmem_prototype_differs(name, as_good[entry]))
		return false;
	gmem_prototype_explain(name, prototypes[entry]);
	return true;
}

static int find(enum kapi_entry entry)
{
	const struct gmem_hook *const hook = &gmem_hooks[entry];
	int i;

	sites[entry] = gmem_symbol_address(names[entry]);
	if (!sites[entry])
		return lose(entry, "is no function of this KVM");
	if (has_other_prototype(entry))
		return lose(entry, "has another prototype");
	if (hook->throws && gmem_exception_differs())
		return lose(entry, "has another struct x86_exception");
	for (i = 0; i < ARRAY_SIZE(hook->callers) && hook->callers[i]; i++) {
		if (calls(hook->callers[i], sites[entry]))
			continue;
		pr_err("%s does not call %s\n", hook->callers[i], names[entry]);
		return lose(entry, "may have been inlined");
	}
	landings[entry] = gmem_landing(entry);
	return hook->faults ? find_fault_calls(entry) : 0;
}

/* Calls @fn for what is needed, until it fails. */
static int each_needed(int (*fn)(enum kapi_entry entry))
{
	int entry, ret = 0;

	for (entry = 0; entry < KAPI_ENTRIES && !ret; entry++) {
		if (needed(entry))
			ret = fn(entry);
	}
	return ret;
}

/* ---- registration ---------------------------------------------------------------- */

/*
 * Sets the filter to what is needed: an empty one lets all functions through. The first
 * site takes the place of what was set before: ftrace_free_filter() is for the end, in
 * 6.12 it leaves pointers to what it has freed.
 */
static int set_filter(void)
{
	bool reset = true;
	int entry, ret;

	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		if (!needed(entry))
			continue;
		ret = ftrace_set_filter_ip(&redirection, sites[entry], 0, reset);
		if (ret == -EINVAL) {
			ret = lose(entry, "cannot be traced");
			return ret ? ret : set_filter();
		}
		if (ret)
			return ret;
		reset = false;
	}
	return 0;
}

/*
 * A BPF program that shares a site may be coming or going just now: -EAGAIN, after the kernel
 * has slept for a millisecond. Not for ever: programs may come and go all the time.
 */
static int register_ops(struct ftrace_ops *ops)
{
	int ret, tries = 1000;

	do {
		ret = register_ftrace_function(ops);
	} while (ret == -EAGAIN && --tries && !fatal_signal_pending(current));
	return ret;
}

static int register_all(void)
{
	int ret = set_filter();

	if (!ret && active)
		ret = register_ops(&redirection);
	registered = !ret && active;
	return ret;
}

static void notrace let_pass(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
}

static struct ftrace_ops trial = {
	.func = let_pass,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT,
};

/* Whether the one site can be had by itself; -errno. */
static int try_one(enum kapi_entry entry)
{
	int ret = ftrace_set_filter_ip(&trial, sites[entry], 0, true);

	if (!ret) {
		ret = register_ops(&trial);
		if (!ret && unregister_ftrace_function(&trial))
			stuck = true;
	}
	return ret;
}

static int refuse(int error)
{
	pr_err("cannot take over KVM's functions (error %d), not loading\n", error);
	return error;
}

/* Says why all at once cannot be had, and gives up what is occupied and optional. */
static int find_occupied(int error)
{
	const int *const enabled = gmem_symbol_variable("ftrace_enabled");
	const unsigned int before = active;
	int entry, ret;

	/* lose() has said why. */
	if (error == -ENOENT)
		return error;
	if (error == -ENODEV) {
		pr_err("ftrace has stopped after an error of the kernel's, not loading\n");
		return error;
	}
	if (enabled && !*enabled) {
		pr_err("ftrace is off (sysctl kernel.ftrace_enabled), not loading\n");
		return error;
	}
	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		ret = needed(entry) ? try_one(entry) : 0;
		/* Any other error, such as -ENOMEM, says nothing of who has the function. */
		if (ret && ret != -EBUSY)
			return refuse(ret);
		if (ret && lose(entry, "is occupied by a livepatch, a kprobe or another tracer"))
			return error;
	}
	return active == before ? refuse(error) : 0;
}

static int take_over(void)
{
	int ret = register_all();

	if (!ret)
		return 0;
	ret = find_occupied(ret);
	if (ret)
		return ret;
	ret = register_all();
	return ret ? refuse(ret) : 0;
}

bool gmem_came_here(enum kapi_entry entry)
{
	return proven == entry;
}

/* Each hook is seen to fire: a call of the function comes to us. */
static int prove(enum kapi_entry entry)
{
	int ret;

	if (gmem_hooks[entry].needs_vcpu && *(const u8 *)sites[entry] != CALL) {
		pr_err("%s is as if nobody had hooked it, not loading\n", names[entry]);
		return -EBUSY;
	}
	gmem_stock_set_body(entry, sites[entry]);
	proven = -1;
	WRITE_ONCE(prover, current);
	ret = gmem_proof_call(entry);
	WRITE_ONCE(prover, NULL);
	gmem_stock_set_body(entry, sites[entry] + MCOUNT_INSN_SIZE);
	if (!ret && !gmem_came_here(entry)) {
		pr_err("%s was called and did not come here, not loading\n", names[entry]);
		ret = -EBUSY;
	}
	return ret;
}

/* What this KVM has of all that is needed; nothing is changed yet. */
static int find_all(void)
{
	int ret = gmem_symbols_resolve();

	if (ret)
		return ret;
	gmem_prototypes_open();
	ret = gmem_symbols_compare();
	if (!ret)
		ret = find_binding();
	if (!ret)
		ret = each_needed(find);
	gmem_prototypes_close();
	return ret;
}

int gmem_attach(unsigned int wanted)
{
	int ret;

	active = wanted;
	ret = find_all();
	if (!ret)
		ret = take_over();
	if (!ret)
		ret = each_needed(prove);
	if (ret) {
		active = 0;
		gmem_detach();
		return ret;
	}
	WRITE_ONCE(live, true);
	return 0;
}

/* KVM's calls may come here for ever: this text must not go. Not killable. */
static void __noreturn stay(void)
{
	pr_crit("the kernel cannot give KVM's functions back: the module stays\n");
	for (;;)
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
}

void gmem_detach(void)
{
	int waits;

	/* Nothing of ours exists any more. */
	WRITE_ONCE(live, false);
	if (stuck || (registered && unregister_ftrace_function(&redirection)))
		stay();
	ftrace_free_filter(&trial);
	ftrace_free_filter(&redirection);
	if (!registered)
		return;
	registered = false;
	/*
	 * A task may have been redirected and not yet be counted, or be counted
	 * out and not yet have returned: both end before it next gives up its CPU
	 * by itself, which is what RCU tasks waits for.
	 */
	synchronize_rcu_tasks();
	for (waits = 0; gmem_calls_inside(); waits++) {
		if (waits == 500)
			pr_warn("still waiting for %ld calls of KVM's that sleep\n",
				gmem_calls_inside());
		msleep(20);
	}
	synchronize_rcu_tasks();
}
