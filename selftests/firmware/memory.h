/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory: how much there is, what pages hold, private or shared. */
#ifndef GMEM_SELFTESTS_FIRMWARE_MEMORY_H
#define GMEM_SELFTESTS_FIRMWARE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE		0x1000ul
#define MIB		0x100000ul
/* Below it is what the firmware has for itself. */
#define FREE_MEMORY	MIB

/* The end of memory below 4 GiB, by the CMOS. */
uint64_t memory_end(void);

/* Write something that depends on the address and @seed into each page of [from, to). */
void fill(uint64_t from, uint64_t to, uint64_t seed);
/* Whether it is there. */
bool filled(uint64_t from, uint64_t to, uint64_t seed);
/* Whether each page is zero. */
bool zero(uint64_t from, uint64_t to);

enum sharing { SHARED, PRIVATE };

/* Ask the hypervisor (KVM_HC_MAP_GPA_RANGE); its answer: 0, or the negative of an error. */
int64_t convert(uint64_t gpa, uint64_t pages, enum sharing sharing);
#define NOT_VALID	(-22)

#endif /* GMEM_SELFTESTS_FIRMWARE_MEMORY_H */
