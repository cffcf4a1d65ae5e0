// SPDX-License-Identifier: GPL-2.0-only
/* An exception is none that the firmware wants: it says which, and ends the machine. */
#include "console.h"
#include "processor.h"

#define VECTORS		32
#define STUB_SIZE	8
#define CODE64		0x10
#define INTERRUPT_GATE	0x8e00

struct gate {
	uint16_t offset_low, selector, kind, offset_middle;
	uint32_t offset_high, reserved;
};

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

extern const char exception_stubs[];

static struct gate gates[VECTORS];

void catch_exceptions(void)
{
	const struct table_pointer pointer = { sizeof(gates) - 1, (uintptr_t)gates };
	unsigned int i;

	for (i = 0; i < VECTORS; i++) {
		uintptr_t stub = (uintptr_t)exception_stubs + i * STUB_SIZE;

		gates[i] = (struct gate){ stub, CODE64, INTERRUPT_GATE, stub >> 16, 0, 0 };
	}
	asm volatile("lidt %0" :: "m"(pointer));
}

/* Called by the stubs. */
void exception(unsigned int vector, uint64_t rip, uint64_t address) __attribute__((noreturn));
void exception(unsigned int vector, uint64_t rip, uint64_t address)
{
	print("firmware: exception ");
	print_number(vector);
	print(" at ");
	print_hex(rip);
	print(", cr2 ");
	print_hex(address);
	print("\n");
	end(AN_EXCEPTION);
}
