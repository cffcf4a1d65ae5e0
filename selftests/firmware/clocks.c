// SPDX-License-Identifier: GPL-2.0-only
#include "clocks.h"

#include "console.h"
#include "processor.h"

#define FEATURE_CLOCK		(1 << 3)
#define FEATURE_STEAL_TIME	(1 << 5)

#define MSR_WALL_CLOCK		0x4b564d00
#define MSR_SYSTEM_TIME		0x4b564d01
#define MSR_STEAL_TIME		0x4b564d03
#define ENABLED			1

/* KVM's ABI. A version is odd while the rest is being written. */
struct wall_clock {
	uint32_t version, sec, nsec;
};

struct system_time {
	uint32_t version, pad;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags, more_pad[2];
};

struct steal_time {
	uint64_t steal;
	uint32_t version, flags, pad[12];
};

static volatile struct wall_clock wall_clock;
static volatile struct system_time system_time __attribute__((aligned(64)));
static volatile struct steal_time steal_time __attribute__((aligned(64)));

static void check_system_time(void)
{
	write_msr(MSR_WALL_CLOCK, (uintptr_t)&wall_clock);
	check("kvmclock: the wall clock was written",
	      wall_clock.version && !(wall_clock.version & 1) && wall_clock.sec);
	write_msr(MSR_SYSTEM_TIME, (uintptr_t)&system_time | ENABLED);
	/* KVM writes it before the guest runs again. */
	check("kvmclock: the system's time was written",
	      system_time.version && !(system_time.version & 1) && system_time.multiplier);
	write_msr(MSR_SYSTEM_TIME, 0);
}

static void check_steal_time(void)
{
	write_msr(MSR_STEAL_TIME, (uintptr_t)&steal_time | ENABLED);
	check("steal time was written", steal_time.version && !(steal_time.version & 1));
	write_msr(MSR_STEAL_TIME, 0);
}

void check_clocks(void)
{
	uint32_t features = kvm_features();

	if (features & FEATURE_CLOCK)
		check_system_time();
	if (features & FEATURE_STEAL_TIME)
		check_steal_time();
}
