/* SPDX-License-Identifier: GPL-2.0-only */
/* The image, and where its program runs. */
#include "layout.h"

ENTRY(firmware)
metadata_from_end = IMAGE + IMAGE_SIZE - metadata;
SECTIONS
{
	.bss DATA (NOLOAD) : { *(.bss*) *(COMMON) }
	ASSERT(SIZEOF(.bss) <= DATA_SIZE, "too much data")

	.program PROGRAM : AT(IMAGE) { *(.text*) *(.rodata*) *(.data*) }
	ASSERT(SIZEOF(.program) <= PROGRAM_SIZE, "too long a program")

	.early EARLY : AT(EARLY) {
		*(.early)
		*(.metadata)
		. = 0x1000 - 32 - GUIDS_SIZE;
		*(.guids)
		. = 0x1000 - 16;
		*(.reset)
	}
	ASSERT(SIZEOF(.early) == 0x1000, "the image does not end where it should")
	/DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
}
