/* SPDX-License-Identifier: GPL-2.0-only */
/* The linked guest agent (guest.c), carried inside every test program. */
	.section .rodata
	.global guest_blob, guest_blob_end
guest_blob:
	.incbin GUEST_BIN
guest_blob_end:
	.section .note.GNU-stack, "", @progbits
