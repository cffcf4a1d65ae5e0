// SPDX-License-Identifier: GPL-2.0-only
/* The serial port, and isa-debug-exit. */
#include "console.h"

#define SERIAL		0x3f8
#define LINE_STATUS	(SERIAL + 5)
#define DATA_READY	1
#define DEBUG_EXIT	0xf4

static unsigned int checked, failed;

static unsigned int length(const char *text)
{
	unsigned int n = 0;

	while (text[n])
		n++;
	return n;
}

/* String output: KVM reads the text from where the guest has it. */
void print(const char *text)
{
	unsigned long n = length(text);

	asm volatile("rep outsb" : "+S"(text), "+c"(n) : "d"((uint16_t)SERIAL) : "memory");
}

static void print_digits(uint64_t number, unsigned int base)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do {
		*--at = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	print(at);
}

void print_number(uint64_t number)
{
	print_digits(number, 10);
}

void print_hex(uint64_t number)
{
	print("0x");
	print_digits(number, 16);
}

void await_key(void)
{
	while (!(in8(LINE_STATUS) & DATA_READY))
		asm volatile("pause");
}

bool check(const char *name, bool passed)
{
	print(passed ? "firmware: ok " : "firmware: not ok ");
	print(name);
	print("\n");
	checked++;
	failed += !passed;
	return passed;
}

unsigned int checks(void)
{
	return checked;
}

unsigned int checks_failed(void)
{
	return failed;
}

void end(enum verdict verdict)
{
	for (;;) {
		out8(DEBUG_EXIT, verdict);
		asm volatile("cli; hlt");
	}
}
