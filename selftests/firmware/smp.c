// SPDX-License-Identifier: GPL-2.0-only
/* Starts processors by the local APIC, whose registers are memory that KVM emulates. */
#include "smp.h"

#include "console.h"
#include "fw_cfg.h"
#include "layout.h"
#include "processor.h"

#define LOCAL_APIC		0xfee00000ul
#define APIC_SPURIOUS		0xf0
#define APIC_ENABLE		0x1ff
#define APIC_COMMAND		0x300
#define COMMAND_PENDING		(1 << 12)
#define INIT_ALL_OTHERS		0xc4500
#define STARTUP_ALL_OTHERS	(0xc4600 | TRAMPOLINE >> 12)

extern const char trampoline[], trampoline_end[];

/* How many of the others have begun; entry.S counts. */
unsigned int processors;
static unsigned int done;
static void (*their_work)(unsigned int cpu);

static volatile uint32_t *apic(unsigned int reg)
{
	return (volatile uint32_t *)(LOCAL_APIC + reg);
}

static void command(uint32_t value)
{
	*apic(APIC_COMMAND) = value;
	while (*apic(APIC_COMMAND) & COMMAND_PENDING)
		;
}

unsigned int cpus(void)
{
	uint16_t count = 0;

	fw_cfg_read(FW_CFG_CPUS, &count, sizeof(count));
	return count;
}

void on_all_others(void (*work)(unsigned int cpu))
{
	unsigned int i, others = cpus() - 1;
	volatile char *to = (char *)TRAMPOLINE;

	for (i = 0; trampoline + i < trampoline_end; i++)
		to[i] = trampoline[i];
	their_work = work;
	*apic(APIC_SPURIOUS) = APIC_ENABLE;
	command(INIT_ALL_OTHERS);
	command(STARTUP_ALL_OTHERS);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < others)
		asm volatile("pause");
}

/* Called by entry.S, on a stack of its own. */
void other_processor(unsigned int cpu) __attribute__((noreturn));
void other_processor(unsigned int cpu)
{
	catch_exceptions();
	their_work(cpu);
	__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
	for (;;)
		asm volatile("cli; hlt");
}
