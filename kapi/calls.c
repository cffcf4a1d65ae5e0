// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting the calls that KVM makes of us, and those inside the module right
 * now. <linux/percpu.h>, <linux/debugfs.h>.
 */
#include <linux/debugfs.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>

#include "hooks.h"

struct calls {
	u64 served[KAPI_ENTRIES];
	u64 stock[KAPI_ENTRIES];
	long inside; /* may be negative on a CPU: a call can move between two */
};

static DEFINE_PER_CPU(struct calls, calls);

void kapi_entry_enter(enum kapi_entry entry)
{
	this_cpu_inc(calls.inside);
}

void kapi_entry_leave(enum kapi_entry entry, bool served)
{
	if (served)
		this_cpu_inc(calls.served[entry]);
	else
		this_cpu_inc(calls.stock[entry]);
	this_cpu_dec(calls.inside);
}

long gmem_calls_inside(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(calls.inside, cpu));
	return sum;
}

static int calls_show(struct seq_file *m, void *v)
{
	int entry, cpu;

	for (entry = 0; entry < KAPI_ENTRIES; entry++) {
		const char *const name = gmem_entry_name(entry);
		u64 served = 0, stock = 0;

		if (!name)
			continue;
		for_each_possible_cpu(cpu) {
			served += per_cpu(calls.served[entry], cpu);
			stock += per_cpu(calls.stock[entry], cpu);
		}
		seq_printf(m, "%s served %llu stock %llu\n", name, served, stock);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(calls);

void gmem_calls_debugfs(struct dentry *dir)
{
	debugfs_create_file("calls", 0444, dir, NULL, &calls_fops);
}
