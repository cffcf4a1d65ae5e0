/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's device for firmware: how many processors there are, and a little DMA. */
#ifndef GMEM_SELFTESTS_FIRMWARE_FW_CFG_H
#define GMEM_SELFTESTS_FIRMWARE_FW_CFG_H

#include <stdbool.h>
#include <stdint.h>

/* Read an item's first bytes by string input. */
void fw_cfg_read(uint16_t item, void *to, unsigned long size);
#define FW_CFG_SIGNATURE	0	/* "QEMU" */
#define FW_CFG_CPUS		5	/* 16 bits */

/*
 * Whether QEMU has been given -fw_cfg name=@name,string=@value, @value being shorter than 16
 * bytes.
 */
bool fw_cfg_says(const char *name, const char *value);

bool fw_cfg_has_dma(void);

/*
 * Have the device write an item's first @size bytes to @to. What it is told, it reads from
 * @request, where there is room for 16 bytes. Both addresses are below 4 GiB. Returns
 * whether the device says that it has.
 */
bool fw_cfg_dma(uint16_t item, uint64_t request, uint64_t to, uint32_t size);

#endif /* GMEM_SELFTESTS_FIRMWARE_FW_CFG_H */
