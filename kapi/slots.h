/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kapi/slots.c tells the rest of the boundary of memslots on mappable files.
 */
#ifndef GMEM_KAPI_SLOTS_H
#define GMEM_KAPI_SLOTS_H

/* How many memslots are marked kapi_slot_mark_only(). Any context. */
int gmem_slots_only(void);
/* How many VMs have, or have had, a hole (kapi/pci_hole.c). Any context. */
int gmem_vms_with_holes(void);

#endif /* GMEM_KAPI_SLOTS_H */
