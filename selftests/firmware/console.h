/* SPDX-License-Identifier: GPL-2.0-only */
/* Ports, printing, and the end. */
#ifndef GMEM_SELFTESTS_FIRMWARE_CONSOLE_H
#define GMEM_SELFTESTS_FIRMWARE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Values that end QEMU by its isa-debug-exit at port 0xf4: its status is twice
 * the value plus one.
 */
enum verdict {
	ALL_PASSED = 0x10,	/* status 33 */
	A_CHECK_FAILED = 0x11,	/* 35 */
	AN_EXCEPTION = 0x12,	/* 37 */
};

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" :: "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" :: "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" :: "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* To the serial port, at one time by one processor. */
void print(const char *text);
void print_number(uint64_t number);
void print_hex(uint64_t number);

/* Wait until a key is typed. */
void await_key(void);

/* One line a check, which are counted. Returns whether it passed. */
bool check(const char *name, bool passed);

/* How many there were so far, and how many of them failed. */
unsigned int checks(void);
unsigned int checks_failed(void);

void end(enum verdict verdict) __attribute__((noreturn));

#endif /* GMEM_SELFTESTS_FIRMWARE_CONSOLE_H */
