// SPDX-License-Identifier: GPL-2.0-only
#include "fw_cfg.h"

#include "console.h"

#define SELECT		0x510
#define DATA		0x511
#define DMA_LOW		0x518	/* writing it begins */

#define FW_CFG_ID	1	/* bit 1: has DMA */
#define FW_CFG_FILES	0x19

#define DMA_READ	(1u << 1)
#define DMA_SELECT	(1u << 3)

/* Of the list of files. Numbers are big-endian, here and below. */
struct file {
	uint32_t size;
	uint16_t item, reserved;
	char name[56];
};

struct request {
	uint32_t control, size;
	uint64_t address;
};

/* String input: KVM writes where the guest wants it. */
static void read_on(void *to, unsigned long size)
{
	asm volatile("rep insb" : "+D"(to), "+c"(size) : "d"((uint16_t)DATA) : "memory");
}

void fw_cfg_read(uint16_t item, void *to, unsigned long size)
{
	out16(SELECT, item);
	read_on(to, size);
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The item of a file, 0 if there is none. */
static uint16_t item_of(const char *name)
{
	struct file file;
	uint32_t count, i;
	uint16_t item = 0;

	fw_cfg_read(FW_CFG_FILES, &count, sizeof(count));
	for (i = 0; i < __builtin_bswap32(count); i++) {
		read_on(&file, sizeof(file));
		if (same(file.name, name))
			item = __builtin_bswap16(file.item);
	}
	return item;
}

bool fw_cfg_says(const char *name, const char *value)
{
	uint16_t item = item_of(name);
	char content[16] = { 0 };

	if (!item)
		return false;
	fw_cfg_read(item, content, sizeof(content) - 1);
	return same(content, value);
}

bool fw_cfg_has_dma(void)
{
	uint32_t id = 0;

	fw_cfg_read(FW_CFG_ID, &id, sizeof(id));
	return id & 1 << 1;
}

bool fw_cfg_dma(uint16_t item, uint64_t request, uint64_t to, uint32_t size)
{
	volatile struct request *told = (struct request *)request;

	told->size = __builtin_bswap32(size);
	told->address = __builtin_bswap64(to);
	told->control = __builtin_bswap32((uint32_t)item << 16 | DMA_SELECT | DMA_READ);
	out32(DMA_LOW, __builtin_bswap32(request));
	/* It is done when the instruction is, and says so by control of 0. */
	return told->control == 0;
}
