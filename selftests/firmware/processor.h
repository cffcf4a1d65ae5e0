/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions of the processor, and of the hypervisor below it. */
#ifndef GMEM_SELFTESTS_FIRMWARE_PROCESSOR_H
#define GMEM_SELFTESTS_FIRMWARE_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid c = { .eax = leaf, .ecx = subleaf };

	asm volatile("cpuid" : "+a"(c.eax), "=b"(c.ebx), "+c"(c.ecx), "=d"(c.edx));
	return c;
}

static inline uint64_t read_msr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" :: "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) :
		     "memory");
}

/* Whether what runs here was told that it is an SNP guest. */
static inline bool is_snp_guest(void)
{
	return cpuid(0x80000000, 0).eax >= 0x8000001f && (cpuid(0x8000001f, 0).eax & 1 << 4);
}

/* KVM's leaf of features, 0 under another hypervisor or where it hides. */
static inline uint32_t kvm_features(void)
{
	struct cpuid c = cpuid(0x40000000, 0);

	return c.ebx == 0x4b4d564b && c.eax > 0x40000000 ? cpuid(0x40000001, 0).eax : 0;
}

/* Exceptions end the machine from here on; for each processor. */
void catch_exceptions(void);

#endif /* GMEM_SELFTESTS_FIRMWARE_PROCESSOR_H */
