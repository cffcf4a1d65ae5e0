// SPDX-License-Identifier: GPL-2.0-only
/* Words of pages, and the hypercall that converts them. */
#include "memory.h"

#include "console.h"
#include "processor.h"

/* Between the words of a page that are looked at, odd so that each place comes once. */
#define STRIDE		(0x200 + 8)

#define MAP_GPA_RANGE	12
#define ENCRYPTED	(1ul << 4)

/* The CMOS counts 64 KiB above 16 MiB. */
uint64_t memory_end(void)
{
	uint64_t units;

	out8(0x70, 0x34);
	units = in8(0x71);
	out8(0x70, 0x35);
	units |= (uint64_t)in8(0x71) << 8;
	return 16 * MIB + units * 0x10000;
}

static inline volatile uint64_t *word(uint64_t gpa)
{
	return (volatile uint64_t *)gpa;
}

void fill(uint64_t from, uint64_t to, uint64_t seed)
{
	uint64_t page, at;

	for (page = from; page < to; page += PAGE)
		for (at = page; at < page + PAGE; at += STRIDE)
			*word(at) = at ^ seed;
}

bool filled(uint64_t from, uint64_t to, uint64_t seed)
{
	uint64_t page, at;

	for (page = from; page < to; page += PAGE)
		for (at = page; at < page + PAGE; at += STRIDE)
			if (*word(at) != (at ^ seed))
				return false;
	return true;
}

bool zero(uint64_t from, uint64_t to)
{
	uint64_t page, at;

	for (page = from; page < to; page += PAGE)
		for (at = page; at < page + PAGE; at += STRIDE)
			if (*word(at))
				return false;
	return true;
}

int64_t convert(uint64_t gpa, uint64_t pages, enum sharing sharing)
{
	int64_t result = MAP_GPA_RANGE;
	uint64_t attributes = sharing == PRIVATE ? ENCRYPTED : 0;

	if (cpuid(0, 0).ecx == 0x6c65746e)	/* "GenuineIntel" */
		asm volatile("vmcall" : "+a"(result) : "b"(gpa), "c"(pages), "d"(attributes) :
			     "memory");
	else
		asm volatile("vmmcall" : "+a"(result) : "b"(gpa), "c"(pages), "d"(attributes) :
			     "memory");
	return result;
}
